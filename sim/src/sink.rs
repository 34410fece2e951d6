//! The sink task: writes results to the output, in transactions that commit with checkpoints.

use holdwater::barrier::{Aligner, Backlog, Barrier, BarrierError, Barriers, Guarantee, Step};
use holdwater::checkpoint::Report;
use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::operator::Task;
use holdwater::sink::{self, Sink as _, Transactions};

use crate::channel::Delivery;
use crate::in_flight;
use crate::marks::{Mark, Marks};
use crate::output::{Output, OutputFailed, Row};
use crate::upload::Upload;

/// The sink task.
#[derive(Debug)]
pub struct Sink {
    /// All key groups of the job.
    groups: KeyGroups,
    barriers: Barriers,
    aligner: Aligner,
    /// Results that were taken and not written yet.
    backlog: Backlog<Row>,
    /// What was prepared for a checkpoint while what is in flight is being logged.
    prepared: Option<(Barrier, SinkEntry)>,
    transactions: Transactions,
    /// What is being written of what is in flight.
    pub uploads: Vec<Upload>,
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
    /// Returns the sink of `inputs` tasks, to which these results were in flight.
    pub fn new(
        epoch: u64,
        inputs: usize,
        (groups, barriers): (KeyGroups, Barriers),
        in_flight: Vec<Row>,
    ) -> Self {
        let aligner = Aligner::new(Guarantee::ExactlyOnce, epoch, inputs).with_barriers(barriers);
        let in_flight = in_flight.into_iter().map(|row| (0, row)).collect();
        let backlog = Backlog::new(Some(in_flight::results()), in_flight);
        let (transactions, uploads) = (Transactions::new(), Vec::new());
        Self { groups, barriers, aligner, backlog, prepared: None, transactions, uploads }
    }

    /// Returns whether the next delivery of the input may be taken; `can_write` says whether
    /// results can be written.
    pub fn can_take(&self, input: usize, can_write: bool) -> bool {
        let is_next = can_write && self.backlog.is_empty() && !self.aligner.is_blocked(input);
        is_next || self.aligner.is_logged(input)
    }

    /// Returns whether results were taken that are not written yet.
    pub fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
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
            Delivery::Rows(rows) if self.aligner.is_logged(input) => {
                rows.into_iter().for_each(|row| self.backlog.put(input as u16, row));
            }
            Delivery::Rows(rows) => output.write(&rows)?,
            Delivery::Barrier(barrier) => self.aligner.barrier(input, barrier)?,
        }
        Ok(self.follow(output, marks)?)
    }

    /// Writes the result that was taken first.
    pub fn work(&mut self, output: &mut Output) -> Result<(), OutputFailed> {
        self.backlog.take().map_or(Ok(()), |(_, row)| output.write(&vec![row]))
    }

    /// Takes note that a checkpoint was begun; returns its part of it, if it was due.
    pub fn announced(
        &mut self,
        (barrier, step): (Barrier, u64),
        output: &mut Output,
        marks: &mut Marks,
    ) -> Result<Option<Part>, OutputFailed> {
        self.aligner.announced(barrier, step);
        self.follow(output, marks)
    }

    /// Takes note of the time; returns its part of a checkpoint, if it was due.
    pub fn tick(
        &mut self,
        step: u64,
        output: &mut Output,
        marks: &mut Marks,
    ) -> Result<Option<Part>, OutputFailed> {
        self.aligner.tick(step);
        self.follow(output, marks)
    }

    /// Does what the aligner says.
    fn follow(
        &mut self,
        output: &mut Output,
        marks: &mut Marks,
    ) -> Result<Option<Part>, OutputFailed> {
        let mut part = None;
        while let Some(step) = self.aligner.poll() {
            let log = self.backlog.follow(step);
            match step {
                Step::Abort(_) => {
                    marks.reach(Mark::Overtaken);
                    self.prepared = None;
                }
                Step::Block(_) => marks.reach(Mark::Blocked),
                Step::Checkpoint(barrier) => match self.prepare(&barrier, output)? {
                    None => part = Some(Part::Decline(barrier.id)),
                    Some(entry) if in_flight::is_listed(self.barriers) => {
                        self.upload(barrier, entry, Vec::new());
                    }
                    Some(entry) => {
                        let report = Report { sinks: vec![entry], ..Report::default() };
                        part = Some(Part::Ack(barrier.id, Box::new(report)));
                    }
                },
                Step::Overtake(barrier) => {
                    marks.reach(Mark::TakenEarly);
                    match self.prepare(&barrier, output)? {
                        None => part = Some(Part::Decline(barrier.id)),
                        Some(entry) => self.prepared = Some((barrier, entry)),
                    }
                }
                Step::Logged(_) => {
                    let log = log.and_then(Result::ok).expect("results have an encoding");
                    if let Some((barrier, entry)) = self.prepared.take() {
                        self.upload(barrier, entry, log);
                    }
                }
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
    pub fn aborted(
        &mut self,
        id: CheckpointId,
        output: &mut Output,
        marks: &mut Marks,
    ) -> Result<(), OutputFailed> {
        self.aligner.aborted(id);
        self.follow(output, marks).map(drop)
    }

    /// Prepares a transaction for a checkpoint; returns what is reported, unless that fails.
    fn prepare(
        &mut self,
        barrier: &Barrier,
        output: &mut Output,
    ) -> Result<Option<SinkEntry>, OutputFailed> {
        let id = barrier.id;
        let Ok(transaction) = output.prepare(id) else { return Ok(None) };
        self.transactions.prepared(id, transaction);
        sink::resolve(output, &mut self.transactions)?;
        let (transactions, committed) = (self.transactions.pending(), output.committed());
        Ok(Some(SinkEntry { name: "out".to_owned(), transactions, committed }))
    }

    /// Writes what is in flight.
    fn upload(&mut self, barrier: Barrier, entry: SinkEntry, log: Vec<Vec<u8>>) {
        let cut = in_flight::cut(barrier.id);
        let whose = (Task::new(0, 1), self.groups);
        let frozen = in_flight::frozen(in_flight::results(), whose, log, cut);
        let frozen = frozen.expect("what is in flight is in memory");
        self.uploads.push(Upload::of_sink(barrier, frozen, vec![entry]));
    }
}
