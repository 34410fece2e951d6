//! Removes what nothing needs from a storage that no job uses: for tools (docs/protocol.md 5).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Warning;
use super::clean::{Clean, Progress};
use super::publish::Halt;
use super::retention::Retention;
use crate::manifest::{CheckpointId, Manifest};
use crate::storage::{ObjectId, ObjectKind, Reply, Request};

/// What a storage holds, found by listing it and reading every manifest.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The objects in the areas of manifests and data.
    pub objects: Vec<ObjectId>,
    /// The manifests that can be read.
    pub manifests: Vec<Manifest>,
}

impl Inventory {
    /// Returns the manifests that cannot be read: nobody knows what they need.
    pub fn unreadable(&self) -> impl Iterator<Item = CheckpointId> {
        let listed = self.objects.iter().copied().filter_map(CheckpointId::of_manifest);
        listed.filter(|id| self.manifests.iter().all(|manifest| manifest.id != *id))
    }

    /// Returns what nothing needs: drafts, and data that no manifest names. Where a manifest cannot
    /// be read, no data is among it.
    pub fn garbage(&self) -> Vec<ObjectId> {
        let mut garbage: Vec<_> = self.drafts().collect();
        garbage.extend(self.retention().garbage(&self.objects, 0));
        garbage
    }

    fn drafts(&self) -> impl Iterator<Item = ObjectId> {
        self.objects.iter().copied().filter(|id| id.kind == ObjectKind::Draft)
    }

    /// Retains every checkpoint, of whichever lineage.
    fn retention(&self) -> Retention {
        // Every epoch that there is has ended.
        let mut retention = Retention::new(u64::MAX, 0);
        self.manifests.iter().for_each(|manifest| retention.retain(manifest));
        self.unreadable().for_each(|id| retention.doom(id));
        retention
    }
}

/// Removes a checkpoint, or none, and then what nothing needs: in the order that is safe at every
/// crash. What another checkpoint names stays.
///
/// Carry out what [`poll`](Self::poll) gives until it gives nothing, and answer each request by
/// [`reply`](Self::reply). No job may be running on the storage.
#[derive(Clone, Debug)]
pub struct Cleanup {
    clean: Clean,
    retention: Retention,
    asked: Option<Request>,
    commands: VecDeque<CleanupCommand>,
    ended: bool,
}

/// What a clean-up does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CleanupCommand {
    /// Carry out, and reply.
    Storage(Request),
    /// Something stays that should go.
    Warn(Warning),
}

impl Cleanup {
    /// Removes the checkpoint `removed`, if any, and what nothing needs then.
    pub fn new(inventory: &Inventory, removed: Option<CheckpointId>) -> Self {
        let retention = inventory.retention();
        let clean = Clean::new(inventory.drafts(), removed.into_iter().collect(), 0);
        Self { clean, retention, asked: None, commands: VecDeque::new(), ended: false }
    }

    /// Returns what to do next; `None` until the next reply, and once it has ended.
    pub fn poll(&mut self) -> Option<CleanupCommand> {
        if let Some(command) = self.commands.pop_front() {
            return Some(command);
        }
        if self.ended || self.asked.is_some() {
            return None;
        }
        let request = self.clean.request();
        self.asked = Some(request.clone());
        Some(CleanupCommand::Storage(request))
    }

    /// Takes the outcome of the last request.
    ///
    /// # Panics
    ///
    /// If none was given.
    pub fn reply(&mut self, reply: Reply) {
        let request = self.asked.take().expect("a reply follows a request");
        match self.clean.reply(request, reply, &mut self.retention) {
            Progress::Next => {}
            Progress::Done => self.ended = true,
            Progress::Warn(request) => self.warn(request),
            Progress::WarnAndDone(request) | Progress::Halt(Halt::Unknown(request)) => {
                self.ended = true;
                self.warn(request);
            }
            Progress::Halt(_) => self.ended = true,
        }
    }

    fn warn(&mut self, request: Request) {
        self.commands.push_back(CleanupCommand::Warn(Warning::NotCleaned(request)));
    }
}
