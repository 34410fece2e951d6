use std::sync::Arc;

use holdwater::key::KeyGroups;
use holdwater_bytes::{ByteStore, Bytes, Layout};
use rocksdb::properties::{
    ESTIMATE_PENDING_COMPACTION_BYTES, ESTIMATE_TABLE_READERS_MEM, LIVE_SST_FILES_SIZE, PropName,
};

use crate::expired::Expired;
use crate::options::family_name;
use crate::route::Route;
use crate::{RocksDbError, RocksDbOptions, Table};

/// The state of one task in RocksDB: a column family for each state. Clones are the same store.
#[derive(Clone, Debug)]
pub struct RocksDb {
    route: Arc<Route>,
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
    /// How many databases there are: one, and others that were attached until they are merged.
    pub databases: u64,
}

impl RocksDb {
    pub(crate) fn open(options: &RocksDbOptions, groups: KeyGroups) -> Result<Self, RocksDbError> {
        Ok(Self { route: Arc::new(Route::new(options, groups)?) })
    }

    /// Returns the store as one that opens states.
    ///
    /// It lets each state hold the changes of a delta in an eighth of the memory at most, and none
    /// where checkpoints keep files as they are.
    pub fn states(&self) -> Bytes<Self> {
        let options = &self.route.options;
        let changes = if options.native { 0 } else { options.memory.limit() / 8 };
        Bytes::new(self.clone(), self.route.groups).with_changes_bytes_max(changes)
    }

    /// Writes all rows anew, without those that were replaced, were dropped, have expired, or
    /// belong to other tasks since a checkpoint was attached. Cost: that of writing the state.
    pub fn compact(&self) -> Result<(), RocksDbError> {
        self.route.databases().iter().try_for_each(|database| database.compact())
    }

    /// Asks RocksDB what it takes. Cost: some microseconds for each state.
    pub fn metrics(&self) -> Metrics {
        let (memory, databases) = (&self.route.options.memory, self.route.databases());
        let sum = |name: &PropName| databases.iter().map(|database| database.sum(name)).sum();
        Metrics {
            memory: memory.used() as u64,
            buffers: memory.buffered() as u64,
            table_readers: sum(ESTIMATE_TABLE_READERS_MEM),
            files: sum(LIVE_SST_FILES_SIZE),
            pending_compaction: sum(ESTIMATE_PENDING_COMPACTION_BYTES),
            databases: databases.len() as u64,
        }
    }

    /// Returns what RocksDB has counted, in its own words, database by database, if it was asked to
    /// ([`RocksDbOptions::with_statistics`]).
    pub fn statistics(&self) -> Option<String> {
        self.route.databases().iter().map(|database| database.statistics()).collect()
    }

    /// Returns one of RocksDB's own properties of a state, such as `rocksdb.num-files-at-level0`,
    /// of each database that has the state.
    pub fn property(&self, state: &str, name: &str) -> Vec<String> {
        let families = [false, true].map(|is_ordered| family_name(state, is_ordered));
        let databases = self.route.databases();
        let of_each = databases.iter().flat_map(|database| {
            families.iter().filter_map(|family| database.property(family, name))
        });
        of_each.collect()
    }
}

impl ByteStore for RocksDb {
    type Error = RocksDbError;
    type Table = Table;

    fn open(&mut self, layout: &Layout) -> Result<Table, RocksDbError> {
        Table::new(&self.route, layout, Arc::new(Expired::default()))
    }
}
