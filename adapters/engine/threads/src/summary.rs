//! What a job has done, once it has ended.

use std::time::Duration;

use holdwater::checkpoint::SkippedGroup;
use holdwater::manifest::CheckpointId;

/// What a job has done.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How it ended.
    pub ended: Ended,
    /// What it was restored from.
    pub restored: Option<CheckpointId>,
    /// How many rows this run read.
    pub rows: u64,
    /// How many checkpoints this run completed.
    pub checkpoints: u64,
    /// The longest time for which a subtask processed no record, for one of them.
    pub pause: Duration,
    /// The newest complete checkpoint.
    pub newest: Option<CheckpointId>,
    /// How far each input was read, as far as it was told.
    pub positions: Vec<Option<Vec<u8>>>,
    /// What was left out of the checkpoint that was restored
    /// ([`RestorePolicy::SkipGroup`](holdwater::checkpoint::RestorePolicy::SkipGroup)).
    pub skipped: Vec<SkippedGroup>,
    /// What the operators counted, across restarts, ascending by name.
    pub counters: Vec<(String, u64)>,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Every input was read to its end, and every result is visible.
    Finished,
    /// It was stopped; it can be resumed.
    Stopped,
}
