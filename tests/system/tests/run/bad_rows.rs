//! Rows that are not what they should be.

use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

/// Rows of which the third, on line 4, is a bad one for each of the jobs that sum `v`.
const TEXT: &str = "k,v\na,1\n\"b\n\",2\na,x\na,4\n";

#[test]
fn a_bad_row_ends_the_job_naming_file_and_line() {
    let place = Place::new();
    place.write("good.csv", "k,v\na,1\n");
    for (name, text, line) in [
        ("text.csv", "k,v\na,1\n\"b\n\",2\na,x\na,4\n", "line 5"),
        ("few.csv", "k,v\na,1\na\n", "line 3"),
        ("many.csv", "k,v\na,1,2\n", "line 2"),
        ("open.csv", "k,v\na,1\n\"a,1\n\n", "line 3"),
        ("text.jsonl", "{\"k\":\"a\",\"v\":1}\n{\"k\":\"a\",\"v\":\"x\"}\n", "line 2"),
        ("broken.jsonl", "\n{\"k\":\"a\"\n", "line 2"),
        ("array.jsonl", "[1]\n", "line 1"),
    ] {
        place.write(name, text);
        let job =
            format!("run --input good.csv --input {name} --key k --agg sum:v --parallelism 2");
        place.holdwater(&job).refuse(1, &[name, line, "--bad-rows skip"]);
    }
}

#[test]
fn sums_and_means_need_numbers_and_no_other_spec_does() {
    let place = Place::new();
    place.write("a.csv", "k,v\na,x\n");
    for (spec, bad) in [
        ("sum", true),
        ("mean", true),
        ("min", false),
        ("max", false),
        ("last", false),
        ("distinct", false),
        ("collect", false),
    ] {
        let job = place.holdwater(&format!("run --input a.csv --key k --agg {spec}:v"));
        match bad {
            true => job.refuse(1, &["a.csv line 2", "\"x\", not a number"]),
            false => _ = job.succeed(),
        }
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_a_bad_row() {
    let place = Place::new();
    std::fs::write(place.path("a.csv"), b"k,v\na,1\n\xff,1\na,2\n").unwrap();
    let job = "run --input a.csv --key k --agg sum:v";
    place.holdwater(job).refuse(1, &["a.csv", "line 3", "UTF-8"]);
    let skipped = place.holdwater(&format!("{job} --bad-rows skip")).succeed();
    assert_eq!(skipped.stdout, "k,sum:v\na,3\n");
}

#[test]
fn bad_rows_that_are_skipped_are_counted_at_the_end() {
    let place = Place::new();
    place.write("a.csv", TEXT);
    place.write("b.csv", "k,v\nc\nc,1\n");
    let job = "run --input a.csv --input b.csv --key k --agg count sum:v --bad-rows skip";
    let done = place.holdwater(job).succeed();
    assert_same(&done.rows(), &Rows::from_csv("k,count,sum:v\na,2,5\n\"b\n\",1,2\nc,1,1\n"));
    assert_eq!(done.stderr.lines().last(), Some("bad rows: 2"));

    // What no SPEC reads as a number is no bad row.
    let count = "run --input a.csv --key k --agg count max:v --bad-rows skip";
    let done = place.holdwater(count).succeed();
    assert!(!done.stderr.contains("bad rows"), "{}", done.stderr);
}

#[test]
fn bad_rows_are_counted_across_restarts() {
    let place = Place::new();
    place.write("a.csv", TEXT);
    let job = "run --input a.csv --key k --agg sum:v --bad-rows skip --checkpoints dir";
    for (rows, bad) in [("", "bad rows: 1"), ("a,y\na,5\n", "bad rows: 2"), ("", "bad rows: 2")] {
        place.append("a.csv", rows);
        let done = place.holdwater(job).succeed();
        assert_eq!(done.stderr.lines().last(), Some(bad), "{}", done.stderr);
    }
    let done = place.holdwater(job).succeed();
    assert_same(&done.rows(), &Rows::from_csv("k,sum:v\na,10\n\"b\n\",2\n"));
}
