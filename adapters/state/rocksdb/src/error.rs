use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use holdwater::error::{ErrorKind, StateError};
use holdwater::state::Unfetched;

/// Why state in RocksDB refuses.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RocksDbError {
    /// RocksDB failed.
    Engine {
        /// What it was asked for.
        task: &'static str,
        /// The directory of the database.
        directory: PathBuf,
        /// What it answered.
        error: rocksdb::Error,
    },
    /// A file or a directory beside the database could not be used.
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A file of a checkpoint has a name that no file of a database has.
    Foreign {
        /// The name.
        name: String,
    },
    /// A file of a checkpoint could not be read, or is not what it was. Whoever reads it says why.
    Unfetched,
}

impl RocksDbError {
    /// Says that RocksDB failed at `task` in `directory`.
    pub(crate) fn engine<'p>(
        task: &'static str,
        directory: &'p Path,
    ) -> impl FnOnce(rocksdb::Error) -> Self + use<'p> {
        move |error| Self::Engine { task, directory: directory.into(), error }
    }

    /// Says that `path` could not be used.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<'_> {
        move |error| Self::File { path: path.into(), error: error.to_string() }
    }
}

impl fmt::Display for RocksDbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine { task, directory, error } => {
                write!(f, "RocksDB in {} cannot {task}: {error}; ", directory.display())?;
                f.write_str(match self.kind() {
                    ErrorKind::Corrupt => "restore from the newest checkpoint",
                    ErrorKind::Mismatch => "use the version of the program that wrote it",
                    _ => "look at the disk, then start again from the newest checkpoint",
                })
            }
            Self::File { path, error } => {
                write!(f, "{}: {error}; give another directory for state", path.display())
            }
            Self::Foreign { name } => {
                write!(
                    f,
                    "no file of a database is called {name:?}: restore from another checkpoint"
                )
            }
            Self::Unfetched => Unfetched.fmt(f),
        }
    }
}

impl Error for RocksDbError {}

impl StateError for RocksDbError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Engine { error, .. } => match error.kind() {
                rocksdb::ErrorKind::Corruption => ErrorKind::Corrupt,
                rocksdb::ErrorKind::InvalidArgument | rocksdb::ErrorKind::NotSupported => {
                    ErrorKind::Mismatch
                }
                _ => ErrorKind::Io,
            },
            Self::File { .. } => ErrorKind::Io,
            Self::Foreign { .. } | Self::Unfetched => ErrorKind::Corrupt,
        }
    }
}
