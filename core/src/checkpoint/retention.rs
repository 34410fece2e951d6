//! Which checkpoints are kept, and which files none of them needs: mark and sweep.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::manifest::{CheckpointId, CheckpointKind, Manifest};
use crate::planted::planted;
use crate::storage::{ObjectId, ObjectKind};

/// The checkpoints of this directory that count, and the files each of them names.
///
/// Files are never counted by references: what may go is found anew each time, from what every
/// retained checkpoint names.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The epoch of the running job.
    epoch: u64,
    /// The first epoch of the lineage; nothing older is ever touched.
    since: u64,
    checkpoints: BTreeMap<CheckpointId, Kept>,
    /// Manifests in the directory that count no more: of dead lineages, or damaged. What they need
    /// stays until a checkpoint of the running epoch is complete.
    doomed: BTreeSet<CheckpointId>,
}

#[derive(Clone, Debug)]
struct Kept {
    kind: CheckpointKind,
    files: BTreeSet<ObjectId>,
}

impl Retention {
    /// Retains nothing yet. Files and manifests of epochs before `since` are left alone.
    pub const fn new(epoch: u64, since: u64) -> Self {
        Self { epoch, since, checkpoints: BTreeMap::new(), doomed: BTreeSet::new() }
    }

    /// Retains a complete checkpoint.
    pub fn retain(&mut self, manifest: &Manifest) {
        let kept = Kept { kind: manifest.kind, files: manifest.file_ids() };
        self.checkpoints.insert(manifest.id, kept);
    }

    /// Takes note of a manifest that counts no more.
    pub fn doom(&mut self, id: CheckpointId) {
        if id.epoch >= self.since {
            self.doomed.insert(id);
        }
    }

    /// Takes note that the manifest of a checkpoint is durably gone.
    pub fn remove(&mut self, id: CheckpointId) {
        self.checkpoints.remove(&id);
        self.doomed.remove(&id);
    }

    /// Returns the retained checkpoints, oldest first.
    pub fn checkpoints(&self) -> impl DoubleEndedIterator<Item = CheckpointId> {
        self.checkpoints.keys().copied()
    }

    /// Returns the manifests to be removed now that a checkpoint of the epoch is complete.
    ///
    /// What stays: the newest `count` checkpoints, the newest that shares no file with the newest,
    /// and every savepoint.
    pub fn victims(&self, count: usize) -> Vec<CheckpointId> {
        let newest_first = || self.checkpoints.iter().rev();
        let independent = newest_first().next().and_then(|(_, newest)| {
            newest_first().skip(1).find(|(_, kept)| kept.files.is_disjoint(&newest.files))
        });
        let independent = independent.map(|(id, _)| *id);
        let checkpoints =
            newest_first().filter(|(_, kept)| kept.kind == CheckpointKind::Checkpoint);
        let old = checkpoints.skip(count.max(1)).map(|(id, _)| *id);
        let mut victims: Vec<_> = old.filter(|id| Some(*id) != independent).collect();
        victims.extend(&self.doomed);
        victims
    }

    /// Returns which of the data files that were found nothing needs.
    ///
    /// Files of the running epoch count once their checkpoint is `settled`: completed or aborted.
    pub fn garbage(&self, found: &[ObjectId], settled: u64) -> Vec<ObjectId> {
        let kept = self.checkpoints.values().rev();
        let kept = kept.take(if planted(25) { 1 } else { usize::MAX });
        let needed: BTreeSet<_> = kept.flat_map(|kept| &kept.files).collect();
        let is_settled = |id: &ObjectId| {
            if id.epoch == self.epoch {
                id.checkpoint <= settled
            } else {
                (self.since..self.epoch).contains(&id.epoch) && self.doomed.is_empty()
            }
        };
        let data = found.iter().filter(|id| id.kind == ObjectKind::Data);
        data.filter(|id| is_settled(id) && !needed.contains(id)).copied().collect()
    }
}
