use core::convert::Infallible;
use core::error::Error;
use core::fmt;

use holdwater::codec::EncodeError;
use holdwater::error::{ErrorKind, Malformed, StateError};
use holdwater::schema::{DecodeError, Refusal};
use holdwater::state::Describe;

/// Why state in a byte store refuses.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BytesError<E> {
    /// The state cannot be declared.
    Declared(Describe),
    /// A type refuses to be written.
    Encode(EncodeError<Infallible>),
    /// A row is not one that was written.
    Malformed(Malformed),
    /// A state of that name is open.
    Opened,
    /// The store failed.
    Store(E),
    /// A row was written by a type that this one cannot read.
    Type(DecodeError),
}

impl<E: fmt::Display> fmt::Display for BytesError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(describe) => describe.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Opened => {
                f.write_str("a state of that name is open already: give each state its own")
            }
            Self::Store(error) => error.fmt(f),
            Self::Type(error) => error.fmt(f),
        }
    }
}

impl<E: StateError> Error for BytesError<E> {}

impl<E: StateError> StateError for BytesError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed(_) => ErrorKind::Corrupt,
            Self::Store(error) => error.kind(),
            Self::Declared(_) | Self::Encode(_) | Self::Opened | Self::Type(_) => {
                ErrorKind::Mismatch
            }
        }
    }
}

impl<E> From<Describe> for BytesError<E> {
    fn from(describe: Describe) -> Self {
        Self::Declared(describe)
    }
}

impl<E> From<EncodeError<Infallible>> for BytesError<E> {
    fn from(error: EncodeError<Infallible>) -> Self {
        Self::Encode(error)
    }
}

impl<E> From<Malformed> for BytesError<E> {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl<E> From<DecodeError> for BytesError<E> {
    fn from(error: DecodeError) -> Self {
        match error.refusal {
            Refusal::Malformed(fault) => Self::Malformed(Malformed::new(fault, error.offset)),
            _ => Self::Type(error),
        }
    }
}
