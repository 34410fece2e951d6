//! Disks that are full, cannot be written, or go away: one clear line, and the checkpoints as they
//! were.

use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::Place;
use holdwater_system::rows::{Rows, assert_same, spoil};

const SPECS: [&str; 2] = ["count", "collect:word"];

/// A job whose state takes about as much as its input, with checkpoints in `mount/dir`.
const JOB: &str = "\"$0\" run --key key --agg count collect:word --parallelism 2 \
                   --checkpoints mount/dir --checkpoint-every 5000rows";

/// Makes a place with `small.csv` and `grown.csv`, which begins like it; returns the rows of both.
fn place() -> (Place, Rows, Rows) {
    let place = Place::new();
    let grown = rows(1, 20_000, 8_000);
    let small = grown.first(500);
    place.write("small.csv", &small.to_csv());
    place.write("grown.csv", &grown.to_csv());
    (place, small, grown)
}

fn result(rows: &Rows) -> Rows {
    expected(&[rows], &["key"], &SPECS)
}

#[test]
fn a_checkpoint_for_which_the_disk_has_no_room_warns_and_the_job_goes_on() {
    let (place, _, grown) = place();
    // A megabyte of it is set aside for claims and manifests.
    let script = format!(
        "{JOB} --input small.csv --output small.out && cp -r mount/dir before || exit 98
         {JOB} --input grown.csv --output full.csv || exit 97
         cp -r mount/dir after
         mount -o remount,size=8m mount
         {JOB} --input grown.csv --output roomy.csv && \"$0\" verify mount/dir >verified
         ended=$?; cp -r mount/dir last; exit $ended"
    );
    let Some(job) = place.mounted("1160k", &script) else { return };
    let done = job.succeed();
    done.warned(&["warning: checkpoint 2.e2 was given up", "mount/dir/data/", "No space left"]);
    assert_same(&place.rows("full.csv"), &result(&grown));
    place.assert_kept("after", &place.content("before"));
    // With room there are checkpoints again.
    assert!(place.checkpoints("last").len() > 1, "{}", done.stderr);
    assert_same(&place.rows("roomy.csv"), &result(&grown));
}

#[test]
fn a_job_resumes_on_a_full_disk_and_says_so_where_it_cannot() {
    let (place, _, grown) = place();
    let fill = "dd if=/dev/zero bs=4k 2>/dev/null >>mount/fill";
    let script = format!(
        "{JOB} --input small.csv --output small.out || exit 98
         {fill}
         {JOB} --input grown.csv --output out.csv 2>warned || exit 97
         rm -f mount/dir/RESERVE; {fill}; cp -r mount/dir before
         {JOB} --input grown.csv --output none.csv
         ended=$?; cp -r mount/dir after; exit $ended"
    );
    let Some(job) = place.mounted("1400k", &script) else { return };
    job.refuse(1, &["mount/dir/epochs/", "No space left", "make room there"]);
    assert!(place.read("warned").contains("resumed from checkpoint 1.e1"));
    assert_same(&place.rows("out.csv"), &result(&grown));
    assert!(!place.path("none.csv").exists());
    place.assert_kept("after", &place.content("before"));
}

#[test]
fn an_output_for_which_the_disk_has_no_room_is_written_later_without_reading_again() {
    let (place, _, grown) = place();
    // Only the 64 KiB before the end are compared: the spoiled rows are not read again.
    place.write("spoiled.csv", &spoil(&grown.to_csv(), 2_000));
    let job = JOB.replace("mount/dir", "dir");
    let script = format!(
        "echo older >mount/out.csv
         {job} --input grown.csv --output mount/out.csv
         echo $? >code; ls -A mount >left; cp mount/out.csv older
         mount -o remount,size=8m mount; cp spoiled.csv grown.csv
         {job} --input grown.csv --output mount/out.csv 2>resumed && cp mount/out.csv out.csv"
    );
    let Some(job) = place.mounted("100k", &script) else { return };
    let done = job.succeed();
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    done.warned(&["cannot write mount/out.csv", "No space left", "make room there"]);
    assert_eq!((place.read("code").as_str(), place.read("older").as_str()), ("1\n", "older\n"));
    assert_eq!(place.read("left"), "out.csv\n", "nothing half written is left");
    assert_same(&place.rows("out.csv"), &result(&grown));
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_and_still_read() {
    let (place, small, _) = place();
    let job = format!("{JOB} --input small.csv --output out.csv");
    let elsewhere = job.replace("--checkpoints mount/dir", "--checkpoints dir --from mount/dir");
    let script = format!(
        "{job} && cp -r mount/dir before && rm out.csv && mount -o remount,ro mount || exit 98
         for command in list 'verify --deep' inspect 'dump --state count'; do
             \"$0\" $command mount/dir >/dev/null || exit 97
         done
         {elsewhere} 2>/dev/null && mv out.csv elsewhere.csv || exit 96
         {job}
         ended=$?; cp -r mount/dir after; exit $ended"
    );
    let Some(job) = place.mounted("4m", &script) else { return };
    let refused = job.finish().refused(1, &["mount/dir", "Read-only", "can be written"]);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert_eq!(place.content("before"), place.content("after"));
    assert_same(&place.rows("elsewhere.csv"), &result(&small));
    assert!(!place.path("out.csv").exists());
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_any_input_is_read() {
    let place = Place::new();
    let job = "\"$0\" run --input absent.csv --key key --agg count --output mount/out.csv \
               --checkpoints dir";
    let script = format!("mount -o remount,ro mount; {job}");
    let Some(job) = place.mounted("1m", &script) else { return };
    job.refuse(1, &["cannot write mount/out.csv", "read-only", "can be written"]);
    assert!(!place.path("dir").exists());
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_kills_nobody() {
    let (place, _, grown) = place();
    let job = JOB.replace("mount/dir", "dir");
    place.shell(&format!("{job} --input small.csv --output small.out")).succeed();
    let before = place.content("dir");
    let limited = format!("ulimit -f 64; exec {job} --input grown.csv --output out.csv");
    let refused = place.shell(&limited).finish();
    refused.warned(&["warning: checkpoint 2.e2 was given up", "dir/data/", "File too large"]);
    refused.refused(1, &["cannot write out.csv", "File too large", "raise the limit"]);
    place.assert_kept("dir", &before);
    assert!(!place.path("out.csv").exists());

    place.shell(&format!("{job} --input grown.csv --output out.csv")).succeed();
    assert_same(&place.rows("out.csv"), &result(&grown));
}

#[test]
fn a_directory_that_goes_while_the_job_runs_costs_its_checkpoints_alone() {
    let (place, _, grown) = place();
    let job = "run --input grown.csv --key key --agg count collect:word --output out.csv \
               --checkpoints dir --checkpoint-every 2000rows --rate 10000";
    let mut running = place.holdwater(job).start();
    running.until(|| !place.checkpoints("dir").is_empty());
    fs::rename(place.path("dir"), place.path("moved")).unwrap();
    fs::remove_dir_all(place.path("moved")).unwrap();
    let done = running.wait().succeeded();
    done.warned(&["warning: checkpoint", "given up", "No such file or directory"]);
    assert_same(&place.rows("out.csv"), &result(&grown));
}
