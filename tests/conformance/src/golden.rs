//! Checkpoints of released versions, which every version reads for ever (docs/format.md 1).
//!
//! Each folder in `tests/conformance/golden` is named by the version that wrote it, and holds the
//! directory of a job with a state of every kind: a full checkpoint, and one of deltas. A folder is
//! never written again. A new one is added, by `make golden` and with a module beside `first`, by a
//! release that changes the format, or adds a kind of state, an encoding or a node of schemas; the
//! modules of older versions stay, and may only be told how their types have evolved.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod first;

use std::path::{Path, PathBuf};

use holdwater::checkpoint::{RestorePolicy, load};
use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::operator::Task;
use holdwater::page::Portable;
use holdwater::snapshot::Snapshot;
use holdwater::state::Backend;
use holdwater::storage::{Area, ObjectId, ObjectKind, Storage};
use holdwater_memory::Memory;

pub use self::first::VERSION;

/// Returns the folder of a version.
pub fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(version)
}

/// Restores both checkpoints of each version on a store, at several parallelisms, and checks all
/// that they hold.
pub fn golden_checkpoints_are_restored<B: Backend>(make: fn(KeyGroups) -> B) {
    let storage = opened(&folder(first::VERSION));
    let manifests = manifests(&storage);
    assert_eq!(manifests.len(), 2, "a full checkpoint, and one of deltas");
    for (stage, manifest) in manifests.iter().enumerate() {
        for tasks in [1, 3] {
            let restored = (0..tasks).map(|index| {
                let groups = KeyGroups::share(first::GROUPS, tasks, index);
                let mut states = first::Every::open(make, groups, Task::new(index, tasks)).unwrap();
                let policy = RestorePolicy::Fail;
                let loaded =
                    load(manifest, first::OPERATOR, groups, &storage, policy, &mut states).unwrap();
                assert!(!loaded.full && loaded.skipped.is_empty());
                states
            });
            first::check(&mut restored.collect::<Vec<_>>(), stage);
        }
    }
}

/// Checks each byte of every golden file: checksums and hashes, and that what is read of a manifest
/// is written as it was.
pub fn golden_files_are_whole() {
    let mut storage = opened(&folder(first::VERSION));
    let mut total = 0;
    for id in ids(&mut storage) {
        let bytes = bytes(&mut storage, id);
        total += bytes.len();
        match id.kind {
            ObjectKind::Data => {
                let mut snapshot = Snapshot::open(&bytes[..], Portable).unwrap();
                snapshot.verify_hash().unwrap();
                assert!(!snapshot.parts().unwrap().is_empty());
            }
            ObjectKind::Manifest => {
                let manifest = Manifest::from_file(manifest_id(id), &bytes).unwrap();
                assert_eq!(manifest.to_file(), bytes);
            }
            _ => {}
        }
    }
    assert!(total < 100 << 10, "{total} bytes: keep it small");
}

/// Returns what the newest version writes, by the names of its files.
pub fn written<B: Backend>(make: fn(KeyGroups) -> B) -> Vec<(String, Vec<u8>)> {
    let mut storage = first::write(make);
    let ids = ids(&mut storage);
    ids.into_iter().map(|id| (id.to_string(), bytes(&mut storage, id))).collect()
}

/// Returns a copy of a folder.
fn opened(folder: &Path) -> Memory {
    let mut storage = Memory::default();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let id: ObjectId = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let mut file = storage.create(id).unwrap();
        storage.write(&mut file, &std::fs::read(&path).unwrap()).unwrap();
        storage.sync(file).unwrap();
    }
    storage
}

/// Returns the manifests, oldest first.
fn manifests(storage: &Memory) -> Vec<Manifest> {
    let mut storage = storage.clone();
    let mut ids = ids(&mut storage);
    ids.retain(|id| id.kind == ObjectKind::Manifest);
    ids.sort_by_key(|id| id.checkpoint);
    let read = |id: ObjectId| Manifest::from_file(manifest_id(id), &bytes(&mut storage, id));
    ids.into_iter().map(read).map(Result::unwrap).collect()
}

const fn manifest_id(id: ObjectId) -> CheckpointId {
    CheckpointId { checkpoint: id.checkpoint, epoch: id.epoch }
}

fn ids(storage: &mut Memory) -> Vec<ObjectId> {
    let mut ids = Vec::new();
    for area in Area::ALL {
        storage.list(area, &mut |id| ids.push(id)).unwrap();
    }
    ids
}

fn bytes(storage: &mut Memory, id: ObjectId) -> Vec<u8> {
    let mut bytes = vec![0; storage.length(id).unwrap() as usize];
    assert_eq!(storage.read(id, 0, &mut bytes).unwrap(), bytes.len());
    bytes
}
