//! What a subtask does, whoever brings it its records.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Reading, Restored};
use holdwater::manifest::Manifest;
use holdwater::snapshot::freeze;
use holdwater::state::{Cut, Moment, States};
use holdwater::storage::Storage;

use crate::clock::Clock;
use crate::error::EngineError;
use crate::in_flight::{InFlightOf, load_with};
use crate::live::Asked;
use crate::message::Notice;
use crate::operator::{Operator, Outputs, Subtask};
use crate::restore::LoadFailed;
use crate::snapshot::Work;

/// The operator of one subtask, its states, and its clock.
pub struct Body<O: Operator> {
    subtask: Subtask,
    operator: O,
    clock: Clock,
    /// What was in flight in the checkpoint that was restored.
    in_flight: InFlightOf<O::Batch>,
}

/// What a subtask is restored from.
#[derive(Debug)]
pub struct Restore<B> {
    /// The checkpoint.
    pub manifest: Arc<Manifest>,
    /// What the operator is called in it.
    pub operator: String,
    /// Where its files are.
    pub storage: B,
    /// How they are read.
    pub reading: Reading,
}

/// Why states cannot be frozen.
#[derive(Debug)]
pub enum FreezeFailed {
    /// There will be no such checkpoint, and the job goes on.
    Declined(String),
    /// The operator has failed.
    Failed(EngineError),
}

impl<O: Operator> Body<O> {
    /// Makes the operator of `subtask`, and loads its states.
    pub fn load<B: Storage + Clone>(
        subtask: Subtask,
        make: impl FnOnce(Subtask) -> Result<O, O::Error>,
        restore: Option<Restore<B>>,
    ) -> Result<(Self, Restored), LoadFailed> {
        let failed = |error| LoadFailed::Failed(failed(subtask, error));
        let mut operator = make(subtask).map_err(failed)?;
        let (mut loaded, mut in_flight) = (Restored::default(), Vec::new());
        if let Some(Restore { manifest, operator: name, storage, reading }) = restore {
            let codec = O::in_flight().map(|codecs| codecs.records);
            let (groups, states) = (subtask.groups, operator.states());
            let (operator, from) = ((&*manifest, name.as_str()), (&storage, reading));
            (loaded, in_flight) = load_with(operator, groups, from, states, codec)?;
        }
        Ok((Self { subtask, operator, clock: Clock::default(), in_flight }, loaded))
    }

    /// Returns what was in flight in the checkpoint that was restored, to be processed before all
    /// else.
    pub fn take_in_flight(&mut self) -> Vec<(u16, O::Batch)> {
        std::mem::take(&mut self.in_flight)
    }

    /// Processes records of an input, and sweeps a little.
    pub fn process(
        &mut self,
        source: usize,
        batch: O::Batch,
        outputs: &mut Outputs<O::Output>,
    ) -> Result<(), EngineError> {
        let now = self.clock.now();
        self.operator.tick(now);
        let processed = self.operator.process(source, batch, outputs);
        processed
            .and_then(|()| self.operator.sweep(now))
            .map_err(|error| failed(self.subtask, error))
    }

    /// Does a piece of what is left to be done; returns whether there is more.
    pub fn work(&mut self, outputs: &mut Outputs<O::Output>) -> Result<bool, EngineError> {
        self.operator.work(outputs).map_err(|error| failed(self.subtask, error))
    }

    /// Settles the operator and freezes its states: the moment in which no record is processed.
    pub fn freeze(
        &mut self,
        barrier: Barrier,
        outputs: &mut Outputs<O::Output>,
    ) -> Result<Work<<O::States as States>::Error>, FreezeFailed> {
        let since = Instant::now();
        let settled = self.operator.settle(outputs);
        settled.map_err(|error| FreezeFailed::Failed(failed(self.subtask, error)))?;
        if let Some(base) = barrier.base {
            // It is complete, and the notice that says so may still be under way.
            self.note(Notice::Completed(base));
        }
        let cut = Cut {
            checkpoint: barrier.id.checkpoint,
            base: barrier.base.map(|base| base.checkpoint),
            now: self.clock.now(),
            watermark: self.operator.watermark(),
        };
        let frozen = freeze(self.operator.states(), self.subtask.groups, cut);
        let pause = since.elapsed();
        let frozen = frozen.map_err(|error| FreezeFailed::Declined(error.to_string()))?;
        Ok(Work::new(barrier, frozen, self.operator.counters(), since, pause))
    }

    /// Answers a question, unless nobody waits for the answer any more.
    pub(crate) fn answer(
        &mut self,
        asked: Asked,
        outputs: &mut Outputs<O::Output>,
    ) -> Result<(), EngineError> {
        let Some(asked) = asked.in_time() else { return Ok(()) };
        let settled = self.operator.settle(outputs);
        settled.map_err(|error| failed(self.subtask, error))?;
        let (now, watermark) = (self.clock.now(), self.operator.watermark());
        asked.answer(self.operator.states(), Moment { now, watermark });
        Ok(())
    }

    /// Tells every state what became of a checkpoint.
    pub fn note(&mut self, notice: Notice) {
        let states = self.operator.states();
        match notice {
            // Whoever asked is told that nobody answers.
            Notice::Asked(_) => {}
            Notice::Aborted(id) => states.aborted(id.checkpoint),
            Notice::Begun(..) => {}
            Notice::Completed(id) => states.completed(id.checkpoint),
        }
    }

    /// Gives what is left, once every input has ended; returns what was counted since the start.
    pub fn finish(
        &mut self,
        outputs: &mut Outputs<O::Output>,
    ) -> Result<Vec<(String, u64)>, EngineError> {
        self.operator.tick(self.clock.now());
        self.operator.finish(outputs).map_err(|error| failed(self.subtask, error))?;
        Ok(self.operator.counters())
    }
}

impl<O: Operator> fmt::Debug for Body<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("subtask", &self.subtask).finish_non_exhaustive()
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(subtask: Subtask, error: E) -> EngineError {
    EngineError::Operator { subtask: subtask.index, error: Box::new(error) }
}
