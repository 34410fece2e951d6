//! Checkpoints that are not what was written.

use std::fs;
use std::path::{Path, PathBuf};

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::{Checkpoint, Place, flip};
use holdwater_system::rows::{Rows, assert_same};

const JOB: &str = "run --input a.csv --key key --agg count sum:amount distinct:word \
                   --checkpoints dir --checkpoint-every 1h --retain 4 --full-every 2 --parallelism 2 \
                   --output out.csv";

/// Makes a place in which [`JOB`] has taken some checkpoints, and returns what its output is.
fn done() -> (Place, Rows) {
    done_by(JOB, &rows(1, 9_000, 200))
}

fn done_by(job: &str, input: &Rows) -> (Place, Rows) {
    let place = Place::new();
    place.run_in_parts(job, "a.csv", input, 6);
    fs::remove_file(place.path("out.csv")).unwrap();
    let wanted = expected(&[input], &["key"], &["count", "sum:amount", "distinct:word"]);
    (place, wanted)
}

/// Returns the files in an area that were written for a checkpoint.
fn files_of(place: &Place, area: &str, checkpoint: &Checkpoint) -> Vec<PathBuf> {
    let objects = place.objects("dir", area).into_iter();
    objects.filter(|object| object.0 == checkpoint.order.1).map(|object| object.1).collect()
}

/// Returns the two newest checkpoints, the newest first.
fn newest_two(place: &Place) -> [Checkpoint; 2] {
    let mut checkpoints = place.checkpoints("dir");
    [checkpoints.pop().unwrap(), checkpoints.pop().unwrap()]
}

#[test]
fn a_damaged_manifest_is_passed_over_with_a_warning() {
    let (place, wanted) = done();
    let [newest, older] = newest_two(&place);
    let manifest = files_of(&place, "manifests", &newest).pop().unwrap();
    flip(&manifest);
    assert!(!newest_two(&place)[0].intact);

    let resumed = place.holdwater(JOB).succeed();
    resumed.warned(&[&newest.id, &older.id, "manifest", "checksum"]);
    assert_same(&place.rows("out.csv"), &wanted);
    // The job has another line of checkpoints now: the damaged one is of no concern to it.
    let again = place.holdwater(JOB).succeed();
    assert!(!again.stderr.contains("warning"), "{}", again.stderr);
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn a_damaged_file_is_found_and_an_older_checkpoint_that_does_without_it_is_resumed() {
    for damage in [flip, cut, remove] {
        let (place, wanted) = done();
        let mut older = place.checkpoints("dir");
        let newest = older.pop().unwrap();
        let files = files_of(&place, "data", &newest);
        assert!(!files.is_empty());
        let damaged = files.last().unwrap();
        damage(damaged);

        let resumed = place.holdwater(JOB).succeed();
        let name = damaged.file_name().unwrap().to_str().unwrap().to_owned();
        let older = older
            .iter()
            .find(|older| resumed.stderr.contains(&format!("from checkpoint {}", older.id)));
        resumed.warned(&[&newest.id, &name, &older.unwrap().id]);
        assert_same(&place.rows("out.csv"), &wanted);
    }
}

#[test]
fn each_damaged_file_of_the_older_ones_is_passed_over_too() {
    let (place, wanted) = done();
    // The two newest share a file, or else each has one of its own; the oldest is the last resort.
    let checkpoints = place.checkpoints("dir");
    let oldest = &checkpoints[0];
    for newer in &checkpoints[1..] {
        for file in files_of(&place, "data", newer) {
            flip(&file);
        }
    }
    let resumed = place.holdwater(JOB).succeed();
    resumed.warned(&[&oldest.id]);
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn a_damaged_claim_or_record_costs_no_checkpoint() {
    let (place, wanted) = done();
    for (_, path) in place.objects("dir", "epochs") {
        flip(&path);
        place.holdwater(JOB).succeed();
        assert_same(&place.rows("out.csv"), &wanted);
    }
}

#[test]
fn without_an_intact_checkpoint_nothing_begins_anew_by_itself() {
    let (place, wanted) = done();
    for (_, manifest) in place.objects("dir", "manifests") {
        flip(&manifest);
    }
    let refused = place.holdwater(JOB).finish().refused(3, &["dir", "--fresh"]);
    assert_eq!(refused.stdout, "");
    assert!(!place.path("out.csv").exists());
    place.holdwater(JOB).refuse(3, &["dir"]);

    place.holdwater(&format!("{JOB} --fresh")).succeed();
    assert_same(&place.rows("out.csv"), &wanted);
    fs::remove_file(place.path("out.csv")).unwrap();
    place.holdwater(JOB).succeed();
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn a_newer_format_is_refused_by_its_name() {
    let (place, _) = done();
    for (_, manifest) in place.objects("dir", "manifests") {
        let mut bytes = fs::read(&manifest).unwrap();
        // docs/format.md 3.1: the version, and the checksum of the header.
        bytes[8] += 1;
        let sum = crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&sum.to_le_bytes());
        fs::write(manifest, bytes).unwrap();
    }
    let checkpoints = place.content("dir");
    place.holdwater(JOB).refuse(3, &["newer version"]);
    place.assert_kept("dir", &checkpoints);
}

#[test]
fn a_damaged_checkpoint_is_not_resumed_in_another_directory() {
    let (place, _) = done();
    let newest = place.checkpoints("dir").pop().unwrap();
    flip(&files_of(&place, "manifests", &newest)[0]);
    let job = JOB.replace("--checkpoints dir", "--checkpoints new");
    place.holdwater(&format!("{job} --from dir@{}", newest.id)).refuse(3, &[&newest.id]);
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    !sum
}

#[test]
fn the_checksum_is_that_of_the_format() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

/// What [`JOB`] does, by a store that reads files in place, as far as each holds all of a group;
/// the groups are so few that each takes several blocks, some of which are not read at once.
fn in_place() -> String {
    let job = JOB.replace("--full-every 2", "--full-every 1");
    format!("{job} --backend mmap --key-groups 2")
}

/// Has it done; a byte of the newest checkpoint is wrong.
fn spoilt() -> (Place, Rows, Checkpoint) {
    let (place, wanted) = done_by(&in_place(), &rows(1, 60_000, 20_000));
    let [newest, _] = newest_two(&place);
    flip(files_of(&place, "data", &newest).last().unwrap());
    (place, wanted, newest)
}

#[test]
fn where_files_are_read_in_place_damage_that_is_found_in_use_leads_to_an_older_checkpoint() {
    let (place, wanted, newest) = spoilt();
    let resumed = place.holdwater(&in_place()).succeed();
    resumed.warned(&["checksum", "going on from an intact checkpoint"]);
    resumed.warned(&[&newest.id, "passed over", "going on from checkpoint"]);
    assert!(resumed.stderr.contains(&format!("resumed from checkpoint {}", newest.id)));
    assert_eq!(resumed.stderr.matches("resumed from").count(), 2, "{}", resumed.stderr);
    assert_same(&place.rows("out.csv"), &wanted);
    place.holdwater(&in_place()).succeed();
    assert_same(&place.rows("out.csv"), &wanted);
}

#[test]
fn an_input_that_is_read_once_is_asked_for_again_where_damage_is_found_in_use() {
    let (place, wanted, newest) = spoilt();
    let job = in_place().replace("a.csv", "- --format csv");
    let again = || place.holdwater(&job).finish_with(&place.read("a.csv"));
    again().refused(3, &["checksum", "start the job again"]);
    again().succeeded().warned(&[&newest.id, "going on from checkpoint"]);
    assert_same(&place.rows("out.csv"), &wanted);
}
