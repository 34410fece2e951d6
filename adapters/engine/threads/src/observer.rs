//! What a job tells while it runs.

use std::time::Duration;

use crate::error::EngineError;
use holdwater::checkpoint::{Skipped, SkippedGroup, Warning};
use holdwater::manifest::{CheckpointId, CheckpointKind, Manifest};
use serde::{Deserialize, Serialize};

/// Somebody who is told how a job goes. It is called from the thread that runs the job.
pub trait Observer {
    /// Takes note.
    fn observe(&mut self, event: &Event<'_>) {
        let _ = event;
    }
}

/// Nobody.
impl Observer for () {}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A checkpoint was given up. The job goes on.
    Aborted {
        /// The checkpoint.
        id: CheckpointId,
        /// Why.
        why: &'e str,
    },
    /// A checkpoint is complete, which holds this.
    Completed(Completed, &'e Manifest),
    /// A part of the job failed: all of it goes on from the newest checkpoint.
    Restarting {
        /// What failed.
        error: &'e EngineError,
        /// How many runs in a row have failed without a checkpoint.
        failures: u32,
    },
    /// Records are read from here on.
    Running {
        /// What was restored, if anything.
        restored: Option<&'e Manifest>,
        /// How many rows all states hold.
        rows: u64,
        /// How long it took to get here.
        duration: Duration,
        /// How long the parts of that took.
        phases: RestorePhases,
    },
    /// So many rows were read by this run, up to now. Told some ten times a second.
    Rows(u64),
    /// The checkpoint is damaged: the one before it is tried.
    Skipped(&'e Skipped),
    /// A key group of a state is damaged: its keys begin anew.
    SkippedGroup(&'e SkippedGroup),
    /// Something the user should know, though the job goes on.
    Warned {
        /// What.
        warning: &'e Warning,
        /// What the storage said.
        error: Option<&'e str>,
    },
}

/// How long the parts of a checkpoint took in one task.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Phases {
    /// From its first barrier to its last: for so long some inputs were held back, or counted on.
    /// On timely, where barriers need not wait for each other, nothing.
    pub aligned: Duration,
    /// How long it processed no record, for its states to be frozen.
    pub pause: Duration,
    /// How long its snapshot was written, beside the records.
    pub saved: Duration,
    /// How many bytes of records were in flight, and are in the checkpoint: none where barriers are
    /// aligned.
    pub in_flight: u64,
}

impl Phases {
    /// Returns the longer of each time, and the bytes of both.
    #[must_use]
    pub fn longest(self, other: Self) -> Self {
        Self {
            aligned: self.aligned.max(other.aligned),
            pause: self.pause.max(other.pause),
            saved: self.saved.max(other.saved),
            in_flight: self.in_flight + other.in_flight,
        }
    }
}

/// How long the parts of a restore took, one after the other; of a job that begins anew, those of
/// its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RestorePhases {
    /// An epoch was claimed, and what to go on from was looked for; damaged ones were passed over.
    pub chosen: Duration,
    /// The subtasks were started and loaded their states, as many at a time as there are.
    pub loaded: Duration,
    /// The output was brought to what was restored.
    pub settled: Duration,
}

/// A complete checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Completed {
    /// Its name.
    pub id: CheckpointId,
    /// Whether it is a savepoint.
    pub kind: CheckpointKind,
    /// How long it took, from the first barrier to the end.
    pub duration: Duration,
    /// How long its parts took; of each the task that took longest.
    pub phases: Phases,
    /// The size of the snapshot files written for it.
    pub bytes: u64,
    /// How many rows this run had read when it was begun.
    pub rows: u64,
}
