//! The names in a directory: live ones, durable ones, and the changes between them.

use std::collections::BTreeMap;

use super::{Inode, Persistence};
use crate::random::{Random, Stream};
use holdwater::storage::ObjectId;

/// One flat directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    live: BTreeMap<ObjectId, Inode>,
    durable: BTreeMap<ObjectId, Inode>,
    /// What was done since the last sync, in order, each with the moment.
    pending: Vec<(u64, Change)>,
}

/// One change of names; a power loss keeps or loses it as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    Add(ObjectId, Inode),
    Remove(ObjectId),
    Rename(ObjectId, ObjectId, Inode),
}

impl Directory {
    pub(super) fn live(&self) -> &BTreeMap<ObjectId, Inode> {
        &self.live
    }

    pub(super) fn durable(&self) -> &BTreeMap<ObjectId, Inode> {
        &self.durable
    }

    pub(super) fn pending(&self) -> &[(u64, Change)] {
        &self.pending
    }

    /// Returns whether no pending change may take the name away.
    pub(super) fn is_certain(&self, id: ObjectId) -> bool {
        !self.pending.iter().any(|(_, change)| match change {
            Change::Add(..) => false,
            Change::Remove(name) | Change::Rename(name, ..) => *name == id,
        })
    }

    /// Returns the durable names that no pending change may take away.
    pub(super) fn certain(&self) -> impl Iterator<Item = ObjectId> {
        self.durable.keys().filter(|id| self.is_certain(**id)).copied()
    }

    /// Returns the files that have a name here, or may have one after a power loss.
    pub(super) fn inodes(&self) -> impl Iterator<Item = Inode> {
        let pending = self.pending.iter().filter_map(|(_, change)| match change {
            Change::Add(_, inode) | Change::Rename(_, _, inode) => Some(*inode),
            Change::Remove(_) => None,
        });
        self.live.values().chain(self.durable.values()).copied().chain(pending)
    }

    pub(super) fn apply(&mut self, at: u64, change: Change) {
        change.apply(&mut self.live);
        self.pending.push((at, change));
    }

    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.live);
        self.pending.clear();
    }

    /// Leaves the names that a power loss leaves. What was done after `prefix` is lost with
    /// [`Persistence::Prefix`].
    pub(super) fn lose_power(&mut self, how: Persistence, prefix: u64, random: &mut Random) {
        for (at, change) in self.pending.drain(..) {
            let kept = match how {
                Persistence::Nothing => false,
                Persistence::Everything
                | Persistence::SizeBeforeData
                | Persistence::DataBeforeSize => true,
                Persistence::Prefix => at <= prefix,
                Persistence::Subset | Persistence::Garbage => random.below(Stream::Remains, 2) == 1,
            };
            if kept {
                change.apply(&mut self.durable);
            }
        }
        self.live.clone_from(&self.durable);
    }

    /// Lets a sync fail: some changes became durable, the others are still pending.
    pub(super) fn fail_to_sync(&mut self, random: &mut Random) {
        let Self { durable, pending, .. } = self;
        pending.retain(|(_, change)| {
            let kept = random.below(Stream::Remains, 2) == 1;
            if kept {
                change.apply(durable);
            }
            !kept
        });
    }
}

impl Change {
    fn apply(self, names: &mut BTreeMap<ObjectId, Inode>) {
        match self {
            Self::Add(id, inode) => {
                names.insert(id, inode);
            }
            Self::Remove(id) => {
                names.remove(&id);
            }
            Self::Rename(from, to, inode) => {
                names.remove(&from);
                names.insert(to, inode);
            }
        }
    }
}
