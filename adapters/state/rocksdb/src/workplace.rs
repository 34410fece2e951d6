use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::RocksDbError;

/// The directory of one database while it is in use, removed afterwards.
///
/// A lock tells it from what a process left behind that was killed.
#[derive(Debug)]
pub(crate) struct Workplace {
    directory: TempDir,
    _lock: File,
}

impl Workplace {
    /// Makes a directory in `parent`, which is made as well if it is missing.
    pub(crate) fn new(parent: &Path) -> Result<Self, RocksDbError> {
        fs::create_dir_all(parent).map_err(RocksDbError::file(parent))?;
        let _door = door(parent)?;
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent);
        let directory = directory.map_err(RocksDbError::file(parent))?;
        let path = directory.path().join(LOCK);
        let lock = File::create_new(&path).map_err(RocksDbError::file(&path))?;
        lock.lock().map_err(RocksDbError::file(&path))?;
        Ok(Self { directory, _lock: lock })
    }

    /// Returns where the database lies.
    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("db")
    }

    /// Removes the directories in `parent` that nobody uses any more. What cannot be removed stays.
    pub(crate) fn tidy(parent: &Path) {
        let (Ok(entries), Ok(_door)) = (fs::read_dir(parent), door(parent)) else { return };
        for entry in entries.flatten() {
            let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            let lock = File::open(entry.path().join(LOCK));
            if is_ours && lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Returns a lock on all directories in `parent`: of one that is being made nobody can tell yet
/// that it is in use.
fn door(parent: &Path) -> Result<File, RocksDbError> {
    let path = parent.join(DOOR);
    let door = File::create(&path).map_err(RocksDbError::file(&path))?;
    door.lock().map_err(RocksDbError::file(&path))?;
    Ok(door)
}

/// The file that is locked while a directory is made, or removed for another.
const DOOR: &str = "holdwater-rocksdb.lock";
/// What the names of directories begin with.
const PREFIX: &str = "holdwater-rocksdb-";
/// The file that is locked while a directory is in use.
const LOCK: &str = "IN_USE";
