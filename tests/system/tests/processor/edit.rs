//! `holdwater edit`, and jobs that start from what it made.

use std::collections::BTreeMap;
use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

use crate::objects;

const SPECS: [&str; 3] = ["count", "sum:delay", "distinct:destination"];

const JOB: &str = "run --input flights.csv --key origin --agg count sum:delay \
                   distinct:destination --output out.csv";

/// Runs a job over the first flights, a full checkpoint and deltas on it; returns all and those.
fn flights() -> (Place, Rows, Rows) {
    let (place, rows) = Place::with_flights();
    let first = rows.first(12_000);
    let job = format!("{JOB} --checkpoints dir --checkpoint-every 1h --parallelism 2");
    place.run_in_parts(&job, "flights.csv", &first, 3);
    (place, rows, first)
}

/// Computes SPECs by origin.
fn results(rows: &Rows) -> BTreeMap<String, Vec<String>> {
    let all = expected(&[rows], &["origin"], &SPECS);
    all.rows.into_iter().map(|row| (row[0].clone(), row[1..].to_vec())).collect()
}

fn number(text: &str) -> i64 {
    text.parse().unwrap()
}

#[test]
fn a_job_goes_on_from_the_edited_values() {
    let (place, rows, first) = flights();
    let (all, then) = (results(&rows), results(&first));
    let edit = "edit dir counted --state count --set ATL=1000000 XYZ=3 --set ORD=0 --delete JFK";
    let made = place.holdwater(edit).succeed();
    assert!(made.stdout.starts_with("savepoint of checkpoint "), "{}", made.stdout);
    place.holdwater("edit counted summed --state sum:delay --set ATL=-7").succeed();
    let members = r#"edit summed edited --state distinct:destination --set ATL=["X","Y"]"#;
    place.holdwater(members).succeed();
    place.holdwater("verify edited --deep").succeed();
    // Nothing else is another than it was.
    let diff = place.holdwater("diff dir edited --rows").succeed().stdout;
    let changes: Vec<_> = objects(&diff)
        .into_iter()
        .map(|change| {
            let text = |name: &str| change[name].as_str().unwrap().to_owned();
            (text("state"), text("change"), change["key"]["origin"].as_str().unwrap().to_owned())
        })
        .collect();
    let mut changes: Vec<_> = changes
        .iter()
        .map(|(state, change, key)| (state.rsplit('/').next().unwrap(), &**change, &**key))
        .collect();
    changes.sort_unstable();
    let wanted = [
        ("count", "added", "XYZ"),
        ("count", "changed", "ATL"),
        ("count", "changed", "ORD"),
        ("count", "removed", "JFK"),
        ("distinct:destination", "changed", "ATL"),
        ("sum:delay", "changed", "ATL"),
    ];
    assert_eq!(changes, wanted);

    fs::remove_dir_all(place.path("dir")).unwrap();
    place.write("flights.csv", &rows.to_csv());
    place.holdwater(&format!("{JOB} --checkpoints new --from edited --parallelism 3")).succeed();
    let mut wanted = all.clone();
    let since = |key: &str, spec: usize| number(&all[key][spec]) - number(&then[key][spec]);
    wanted.get_mut("ATL").unwrap()[0] = (1_000_000 + since("ATL", 0)).to_string();
    wanted.get_mut("ATL").unwrap()[1] = (since("ATL", 1) - 7).to_string();
    wanted.get_mut("ORD").unwrap()[0] = since("ORD", 0).to_string();
    wanted.get_mut("JFK").unwrap()[0] = since("JFK", 0).to_string();
    wanted.insert("XYZ".to_owned(), vec!["3".to_owned(), String::new(), String::new()]);
    let found = place.rows("out.csv");
    let mut found: BTreeMap<_, _> =
        found.rows.into_iter().map(|row| (row[0].clone(), row[1..].to_vec())).collect();
    // Its destinations since then, and the two.
    let distinct = found.get_mut("ATL").unwrap().remove(2);
    let mut later: Vec<_> = rows.rows[12_000..].iter().filter(|row| row[1] == "ATL").collect();
    later.sort_unstable_by_key(|row| &row[2]);
    later.dedup_by_key(|row| &row[2]);
    assert_eq!(distinct, (later.len() + 2).to_string());
    wanted.get_mut("ATL").unwrap().remove(2);
    assert_eq!(found, wanted);
}

#[test]
fn rows_of_a_file_are_put_over_those_that_are_there() {
    let (place, rows, first) = flights();
    let lines = "{\"key\":{\"origin\":\"ATL\"},\"value\":5}\n\n\
                 { \"value\": 6, \"key\": { \"origin\": \"JFK\" } }\n";
    place.write("rows.jsonl", lines);
    place.holdwater("edit dir edited --state count --from rows.jsonl").succeed();
    let value = |key: &str| {
        let got = place.holdwater(&format!("get edited --state count --key {key}"));
        objects(&got.succeed().stdout)[0]["value"].as_i64().unwrap()
    };
    assert_eq!((value("ATL"), value("JFK")), (5, 6));
    assert_eq!(value("ORD"), number(&results(&first)["ORD"][0]));
    // What is put as it was makes no difference.
    let stored = place.holdwater("dump dir --state count --stored").succeed().stdout;
    place.write("all.jsonl", &stored);
    place.holdwater("edit dir same --state count --from all.jsonl").succeed();
    assert_eq!(place.holdwater("diff dir same --rows").succeed().stdout, "");
    place.write("flights.csv", &rows.to_csv());
    place.holdwater(&format!("{JOB} --checkpoints new --from same")).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&rows], &["origin"], &SPECS));
}

#[test]
fn a_window_is_edited_by_its_start_and_added_by_start_and_end() {
    let (place, _) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --time date --window 3d --slide 1d \
               --output out.csv --checkpoints dir";
    place.holdwater(job).succeed();
    let of_key = |directory: &str| {
        let got = place.holdwater(&format!("get {directory} --state count --key ATL"));
        objects(&got.succeed().stdout)
    };
    let before = of_key("dir");
    let start = before[0]["window_start"].as_str().unwrap();
    let edit =
        |out: &str, more: &str| place.holdwater(&format!("edit dir {out} --state count {more}"));
    edit("set", &format!("--set ATL=77 --window {start}")).succeed();
    let after = of_key("set");
    assert_eq!((after.len(), &after[0]["value"]), (before.len(), &77.into()));
    assert_eq!(after[1..], before[1..]);
    edit("put", "--set ATL=8 --window 2030-01-01/2030-01-04").succeed();
    let after = of_key("put");
    let last = after.last().unwrap();
    assert_eq!((after.len(), &last["value"]), (before.len() + 1, &8.into()));
    assert_eq!(last["window_start"], "2030-01-01T00:00:00");
    edit("one", &format!("--delete ATL --window {start}")).succeed();
    assert_eq!(of_key("one"), before[1..]);
    edit("none", "--delete ATL").succeed();
    place.holdwater("get none --state count --key ATL").refuse(1, &["ATL"]);
    for name in ["set", "put", "one", "none"] {
        place.holdwater(&format!("verify {name} --deep")).succeed();
    }
    edit("x", "--set ATL=7").refuse(2, &["--window START"]);
    edit("x", "--set ATL=7 --window 1999-01-01").refuse(1, &["START/END"]);
    edit("x", "--set ATL=7 --window then").refuse(2, &["then"]);
    place.write("rows.jsonl", "{\"key\":{\"origin\":\"ATL\"},\"value\":5}");
    edit("x", "--from rows.jsonl")
        .refuse(1, &["line 1", "window: the field is missing", "--stored"]);
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_written() {
    let (place, _, _) = flights();
    let edit = |more: &str, code, said: &[&str]| {
        place.holdwater(&format!("edit dir edited {more}")).refuse(code, said);
        assert!(!place.path("edited").exists(), "{more}");
    };
    edit("--state count --set ATL=1.5", 2, &["--set \"ATL\"", "expected u64, found 1.5"]);
    edit("--state count --set ATL=-1", 2, &["expected u64, found -1"]);
    edit("--state count --set ATL=many", 2, &["u64", "many"]);
    edit("--state count --set ATL", 2, &["KEY=VALUE"]);
    edit("--state count --set ATL,JFK=1", 2, &["--set \"ATL,JFK\"", "{ origin: String }, found 2"]);
    edit("--state sum:delay --set ATL={}", 2, &["--set \"ATL\""]);
    edit("--state distinct:destination --set ATL=[\"X\",7]", 2, &["[1]: expected String, found 7"]);
    edit("--state count --delete nowhere", 1, &["nowhere"]);
    edit("--state counts --set ATL=1", 1, &["counts", "sum:delay"]);
    edit("--state count", 2, &["--set", "--delete", "--from"]);
    edit("--state count --from no.jsonl", 1, &["no.jsonl"]);
    let good = "{\"key\":{\"origin\":\"ATL\"},\"value\":5}";
    for (line, said) in [
        ("{\"key\":{\"origin\":\"ATL\"},\"value\":\"5\"}", "value: expected u64, found \"5\""),
        ("{\"key\":{\"origin\":7},\"value\":5}", "key.origin: expected String, found 7"),
        ("{\"key\":{\"from\":\"ATL\"},\"value\":5}", "key.origin: the field is missing"),
        ("{\"key\":{\"origin\":\"ATL\"},\"value\":5,\"stamp\":1}", "stamp: there is no such field"),
        ("{\"key\":{\"origin\":\"ATL\"}}", "value: the field is missing"),
        ("[", "as JSON"),
    ] {
        place.write("rows.jsonl", &format!("{good}\n{line}\n"));
        edit("--state count --from rows.jsonl", 1, &["rows.jsonl, line 2", said]);
    }
    fs::create_dir(place.path("taken")).unwrap();
    place.holdwater("edit dir taken --state count --set ATL=1").refuse(2, &["taken"]);
}
