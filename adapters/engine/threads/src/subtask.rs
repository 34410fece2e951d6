//! Subtasks: a thread each, which processes the records of its key groups.

use crossbeam_channel::{Sender, unbounded};
use holdwater::barrier::{Barrier, Barriers, Log};
use holdwater::checkpoint::TaskId;
use holdwater::manifest::CheckpointKind;
use holdwater::state::States;
use holdwater::storage::Storage;

use crate::body::{Body, FreezeFailed, Restore};
use crate::error::EngineError;
use crate::inputs::{Input, Inputs};
use crate::message::{Message, Notice, Signal};
use crate::operator::{Operator, Outputs, Subtask};
use crate::outbox::Outbox;
use crate::restore::LoadFailed;
use crate::snapshot::{Abandoned, SnapshotWriter, Work};
use crate::thread;

/// What a subtask has frozen.
type WorkOf<O> = Work<<<O as Operator>::States as States>::Error>;

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
        mut save: impl FnMut(WorkOf<O>),
    ) -> Result<(), EngineError> {
        let holds = self.inputs.barriers() != Barriers::Aligned;
        let (mut outbox, mut outputs) = Outbox::new(self.results.clone(), holds);
        self.inputs.resume(body.take_in_flight());
        let (mut is_busy, mut taken) = (false, None);
        loop {
            let is_behind = outbox.is_behind();
            let input = match is_behind {
                true => self.inputs.next_beside(&mut outbox),
                false => self.inputs.next(!is_busy),
            };
            match input.map_err(EngineError::Barrier)? {
                Input::Batch(source, batch) => body.process(source, batch, &mut outputs)?,
                Input::Checkpoint(barrier, aligned) => {
                    let work = self.freeze(&mut body, barrier, &mut outputs, &mut outbox)?;
                    let work = work.and_then(|work| self.list(work.aligned(aligned), Vec::new()));
                    work.into_iter().for_each(&mut save);
                }
                Input::Logged(log, aligned) => {
                    let work = taken.take().and_then(|work| self.logged(work, log));
                    work.into_iter().for_each(|work| save(work.aligned(aligned)));
                }
                Input::Overtake(barrier) => {
                    taken = self.freeze(&mut body, barrier, &mut outputs, &mut outbox)?;
                }
                Input::Ended | Input::Flush => break,
                Input::Gone => return Ok(()),
                Input::Notice(Notice::Asked(asked)) => body.answer(*asked, &mut outputs)?,
                Input::Notice(notice) => {
                    if let Notice::Aborted(id) = notice {
                        abandoned.up_to(id.checkpoint);
                        taken = taken.filter(|work| work.barrier().id != id);
                    }
                    body.note(notice);
                }
                Input::Nothing => {}
            }
            if !outbox.is_behind() {
                is_busy = body.work(&mut outputs)?;
            }
        }
        // No barrier comes any more.
        let mut outputs = outbox.open();
        outbox.send(Message::Flush);
        let counters = body.finish(&mut outputs)?;
        // First: the job is over once the sink has seen the end of every subtask.
        self.signal(Signal::Counted(counters));
        outbox.send(Message::End);
        Ok(())
    }

    /// Freezes the states, and passes the barrier on.
    fn freeze(
        &self,
        body: &mut Body<O>,
        barrier: Barrier,
        outputs: &mut Outputs<O::Output>,
        outbox: &mut Outbox<O::Output>,
    ) -> Result<Option<WorkOf<O>>, EngineError> {
        let frozen = body.freeze(barrier, outputs);
        outbox.send(Message::Barrier(barrier));
        match frozen {
            Ok(work) => Ok(Some(work)),
            Err(FreezeFailed::Declined(why)) => {
                self.signal(Signal::Declined(self.task, barrier.id, why));
                Ok(None)
            }
            Err(FreezeFailed::Failed(error)) => Err(error),
        }
    }

    /// Adds what is in flight to the part of a checkpoint, or declines it.
    fn logged(&self, work: WorkOf<O>, log: Log) -> Option<WorkOf<O>> {
        match log {
            Ok(log) => self.list(work, log),
            Err(error) => {
                let id = work.barrier().id;
                self.signal(Signal::Declined(self.task, id, error.to_string()));
                None
            }
        }
    }

    /// Lists what is in flight: if any subtask may have some, each says what it has.
    fn list(&self, work: WorkOf<O>, log: Vec<Vec<u8>>) -> Option<WorkOf<O>> {
        let id = work.barrier().id;
        let may_overtake = self.inputs.barriers() != Barriers::Aligned
            && work.barrier().kind == CheckpointKind::Checkpoint;
        let Some(codec) = self.inputs.codec().filter(|_| may_overtake).cloned() else {
            return Some(work);
        };
        let listed = work.with_in_flight(codec, self.subtask, log);
        let declined = |error: <O::States as States>::Error| {
            self.signal(Signal::Declined(self.task, id, error.to_string()));
        };
        listed.map_err(declined).ok()
    }

    fn signal(&self, signal: Signal) {
        // Nobody listens any more once the job has failed.
        let _ = self.signals.send(signal);
    }
}
