//! A keyed task: applies records to its state, brings barriers together, freezes.

use holdwater::barrier::{Aligner, Backlog, Barrier, BarrierError, Barriers, Guarantee, Step};
use holdwater::key::KeyGroups;
use holdwater::manifest::CheckpointId;
use holdwater::operator;
use holdwater::planted::planted;
use holdwater::snapshot::{FrozenStates, Portion, freeze};
use holdwater::state::{Cut, States};

use crate::channel::{Channel, Delivery, Element};
use crate::in_flight::{self, Taken};
use crate::load::{Begun, Store, StoreError};
use crate::marks::{Mark, Marks};
use crate::output::Row;
use crate::totals::Totals;
use crate::upload::Upload;
use crate::workload::Logs;

/// A task.
#[derive(Debug)]
pub struct Task {
    task: operator::Task,
    groups: KeyGroups,
    totals: Totals<Store>,
    barriers: Barriers,
    aligner: Aligner,
    /// Records that were taken and not applied yet.
    backlog: Backlog<Taken>,
    /// What was frozen of a checkpoint while what is in flight is being logged.
    frozen: Option<(Barrier, FrozenStates<StoreError>)>,
    /// Results that were not sent yet.
    rows: Vec<Row>,
    /// What is being written.
    pub uploads: Vec<Upload>,
    /// The newest checkpoint that the state knows to be complete.
    told: u64,
}

/// Why a task fails.
#[derive(Debug)]
pub enum TaskError {
    /// The channels do not keep order.
    Barrier(BarrierError),
    /// Its state failed.
    State(StoreError),
}

impl From<BarrierError> for TaskError {
    fn from(error: BarrierError) -> Self {
        Self::Barrier(error)
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        Self::State(error)
    }
}

impl Task {
    /// Returns one of the tasks, of `inputs` inputs, which goes on from `begun`.
    pub fn new(
        task: operator::Task,
        (epoch, told): (u64, u64),
        (inputs, barriers): (usize, Barriers),
        begun: Begun,
    ) -> Self {
        let Begun { groups, totals, in_flight } = begun;
        let aligner = Aligner::new(Guarantee::ExactlyOnce, epoch, inputs).with_barriers(barriers);
        let backlog = Backlog::new(Some(in_flight::records()), in_flight);
        let (rows, uploads, frozen) = (Vec::new(), Vec::new(), None);
        Self { task, groups, totals, barriers, aligner, backlog, frozen, rows, uploads, told }
    }

    /// Returns whether the next element of the input may be taken; `can_process` says whether
    /// records can be applied.
    pub fn can_take(&self, input: usize, can_process: bool) -> bool {
        let is_next = can_process && self.backlog.is_empty() && !self.aligner.is_blocked(input);
        is_next || self.aligner.is_logged(input)
    }

    /// Returns whether records were taken that are not applied yet.
    pub fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Returns its state and its groups.
    pub const fn state(&self) -> (&Totals<Store>, KeyGroups) {
        (&self.totals, self.groups)
    }

    /// Returns an upload, and the state as it is now.
    pub fn upload(&mut self, index: usize) -> Option<(&mut Upload, &mut Totals<Store>)> {
        self.uploads.get_mut(index).map(|upload| (upload, &mut self.totals))
    }

    /// Takes the next element of an input. `flush` says to send on the results so far.
    pub fn take(
        &mut self,
        input: usize,
        element: Element,
        logs: &Logs,
        flush: bool,
        out: &mut Channel<Delivery>,
        marks: &mut Marks,
    ) -> Result<(), TaskError> {
        match element {
            Element::Record(offset) if self.aligner.is_logged(input) => {
                let key = logs[input][offset as usize].key;
                self.backlog.put(input as u16, Taken { offset, key });
            }
            Element::Record(offset) => self.apply(input, offset, logs, flush, out)?,
            Element::Barrier(barrier) => self.aligner.barrier(input, barrier)?,
            Element::End => self.aligner.finished(input),
        }
        self.follow(out, marks)
    }

    /// Applies the record that was taken first. `flush` as above.
    pub fn work(
        &mut self,
        logs: &Logs,
        flush: bool,
        out: &mut Channel<Delivery>,
    ) -> Result<(), TaskError> {
        match self.backlog.take() {
            Some((input, Taken { offset, .. })) => {
                self.apply(usize::from(input), offset, logs, flush, out)
            }
            None => Ok(()),
        }
    }

    fn apply(
        &mut self,
        input: usize,
        offset: u32,
        logs: &Logs,
        flush: bool,
        out: &mut Channel<Delivery>,
    ) -> Result<(), TaskError> {
        let record = &logs[input][offset as usize];
        let at = self.groups.locate::<u64>(record.key);
        let value = self.totals.apply(at, record)?;
        self.rows.push(Row { source: input, offset, value });
        if flush {
            self.flush(out);
        }
        Ok(())
    }

    /// Takes note that a checkpoint was begun.
    pub fn announced(
        &mut self,
        (barrier, step): (Barrier, u64),
        out: &mut Channel<Delivery>,
        marks: &mut Marks,
    ) -> Result<(), TaskError> {
        self.aligner.announced(barrier, step);
        self.follow(out, marks)
    }

    /// Takes note of the time.
    pub fn tick(
        &mut self,
        step: u64,
        out: &mut Channel<Delivery>,
        marks: &mut Marks,
    ) -> Result<(), TaskError> {
        self.aligner.tick(step);
        self.follow(out, marks)
    }

    /// Takes note that a checkpoint is complete.
    pub fn completed(&mut self, id: CheckpointId) {
        self.told = self.told.max(id.checkpoint);
        self.totals.completed(id.checkpoint);
    }

    /// Takes note that a checkpoint was given up.
    pub fn aborted(
        &mut self,
        id: CheckpointId,
        out: &mut Channel<Delivery>,
        marks: &mut Marks,
    ) -> Result<(), TaskError> {
        self.aligner.aborted(id);
        self.totals.aborted(id.checkpoint);
        self.follow(out, marks)
    }

    /// Sends on the results so far.
    pub fn flush(&mut self, out: &mut Channel<Delivery>) {
        if !self.rows.is_empty() {
            out.send(Delivery::Rows(std::mem::take(&mut self.rows)));
        }
    }

    /// Returns whether there are results to send on.
    pub fn has_rows(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Does what the aligner says.
    fn follow(&mut self, out: &mut Channel<Delivery>, marks: &mut Marks) -> Result<(), TaskError> {
        while let Some(step) = self.aligner.poll() {
            let log = self.backlog.follow(step);
            match step {
                Step::Abort(id) => {
                    marks.reach(Mark::Overtaken);
                    if self.frozen.take().is_some() {
                        marks.reach(Mark::InFlightAborted);
                    }
                    self.totals.aborted(id.checkpoint);
                }
                Step::Block(_) => marks.reach(Mark::Blocked),
                Step::Checkpoint(barrier) => {
                    let frozen = self.freeze(barrier, out, marks)?;
                    self.save(barrier, frozen, Vec::new())?;
                }
                Step::Overtake(barrier) => {
                    marks.reach(Mark::TakenEarly);
                    if self.has_backlog() {
                        marks.reach(Mark::InFlightAgain);
                    }
                    if self.barriers != Barriers::Unaligned {
                        marks.reach(Mark::TurnedUnaligned);
                    }
                    let frozen = self.freeze(barrier, out, marks)?;
                    self.frozen = Some((barrier, frozen));
                }
                Step::Logged(_) => {
                    let log = log.and_then(Result::ok).expect("records have an encoding");
                    if let Some((barrier, frozen)) = self.frozen.take() {
                        self.save(barrier, frozen, log)?;
                    }
                }
                Step::Unblock => {}
            }
        }
        Ok(())
    }

    /// Freezes its state for a checkpoint, between two records, and passes the barrier on.
    fn freeze(
        &mut self,
        barrier: Barrier,
        out: &mut Channel<Delivery>,
        marks: &mut Marks,
    ) -> Result<FrozenStates<StoreError>, TaskError> {
        if !planted(17) {
            self.flush(out);
        }
        if let Some(base) = barrier.base
            && base.checkpoint > self.told
        {
            marks.reach(Mark::ToldByBarrier);
            self.completed(base);
        }
        let base = barrier.base.map(|base| base.checkpoint);
        let cut = Cut { base, ..in_flight::cut(barrier.id) };
        let frozen = freeze(&mut self.totals, self.groups, cut)?;
        if !frozen.has_parts(Portion::All) {
            marks.reach(Mark::NothingToWrite);
        }
        out.send(Delivery::Barrier(barrier));
        Ok(frozen)
    }

    /// Writes its part of a checkpoint.
    fn save(
        &mut self,
        barrier: Barrier,
        mut frozen: FrozenStates<StoreError>,
        log: Vec<Vec<u8>>,
    ) -> Result<(), TaskError> {
        if in_flight::is_listed(self.barriers) {
            let cut = *frozen.cut();
            frozen = frozen.with(in_flight::frozen(
                in_flight::records(),
                (self.task, self.groups),
                log,
                cut,
            )?);
        }
        self.uploads.push(Upload::new(barrier, frozen, u32::from(self.task.index())));
        Ok(())
    }
}
