//! What ends a job before its inputs do.

use std::error::Error;
use std::fmt;

use holdwater::barrier::BarrierError;
use holdwater::checkpoint::{Halt, RecoveryError, Skipped};
use holdwater::error::ErrorKind;
use holdwater::manifest::CheckpointId;
use holdwater::rescale::Misfit;
use holdwater::state::{Kind, TypeMismatch};
use holdwater::storage::ObjectId;

/// Why a job ended before its inputs did.
///
/// The errors of sources, operators, sinks and storages are boxed; `downcast_ref` gets them back.
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineError {
    /// Barriers came in an order that channels cannot produce.
    Barrier(BarrierError),
    /// Barriers that overtake were asked of a job that cannot have them.
    Barriers(BarriersRefused),
    /// The newest checkpoint is damaged, and the job was told to use no older one.
    Damaged(Skipped),
    /// Every thread is gone, and none has told why.
    Deserted,
    /// More may be committed than the checkpoint knows, and the sink cannot take it back.
    DuplicateOutput,
    /// A checkpoint may have been published or not, or another process took over.
    Halted {
        /// What happened.
        halt: Halt,
        /// What the storage said.
        error: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The job does not fit what it is to be restored from.
    Misfit {
        /// The checkpoint, unless the job is at odds with itself.
        id: Option<CheckpointId>,
        /// What does not fit.
        misfit: Misfit,
    },
    /// More checkpoints in a row have failed than the job bears.
    NoCheckpoint {
        /// The last of them.
        id: CheckpointId,
        /// Why it failed.
        why: String,
    },
    /// The checkpoint has no operator of that name.
    NoSuchOperator {
        /// The name.
        name: String,
        /// The checkpoint.
        id: CheckpointId,
    },
    /// The checkpoint has rows of a state that the operator does not declare.
    NoSuchState {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// The checkpoint.
        id: CheckpointId,
    },
    /// The rows of a state were given a time to live by the watermark, and the checkpoint has none
    /// to begin with.
    NoWatermark {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// The checkpoint.
        id: CheckpointId,
    },
    /// A sound row does not fit its state, or the store has no room for it.
    NotLoaded {
        /// The snapshot file.
        file: ObjectId,
        /// The part of it.
        section: String,
        /// Of which kind the error is.
        kind: ErrorKind,
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
    /// A subtask failed.
    Operator {
        /// Its number.
        subtask: u16,
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
    /// The checkpoint was taken by another job: its signature differs.
    OtherJob {
        /// The checkpoint.
        id: CheckpointId,
        /// The signature of the job that took it.
        signature: Vec<u8>,
    },
    /// Two states of the operator had keys of one type in the checkpoint, and have two.
    OtherKeys {
        /// The operator.
        operator: String,
        /// The two states.
        states: [String; 2],
    },
    /// The state in the checkpoint is of another kind.
    OtherKind {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// What the operator declares.
        kind: Kind,
    },
    /// Rows lie in files of another store, or of one that cannot evolve their types.
    OtherStore {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// The store.
        store: String,
        /// Whether types have changed.
        evolves: bool,
    },
    /// What the checkpoint holds can never be read by the types of the state.
    OtherType {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// The two types, and where they do not fit.
        mismatch: Box<TypeMismatch>,
    },
    /// A thread panicked.
    Panicked {
        /// The thread.
        thread: String,
        /// What it said.
        message: String,
    },
    /// No epoch could be begun.
    Recovery {
        /// What happened.
        recovery: RecoveryError,
        /// What the storage said.
        error: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The sink failed.
    Sink {
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
    /// A source failed.
    Source {
        /// The name of the input.
        name: String,
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
    /// What a subtask reads its state from is damaged, which was found in use. Start the job again:
    /// what it began with is read whole then, and the newest intact checkpoint before it restored.
    StateDamaged {
        /// The number of the subtask.
        subtask: u16,
        /// What is damaged.
        error: Box<dyn Error + Send + Sync>,
    },
    /// A store could not drop what it holds.
    Store {
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
    /// The workers that run the subtasks cannot go on; an engine of several processes says why.
    Workers {
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
    /// The medium that a snapshot file lies on failed.
    Unread {
        /// The file.
        file: ObjectId,
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
}

impl EngineError {
    /// Returns whether another run of the same job may go better.
    pub(crate) const fn may_pass(&self) -> bool {
        match self {
            Self::Deserted
            | Self::NoCheckpoint { .. }
            | Self::Operator { .. }
            | Self::Panicked { .. }
            | Self::Sink { .. }
            | Self::Source { .. }
            | Self::StateDamaged { .. }
            | Self::Unread { .. } => true,
            // A rival that took over is not to be fought.
            Self::Halted { halt, .. } => matches!(halt, Halt::Task(_) | Halt::Unknown(_)),
            _ => false,
        }
    }
}

/// Why barriers have to be aligned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BarriersRefused {
    /// Records may take effect twice: no input is ever held back, and there is nothing to overtake.
    AtLeastOnce,
    /// The engine has no barriers that overtake.
    Engine,
    /// The operator does not say how what is in flight is stored.
    NotStored,
}

impl fmt::Display for BarriersRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtLeastOnce => {
                "at least once holds no input back: barriers are aligned there, or exactly once is \
                 asked for"
            }
            Self::Engine => "this engine has aligned barriers alone",
            Self::NotStored => {
                "barriers overtake only records that can be stored: the operator has no \
                 `in_flight` codecs"
            }
        })
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Barrier(error) => error.fmt(f),
            Self::Barriers(why) => why.fmt(f),
            Self::Damaged(skipped) => {
                write!(f, "{skipped}; allow the checkpoint before it, or restore its files")
            }
            Self::Deserted => f.write_str("every thread of the job ended early"),
            Self::DuplicateOutput => f.write_str(
                "results beyond the restored checkpoint may be committed already and cannot be \
                     taken back: accept duplicates explicitly to go on",
            ),
            Self::Halted { halt, error } => with_cause(f, halt, error.as_deref()),
            Self::Misfit { id: Some(id), misfit } => write!(f, "checkpoint {id}: {misfit}"),
            Self::Misfit { id: None, misfit } => misfit.fmt(f),
            Self::NoCheckpoint { id, why } => {
                write!(f, "checkpoint {id} has failed, as too many before it: {why}")
            }
            Self::NoSuchOperator { name, id } => {
                write!(f, "checkpoint {id} has no operator {name}: it is of another job")
            }
            Self::NoSuchState { operator, state, id } => write!(
                f,
                "checkpoint {id} has state {state} of operator {operator}, which the job does not \
                 declare: declare it, or start afresh"
            ),
            Self::NoWatermark { operator, state, id } => write!(
                f,
                "state {state} of operator {operator} is to expire by the watermark, of which \
                 checkpoint {id} has none: take one after records with times came, or start afresh"
            ),
            Self::NotLoaded { file, section, error, .. } => write!(f, "{file}, {section}: {error}"),
            Self::Operator { subtask, error } => write!(f, "subtask {subtask}: {error}"),
            Self::OtherJob { id, .. } => write!(
                f,
                "checkpoint {id} was taken by another job: give the same job, or start afresh"
            ),
            Self::OtherKeys { operator, states: [one, other] } => write!(
                f,
                "states {one} and {other} of operator {operator} had keys of one type in the \
                 checkpoint: change both or none"
            ),
            Self::OtherKind { operator, state, kind } => write!(
                f,
                "state {state} of operator {operator} is a {kind} now and was something else in \
                 the checkpoint: give it another name"
            ),
            Self::OtherStore { operator, state, store, evolves } => {
                let why = if *evolves { ", and a type has changed" } else { "" };
                write!(
                    f,
                    "state {state} of operator {operator} lies in files of the store {store}{why}: \
                     go on as it was, in a build that has it, or take a savepoint there, which any \
                     store reads"
                )
            }
            Self::OtherType { operator, state, mismatch } => {
                write!(f, "state {state} of operator {operator}: {mismatch}")
            }
            Self::Panicked { thread, message } => write!(f, "{thread} panicked: {message}"),
            Self::Recovery { recovery, error } => with_cause(f, recovery, error.as_deref()),
            Self::Sink { error } => error.fmt(f),
            Self::StateDamaged { subtask, error } => write!(
                f,
                "the state of subtask {subtask} is damaged: {error}; start the job again, which \
                 then goes on from the newest intact checkpoint"
            ),
            Self::Store { error } | Self::Workers { error } => error.fmt(f),
            Self::Source { name, error } => write!(f, "input {name}: {error}"),
            Self::Unread { file, error } => write!(f, "cannot read {file}: {error}"),
        }
    }
}

impl Error for EngineError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Operator { error, .. }
            | Self::NotLoaded { error, .. }
            | Self::Sink { error }
            | Self::Source { error, .. }
            | Self::StateDamaged { error, .. }
            | Self::Store { error }
            | Self::Workers { error }
            | Self::Unread { error, .. } => Some(&**error),
            Self::Halted { error, .. } | Self::Recovery { error, .. } => {
                error.as_deref().map(|error| error as _)
            }
            _ => None,
        }
    }
}

fn with_cause(
    f: &mut fmt::Formatter<'_>,
    what: &dyn fmt::Display,
    cause: Option<&(dyn Error + Send + Sync)>,
) -> fmt::Result {
    match cause {
        Some(cause) => write!(f, "{what}: {cause}"),
        None => what.fmt(f),
    }
}
