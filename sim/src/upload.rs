//! Writes what a task has frozen, step by step, while the task goes on.
//!
//! The core saves in one call. Here its steps are recorded first, and then done one by one, so that
//! the job can crash between any two of them.

use std::collections::VecDeque;
use std::convert::Infallible;

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Report, Target, save};
use holdwater::manifest::SinkEntry;
use holdwater::planted::planted;
use holdwater::snapshot::{FrozenStates, freeze};
use holdwater::storage::{Area, Failure, ObjectId, Reply, Request, Storage};

use crate::in_flight::SINK;
use crate::load::{OPERATOR, Store, StoreError};
use crate::totals::Totals;

/// The job that all files are of.
pub const JOB: u128 = 0x484f_4c44_5741_5445;

/// The part of one task in one checkpoint, on its way to the disk.
#[derive(Debug)]
pub struct Upload {
    barrier: Barrier,
    operator: &'static str,
    /// The number of the file: that of the task, or one that no task has.
    part: u32,
    /// What is reported beside it.
    sinks: Vec<SinkEntry>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Frozen(FrozenStates<StoreError>),
    /// These steps are left; behind them, the report is sent.
    Saved(VecDeque<Request>, Option<Box<Report>>),
}

/// What an upload does next.
#[derive(Debug)]
pub enum Next {
    /// A step of storage, answered by [`Upload::reply`].
    Storage(Request),
    /// It is durable, and is reported.
    Report(Box<Report>),
    /// It cannot be written.
    Decline(String),
    /// There is nothing left to do.
    End,
}

impl Upload {
    /// Begins to write what was frozen at `barrier` by the task with number `part`.
    pub fn new(barrier: Barrier, frozen: FrozenStates<StoreError>, part: u32) -> Self {
        let (operator, sinks) = (OPERATOR, Vec::new());
        Self { barrier, operator, part, sinks, stage: Stage::Frozen(frozen) }
    }

    /// Begins to write what is in flight to the sink, which reports its transactions as well.
    pub const fn of_sink(
        barrier: Barrier,
        frozen: FrozenStates<StoreError>,
        sinks: Vec<SinkEntry>,
    ) -> Self {
        let (operator, part) = (SINK, SINK_PART);
        Self { barrier, operator, part, sinks, stage: Stage::Frozen(frozen) }
    }

    /// Returns the barrier.
    pub const fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    /// Returns what to do next. `totals` is the state as it is now, which only a bug looks at.
    pub fn next(&mut self, totals: Option<&mut Totals<Store>>) -> Next {
        match &mut self.stage {
            Stage::Frozen(frozen) => {
                let live = totals.filter(|_| planted(11));
                let live = live.map(|totals| freeze(totals, frozen.groups(), *frozen.cut()));
                let frozen = live.as_ref().and_then(|live| live.as_ref().ok()).unwrap_or(frozen);
                let target = Target {
                    job: JOB,
                    operator: self.operator,
                    barrier: &self.barrier,
                    part: self.part,
                };
                let mut steps = Steps::default();
                match save(&mut steps, target, frozen, &|| true) {
                    Ok(report) => {
                        let sinks = std::mem::take(&mut self.sinks);
                        let report = Report { sinks, ..report };
                        self.stage = Stage::Saved(steps.0, Some(Box::new(report)));
                        self.next(None)
                    }
                    Err(failure) => {
                        self.give_up();
                        Next::Decline(failure.to_string())
                    }
                }
            }
            Stage::Saved(steps, report) => {
                let is_early = planted(2) && matches!(steps.front(), Some(Request::Sync(_)));
                if (steps.is_empty() || is_early)
                    && let Some(report) = report.take()
                {
                    return Next::Report(report);
                }
                steps.front().cloned().map_or(Next::End, Next::Storage)
            }
        }
    }

    /// Takes the outcome of the step. A file that failed is dead, and the task declines.
    pub fn reply(&mut self, reply: &Reply) -> Option<Next> {
        let Stage::Saved(steps, _) = &mut self.stage else { return None };
        let step = steps.pop_front();
        let is_ignored = planted(21) && matches!(step, Some(Request::Sync(_)));
        if *reply == Reply::Done || is_ignored {
            return None;
        }
        self.give_up();
        Some(Next::Decline("its part could not be written".to_owned()))
    }

    fn give_up(&mut self) {
        self.stage = Stage::Saved(VecDeque::new(), None);
    }
}

/// The steps that saving asks for.
#[derive(Debug, Default)]
struct Steps(VecDeque<Request>);

impl Steps {
    fn record<T>(&mut self, step: Request, outcome: T) -> Result<T, Failure<Infallible>> {
        self.0.push_back(step);
        Ok(outcome)
    }
}

impl Storage for Steps {
    type Error = Infallible;
    type File = ObjectId;

    fn create(&mut self, id: ObjectId) -> Result<ObjectId, Failure<Infallible>> {
        self.record(Request::Create(id), id)
    }

    fn write(&mut self, file: &mut ObjectId, bytes: &[u8]) -> Result<(), Failure<Infallible>> {
        // Blocks of a small state are small: several go into one write.
        if let Some(Request::Write(id, written)) = self.0.back_mut()
            && id == file
            && written.len() + bytes.len() <= WRITE_BYTES_MAX
        {
            written.extend_from_slice(bytes);
            return Ok(());
        }
        self.record(Request::Write(*file, bytes.to_vec()), ())
    }

    fn sync(&mut self, file: ObjectId) -> Result<(), Failure<Infallible>> {
        self.record(Request::Sync(file), ())
    }

    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<Infallible>> {
        self.record(Request::Publish { draft, id }, ())
    }

    fn sync_area(&mut self, area: Area) -> Result<(), Failure<Infallible>> {
        self.record(Request::SyncArea(area), ())
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<Infallible>> {
        self.record(Request::Remove(id), ())
    }

    /// Nothing is there yet.
    fn list(
        &mut self,
        _area: Area,
        _found: &mut dyn FnMut(ObjectId),
    ) -> Result<(), Failure<Infallible>> {
        Ok(())
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<Infallible>> {
        Err(Failure::Missing(id))
    }

    fn read(
        &mut self,
        id: ObjectId,
        _offset: u64,
        _buffer: &mut [u8],
    ) -> Result<usize, Failure<Infallible>> {
        Err(Failure::Missing(id))
    }
}

/// The number of the sink's file, beyond those of all tasks.
const SINK_PART: u32 = 0xffff;

/// How many bytes are written at once. A file takes several writes, and not in whole sectors.
const WRITE_BYTES_MAX: usize = 1500;
