//! Loads what a checkpoint holds into the states of one task: the way back through the corridor.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::error::{ErrorKind, Fault, Malformed, StateError};
use crate::key::KeyGroups;
use crate::manifest::{FileEntry, Manifest, OperatorEntry, Part, StateEntry};
use crate::page::{Portable, ReadAt, ReadError};
use crate::rescale;
use crate::snapshot::{PartError, Snapshot};
use crate::state::{Division, Kind, LoadError, State, States, Visitor};
use crate::storage::{Failure, ObjectId, Storage, StoredObject};

/// What is done about damage in a checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RestorePolicy {
    /// The job fails.
    Fail,
    /// The newest intact checkpoint before it is restored; somebody is told.
    PreviousCheckpoint,
    /// What is intact is restored, and damaged key groups are left out; somebody is told of each.
    /// Their keys begin anew: for jobs that would rather lose a part than stand still.
    SkipGroup,
}

/// What was loaded into states.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Restored {
    /// How many keys the states hold.
    pub rows: u64,
    /// What was left out, by [`RestorePolicy::SkipGroup`].
    pub skipped: Vec<SkippedGroup>,
}

/// A key group of a state, or what a task had of it, that is damaged in the checkpoint and empty in
/// the job.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SkippedGroup {
    /// The operator.
    pub operator: String,
    /// The state.
    pub state: String,
    /// The key group; of operator state the task.
    pub group: u16,
    /// Whether the state belongs to keys.
    pub is_keyed: bool,
    /// What is damaged.
    pub damage: FileDamage,
}

impl fmt::Display for SkippedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, state, group, is_keyed, damage } = self;
        let whose = if *is_keyed { "key group" } else { "what was of task" };
        write!(f, "state {state} of operator {operator} lost {whose} {group}: {damage}")
    }
}

/// Loads the rows of `groups` into all `states` of an operator, which are empty.
///
/// Each part is verified block by block and row by row, and against what the manifest says of it.
/// Memory beside the states is bounded by the files, whatever is in them
/// ([`RestoreBudget`](crate::page::RestoreBudget)). After an error the states may hold part of the
/// checkpoint: drop or clear them.
pub fn load<B: Storage + Clone, S: States>(
    manifest: &Manifest,
    operator: &str,
    groups: KeyGroups,
    storage: &B,
    policy: RestorePolicy,
    states: &mut S,
) -> Result<Restored, LoadFailure<B::Error, S::Error>>
where
    S::Error: StateError,
{
    let (stored, asked) = (manifest.key_groups, groups.total());
    if stored != asked {
        return Err(LoadFailure::KeyGroups { stored, asked });
    }
    let Some(entry) = manifest.operator(operator) else {
        return Err(LoadFailure::NoSuchOperator { operator: operator.into() });
    };
    let snapshots = Snapshots { manifest, operator, storage, opened: BTreeMap::new() };
    let (names, restored) = (Vec::new(), Restored::default());
    let division = Division::new(entry.parallelism);
    let mut loader =
        Loader { operator: entry, groups, snapshots, policy, division, names, restored };
    states.each(&mut loader)?;
    let forgotten = entry.states.iter().find(|state| !loader.names.contains(&state.name));
    match forgotten {
        None => Ok(loader.restored),
        Some(state) => {
            Err(LoadFailure::NoSuchState { operator: operator.into(), state: state.name.clone() })
        }
    }
}

/// Why a checkpoint cannot be loaded.
#[derive(Debug)]
pub enum LoadFailure<M, E> {
    /// A file is damaged or missing: an older checkpoint may do.
    Damaged(FileDamage),
    /// The checkpoint has another number of key groups.
    KeyGroups {
        /// Its number.
        stored: u16,
        /// That of the job.
        asked: u16,
    },
    /// The store could not drop what it holds of a damaged group, or divide what it holds of an
    /// operator.
    NotSettled(E),
    /// The checkpoint has no such operator.
    NoSuchOperator {
        /// The operator.
        operator: String,
    },
    /// The checkpoint has rows of a state that the operator does not declare.
    NoSuchState {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
    },
    /// The state is of another kind in the checkpoint.
    OtherKind {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// The kind that the operator declares.
        kind: Kind,
    },
    /// A sound row does not fit its state, or the store has no room for it.
    Refused {
        /// The file.
        file: ObjectId,
        /// The part of it.
        section: String,
        /// Why.
        error: LoadError<E>,
    },
    /// The medium failed.
    Unread {
        /// The file.
        file: ObjectId,
        /// Why.
        failure: Failure<M>,
    },
}

impl<M: fmt::Display, E: fmt::Display> fmt::Display for LoadFailure<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage) => damage.fmt(f),
            Self::KeyGroups { stored, asked } => {
                write!(f, "the checkpoint has {stored} key groups, not {asked}: ask for {stored}")
            }
            Self::NotSettled(error) => error.fmt(f),
            Self::NoSuchOperator { operator } => {
                write!(f, "the checkpoint has no operator {operator}: it is of another job")
            }
            Self::NoSuchState { operator, state } => write!(
                f,
                "the checkpoint has state {state} of operator {operator}, which the job does not \
                 declare: declare it, or start afresh"
            ),
            Self::OtherKind { operator, state, kind } => write!(
                f,
                "state {state} of operator {operator} is a {kind} now and was something else in \
                 the checkpoint: give it another name"
            ),
            Self::Refused { file, section, error } => write!(f, "{file}, {section}: {error}"),
            Self::Unread { file, failure } => write!(f, "cannot read {file}: {failure}"),
        }
    }
}

impl<M, E> core::error::Error for LoadFailure<M, E>
where
    M: core::error::Error + 'static,
    E: StateError,
{
}

/// What is damaged in a file of a checkpoint, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileDamage {
    /// The file.
    pub file: ObjectId,
    /// The part of it.
    pub section: String,
    /// The fault and its offset in the file; without, the file is missing.
    pub malformed: Option<Malformed>,
}

impl fmt::Display for FileDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.malformed {
            Some(malformed) => write!(f, "{}, {}: {malformed}", self.file, self.section),
            None => write!(f, "{} is missing", self.file),
        }
    }
}

struct Loader<'m, B: Storage> {
    operator: &'m OperatorEntry,
    groups: KeyGroups,
    snapshots: Snapshots<'m, B>,
    policy: RestorePolicy,
    division: Division,
    /// The states that were loaded.
    names: Vec<String>,
    restored: Restored,
}

impl<B: Storage + Clone, E: StateError> Visitor<E> for Loader<'_, B> {
    type Stop = LoadFailure<B::Error, E>;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop> {
        let description = state.description();
        let (name, kind) = (description.name, description.kind);
        // A state that the checkpoint does not have is a new one.
        if let Some(entry) = self.operator.state(name.as_str()) {
            if entry.schema.kind != kind.code() {
                let operator = self.operator.name.clone();
                return Err(LoadFailure::OtherKind { operator, state: entry.name.clone(), kind });
            }
            let mut damaged = BTreeMap::new();
            // What was loaded of a damaged group cannot be told from the rest: begin again.
            while self.load_chains(entry, &mut damaged, state)? {
                state.clear().map_err(LoadFailure::NotSettled)?;
            }
            self.restored.skipped.extend(damaged.into_iter().map(|(group, damage)| SkippedGroup {
                operator: self.operator.name.clone(),
                state: entry.name.clone(),
                group,
                is_keyed: kind.is_keyed(),
                damage,
            }));
            state.divide(&mut self.division).map_err(LoadFailure::NotSettled)?;
            self.names.push(name.as_str().into());
        }
        state.loaded(self.snapshots.manifest.id.checkpoint);
        self.restored.rows += state.rows();
        Ok(())
    }
}

impl<B: Storage + Clone> Loader<'_, B> {
    /// Loads every group but those known to be damaged. Adds those that are found to be, if they
    /// may be left out, and returns whether there were any.
    fn load_chains<S: State>(
        &mut self,
        entry: &StateEntry,
        damaged: &mut BTreeMap<u16, FileDamage>,
        state: &mut S,
    ) -> Result<bool, LoadFailure<B::Error, S::Error>> {
        let known = damaged.len();
        let groups = if is_keyed(state) { self.groups } else { state.groups() };
        for chain in rescale::chains(entry, groups, self.operator.parallelism) {
            if damaged.contains_key(&chain.group) {
                continue;
            }
            let mut parts = chain.parts.iter();
            match parts.try_for_each(|part| self.snapshots.load(chain.group, entry, part, state)) {
                Ok(()) => {}
                Err(LoadFailure::Damaged(damage)) if self.policy == RestorePolicy::SkipGroup => {
                    damaged.insert(chain.group, damage);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(damaged.len() > known)
    }
}

type Open<B> = Snapshot<StoredObject<B>, Portable>;

/// The snapshot files of a checkpoint, opened as they are needed.
struct Snapshots<'m, B: Storage> {
    manifest: &'m Manifest,
    operator: &'m str,
    storage: &'m B,
    opened: BTreeMap<ObjectId, Open<B>>,
}

impl<B: Storage + Clone> Snapshots<'_, B> {
    fn load<S: State>(
        &mut self,
        group: u16,
        entry: &StateEntry,
        part: &Part,
        state: &mut S,
    ) -> Result<(), LoadFailure<B::Error, S::Error>> {
        let snapshot = self.open(part.file)?;
        let stored = snapshot.table().states.get(usize::from(part.state));
        if stored.is_none_or(|stored| stored.name != entry.name) {
            let malformed = Malformed::new(Fault::Identity, part.offset);
            return Err(damaged(part.file, &Section::Table, malformed));
        }
        let is_keyed = is_keyed(state);
        let section = Section::Part { state: &entry.name, group, is_keyed };
        match snapshot.load(entry.index_entry(group, part), state) {
            Ok(_) => Ok(()),
            Err(PartError::Malformed(malformed)) => Err(damaged(part.file, &section, malformed)),
            Err(PartError::Medium(failure)) => Err(unread(part.file, failure)),
            Err(PartError::Row(error, offset)) if error.kind() == ErrorKind::Corrupt => {
                Err(damaged(part.file, &section, Malformed::new(Fault::Value, offset)))
            }
            Err(PartError::Row(error, offset)) => {
                let section = alloc::format!("{section}, block at byte {offset}");
                Err(LoadFailure::Refused { file: part.file, section, error })
            }
        }
    }

    /// Opens a file, or returns it if it is open, once it is known to be the one that is meant.
    fn open<E>(&mut self, id: ObjectId) -> Result<&mut Open<B>, LoadFailure<B::Error, E>> {
        match self.opened.entry(id) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(place) => {
                let object = StoredObject::new(self.storage.clone(), id);
                let snapshot = Snapshot::open(object, Portable).map_err(|error| match error {
                    ReadError::Malformed(malformed) => damaged(id, &Section::Head, malformed),
                    ReadError::Medium(failure) => unread(id, failure),
                })?;
                check(self.manifest, self.operator, id, &snapshot)
                    .map_err(|malformed| damaged(id, &Section::Head, malformed))?;
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

fn is_keyed<S: State>(state: &S) -> bool {
    state.description().kind.is_keyed()
}

/// Where in a file something is wrong.
enum Section<'s> {
    Head,
    Part { state: &'s str, group: u16, is_keyed: bool },
    Table,
}

impl fmt::Display for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("header, table and seal"),
            Self::Part { state, group, is_keyed } => {
                let whose = if *is_keyed { "key group" } else { "task" };
                write!(f, "part of state {state}, {whose} {group}")
            }
            Self::Table => f.write_str("state table"),
        }
    }
}

fn damaged<M, E>(file: ObjectId, section: &Section<'_>, malformed: Malformed) -> LoadFailure<M, E> {
    let section = section.to_string();
    LoadFailure::Damaged(FileDamage { file, section, malformed: Some(malformed) })
}

/// A file that is not there is damage; a medium that fails may do better the next time.
fn unread<M, E>(file: ObjectId, failure: Failure<M>) -> LoadFailure<M, E> {
    match failure {
        Failure::Missing(file) => {
            LoadFailure::Damaged(FileDamage { file, section: "file".into(), malformed: None })
        }
        failure => LoadFailure::Unread { file, failure },
    }
}
