//! Subtasks: a thread each, which processes the records of its key groups.

use crossbeam_channel::{Sender, unbounded};
use holdwater::barrier::Barrier;
use holdwater::checkpoint::TaskId;
use holdwater::state::States;
use holdwater::storage::Storage;

use crate::body::{Body, FreezeFailed, Restore};
use crate::error::EngineError;
use crate::inputs::{Input, Inputs};
use crate::message::{Message, Notice, Signal};
use crate::operator::{Operator, Outputs, Subtask};
use crate::restore::LoadFailed;
use crate::snapshot::{Abandoned, SnapshotWriter, Work};
use crate::thread;

/// The thread of one subtask.
pub(crate) struct SubtaskThread<O: Operator, B> {
    pub(crate) name: String,
    pub(crate) task: TaskId,
    pub(crate) subtask: Subtask,
    pub(crate) inputs: Inputs<O::Batch>,
    pub(crate) results: Sender<Message<O::Output>>,
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

impl<O: Operator, B: Storage + Clone + Send> SubtaskThread<O, B> {
    /// Makes the operator, loads its states, and processes records until all inputs have ended.
    pub(crate) fn run(
        mut self,
        make: impl FnOnce(Subtask) -> Result<O, O::Error>,
    ) -> Result<(), EngineError> {
        let body = match Body::load(self.subtask, make, self.restore.take()) {
            Ok((body, loaded)) => {
                self.signal(Signal::Ready(loaded));
                body
            }
            Err(LoadFailed::Failed(error)) => return Err(error),
            Err(LoadFailed::Damaged(damage)) => {
                self.signal(Signal::Damaged(damage));
                return Ok(());
            }
        };
        let Some(snapshots) = self.snapshots.take() else {
            return self.process(body, &Abandoned::default(), |_| {});
        };
        self.process_beside(body, snapshots)
    }

    /// Processes records, and has snapshots written by a thread of their own.
    fn process_beside(self, body: Body<O>, snapshots: Snapshots<B>) -> Result<(), EngineError> {
        let Snapshots { job, operator: name, storage, sync } = snapshots;
        let (task, signals, abandoned) = (self.task, self.signals.clone(), Abandoned::default());
        let (given_up, telling) = (abandoned.clone(), self.signals.clone());
        let mut writer = SnapshotWriter {
            task,
            job,
            operator: name,
            storage,
            abandoned: given_up,
            sync,
            tell: Box::new(move |signal| {
                // Nobody listens any more once the job is over.
                let _ = telling.send(signal);
            }),
        };
        if sync {
            return self.process(body, &abandoned, |work| writer.write(&work));
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
            let processed = self.process(body, &abandoned, |work| {
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
        mut body: Body<O>,
        abandoned: &Abandoned,
        mut save: impl FnMut(Work<<O::States as States>::Error>),
    ) -> Result<(), EngineError> {
        let results = self.results.clone();
        // Without a sink the job has failed: this subtask is about to be told.
        let mut outputs = Outputs::new(move |batch| drop(results.send(Message::Batch(batch))));
        let mut is_busy = false;
        loop {
            match self.inputs.next(!is_busy).map_err(EngineError::Barrier)? {
                Input::Batch(source, batch) => body.process(source, batch, &mut outputs)?,
                Input::Checkpoint(barrier, aligned) => {
                    if let Some(work) = self.freeze(&mut body, barrier, &mut outputs)? {
                        save(work.aligned(aligned));
                    }
                }
                Input::Ended | Input::Flush => break,
                Input::Gone => return Ok(()),
                Input::Notice(Notice::Asked(asked)) => body.answer(*asked, &mut outputs)?,
                Input::Notice(notice) => {
                    if let Notice::Aborted(id) = notice {
                        abandoned.up_to(id.checkpoint);
                    }
                    body.note(notice);
                }
                Input::Nothing => {}
            }
            is_busy = body.work(&mut outputs)?;
        }
        self.send(Message::Flush);
        let counters = body.finish(&mut outputs)?;
        // First: the job is over once the sink has seen the end of every subtask.
        self.signal(Signal::Counted(counters));
        self.send(Message::End);
        Ok(())
    }

    /// Freezes the states, and passes the barrier on.
    fn freeze(
        &self,
        body: &mut Body<O>,
        barrier: Barrier,
        outputs: &mut Outputs<O::Output>,
    ) -> Result<Option<Work<<O::States as States>::Error>>, EngineError> {
        let frozen = body.freeze(barrier, outputs);
        self.send(Message::Barrier(barrier));
        match frozen {
            Ok(work) => Ok(Some(work)),
            Err(FreezeFailed::Declined(why)) => {
                self.signal(Signal::Declined(self.task, barrier.id, why));
                Ok(None)
            }
            Err(FreezeFailed::Failed(error)) => Err(error),
        }
    }

    fn send(&self, message: Message<O::Output>) {
        // Without a sink the job has failed: this subtask is about to be told.
        let _ = self.results.send(message);
    }

    fn signal(&self, signal: Signal) {
        // Nobody listens any more once the job has failed.
        let _ = self.signals.send(signal);
    }
}
