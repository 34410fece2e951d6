//! Takes checkpoints, one at a time.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::assemble::Assembly;
use super::clean::{self, Clean, Warning};
use super::job::Job;
use super::publish::{self, Halt, Publish};
use super::report::{Report, TaskId};
use super::retention::Retention;
use super::{Abort, Command};
use crate::barrier::Barrier;
use crate::manifest::{CheckpointId, CheckpointKind, Manifest, Origin};
use crate::planted::planted;
use crate::storage::{Reply, Request};

/// How checkpoints are taken and kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// How many checkpoints are kept; 1 at least.
    pub retain: usize,
    /// Every that-many-th checkpoint is full; with 1 each is. Bounds how deep files are shared.
    pub full_every: u32,
}

/// Where a job stands when it starts: what recovery found, for the coordinator to go on from.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The epoch that was begun.
    pub epoch: u64,
    /// What it was started from.
    pub origin: Origin,
    /// The number of the first checkpoint to take.
    pub next: u64,
    /// The checkpoint that was restored, if any: from this directory, or imported.
    pub restored: Option<Manifest>,
    /// The complete checkpoints newer than the restored one, which were passed over: outputs may be
    /// committed beyond it.
    pub skipped: Vec<super::Skipped>,
    /// The first checkpoint must be full: nothing in this directory is its base, or the driver
    /// found that keys or rows are encoded in another way.
    pub full: bool,
    /// What the directory holds of this lineage.
    pub retention: Retention,
}

impl Recovered {
    /// Stands in `epoch` where `restored` is the only checkpoint of the directory; without one at
    /// the beginning of a job. One checkpoint is retained.
    pub fn from(epoch: u64, restored: Option<Manifest>) -> Self {
        let mut retention = Retention::new(epoch, 1);
        let (mut origin, mut next) = (Origin::Fresh, 1);
        if let Some(manifest) = &restored {
            retention.retain(manifest);
            (origin, next) = (Origin::Restored(manifest.id), manifest.id.checkpoint + 1);
        }
        Self { epoch, origin, next, restored, skipped: Vec::new(), full: false, retention }
    }
}

/// Why no checkpoint is taken now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// One is under way.
    Busy,
    /// The job halts.
    Halted,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "a checkpoint is under way: wait until it ends",
            Self::Halted => "the job halts: recover it in a new epoch",
        })
    }
}

impl core::error::Error for Refused {}

/// Takes checkpoints, one at a time: collects what tasks acknowledge, publishes, cleans up.
///
/// After each input, carry out what [`poll`](Self::poll) returns until it returns nothing.
#[derive(Clone, Debug)]
pub struct Coordinator {
    config: Config,
    job: Job,
    epoch: u64,
    origin: Origin,
    next: u64,
    /// The newest complete checkpoint of the lineage, and the base of the next.
    newest: Option<Manifest>,
    full: bool,
    retention: Retention,
    pending: Option<Pending>,
    /// Files of this epoch up to this checkpoint are needed by complete checkpoints or by none.
    settled: u64,
    work: Work,
    /// The request that is being carried out.
    asked: Option<Request>,
    commands: VecDeque<Command>,
    halted: bool,
}

#[derive(Clone, Debug)]
struct Pending {
    barrier: Barrier,
    created_ms: u64,
    reports: BTreeMap<TaskId, Report>,
}

#[derive(Clone, Debug)]
enum Work {
    Clean(Clean),
    Idle,
    Publish(Publish),
}

impl Coordinator {
    /// Goes on from what was recovered.
    ///
    /// # Panics
    ///
    /// If `config` keeps no checkpoint or takes none in full.
    pub fn new(config: Config, job: Job, recovered: Recovered) -> Self {
        assert!(config.retain > 0 && config.full_every > 0, "retain and full_every are at least 1");
        let Recovered { epoch, origin, next, restored, full, retention, .. } = recovered;
        // A checkpoint of another directory is no parent here.
        let newest = restored.filter(|restored| origin == Origin::Restored(restored.id));
        Self {
            config,
            job,
            epoch,
            origin,
            next,
            newest,
            full,
            retention,
            pending: None,
            settled: 0,
            work: Work::Idle,
            asked: None,
            commands: VecDeque::new(),
            halted: false,
        }
    }

    /// Begins a checkpoint; `now_ms` is kept for the user to see.
    ///
    /// A savepoint is full, and is never removed. Its numbers are those of the checkpoints.
    pub fn trigger(&mut self, kind: CheckpointKind, now_ms: u64) -> Result<CheckpointId, Refused> {
        if self.halted {
            return Err(Refused::Halted);
        }
        if self.pending.is_some() || matches!(self.work, Work::Publish(_)) {
            return Err(Refused::Busy);
        }
        let id = CheckpointId { checkpoint: self.next, epoch: self.epoch };
        self.next += 1;
        let barrier = Barrier { id, kind, base: self.base(kind) };
        self.pending = Some(Pending { barrier, created_ms: now_ms, reports: BTreeMap::new() });
        self.commands.push_back(Command::Barrier(barrier));
        Ok(id)
    }

    /// Takes the acknowledgement of a task. One that is late, repeated, of another epoch or of a
    /// task that the job does not have changes nothing.
    pub fn ack(&mut self, mut task: TaskId, id: CheckpointId, mut report: Report) {
        if !self.is_pending(id) || !self.tasks().any(|known| known == task) {
            return;
        }
        let missing = self.tasks().find(|task| !self.has_report(*task));
        if let Some(missing) = missing.filter(|_| planted(8) && self.has_report(task)) {
            // Counted: the task is heard twice, and another not at all.
            (task, report) = (missing, Report::default());
        }
        if let Some(pending) = &mut self.pending {
            pending.reports.entry(task).or_insert(report);
        }
        self.advance();
    }

    /// Gives up a checkpoint whose tasks have taken too long ([`Schedule`](super::Schedule)). One
    /// that is being published already goes on.
    pub fn expire(&mut self, id: CheckpointId) {
        if !self.is_pending(id) {
            return;
        }
        let missing = self.tasks().filter(|task| !self.has_report(*task));
        let (first, tasks) = (missing.clone().next(), missing.count());
        if let Some(task) = first {
            self.abort(Abort::TimedOut { task, tasks });
            self.advance();
        }
    }

    /// Takes note that a task cannot take its part of a checkpoint.
    pub fn decline(&mut self, task: TaskId, id: CheckpointId, reason: String) {
        if self.is_pending(id) {
            self.abort(Abort::Declined { task, reason });
            self.advance();
        }
    }

    /// Takes note that a task failed: the job halts, and whatever was under way is found again, or
    /// not, by the recovery.
    pub fn task_failed(&mut self, task: TaskId) {
        self.halt(Halt::Task(task));
    }

    /// Takes the outcome of the storage request that was polled last.
    ///
    /// # Panics
    ///
    /// If no request was polled.
    pub fn reply(&mut self, reply: Reply) {
        let Some(request) = self.asked.take() else { panic!("a reply answers a request") };
        if self.halted {
            return;
        }
        match &mut self.work {
            Work::Idle => {}
            Work::Publish(publish) => match publish.reply(request, &reply) {
                publish::Progress::Next => {}
                publish::Progress::Abort(why) => self.give_up_publication(why),
                publish::Progress::Complete => self.complete(),
                publish::Progress::Halt(why) => self.halt(why),
            },
            Work::Clean(clean) => match clean.reply(request, reply, &mut self.retention) {
                clean::Progress::Next => {}
                clean::Progress::Warn(request) => self.warn(request),
                clean::Progress::WarnAndDone(request) => {
                    self.warn(request);
                    self.work = Work::Idle;
                }
                clean::Progress::Done => self.work = Work::Idle,
                clean::Progress::Halt(why) => self.halt(why),
            },
        }
        self.advance();
    }

    /// Returns what to do next; `None` until the next input.
    pub fn poll(&mut self) -> Option<Command> {
        if let Some(command) = self.commands.pop_front() {
            return Some(command);
        }
        if self.halted || self.asked.is_some() {
            return None;
        }
        let request = match &mut self.work {
            Work::Idle => return None,
            Work::Publish(publish) => publish.request(),
            Work::Clean(clean) => clean.request(),
        };
        self.asked = Some(request.clone());
        Some(Command::Storage(request))
    }

    /// Returns the newest complete checkpoint of the lineage.
    pub const fn newest(&self) -> Option<&Manifest> {
        self.newest.as_ref()
    }

    /// Returns the checkpoint under way: its barriers are out, or it is being published.
    pub fn under_way(&self) -> Option<CheckpointId> {
        match (&self.pending, &self.work) {
            (Some(pending), _) => Some(pending.barrier.id),
            (None, Work::Publish(publish)) => Some(publish.manifest().id),
            _ => None,
        }
    }

    /// Returns whether nothing is under way, clean-up included.
    pub fn is_idle(&self) -> bool {
        self.pending.is_none() && matches!(self.work, Work::Idle) && self.commands.is_empty()
    }

    /// Returns what is retained.
    pub const fn retention(&self) -> &Retention {
        &self.retention
    }

    fn base(&self, kind: CheckpointKind) -> Option<CheckpointId> {
        let base = self.newest.as_ref().filter(|_| !self.full)?;
        let is_due = base.depth.saturating_add(1) >= self.config.full_every;
        (kind == CheckpointKind::Checkpoint && !is_due).then_some(base.id)
    }

    fn tasks(&self) -> impl Iterator<Item = TaskId> + Clone {
        let operators = (0..).zip(&self.job.operators);
        operators.flat_map(|(operator, shape)| {
            (0..shape.parallelism).map(move |index| TaskId { operator, index })
        })
    }

    fn has_report(&self, task: TaskId) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.reports.contains_key(&task))
    }

    fn is_pending(&self, id: CheckpointId) -> bool {
        self.pending.as_ref().is_some_and(|pending| {
            let barrier = pending.barrier.id;
            (id.epoch == barrier.epoch || planted(15))
                && (id.checkpoint == barrier.checkpoint || planted(9))
        })
    }

    /// Tells of broadcast maps that are not the same in each task.
    fn warn_of_copies(&mut self, manifest: &Manifest) {
        for operator in &manifest.operators {
            for state in operator.states.iter().filter(|state| state.copies() > 1) {
                let (copies, state) = (state.copies(), state.name.clone());
                let operator = operator.name.clone();
                let warning = Warning::UnlikeCopies { operator, state, copies };
                self.commands.push_back(Command::Warn(warning));
            }
        }
    }

    /// Publishes the pending checkpoint if all tasks acknowledged it and nothing else is at work.
    fn advance(&mut self) {
        if self.halted || !matches!(self.work, Work::Idle) {
            return;
        }
        if !self.tasks().all(|task| self.has_report(task)) {
            return;
        }
        let Some(Pending { barrier, created_ms, reports }) = self.pending.take() else { return };
        let assembly = Assembly {
            job: &self.job,
            origin: self.origin,
            barrier,
            created_ms,
            reports: &reports,
            newest: self.newest.as_ref(),
        };
        match assembly.manifest() {
            Ok(manifest) => {
                self.warn_of_copies(&manifest);
                self.work = Work::Publish(Publish::new(manifest));
            }
            Err(refusal) => self.settle_aborted(barrier.id, Abort::Refused(refusal), None),
        }
    }

    fn complete(&mut self) {
        let Work::Publish(publish) = core::mem::replace(&mut self.work, Work::Idle) else { return };
        let manifest = publish.into_manifest();
        self.commands.push_back(Command::Completed(manifest.id));
        self.settled = manifest.id.checkpoint;
        self.retention.retain(&manifest);
        self.full = false;
        self.newest = Some(manifest);
        let victims = self.retention.victims(self.config.retain);
        self.work = Work::Clean(Clean::new(None, victims, self.settled));
    }

    fn give_up_publication(&mut self, why: Abort) {
        let Work::Publish(publish) = core::mem::replace(&mut self.work, Work::Idle) else { return };
        let id = publish.manifest().id;
        self.settle_aborted(id, why, Some(id));
    }

    fn abort(&mut self, why: Abort) {
        if let Some(pending) = self.pending.take() {
            self.settle_aborted(pending.barrier.id, why, None);
        }
    }

    /// Nothing needs what was written for the checkpoint: its place may be what is missing.
    fn settle_aborted(&mut self, id: CheckpointId, why: Abort, draft: Option<CheckpointId>) {
        self.commands.push_back(Command::Aborted(id, why));
        self.settled = id.checkpoint;
        if matches!(self.work, Work::Idle) {
            let drafts = draft.map(CheckpointId::draft);
            self.work = Work::Clean(Clean::new(drafts, Vec::new(), self.settled));
        }
    }

    fn warn(&mut self, request: Request) {
        self.commands.push_back(Command::Warn(Warning::NotCleaned(request)));
    }

    fn halt(&mut self, why: Halt) {
        if !self.halted {
            self.halted = true;
            self.pending = None;
            self.commands.push_back(Command::Halt(why));
        }
    }
}
