use std::path::{Path, PathBuf};

use holdwater::key::KeyGroups;
use holdwater::state::Kind;
use holdwater_bytes::{GROUP_LEN, Layout};
use rocksdb::{BlockBasedOptions, DBCompressionType, DataBlockIndexType, Options, SliceTransform};

use crate::{Memory, RocksDb, RocksDbError};

/// How databases are set up: where they lie, and what they may take.
#[derive(Clone, Debug)]
pub struct RocksDbOptions {
    pub(crate) directory: PathBuf,
    pub(crate) memory: Memory,
    pub(crate) statistics: bool,
    pub(crate) native: bool,
}

impl RocksDbOptions {
    /// Puts each database in a directory of its own inside `directory`, in 256 MiB of memory for
    /// all of them.
    ///
    /// They are working copies: gone when they are closed. What a process left there that was
    /// killed is removed.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        crate::workplace::Workplace::tidy(&directory);
        Self { directory, memory: Memory::new(MEMORY_BYTES), statistics: false, native: false }
    }

    /// Uses `memory`, shared with whoever has a clone of it.
    #[must_use]
    pub fn with_memory(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// Lets RocksDB count what it does, for [`RocksDb::statistics`]; costs some percent.
    #[must_use]
    pub fn with_statistics(self) -> Self {
        Self { statistics: true, ..self }
    }

    /// Lets checkpoints keep the files of databases as they are: hard links at the freeze, and of
    /// files that the base of a checkpoint has nothing but their names are saved. They are restored
    /// by opening them, at any parallelism, without a look at their rows. Only this store reads
    /// them; savepoints are for any.
    #[must_use]
    pub fn with_native_checkpoints(self) -> Self {
        Self { native: true, ..self }
    }

    /// Returns the memory that the databases share.
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Opens a database, empty, for the state of `groups`.
    pub fn open(&self, groups: KeyGroups) -> Result<RocksDb, RocksDbError> {
        RocksDb::open(self, groups)
    }

    /// Returns where the databases lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the options of a database.
    pub(crate) fn database(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        // Without a log in front: a checkpoint is what survives. All states reach the disk at once.
        options.set_atomic_flush(true);
        options.set_write_buffer_manager(self.memory.buffers());
        options.set_max_background_jobs(2);
        options.set_keep_log_file_num(1);
        options.set_max_log_file_size(1 << 20);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options.set_avoid_unnecessary_blocking_io(true);
        if self.statistics {
            options.enable_statistics();
        }
        options
    }

    /// Returns the options of the column family of a state whose rows lie so.
    pub(crate) fn family(&self, layout: &Layout) -> Options {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(self.memory.cache());
        // What is not in the cache is not within the budget.
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_bloom_filter(BLOOM_BITS, false);
        blocks.set_whole_key_filtering(true);
        blocks.set_optimize_filters_for_memory(true);
        blocks.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        let mut options = patient();
        options.set_block_based_table_factory(&blocks);
        options.set_write_buffer_size(self.memory.buffer_bytes());
        options.set_arena_block_size(self.memory.piece_bytes());
        options.set_compression_type(DBCompressionType::Lz4);
        if let Some(len) = bloom_len(layout) {
            options.set_prefix_extractor(SliceTransform::create_fixed_prefix(len));
        }
        options
    }
}

/// Returns options by which files are not written anew as soon as no snapshot needs their old rows:
/// each checkpoint takes one, and would save those files again.
fn patient() -> Options {
    let patient = format!("bottommost_file_compaction_delay={PATIENCE_SECONDS}");
    Options::default().get_options_from_string(patient).expect("RocksDB knows its options")
}

/// Returns the name of the column family of a state (docs/format.md 6.1). The rows of a map and of
/// an ordered map are not alike, though a checkpoint may be of the one and restored by the other.
pub(crate) fn family_name(state: &str, is_ordered: bool) -> String {
    let rows = if is_ordered { "ordered" } else { "rows" };
    format!("{rows} {state}")
}

/// Returns the length of the prefix of rows that a filter is kept of, if it is of use: rows of
/// values are looked up whole, and timers by group.
///
/// It is that of group and key if keys have one length. Of other keys the first bytes are taken,
/// which is as good where they differ there.
pub(crate) fn bloom_len(layout: &Layout) -> Option<usize> {
    match layout.description().kind.rows() {
        Kind::List | Kind::Map => Some(layout.prefix_len().unwrap_or(GROUP_LEN + KEY_LEN)),
        _ => None,
    }
}

/// The memory that databases share if no other is given.
const MEMORY_BYTES: usize = 256 << 20;
/// How long files may keep rows that were dropped or replaced since.
const PATIENCE_SECONDS: u32 = 24 * 60 * 60;
/// Bits of a filter for each key: one look-up in a hundred is in vain.
const BLOOM_BITS: f64 = 10.0;
/// How much of a key of any length goes into a filter.
const KEY_LEN: usize = 8;
