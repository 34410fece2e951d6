//! `holdwater gc` and `holdwater remove`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use holdwater_system::expected::expected;
use holdwater_system::generate::rows;
use holdwater_system::place::{Place, flip};
use holdwater_system::rows::assert_same;

const JOB: &str = "run --input a.csv --key key --agg count sum:amount collect:word \
                   --checkpoints dir --checkpoint-every 1h --output out.csv";

/// Runs a job in parts: a full checkpoint, and deltas upon it.
fn checkpoints(parts: usize) -> Place {
    let place = Place::new();
    let job = format!("{JOB} --retain 9");
    place.run_in_parts(&job, "a.csv", &rows(1, 6_000, 50), parts);
    place
}

fn data(place: &Place) -> BTreeSet<String> {
    let objects = place.objects("dir", "data").into_iter();
    objects.map(|(_, path)| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn what_no_checkpoint_names_is_removed_and_nothing_else() {
    let place = checkpoints(3);
    let before = data(&place);
    // What a job leaves that was killed while it wrote a checkpoint.
    fs::write(place.path("dir/data/d9.e9.a0.p0"), vec![0; 5000]).unwrap();
    fs::write(place.path("dir/manifests/m9.e9.draft"), "half").unwrap();
    let tried = place.holdwater("gc dir --dry-run").succeed().stdout;
    assert!(tried.contains("data/d9.e9.a0.p0 4.88 KiB"), "{tried}");
    assert!(tried.contains("2 files, 4.89 KiB would be removed"), "{tried}");
    assert!(place.path("dir/data/d9.e9.a0.p0").exists());
    let done = place.holdwater("gc dir").succeed().stdout;
    assert_eq!(done, "2 files, 4.89 KiB removed\n");
    assert_eq!(data(&place), before);
    assert!(!place.path("dir/manifests/m9.e9.draft").exists());
    place.holdwater("verify dir --deep").succeed();
    assert_eq!(place.holdwater("gc dir").succeed().stdout, "0 files, 0 B removed\n");
}

#[test]
fn a_removed_checkpoint_takes_only_the_files_that_no_other_names() {
    let place = checkpoints(4);
    let ids: Vec<_> = place.checkpoints("dir").into_iter().map(|one| one.id).collect();
    let before = data(&place);
    // The deltas behind it stand on its files.
    place.holdwater(&format!("remove dir@{}", ids[0])).succeed();
    assert_eq!(data(&place), before);
    let left: Vec<_> = place.checkpoints("dir").into_iter().map(|one| one.id).collect();
    assert_eq!(left, ids[1..]);
    place.holdwater("verify dir --deep").succeed();
    // The job goes on as if nothing were gone.
    let all = rows(1, 8_000, 50);
    place.write("a.csv", &all.to_csv());
    place.holdwater(JOB).succeed();
    let specs = ["count", "sum:amount", "collect:word"];
    assert_same(&place.rows("out.csv"), &expected(&[&all], &["key"], &specs));
}

#[test]
fn the_files_of_a_lineage_go_with_its_last_checkpoint() {
    let place = checkpoints(2);
    let old: Vec<_> = place.checkpoints("dir").into_iter().map(|one| one.id).collect();
    let files_of_old = data(&place);
    place.holdwater(&format!("{JOB} --fresh")).succeed();
    for id in &old {
        place.holdwater(&format!("remove dir@{id}")).succeed();
    }
    assert!(data(&place).is_disjoint(&files_of_old));
    place.holdwater("verify dir --deep").succeed();
    assert_eq!(place.checkpoints("dir").len(), 1);
}

#[test]
fn the_checkpoint_that_a_job_goes_on_from_is_not_removed() {
    let place = checkpoints(2);
    let newest = place.checkpoints("dir").pop().unwrap().id;
    let said = ["goes on from", "remove the directory"];
    place.holdwater(&format!("remove dir@{newest}")).refuse(1, &said);
    place.holdwater("remove dir").refuse(2, &["DIR@ID"]);
    place.holdwater("remove dir@99.e9").refuse(1, &["no checkpoint 99.e9"]);
    assert_eq!(place.checkpoints("dir").len(), 2);
}

#[test]
fn no_data_is_removed_while_a_manifest_is_damaged_that_may_need_it() {
    let place = checkpoints(3);
    let (before, ids) = (data(&place), place.checkpoints("dir"));
    flip(&place.objects("dir", "manifests")[0].1);
    fs::write(place.path("dir/data/d9.e9.a0.p0"), "left").unwrap();
    let warned = place.holdwater("gc dir").succeed();
    warned.warned(&[&format!("remove dir@{}", ids[0].id)]);
    assert!(data(&place).is_superset(&before) && data(&place).contains("d9.e9.a0.p0"));
    place.holdwater(&format!("remove dir@{}", ids[0].id)).succeed();
    assert_eq!(data(&place), before);
    place.holdwater("verify dir --deep").succeed();
}

#[test]
fn a_directory_that_a_job_uses_is_left_alone() {
    let place = checkpoints(2);
    let older = place.checkpoints("dir")[0].id.clone();
    // Rows for hours.
    place.write("a.csv", &rows(1, 20_000, 50).to_csv());
    let mut job = place.holdwater(&format!("{JOB} --rate 1")).start();
    job.until(|| !place.holdwater("gc dir").finish().stderr.is_empty());
    place.holdwater("gc dir").refuse(1, &["dir"]);
    place.holdwater(&format!("remove dir@{older}")).refuse(1, &["dir"]);
    assert_eq!(place.checkpoints("dir").len(), 2);
    job.kill();
}
