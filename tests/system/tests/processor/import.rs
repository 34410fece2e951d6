//! `holdwater import`, and jobs that start from what it made.

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::rows::assert_same;
use serde_json::Value;

use crate::objects;

/// Dumps a state, imports it, and dumps it again, as JSON lines and as CSV.
#[track_caller]
fn comes_back(place: &Place, directory: &str, state: &str) {
    for (number, format) in ["jsonl", "csv"].into_iter().enumerate() {
        let dump = |directory: &str, more: &str| {
            let line = format!("dump {directory} --state {state} --format {format} {more}");
            place.holdwater(&line).succeed().stdout
        };
        let (plain, stored) = (dump(directory, ""), dump(directory, "--stored"));
        assert!(stored.lines().count() > 20, "{stored}");
        let (file, out) =
            (format!("{number}.{format}"), format!("imported-{directory}-{state}-{number}"));
        place.write(&file, &stored);
        let import = format!("import {file} {out} --like {directory} --state {state}");
        place.holdwater(&import).succeed();
        assert_eq!(dump(&out, "--stored"), stored);
        assert_eq!(dump(&out, ""), plain);
        place.holdwater(&format!("verify {out} --deep")).succeed();
        assert_eq!(place.holdwater(&format!("diff {directory} {out} --rows")).succeed().stdout, "");
    }
}

#[test]
fn what_is_dumped_and_imported_is_what_it_was_and_a_job_goes_on_from_it() {
    let (place, rows) = Place::with_flights();
    let specs = [
        "count",
        "sum:delay",
        "mean:distance",
        "min:delay",
        "distinct:destination",
        "collect:delay",
    ];
    let job = format!(
        "run --input flights.csv --key origin,destination --agg {} --output out.csv",
        specs.join(" ")
    );
    let first = format!("{job} --checkpoints dir --checkpoint-every 1h");
    place.run_in_parts(&first, "flights.csv", &rows.first(12_000), 2);
    for state in specs {
        comes_back(&place, "dir", state);
    }
    place.write("flights.csv", &rows.to_csv());
    let from = "imported-dir-min:delay-1";
    place.holdwater(&format!("{job} --checkpoints new --from {from} --parallelism 3")).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&rows], &["origin", "destination"], &specs));
}

#[test]
fn rows_that_are_more_than_the_memory_for_them_are_imported_as_others_are() {
    let (place, rows) = Place::with_flights();
    let job = "run --input flights.csv --key origin,destination --agg count collect:date \
               --output out.csv --checkpoints";
    place.holdwater(&format!("{job} dir")).succeed();
    for state in ["count", "collect:date"] {
        let dump = format!("dump dir --state {state} --stored");
        let stored = place.holdwater(&dump).succeed().stdout;
        // Rows come twice, and the later one holds.
        place.write("rows.jsonl", &format!("{}{stored}", stored.replace("1", "2")));
        for (command, out) in [
            ("import rows.jsonl imported --like dir --memory-limit 3KiB", "imported"),
            ("edit dir edited --from rows.jsonl --memory-limit 3KiB", "edited"),
        ] {
            let _ = fs::remove_dir_all(place.path(out));
            place.holdwater(&format!("{command} --state {state}")).succeed();
            let diff = place.holdwater(&format!("diff dir {out} --rows")).succeed().stdout;
            assert_eq!(diff, "");
            place.holdwater(&format!("verify {out} --deep")).succeed();
        }
    }
    let import = "import rows.jsonl other --like dir --state collect:date --memory-limit 3KiB";
    let nowhere = place.path("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    place.holdwater(import).with("TMPDIR", nowhere).refuse(1, &["TMPDIR", nowhere]);
    assert!(!place.path("other").exists());
    place.holdwater(&format!("{job} new --from imported --parallelism 3")).succeed();
    let specs = ["count", "collect:date"];
    assert_same(&place.rows("out.csv"), &expected(&[&rows], &["origin", "destination"], &specs));
}

#[test]
fn windows_sessions_and_stamps_are_imported_as_they_were() {
    let (place, _) = Place::with_flights();
    for (directory, flags) in [("sessions", "--session 6h"), ("windows", "--window 90d --ttl 30d")]
    {
        let job = "run --input flights.csv --key origin --agg count collect:delay last:date \
                   distinct:destination --time date --output out.csv";
        place.holdwater(&format!("{job} --checkpoints {directory} {flags} --fresh")).succeed();
        for state in ["collect:delay", "distinct:destination"] {
            let copy = format!("{directory}-{state}");
            place.holdwater(&format!("savepoint {directory} {copy}")).succeed();
            comes_back(&place, &copy, state);
        }
    }
}

#[test]
fn the_state_holds_the_rows_of_the_file_and_no_others() {
    let (place, rows) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count sum:delay --output out.csv";
    place.write("flights.csv", &rows.first(12_000).to_csv());
    place.holdwater(&format!("{job} --checkpoints dir")).succeed();
    place.write("rows.csv", "origin,value\nATL,7\n\"A,B\",1\n");
    place.holdwater("import rows.csv imported --like dir --state count").succeed();
    let dumped = place.holdwater("dump imported --state count").succeed().stdout;
    let mut held: Vec<_> = objects(&dumped)
        .iter()
        .map(|row| (row["key"]["origin"].as_str().unwrap().to_owned(), row["value"].clone()))
        .collect();
    held.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(held, [("A,B".to_owned(), Value::from(1)), ("ATL".to_owned(), Value::from(7))]);
    let sums = |directory: &str| {
        place.holdwater(&format!("dump {directory} --state sum:delay")).succeed().stdout
    };
    assert_eq!(sums("imported"), sums("dir"));
    for (text, said) in [
        ("origin,value\nATL,x\n", "rows.csv, line 2: value: "),
        ("origin,value\nATL,1,2\n", "rows.csv, line 2: 3 cells, not 2"),
        ("key,value\nATL,1\n", "the columns are \"key,value\", not \"origin,value\""),
    ] {
        place.write("rows.csv", text);
        let import = place.holdwater("import rows.csv other --like dir --state count");
        import.refuse(1, &[said]);
        assert!(!place.path("other").exists());
    }
    place.holdwater("import no.csv other --like dir --state count").refuse(1, &["no.csv"]);
    place.holdwater("import rows.csv dir --like dir --state count").refuse(1, &["columns"]);
}
