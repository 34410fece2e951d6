//! Loads what a checkpoint holds into the states of one subtask.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use holdwater::error::{ErrorKind, Fault, Malformed, StateError};
use holdwater::key::KeyGroups;
use holdwater::manifest::{FileEntry, Manifest, OperatorEntry, Part, PartShape, StateEntry};
use holdwater::page::{Portable, ReadAt, ReadError};
use holdwater::rescale;
use holdwater::snapshot::{PartEntry, PartError, Snapshot};
use holdwater::state::{LoadError, Shape, State, States, Visitor};
use holdwater::storage::{Failure, ObjectId, Storage};

use crate::error::{Damage, EngineError};
use crate::options::RestorePolicy;

/// What was loaded into states.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Loaded {
    /// How many rows the states hold.
    pub rows: u64,
    /// What was left out, by [`RestorePolicy::SkipGroup`].
    pub skipped: Vec<SkippedGroup>,
}

/// A key group of a state that is damaged in the checkpoint, and empty in the job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SkippedGroup {
    /// The operator.
    pub operator: String,
    /// The state.
    pub state: String,
    /// The key group.
    pub group: u16,
    /// What is damaged.
    pub damage: Damage,
}

impl fmt::Display for SkippedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, state, group, damage } = self;
        write!(f, "state {state} of operator {operator} lost key group {group}: {damage}")
    }
}

/// Why states cannot be loaded.
#[derive(Debug)]
pub enum LoadFailed {
    /// The checkpoint is damaged: an older one may do.
    Damaged(Damage),
    /// No checkpoint will do.
    Failed(EngineError),
}

/// Loads the rows of `groups` into all `states` of an operator, which are empty.
///
/// Each part is verified block by block and row by row, and against what the manifest says of it.
/// Memory beside the states is bounded by the files, whatever is in them
/// ([`RestoreBudget`](holdwater::page::RestoreBudget)). After an error the states are to be dropped.
pub fn load_states<B: Storage + Clone, S: States>(
    manifest: &Manifest,
    operator: &str,
    groups: KeyGroups,
    storage: &B,
    policy: RestorePolicy,
    states: &mut S,
) -> Result<Loaded, LoadFailed> {
    let Some(entry) = manifest.operator(operator) else {
        let (name, id) = (operator.to_owned(), manifest.id);
        return Err(LoadFailed::Failed(EngineError::NoSuchOperator { name, id }));
    };
    let snapshots = Snapshots { manifest, operator, storage, opened: BTreeMap::new() };
    let (names, loaded) = (Vec::new(), Loaded::default());
    let mut loader = Loader { operator: entry, groups, snapshots, policy, names, loaded };
    states.each(&mut loader)?;
    let forgotten = entry.states.iter().find(|state| !loader.names.contains(&state.name));
    match forgotten {
        None => Ok(loader.loaded),
        Some(state) => Err(LoadFailed::Failed(EngineError::NoSuchState {
            operator: operator.to_owned(),
            state: state.name.clone(),
            id: manifest.id,
        })),
    }
}

struct Loader<'m, B: Storage> {
    operator: &'m OperatorEntry,
    groups: KeyGroups,
    snapshots: Snapshots<'m, B>,
    policy: RestorePolicy,
    /// The states that were loaded.
    names: Vec<String>,
    loaded: Loaded,
}

impl<B: Storage + Clone, E: StateError> Visitor<E> for Loader<'_, B> {
    type Stop = LoadFailed;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), LoadFailed> {
        let name = state.description().name;
        // A state that the checkpoint does not have is a new one.
        if let Some(entry) = self.operator.state(name.as_str()) {
            self.check_kind(entry, state)?;
            let mut damaged = BTreeMap::new();
            // What was loaded of a damaged group cannot be told from the rest: begin again.
            while let Some(found) = self.load_chains(entry, &mut damaged, state)? {
                state.clear().map_err(|error| not_cleared(found, entry, error))?;
            }
            self.loaded.skipped.extend(damaged.into_iter().map(|(group, damage)| SkippedGroup {
                operator: self.operator.name.clone(),
                state: entry.name.clone(),
                group,
                damage,
            }));
            self.names.push(name.as_str().to_owned());
        }
        state.loaded(self.snapshots.manifest.id.checkpoint);
        self.loaded.rows += state.rows();
        Ok(())
    }
}

impl<B: Storage + Clone> Loader<'_, B> {
    /// Loads every group but those known to be damaged. If more are, and may be left out, adds
    /// them, and returns a file in which they are.
    fn load_chains<S: State>(
        &mut self,
        entry: &StateEntry,
        damaged: &mut BTreeMap<u16, Damage>,
        state: &mut S,
    ) -> Result<Option<ObjectId>, LoadFailed> {
        let mut found = None;
        for chain in rescale::chains(entry, self.groups) {
            if damaged.contains_key(&chain.group) {
                continue;
            }
            let mut parts = chain.parts.iter();
            match parts.try_for_each(|part| self.snapshots.load(chain.group, entry, part, state)) {
                Ok(()) => {}
                Err(LoadFailed::Damaged(damage)) if self.policy == RestorePolicy::SkipGroup => {
                    found = Some(damage.file);
                    damaged.insert(chain.group, damage);
                }
                Err(failed) => return Err(failed),
            }
        }
        Ok(found)
    }

    fn check_kind<S: State>(&self, entry: &StateEntry, state: &S) -> Result<(), LoadFailed> {
        let kind = state.description().kind;
        if entry.schema.kind == kind.code() {
            return Ok(());
        }
        Err(LoadFailed::Failed(EngineError::OtherKind {
            operator: self.operator.name.clone(),
            state: entry.name.clone(),
            kind,
        }))
    }
}

/// The snapshot files of a checkpoint, opened as they are needed.
struct Snapshots<'m, B: Storage> {
    manifest: &'m Manifest,
    operator: &'m str,
    storage: &'m B,
    opened: BTreeMap<ObjectId, Snapshot<Object<B>, Portable>>,
}

impl<B: Storage + Clone> Snapshots<'_, B> {
    fn load<S: State>(
        &mut self,
        group: u16,
        entry: &StateEntry,
        part: &Part,
        state: &mut S,
    ) -> Result<(), LoadFailed> {
        let snapshot = self.open(part.file)?;
        let stored = snapshot.table().states.get(usize::from(part.state));
        if stored.is_none_or(|stored| stored.name != entry.name) {
            let malformed = Malformed::new(Fault::Identity, part.offset);
            return Err(damaged(part.file, Section::Table, malformed));
        }
        match snapshot.load(index_entry(group, part), state) {
            Ok(_) => Ok(()),
            Err(PartError::Malformed(malformed)) => {
                Err(damaged(part.file, Section::Part { state: &entry.name, group }, malformed))
            }
            Err(PartError::Medium(failure)) => Err(unread(part.file, failure)),
            Err(error @ PartError::Row(..)) => {
                let section = Section::Part { state: &entry.name, group };
                Err(refused(part.file, &section, error))
            }
        }
    }

    /// Opens a file, or returns it if it is open, once it is known to be the one that is meant.
    fn open(&mut self, id: ObjectId) -> Result<&mut Snapshot<Object<B>, Portable>, LoadFailed> {
        match self.opened.entry(id) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(place) => {
                let object = Object { storage: self.storage.clone(), id };
                let snapshot = Snapshot::open(object, Portable).map_err(|error| match error {
                    ReadError::Malformed(malformed) => damaged(id, Section::Head, malformed),
                    ReadError::Medium(failure) => unread(id, failure),
                })?;
                check(self.manifest, self.operator, id, &snapshot)
                    .map_err(|malformed| damaged(id, Section::Head, malformed))?;
                Ok(place.insert(snapshot))
            }
        }
    }
}

/// Checks that a file is the one that the manifest names: length, hash, header and table.
fn check<R: ReadAt>(
    manifest: &Manifest,
    operator: &str,
    id: ObjectId,
    snapshot: &Snapshot<R, Portable>,
) -> Result<(), Malformed> {
    let (header, seal, table) = (snapshot.header(), snapshot.seal(), snapshot.table());
    let named = manifest.files.binary_search_by_key(&id, |file| file.id);
    let named = named.ok().and_then(|place| manifest.files.get(place));
    let FileEntry { length, hash, .. } = *named.ok_or(Malformed::new(Fault::Identity, 0))?;
    if (seal.length, seal.hash) != (length, hash) {
        return Err(Malformed::new(Fault::Identity, seal.length));
    }
    let ObjectId { checkpoint, epoch, attempt, part, .. } = id;
    let own = header.job == manifest.job
        && (header.checkpoint, header.epoch) == (checkpoint, epoch)
        && (header.attempt, header.part) == (attempt, part)
        && table.operator == operator
        && (table.groups, table.hash_function) == (manifest.key_groups, manifest.hash_function);
    if own { Ok(()) } else { Err(Malformed::new(Fault::Identity, 0)) }
}

/// Returns what the index of the file says of a part, by what the manifest says.
fn index_entry(group: u16, part: &Part) -> PartEntry {
    let (shape, base, digest) = match part.shape {
        PartShape::Delta { base } => (Shape::Delta, base.checkpoint, 0),
        PartShape::Full { digest } => (Shape::Full, 0, digest),
    };
    let Part { state, offset, length, rows, .. } = *part;
    PartEntry { state, group, shape, base, offset, length, rows, digest }
}

/// Where in a file something is wrong.
enum Section<'s> {
    Head,
    Part { state: &'s str, group: u16 },
    Table,
}

impl fmt::Display for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("header, table and seal"),
            Self::Part { state, group } => write!(f, "part of state {state}, key group {group}"),
            Self::Table => f.write_str("state table"),
        }
    }
}

fn not_cleared<E: StateError>(file: ObjectId, entry: &StateEntry, error: E) -> LoadFailed {
    let section = format!("state {}", entry.name);
    LoadFailed::Failed(EngineError::NotLoaded { file, section, error: Box::new(error) })
}

fn damaged(file: ObjectId, section: Section<'_>, malformed: Malformed) -> LoadFailed {
    let section = section.to_string();
    LoadFailed::Damaged(Damage { file, section, malformed: Some(malformed) })
}

/// A file that is not there is damage; a medium that fails may do better the next time.
fn unread<E: std::error::Error + Send + Sync + 'static>(
    file: ObjectId,
    failure: Failure<E>,
) -> LoadFailed {
    match failure {
        Failure::Missing(file) => {
            LoadFailed::Damaged(Damage { file, section: "file".to_owned(), malformed: None })
        }
        failure => LoadFailed::Failed(EngineError::Unread { file, error: Box::new(failure) }),
    }
}

fn refused<M, E>(file: ObjectId, section: &Section<'_>, error: PartError<M, E>) -> LoadFailed
where
    M: std::error::Error + Send + Sync + 'static,
    E: StateError,
{
    if error.kind() == ErrorKind::Corrupt {
        let malformed = match &error {
            PartError::Row(_, offset) => Some(Malformed::new(Fault::Value, *offset)),
            _ => None,
        };
        let section = section.to_string();
        return LoadFailed::Damaged(Damage { file, section, malformed });
    }
    match error {
        // The error as it is: whoever chose the store knows it.
        PartError::Row(LoadError::State(error), offset) => {
            let section = format!("{section}, block at byte {offset}");
            LoadFailed::Failed(EngineError::NotLoaded { file, section, error: Box::new(error) })
        }
        error => {
            let section = section.to_string();
            LoadFailed::Failed(EngineError::NotLoaded { file, section, error: Box::new(error) })
        }
    }
}

/// A snapshot file in a storage.
struct Object<B> {
    storage: B,
    id: ObjectId,
}

impl<B: Storage> ReadAt for Object<B> {
    type Error = Failure<B::Error>;

    fn length(&mut self) -> Result<u64, Self::Error> {
        self.storage.length(self.id)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.storage.read(self.id, offset, buffer)
    }
}
