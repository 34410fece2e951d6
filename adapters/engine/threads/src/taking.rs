//! Takes checkpoints: when one is begun, and what is known of the one under way.

use std::error::Error;
use std::time::{Duration, Instant};

use holdwater::checkpoint::{
    Abort, Command, Coordinator, Pace, Performer, Report, Schedule, TaskId,
};
use holdwater::manifest::{CheckpointId, CheckpointKind, Manifest};
use holdwater::operator::IN_FLIGHT;
use holdwater::storage::{Request, Storage};

use crate::clock;
use crate::observer::{Completed, Phases};
use crate::options::{Checkpoints, Every};
use crate::place::{KEYED, SINK, SOURCES};
use crate::rows::RowCount;

/// The core's coordinator, its storage and its clock.
pub(crate) struct Taking<B: Storage> {
    coordinator: Coordinator,
    performer: Performer<B>,
    every: Every,
    stop_within: Duration,
    /// When this run was begun: the schedule counts from then.
    since: Instant,
    schedule: Schedule,
    /// When the last checkpoint was begun.
    begun: Instant,
    under_way: Option<Completed>,
    /// How many rows were read when the newest complete checkpoint was begun.
    covered: Option<u64>,
    last_begun: bool,
    /// A savepoint is asked for.
    is_asked: bool,
    count: u64,
    pause: Duration,
    /// What the job counted before this run.
    counters: Vec<(String, u64)>,
}

/// What became of the last checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Last {
    /// It is under way, or not to be taken yet.
    Awaited,
    /// A checkpoint was begun: there is something to carry out.
    Begun,
    /// It is complete, was given up, or is not needed.
    Over,
}

impl<B: Storage> Taking<B> {
    pub(crate) fn new(
        coordinator: Coordinator,
        performer: Performer<B>,
        checkpoints: &Checkpoints<B>,
        restored: Option<&Manifest>,
        partial: bool,
        rows: &RowCount,
    ) -> Self {
        if let Every::Rows(count) = checkpoints.every {
            rows.set_due(count);
        }
        Self {
            // One of another directory has yet to be made one of this, and one of which groups were
            // left out one that has none.
            covered: coordinator.newest().filter(|_| !partial).and_then(|it| covered(it, 0)),
            coordinator,
            performer,
            every: checkpoints.every,
            stop_within: checkpoints.stop_within,
            since: Instant::now(),
            schedule: Schedule::new(pace(checkpoints), 0),
            begun: Instant::now(),
            under_way: None,
            last_begun: false,
            is_asked: false,
            count: 0,
            pause: Duration::ZERO,
            counters: restored.map(|manifest| manifest.counters.clone()).unwrap_or_default(),
        }
    }

    /// Begins a checkpoint if one is due, none is under way, and anything was read since the last.
    pub(crate) fn begin_if_due(&mut self, rows: &RowCount) -> Last {
        if self.under_way.is_some() {
            return self.await_tasks();
        }
        let now = self.now();
        if self.is_asked {
            self.is_asked = false;
            return self.begin(CheckpointKind::Savepoint, rows);
        }
        let is_due = match self.every {
            Every::Interval(_) => self.schedule.is_due(now),
            Every::Rows(_) => rows.is_due() && self.schedule.may_begin(now),
        };
        if !is_due {
            return Last::Awaited;
        }
        if self.covered == Some(rows.get()) {
            self.schedule.postpone(now);
            return Last::Awaited;
        }
        self.begin(CheckpointKind::Checkpoint, rows)
    }

    /// Takes note that a savepoint is asked for.
    pub(crate) const fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Begins the last checkpoint once none is under way, unless it would hold nothing new: no row,
    /// and no other of the `positions` that are known. A source may have to tell of its end.
    ///
    /// A savepoint, or one that is still asked for, is taken whatever it holds.
    pub(crate) fn begin_last(
        &mut self,
        mut kind: CheckpointKind,
        rows: &RowCount,
        positions: &[Option<Vec<u8>>],
    ) -> Last {
        if self.is_asked {
            kind = CheckpointKind::Savepoint;
        }
        let is_needless = kind == CheckpointKind::Checkpoint
            && self.covered == Some(rows.get())
            && self.has(positions);
        if self.under_way.is_some() {
            self.await_tasks()
        } else if self.last_begun || is_needless {
            Last::Over
        } else {
            (self.last_begun, self.is_asked) = (true, false);
            self.begin(kind, rows)
        }
    }

    /// Returns the time until a checkpoint is due, `most` at most.
    pub(crate) fn due_in(&self, most: Duration) -> Duration {
        let due = self.schedule.due_in(self.now());
        due.map_or(most, |due| Duration::from_millis(due).min(most))
    }

    pub(crate) fn poll(&mut self) -> Option<Command> {
        self.coordinator.poll()
    }

    pub(crate) fn perform(&mut self, request: &Request) {
        let reply = self.performer.perform(request);
        self.coordinator.reply(reply);
    }

    /// Takes what a task did for the checkpoint.
    pub(crate) fn ack(
        &mut self,
        task: TaskId,
        id: CheckpointId,
        mut report: Report,
        phases: Phases,
    ) {
        if let Some(under_way) = self.under_way.as_mut().filter(|under_way| under_way.id == id) {
            under_way.bytes += report.files.iter().map(|file| file.length).sum::<u64>();
            under_way.phases = under_way.phases.longest(phases);
        }
        if task.operator == SINK {
            // There is one sink: what was counted before is counted once.
            report.counters.extend(self.counters.iter().cloned());
        }
        self.coordinator.ack(task, id, report);
    }

    pub(crate) fn decline(&mut self, task: TaskId, id: CheckpointId, why: String) {
        self.coordinator.decline(task, id, why);
    }

    /// Takes note that the checkpoint under way was given up; says why, and whether the job bears
    /// that.
    pub(crate) fn aborted(&mut self, why: &Abort) -> (String, bool) {
        self.under_way = None;
        let goes_on = self.schedule.failed(self.now());
        let why = match why {
            Abort::Declined { task, reason } => match task.operator {
                KEYED => format!("subtask {}: {reason}", task.index),
                _ => reason.clone(),
            },
            Abort::TimedOut { task, .. } => format!("{} took too long", name(*task)),
            why => match self.take_error() {
                Some(error) => format!("{why}: {error}"),
                None => why.to_string(),
            },
        };
        (why, goes_on)
    }

    /// Takes note that the checkpoint under way is complete.
    pub(crate) fn completed(&mut self) -> Option<Completed> {
        let under_way = self.under_way.take()?;
        self.schedule.completed(self.now());
        let completed = Completed { duration: self.begun.elapsed(), ..under_way };
        self.covered = self.newest().and_then(|newest| covered(newest, completed.rows));
        self.count += 1;
        self.pause = self.pause.max(completed.phases.pause);
        Some(completed)
    }

    /// Returns what the storage said to the last step, if it failed.
    pub(crate) fn take_error(&mut self) -> Option<Box<dyn Error + Send + Sync>> {
        self.performer.take_error().map(|error| Box::new(error) as _)
    }

    pub(crate) const fn stop_within(&self) -> Duration {
        self.stop_within
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) const fn pause(&self) -> Duration {
        self.pause
    }

    pub(crate) const fn newest(&self) -> Option<&Manifest> {
        self.coordinator.newest()
    }

    /// Gives up the checkpoint under way if its tasks take too long.
    fn await_tasks(&mut self) -> Last {
        let overdue = self.under_way.filter(|_| self.schedule.is_overdue(self.now()));
        let Some(Completed { id, .. }) = overdue else { return Last::Awaited };
        self.coordinator.expire(id);
        // One that is being published goes on, and there is nothing to carry out.
        if self.coordinator.under_way() == Some(id) { Last::Awaited } else { Last::Begun }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn has(&self, positions: &[Option<Vec<u8>>]) -> bool {
        let held = self.newest().into_iter().flat_map(|manifest| &manifest.sources);
        held.zip(positions)
            .all(|(held, known)| known.as_ref().is_none_or(|position| *position == held.position))
    }

    fn begin(&mut self, kind: CheckpointKind, rows: &RowCount) -> Last {
        let count = rows.get();
        if let Every::Rows(every) = self.every {
            rows.set_due(count.saturating_add(every));
        }
        let triggered = self.coordinator.trigger(kind, clock::now_ms());
        let Ok(id) = triggered else { panic!("nothing is under way") };
        self.begun = Instant::now();
        self.schedule.begun(self.now());
        let (duration, phases, bytes) = (Duration::ZERO, Phases::default(), 0);
        self.under_way = Some(Completed { id, kind, duration, phases, bytes, rows: count });
        Last::Begun
    }
}

/// Returns the `rows` that a checkpoint was begun behind, if it holds all that comes of them. What
/// comes of records in flight is committed with a later one, though no more rows are read.
fn covered(checkpoint: &Manifest, rows: u64) -> Option<u64> {
    let mut in_flight = checkpoint.operators.iter().filter_map(|it| it.state(IN_FLIGHT));
    in_flight.all(|state| state.chains.is_empty()).then_some(rows)
}

/// Names a thread as a person does.
fn name(task: TaskId) -> String {
    match task.operator {
        SINK => "the output".to_owned(),
        SOURCES => format!("input {}", task.index + 1),
        _ => format!("subtask {}", task.index),
    }
}

fn pace<B>(checkpoints: &Checkpoints<B>) -> Pace {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let Checkpoints { every, pause, timeout, failures, .. } = checkpoints;
    let interval = match every {
        Every::Interval(interval) => Some(millis(*interval)),
        Every::Rows(_) => None,
    };
    Pace { interval, pause: millis(*pause), timeout: millis(*timeout), failures: *failures }
}
