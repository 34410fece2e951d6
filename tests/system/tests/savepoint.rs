//! `holdwater savepoint`, and jobs that start from what it made.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::place::{Place, flip};
use holdwater_system::rows::{Rows, assert_same};

const SPECS: [&str; 5] =
    ["count", "sum:delay", "mean:delay", "distinct:destination", "collect:destination"];

const JOB: &str = "run --input flights.csv --key origin --agg count sum:delay mean:delay \
                   distinct:destination collect:destination --output out.csv";

/// Runs a job over the first flights in four parts: a full checkpoint, and deltas upon it. Returns
/// all flights.
fn flights() -> (Place, Rows) {
    let (place, rows) = Place::with_flights();
    let job = format!("{JOB} --checkpoints dir --checkpoint-every 1h --retain 4 --parallelism 2");
    place.run_in_parts(&job, "flights.csv", &rows.first(12_000), 4);
    (place, rows)
}

#[test]
fn a_savepoint_holds_what_its_checkpoint_holds_and_needs_no_other_directory() {
    let (place, rows) = flights();
    let dumps = |directory: &str| {
        SPECS.map(|spec| {
            place.holdwater(&format!("dump {directory} --state {spec}")).succeed().stdout
        })
    };
    let before = dumps("dir");
    let made = place.holdwater("savepoint dir kept").succeed();
    assert!(made.stdout.starts_with("savepoint of checkpoint "), "{}", made.stdout);
    fs::remove_dir_all(place.path("dir")).unwrap();
    place.holdwater("verify kept --deep").succeed();
    assert_eq!(dumps("kept"), before);
    let listed = place.holdwater("list kept --json").succeed().stdout;
    let listed: serde_json::Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!((&listed["kind"], &listed["depth"]), (&"savepoint".into(), &0.into()), "{listed}");
    // A job goes on from it, at another parallelism, in a directory of its own.
    place.write("flights.csv", &rows.to_csv());
    place.holdwater(&format!("{JOB} --checkpoints new --from kept --parallelism 3")).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&rows], &["origin"], &SPECS));
    place.holdwater("verify kept --deep").succeed();
}

#[test]
fn a_savepoint_may_be_of_an_older_checkpoint_and_of_another_savepoint() {
    let (place, rows) = flights();
    let oldest = &place.checkpoints("dir")[0];
    place.holdwater(&format!("savepoint dir@{} one", oldest.id)).succeed();
    place.holdwater("savepoint one two").succeed();
    fs::remove_dir_all(place.path("one")).unwrap();
    place.write("flights.csv", &rows.first(12_000).to_csv());
    place.holdwater(&format!("{JOB} --checkpoints new --from two")).succeed();
    let wanted = expected(&[&rows.first(12_000)], &["origin"], &SPECS);
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn a_savepoint_is_never_removed_by_a_job_that_goes_on_in_its_directory() {
    let (place, rows) = flights();
    place.holdwater("savepoint dir kept").succeed();
    let kept = place.checkpoints("kept")[0].id.clone();
    place.write("flights.csv", &rows.to_csv());
    let job = format!("{JOB} --checkpoints kept --checkpoint-every 500rows --retain 1");
    place.holdwater(&job).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&rows], &["origin"], &SPECS));
    assert!(place.checkpoints("kept").iter().any(|checkpoint| checkpoint.id == kept));
    place.holdwater(&format!("verify kept@{kept} --deep")).succeed();
}

#[test]
fn a_savepoint_is_refused_where_something_is_and_where_its_checkpoint_is_damaged() {
    let (place, _) = flights();
    fs::create_dir(place.path("taken")).unwrap();
    place.holdwater("savepoint dir taken").refuse(2, &["taken", "new directory"]);
    assert_eq!(fs::read_dir(place.path("taken")).unwrap().count(), 0);
    place.holdwater("savepoint nowhere kept").refuse(1, &["nowhere"]);
    place.holdwater("savepoint dir no/such/parent/kept").succeed();
    let (newest, id) = (place.objects("dir", "data"), place.checkpoints("dir"));
    let id = &id.last().unwrap().id;
    flip(&newest.last().unwrap().1);
    place.holdwater(&format!("savepoint dir@{id} kept")).refuse(3, &["dir"]);
    // Nothing is left behind, hidden or not.
    let names = fs::read_dir(place.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut left = names.filter(|name| name.to_string_lossy().contains("kept"));
    assert_eq!(left.next(), None);
}
