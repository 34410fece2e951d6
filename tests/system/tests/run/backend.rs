//! Stores that are chosen by name: the result is the same on each, and a job goes on on any other.

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::{BACKENDS, Place};
use holdwater_system::rows::assert_same;

const SPECS: [&str; 8] = [
    "count",
    "sum:delay",
    "mean:delay",
    "min:date",
    "max:distance",
    "last:date",
    "distinct:destination",
    "collect:destination",
];

fn job() -> String {
    format!("run --input flights.csv --key origin --agg {} --output out.csv", SPECS.join(" "))
}

#[test]
fn every_backend_comes_to_the_same_result() {
    let (place, flights) = Place::with_flights();
    let wanted = expected(&[&flights], &["origin"], &SPECS);
    for backend in BACKENDS {
        place.holdwater(&format!("{} --backend {backend} --parallelism 2", job())).succeed();
        assert_same(&place.rows("out.csv"), &wanted);
    }
}

#[test]
fn a_job_goes_on_on_any_other_backend_from_full_and_incremental_checkpoints() {
    for &from in BACKENDS {
        for &to in BACKENDS {
            let (place, flights) = Place::with_flights();
            let job = format!("{} --checkpoints dir --full-every 100", job());
            let with = |backend: &str| format!("{job} --backend {backend}");
            place.run_in_parts(&with(from), "flights.csv", &flights.first(9_000), 3);
            for (rows, backend) in [(12_000, to), (15_000, from), (20_000, to)] {
                place.write("flights.csv", &flights.first(rows).to_csv());
                place.holdwater(&format!("{} --parallelism 3", with(backend))).succeed();
            }
            assert_same(&place.rows("out.csv"), &expected(&[&flights], &["origin"], &SPECS));
            place.holdwater("verify dir --deep").succeed();
        }
    }
}

#[test]
fn a_job_that_is_killed_goes_on_from_a_savepoint_on_another_backend() {
    let (place, flights) = Place::with_flights();
    let wanted = expected(&[&flights], &["origin"], &SPECS);
    let mut from = String::new();
    for round in 0..20 {
        let backend = BACKENDS[round % BACKENDS.len()];
        let (dir, kept) = (format!("dir{round}"), format!("kept{round}"));
        let slow = format!(
            "{} {from} --checkpoints {dir} --checkpoint-every 100rows --backend {backend} \
             --parallelism {} --rate 20000",
            job(),
            1 + round % 4
        );
        let mut running = place.holdwater(&slow).start();
        running.until(|| !place.checkpoints(&dir).is_empty());
        running.kill();
        place.holdwater(&format!("savepoint {dir} {kept}")).succeed();
        from = format!("--from {kept}");
        fs::remove_dir_all(place.path(&dir)).unwrap();
    }
    place.holdwater(&format!("{} {from} --checkpoints dir", job())).succeed();
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn state_beyond_the_memory_limit_lies_in_files_of_mmap_that_leave_nothing_behind() {
    let place = Place::new();
    let input = rows(7, 100_000, 2_000);
    place.write("a.csv", &input.to_csv());
    let specs = ["count", "collect:price", "collect:word"];
    let job = format!(
        "run --input a.csv --key key --agg {} --output out.csv --memory-limit 2MiB --parallelism 2",
        specs.join(" ")
    );
    place.holdwater(&job).refuse(1, &["--memory-limit"]);
    place.holdwater(&format!("{job} --backend mmap --state-dir files")).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&input], &["key"], &specs));
    assert_eq!(fs::read_dir(place.path("files")).unwrap().count(), 0);
}

#[test]
fn a_directory_for_files_that_cannot_be_made_is_named() {
    let place = Place::new();
    let input = rows(8, 100_000, 2_000);
    place.write("a.csv", &input.to_csv());
    place.write("taken", "");
    place
        .holdwater(
            "run --input a.csv --key key --agg count collect:price collect:word --backend mmap \
             --state-dir taken/files --memory-limit 2MiB",
        )
        .refuse(1, &["taken/files", "cannot make"]);
}

#[cfg(feature = "rocksdb")]
const NATIVE: &str = "--checkpoints dir --backend rocksdb --native-checkpoints";

#[cfg(feature = "rocksdb")]
#[test]
fn files_of_rocksdb_are_resumed_at_any_parallelism_and_left_by_a_checkpoint_for_any_backend() {
    let (place, flights) = Place::with_flights();
    let come_to = |rows: usize, more: &str| {
        let rows = flights.first(rows);
        place.write("flights.csv", &rows.to_csv());
        place.holdwater(&format!("{} {more}", job())).succeed();
        assert_same(&place.rows("out.csv"), &expected(&[&rows], &["origin"], &SPECS));
        place.holdwater("verify dir --deep").succeed();
    };
    for (rows, tasks) in [(3_000, 1), (6_000, 3), (9_000, 2), (12_000, 4)] {
        come_to(rows, &format!("{NATIVE} --parallelism {tasks}"));
    }
    let on_heap = format!("{} --checkpoints dir --backend heap", job());
    place.holdwater(&on_heap).refuse(3, &["files of the store rocksdb", "savepoint"]);
    place.holdwater("dump dir --state count").refuse(3, &["files of the store rocksdb", "SIGUSR1"]);
    place.holdwater("savepoint dir kept").refuse(3, &["files of the store rocksdb", "SIGUSR1"]);
    // Without the flag its next checkpoint is for any store; with it files are kept again.
    for (rows, more) in [
        (14_000, "--checkpoints dir --backend rocksdb --parallelism 3"),
        (16_000, "--checkpoints dir --backend mmap --parallelism 2"),
        (18_000, NATIVE),
        (20_000, NATIVE),
    ] {
        come_to(rows, more);
    }
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_job_that_is_killed_goes_on_from_the_files_of_rocksdb() {
    let (place, flights) = Place::with_flights();
    let newest = || place.checkpoints("dir").last().map(|checkpoint| checkpoint.order);
    for round in 0..10 {
        let slow = format!(
            "{} {NATIVE} --checkpoint-every 100rows --rate 1000 --parallelism {}",
            job(),
            1 + round % 4
        );
        let before = newest();
        let mut running = place.holdwater(&slow).start();
        running.until(|| newest() > before);
        running.kill();
    }
    place.holdwater(&format!("{} {NATIVE}", job())).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&flights], &["origin"], &SPECS));
}

#[test]
fn files_are_kept_as_they_are_by_the_backend_that_has_them_alone() {
    let place = Place::new();
    place.write("a.csv", "k\n1\n");
    let job = "run --input a.csv --key k --agg count --native-checkpoints";
    place.holdwater(job).refuse(2, &["--checkpoints"]);
    place.holdwater(&format!("{job} --checkpoints dir")).refuse(2, &["--backend rocksdb"]);
}

#[cfg(not(feature = "rocksdb"))]
#[test]
fn a_build_without_rocksdb_says_how_to_get_it() {
    let place = Place::new();
    place.write("a.csv", "k\n1\n");
    place
        .holdwater("run --input a.csv --key k --agg count --backend rocksdb")
        .refuse(2, &["this build has no rocksdb", "--features rocksdb", "heap or mmap"]);
}

#[test]
fn a_backend_that_there_is_not_is_refused_with_those_that_there_are() {
    let place = Place::new();
    place.write("a.csv", "k\n1\n");
    place
        .holdwater("run --input a.csv --key k --agg count --backend redb")
        .refuse(2, &["--backend", "redb", "heap", "mmap", "rocksdb"]);
}
