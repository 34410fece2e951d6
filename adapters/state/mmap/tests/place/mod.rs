//! Where the files of stores under test are made.

use std::any::Any;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Returns a directory in memory where there is one: waiting for a disk tests nothing.
pub(crate) fn directory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.into() } else { std::env::temp_dir() }
}

/// Returns a file of such bytes, as a storage hands it out.
#[allow(dead_code, reason = "not every test restores in place")]
pub(crate) fn native(bytes: &[u8]) -> Box<dyn Any> {
    let mut file = tempfile::tempfile_in(directory()).expect("a directory that takes files");
    file.write_all(bytes).expect("a file that can be written");
    Box::new(file)
}
