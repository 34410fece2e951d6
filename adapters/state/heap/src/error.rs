//! Why the heap store refuses.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;

use holdwater::error::{ErrorKind, StateError};
use holdwater::state::Describe;

/// Why the heap store refuses an access, or to open a state.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum HeapError {
    /// The name or a type of the state cannot be described.
    Describe(Describe),
    /// More memory is in use than the budget allows. Nothing was changed.
    Full {
        /// The state that was written to.
        state: Box<str>,
        /// How many bytes it takes.
        bytes: u64,
        /// How many bytes all states of the budget take.
        used: u64,
        /// How many they may take.
        budget: u64,
    },
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
}

impl fmt::Display for HeapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Describe(error) => error.fmt(f),
            Self::Full { state, bytes, used, budget } => write!(
                f,
                "state {state} takes {bytes} bytes, all states {used} where {budget} are allowed: \
                 raise the memory limit or remove rows"
            ),
            Self::Mismatch { state } => write!(
                f,
                "state {state} is open with another kind or other types: give this one another name"
            ),
            Self::Open { state } => {
                write!(f, "state {state} is open already: open it once and keep it")
            }
        }
    }
}

impl Error for HeapError {}

impl StateError for HeapError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Full { .. } => ErrorKind::Full,
            Self::Describe(_) | Self::Mismatch { .. } | Self::Open { .. } => ErrorKind::Mismatch,
        }
    }
}

impl From<Describe> for HeapError {
    fn from(error: Describe) -> Self {
        Self::Describe(error)
    }
}
