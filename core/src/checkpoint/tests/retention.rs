use std::vec::Vec;

use super::job::job;
use crate::checkpoint::Retention;
use crate::manifest::{CheckpointId, CheckpointKind, FileEntry, Manifest, Origin};
use crate::storage::ObjectId;

const fn id(checkpoint: u64, epoch: u64) -> CheckpointId {
    CheckpointId { checkpoint, epoch }
}

/// A checkpoint of epoch 2 that names the files of these checkpoints of epoch 2.
fn manifest(checkpoint: u64, kind: CheckpointKind, files: &[u64]) -> Manifest {
    let job = job();
    let files = files.iter().map(|file| ObjectId::data(*file, 2, 0, 0));
    Manifest {
        job: job.id,
        id: id(checkpoint, 2),
        kind,
        created_ms: 0,
        signature: job.signature,
        parent: None,
        origin: Origin::Fresh,
        depth: 0,
        key_groups: job.key_groups,
        hash_function: job.hash_function,
        files: files.map(|id| FileEntry { id, length: 1, hash: 0 }).collect(),
        operators: Vec::new(),
        sources: Vec::new(),
        sinks: Vec::new(),
        counters: Vec::new(),
    }
}

fn retention(checkpoints: &[(u64, &[u64])]) -> Retention {
    let mut retention = Retention::new(2, 2);
    for (checkpoint, files) in checkpoints {
        retention.retain(&manifest(*checkpoint, CheckpointKind::Checkpoint, files));
    }
    retention
}

#[test]
fn the_newest_are_kept_and_the_newest_that_shares_no_file_with_the_newest() {
    let chain: &[(u64, &[u64])] =
        &[(1, &[1]), (2, &[1, 2]), (3, &[3]), (4, &[3, 4]), (5, &[3, 4, 5])];
    assert_eq!(retention(chain).victims(2), [id(3, 2), id(1, 2)]);
    assert_eq!(retention(chain).victims(1), [id(4, 2), id(3, 2), id(1, 2)]);
    assert_eq!(retention(chain).victims(9), []);
    // The newest is full: the one before it stands apart from it.
    assert_eq!(retention(&chain[..3]).victims(1), [id(1, 2)]);
}

#[test]
fn a_savepoint_is_never_removed_and_does_not_count() {
    let mut retention = retention(&[(1, &[1]), (2, &[1, 2]), (4, &[1, 4])]);
    retention.retain(&manifest(3, CheckpointKind::Savepoint, &[3]));
    assert_eq!(retention.victims(2), [id(1, 2)]);
}

#[test]
fn only_settled_files_that_no_checkpoint_names_are_garbage() {
    let retention = retention(&[(5, &[3, 5])]);
    let found = [
        ObjectId::data(3, 2, 0, 0),
        ObjectId::data(3, 2, 1, 0),
        ObjectId::data(5, 2, 0, 0),
        ObjectId::data(6, 2, 0, 0),
        ObjectId::data(2, 1, 0, 0),
        ObjectId::data(2, 3, 0, 0),
        ObjectId::manifest(1, 2),
    ];
    assert_eq!(retention.garbage(&found, 5), [ObjectId::data(3, 2, 1, 0)]);
    assert_eq!(retention.garbage(&found, 6), [found[1], found[3]]);
}

#[test]
fn files_of_older_epochs_stay_until_the_manifests_that_count_no_more_are_gone() {
    let mut retention = Retention::new(3, 2);
    let old = [ObjectId::data(1, 1, 0, 0), ObjectId::data(2, 2, 0, 0)];
    assert_eq!(retention.garbage(&old, 0), [old[1]]);
    retention.doom(id(2, 2));
    // Of another lineage: left alone for good.
    retention.doom(id(1, 1));
    assert_eq!(retention.garbage(&old, 0), []);
    assert_eq!(retention.victims(3), [id(2, 2)]);
    retention.remove(id(2, 2));
    assert_eq!(retention.garbage(&old, 0), [old[1]]);
}
