//! Jobs on timely dataflow: what comes out is what threads give, in one process and in several,
//! through crashes, hangs and restarts in other shapes.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod cluster;
mod docs;
mod failures;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

use crate::cluster::Cluster;

/// What the jobs here compute of flights.
const SPECS: [&str; 4] = ["count", "mean:delay", "distinct:destination", "collect:distance"];

/// Returns a job over flights, with checkpoints in `dir` and its output in `out.csv`.
fn job() -> String {
    let dir = "--checkpoints dir --checkpoint-every 500rows --output out.csv";
    format!("run --input flights.csv --key origin --agg {} {dir}", SPECS.join(" "))
}

fn wanted(flights: &Rows) -> Rows {
    expected(&[flights], &["origin"], &SPECS)
}

#[test]
fn workers_of_one_process_give_what_threads_give() {
    let (place, flights) = Place::with_flights();
    let windows = "--time date --window 7d --lateness 1h";
    let job = format!("run --input flights.csv --key origin --agg {}", SPECS.join(" "));
    let closed = place.holdwater(&format!("{job} {windows}")).succeed().stdout;
    for workers in [1, 3] {
        let on_timely = |more: &str| {
            let line = format!("{job} {more} --engine timely -- -w {workers}");
            place.holdwater(&line).succeed()
        };
        assert_same(&on_timely("").rows(), &wanted(&flights));
        assert_eq!(on_timely(windows).stdout, closed, "{workers} workers");
    }
}

#[test]
fn a_job_goes_on_at_any_number_of_workers_and_on_either_engine() {
    let (place, flights) = Place::with_flights();
    let windowed = "run --input flights.csv --key origin --agg count mean:delay --time date \
                    --window 7d --checkpoints weeks --checkpoint-every 500rows --output weeks.csv";
    let engines = [
        "--engine timely -- -w 3",
        "--engine timely -- -w 5",
        "--parallelism 4",
        "--engine timely -- -w 2",
        "--engine timely",
    ];
    for (part, engine) in engines.iter().enumerate() {
        let rows = flights.rows.len() * (part + 1) / engines.len();
        place.write("flights.csv", &flights.first(rows).to_csv());
        let done = place.holdwater(&format!("{} {engine}", job())).succeed();
        assert_eq!(done.stderr.contains("resumed from checkpoint"), part > 0, "{}", done.stderr);
        assert_same(&place.rows("out.csv"), &wanted(&flights.first(rows)));
        place.holdwater(&format!("{windowed} {engine}")).succeed();
    }
    let again = windowed.replace("weeks", "again");
    let parts = (1..=engines.len()).map(|part| flights.rows.len() * part / engines.len());
    for rows in parts {
        place.write("flights.csv", &flights.first(rows).to_csv());
        place.holdwater(&format!("{again} --parallelism 1")).succeed();
    }
    assert_eq!(place.read("weeks.csv"), place.read("again.csv"));
}

#[test]
fn two_processes_of_two_workers_give_what_one_gives() {
    let (place, flights) = Place::with_flights();
    let cluster = Cluster::new(&place, 2, 2);
    for done in cluster.start(&job()).into_iter().map(|running| running.wait()) {
        done.succeeded();
    }
    assert_same(&place.rows("out.csv"), &wanted(&flights));
    // Another kind of channel between the workers of one process.
    for done in cluster.start_with(&job(), "-z").into_iter().map(|running| running.wait()) {
        assert!(done.succeeded().stdout.is_empty());
    }
    assert_same(&place.rows("out.csv"), &wanted(&flights));
}

#[test]
fn more_workers_than_key_groups_are_refused() {
    let (place, _) = Place::with_flights();
    let line = format!("{} --key-groups 4 --engine timely -- -w 5", job());
    place.holdwater(&line).refuse(2, &["5 workers are more than the 4 key groups", "-w"]);
}
