//! What must hold, whatever fails. Each property is checked from scratch, by what is on disk and
//! in the output, not by what the machines believe.

pub mod claims;
pub mod cut;
pub mod durability;
pub mod files;
pub mod leak;
pub mod output;
pub mod restore;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::storage::{ObjectId, ObjectKind, Request};

use crate::disk::Disk;
use crate::model::Model;
use crate::setting::Setting;
use crate::workload::Logs;

/// A property.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Check {
    /// An epoch is claimed and recorded for certain before anything follows from it (I-14).
    Claims,
    /// A complete checkpoint holds exactly what came before its cut (I-01 to I-05).
    Cut,
    /// What is complete is on the disk for certain, is found again, and is restored (I-17 to I-19).
    Durability,
    /// No file is removed that a checkpoint needs (I-20, I-22).
    Files,
    /// Once quiet, the directory holds what is retained and no more (I-25, I-26).
    Leak,
    /// The job ends once faults do (I-28).
    Liveness,
    /// Every result is committed once, and only with its checkpoint (I-10 to I-13).
    Output,
    /// The machines and the tasks understand each other.
    Protocol,
    /// A restore changes nothing in complete checkpoints (I-15).
    Restore,
}

/// A property does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which one.
    pub check: Check,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = format!("{:?}", self.check).to_lowercase();
        write!(f, "{check}: {}", self.found)
    }
}

impl Check {
    /// States that the property does not hold.
    pub fn violated(self, found: impl Into<String>) -> Violation {
        Violation { check: self, found: found.into() }
    }
}

/// States that machines and tasks do not understand each other.
pub fn protocol(found: impl fmt::Display) -> Violation {
    Check::Protocol.violated(found.to_string())
}

/// Checks what holds at the moment at which the coordinator calls a checkpoint complete.
pub fn completed(setting: &mut Setting, id: CheckpointId) -> Result<(), Violation> {
    durability::completed(setting, id)?;
    cut::completed(setting, id)
}

/// Checks what holds when the job has ended and everything is quiet.
pub fn ended(setting: &mut Setting, state: Result<Model, String>) -> Result<(), Violation> {
    cut::ended(setting, state)?;
    output::ended(setting)?;
    leak::ended(setting)
}

/// What those who watch know.
#[derive(Debug)]
pub struct Witness {
    /// What the job gives out for each record of each source.
    results: Vec<Vec<i64>>,
    /// The complete checkpoints of the living lineage, oldest first.
    completed: Vec<CheckpointId>,
    /// Complete ones that were damaged since: a newer one is restored, and they may be retained.
    rotten: BTreeSet<CheckpointId>,
    /// The oldest checkpoint that a recovery may have recorded instead of the newest.
    fallback: Option<CheckpointId>,
    /// Drafts that could not be removed. The next start of the job does it.
    drafts: BTreeSet<ObjectId>,
    /// Files that were removed in this start of the job.
    removed: Vec<ObjectId>,
    /// Manifests that could not be read in this start of the job.
    unread: BTreeSet<ObjectId>,
    /// A step of storage failed in this start of the job.
    disturbed: bool,
    /// Manifests that were read before: none is ever changed.
    manifests: BTreeMap<ObjectId, Manifest>,
}

impl Witness {
    /// Knows the inputs.
    pub fn new(logs: &Logs) -> Self {
        let results = logs.iter().map(|log| {
            // What is given out for a key follows from the records of its own source.
            let mut model = Model::default();
            log.iter().map(|record| model.apply(record)).collect()
        });
        Self {
            results: results.collect(),
            completed: Vec::new(),
            rotten: BTreeSet::new(),
            fallback: None,
            drafts: BTreeSet::new(),
            removed: Vec::new(),
            unread: BTreeSet::new(),
            disturbed: false,
            manifests: BTreeMap::new(),
        }
    }

    /// The job starts.
    pub fn begin(&mut self) {
        self.unread.clear();
        self.drafts.clear();
        self.removed.clear();
        self.disturbed = false;
    }

    /// An object was removed.
    pub fn removed(&mut self, id: ObjectId) {
        if id.kind == ObjectKind::Data {
            self.removed.push(id);
        }
    }

    /// A step of storage failed.
    pub fn failed(&mut self, request: &Request) {
        self.disturbed = true;
        match request {
            Request::Read(id) => {
                self.unread.insert(*id);
            }
            Request::Remove(id) if id.kind == ObjectKind::Draft => {
                self.drafts.insert(*id);
            }
            _ => {}
        }
    }

    /// Returns whether a step of storage failed since the job started.
    pub const fn is_disturbed(&self) -> bool {
        self.disturbed
    }

    /// Returns the two newest complete checkpoints, the older one first.
    pub fn newest_two(&self) -> Option<(CheckpointId, CheckpointId)> {
        match self.completed[..] {
            [.., older, newest] => Some((older, newest)),
            _ => None,
        }
    }

    /// A complete checkpoint was damaged: it cannot be asked for any more.
    pub fn rotted(&mut self, id: CheckpointId) {
        self.completed.retain(|completed| *completed != id);
        self.rotten.insert(id);
    }

    /// Returns the checkpoints that must be whole: the newest of those that are complete.
    fn required(&self, retain: usize) -> &[CheckpointId] {
        &self.completed[self.completed.len().saturating_sub(retain)..]
    }

    /// Reads a manifest, if those bytes are one.
    fn manifest(&mut self, id: ObjectId, bytes: &[u8]) -> Option<&Manifest> {
        match self.manifests.entry(id) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(place) => {
                let checkpoint = CheckpointId::of_manifest(id)?;
                Some(place.insert(Manifest::from_file(checkpoint, bytes).ok()?))
            }
        }
    }
}

/// Returns the manifests in the directory.
fn manifests(disk: &Disk) -> impl Iterator<Item = ObjectId> {
    disk.names(holdwater::storage::Area::Manifests).filter(|id| id.kind == ObjectKind::Manifest)
}
