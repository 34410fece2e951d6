use std::sync::Arc;

use holdwater::key::KeyGroups;
use holdwater_bytes::{ByteStore, Bytes, Layout};
use rocksdb::properties::{
    ESTIMATE_PENDING_COMPACTION_BYTES, ESTIMATE_TABLE_READERS_MEM, LIVE_SST_FILES_SIZE,
};

use crate::database::Database;
use crate::expired::{Expired, ExpiredFilters};
use crate::family::Family;
use crate::options::bloom_len;
use crate::rows::{Piece, Pieces};
use crate::{RocksDbError, RocksDbOptions, Table};

/// The state of one task in RocksDB: a column family for each state. Clones are the same store.
#[derive(Clone, Debug)]
pub struct RocksDb {
    options: RocksDbOptions,
    groups: KeyGroups,
    database: Arc<Database>,
}

/// What RocksDB says of itself: bytes, of all states of a store unless said otherwise.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// In memory: buffers, blocks, indices and filters, of all stores that share the memory.
    pub memory: u64,
    /// Of those, buffers of what was written last.
    pub buffers: u64,
    /// In memory beside that: what is held for each open file.
    pub table_readers: u64,
    /// In files.
    pub files: u64,
    /// To be written anew by compactions that are due.
    pub pending_compaction: u64,
}

impl RocksDb {
    pub(crate) fn open(options: &RocksDbOptions, groups: KeyGroups) -> Result<Self, RocksDbError> {
        let database = Arc::new(Database::new(options)?);
        Ok(Self { options: options.clone(), groups, database })
    }

    /// Returns the store as one that opens states.
    ///
    /// It lets each state hold the changes of a delta in an eighth of the memory at most.
    pub fn states(&self) -> Bytes<Self> {
        let changes = self.options.memory.limit() / 8;
        Bytes::new(self.clone(), self.groups).with_changes_bytes_max(changes)
    }

    /// Writes all rows anew, without those that were replaced, were dropped, or have expired. Cost:
    /// that of writing the state.
    pub fn compact(&self) -> Result<(), RocksDbError> {
        self.database.compact()
    }

    /// Asks RocksDB what it takes. Cost: some microseconds for each state.
    pub fn metrics(&self) -> Metrics {
        let memory = &self.options.memory;
        Metrics {
            memory: memory.used() as u64,
            buffers: memory.buffered() as u64,
            table_readers: self.database.sum(ESTIMATE_TABLE_READERS_MEM),
            files: self.database.sum(LIVE_SST_FILES_SIZE),
            pending_compaction: self.database.sum(ESTIMATE_PENDING_COMPACTION_BYTES),
        }
    }

    /// Returns what RocksDB has counted, in its own words, if it was asked to
    /// ([`RocksDbOptions::with_statistics`]).
    pub fn statistics(&self) -> Option<String> {
        self.database.statistics()
    }

    /// Returns one of RocksDB's own properties of a state, such as `rocksdb.num-files-at-level0`.
    pub fn property(&self, state: &str, name: &str) -> Option<String> {
        self.database.property(state, name)
    }
}

impl ByteStore for RocksDb {
    type Error = RocksDbError;
    type Table = Table;

    fn open(&mut self, layout: &Layout) -> Result<Table, RocksDbError> {
        let (name, expired) = (layout.description().name.as_str(), Arc::new(Expired::default()));
        let mut options = self.options.family(layout);
        if layout.description().expiry().is_some() {
            let (expired, layout) = (expired.clone(), layout.clone());
            options.set_compaction_filter_factory(ExpiredFilters { expired, layout });
        }
        self.database.make_family(name, &options)?;
        let family = Family::of(&self.database, name);
        let piece = Piece { groups: 0..u16::MAX, family };
        Ok(Table::new(Pieces::new(vec![piece], bloom_len(layout)), expired))
    }
}
