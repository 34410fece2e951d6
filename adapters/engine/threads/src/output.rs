//! The sink: a thread which writes results, and commits them with the checkpoints they belong to.

use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use holdwater::barrier::{Barrier, Log};
use holdwater::checkpoint::{Report, TaskId};
use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::sink::{Sink, Transactions, resolve};
use holdwater::storage::Storage;

use crate::error::EngineError;
use crate::in_flight::SinkFiles;
use crate::inputs::{Input, Inputs};
use crate::message::{Notice, Signal};
use crate::observer::Phases;

/// The thread of the sink.
pub(crate) struct SinkThread<K: Sink, B> {
    pub(crate) task: TaskId,
    pub(crate) name: String,
    pub(crate) sink: K,
    pub(crate) inputs: Inputs<K::Batch>,
    /// The newest checkpoint that a transaction was named after.
    pub(crate) newest: CheckpointId,
    pub(crate) transactions: Transactions,
    pub(crate) signals: Sender<Signal>,
    /// Where what is in flight goes.
    pub(crate) files: Option<SinkFiles<B>>,
}

impl<K: Sink, B: Storage> SinkThread<K, B> {
    /// Writes results until all subtasks have given theirs, then makes everything visible.
    pub(crate) fn run(mut self) -> Result<(), EngineError> {
        let mut prepared = None;
        loop {
            match self.inputs.next(true).map_err(EngineError::Barrier)? {
                Input::Batch(_, results) => {
                    self.sink.write(&results).map_err(|error| self.failed(error))?;
                }
                Input::Checkpoint(barrier, aligned) => {
                    let report = self.prepare(barrier.id)?;
                    self.done(barrier.id, report, Phases { aligned, ..Phases::default() });
                }
                Input::Logged(log, aligned) => {
                    if let Some((barrier, report)) = prepared.take() {
                        self.logged(&barrier, report, log, aligned);
                    }
                }
                Input::Overtake(barrier) => {
                    prepared = Some((barrier, self.prepare(barrier.id)?));
                }
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

    /// Prepares a transaction for a checkpoint; returns what is reported of it.
    fn prepare(&mut self, id: CheckpointId) -> Result<Report, EngineError> {
        let transaction = self.sink.prepare(id).map_err(|error| self.failed(error))?;
        self.transactions.prepared(id, transaction);
        self.newest = id;
        let entry = SinkEntry {
            name: self.name.clone(),
            transactions: self.transactions.pending(),
            committed: self.sink.committed(),
        };
        Ok(Report { sinks: vec![entry], ..Report::default() })
    }

    /// Writes the results in flight, and reports the part of the checkpoint.
    fn logged(&mut self, barrier: &Barrier, report: Report, log: Log, aligned: Duration) {
        let log = log.map_err(|error| error.to_string());
        let in_flight = log.iter().flatten().map(|item| item.len() as u64).sum();
        let begun = Instant::now();
        let saved = log.and_then(|log| match (&mut self.files, self.inputs.codec().cloned()) {
            (Some(files), Some(codec)) if !log.is_empty() => files.save(barrier, codec, log),
            _ => Ok(Report::default()),
        });
        match saved {
            Ok(Report { files, states, .. }) => {
                let report = Report { files, states, ..report };
                let (pause, saved) = (begun.elapsed(), begun.elapsed());
                self.done(barrier.id, report, Phases { aligned, pause, saved, in_flight });
            }
            Err(why) => self.signal(Signal::Declined(self.task, barrier.id, why)),
        }
    }

    fn done(&self, id: CheckpointId, report: Report, phases: Phases) {
        self.signal(Signal::Done(self.task, id, report, phases));
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
