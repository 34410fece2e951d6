//! Stores for tests: in a directory of the system's, with little memory.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use holdwater::key::KeyGroups;
use holdwater_bytes::Bytes;
use holdwater_rocksdb::{Memory, RocksDb, RocksDbOptions};

/// Opens a store of some groups. All of a test program share one memory.
pub(crate) fn rocksdb(groups: KeyGroups) -> Bytes<RocksDb> {
    static OPTIONS: LazyLock<RocksDbOptions> = LazyLock::new(|| {
        let directory = std::env::temp_dir().join("holdwater-rocksdb-tests");
        RocksDbOptions::new(directory).with_memory(Memory::new(64 << 20))
    });
    OPTIONS.open(groups).unwrap().states()
}
