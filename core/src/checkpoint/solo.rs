//! A job of one task, on the thread that calls: for programs that embed state and have no engine.
//!
//! It drives the same machines as an engine does, one after the other: recovery, coordinator,
//! snapshot. So its directory is one that every tool and every engine reads.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::save::{SaveFailure, Target, save};
use super::{
    Abort, Command, Config, Coordinator, Halt, Job, LoadFailure, OperatorShape, Performer,
    Recovered, Recovery, RecoveryCommand, RecoveryError, Refused, RestorePolicy, Start, TaskId,
    load,
};
use crate::barrier::Barrier;
use crate::error::StateError;
use crate::key::{HASH_FUNCTION, KeyGroups};
use crate::manifest::{CheckpointId, CheckpointKind, Manifest, SourceEntry};
use crate::snapshot::freeze;
use crate::state::{Cut, States};
use crate::storage::Storage;

/// What a job of one task is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SoloJob {
    /// Its identity, in every file: another number is another job.
    pub id: u128,
    /// What its operator is called in checkpoints.
    pub operator: String,
    /// How many key groups it has; fixed for its life.
    pub key_groups: u16,
    /// How checkpoints are taken and kept.
    pub config: Config,
}

/// A job of one task: recovers its states, and takes a checkpoint whenever it is told to.
///
/// ```
/// # use core::error::Error;
/// # use holdwater::checkpoint::{Config, Solo, SoloJob};
/// # use holdwater::state::{Backend, States};
/// # use holdwater::storage::Storage;
/// # fn run<B: Storage + Clone, S: States>(storage: B, mut states: S) -> Result<(), Box<dyn Error>>
/// # where S::Error: holdwater::error::StateError {
/// let job = SoloJob {
///     id: 7,
///     operator: "meters".into(),
///     key_groups: 128,
///     config: Config { retain: 3, full_every: 10 },
/// };
/// let mut solo = Solo::open(storage, job, &mut states)?;
/// let next = solo.position().map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
/// // Process records from `next` on, then:
/// solo.checkpoint(&mut states, &(next + 1000).to_le_bytes(), 1_700_000_000_000)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Solo<B: Storage> {
    job: SoloJob,
    position: Option<Vec<u8>>,
    coordinator: Coordinator,
    performer: Performer<B>,
}

impl<B: Storage + Clone> Solo<B> {
    /// Goes on from the newest intact checkpoint in `storage`, if there is one: loads `states`.
    ///
    /// `states` are empty. The caller sees to it that no other process uses the storage.
    pub fn open<S: States>(
        storage: B,
        job: SoloJob,
        states: &mut S,
    ) -> Result<Self, SoloError<B::Error, S::Error>>
    where
        S::Error: StateError,
    {
        let mut performer = Performer::new(storage);
        let recovered = recover(&mut performer, &job, states)?;
        let position = recovered.restored.as_ref().and_then(position);
        let shape = Job {
            id: job.id,
            signature: Vec::new(),
            key_groups: job.key_groups,
            hash_function: HASH_FUNCTION,
            operators: vec![OperatorShape { name: job.operator.clone(), parallelism: 1 }],
        };
        let coordinator = Coordinator::new(job.config, shape, recovered);
        Ok(Self { job, position, coordinator, performer })
    }

    /// Returns the position of the input at the newest checkpoint: go on from there.
    pub fn position(&self) -> Option<&[u8]> {
        self.position.as_deref()
    }

    /// Takes a checkpoint of `states` and of the `position` up to which their input was read. When
    /// it returns, the checkpoint is durable and older ones are cleaned up.
    ///
    /// `now_ms`, in milliseconds since 1970 UTC, is kept for people to see. After
    /// [`SoloError::Aborted`] the states are as they were, and the next try is as good as the
    /// first.
    pub fn checkpoint<S: States>(
        &mut self,
        states: &mut S,
        position: &[u8],
        now_ms: u64,
    ) -> Result<CheckpointId, SoloError<B::Error, S::Error>>
    where
        S::Error: StateError,
    {
        let id = self
            .coordinator
            .trigger(CheckpointKind::Checkpoint, now_ms)
            .map_err(SoloError::Refused)?;
        let mut ended = Err(SoloError::Refused(Refused::Busy));
        let mut error = None;
        while let Some(command) = self.coordinator.poll() {
            match command {
                Command::Barrier(barrier) => self.take_part(&barrier, states, position, now_ms)?,
                Command::Storage(request) => {
                    let reply = self.performer.perform(&request);
                    error = self.performer.take_error().or(error);
                    self.coordinator.reply(reply);
                }
                Command::Completed(id) => {
                    self.position = Some(position.to_vec());
                    states.completed(id.checkpoint);
                    ended = Ok(id);
                }
                Command::Aborted(id, why) => {
                    states.aborted(id.checkpoint);
                    ended = Err(SoloError::Aborted(why, error.take()));
                }
                Command::Halt(why) => return Err(SoloError::Halted(why, error)),
                // What could not be removed is tried again after the next checkpoint.
                Command::Warn(_) => {}
            }
        }
        ended.inspect(|ended| assert_eq!(*ended, id, "the checkpoint that was triggered"))
    }

    /// Freezes, saves and acknowledges.
    fn take_part<S: States>(
        &mut self,
        barrier: &Barrier,
        states: &mut S,
        position: &[u8],
        now_ms: u64,
    ) -> Result<(), SoloError<B::Error, S::Error>>
    where
        S::Error: StateError,
    {
        let task = TaskId { operator: 0, index: 0 };
        let cut = Cut {
            checkpoint: barrier.id.checkpoint,
            base: barrier.base.map(|base| base.checkpoint),
            now: i64::try_from(now_ms).unwrap_or(i64::MAX),
            watermark: i64::MIN,
        };
        let groups = KeyGroups::all(self.job.key_groups);
        let frozen = freeze(states, groups, cut).map_err(SoloError::State)?;
        let SoloJob { id: job, operator, .. } = &self.job;
        let target = Target { job: *job, operator, barrier, part: 0 };
        match save(self.performer.storage(), target, &frozen, &|| true) {
            Ok(mut report) => {
                let (name, position) = (String::from("input"), position.to_vec());
                report.sources.push(SourceEntry { name, position });
                self.coordinator.ack(task, barrier.id, report);
            }
            Err(SaveFailure::State(error)) => return Err(SoloError::State(error)),
            Err(why) => {
                self.coordinator.decline(task, barrier.id, alloc::format!("{why}"));
            }
        }
        Ok(())
    }
}

/// Why a job of one task cannot go on, or why a checkpoint was not taken.
#[derive(Debug)]
pub enum SoloError<M, E> {
    /// The checkpoint was given up; states and storage are sound.
    Aborted(Abort, Option<M>),
    /// Open the job again: only a new epoch can tell what took effect.
    Halted(Halt, Option<M>),
    /// The newest checkpoint does not fit the states.
    Load(LoadFailure<M, E>),
    /// Nothing to go on from could be settled.
    Recovery(RecoveryError, Option<M>),
    /// No checkpoint is taken now.
    Refused(Refused),
    /// The store failed.
    State(E),
}

impl<M, E> From<E> for SoloError<M, E> {
    fn from(error: E) -> Self {
        Self::State(error)
    }
}

impl<M: fmt::Display, E: fmt::Display> fmt::Display for SoloError<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = match self {
            Self::Aborted(why, cause) => {
                write!(f, "the checkpoint was given up: {why}")?;
                cause
            }
            Self::Halted(why, cause) => {
                why.fmt(f)?;
                cause
            }
            Self::Recovery(error, cause) => {
                error.fmt(f)?;
                cause
            }
            Self::Load(failure) => return failure.fmt(f),
            Self::Refused(refused) => return refused.fmt(f),
            Self::State(error) => return error.fmt(f),
        };
        cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl<M, E> core::error::Error for SoloError<M, E>
where
    M: core::error::Error + 'static,
    E: StateError,
{
}

fn recover<B: Storage + Clone, S: States>(
    performer: &mut Performer<B>,
    job: &SoloJob,
    states: &mut S,
) -> Result<Recovered, SoloError<B::Error, S::Error>>
where
    S::Error: StateError,
{
    let mut recovery = Recovery::new(job.id, Start::Resume);
    let (mut error, mut full) = (None, false);
    loop {
        let Some(command) = recovery.poll() else {
            panic!("a recovery that has not ended has something to do");
        };
        match command {
            RecoveryCommand::Done(recovered) => {
                return Ok(Recovered { full: recovered.full || full, ..*recovered });
            }
            RecoveryCommand::Failed(why) => return Err(SoloError::Recovery(why, error)),
            RecoveryCommand::Restore(manifest) => {
                let groups = KeyGroups::all(job.key_groups);
                let storage = performer.storage().clone();
                let policy = RestorePolicy::PreviousCheckpoint;
                match load(&manifest, &job.operator, groups, &storage, policy, states) {
                    Ok(restored) => {
                        full = restored.full;
                        recovery.restored();
                    }
                    Err(LoadFailure::Damaged(damage)) => {
                        states.clear()?;
                        recovery.damaged(alloc::format!("{damage}"));
                    }
                    Err(failure) => return Err(SoloError::Load(failure)),
                }
            }
            RecoveryCommand::Storage(request) => {
                let reply = performer.perform(&request);
                error = performer.take_error().or(error);
                recovery.reply(reply);
            }
            RecoveryCommand::Warn(_) => {}
        }
    }
}

fn position(manifest: &Manifest) -> Option<Vec<u8>> {
    manifest.sources.first().map(|source| source.position.clone())
}
