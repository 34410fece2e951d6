use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Malformed, StateError};
use crate::state::{Kind, LoadError, TypeMismatch};
use crate::storage::{Failure, ObjectId};

/// Why a checkpoint cannot be loaded.
#[derive(Debug)]
pub enum LoadFailure<M, E> {
    /// A file is damaged or missing: an older checkpoint may do.
    Damaged(FileDamage),
    /// The checkpoint has another number of key groups.
    KeyGroups {
        /// Its number.
        stored: u16,
        /// That of the job.
        asked: u16,
    },
    /// The store could not drop what it holds of a damaged group, or divide what it holds of an
    /// operator.
    NotSettled(E),
    /// The checkpoint has no such operator.
    NoSuchOperator {
        /// The operator.
        operator: String,
    },
    /// The rows of a state were given a time to live by the watermark, and the checkpoint has none
    /// to begin with. Nothing was loaded.
    NoWatermark {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
    },
    /// The checkpoint has rows of a state that the operator does not declare.
    NoSuchState {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
    },
    /// The state is of another kind in the checkpoint.
    OtherKind {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// The kind that the operator declares.
        kind: Kind,
    },
    /// A type of the state can never read what the checkpoint holds. Nothing was loaded.
    OtherType {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// The two types, and where they do not fit.
        mismatch: Box<TypeMismatch>,
    },
    /// Two states of the operator had one type of keys, and have two. Nothing was loaded.
    OtherKeys {
        /// The operator.
        operator: String,
        /// The two states.
        states: [String; 2],
    },
    /// Rows of the state lie in files of a store that is not the one they are loaded into, or whose
    /// types have changed since.
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
    /// A sound row does not fit its state, or the store has no room for it.
    Refused {
        /// The file.
        file: ObjectId,
        /// The part of it.
        section: String,
        /// Why.
        error: LoadError<E>,
    },
    /// The medium failed.
    Unread {
        /// The file.
        file: ObjectId,
        /// Why.
        failure: Failure<M>,
    },
}

impl<M: fmt::Display, E: fmt::Display> fmt::Display for LoadFailure<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage) => damage.fmt(f),
            Self::KeyGroups { stored, asked } => {
                write!(f, "the checkpoint has {stored} key groups, not {asked}: ask for {stored}")
            }
            Self::NotSettled(error) => error.fmt(f),
            Self::NoSuchOperator { operator } => {
                write!(f, "the checkpoint has no operator {operator}: it is of another job")
            }
            Self::NoWatermark { operator, state } => write!(
                f,
                "state {state} of operator {operator} is to expire by the watermark, of which the \
                 checkpoint has none: take one after records with times came, or start afresh"
            ),
            Self::NoSuchState { operator, state } => write!(
                f,
                "the checkpoint has state {state} of operator {operator}, which the job does not \
                 declare: declare it, or start afresh"
            ),
            Self::OtherKind { operator, state, kind } => write!(
                f,
                "state {state} of operator {operator} is a {kind} now and was something else in \
                 the checkpoint: give it another name"
            ),
            Self::OtherType { operator, state, mismatch } => {
                write!(f, "state {state} of operator {operator}: {mismatch}")
            }
            Self::OtherKeys { operator, states: [one, other] } => write!(
                f,
                "states {one} and {other} of operator {operator} had keys of one type in the \
                 checkpoint: change both or none"
            ),
            Self::OtherStore { operator, state, store, evolves: false } => write!(
                f,
                "state {state} of operator {operator} lies in files of the store {store}: go on \
                 with that store, in a build that has it, or take a savepoint there, which any \
                 store reads"
            ),
            Self::OtherStore { operator, state, store, evolves: true } => write!(
                f,
                "state {state} of operator {operator} lies in files of the store {store}, and a \
                 type or time to live has changed: go on with those it had, and take a savepoint \
                 first"
            ),
            Self::Refused { file, section, error } => write!(f, "{file}, {section}: {error}"),
            Self::Unread { file, failure } => write!(f, "cannot read {file}: {failure}"),
        }
    }
}

impl<M, E> core::error::Error for LoadFailure<M, E>
where
    M: core::error::Error + 'static,
    E: StateError,
{
}

/// What is damaged in a file of a checkpoint, and where.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FileDamage {
    /// The file.
    pub file: ObjectId,
    /// The part of it.
    pub section: String,
    /// The fault and its offset in the file; without, the file is missing.
    pub malformed: Option<Malformed>,
}

impl fmt::Display for FileDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.malformed {
            Some(malformed) => write!(f, "{}, {}: {malformed}", self.file, self.section),
            None => write!(f, "{} is missing", self.file),
        }
    }
}
