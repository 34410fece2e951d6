//! Loads a checkpoint into tasks, from the bytes of its files, and verifies what it reads.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;

use holdwater::error::StateError;
use holdwater::key::KeyGroups;
use holdwater::manifest::{FileEntry, Manifest, OperatorEntry, Part, PartShape};
use holdwater::page::Portable;
use holdwater::rescale;
use holdwater::snapshot::{PartEntry, Snapshot};
use holdwater::state::{Shape, State, States, Visitor};
use holdwater::storage::ObjectId;
use holdwater_bytes::{Bytes, BytesError, Ordered};

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

/// Loads the rows of `groups` from `files`, the contents of all files of the checkpoint.
///
/// On error says what is damaged.
pub fn load(
    manifest: &Manifest,
    files: &BTreeMap<ObjectId, &[u8]>,
    groups: KeyGroups,
) -> Result<Totals<Store>, String> {
    let mut totals = open(groups).map_err(|error| error.to_string())?;
    let operator = manifest.operator(OPERATOR).ok_or("the operator is missing")?;
    let mut snapshots = BTreeMap::new();
    for file in &manifest.files {
        let bytes = *files.get(&file.id).ok_or_else(|| format!("{} is missing", file.id))?;
        let snapshot = verified(manifest, file, bytes).map_err(|why| at(file.id, why))?;
        snapshots.insert(file.id, snapshot);
    }
    let mut loader = Loader { manifest, operator, groups, snapshots };
    totals.each(&mut loader)?;
    Ok(totals)
}

type Opened<'f> = Snapshot<&'f [u8], Portable>;

/// Opens a file, if it is the one that the manifest names.
fn verified<'f>(
    manifest: &Manifest,
    file: &FileEntry,
    bytes: &'f [u8],
) -> Result<Opened<'f>, String> {
    let mut snapshot = Snapshot::open(bytes, Portable).map_err(|error| error.to_string())?;
    snapshot.verify_hash().map_err(|error| error.to_string())?;
    let (header, seal, table) = (snapshot.header(), snapshot.seal(), snapshot.table());
    let named = (file.id.checkpoint, file.id.epoch, file.id.attempt, file.id.part);
    let own = header.job == manifest.job
        && (header.checkpoint, header.epoch, header.attempt, header.part) == named
        && (seal.length, seal.hash) == (file.length, file.hash)
        && table.operator == OPERATOR
        && (table.groups, table.hash_function) == (manifest.key_groups, manifest.hash_function);
    if own { Ok(snapshot) } else { Err("is not the file that is named".to_owned()) }
}

struct Loader<'m, 'f> {
    manifest: &'m Manifest,
    operator: &'m OperatorEntry,
    groups: KeyGroups,
    snapshots: BTreeMap<ObjectId, Opened<'f>>,
}

impl<E: StateError> Visitor<E> for Loader<'_, '_> {
    type Stop = String;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), String> {
        let name = state.description().name;
        let entry = self.operator.state(name.as_str());
        let entry = entry.ok_or_else(|| format!("the state {name} is missing"))?;
        for chain in rescale::chains(entry, self.groups) {
            for part in &chain.parts {
                let snapshot = self.snapshots.get_mut(&part.file);
                let snapshot = snapshot.ok_or_else(|| format!("{} is not listed", part.file))?;
                let stored = snapshot.table().states.get(usize::from(part.state));
                if stored.is_none_or(|stored| stored.name != entry.name) {
                    return Err(at(part.file, "holds another state"));
                }
                snapshot
                    .load(index_entry(chain.group, part), state)
                    .map_err(|error| at(part.file, error))?;
            }
        }
        state.loaded(self.manifest.id.checkpoint);
        Ok(())
    }
}

/// Returns what the index of the file says of a part, by what the manifest says.
const fn index_entry(group: u16, part: &Part) -> PartEntry {
    let (shape, base, digest) = match part.shape {
        PartShape::Delta { base } => (Shape::Delta, base.checkpoint, 0),
        PartShape::Full { digest } => (Shape::Full, 0, digest),
    };
    let Part { state, offset, length, rows, .. } = *part;
    PartEntry { state, group, shape, base, offset, length, rows, digest }
}

fn at(file: ObjectId, why: impl Display) -> String {
    format!("{file}: {why}")
}
