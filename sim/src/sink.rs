//! The sink task: writes results to the output, in transactions that commit with checkpoints.

use holdwater::barrier::{Aligner, Barrier, BarrierError, Guarantee, Step};
use holdwater::checkpoint::Report;
use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::sink::{self, Sink as _, Transactions};

use crate::channel::Delivery;
use crate::marks::{Mark, Marks};
use crate::output::{Output, OutputFailed};

/// The sink task.
#[derive(Clone, Debug)]
pub struct Sink {
    aligner: Aligner,
    transactions: Transactions,
}

/// What the sink tells the coordinator of a checkpoint.
#[derive(Clone, Debug)]
pub enum Part {
    /// It is prepared.
    Ack(CheckpointId, Box<Report>),
    /// It could not be prepared.
    Decline(CheckpointId),
}

/// Why the sink fails.
#[derive(Clone, Copy, Debug)]
pub enum SinkError {
    /// The channels do not keep order.
    Barrier(BarrierError),
    /// The output failed: restored, the sink tries again.
    Output(OutputFailed),
}

impl From<BarrierError> for SinkError {
    fn from(error: BarrierError) -> Self {
        Self::Barrier(error)
    }
}

impl From<OutputFailed> for SinkError {
    fn from(error: OutputFailed) -> Self {
        Self::Output(error)
    }
}

impl Sink {
    /// Returns the sink of `inputs` tasks.
    pub fn new(epoch: u64, inputs: usize) -> Self {
        let aligner = Aligner::new(Guarantee::ExactlyOnce, epoch, inputs);
        Self { aligner, transactions: Transactions::new() }
    }

    /// Returns whether nothing may be taken from the input.
    pub fn is_blocked(&self, input: usize) -> bool {
        self.aligner.is_blocked(input)
    }

    /// Returns whether every transaction is committed.
    pub fn is_resolved(&self) -> bool {
        self.transactions.pending().is_empty()
    }

    /// Takes the next delivery of an input; returns its part of a checkpoint, if it was due.
    pub fn take(
        &mut self,
        input: usize,
        delivery: Delivery,
        output: &mut Output,
        marks: &mut Marks,
    ) -> Result<Option<Part>, SinkError> {
        match delivery {
            Delivery::Rows(rows) => output.write(&rows)?,
            Delivery::Barrier(barrier) => self.aligner.barrier(input, barrier)?,
        }
        let mut part = None;
        while let Some(step) = self.aligner.poll() {
            match step {
                Step::Abort(_) => marks.reach(Mark::Overtaken),
                Step::Block(_) => marks.reach(Mark::Blocked),
                Step::Checkpoint(barrier) => part = Some(self.checkpoint(&barrier, output)?),
                Step::Unblock => {}
            }
        }
        Ok(part)
    }

    /// Takes note that a checkpoint is complete.
    pub fn completed(&mut self, id: CheckpointId, output: &mut Output) -> Result<(), OutputFailed> {
        self.transactions.completed(id);
        sink::resolve(output, &mut self.transactions)
    }

    /// Takes note that a checkpoint was given up.
    pub fn aborted(&mut self, id: CheckpointId) {
        self.aligner.aborted(id);
        // What it forgets, nobody else holds.
        while self.aligner.poll().is_some() {}
    }

    fn checkpoint(&mut self, barrier: &Barrier, output: &mut Output) -> Result<Part, OutputFailed> {
        let id = barrier.id;
        let Ok(transaction) = output.prepare(id) else { return Ok(Part::Decline(id)) };
        self.transactions.prepared(id, transaction);
        sink::resolve(output, &mut self.transactions)?;
        let (transactions, committed) = (self.transactions.pending(), output.committed());
        let entry = SinkEntry { name: "out".to_owned(), transactions, committed };
        Ok(Part::Ack(id, Box::new(Report { sinks: vec![entry], ..Report::default() })))
    }
}
