//! How a job is run.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use holdwater::barrier::{Barriers, Guarantee};
use holdwater::checkpoint::RestorePolicy;
use holdwater::manifest::{CheckpointId, CheckpointKind, Manifest};

use crate::live::Live;

/// How a job is run, apart from what it does.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many subtasks there are.
    pub parallelism: u16,
    /// How many key groups the job has. Without a number: those of the checkpoint, else 128.
    pub key_groups: Option<u16>,
    /// What is promised of the effects of each record.
    pub guarantee: Guarantee,
    /// How long subtasks and sink wait for barriers before they take their parts of a checkpoint.
    /// Not at all, or a while only, needs what is in flight to be stored
    /// ([`Operator::in_flight`](crate::Operator::in_flight)), and exactly once.
    pub barriers: Barriers,
    /// How many batches wait between a source and a subtask, and between a subtask and the sink.
    pub channel_batches: NonZero<usize>,
    /// Ends the job early, after a last checkpoint.
    pub stop: Stop,
    /// Asks for savepoints while the job runs.
    pub savepoints: Savepoints,
    /// Asks what states hold while the job runs, on threads.
    pub live: Live,
}

/// Starts one subtask per core, with 128 groups and exactly once.
impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            parallelism: cores.min(usize::from(KEY_GROUPS)) as u16,
            key_groups: None,
            guarantee: Guarantee::ExactlyOnce,
            barriers: Barriers::Aligned,
            channel_batches: CHANNEL_BATCHES,
            stop: Stop::default(),
            savepoints: Savepoints::default(),
            live: Live::default(),
        }
    }
}

/// Where and when checkpoints are taken, and what the job goes on from.
#[derive(Clone, Debug)]
pub struct Checkpoints<B> {
    /// Where they go.
    pub storage: B,
    /// The identity of the job, in every file: a hash of its signature does.
    pub job: u128,
    /// What makes it the same job. A checkpoint with another signature is not restored.
    pub signature: Vec<u8>,
    /// What the job goes on from.
    pub start: Start<B>,
    /// When a checkpoint is due.
    pub every: Every,
    /// How long the job is left in peace between the end of a checkpoint and the begin of the next.
    pub pause: Duration,
    /// How long the threads may take for a checkpoint; then it is given up, and the job goes on.
    pub timeout: Duration,
    /// How many checkpoints in a row may fail before the job does; `None` for any number.
    pub failures: Option<u32>,
    /// How many are kept.
    pub retain: NonZero<usize>,
    /// Each that-many-th is full.
    pub full_every: NonZero<u32>,
    /// What is done about a damaged checkpoint.
    pub policy: RestorePolicy,
    /// Goes on although a sink that cannot take back may repeat results.
    pub accept_duplicates: bool,
    /// Writes snapshots before the next record.
    pub sync_snapshots: bool,
    /// How long a stopped job waits for its last checkpoint, as an input may be silent.
    pub stop_within: Duration,
}

impl<B> Checkpoints<B> {
    /// Resumes, takes a checkpoint every 10 seconds, keeps 3, takes each tenth in full, gives up
    /// one that takes longer than 10 minutes, and bears every failure.
    pub const fn new(storage: B, job: u128, signature: Vec<u8>) -> Self {
        Self {
            storage,
            job,
            signature,
            start: Start::Resume,
            every: Every::Interval(Duration::from_secs(10)),
            pause: Duration::ZERO,
            timeout: Duration::from_secs(600),
            failures: None,
            retain: NonZero::<usize>::MIN.saturating_add(2),
            full_every: NonZero::<u32>::MIN.saturating_add(9),
            policy: RestorePolicy::PreviousCheckpoint,
            accept_duplicates: false,
            sync_snapshots: false,
            stop_within: Duration::from_secs(10),
        }
    }
}

impl<B> Checkpoints<B> {
    /// Has the next start of the job go on where the last one came to, which has begun its lineage.
    pub fn go_on(&mut self) {
        if matches!(self.start, Start::Fresh) {
            self.start = Start::Resume;
        }
    }
}

/// What a job goes on from.
#[derive(Clone, Debug)]
pub enum Start<B> {
    /// Nothing. Older checkpoints are kept and never resumed.
    Fresh,
    /// This checkpoint, unless one that descends from it is complete.
    From(CheckpointId),
    /// A checkpoint in another place, unless one that descends from it is complete.
    Import {
        /// The checkpoint.
        manifest: Box<Manifest>,
        /// Where its files are.
        storage: B,
    },
    /// The newest intact checkpoint; nothing, if there has been none.
    Resume,
}

/// When a checkpoint is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Every {
    /// So long after the last was begun.
    Interval(Duration),
    /// So many rows after the last was begun.
    Rows(u64),
}

/// Ends a job from outside: by a signal, by another thread. Clones are one switch.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    savepoint: Arc<AtomicBool>,
    drain: Arc<AtomicBool>,
}

impl Stop {
    /// Ends the job after a last checkpoint, from which it can go on.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Ends the job after a savepoint, from which it can go on: it is suspended.
    pub fn suspend(&self) {
        self.savepoint.store(true, Ordering::Relaxed);
        self.stop();
    }

    /// Ends the job as if every input ended here: takes a savepoint, then gives what is left.
    ///
    /// An input that is silent for longer than
    /// [`stop_within`](Checkpoints::stop_within) ends the job as [`suspend`](Self::suspend) does.
    pub fn drain(&self) {
        self.drain.store(true, Ordering::Relaxed);
        self.suspend();
    }

    /// Returns whether the job is to end.
    pub fn is_stopped(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.is_stopped() && self.drain.load(Ordering::Relaxed)
    }

    /// Returns the kind of the last checkpoint.
    pub(crate) fn last(&self) -> CheckpointKind {
        match self.is_stopped() && self.savepoint.load(Ordering::Relaxed) {
            true => CheckpointKind::Savepoint,
            false => CheckpointKind::Checkpoint,
        }
    }
}

/// Shares a flag that others set, as handlers of signals do.
impl From<Arc<AtomicBool>> for Stop {
    fn from(asked: Arc<AtomicBool>) -> Self {
        Self { asked, ..Self::default() }
    }
}

/// Asks a running job for savepoints, which are full and are kept. Clones are one switch.
#[derive(Clone, Debug, Default)]
pub struct Savepoints(Arc<AtomicBool>);

impl Savepoints {
    /// Asks for one, which is begun once no checkpoint is under way.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Takes note of what was asked: returns whether a savepoint was, since the last time.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Shares a flag that others set, as handlers of signals do.
impl From<Arc<AtomicBool>> for Savepoints {
    fn from(asked: Arc<AtomicBool>) -> Self {
        Self(asked)
    }
}

/// How many key groups a new job has.
pub const KEY_GROUPS: u16 = 128;

/// Some 8 x 1,000 records on their way to each subtask: enough to never wait for a thread to be
/// scheduled, few enough that a barrier is not long behind them.
const CHANNEL_BATCHES: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(7);
