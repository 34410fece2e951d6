//! What can fail in a directory, and where.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A step that a directory of checkpoints failed to take.
#[derive(Debug)]
pub struct FilesError {
    /// What was to be done.
    pub step: Step,
    /// To which file or directory.
    pub path: PathBuf,
    /// What the operating system says.
    pub source: io::Error,
}

/// What a [`FilesError`] was about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Creating a file or a directory.
    Create,
    /// Listing a directory.
    List,
    /// Locking a directory.
    Lock,
    /// Opening a file or a directory.
    Open,
    /// Giving a draft its name.
    Publish,
    /// Reading a file.
    Read,
    /// Removing a file.
    Remove,
    /// Making a file or the names in a directory durable.
    Sync,
    /// Writing a file.
    Write,
}

/// Why a directory could not be locked.
#[derive(Debug)]
pub enum LockError {
    /// Another process publishes checkpoints there.
    Busy {
        /// The directory.
        directory: PathBuf,
    },
    /// The lock file failed.
    Failed(FilesError),
}

impl FilesError {
    pub(crate) fn new(step: Step, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { step, path: path.into(), source }
    }
}

/// Writes one line, with what the operating system says.
impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.step, self.path.display(), self.source)
    }
}

impl Error for FilesError {}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::List => "list",
            Self::Lock => "lock",
            Self::Open => "open",
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Remove => "remove",
            Self::Sync => "sync",
            Self::Write => "write",
        })
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { directory } => write!(
                f,
                "{} is in use by another process: stop it or choose another directory",
                directory.display()
            ),
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

impl Error for LockError {}
