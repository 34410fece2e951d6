//! Loads a checkpoint into tasks, from the bytes of its files.

use std::convert::Infallible;

use holdwater::checkpoint::{self, RestorePolicy};
use holdwater::key::KeyGroups;
use holdwater::manifest::Manifest;
use holdwater::operator::{InFlightState, Task};
use holdwater::storage::{ObjectId, Storage as _};
use holdwater_bytes::{Bytes, BytesError, Ordered};
use holdwater_memory::Memory;

use crate::in_flight::{self, Beside, Taken};
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

/// Returns a storage of `files`, the contents of files of a checkpoint.
pub fn storage<'f>(files: impl Iterator<Item = (ObjectId, &'f [u8])>) -> Result<Memory, String> {
    let mut storage = Memory::new(usize::MAX);
    for (id, bytes) in files {
        let written = storage.create(id).and_then(|mut file| storage.write(&mut file, bytes));
        written.map_err(|failure| failure.to_string())?;
    }
    Ok(storage)
}

/// What a task begins with.
#[derive(Debug)]
pub struct Begun {
    /// Its groups.
    pub groups: KeyGroups,
    /// Its state.
    pub totals: Totals<Store>,
    /// The records in flight to it, with their sources.
    pub in_flight: Vec<(u16, Taken)>,
}

/// Loads the rows of `groups`. On error says what is damaged.
pub fn load(manifest: &Manifest, storage: &Memory, groups: KeyGroups) -> Result<Begun, String> {
    let mut totals = open(groups).map_err(|error| error.to_string())?;
    let policy = RestorePolicy::PreviousCheckpoint;
    // Whichever it is, a union list is read whole.
    let in_flight = InFlightState::new(in_flight::records(), Task::new(0, 1), groups, Vec::new());
    let mut states = Beside(&mut totals, in_flight);
    match checkpoint::load(manifest, OPERATOR, groups, storage, policy, &mut states) {
        Ok(_) => {
            let in_flight = states.1.into_loaded();
            Ok(Begun { groups, totals, in_flight })
        }
        Err(failure) => Err(failure.to_string()),
    }
}
