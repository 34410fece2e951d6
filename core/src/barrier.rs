//! Barriers: the marks in the channels that cut the streams in two.
//!
//! Each task has an [`Aligner`]. It is told of every barrier and says when the task takes its part
//! of the checkpoint: once all inputs delivered the barrier, or before, if what is in flight goes
//! into the checkpoint as well (docs/protocol.md 2). One checkpoint is under way at a time, so a
//! newer barrier means that the older checkpoint was given up.

mod backlog;

pub use backlog::{Backlog, Log};

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

/// How long a task waits for the barriers of all inputs before it takes its part.
///
/// One that does not wait keeps the records that come before the missing barriers: they go into
/// the checkpoint as records in flight. That is exactly once too, and no checkpoint waits for
/// records to be processed. Savepoints wait always: they hold nothing but state.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Barriers {
    /// As long as it takes.
    #[default]
    Aligned,
    /// So many milliseconds from the first sign of the checkpoint.
    Within(u64),
    /// Not at all.
    Unaligned,
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
    /// Everything in flight to the task is logged: it belongs to the part that was taken.
    Logged(CheckpointId),
    /// Take the task's part and pass the barrier on, as by [`Checkpoint`](Self::Checkpoint). From
    /// here on log what is taken from inputs that are [`is_logged`](Aligner::is_logged), behind
    /// what was taken before and is not processed yet; it is complete at [`Logged`](Self::Logged).
    Overtake(Barrier),
    /// Read again from every input.
    Unblock,
}

/// Brings together the barriers of all inputs of one task.
///
/// After each call, take steps by [`poll`](Self::poll) until there is none.
#[derive(Clone, Debug)]
pub struct Aligner {
    guarantee: Guarantee,
    barriers: Barriers,
    epoch: u64,
    inputs: Vec<Input>,
    current: Option<Barrier>,
    /// Since when the current checkpoint has been waited for, by the first tick.
    since: Option<u64>,
    /// The part of the current checkpoint was taken, and what is in flight is being logged.
    is_overtaken: bool,
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
        Self {
            guarantee,
            barriers: Barriers::Aligned,
            epoch,
            inputs: vec![Input::default(); inputs],
            current: None,
            since: None,
            is_overtaken: false,
            settled: 0,
            steps: VecDeque::new(),
        }
    }

    /// Lets the task take its part before all barriers have come, as `barriers` says.
    ///
    /// # Panics
    ///
    /// If records may take effect twice: then no input is blocked, and nothing is waited for.
    #[must_use]
    pub fn with_barriers(mut self, barriers: Barriers) -> Self {
        let exactly_once = self.guarantee == Guarantee::ExactlyOnce;
        assert!(exactly_once || barriers == Barriers::Aligned, "only exactly once needs to wait");
        self.barriers = barriers;
        self
    }

    /// Takes note that a checkpoint was begun at `since`, a time as of [`tick`](Self::tick),
    /// and that its barriers are on their way. That may come before any of them, behind them,
    /// again, or never.
    pub fn announced(&mut self, barrier: Barrier, since: u64) {
        let is_news = barrier.id.epoch == self.epoch && barrier.id.checkpoint > self.settled;
        if is_news && self.patience_for(&barrier).is_some() {
            self.begin(barrier);
            if self.current() == Some(barrier.id) {
                self.since.get_or_insert(since);
            }
        }
    }

    /// Takes note of the time, in milliseconds by a clock that never goes back: a task that has
    /// waited long enough takes its part. What was not [`announced`](Self::announced) is waited for
    /// from the first such call.
    pub fn tick(&mut self, now: u64) {
        let Some(patience) = self.patience() else { return };
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) >= patience {
            self.overtake();
        }
    }

    /// Returns in how many milliseconds [`tick`](Self::tick) is to be called at the latest; `None`
    /// if the task waits for nothing, or as long as it takes.
    pub fn due_in(&self, now: u64) -> Option<u64> {
        let patience = self.patience()?;
        Some(self.since.map_or(0, |since| patience.saturating_sub(now.saturating_sub(since))))
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
        self.begin(barrier);
        if self.current() != Some(barrier.id) {
            return Ok(());
        }
        self.input(input).passed = true;
        let takes = self.take_if_aligned() || self.is_overtaken;
        if !takes && self.guarantee == Guarantee::ExactlyOnce && !planted(1) {
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

    /// Returns whether what is taken from the input is in flight: it comes before the barrier of a
    /// checkpoint that the task has taken its part of.
    pub fn is_logged(&self, input: usize) -> bool {
        let place = self.inputs.get(input);
        self.is_overtaken && place.is_some_and(|input| !input.passed && !input.finished)
    }

    /// Returns whether what is in flight is being logged.
    pub const fn is_overtaken(&self) -> bool {
        self.is_overtaken
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

    /// Makes the checkpoint the current one, unless it is older than that.
    fn begin(&mut self, barrier: Barrier) {
        let newest = self.current.map_or(0, |current| current.id.checkpoint);
        if barrier.id.checkpoint > newest {
            self.give_up();
            self.current = Some(barrier);
            if self.patience_for(&barrier) == Some(0) {
                self.overtake();
            }
        }
    }

    /// Returns how long the barriers of a checkpoint are waited for, unless as long as it takes.
    fn patience_for(&self, barrier: &Barrier) -> Option<u64> {
        match self.barriers {
            _ if barrier.kind == CheckpointKind::Savepoint => None,
            Barriers::Aligned => None,
            Barriers::Within(millis) => Some(millis),
            Barriers::Unaligned => Some(0),
        }
    }

    /// Returns how long the current checkpoint is waited for, if not as long as it takes.
    fn patience(&self) -> Option<u64> {
        let waiting = self.current.filter(|_| !self.is_overtaken);
        waiting.and_then(|current| self.patience_for(&current))
    }

    /// Takes the part of the current checkpoint, and goes on with what is in flight.
    fn overtake(&mut self) {
        let Some(current) = self.current.filter(|_| !self.is_overtaken) else { return };
        self.is_overtaken = true;
        self.steps.push_back(Step::Overtake(current));
        self.unblock(false);
    }

    /// Takes the checkpoint, or ends its log, if all barriers have come.
    fn take_if_aligned(&mut self) -> bool {
        let Some(current) = self.current else { return false };
        let is_awaited = |input: &Input| !input.passed && !input.finished;
        // With this bug the log ends with the first barrier.
        let ends_early = planted(67) && self.is_overtaken;
        if self.inputs.iter().any(is_awaited) && !ends_early {
            return false;
        }
        self.steps.push_back(match self.is_overtaken {
            true => Step::Logged(current.id),
            false => Step::Checkpoint(current),
        });
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
        (self.current, self.since, self.is_overtaken) = (None, None, false);
        self.settled = self.settled.max(id.checkpoint);
        self.unblock(planted(28) && given_up);
        self.inputs.iter_mut().for_each(|input| input.passed &= planted(16) && given_up);
    }

    fn unblock(&mut self, stays: bool) {
        if self.inputs.iter().any(|input| input.blocked) {
            self.steps.push_back(Step::Unblock);
        }
        self.inputs.iter_mut().for_each(|input| input.blocked &= stays);
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
