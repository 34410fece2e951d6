//! Writes what a task has frozen, step by step, while the task goes on.

use holdwater::barrier::Barrier;
use holdwater::checkpoint::Report;
use holdwater::manifest::FileEntry;
use holdwater::page::{BlockSize, FileHeader, FileKind, Portable};
use holdwater::planted::planted;
use holdwater::snapshot::{FrozenStates, Saved, freeze};
use holdwater::storage::{ObjectId, Reply, Request};

use crate::load::{OPERATOR, Store, StoreError};
use crate::totals::Totals;

/// The job that all files are of.
pub const JOB: u128 = 0x484f_4c44_5741_5445;

/// The part of one task in one checkpoint, on its way to the disk.
#[derive(Debug)]
pub struct Upload {
    barrier: Barrier,
    frozen: FrozenStates<StoreError>,
    /// The number of the task.
    part: u32,
    attempt: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Save,
    Create(Saved<Vec<u8>>),
    Write(Saved<Vec<u8>>, usize),
    Sync(Saved<Vec<u8>>),
    /// With planted bug 2 alone: acknowledged, and not synced yet.
    SyncLate,
    End,
}

/// What an upload does next.
#[derive(Debug)]
pub enum Next {
    /// A step of storage, answered by [`Upload::reply`].
    Storage(Request),
    /// It is durable, and is reported.
    Report(Report),
    /// It cannot be written.
    Decline(String),
    /// There is nothing left to do.
    End,
}

impl Upload {
    /// Begins to write what was frozen at `barrier` by the task with number `part`.
    pub const fn new(barrier: Barrier, frozen: FrozenStates<StoreError>, part: u32) -> Self {
        Self { barrier, frozen, part, attempt: 0, stage: Stage::Save }
    }

    /// Returns the barrier.
    pub const fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    /// Returns which try this is, counted from 0.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns what to do next. `totals` is the state as it is now, which only a bug looks at.
    pub fn next(&mut self, totals: &mut Totals<Store>) -> Next {
        match std::mem::replace(&mut self.stage, Stage::End) {
            Stage::Save => match self.save(totals) {
                Some(next) => next,
                None => self.next(totals),
            },
            Stage::Create(saved) => {
                let request = Request::Create(self.id());
                self.stage = Stage::Create(saved);
                Next::Storage(request)
            }
            Stage::Write(saved, at) => {
                let end = (at + WRITE_BYTES).min(saved.out.len());
                let request = Request::Write(self.id(), saved.out[at..end].to_vec());
                self.stage = Stage::Write(saved, at);
                Next::Storage(request)
            }
            Stage::Sync(saved) if planted(2) => {
                self.stage = Stage::SyncLate;
                Next::Report(self.report(&saved))
            }
            Stage::Sync(saved) => {
                self.stage = Stage::Sync(saved);
                Next::Storage(Request::Sync(self.id()))
            }
            Stage::SyncLate => {
                self.stage = Stage::SyncLate;
                Next::Storage(Request::Sync(self.id()))
            }
            Stage::End => Next::End,
        }
    }

    /// Takes the outcome of the step; returns the report once everything is durable.
    pub fn reply(&mut self, reply: &Reply) -> Option<Next> {
        let ignores_error = planted(21) && matches!(self.stage, Stage::Sync(_));
        if *reply != Reply::Done && !ignores_error {
            return Some(self.fail());
        }
        self.stage = match std::mem::replace(&mut self.stage, Stage::End) {
            Stage::Create(saved) => Stage::Write(saved, 0),
            Stage::Write(saved, at) if at + WRITE_BYTES < saved.out.len() => {
                Stage::Write(saved, at + WRITE_BYTES)
            }
            Stage::Write(saved, _) => Stage::Sync(saved),
            Stage::Sync(saved) => return Some(Next::Report(self.report(&saved))),
            other => other,
        };
        None
    }

    /// A file that failed is dead. What is frozen is still there: a second file may do.
    fn fail(&mut self) -> Next {
        if self.attempt + 1 < ATTEMPTS {
            self.attempt += 1;
            self.stage = Stage::Save;
            Next::End
        } else {
            self.stage = Stage::End;
            Next::Decline("its part could not be written".to_owned())
        }
    }

    /// Brings what is frozen into the form of a file, unless no file is needed.
    fn save(&mut self, totals: &mut Totals<Store>) -> Option<Next> {
        if planted(11)
            && let Ok(live) = freeze(totals, self.frozen.groups(), *self.frozen.cut())
        {
            self.frozen = live;
        }
        if !self.frozen.has_parts() {
            let mut report = Report::default();
            report.add_states(&self.barrier, None, &self.frozen.report_without_parts());
            return Some(Next::Report(report));
        }
        let ObjectId { checkpoint, epoch, attempt, part, .. } = self.id();
        // Small blocks: a small state has several.
        let (kind, block) = (FileKind::Snapshot, BlockSize::SMALL);
        let header = FileHeader { kind, block, job: JOB, checkpoint, epoch, attempt, part };
        let mut buffer = vec![0; block.bytes()];
        match self.frozen.save(header, OPERATOR, Vec::new(), &mut buffer, Portable) {
            Ok(saved) => {
                self.stage = Stage::Create(saved);
                None
            }
            Err(error) => Some(Next::Decline(error.to_string())),
        }
    }

    fn report(&self, saved: &Saved<Vec<u8>>) -> Report {
        let (length, hash) = (saved.seal.length, saved.seal.hash);
        let mut report = Report::default();
        let file = FileEntry { id: self.id(), length, hash };
        report.add_states(&self.barrier, Some(file), &saved.states);
        report
    }

    fn id(&self) -> ObjectId {
        self.barrier.file(self.attempt, self.part)
    }
}

const ATTEMPTS: u32 = 2;
/// How many bytes are written at once: a file takes several writes, and not in whole sectors.
const WRITE_BYTES: usize = 1500;
