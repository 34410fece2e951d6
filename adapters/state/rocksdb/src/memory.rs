use std::fmt;

use rocksdb::{Cache, WriteBufferManager};

/// The memory that databases share: one budget for what was written last, for blocks that were
/// read, and for their indices and filters.
///
/// What is written waits when the buffers are full, until one is on the disk. Clones share.
#[derive(Clone)]
pub struct Memory {
    limit: usize,
    cache: Cache,
    buffers: WriteBufferManager,
}

impl Memory {
    /// Bounds the memory by so many bytes; at least [`Memory::MIN`] are taken.
    pub fn new(bytes: usize) -> Self {
        let limit = bytes.max(Self::MIN);
        // As Flink divides it: buffers count as part of the cache, and may exceed their share by
        // half for a moment.
        let cache = Cache::new_lru_cache(limit / 6 * 5);
        let buffers =
            WriteBufferManager::new_write_buffer_manager_with_cache(limit / 3, true, cache.clone());
        Self { limit, cache, buffers }
    }

    /// Returns the bound in bytes.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Returns how many bytes are taken: buffers, blocks, indices and filters.
    pub fn used(&self) -> usize {
        self.cache.get_usage()
    }

    /// Returns how many bytes of that are buffers of what was written last.
    pub fn buffered(&self) -> usize {
        self.buffers.get_usage()
    }

    pub(crate) const fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(crate) const fn buffers(&self) -> &WriteBufferManager {
        &self.buffers
    }

    /// Returns how large the buffer of one state grows before it is written.
    pub(crate) const fn buffer_bytes(&self) -> usize {
        let share = self.limit / 6;
        if share < BUFFER_BYTES { share } else { BUFFER_BYTES }
    }

    /// Returns in what pieces a buffer grows: many states with little in each must not fill the
    /// budget with pieces that are empty.
    pub(crate) const fn piece_bytes(&self) -> usize {
        let share = self.limit / 1024;
        match share {
            0..4096 => 4096,
            4096..PIECE_BYTES => share,
            _ => PIECE_BYTES,
        }
    }

    /// The least memory that RocksDB is run with, in bytes.
    pub const MIN: usize = 4 << 20;
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The largest buffer of one state, and the largest piece that it grows by.
const BUFFER_BYTES: usize = 64 << 20;
const PIECE_BYTES: usize = 1 << 20;
