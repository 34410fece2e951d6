//! An output that grows.

use std::fs;
use std::io::Write;
use std::thread;
use std::time::Duration;

use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same};
use holdwater_system::windows::{HOUR, Windows, windows};

const HEADER: &str = "origin,window_start,count\n";

const JOB: &str = "run --input flights.csv --key origin --agg count --time date --window 12h \
                   --output out.csv --parallelism 2";

fn wanted(flights: &Rows) -> Rows {
    let kind = (Windows::Tumbling(12 * HOUR), 0);
    windows(&[flights], &["origin"], &["count"], "date", kind).rows
}

fn names(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path(".")).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_output_begins_as_its_header_and_grows_with_completed_checkpoints() {
    let (place, flights) = Place::with_flights();
    place.write("out.csv", "older\n");
    let job = format!("{JOB} --checkpoints dir --checkpoint-every 1000rows --rate 12000");
    let mut running = place.holdwater(&job).start();
    running.until(|| place.read("out.csv") == HEADER);
    let mut seen = vec![HEADER.to_owned()];
    while running.is_running() {
        // In this order: a checkpoint may complete in between.
        let text = place.read("out.csv");
        let checkpoints = place.checkpoints("dir").len();
        assert!(checkpoints > 0 || text == HEADER, "only checkpoints show rows");
        if *seen.last().unwrap() != text {
            seen.push(text);
        }
    }
    running.wait().succeeded();
    assert!(seen.len() > 3, "{} lengths were seen", seen.len());
    let all = place.read("out.csv");
    assert!(seen.iter().all(|text| all.starts_with(text)), "it only grows");
    assert_same(&place.rows("out.csv"), &wanted(&flights));
    assert_eq!(names(&place), ["dir", "flights.csv", "out.csv"]);
}

#[test]
fn without_checkpoints_rows_come_at_the_end() {
    let (place, flights) = Place::with_flights();
    let mut running = place.holdwater(&format!("{JOB} --rate 15000")).start();
    running.until(|| place.path("out.csv").exists());
    assert!(running.run_for(Duration::from_millis(300)));
    assert_eq!(place.read("out.csv"), HEADER);
    running.wait().succeeded();
    assert_same(&place.rows("out.csv"), &wanted(&flights));
    assert_eq!(names(&place), ["flights.csv", "out.csv"]);
}

#[test]
fn a_restart_first_cuts_the_output_to_what_is_committed() {
    let (place, flights) = Place::with_flights();
    let job = format!("{JOB} --checkpoints dir");
    place.write("flights.csv", &flights.first(9_000).to_csv());
    place.holdwater(&job).succeed();
    place.append("out.csv", "whatever,was,added\n");
    place.write("flights.csv", &flights.to_csv());
    place.holdwater(&job).succeed();
    assert_same(&place.rows("out.csv"), &wanted(&flights));
}

#[test]
fn an_output_that_is_missing_or_shorter_than_committed_is_refused() {
    let (place, flights) = Place::with_flights();
    let job = format!("{JOB} --checkpoints dir");
    place.write("flights.csv", &flights.first(9_000).to_csv());
    place.holdwater(&job).succeed();
    let all = place.read("out.csv");
    place.write("flights.csv", &flights.to_csv());
    place.write("out.csv", &all[..all.len() / 2]);
    place.holdwater(&job).refuse(1, &["out.csv", "--fresh"]);
    assert_eq!(place.read("out.csv"), all[..all.len() / 2], "it is left as it is");
    fs::remove_file(place.path("out.csv")).unwrap();
    place.holdwater(&job).refuse(1, &["out.csv", "--fresh"]);
    assert!(!place.path("out.csv").exists());
    place.holdwater(&format!("{job} --fresh")).succeed();
    assert_same(&place.rows("out.csv"), &wanted(&flights));
}

#[test]
fn a_failed_job_shows_what_its_checkpoints_hold() {
    let (place, flights) = Place::with_flights();
    let mut broken = flights.clone();
    broken.rows[15_000][0] = "soon".to_owned();
    place.write("flights.csv", &broken.to_csv());
    let job = format!("{JOB} --checkpoints dir --checkpoint-every 1000rows");
    place
        .holdwater(&format!("{job} --rate 20000"))
        .refuse(1, &["flights.csv", "line 15002", "soon"]);
    let shown = place.rows("out.csv");
    let (all, limit) = (wanted(&flights), wanted(&flights.first(15_000)).rows.len());
    assert!((1..limit).contains(&shown.rows.len()), "{} of {limit}", shown.rows.len());
    assert!(shown.rows.iter().all(|row| all.rows.contains(row)));
    place.write("flights.csv", &flights.to_csv());
    place.holdwater(&job).succeed();
    assert_same(&place.rows("out.csv"), &all);
    assert_eq!(names(&place), ["dir", "flights.csv", "out.csv"]);
}

#[test]
fn rows_on_standard_output_may_repeat_after_a_crash_and_that_is_said() {
    let (place, flights) = Place::with_flights();
    let job = JOB.replace("--output out.csv", "--checkpoints dir --checkpoint-every 500rows");
    let mut running = place.holdwater(&format!("{job} --rate 10000")).start();
    running.until(|| place.checkpoints("dir").last().is_some_and(|last| last.order.1 > 5));
    let killed = running.kill();
    let resumed = place.holdwater(&job).succeed();
    resumed.warned(&["warning", "may repeat"]);
    let mut rows = killed.rows();
    assert!(!rows.rows.is_empty(), "rows came with checkpoints");
    rows.rows.extend(resumed.rows().rows);
    rows.rows.sort();
    rows.rows.dedup();
    assert_same(&rows, &wanted(&flights));
    // What was printed with a checkpoint is not printed again where nothing crashed.
    let again = place.holdwater(&job).succeed();
    assert!(again.rows().rows.len() < resumed.rows().rows.len());
}

#[test]
fn what_went_to_a_stream_does_not_go_on_in_a_file_nor_the_other_way() {
    let (place, _) = Place::with_flights();
    let to_stream = JOB.replace("--output out.csv", "--checkpoints a");
    place.holdwater(&to_stream).succeed();
    place.holdwater(&format!("{to_stream} --output out.csv")).refuse(1, &["out.csv", "--fresh"]);
    let to_file = format!("{JOB} --checkpoints b");
    place.holdwater(&to_file).succeed();
    place.holdwater(&to_file.replace("--output out.csv", "")).refuse(1, &["--output", "--fresh"]);
}

#[test]
fn a_device_is_written_to_as_it_is() {
    let (place, _) = Place::with_flights();
    place.holdwater(&JOB.replace("out.csv", "/dev/null")).succeed();
    place.holdwater(&JOB.replace("out.csv", "/dev/full")).refuse(1, &["/dev/full"]);
}

#[test]
fn columns_keep_the_order_in_which_the_output_was_begun() {
    let (place, flights) = Place::with_flights();
    let job = JOB.replace("--agg count", "--agg count max:delay") + " --checkpoints dir";
    place.write("flights.csv", &flights.first(9_000).to_csv());
    place.holdwater(&job).succeed();
    place.write("flights.csv", &flights.to_csv());
    place.holdwater(&job.replace("count max:delay", "max:delay count")).succeed();
    let kind = (Windows::Tumbling(12 * HOUR), 0);
    let specs = ["count", "max:delay"];
    let wanted = windows(&[&flights], &["origin"], &specs, "date", kind).rows;
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn an_output_is_ordered_as_a_whole_however_many_windows_end_at_once() {
    let place = Place::new();
    // More windows than a subtask closes between two batches.
    let day = (0..6_000).map(|key| format!("{key},2001-01-01\n")).collect::<String>();
    let rows = format!("key,date\n{day}0,2001-01-02\n");
    let job = "run --key key --agg count --time date --window 1d --parallelism 2";
    let wanted = place.holdwater(&format!("{job} --output wanted.csv --input -"));
    wanted.finish_with(&rows).succeeded();
    let often = "--input - --output out.csv --checkpoints dir --checkpoint-every 1rows";
    let (listing, day) = (place.path("dir"), rows.len() - "0,2001-01-02\n".len());
    let fed = place.holdwater(&format!("{job} {often}")).feed(move |mut pipe| {
        // The row that ends them comes when no checkpoint is under way: a barrier follows at once.
        pipe.write_all(&rows.as_bytes()[..day]).unwrap();
        let entries = || fs::read_dir(&listing).map_or(0, Iterator::count);
        let (mut before, mut calm) = (0, 0);
        while calm < 5 {
            thread::sleep(Duration::from_millis(100));
            let now = entries();
            calm = if now > 0 && now == before { calm + 1 } else { 0 };
            before = now;
        }
        pipe.write_all(&rows.as_bytes()[day..]).unwrap();
    });
    fed.wait().succeeded();
    assert!(place.read("out.csv") == place.read("wanted.csv"), "whole, whatever lay between");
}
