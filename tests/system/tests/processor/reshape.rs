//! `holdwater reshard` and `holdwater rename`, and jobs that start from what they made.

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};

const SPECS: [&str; 3] = ["count", "mean:delay", "distinct:destination"];

const JOB: &str = "run --input flights.csv --key origin --agg count mean:delay \
                   distinct:destination --output out.csv";

/// Runs a job over the first flights, a full checkpoint and a delta on it; returns all flights.
fn flights() -> (Place, Rows) {
    let (place, rows) = Place::with_flights();
    let job = format!("{JOB} --checkpoints dir --checkpoint-every 1h --parallelism 2");
    place.run_in_parts(&job, "flights.csv", &rows.first(12_000), 2);
    place.write("flights.csv", &rows.to_csv());
    (place, rows)
}

#[test]
fn a_job_goes_on_in_another_number_of_key_groups() {
    let (place, rows) = flights();
    let wanted = expected(&[&rows], &["origin"], &SPECS);
    for (groups, parallelism) in [(1, 1), (7, 3), (1000, 200)] {
        let out = format!("groups-{groups}");
        place.holdwater(&format!("reshard dir {out} --key-groups {groups}")).succeed();
        place.holdwater(&format!("verify {out} --deep")).succeed();
        assert_eq!(place.holdwater(&format!("diff dir {out} --rows")).succeed().stdout, "");
        assert_eq!(place.checkpoints(&out)[0].shown["key_groups"], groups);
        let new = format!("--checkpoints new-{groups} --from {out} --parallelism {parallelism}");
        place.holdwater(&format!("{JOB} {new}")).succeed();
        assert_same(&place.rows("out.csv"), &wanted);
    }
    // And back again: each group holds what it held.
    place.holdwater("reshard groups-1000 back --key-groups 128").succeed();
    for state in SPECS {
        let dump = |directory: &str| {
            place.holdwater(&format!("dump {directory} --state {state}")).succeed().stdout
        };
        assert_eq!(dump("back"), dump("dir"));
    }
    place.holdwater("reshard dir other --key-groups 0").refuse(2, &["--key-groups"]);
    place.holdwater("reshard dir back --key-groups 7").refuse(2, &["back"]);
}

#[test]
fn windows_stay_with_their_keys_in_other_key_groups() {
    let (place, _) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --time date --window 3d \
               --output out.csv --checkpoints dir";
    place.holdwater(job).succeed();
    place.holdwater("reshard dir wider --key-groups 300").succeed();
    place.holdwater("verify wider --deep").succeed();
    let of_key = |directory: &str| {
        let get = format!("get {directory} --state count --key ATL");
        place.holdwater(&get).succeed().stdout
    };
    assert_eq!(of_key("wider"), of_key("dir"));
    assert_eq!(place.holdwater("diff dir wider --rows").succeed().stdout, "");
}

#[test]
fn states_and_operators_are_called_as_they_are_renamed() {
    let (place, rows) = flights();
    let shown = place.holdwater("inspect dir --json").succeed().stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let operators = shown["operators"].as_array().unwrap();
    let has_states =
        |operator: &&serde_json::Value| !operator["states"].as_array().unwrap().is_empty();
    let operator = operators.iter().find(has_states).unwrap()["operator"].as_str().unwrap();
    let rename = format!(
        "rename dir renamed --state count=flights --state {operator}/mean:delay=count \
         --operator {operator}=per-origin"
    );
    place.holdwater(&rename).succeed();
    place.holdwater("verify renamed --deep").succeed();
    let dump = |directory: &str, state: &str| {
        place.holdwater(&format!("dump {directory} --state {state}")).succeed().stdout
    };
    assert_eq!(dump("renamed", "per-origin/flights"), dump("dir", "count"));
    assert_eq!(dump("renamed", "count"), dump("dir", "mean:delay"));
    let job = format!("{JOB} --checkpoints new --from");
    assert_ne!(place.holdwater(&format!("{job} renamed")).finish().code, Some(0));
    // Swapped back at once, a job knows them again.
    let back = format!(
        "rename renamed back --state count=mean:delay --state flights=count \
         --operator per-origin={operator}"
    );
    place.holdwater(&back).succeed();
    place.holdwater(&format!("{job} back")).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&rows], &["origin"], &SPECS));

    let refuse = |more: &str, code, said: &[&str]| {
        place.holdwater(&format!("rename dir other {more}")).refuse(code, said);
        assert!(!place.path("other").exists());
    };
    refuse("--state counts=x", 1, &["counts", "mean:delay"]);
    refuse("--operator nobody=x", 1, &["nobody", operator]);
    refuse("--state count=mean:delay", 2, &["mean:delay"]);
    refuse("--state count", 2, &["OLD=NEW"]);
    refuse("", 2, &["--state", "--operator"]);
    refuse(&format!("--state count={}", "x".repeat(200)), 2, &["128"]);
}
