//! Saves what a task has frozen: durable before anybody is told of it.

mod native;

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use self::native::Native;
use super::report::Report;
use crate::barrier::Barrier;
use crate::codec::Write;
use crate::error::StateError;
use crate::manifest::{CheckpointKind, FileEntry};
use crate::page::{BlockSize, FileHeader, FileKind, Portable};
use crate::snapshot::{FrozenStates, Portion, WriteError};
use crate::state::NativeSnapshot;
use crate::storage::{Failure, ObjectId, Storage};

/// Where the snapshot of a task goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The job, in every file.
    pub job: u128,
    /// The operator whose states they are.
    pub operator: &'t str,
    /// What the checkpoint is taken for.
    pub barrier: &'t Barrier,
    /// The number of the file, below 65,536 and unique over all tasks of the checkpoint.
    pub part: u32,
}

/// Writes the snapshot of a task and makes it durable; returns what the task acknowledges with.
///
/// Nothing is written if nothing changed. `wanted` is asked before each block: a checkpoint that
/// was given up is not written to its end. After an error the file is dead; a later clean-up
/// removes it.
pub fn save<B: Storage, E: StateError>(
    storage: &mut B,
    target: Target<'_>,
    frozen: &FrozenStates<E>,
    wanted: &dyn Fn() -> bool,
) -> Result<Report, SaveFailure<B::Error, E>> {
    let mut report = Report::default();
    frozen.verify().map_err(SaveFailure::State)?;
    // A savepoint is for any store.
    let is_portable = target.barrier.kind == CheckpointKind::Savepoint;
    let own = if is_portable { Portion::Own } else { Portion::Rest };
    if !is_portable {
        save_natives(storage, target, frozen, wanted, &mut report)?;
    }
    // What other tasks have as well goes to a file that the manifest need not name.
    for (portion, part) in [(own, target.part), (Portion::Copies, target.part | COPIES)] {
        let Target { barrier, .. } = target;
        if frozen.has_parts(portion) {
            let target = Target { part, ..target };
            save_portion(storage, target, frozen, portion, wanted, &mut report)?;
        } else {
            report.add_states(barrier, None, &frozen.report_without_parts(portion));
        }
    }
    Ok(report)
}

/// Set in the number of a file of copies; the others are numbered by task.
const COPIES: u32 = 1 << 16;

/// Saves the files in which a store holds what was frozen, if it does.
fn save_natives<B: Storage, E: StateError>(
    storage: &mut B,
    target: Target<'_>,
    frozen: &FrozenStates<E>,
    wanted: &dyn Fn() -> bool,
    report: &mut Report,
) -> Result<(), SaveFailure<B::Error, E>> {
    let Some((_, first)) = frozen.natives().next() else { return Ok(()) };
    let snapshot = first.snapshot;
    let is_one = |other: &dyn NativeSnapshot| core::ptr::addr_eq(other, snapshot);
    assert!(
        frozen.natives().all(|(_, native)| is_one(native.snapshot)),
        "the keyed states of an operator are in one store"
    );
    let mut native = Native { storage, target, snapshot, wanted, files: Vec::new() };
    for piece in 0..snapshot.pieces() {
        report.natives.push(native.save(piece, frozen)?);
    }
    report.files.append(&mut native.files);
    report.add_native_states(frozen);
    Ok(())
}

fn save_portion<B: Storage, E: StateError>(
    storage: &mut B,
    target: Target<'_>,
    frozen: &FrozenStates<E>,
    portion: Portion,
    wanted: &dyn Fn() -> bool,
    report: &mut Report,
) -> Result<(), SaveFailure<B::Error, E>> {
    let Target { job, operator, barrier, part } = target;
    if !wanted() {
        return Err(SaveFailure::Abandoned);
    }
    let id = barrier.file(0, part);
    let ObjectId { checkpoint, epoch, attempt, part, .. } = id;
    let (kind, block) = (FileKind::Snapshot, BlockSize::HOST);
    let header = FileHeader { kind, block, job, checkpoint, epoch, attempt, part };
    let mut buffer = vec![0; block.bytes()];
    let file = storage.create(id).map_err(SaveFailure::Storage)?;
    let out = Object { storage, file, wanted };
    let saved = frozen.save(portion, header, operator, out, &mut buffer, Portable);
    let saved = saved.map_err(|error| match error {
        WriteError::Output(Stopped::Abandoned) => SaveFailure::Abandoned,
        WriteError::Output(Stopped::Failed(failure)) => SaveFailure::Storage(failure),
        WriteError::State(error) => SaveFailure::State(error),
        error => SaveFailure::Type(alloc::format!("{error}")),
    })?;
    let Object { storage, file, .. } = saved.out;
    storage.sync(file).map_err(SaveFailure::Storage)?;
    let entry = FileEntry { id, length: saved.seal.length, hash: saved.seal.hash };
    report.add_states(barrier, Some(entry), &saved.states);
    Ok(())
}

/// Why a snapshot was not written: the task declines the checkpoint.
#[derive(Debug)]
pub enum SaveFailure<M, E> {
    /// The checkpoint was given up meanwhile.
    Abandoned,
    /// A file of the store could not be read.
    Native(alloc::string::String),
    /// The state could not be read.
    State(E),
    /// The file could not be written.
    Storage(Failure<M>),
    /// A type of a state cannot be encoded, or writes what its schema does not say.
    Type(alloc::string::String),
}

impl<M: fmt::Display, E: fmt::Display> fmt::Display for SaveFailure<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned => f.write_str("the checkpoint was given up"),
            Self::State(error) => error.fmt(f),
            Self::Storage(failure) => failure.fmt(f),
            Self::Native(why) | Self::Type(why) => f.write_str(why),
        }
    }
}

impl<M, E> core::error::Error for SaveFailure<M, E>
where
    M: core::error::Error + 'static,
    E: StateError,
{
}

/// A file being written, block by block, as long as it is wanted.
struct Object<'s, B: Storage> {
    storage: &'s mut B,
    file: B::File,
    wanted: &'s dyn Fn() -> bool,
}

#[derive(Debug)]
enum Stopped<M> {
    Abandoned,
    Failed(Failure<M>),
}

impl<B: Storage> Write for Object<'_, B> {
    type Error = Stopped<B::Error>;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        if !(self.wanted)() {
            return Err(Stopped::Abandoned);
        }
        self.storage.write(&mut self.file, bytes).map_err(Stopped::Failed)
    }
}

impl<M: fmt::Display> fmt::Display for Stopped<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abandoned => f.write_str("the checkpoint was given up"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}
