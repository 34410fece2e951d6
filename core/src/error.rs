//! What can go wrong, in words that generic code can act on.

use core::convert::Infallible;
use core::error::Error;
use core::fmt;
use serde::{Deserialize, Serialize};

/// An error of a store, reduced to what the caller can do about it.
pub trait StateError: Error + Send + Sync + 'static {
    /// Returns the kind of this error.
    fn kind(&self) -> ErrorKind;
}

/// What the caller can do about a [`StateError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not what was written: restore from an older checkpoint.
    Corrupt,
    /// The store has no room left: shed state or give it more. Nothing was changed.
    Full,
    /// The medium failed: retry or fail over.
    Io,
    /// What was asked does not fit what is stored (name, kind, type, key group): change the job.
    Mismatch,
}

impl StateError for Infallible {
    fn kind(&self) -> ErrorKind {
        match *self {}
    }
}

/// The bytes are not an encoding of what was asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Malformed {
    /// What is wrong.
    pub fault: Fault,
    /// Where: bytes from the start of what was decoded.
    pub offset: u64,
}

impl Malformed {
    /// States that `fault` was found at `offset`.
    pub const fn new(fault: Fault, offset: u64) -> Self {
        Self { fault, offset }
    }

    /// Returns the same fault, seen from `base` bytes further to the front.
    pub const fn shifted(self, base: u64) -> Self {
        Self { fault: self.fault, offset: self.offset.saturating_add(base) }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.fault, self.offset)
    }
}

impl Error for Malformed {}

/// Why bytes are refused.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Fault {
    /// More bytes, items, depth or steps than the budget allows.
    Budget,
    /// The checksum does not match the bytes.
    Checksum,
    /// The same key occurs twice.
    Duplicate,
    /// The bytes end before the value does.
    End,
    /// Of another job, operator, state, group, epoch or checkpoint than the place says.
    Identity,
    /// The mark at the front is not the one of this format.
    Magic,
    /// A number outside what its place allows, or not in its shortest form.
    Range,
    /// Bytes are left over where the value has ended.
    Trailing,
    /// Text that is not UTF-8.
    Utf8,
    /// Sound bytes that the type they are read into does not accept.
    Value,
    /// Written by a newer format version than this program knows.
    Version,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Budget => "over the decoding budget",
            Self::Checksum => "checksum mismatch",
            Self::Duplicate => "duplicate key",
            Self::End => "unexpected end",
            Self::Identity => "identity mismatch",
            Self::Magic => "wrong magic",
            Self::Range => "number out of range",
            Self::Trailing => "trailing bytes",
            Self::Utf8 => "text is not UTF-8",
            Self::Value => "value not accepted by its type",
            Self::Version => "newer format version",
        })
    }
}
