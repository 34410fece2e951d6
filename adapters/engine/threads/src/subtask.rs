//! Subtasks: a thread each, which processes the records of its key groups.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Sender, unbounded};
use holdwater::barrier::Barrier;
use holdwater::checkpoint::{RestorePolicy, Restored, TaskId};
use holdwater::manifest::Manifest;
use holdwater::snapshot::freeze;
use holdwater::state::{Cut, States};
use holdwater::storage::Storage;

use crate::clock::Clock;
use crate::error::EngineError;
use crate::inputs::{Input, Inputs};
use crate::message::{Message, Notice, Signal};
use crate::operator::{Operator, Outputs, Subtask};
use crate::restore::{LoadFailed, load_states};
use crate::snapshot::{Abandoned, SnapshotWriter, Work};
use crate::thread;

/// The thread of one subtask.
pub(crate) struct SubtaskThread<O: Operator, B> {
    pub(crate) name: String,
    pub(crate) task: TaskId,
    pub(crate) subtask: Subtask,
    pub(crate) inputs: Inputs<O::Batch>,
    pub(crate) outputs: Outputs<O::Output>,
    pub(crate) snapshots: Option<Snapshots<B>>,
    pub(crate) restore: Option<Restore<B>>,
    pub(crate) signals: Sender<Signal>,
}

/// Where and how a subtask writes its snapshots.
pub(crate) struct Snapshots<B> {
    pub(crate) job: u128,
    pub(crate) operator: String,
    pub(crate) storage: B,
    /// They are written before the next record.
    pub(crate) sync: bool,
}

/// What a subtask is restored from.
pub(crate) struct Restore<B> {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) operator: String,
    pub(crate) storage: B,
    pub(crate) policy: RestorePolicy,
}

impl<O: Operator, B: Storage + Clone + Send> SubtaskThread<O, B> {
    /// Makes the operator, loads its states, and processes records until all inputs have ended.
    pub(crate) fn run(
        mut self,
        make: impl FnOnce(Subtask) -> Result<O, O::Error>,
    ) -> Result<(), EngineError> {
        let mut operator = make(self.subtask).map_err(|error| self.failed(error))?;
        let mut loaded = Restored::default();
        if let Some(Restore { manifest, operator: name, storage, policy }) = self.restore.take() {
            let groups = self.subtask.groups;
            let states = operator.states();
            match load_states(&manifest, &name, groups, &storage, policy, states) {
                Ok(all) => loaded = all,
                Err(LoadFailed::Failed(error)) => return Err(error),
                Err(LoadFailed::Damaged(damage)) => {
                    self.signal(Signal::Damaged(damage));
                    return Ok(());
                }
            }
        }
        self.signal(Signal::Ready(loaded));
        let Some(snapshots) = self.snapshots.take() else {
            return self.process(operator, &Abandoned::default(), |_| {});
        };
        self.process_beside(operator, snapshots)
    }

    /// Processes records, and has snapshots written by a thread of their own.
    fn process_beside(self, operator: O, snapshots: Snapshots<B>) -> Result<(), EngineError> {
        let Snapshots { job, operator: name, storage, sync } = snapshots;
        let (task, signals, abandoned) = (self.task, self.signals.clone(), Abandoned::default());
        let given_up = abandoned.clone();
        let mut writer = SnapshotWriter {
            task,
            job,
            operator: name,
            storage,
            abandoned: given_up,
            sync,
            signals: signals.clone(),
        };
        if sync {
            return self.process(operator, &abandoned, |work| writer.write(&work));
        }
        std::thread::scope(|scope| {
            let (sender, receiver) = unbounded();
            let name = format!("snapshots of {}", self.name);
            scope.spawn(move || {
                thread::run(&name, &signals, || {
                    writer.run(&receiver);
                    Ok(())
                });
            });
            let processed = self.process(operator, &abandoned, |work| {
                // A writer that is gone has told why.
                let _ = sender.send(work);
            });
            // Nobody waits for what is not written by now.
            abandoned.up_to(u64::MAX);
            processed
        })
    }

    fn process(
        mut self,
        mut operator: O,
        abandoned: &Abandoned,
        mut save: impl FnMut(Work<<O::States as States>::Error>),
    ) -> Result<(), EngineError> {
        let (mut is_busy, mut clock) = (false, Clock::default());
        loop {
            match self.inputs.next(!is_busy).map_err(EngineError::Barrier)? {
                Input::Batch(source, batch) => {
                    let (outputs, now) = (&mut self.outputs, clock.now());
                    operator.tick(now);
                    let processed = operator.process(source, batch, outputs);
                    processed
                        .and_then(|()| operator.sweep(now))
                        .map_err(|error| self.failed(error))?;
                }
                Input::Checkpoint(barrier) => {
                    if let Some(work) = self.freeze(&mut operator, clock.now(), barrier) {
                        save(work);
                    }
                }
                Input::Ended | Input::Flush => break,
                Input::Gone => return Ok(()),
                Input::Notice(Notice::Aborted(id)) => {
                    abandoned.up_to(id.checkpoint);
                    tell(operator.states(), Notice::Aborted(id));
                }
                Input::Notice(notice) => tell(operator.states(), notice),
                Input::Nothing => {}
            }
            is_busy = operator.work(&mut self.outputs).map_err(|error| self.failed(error))?;
        }
        self.outputs.send(Message::Flush);
        operator.tick(clock.now());
        operator.finish(&mut self.outputs).map_err(|error| self.failed(error))?;
        // First: the job is over once the sink has seen the end of every subtask.
        self.signal(Signal::Counted(operator.counters()));
        self.outputs.send(Message::End);
        Ok(())
    }

    /// Freezes the states: the moment in which no record is processed. Passes the barrier on.
    fn freeze(
        &self,
        operator: &mut O,
        now: i64,
        barrier: Barrier,
    ) -> Option<Work<<O::States as States>::Error>> {
        let since = Instant::now();
        if let Some(base) = barrier.base {
            // It is complete, and the notice that says so may still be under way.
            tell(operator.states(), Notice::Completed(base));
        }
        let cut = Cut {
            checkpoint: barrier.id.checkpoint,
            base: barrier.base.map(|base| base.checkpoint),
            now,
            watermark: operator.watermark(),
        };
        let frozen = freeze(operator.states(), self.subtask.groups, cut);
        let pause = since.elapsed();
        self.outputs.send(Message::Barrier(barrier));
        match frozen {
            Ok(frozen) => {
                let counters = operator.counters();
                Some(Work { barrier, frozen, counters, since, pause })
            }
            Err(error) => {
                self.signal(Signal::Declined(self.task, barrier.id, error.to_string()));
                None
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // Nobody listens any more once the job has failed.
        let _ = self.signals.send(signal);
    }

    fn failed(&self, error: O::Error) -> EngineError {
        EngineError::Operator { subtask: self.subtask.index, error: Box::new(error) }
    }
}

/// Tells every state what became of a checkpoint.
fn tell<S: States>(states: &mut S, notice: Notice) {
    match notice {
        Notice::Aborted(id) => states.aborted(id.checkpoint),
        Notice::Completed(id) => states.completed(id.checkpoint),
    }
}
