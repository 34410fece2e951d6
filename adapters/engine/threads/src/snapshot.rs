//! Writes what a subtask has frozen, beside the records.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Report, TaskId};
use holdwater::codec::Write;
use holdwater::error::StateError;
use holdwater::manifest::FileEntry;
use holdwater::page::{BlockSize, FileHeader, FileKind, Portable};
use holdwater::snapshot::FrozenStates;
use holdwater::storage::{Failure, ObjectId, Storage};

use crate::message::Signal;

/// What is to be written for one checkpoint.
pub(crate) struct Work<E> {
    pub(crate) barrier: Barrier,
    pub(crate) frozen: FrozenStates<E>,
    pub(crate) counters: Vec<(String, u64)>,
    /// When the subtask stopped processing records.
    pub(crate) since: Instant,
    /// How long it took to freeze.
    pub(crate) pause: Duration,
}

/// Writes the snapshots of one subtask.
pub(crate) struct SnapshotWriter<B> {
    pub(crate) task: TaskId,
    pub(crate) job: u128,
    pub(crate) operator: String,
    pub(crate) storage: B,
    pub(crate) abandoned: Abandoned,
    /// The subtask waits for it.
    pub(crate) sync: bool,
    pub(crate) signals: Sender<Signal>,
}

/// The newest checkpoint that was given up: nothing more is written for it or any older one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abandoned(Arc<AtomicU64>);

impl Abandoned {
    /// Gives up every checkpoint up to this one.
    pub(crate) fn up_to(&self, checkpoint: u64) {
        // No other memory depends on it: a write that sees it late is one block in vain.
        self.0.fetch_max(checkpoint, Ordering::Relaxed);
    }

    fn contains(&self, checkpoint: u64) -> bool {
        checkpoint <= self.0.load(Ordering::Relaxed)
    }
}

impl<B: Storage> SnapshotWriter<B> {
    /// Writes one snapshot after the other, until nobody sends any more.
    pub(crate) fn run<E: StateError>(mut self, work: &Receiver<Work<E>>) {
        for work in work {
            self.write(&work);
        }
    }

    /// Writes one snapshot and tells the coordinator how it went.
    pub(crate) fn write<E: StateError>(&mut self, work: &Work<E>) {
        let id = work.barrier.id;
        let signal = match self.save(work) {
            Ok(mut report) => {
                report.counters.clone_from(&work.counters);
                let pause = if self.sync { work.since.elapsed() } else { work.pause };
                Signal::Done(self.task, id, report, pause)
            }
            // Nobody waits for a checkpoint that was given up.
            Err(_) if self.abandoned.contains(id.checkpoint) => return,
            Err(why) => Signal::Declined(self.task, id, why),
        };
        // Nobody listens any more once the job is over.
        let _ = self.signals.send(signal);
    }

    /// Returns what was saved, or says why nothing was.
    fn save<E: StateError>(&mut self, work: &Work<E>) -> Result<Report, String> {
        let Work { barrier, frozen, .. } = work;
        let mut report = Report::default();
        if !frozen.has_parts() {
            report.add_states(barrier, None, &frozen.report_without_parts());
            return Ok(report);
        }
        let checkpoint = barrier.id.checkpoint;
        if self.abandoned.contains(checkpoint) {
            return Err(NotWritten::<B::Error>::Abandoned.to_string());
        }
        let failed = |failure| NotWritten::Failed::<B::Error>(failure).to_string();
        let id = barrier.file(0, u32::from(self.task.index));
        let header = self.header(id);
        let mut block = vec![0; header.block.bytes()];
        let file = self.storage.create(id).map_err(failed)?;
        let (storage, abandoned) = (&mut self.storage, &self.abandoned);
        let out = Object { storage, file, abandoned, checkpoint };
        let saved = frozen
            .save(header, &self.operator, out, &mut block, Portable)
            .map_err(|error| error.to_string())?;
        let Object { storage, file, .. } = saved.out;
        storage.sync(file).map_err(failed)?;
        let entry = FileEntry { id, length: saved.seal.length, hash: saved.seal.hash };
        report.add_states(barrier, Some(entry), &saved.states);
        Ok(report)
    }

    fn header(&self, id: ObjectId) -> FileHeader {
        let ObjectId { checkpoint, epoch, attempt, part, .. } = id;
        let (kind, block, job) = (FileKind::Snapshot, BlockSize::HOST, self.job);
        FileHeader { kind, block, job, checkpoint, epoch, attempt, part }
    }
}

/// A snapshot file being written to a storage.
struct Object<'s, B: Storage> {
    storage: &'s mut B,
    file: B::File,
    abandoned: &'s Abandoned,
    checkpoint: u64,
}

impl<B: Storage> Write for Object<'_, B> {
    type Error = NotWritten<B::Error>;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        if self.abandoned.contains(self.checkpoint) {
            return Err(NotWritten::Abandoned);
        }
        self.storage.write(&mut self.file, bytes).map_err(NotWritten::Failed)
    }
}

/// Why a file was not written.
#[derive(Debug)]
enum NotWritten<B> {
    Abandoned,
    Failed(Failure<B>),
}

impl<B: fmt::Display> fmt::Display for NotWritten<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned => f.write_str("the checkpoint was given up"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}
