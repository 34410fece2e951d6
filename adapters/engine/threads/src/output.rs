//! The sink: a thread which writes results, and commits them with the checkpoints they belong to.

use crossbeam_channel::Sender;
use holdwater::checkpoint::{Report, TaskId};
use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::sink::{Sink, Transactions, resolve};

use crate::error::EngineError;
use crate::inputs::{Input, Inputs};
use crate::message::{Notice, Signal};
use crate::observer::Phases;

/// The thread of the sink.
pub(crate) struct SinkThread<K: Sink> {
    pub(crate) task: TaskId,
    pub(crate) name: String,
    pub(crate) sink: K,
    pub(crate) inputs: Inputs<K::Batch>,
    /// The newest checkpoint that a transaction was named after.
    pub(crate) newest: CheckpointId,
    pub(crate) transactions: Transactions,
    pub(crate) signals: Sender<Signal>,
}

impl<K: Sink> SinkThread<K> {
    /// Writes results until all subtasks have given theirs, then makes everything visible.
    pub(crate) fn run(mut self) -> Result<(), EngineError> {
        loop {
            match self.inputs.next(true).map_err(EngineError::Barrier)? {
                Input::Batch(_, results) => {
                    self.sink.write(&results).map_err(|error| self.failed(error))?;
                }
                Input::Checkpoint(barrier, _) => self.prepare(barrier.id)?,
                Input::Ended => break,
                Input::Flush => {
                    let sink = &mut self.sink;
                    let drained = self.inputs.drain(|results| sink.write(&results));
                    if !drained.map_err(|error| self.failed(error))? {
                        return Ok(());
                    }
                }
                Input::Gone => return self.stop(),
                Input::Notice(notice) => self.note(notice)?,
                Input::Nothing => {}
            }
        }
        // What follows the last checkpoint is committed under the number that none will have.
        let CheckpointId { checkpoint, epoch } = self.newest;
        let last = CheckpointId { checkpoint: checkpoint + 1, epoch };
        let transaction = self.sink.prepare(last).map_err(|error| self.failed(error))?;
        self.transactions.prepared(last, transaction);
        self.note(Notice::Completed(last))?;
        self.signal(Signal::Finished);
        Ok(())
    }

    fn prepare(&mut self, id: CheckpointId) -> Result<(), EngineError> {
        let transaction = self.sink.prepare(id).map_err(|error| self.failed(error))?;
        self.transactions.prepared(id, transaction);
        self.newest = id;
        let entry = SinkEntry {
            name: self.name.clone(),
            transactions: self.transactions.pending(),
            committed: self.sink.committed(),
        };
        let report = Report { sinks: vec![entry], ..Report::default() };
        self.signal(Signal::Done(self.task, id, report, Phases::default()));
        Ok(())
    }

    fn note(&mut self, notice: Notice) -> Result<(), EngineError> {
        if let Notice::Completed(id) = notice {
            self.transactions.completed(id);
            let resolved = resolve(&mut self.sink, &mut self.transactions);
            resolved.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Commits what completed before the job was stopped, and leaves the rest to the next start.
    fn stop(mut self) -> Result<(), EngineError> {
        while let Some(notice) = self.inputs.last_notice() {
            self.note(notice)?;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        // Nobody listens any more once the job has failed.
        let _ = self.signals.send(signal);
    }

    fn failed(&self, error: K::Error) -> EngineError {
        EngineError::Sink { error: Box::new(error) }
    }
}
