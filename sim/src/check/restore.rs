//! A restore changes nothing in complete checkpoints.

use std::collections::BTreeMap;

use holdwater::manifest::CheckpointId;
use holdwater::storage::ObjectId;
use xxhash_rust::xxh3::xxh3_64;

use super::{Check, Violation, durability, manifests};
use crate::disk::Disk;

/// The content of every whole checkpoint before a restore.
#[derive(Debug)]
pub struct Intact {
    objects: BTreeMap<ObjectId, u64>,
}

impl Intact {
    /// Takes note of every whole checkpoint.
    pub fn of(disk: &Disk) -> Self {
        let mut objects = BTreeMap::new();
        let checkpoints = manifests(disk).filter_map(CheckpointId::of_manifest);
        let whole = |id| durability::whole(id, |object| disk.content(object)).ok();
        for manifest in checkpoints.filter_map(whole) {
            let files = manifest.file_ids().into_iter();
            for id in files.chain([manifest.id.manifest()]) {
                objects.extend(disk.content(id).map(|content| (id, xxh3_64(content))));
            }
        }
        Self { objects }
    }

    /// Checks that all of them are as they were.
    pub fn check(&self, disk: &Disk) -> Result<(), Violation> {
        for (id, hash) in &self.objects {
            let found = match disk.content(*id) {
                Some(content) if xxh3_64(content) == *hash => continue,
                Some(_) => format!("the restore changed {id}"),
                None => format!("the restore removed {id} from a complete checkpoint"),
            };
            return Err(Check::Restore.violated(found));
        }
        Ok(())
    }
}
