//! A keyed task: applies records to its state, aligns barriers, freezes.

use holdwater::barrier::{Aligner, Barrier, BarrierError, Guarantee, Step};
use holdwater::key::KeyGroups;
use holdwater::manifest::CheckpointId;
use holdwater::planted::planted;
use holdwater::snapshot::{Portion, freeze};
use holdwater::state::{Cut, States};

use crate::channel::{Channel, Delivery, Element};
use crate::load::{Store, StoreError};
use crate::marks::{Mark, Marks};
use crate::output::Row;
use crate::totals::Totals;
use crate::upload::Upload;
use crate::workload::Logs;

/// A task.
#[derive(Debug)]
pub struct Task {
    index: usize,
    groups: KeyGroups,
    totals: Totals<Store>,
    aligner: Aligner,
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
    /// Returns the task with that number, of `inputs` inputs, which has `totals`.
    pub fn new(
        index: usize,
        epoch: u64,
        inputs: usize,
        groups: KeyGroups,
        totals: Totals<Store>,
        told: u64,
    ) -> Self {
        let aligner = Aligner::new(Guarantee::ExactlyOnce, epoch, inputs);
        Self { index, groups, totals, aligner, rows: Vec::new(), uploads: Vec::new(), told }
    }

    /// Returns whether nothing may be taken from the input.
    pub fn is_blocked(&self, input: usize) -> bool {
        self.aligner.is_blocked(input)
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
            Element::Record(offset) => {
                let record = &logs[input][offset as usize];
                let at = self.groups.locate::<u64>(record.key);
                let value = self.totals.apply(at, record)?;
                self.rows.push(Row { source: input, offset, value });
                if flush {
                    self.flush(out);
                }
            }
            Element::Barrier(barrier) => self.aligner.barrier(input, barrier)?,
            Element::End => self.aligner.finished(input),
        }
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
            match step {
                Step::Abort(id) => {
                    marks.reach(Mark::Overtaken);
                    self.totals.aborted(id.checkpoint);
                }
                Step::Block(_) => marks.reach(Mark::Blocked),
                Step::Checkpoint(barrier) => self.checkpoint(barrier, out, marks)?,
                Step::Unblock => {}
            }
        }
        Ok(())
    }

    /// Takes its part of a checkpoint, between two records.
    fn checkpoint(
        &mut self,
        barrier: Barrier,
        out: &mut Channel<Delivery>,
        marks: &mut Marks,
    ) -> Result<(), TaskError> {
        if !planted(17) {
            self.flush(out);
        }
        if let Some(base) = barrier.base
            && base.checkpoint > self.told
        {
            marks.reach(Mark::ToldByBarrier);
            self.completed(base);
        }
        let cut = Cut {
            checkpoint: barrier.id.checkpoint,
            base: barrier.base.map(|base| base.checkpoint),
            now: 0,
            watermark: 0,
        };
        let frozen = freeze(&mut self.totals, self.groups, cut)?;
        if !frozen.has_parts(Portion::All) {
            marks.reach(Mark::NothingToWrite);
        }
        out.send(Delivery::Barrier(barrier));
        self.uploads.push(Upload::new(barrier, frozen, self.index as u32));
        Ok(())
    }
}
