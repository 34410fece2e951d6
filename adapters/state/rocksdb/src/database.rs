use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rocksdb::properties::PropName;
use rocksdb::{
    BottommostLevelCompaction, BoundColumnFamily, CompactOptions, DBWithThreadMode, FlushOptions,
    MultiThreaded, Options, WriteOptions,
};

use crate::workplace::Workplace;
use crate::{RocksDbError, RocksDbOptions};

pub(crate) type Db = DBWithThreadMode<MultiThreaded>;
pub(crate) type Handle<'d> = Arc<BoundColumnFamily<'d>>;

/// One database in a directory of its own.
pub(crate) struct Database {
    // Closed before its directory is removed: fields are dropped in this order.
    pub(crate) db: Db,
    pub(crate) path: PathBuf,
    pub(crate) writes: WriteOptions,
    options: Options,
    families: Mutex<Vec<String>>,
    _workplace: Workplace,
}

impl Database {
    /// Makes an empty one.
    pub(crate) fn new(options: &RocksDbOptions) -> Result<Self, RocksDbError> {
        let workplace = Workplace::new(&options.directory)?;
        let (path, options) = (workplace.database(), options.database());
        let opened = Db::open(&options, &path);
        let db = opened.map_err(RocksDbError::engine("make a database", &path))?;
        let mut writes = WriteOptions::default();
        writes.disable_wal(true);
        let families = Mutex::default();
        Ok(Self { db, path, writes, options, families, _workplace: workplace })
    }

    /// Makes a column family.
    pub(crate) fn make_family(&self, name: &str, options: &Options) -> Result<(), RocksDbError> {
        let made = self.db.create_cf(name, options);
        made.map_err(RocksDbError::engine("make a column family", &self.path))?;
        self.families.lock().unwrap_or_else(PoisonError::into_inner).push(name.into());
        Ok(())
    }

    /// Writes all rows to the disk, and those of each column family anew.
    pub(crate) fn compact(&self) -> Result<(), RocksDbError> {
        let families = self.families();
        let handles: Vec<_> = families.iter().filter_map(|name| self.db.cf_handle(name)).collect();
        let flushed = self.db.flush_cfs_opt(&handles.iter().collect::<Vec<_>>(), &{
            let mut options = FlushOptions::default();
            options.set_wait(true);
            options
        });
        flushed.map_err(RocksDbError::engine("write what is buffered", &self.path))?;
        let mut options = CompactOptions::default();
        // Filters have not seen what lies in the lowest level already.
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        for handle in &handles {
            self.db.compact_range_cf_opt(handle, None::<&[u8]>, None::<&[u8]>, &options);
        }
        Ok(())
    }

    /// Returns a number that RocksDB keeps of each column family, over all of them.
    pub(crate) fn sum(&self, name: &PropName) -> u64 {
        let number = |family: &String| {
            let handle = self.db.cf_handle(family)?;
            self.db.property_int_value_cf(&handle, name).ok().flatten()
        };
        self.families().iter().filter_map(number).sum()
    }

    fn families(&self) -> Vec<String> {
        self.families.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a property of a column family, if there are both.
    pub(crate) fn property(&self, family: &str, name: &str) -> Option<String> {
        let handle = self.db.cf_handle(family)?;
        self.db.property_value_cf(&handle, name).ok().flatten()
    }

    /// Returns what was counted, if it was asked for.
    pub(crate) fn statistics(&self) -> Option<String> {
        self.options.get_statistics()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}
