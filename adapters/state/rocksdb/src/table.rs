use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use holdwater::state::Cutoff;
use holdwater_bytes::{ByteRows, ByteTable};
use rocksdb::properties::{CUR_SIZE_ALL_MEM_TABLES, LIVE_SST_FILES_SIZE};

use crate::expired::Expired;
use crate::family::Family;
use crate::rows::Pieces;
use crate::{FrozenTable, RocksDbError};

/// The rows of one state: a column family.
pub struct Table {
    pieces: Pieces<Family>,
    expired: Arc<Expired>,
}

impl Table {
    pub(crate) const fn new(pieces: Pieces<Family>, expired: Arc<Expired>) -> Self {
        Self { pieces, expired }
    }
}

impl ByteTable for Table {
    type Frozen = FrozenTable;

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), RocksDbError> {
        self.pieces.of(key).put(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<(), RocksDbError> {
        self.pieces.of(key).delete(key)
    }

    fn freeze(&mut self) -> Result<FrozenTable, RocksDbError> {
        let hold = self.expired.hold();
        Ok(FrozenTable::new(self.pieces.map(Family::freeze), hold))
    }

    fn expire(&mut self, cutoff: Cutoff) {
        self.expired.advance(cutoff);
    }

    fn bytes(&self) -> u64 {
        let properties = [CUR_SIZE_ALL_MEM_TABLES, LIVE_SST_FILES_SIZE];
        let bytes = |family: &Family| properties.map(|name| family.property(name));
        self.pieces.families().flat_map(bytes).sum()
    }
}

impl ByteRows for Table {
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

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("pieces", &self.pieces).finish_non_exhaustive()
    }
}
