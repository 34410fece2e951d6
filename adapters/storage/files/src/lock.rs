//! The lock on a directory, held by the process that publishes checkpoints there.

use crate::directory::Directory;
use crate::error::{FilesError, LockError, Step};
use std::fs::{File, TryLockError};

/// The exclusive lock on a directory; free again when this is dropped or its process dies.
#[derive(Debug)]
#[must_use = "the directory is locked only as long as this lives"]
pub struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(directory: &Directory) -> Result<Self, LockError> {
        let failed = |error| {
            LockError::Failed(FilesError::new(Step::Lock, directory.path().join(NAME), error))
        };
        // Never removed: who opened it before that would lock a file that nobody else sees.
        let file = directory.open_lock(NAME).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(LockError::Busy { directory: directory.path().to_owned() })
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

const NAME: &str = "LOCK";
