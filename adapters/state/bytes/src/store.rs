//! What an ordered store of byte rows must do.

use alloc::vec::Vec;
use core::ops::{Bound, ControlFlow};

use holdwater::error::StateError;
use holdwater::state::{Cut, Cutoff, Native, NativeSnapshot};

use crate::Layout;

/// Opens one ordered table of byte rows for each state.
pub trait ByteStore {
    /// Why an access can fail.
    type Error: StateError;
    /// The rows of one state.
    type Table: ByteTable<Error = Self::Error>;

    /// Opens the table of a state whose rows lie as `layout` says.
    fn open(&mut self, layout: &Layout) -> Result<Self::Table, Self::Error>;
}

/// Rows of bytes in the order of their keys, to be read.
pub trait ByteRows {
    /// Why an access can fail.
    type Error: StateError;

    /// Shows the value of `key` to `read`, if there is one.
    fn get<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Self::Error>;

    /// Shows the rows whose keys lie between the bounds to `visit`, in order; none if the end lies
    /// before the start.
    fn range(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Shows the same rows, from the last to the first.
    fn range_back(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Shows the last row whose key begins with `prefix` to `read`, if there is one.
    fn last<R>(
        &self,
        prefix: &[u8],
        read: impl FnOnce(&[u8], &[u8]) -> R,
    ) -> Result<Option<R>, Self::Error> {
        let (mut read, mut last) = (Some(read), None);
        self.range_back(
            Bound::Included(prefix),
            behind(prefix).as_ref().map(Vec::as_slice),
            |key, value| {
                last = read.take().map(|read| read(key, value));
                ControlFlow::Break(())
            },
        )?;
        Ok(last)
    }

    /// Returns whether there is a row whose key begins with `prefix`.
    fn any(&self, prefix: &[u8]) -> Result<bool, Self::Error> {
        Ok(self.last(prefix, |_, _| ())?.is_some())
    }

    /// Returns the files that hold the same rows, if they are to be saved as they are.
    fn native(&self) -> Option<&dyn NativeSnapshot> {
        None
    }

    /// Shows the rows whose key begins with `prefix` to `visit`, in order.
    fn scan(
        &self,
        prefix: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), Self::Error> {
        self.range(Bound::Included(prefix), behind(prefix).as_ref().map(Vec::as_slice), visit)
    }
}

/// Rows of bytes that can be changed, and frozen.
pub trait ByteTable: ByteRows {
    /// The rows as they were at one moment.
    type Frozen: ByteRows<Error = Self::Error> + Send + Sync + 'static;

    /// Stores `value` under `key`.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Self::Error>;

    /// Drops the row of `key`; dropping none is done.
    fn delete(&mut self, key: &[u8]) -> Result<(), Self::Error>;

    /// Returns the rows as they are now. Its cost does not depend on how many there are.
    fn freeze(&mut self, cut: &Cut) -> Result<Self::Frozen, Self::Error>;

    /// Takes note that `checkpoint` is complete.
    fn completed(&mut self, checkpoint: u64) {
        let _ = checkpoint;
    }

    /// Takes over the rows that a store of the same kind left in files, of the groups that both
    /// have; returns whether it could.
    fn attach(&mut self, native: &mut dyn Native) -> Result<bool, Self::Error> {
        let _ = native;
        Ok(false)
    }

    /// Does a bounded piece of upkeep up to `steps` times; returns how often there was any to do.
    fn tend(&mut self, steps: usize) -> Result<usize, Self::Error> {
        let _ = steps;
        Ok(0)
    }

    /// Takes note that rows whose stamp ([`Layout::stamp`]) `cutoff` includes have expired: the
    /// table may drop them at any time, but not out of what was frozen before.
    fn expire(&mut self, cutoff: Cutoff) {
        let _ = cutoff;
    }

    /// Returns how many bytes the rows take, copies held for what was frozen included.
    fn bytes(&self) -> u64;
}

/// Returns where the rows end whose keys begin with `prefix`.
pub fn behind(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    // The first key behind all that begin so: the last byte that can grow is one higher.
    while end.pop_if(|byte| *byte == u8::MAX).is_some() {}
    match end.last_mut() {
        Some(byte) => {
            *byte += 1;
            Bound::Excluded(end)
        }
        None => Bound::Unbounded,
    }
}
