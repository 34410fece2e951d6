use std::fmt;
use std::ops::{Bound, ControlFlow};

use holdwater_bytes::ByteRows;

use crate::RocksDbError;
use crate::expired::Hold;
use crate::family::FrozenFamily;
use crate::rows::Pieces;

/// The rows of one state as they were at one moment.
pub struct FrozenTable {
    pieces: Pieces<FrozenFamily>,
    _hold: Hold,
}

impl FrozenTable {
    pub(crate) const fn new(pieces: Pieces<FrozenFamily>, hold: Hold) -> Self {
        Self { pieces, _hold: hold }
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
