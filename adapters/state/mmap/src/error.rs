//! Why the store refuses.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;

use holdwater::codec::EncodeError;
use holdwater::error::{ErrorKind, Malformed, StateError};
use holdwater::page::ReadError;
use holdwater::schema::{DecodeError, Refusal};
use holdwater::state::Describe;

/// Why the store refuses an access, or to open a state.
#[derive(Debug)]
#[non_exhaustive]
pub enum MmapError {
    /// Bytes of a file are not what was written to it.
    Damaged {
        /// Which file: `segment 3`, or the name of a checkpoint's file.
        file: Box<str>,
        /// What is wrong, and at which byte of the file.
        malformed: Malformed,
    },
    /// The name or a type of the state cannot be described.
    Describe(Describe),
    /// A type refuses to be written.
    Encode(EncodeError<Infallible>),
    /// What must be in memory is more than the budget allows. Nothing was changed.
    Full {
        /// The state that was written to.
        state: Box<str>,
        /// How many bytes all states of the store take in memory.
        bytes: u64,
        /// How many they may take.
        budget: u64,
    },
    /// A file could not be made, written or read.
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A row is not one of this state.
    Malformed(Malformed),
    /// A state of that name is open, with another kind or other types.
    Mismatch {
        /// The name.
        state: Box<str>,
    },
    /// The state is open already: its owner holds it.
    Open {
        /// The name.
        state: Box<str>,
    },
    /// A row was written by a type that this one cannot read.
    Type(DecodeError),
}

impl MmapError {
    pub(crate) const fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn reading(file: &str, error: ReadError<io::Error>) -> Self {
        match error {
            ReadError::Malformed(malformed) => Self::Damaged { file: file.into(), malformed },
            ReadError::Medium(source) => Self::Io { doing: "read a segment", source },
        }
    }
}

impl fmt::Display for MmapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { file, malformed } => {
                write!(f, "{file}: {malformed}: restore from the last checkpoint")
            }
            Self::Describe(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Full { state, bytes, budget } => write!(
                f,
                "state {state}: no memory left for the index ({bytes} bytes in use, {budget} \
                 allowed): raise the memory limit or remove rows"
            ),
            Self::Io { doing, source } => write!(
                f,
                "cannot {doing}: {source}: make room in the state directory or name another one"
            ),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Mismatch { state } => write!(
                f,
                "state {state} is open with another kind or other types: give this one another name"
            ),
            Self::Open { state } => {
                write!(f, "state {state} is open already: open it once and keep it")
            }
            Self::Type(error) => error.fmt(f),
        }
    }
}

impl Error for MmapError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl StateError for MmapError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged { .. } | Self::Malformed(_) => ErrorKind::Corrupt,
            Self::Full { .. } => ErrorKind::Full,
            Self::Io { .. } => ErrorKind::Io,
            Self::Describe(_)
            | Self::Encode(_)
            | Self::Mismatch { .. }
            | Self::Open { .. }
            | Self::Type(_) => ErrorKind::Mismatch,
        }
    }
}

impl From<Describe> for MmapError {
    fn from(error: Describe) -> Self {
        Self::Describe(error)
    }
}

impl From<EncodeError<Infallible>> for MmapError {
    fn from(error: EncodeError<Infallible>) -> Self {
        Self::Encode(error)
    }
}

impl From<Malformed> for MmapError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<DecodeError> for MmapError {
    fn from(error: DecodeError) -> Self {
        match error.refusal {
            Refusal::Malformed(fault) => Self::Malformed(Malformed::new(fault, error.offset)),
            _ => Self::Type(error),
        }
    }
}
