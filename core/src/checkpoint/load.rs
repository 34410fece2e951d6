//! Loads what a checkpoint holds into the states of one task: the way back through the corridor.

mod adopt;
mod failure;
mod fits;
mod native;
mod restored;

pub use self::failure::{FileDamage, LoadFailure};
pub use self::restored::{Reading, RestorePolicy, Restored, SkippedGroup};

use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use core::fmt;

use self::adopt::adopt;
use self::fits::Fits;
use crate::error::{ErrorKind, Fault, Malformed, StateError};
use crate::key::{KeyGroup, KeyGroups};
use crate::manifest::{FileEntry, Manifest, OperatorEntry, Part, StateEntry};
use crate::page::{Portable, ReadAt, ReadError};
use crate::planted::planted;
use crate::rescale;
use crate::snapshot::{PartError, Passage, Restamp, Snapshot};
use crate::state::{Division, LoadError, State, States, Visitor};
use crate::storage::{Failure, ObjectId, Storage, StoredObject};

/// Loads the rows of `groups` into all `states` of an operator, which are empty.
///
/// Whether the states can read what is stored is settled from the types before any row is read:
/// what is refused later depends on a value. Rows of older types are read by the schemas that they
/// were written with, and the next checkpoint of such a state is full. So is that of a state that
/// was given a time to live, or has lost it, or has another one: its rows are stamped with the time
/// of the checkpoint, those that lived then lose their stamps, and the others are left out.
///
/// Where keys may belong to other groups than they did, since their type has changed, every group
/// of the operator is read, and of each the keys of `groups` are kept.
///
/// Each part is verified block by block and row by row, and against what the manifest says of it.
/// Of the files that the next checkpoint may name again, those that fall to this task are then read
/// whole: damage in what nobody needs today would be handed on, and found when it is too late.
/// A store that takes parts as they lie ([`State::adopt`]) reads their files whole later, before it
/// saves, unless `reading` says to do so now.
/// Memory beside the states is bounded by the files, whatever is in them
/// ([`RestoreBudget`](crate::page::RestoreBudget)). After an error the states may hold part of the
/// checkpoint: drop or clear them.
pub fn load<B: Storage + Clone, S: States>(
    manifest: &Manifest,
    operator: &str,
    groups: KeyGroups,
    storage: &B,
    reading: impl Into<Reading>,
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
    let fits = Fits::of(manifest, entry, states)?;
    let (opened, adopted) = (BTreeMap::new(), BTreeSet::new());
    let snapshots = Snapshots { manifest, operator, storage, opened, adopted };
    let restored = Restored { full: fits.regroup, ..Restored::default() };
    let division = Division::new(entry.parallelism);
    let reading = reading.into();
    let mut loader =
        Loader { operator: entry, groups, fits, snapshots, reading, division, restored };
    states.each(&mut loader)?;
    loader.verify_files()?;
    Ok(loader.restored)
}

struct Loader<'m, B: Storage> {
    operator: &'m OperatorEntry,
    groups: KeyGroups,
    fits: Fits,
    snapshots: Snapshots<'m, B>,
    reading: Reading,
    division: Division,
    restored: Restored,
}

impl<B: Storage + Clone, E: StateError> Visitor<E> for Loader<'_, B> {
    type Stop = LoadFailure<B::Error, E>;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop> {
        let (name, mut attached) = (state.description().name, false);
        // A state that the checkpoint does not have is a new one.
        if let Some(entry) = self.operator.state(name.as_str()) {
            let mut damaged = BTreeMap::new();
            attached = self.attach(entry, state)?;
            // What was loaded of a damaged group cannot be told from the rest: begin again.
            while self.load_chains(entry, &mut damaged, state)? {
                state.clear().map_err(LoadFailure::NotSettled)?;
            }
            self.restored.full |= !damaged.is_empty();
            self.restored.skipped.extend(damaged.into_iter().map(|(group, damage)| SkippedGroup {
                operator: self.operator.name.clone(),
                state: entry.name.clone(),
                group,
                is_keyed: is_keyed(state),
                damage,
            }));
            state.divide(&mut self.division).map_err(LoadFailure::NotSettled)?;
        }
        // No delta stands on rows of other types or groups, or on files of a store: of what the
        // store does not know as its base it saves everything.
        if self.fits.is_base(name.as_str()) && !attached {
            state.loaded(self.snapshots.manifest.id.checkpoint);
        }
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
        let regroup = self.fits.regroup && is_keyed(state);
        let same = self.fits.is_base(&entry.name);
        let groups = match (regroup, is_keyed(state)) {
            (true, _) => KeyGroups::all(self.groups.total()),
            (false, true) => self.groups,
            (false, false) => state.groups(),
        };
        for chain in rescale::chains(entry, groups, self.operator.parallelism) {
            if damaged.contains_key(&chain.group) {
                continue;
            }
            let own = state.description().expiry();
            let mut restamp = Restamp::of(entry.schema.expiry, entry.moment, own);
            // A store may read rows where they lie if they are as it writes them itself.
            let whole = self.reading.whole || regroup || restamp.is_some();
            let adopts = same && !whole && is_keyed(state);
            let mut parts = chain.parts.iter();
            let mut load = |part| {
                let passage = Passage { regroup, restamp: restamp.as_mut() };
                self.snapshots.load((chain.group, adopts, passage), entry, part, state)
            };
            match parts.try_for_each(&mut load) {
                Ok(()) => {}
                Err(LoadFailure::Damaged(damage))
                    if self.skips() && self.operator.natives.is_empty() =>
                {
                    damaged.insert(chain.group, damage);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(damaged.len() > known)
    }
}

impl<B: Storage + Clone> Loader<'_, B> {
    fn skips(&self) -> bool {
        self.reading.policy == RestorePolicy::SkipGroup
    }

    /// Reads the files of the operator whole that fall to this task: file i to the one that owns
    /// key group i, and so on round the groups.
    fn verify_files<E>(&mut self) -> Result<(), LoadFailure<B::Error, E>> {
        let chains = self.operator.states.iter().flat_map(|state| &state.chains);
        let files: BTreeSet<_> =
            chains.flat_map(|chain| &chain.parts).map(|part| part.file).collect();
        for (group, file) in (0..self.groups.total()).cycle().zip(files) {
            // Nothing stands on a file before the next full checkpoint.
            let is_own = self.groups.contains(KeyGroup::new(group));
            // A store that reads a file where it lies verifies it before it saves.
            let is_adopted = self.snapshots.adopted.contains(&file);
            if self.restored.full || !is_own || is_adopted || planted(63) {
                continue;
            }
            match self.snapshots.verify(file) {
                Err(LoadFailure::Damaged(_)) if self.skips() => {
                    self.restored.full = true;
                }
                verified => verified?,
            }
        }
        Ok(())
    }
}

type Open<B> = Snapshot<StoredObject<B>, Portable>;

/// The snapshot files of a checkpoint, opened as they are needed.
struct Snapshots<'m, B: Storage> {
    manifest: &'m Manifest,
    operator: &'m str,
    storage: &'m B,
    opened: BTreeMap<ObjectId, Open<B>>,
    /// Those that a store reads where they lie.
    adopted: BTreeSet<ObjectId>,
}

impl<B: Storage + Clone> Snapshots<'_, B> {
    fn load<S: State>(
        &mut self,
        (group, adopts, passage): (u16, bool, Passage<'_>),
        entry: &StateEntry,
        part: &Part,
        state: &mut S,
    ) -> Result<(), LoadFailure<B::Error, S::Error>> {
        let storage = self.storage;
        let snapshot = self.open(part.file)?;
        let stored = snapshot.table().states.get(usize::from(part.state));
        if stored.is_none_or(|stored| stored.name != entry.name || !entry.schema.is_of(stored)) {
            let malformed = Malformed::new(Fault::Identity, part.offset);
            return Err(damaged(part.file, &Section::Table, malformed));
        }
        let is_keyed = is_keyed(state);
        let section = Section::Part { state: &entry.name, group, is_keyed };
        let index_entry = entry.index_entry(group, part);
        let hash = snapshot.seal().hash;
        let adopted = match adopts {
            true => adopt(storage.clone(), (part.file, hash), &index_entry, state),
            false => Ok(false),
        };
        let loaded = match adopted {
            Ok(true) => {
                self.adopted.insert(part.file);
                return Ok(());
            }
            Ok(false) => snapshot.load_through(index_entry, passage, state),
            Err(LoadError::Malformed(malformed)) => Err(PartError::Malformed(malformed)),
            Err(error) => Err(PartError::Row { error, offset: part.offset, row: 0 }),
        };
        match loaded {
            Ok(_) => Ok(()),
            Err(PartError::Malformed(malformed)) => Err(damaged(part.file, &section, malformed)),
            Err(PartError::Medium(failure)) => Err(unread(part.file, failure)),
            Err(PartError::Row { error, offset, .. }) if error.kind() == ErrorKind::Corrupt => {
                Err(damaged(part.file, &section, Malformed::new(Fault::Value, offset)))
            }
            Err(PartError::Row { error, offset, row }) => {
                let section = alloc::format!("{section}, row {row}, block at byte {offset}");
                Err(LoadFailure::Refused { file: part.file, section, error })
            }
        }
    }

    /// Verifies a file as a whole: its index, and its hash.
    fn verify<E>(&mut self, id: ObjectId) -> Result<(), LoadFailure<B::Error, E>> {
        let snapshot = self.open(id)?;
        let failed = |section, error| match error {
            ReadError::Malformed(malformed) => damaged(id, &section, malformed),
            ReadError::Medium(failure) => unread(id, failure),
        };
        let parts = snapshot.parts().map_err(|error| failed(Section::Index, error))?;
        let Err(error) = snapshot.verify_hash() else { return Ok(()) };
        // The part that it is in, if it is in one, says more.
        for part in parts {
            let Err(PartError::Malformed(malformed)) = snapshot.rows::<E>(part, |_| Ok(())) else {
                continue;
            };
            if let Some(state) = snapshot.table().states.get(usize::from(part.state)) {
                let (is_keyed, group) = (state.kind.is_keyed(), part.group);
                let section = Section::Part { state: &state.name, group, is_keyed };
                return Err(damaged(id, &section, malformed));
            }
        }
        Err(failed(Section::Whole, error))
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
    File,
    Head,
    Index,
    Part { state: &'s str, group: u16, is_keyed: bool },
    Table,
    Whole,
}

impl fmt::Display for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("file of a store"),
            Self::Head => f.write_str("header, table and seal"),
            Self::Index => f.write_str("index"),
            Self::Part { state, group, is_keyed } => {
                let whose = if *is_keyed { "key group" } else { "task" };
                write!(f, "part of state {state}, {whose} {group}")
            }
            Self::Table => f.write_str("state table"),
            Self::Whole => f.write_str("whole file"),
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
