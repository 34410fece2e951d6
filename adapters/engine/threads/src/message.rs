//! What the parts of a job tell each other.

use std::time::Instant;

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{FileDamage, Report, Restored, TaskId};
use holdwater::manifest::CheckpointId;

use crate::error::EngineError;
use crate::live::Asked;
use crate::observer::Phases;

/// What goes with the records, from source to subtask and from subtask to sink.
#[derive(Debug)]
pub enum Message<B> {
    /// Some records.
    Batch(B),
    /// What comes before it belongs to the checkpoint.
    Barrier(Barrier),
    /// What follows, up to the end, is taken in the order of the senders.
    Flush,
    /// Nothing follows.
    End,
}

/// What the coordinator tells a source.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Put this between the records, and report the position.
    Barrier(Barrier),
    /// Read no further, as if the input ended here.
    Drain,
    /// End the stream.
    Finish,
}

/// What subtasks and sink are told.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The checkpoint was begun then, and its barriers come: told where they may overtake.
    Begun(Barrier, Instant),
    /// The checkpoint will never be complete.
    Aborted(CheckpointId),
    /// Somebody asks what states hold.
    Asked(Box<Asked>),
    /// The checkpoint is complete.
    Completed(CheckpointId),
}

/// What the coordinator is told.
#[derive(Debug)]
pub enum Signal {
    /// So many rows were read that a checkpoint is due.
    Due,
    /// A source has read all of its input, up to this position.
    Exhausted(usize, Vec<u8>),
    /// A subtask is ready, and has loaded this.
    Ready(Restored),
    /// A subtask found damage in the checkpoint.
    Damaged(FileDamage),
    /// A task did its part of a checkpoint, which is durable.
    ///
    /// The phases are how long that took.
    Done(TaskId, CheckpointId, Report, Phases),
    /// A task could not do its part.
    Declined(TaskId, CheckpointId, String),
    /// A subtask has given all its results, and has counted this since its start.
    Counted(Vec<(String, u64)>),
    /// Every result is visible.
    Finished,
    /// A thread has failed, and the job with it.
    Failed(EngineError),
}
