use core::error::Error;
use core::fmt;

use holdwater::error::{ErrorKind, StateError};
use holdwater::state::Describe;

/// Why a fixed store refuses. Nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FixedError {
    /// The state cannot be declared.
    Declared(Describe),
    /// All rows of the state are taken.
    Full {
        /// How many rows it has.
        rows: usize,
    },
    /// The task owns more key groups than the store was built for.
    Groups {
        /// How many groups it owns.
        owned: usize,
        /// How many the store can hold.
        limit: usize,
    },
    /// A state of that name is open.
    Opened,
    /// The store was built for fewer states.
    States {
        /// How many it can hold.
        limit: usize,
    },
}

impl fmt::Display for FixedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(describe) => describe.fmt(f),
            Self::Full { rows } => write!(f, "all {rows} rows are taken: remove some, or raise N"),
            Self::Groups { owned, limit } => {
                write!(f, "{owned} key groups where {limit} fit: own fewer, or raise G")
            }
            Self::Opened => {
                f.write_str("a state of that name is open already: give each state its own")
            }
            Self::States { limit } => {
                write!(f, "more than {limit} states: open them on a second store")
            }
        }
    }
}

impl Error for FixedError {}

impl StateError for FixedError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Full { .. } => ErrorKind::Full,
            Self::Declared(_) | Self::Groups { .. } | Self::Opened | Self::States { .. } => {
                ErrorKind::Mismatch
            }
        }
    }
}

impl From<Describe> for FixedError {
    fn from(describe: Describe) -> Self {
        Self::Declared(describe)
    }
}
