//! `holdwater get`.

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;

use crate::objects;

/// Runs a job over flights that leaves a full checkpoint and deltas on it.
fn flights() -> Place {
    let (place, rows) = Place::with_flights();
    let job = "run --input flights.csv --key origin,destination --agg count mean:delay \
               distinct:date --output out.csv --checkpoints dir --checkpoint-every 1h \
               --retain 4 --parallelism 2";
    place.run_in_parts(job, "flights.csv", &rows, 3);
    place
}

#[test]
fn what_is_held_of_a_key_is_what_the_job_computes_and_what_a_dump_shows() {
    let (_, rows) = Place::with_flights();
    let place = flights();
    let all = expected(&[&rows], &["origin", "destination"], &["count"]);
    for row in all.rows.iter().step_by(40) {
        let key = format!("{},{}", row[0], row[1]);
        for flag in ["", "--json"] {
            let got = place.holdwater(&format!("get dir --state count --key {key} {flag}"));
            let got = objects(&got.succeed().stdout);
            assert_eq!(got.len(), 1);
            assert_eq!(got[0]["key"]["origin"], *row[0]);
            assert_eq!(got[0]["value"].to_string(), row[2]);
        }
        for state in ["count", "mean:delay", "distinct:date"] {
            let dumped = place.holdwater(&format!("dump dir --state {state}")).succeed().stdout;
            let got = place.holdwater(&format!("get dir --state {state} --key {key}"));
            let got = got.succeed().stdout;
            assert!(dumped.lines().any(|line| line == got.trim_end()), "{got}");
        }
    }
}

#[test]
fn what_is_not_there_is_exit_code_1_and_what_cannot_be_asked_for_2() {
    let place = flights();
    let refuse = |line: &str, code, said: &[&str]| {
        place.holdwater(&format!("get dir {line}")).refuse(code, said);
    };
    refuse("--state count --key SFO,nobody", 1, &["SFO,nobody", "count"]);
    refuse("--state counts --key SFO,LAX", 1, &["counts", "mean:delay"]);
    refuse("--state count --key SFO", 2, &["--key", "destination"]);
    refuse("--state count --key SFO,LAX --window 2001-01-01", 2, &["--window", "count"]);
    refuse("--state count --key SFO,LAX --map-key ATL", 2, &["--map-key", "count"]);
    refuse("--state count", 2, &["--key"]);
    refuse("--state distinct:date --key SFO,LAX --map-key nowhere", 1, &["nowhere"]);
    place.holdwater("get nowhere --state count --key a,b").refuse(1, &["nowhere"]);
}

#[test]
fn a_member_of_a_set_and_a_window_are_found_by_themselves() {
    let (place, _) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg distinct:destination --time date \
               --window 3d --slide 1d --output out.csv --checkpoints dir --checkpoint-every 5000rows";
    place.holdwater(job).succeed();
    let all = place.holdwater("get dir --state distinct:destination --key ATL").succeed().stdout;
    let all = objects(&all);
    assert!(all.len() > 1, "one row for each window: {all:?}");
    let starts: Vec<_> = all.iter().map(|row| row["window_start"].as_str().unwrap()).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    for row in &all {
        let start = row["window_start"].as_str().unwrap();
        let one = format!("get dir --state distinct:destination --key ATL --window {start}");
        assert_eq!(objects(&place.holdwater(&one).succeed().stdout), std::slice::from_ref(row));
        let member = row["value"][0].as_str().unwrap();
        let found = place.holdwater(&format!("{one} --map-key {member}")).succeed().stdout;
        assert_eq!(objects(&found)[0]["value"], *member);
    }
    let none = "get dir --state distinct:destination --key ATL --window";
    place.holdwater(&format!("{none} 1999-01-01")).refuse(1, &["1999-01-01"]);
    place.holdwater(&format!("{none} soon")).refuse(2, &["soon"]);
}

#[test]
fn what_has_expired_by_the_checkpoint_is_not_found() {
    let (place, rows) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --output out.csv \
               --checkpoints dir --parallelism 1 --time date --window 365d --ttl 1d";
    place.holdwater(job).succeed();
    let dumped = place.holdwater("dump dir --state count --format csv").succeed().rows();
    let lives = |key: &String| dumped.rows.iter().any(|row| row[0] == *key);
    let all = expected(&[&rows], &["origin"], &["count"]);
    let expired = all.rows.iter().map(|row| &row[0]).find(|key| !lives(key)).unwrap();
    place.holdwater(&format!("get dir --state count --key {expired}")).refuse(1, &[expired]);
    let alive = &dumped.rows[0][0];
    place.holdwater(&format!("get dir --state count --key {alive}")).succeed();
}

#[test]
fn what_is_damaged_is_read_from_an_older_checkpoint_unless_one_is_named() {
    let place = flights();
    let newest = place.checkpoints("dir").last().unwrap().id.clone();
    let key = "--state count --key ATL,MCO";
    let before = place.holdwater(&format!("get dir {key}")).succeed().stdout;
    let files = place.objects("dir", "data");
    let number = files.last().unwrap().0;
    for (_, path) in files.into_iter().filter(|(other, _)| *other == number) {
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.len() - 64;
        bytes[64..end].fill(0);
        fs::write(path, bytes).unwrap();
    }
    let older = place.holdwater(&format!("get dir {key}")).succeed();
    older.warned(&["passed over", &newest]);
    let count = |lines: &str| objects(lines)[0]["value"].as_u64().unwrap();
    assert!(count(&older.stdout) < count(&before));
    place.holdwater(&format!("get dir@{newest} {key}")).refuse(3, &["older checkpoint"]);
}
