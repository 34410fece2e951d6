use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use holdwater::state::{KeptFile, Native};
use rocksdb::properties::PropName;
use rocksdb::{
    BottommostLevelCompaction, BoundColumnFamily, ColumnFamilyDescriptor, CompactOptions,
    DBWithThreadMode, FlushOptions, MultiThreaded, Options, WriteOptions,
};

use rustix::fs::{AtFlags, CWD, linkat};

use crate::expired::Clip;
use crate::route::lock;
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
    /// By checkpoint, where it keeps files of this database that never change, by their names.
    known: Mutex<BTreeMap<u64, Arc<BTreeMap<String, KeptFile>>>>,
    /// The checkpoint whose files it was made of, and of which groups they may have rows to keep.
    attached: Option<(u64, Clip)>,
    _workplace: Workplace,
}

impl Database {
    /// Makes an empty one.
    pub(crate) fn new(options: &RocksDbOptions) -> Result<Self, RocksDbError> {
        let workplace = Workplace::new(&options.directory)?;
        let (path, options) = (workplace.database(), options.database());
        let opened = Db::open(&options, &path);
        let db = opened.map_err(RocksDbError::engine("make a database", &path))?;
        Ok(Self::of(db, path, options, workplace))
    }

    /// Opens one made of files that a checkpoint keeps, which has rows of the groups of `clip` to
    /// keep. `family` sets up a column family.
    pub(crate) fn attach(
        options: &RocksDbOptions,
        native: &mut dyn Native,
        clip: Clip,
        family: impl Fn(&str) -> Options,
    ) -> Result<Self, RocksDbError> {
        let workplace = Workplace::new(&options.directory)?;
        let (path, options) = (workplace.database(), options.database());
        fs::create_dir_all(&path).map_err(RocksDbError::file(&path))?;
        let mut known = BTreeMap::new();
        for index in 0..native.files() {
            let (name, kept) = native.file(index);
            let name = name.to_owned();
            // Files lie side by side: a name that leads elsewhere is none of RocksDB's.
            if Path::new(&name).file_name().is_none_or(|last| last != name.as_str()) {
                return Err(RocksDbError::Foreign { name });
            }
            let path = path.join(&name);
            if never_changes(&name) {
                link_or_copy(native, index, &path)?;
                known.insert(name, kept);
            } else {
                copy(native, index, &path)?;
            }
        }
        let opening = || RocksDbError::engine("open a database", &path);
        let names = Db::list_cf(&options, &path).map_err(opening())?;
        let descriptors: Vec<_> =
            names.iter().map(|name| ColumnFamilyDescriptor::new(name, family(name))).collect();
        let db = Db::open_cf_descriptors(&options, &path, descriptors).map_err(opening())?;
        let known = BTreeMap::from([(native.checkpoint(), Arc::new(known))]);
        Ok(Self {
            attached: Some((native.checkpoint(), clip)),
            families: Mutex::new(names),
            known: Mutex::new(known),
            ..Self::of(db, path, options, workplace)
        })
    }

    fn of(db: Db, path: PathBuf, options: Options, workplace: Workplace) -> Self {
        let mut writes = WriteOptions::default();
        writes.disable_wal(true);
        let (families, known) = (Mutex::default(), Mutex::default());
        let attached = None;
        Self { db, path, writes, options, families, known, attached, _workplace: workplace }
    }

    /// Makes a column family, unless there is one of that name.
    pub(crate) fn make_family(&self, name: &str, options: &Options) -> Result<(), RocksDbError> {
        if self.has_family(name) {
            return Ok(());
        }
        let made = self.db.create_cf(name, options);
        made.map_err(RocksDbError::engine("make a column family", &self.path))?;
        lock(&self.families).push(name.into());
        Ok(())
    }

    /// Returns whether there is a column family of that name.
    pub(crate) fn has_family(&self, name: &str) -> bool {
        self.db.cf_handle(name).is_some()
    }

    /// Returns where the checkpoint `base` keeps files of this database.
    pub(crate) fn known(&self, base: Option<u64>) -> Arc<BTreeMap<String, KeptFile>> {
        let known = lock(&self.known);
        base.and_then(|base| known.get(&base)).cloned().unwrap_or_default()
    }

    /// Returns whether it was made of files that `checkpoint` keeps.
    pub(crate) fn is_attached(&self, checkpoint: u64) -> bool {
        self.attached.as_ref().is_some_and(|(attached, _)| *attached == checkpoint)
    }

    /// Returns the groups whose rows it is to keep, if it may have others.
    pub(crate) fn clip(&self) -> Option<&Clip> {
        self.attached.as_ref().map(|(_, clip)| clip)
    }

    /// Keeps the rows of `group` too from now on.
    pub(crate) fn widen(&self, group: u16) {
        self.clip().into_iter().for_each(|clip| clip.widen(group));
    }

    /// Drops the rows of a column family from `start` up to, not including, `end`.
    pub(crate) fn delete_range(
        &self,
        family: &str,
        start: &[u8],
        end: &[u8],
    ) -> Result<(), RocksDbError> {
        let Some(handle) = self.db.cf_handle(family) else { return Ok(()) };
        let deleted = self.db.delete_range_cf_opt(&handle, start, end, &self.writes);
        deleted.map_err(RocksDbError::engine("drop rows", &self.path))
    }

    /// Takes note that `checkpoint` keeps a file of this database.
    pub(crate) fn keep(&self, checkpoint: u64, name: &str, file: KeptFile) {
        if never_changes(name) {
            let mut known = lock(&self.known);
            Arc::make_mut(known.entry(checkpoint).or_default()).insert(name.into(), file);
        }
    }

    /// Takes note that `checkpoint` is complete: no older one will be a base.
    pub(crate) fn completed(&self, checkpoint: u64) {
        let mut known = lock(&self.known);
        known.retain(|number, _| *number >= checkpoint);
    }

    /// Writes all rows to the disk, and those of each column family anew.
    pub(crate) fn compact(&self) -> Result<(), RocksDbError> {
        let families = self.families();
        let handles: Vec<_> = families.iter().filter_map(|name| self.db.cf_handle(name)).collect();
        let mut flush = FlushOptions::default();
        flush.set_wait(true);
        let flushed = self.db.flush_cfs_opt(&handles.iter().collect::<Vec<_>>(), &flush);
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
        lock(&self.families).clone()
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

/// Gives a file of a checkpoint, which nobody ever changes, another name at `path` where it can
/// have one, or copies it. It is as it was if this is done.
fn link_or_copy(native: &mut dyn Native, index: usize, path: &Path) -> Result<(), RocksDbError> {
    let file = native.handle(index).and_then(|handle| handle.downcast::<File>().ok());
    if file.is_some_and(|file| link(&file, path).is_ok()) {
        native.fetch(index, &mut |_| true).map_err(|_| RocksDbError::Unfetched)
    } else {
        copy(native, index, path)
    }
}

/// Gives an open file another name; not across disks, and where the system shows files by number.
fn link(file: &File, path: &Path) -> rustix::io::Result<()> {
    let open = format!("/proc/self/fd/{}", file.as_raw_fd());
    linkat(CWD, open, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

/// Copies a file of a checkpoint to `path`. It is there as it was if this is done.
fn copy(native: &mut dyn Native, index: usize, path: &Path) -> Result<(), RocksDbError> {
    let mut file = File::create_new(path).map_err(RocksDbError::file(path))?;
    let mut written = Ok(());
    let fetched = native.fetch(index, &mut |bytes| {
        written = file.write_all(bytes);
        written.is_ok()
    });
    written.map_err(RocksDbError::file(path))?;
    fetched.map_err(|_| RocksDbError::Unfetched)
}

/// Returns whether RocksDB writes files of such a name once, and never another of that name.
fn never_changes(name: &str) -> bool {
    name.ends_with(".sst")
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}
