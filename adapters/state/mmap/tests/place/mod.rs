//! Where the files of stores under test are made.

use std::path::{Path, PathBuf};

/// Returns a directory in memory where there is one: waiting for a disk tests nothing.
pub(crate) fn directory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.into() } else { std::env::temp_dir() }
}
