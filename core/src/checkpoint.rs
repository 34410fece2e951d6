//! The protocol of checkpoints: takes them, completes them, removes old ones, recovers from them.
//!
//! Three machines, none of which does input or output (docs/protocol.md). Each takes inputs by its
//! methods and gives [`Command`]s or [`RecoveryCommand`]s by `poll`; a storage request is answered
//! by `reply` before the next is given. They are `Clone`, and the same inputs give the same run.
//!
//! ```text
//! Recovery:    claim an epoch -> list -> choose -> restore -> record -> sweep
//! Coordinator: trigger -> barrier .. acks -> sync, draft, publish, sync -> fenced? -> completed
//!              -> remove what nothing needs any more
//! ```

mod assemble;
mod choice;
mod clean;
mod cleanup;
mod coordinator;
mod job;
mod lineage;
mod load;
mod perform;
mod publish;
mod recovery;
mod report;
mod retention;
mod save;
mod schedule;
mod solo;
mod start;

pub use assemble::{Refusal, RefusalFault};
pub use clean::Warning;
pub use cleanup::{Cleanup, CleanupCommand, Inventory};
pub use coordinator::{Config, Coordinator, Recovered, Refused};
pub use job::{Job, OperatorShape};
pub use lineage::{Lineage, Living};
pub use load::{FileDamage, LoadFailure, Reading, RestorePolicy, Restored, SkippedGroup, load};
pub use perform::Performer;
pub use publish::{Halt, newer_claim};
pub use recovery::Recovery;
pub use report::{GroupChange, Report, StateChange, TaskId};
pub use retention::Retention;
pub use save::{SaveFailure, Target, save};
pub use schedule::{Pace, Schedule};
pub use solo::{Solo, SoloError, SoloJob};
pub use start::{Damage, RecoveryCommand, RecoveryError, Skipped, Start};

use alloc::string::String;
use core::fmt;

use crate::barrier::Barrier;
use crate::manifest::CheckpointId;
use crate::storage::Request;

/// What the engine does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Tell every task that the checkpoint was given up. The job goes on.
    Aborted(CheckpointId, Abort),
    /// Send the barrier into every source, behind the record it read last.
    Barrier(Barrier),
    /// Tell every task that the checkpoint is complete: outputs commit, stores let go.
    Completed(CheckpointId),
    /// Stop the job without telling the tasks anything, and recover in a new epoch if at all.
    Halt(Halt),
    /// Do the step and answer with [`Coordinator::reply`].
    Storage(Request),
    /// Tell the user; the job goes on.
    Warn(Warning),
}

/// Why a checkpoint was given up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Abort {
    /// A task could not take its part.
    Declined {
        /// The task.
        task: TaskId,
        /// What it said.
        reason: String,
    },
    /// The reports of the tasks do not make a checkpoint: a fault of the engine or of a store.
    Refused(Refusal),
    /// A storage step failed before anything was published.
    Storage(Request),
    /// Tasks did not answer in time.
    TimedOut {
        /// The first of them.
        task: TaskId,
        /// How many there are.
        tasks: usize,
    },
}

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declined { task, reason } => write!(f, "{task} declined: {reason}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Storage(request) => write!(f, "could not {}", Step(request)),
            Self::TimedOut { task, tasks: 1 } => write!(f, "{task} did not answer in time"),
            Self::TimedOut { task, tasks } => {
                write!(f, "{tasks} tasks did not answer in time, {task} among them")
            }
        }
    }
}

/// Writes a request as what was to be done.
pub(crate) struct Step<'r>(pub(crate) &'r Request);

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Request::Create(id) => write!(f, "create {id}"),
            Request::Write(id, _) => write!(f, "write {id}"),
            Request::Sync(id) => write!(f, "sync {id}"),
            Request::Publish { id, .. } => write!(f, "publish {id}"),
            Request::SyncArea(area) => write!(f, "sync the directory {}", area.name()),
            Request::List(area) => write!(f, "list the directory {}", area.name()),
            Request::Read(id) => write!(f, "read {id}"),
            Request::Remove(id) => write!(f, "remove {id}"),
        }
    }
}

#[cfg(test)]
mod tests;
