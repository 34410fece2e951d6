//! What workers tell each other.

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{FileDamage, Report, Restored, TaskId};
use holdwater::manifest::CheckpointId;
use holdwater_threads::Phases;
use serde::{Deserialize, Serialize};

/// What the first worker tells one worker.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Parcel<R> {
    /// The checkpoint will never be complete.
    Aborted(CheckpointId),
    /// What came in this slice and before it belongs to the checkpoint.
    Barrier(Barrier),
    /// Say that you are there.
    Beat(u64),
    /// The checkpoint is complete.
    Completed(CheckpointId),
    /// Every input has ended: give what is left.
    Finish,
    /// Make the operator, and load its states.
    Load(Load),
    /// The job is over.
    Over(Verdict),
    /// Process records of this input.
    Records(u32, R),
    /// Every worker has loaded its states.
    Running,
}

/// What workers begin with.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Load {
    /// The epoch that was begun; 0 without checkpoints.
    pub(crate) epoch: u64,
    pub(crate) key_groups: u16,
    /// Files are read whole.
    pub(crate) whole: bool,
    /// The checkpoint, and the bytes of its manifest.
    pub(crate) from: Option<(CheckpointId, Vec<u8>)>,
}

/// How a job ended.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Verdict {
    Failed(String),
    Finished,
    Stopped,
}

/// What a worker tells the first one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Told {
    /// It answers a beat.
    Alive(u64),
    /// It has given all its results, and has counted this.
    Counted(Vec<(String, u64)>),
    /// It found damage in the checkpoint.
    Damaged(FileDamage),
    /// It could not do its part of a checkpoint.
    Declined(TaskId, CheckpointId, String),
    /// It did its part of a checkpoint, which is durable; the phases are how long that took.
    Done(TaskId, CheckpointId, Report, Phases),
    /// It has failed.
    Failed(String),
    /// It has loaded this.
    Ready(Restored),
    /// Its process was asked for a savepoint.
    Savepoint,
    /// Its process was asked to stop.
    Stop,
}
