//! Barriers: the marks in the channels that cut the streams in two.
//!
//! Each task has an [`Aligner`]. It is told of every barrier and says when the task takes its part
//! of the checkpoint: once all inputs delivered the barrier (docs/protocol.md 2). One checkpoint is
//! under way at a time, so a newer barrier means that the older checkpoint was given up.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::{CheckpointId, CheckpointKind};
use crate::planted::planted;
use crate::storage::ObjectId;

/// What is promised of the effects of each record.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Guarantee {
    /// No record is lost; after a crash some take effect twice.
    AtLeastOnce,
    /// Each record takes effect once.
    ExactlyOnce,
}

/// The mark of a checkpoint in a channel: what comes before it belongs to the checkpoint.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Barrier {
    /// The checkpoint.
    pub id: CheckpointId,
    /// What it is taken for.
    pub kind: CheckpointKind,
    /// The completed checkpoint that deltas stand on; without it every part is full.
    ///
    /// It is complete, whether or not the task was told so before.
    pub base: Option<CheckpointId>,
}

impl Barrier {
    /// Names the file with number `part` among all files of the checkpoint; `attempt` counts the
    /// tries of its task, as a file that failed is never used again.
    pub fn file(&self, attempt: u32, part: u32) -> ObjectId {
        let epoch = if planted(14) { 0 } else { self.id.epoch };
        ObjectId::data(self.id.checkpoint, epoch, attempt, part)
    }
}

/// What a task does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Forget the checkpoint: a newer one came, or it was aborted.
    Abort(CheckpointId),
    /// Read no more from the input, until [`Step::Unblock`].
    Block(usize),
    /// Take the task's part of the checkpoint, and pass the barrier on, before the next record.
    Checkpoint(Barrier),
    /// Read again from every input.
    Unblock,
}

/// Brings together the barriers of all inputs of one task.
///
/// After each call, take steps by [`poll`](Self::poll) until there is none.
#[derive(Clone, Debug)]
pub struct Aligner {
    guarantee: Guarantee,
    epoch: u64,
    inputs: Vec<Input>,
    current: Option<Barrier>,
    /// The newest checkpoint that was taken or given up; barriers up to it are obsolete.
    settled: u64,
    steps: VecDeque<Step>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Input {
    /// The newest barrier it delivered; 0 before the first.
    newest: u64,
    /// It delivered the barrier of the current checkpoint.
    passed: bool,
    blocked: bool,
    finished: bool,
}

impl Aligner {
    /// Aligns `inputs` inputs of a task that was started in `epoch`.
    pub fn new(guarantee: Guarantee, epoch: u64, inputs: usize) -> Self {
        let inputs = vec![Input::default(); inputs];
        Self { guarantee, epoch, inputs, current: None, settled: 0, steps: VecDeque::new() }
    }

    /// Takes the next barrier of an input. Obsolete and repeated ones change nothing.
    pub fn barrier(&mut self, input: usize, barrier: Barrier) -> Result<(), BarrierError> {
        let CheckpointId { checkpoint, epoch } = barrier.id;
        if epoch != self.epoch {
            // Left over from the time before a restart, or sent by the restart of a rival.
            return Ok(());
        }
        let place = self.input(input);
        if place.finished {
            return Err(BarrierError::AfterEnd { input, got: checkpoint });
        }
        if checkpoint < place.newest {
            let newest = place.newest;
            return Err(BarrierError::Regression { input, newest, got: checkpoint });
        }
        if checkpoint == place.newest {
            return Ok(());
        }
        place.newest = checkpoint;
        if checkpoint <= self.settled {
            return Ok(());
        }
        match self.current {
            Some(current) if checkpoint < current.id.checkpoint => return Ok(()),
            Some(current) if checkpoint > current.id.checkpoint => {
                self.give_up();
                self.current = Some(barrier);
            }
            Some(_) => {}
            None => self.current = Some(barrier),
        }
        self.input(input).passed = true;
        if !self.take_if_aligned() && self.guarantee == Guarantee::ExactlyOnce && !planted(1) {
            self.input(input).blocked = true;
            self.steps.push_back(Step::Block(input));
        }
        Ok(())
    }

    /// Takes note that an input has ended: no barrier waits for it.
    pub fn finished(&mut self, input: usize) {
        self.input(input).finished = true;
        self.take_if_aligned();
    }

    /// Takes note that a checkpoint was aborted: its barriers are obsolete, also those to come.
    pub fn aborted(&mut self, id: CheckpointId) {
        if id.epoch != self.epoch {
            return;
        }
        if self.current.is_some_and(|current| current.id.checkpoint <= id.checkpoint) {
            self.give_up();
        }
        self.settled = self.settled.max(id.checkpoint);
    }

    /// Returns the next step.
    pub fn poll(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// Returns whether nothing may be read from the input.
    pub fn is_blocked(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(|input| input.blocked)
    }

    /// Returns the checkpoint whose barriers are being brought together.
    pub fn current(&self) -> Option<CheckpointId> {
        self.current.map(|barrier| barrier.id)
    }

    fn input(&mut self, input: usize) -> &mut Input {
        let count = self.inputs.len();
        match self.inputs.get_mut(input) {
            Some(place) => place,
            None => panic!("input {input} is none of the {count} inputs of the task"),
        }
    }

    fn take_if_aligned(&mut self) -> bool {
        let Some(current) = self.current else { return false };
        if !self.inputs.iter().all(|input| input.passed || input.finished) {
            return false;
        }
        self.steps.push_back(Step::Checkpoint(current));
        self.settle(current.id);
        true
    }

    fn give_up(&mut self) {
        if let Some(current) = self.current {
            self.steps.push_back(Step::Abort(current.id));
            self.settle(current.id);
        }
    }

    fn settle(&mut self, id: CheckpointId) {
        let given_up = self.steps.back() == Some(&Step::Abort(id));
        self.current = None;
        self.settled = self.settled.max(id.checkpoint);
        if self.inputs.iter().any(|input| input.blocked) {
            self.steps.push_back(Step::Unblock);
        }
        for input in &mut self.inputs {
            input.blocked &= planted(28) && given_up;
            input.passed &= planted(16) && given_up;
        }
    }
}

/// A barrier came where none may: the channels do not keep order, or the engine mixed them up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BarrierError {
    /// A barrier came from an input that had ended.
    AfterEnd {
        /// The input.
        input: usize,
        /// The checkpoint of the barrier.
        got: u64,
    },
    /// A barrier came that is older than one before it.
    Regression {
        /// The input.
        input: usize,
        /// The newest checkpoint whose barrier the input delivered.
        newest: u64,
        /// The checkpoint of the barrier.
        got: u64,
    },
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AfterEnd { input, got } => {
                write!(f, "input {input} delivered barrier {got} after its end")
            }
            Self::Regression { input, newest, got } => {
                write!(f, "input {input} delivered barrier {got} after barrier {newest}")
            }
        }
    }
}

impl Error for BarrierError {}

#[cfg(test)]
mod tests;
