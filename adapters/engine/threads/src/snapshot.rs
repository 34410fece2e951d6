//! Writes what a subtask has frozen, beside the records.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Report, SaveFailure, Target, TaskId, save};
use holdwater::error::{ErrorKind, StateError};
use holdwater::operator::InFlightCodec;
use holdwater::snapshot::FrozenStates;
use holdwater::storage::Storage;

use crate::error::EngineError;
use crate::in_flight;
use crate::message::Signal;
use crate::observer::Phases;
use crate::operator::Subtask;

/// What is to be written for one checkpoint: what a subtask has frozen.
#[derive(Debug)]
pub struct Work<E> {
    barrier: Barrier,
    frozen: FrozenStates<E>,
    counters: Vec<(String, u64)>,
    /// When the subtask stopped processing records.
    since: Instant,
    /// How long it took to freeze.
    pause: Duration,
    /// How long the barriers of the checkpoint were awaited.
    aligned: Duration,
    /// How many bytes are in flight.
    in_flight: u64,
}

/// Writes the snapshots of one subtask.
pub struct SnapshotWriter<B> {
    /// The task of the subtask.
    pub task: TaskId,
    /// The identity of the job.
    pub job: u128,
    /// What the operator is called.
    pub operator: String,
    /// Where snapshots go.
    pub storage: B,
    /// What is not to be written any more.
    pub abandoned: Abandoned,
    /// The subtask waits for it.
    pub sync: bool,
    /// Tells the coordinator how it went.
    pub tell: Box<dyn FnMut(Signal) + Send>,
}

/// The newest checkpoint that was given up: nothing more is written for it or any older one.
#[derive(Clone, Debug, Default)]
pub struct Abandoned(Arc<AtomicU64>);

impl Abandoned {
    /// Gives up every checkpoint up to this one.
    pub fn up_to(&self, checkpoint: u64) {
        // No other memory depends on it: a write that sees it late is one block in vain.
        self.0.fetch_max(checkpoint, Ordering::Relaxed);
    }

    fn contains(&self, checkpoint: u64) -> bool {
        checkpoint <= self.0.load(Ordering::Relaxed)
    }
}

impl<E> Work<E> {
    pub(crate) fn new(
        barrier: Barrier,
        frozen: FrozenStates<E>,
        counters: Vec<(String, u64)>,
        since: Instant,
        pause: Duration,
    ) -> Self {
        Self { barrier, frozen, counters, since, pause, aligned: Duration::ZERO, in_flight: 0 }
    }

    pub(crate) fn aligned(self, aligned: Duration) -> Self {
        Self { aligned, ..self }
    }

    pub(crate) const fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    /// Adds what is in flight to the subtask.
    pub(crate) fn with_in_flight<V>(
        self,
        codec: InFlightCodec<V>,
        subtask: Subtask,
        log: Vec<Vec<u8>>,
    ) -> Result<Self, E>
    where
        E: StateError + 'static,
    {
        let in_flight = log.iter().map(|item| item.len() as u64).sum();
        let whose = (subtask.task(), subtask.groups);
        let listed = in_flight::frozen(codec, whose, log, *self.frozen.cut())?;
        Ok(Self { frozen: self.frozen.with(listed), in_flight, ..self })
    }
}

impl<B> fmt::Debug for SnapshotWriter<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotWriter").field("task", &self.task).finish_non_exhaustive()
    }
}

impl<B: Storage> SnapshotWriter<B> {
    /// Writes one snapshot after the other, until nobody sends any more.
    pub fn run<E: StateError>(mut self, work: &Receiver<Work<E>>) {
        for work in work {
            self.write(&work);
        }
    }

    /// Writes one snapshot and tells the coordinator how it went.
    pub fn write<E: StateError>(&mut self, work: &Work<E>) {
        let id = work.barrier.id;
        let begun = Instant::now();
        let signal = match self.save(work) {
            Ok(mut report) => {
                report.counters.clone_from(&work.counters);
                let pause = if self.sync { work.since.elapsed() } else { work.pause };
                let (aligned, in_flight) = (work.aligned, work.in_flight);
                let phases = Phases { aligned, pause, saved: begun.elapsed(), in_flight };
                Signal::Done(self.task, id, report, phases)
            }
            // The next checkpoint would fail as well, and what is read until then may be wrong.
            Err(SaveFailure::State(error)) if error.kind() == ErrorKind::Corrupt => {
                let (subtask, error) = (self.task.index, Box::new(error));
                Signal::Failed(EngineError::StateDamaged { subtask, error })
            }
            // Nobody waits for a checkpoint that was given up.
            Err(_) if self.abandoned.contains(id.checkpoint) => return,
            Err(why) => Signal::Declined(self.task, id, why.to_string()),
        };
        (self.tell)(signal);
    }

    /// Returns what was saved, or says why nothing was.
    fn save<E: StateError>(&mut self, work: &Work<E>) -> Result<Report, SaveFailure<B::Error, E>> {
        let Work { barrier, frozen, .. } = work;
        let (job, operator) = (self.job, self.operator.as_str());
        let target = Target { job, operator, barrier, part: u32::from(self.task.index) };
        let (abandoned, checkpoint) = (&self.abandoned, barrier.id.checkpoint);
        let wanted = || !abandoned.contains(checkpoint);
        save(&mut self.storage, target, frozen, &wanted)
    }
}
