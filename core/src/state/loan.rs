//! What a store hands out of what it holds, and what it is told to do with it.

use core::ops::Deref;

/// What becomes of an item of a list, or of the value of a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate<V> {
    /// It is this one from now on.
    Changed(V),
    /// It is dropped.
    Dropped,
    /// It stays as it is.
    Kept,
}

/// A value on loan from a store: borrowed where it lies, or decoded for the borrower.
#[derive(Debug)]
pub enum Loan<'a, V> {
    /// Borrowed from the store.
    Borrowed(&'a V),
    /// Made from the bytes of the store.
    Decoded(V),
}

impl<V: Clone> Loan<'_, V> {
    /// Returns the value itself.
    pub fn into_owned(self) -> V {
        match self {
            Self::Borrowed(value) => value.clone(),
            Self::Decoded(value) => value,
        }
    }
}

impl<V> Deref for Loan<'_, V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        match self {
            Self::Borrowed(value) => value,
            Self::Decoded(value) => value,
        }
    }
}
