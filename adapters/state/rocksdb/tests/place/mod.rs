//! Stores for tests: in memory where the system has files there, and with little of it.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::LazyLock;

use holdwater::key::KeyGroups;
use holdwater_bytes::Bytes;
use holdwater_rocksdb::{Memory, RocksDb, RocksDbOptions};

/// Opens a store of some groups. All of a test program share one memory.
pub(crate) fn rocksdb(groups: KeyGroups) -> Bytes<RocksDb> {
    static OPTIONS: LazyLock<RocksDbOptions> = LazyLock::new(|| {
        // Each database is made durable as it is made, which tests do not need.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let directory = directory.join("holdwater-rocksdb-tests");
        RocksDbOptions::new(directory).with_memory(Memory::new(64 << 20))
    });
    OPTIONS.open(groups).unwrap().states()
}
