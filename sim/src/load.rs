//! Loads a checkpoint into tasks, from the bytes of its files.

use std::convert::Infallible;

use holdwater::checkpoint::{self, RestorePolicy};
use holdwater::key::KeyGroups;
use holdwater::manifest::Manifest;
use holdwater::storage::{ObjectId, Storage as _};
use holdwater_bytes::{Bytes, BytesError, Ordered};
use holdwater_memory::Memory;

use crate::totals::Totals;

/// Where the tasks keep their state.
pub type Store = Bytes<Ordered>;
/// Why an access of a task's state fails.
pub type StoreError = BytesError<Infallible>;
/// The operator with state.
pub const OPERATOR: &str = "totals";

/// Opens the empty states of a task.
pub fn open(groups: KeyGroups) -> Result<Totals<Store>, StoreError> {
    Totals::open(&mut Store::in_memory(groups))
}

/// Loads the rows of `groups` from `files`, the contents of files of the checkpoint. On error says
/// what is damaged.
pub fn load<'f>(
    manifest: &Manifest,
    files: impl Iterator<Item = (ObjectId, &'f [u8])>,
    groups: KeyGroups,
) -> Result<Totals<Store>, String> {
    let mut storage = Memory::new(usize::MAX);
    for (id, bytes) in files {
        let written = storage.create(id).and_then(|mut file| storage.write(&mut file, bytes));
        written.map_err(|failure| failure.to_string())?;
    }
    let mut totals = open(groups).map_err(|error| error.to_string())?;
    let policy = RestorePolicy::PreviousCheckpoint;
    match checkpoint::load(manifest, OPERATOR, groups, &storage, policy, &mut totals) {
        Ok(_) => Ok(totals),
        Err(failure) => Err(failure.to_string()),
    }
}
