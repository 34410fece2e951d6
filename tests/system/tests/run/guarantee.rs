//! Exactly once, and at least once.

use std::io::Write;
use std::process::ChildStdin;
use std::thread;
use std::time::Duration;

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

/// How often a job is killed before the test gives up looking for a difference.
const TRIES: usize = 8;

const SPECS: [&str; 4] = ["max:amount", "min:amount", "distinct:word", "count"];

/// Runs a job over a file and over standard input, which is slow, kills it once it has a few
/// checkpoints, runs it again, and returns its result.
///
/// A barrier waits in standard input, which is silent, for some 50 ms, while that of the file has
/// long passed: five batches of the file come behind it.
fn killed_and_resumed(file: &Rows, pipe: &Rows, guarantee: &str) -> Rows {
    let place = Place::new();
    place.write("file.csv", &file.to_csv());
    let job = format!(
        "run --input file.csv --input - --key shop --agg {} --guarantee {guarantee} \
         --checkpoints dir --checkpoint-every 20ms --parallelism 2 --output out.csv",
        SPECS.join(" ")
    );
    let text = pipe.to_csv();
    let slow = text.clone();
    let mut running = place.holdwater(&format!("{job} --rate 200000")).feed(|to| feed(to, slow));
    running.until(|| place.checkpoints("dir").len() >= 3);
    running.kill();
    assert!(!place.path("out.csv").exists());
    place.holdwater(&job).finish_with(&text).succeeded();
    place.rows("out.csv")
}

/// Writes line by line, with a pause between any two, until nobody reads any more.
fn feed(mut pipe: ChildStdin, text: String) {
    for line in text.split_inclusive('\n') {
        if pipe.write_all(line.as_bytes()).and_then(|()| pipe.flush()).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn counted(rows: &Rows) -> u64 {
    rows.column("count").map(|count| count.parse::<u64>().unwrap()).sum()
}

fn without_count(rows: &Rows) -> Rows {
    let mut rows = rows.clone();
    for row in std::iter::once(&mut rows.columns).chain(&mut rows.rows) {
        row.pop();
    }
    rows
}

#[test]
fn at_least_once_may_count_twice_and_exactly_once_never_does() {
    let (file, pipe) = (rows(1, 100_000, 10), rows(2, 300, 10));
    let wanted = expected(&[&file, &pipe], &["shop"], &SPECS);
    let total = (file.rows.len() + pipe.rows.len()) as u64;

    let mut counts = Vec::new();
    while counts.len() < TRIES && counts.iter().all(|count| *count == total) {
        let found = killed_and_resumed(&file, &pipe, "at-least-once");
        assert_same(&without_count(&found), &without_count(&wanted));
        counts.push(counted(&found));
    }
    println!("at least once: {counts:?} rows counted of {total}");
    assert!(counts.iter().all(|count| *count >= total), "rows were lost: {counts:?}");
    assert!(counts.iter().any(|count| *count > total), "no difference: {counts:?}");

    for _ in 0..counts.len().max(2) {
        assert_same(&killed_and_resumed(&file, &pipe, "exactly-once"), &wanted);
    }
}
