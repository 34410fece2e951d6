use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use holdwater::state::NativeSnapshot;
use holdwater_bytes::ByteRows;

use crate::RocksDbError;
use crate::expired::Hold;
use crate::family::FrozenFamily;
use crate::links::Taken;
use crate::rows::Pieces;

/// The rows of one state as they were at one moment.
pub struct FrozenTable {
    pieces: Pieces<FrozenFamily>,
    native: Option<Arc<Taken>>,
    _hold: Hold,
}

impl FrozenTable {
    pub(crate) const fn new(
        pieces: Pieces<FrozenFamily>,
        native: Option<Arc<Taken>>,
        hold: Hold,
    ) -> Self {
        Self { pieces, native, _hold: hold }
    }
}

impl ByteRows for FrozenTable {
    type Error = RocksDbError;

    fn get<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, RocksDbError> {
        self.pieces.get(key, read)
    }

    fn range(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        self.pieces.range(start, end, visit)
    }

    fn range_back(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        self.pieces.range_back(start, end, visit)
    }

    fn native(&self) -> Option<&dyn NativeSnapshot> {
        Some(&**self.native.as_ref()?)
    }

    fn any(&self, prefix: &[u8]) -> Result<bool, RocksDbError> {
        self.pieces.any(prefix)
    }

    fn scan(
        &self,
        prefix: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        self.pieces.scan(prefix, visit)
    }
}

impl fmt::Debug for FrozenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenTable").finish_non_exhaustive()
    }
}
