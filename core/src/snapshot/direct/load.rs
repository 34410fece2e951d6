use core::fmt;

use super::{Owner, WorkspaceLent};
use crate::codec::Reader;
use crate::error::{ErrorKind, Fault, Malformed, StateError};
use crate::key::HASH_FUNCTION;
use crate::page::{
    Checksum, FileHeader, FileKind, HEADER_LEN, Pages, ReadAt, ReadError, RestoreBudget,
    SectionKind, Spilled,
};
use crate::snapshot::table::{EntryView, TableView};
use crate::snapshot::{Expected, INDEX_ENTRY_LEN, PartEntry, PartError, load_part};
use crate::state::{Division, Kind, LoadError, Name, Shape, State, States, Visitor};

/// Loads all `states`, which are empty, from one snapshot file whose parts are all full.
///
/// Each block, row and part is verified as by [`load_part`]. After an error the states may hold
/// part of the file: clear them. A state that the file does not have is a new one, and empty.
pub fn load_states<S: States, R: ReadAt, C: Checksum>(
    source: R,
    owner: &Owner<'_>,
    states: &mut S,
    workspace: WorkspaceLent<'_>,
    checksum: C,
) -> Result<(), LoadStatesError<R::Error, S::Error>>
where
    S::Error: StateError,
{
    let WorkspaceLent { block, bytes, parts } = workspace;
    let mut pages = Pages::open(source, checksum)?;
    let header = *pages.header();
    if header.kind != FileKind::Snapshot {
        return Err(Malformed::new(Fault::Identity, 10).into());
    }
    if header.job != owner.job {
        return Err(LoadStatesError::OtherJob);
    }
    let at = HEADER_LEN as u64;
    let length = read_section(&mut pages, SectionKind::Table, at, block, bytes)?;
    let (bytes, spill) = bytes.split_at_mut(length);
    let in_table = |malformed: Malformed| Malformed::new(malformed.fault, at);
    let table = TableView::read(Reader::new(bytes)).map_err(in_table)?;
    check(&table, owner, states)?;
    let (index, end) = (pages.index(), pages.end());
    let mut section =
        pages.section(SectionKind::Index, index, end, block, Spilled::new(&mut *spill))?;
    let count = Reader::new(section.bytes(4)?).u32()? as usize;
    let room = parts.len();
    let parts = parts.get_mut(..count).ok_or(LoadStatesError::Parts { parts: count, room })?;
    for part in &mut *parts {
        *part = PartEntry::decode(&mut Reader::new(section.bytes(INDEX_ENTRY_LEN)?))?;
    }
    if !section.is_finished() || parts.iter().any(|part| part.shape != Shape::Full) {
        return Err(Malformed::new(Fault::Range, index).into());
    }
    let (count, entries) = (table.count, table.entries);
    let division = Division::new(1);
    states.each(&mut LoadParts { pages, header, count, entries, parts, block, spill, division })
}

/// Why states were not loaded. They may hold part of what was: clear them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LoadStatesError<M, E> {
    /// The file has another number of key groups.
    KeyGroups {
        /// Its number.
        stored: u16,
        /// That of the job.
        asked: u16,
    },
    /// The bytes are not what was written.
    Malformed(Malformed),
    /// The medium failed.
    Medium(M),
    /// The file has rows of a state that is not declared.
    NoSuchState(Name),
    /// The state is of another kind in the file.
    OtherKind(Name, Kind),
    /// The file is of another job, or operator.
    OtherJob,
    /// The workspace has no room for the parts of the file.
    Parts {
        /// How many parts there are.
        parts: usize,
        /// How many it has room for.
        room: usize,
    },
    /// A sound row does not fit its state, or there is no room for it.
    Row(Name, LoadError<E>),
    /// The state could not be read.
    State(E),
    /// The workspace has no room for the state table.
    Table {
        /// How many bytes it has room for.
        room: usize,
    },
}

impl<M, E: StateError> LoadStatesError<M, E> {
    /// Returns whether the file is damaged: an older one may do.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Malformed(malformed) => malformed.fault != Fault::Version,
            Self::Row(_, error) => error.kind() == ErrorKind::Corrupt,
            _ => false,
        }
    }
}

impl<M, E> From<Malformed> for LoadStatesError<M, E> {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl<M, E> From<ReadError<M>> for LoadStatesError<M, E> {
    fn from(error: ReadError<M>) -> Self {
        match error {
            ReadError::Malformed(malformed) => Self::Malformed(malformed),
            ReadError::Medium(error) => Self::Medium(error),
        }
    }
}

impl<M: fmt::Display, E: fmt::Display> fmt::Display for LoadStatesError<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyGroups { stored, asked } => {
                write!(f, "the snapshot has {stored} key groups, not {asked}: ask for {stored}")
            }
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Medium(error) => error.fmt(f),
            Self::NoSuchState(name) => {
                write!(f, "the snapshot has state {name}, which is not declared: declare it")
            }
            Self::OtherKind(name, kind) => write!(
                f,
                "state {name} is a {kind} now and was something else in the snapshot: give it \
                 another name"
            ),
            Self::OtherJob => f.write_str("the snapshot is of another job or operator"),
            Self::Parts { parts, room } => {
                write!(f, "{parts} parts where {room} fit: give the workspace more PARTS")
            }
            Self::Row(name, error) => write!(f, "state {name}: {error}"),
            Self::State(error) => error.fmt(f),
            Self::Table { room } => write!(
                f,
                "the state table does not fit in {room} bytes: give the workspace more BYTES"
            ),
        }
    }
}

impl<M, E> core::error::Error for LoadStatesError<M, E>
where
    M: core::error::Error + 'static,
    E: StateError,
{
}

/// Checks that a file is of this job, and that each of its states is declared.
fn check<S: States, M>(
    table: &TableView<'_>,
    owner: &Owner<'_>,
    states: &mut S,
) -> Result<(), LoadStatesError<M, S::Error>>
where
    S::Error: StateError,
{
    let (stored, asked) = (table.groups, owner.groups.total());
    if table.operator != owner.operator || table.hash_function != HASH_FUNCTION {
        return Err(LoadStatesError::OtherJob);
    }
    if stored != asked {
        return Err(LoadStatesError::KeyGroups { stored, asked });
    }
    let mut entries = table.entries;
    let in_table = |malformed: Malformed| Malformed::new(malformed.fault, HEADER_LEN as u64);
    for _ in 0..table.count {
        let EntryView { name, kind, .. } = EntryView::take(&mut entries).map_err(in_table)?;
        let name = Name::new(name).ok_or(Malformed::new(Fault::Range, HEADER_LEN as u64))?;
        match states.each(&mut Find(name)) {
            Err(Found(own)) if own == kind => {}
            Err(Found(own)) => return Err(LoadStatesError::OtherKind(name, own)),
            Ok(()) => return Err(LoadStatesError::NoSuchState(name)),
        }
    }
    Ok(entries.finish().map_err(in_table)?)
}

/// Reads a whole section into `place`, and returns its length.
fn read_section<R: ReadAt, C: Checksum, E>(
    pages: &mut Pages<R, C>,
    kind: SectionKind,
    offset: u64,
    block: &mut [u8],
    place: &mut [u8],
) -> Result<usize, LoadStatesError<R::Error, E>> {
    let (mut used, mut next, end, room) = (0, offset, pages.end(), place.len());
    while next < end {
        let found = pages.block(next, end, block)?;
        if found.kind != kind || found.continued != (next != offset) {
            if next != offset {
                break;
            }
            return Err(Malformed::new(Fault::Identity, next).into());
        }
        let behind = used + found.payload.len();
        let free = place.get_mut(used..behind).ok_or(LoadStatesError::Table { room })?;
        free.copy_from_slice(found.payload);
        (used, next) = (behind, found.next);
    }
    Ok(used)
}

/// Finds the state of a name, and stops with its kind.
struct Find(Name);

/// The kind of the state that was found.
struct Found(Kind);

impl<E: StateError> Visitor<E> for Find {
    type Stop = Found;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Found> {
        let own = state.description();
        if own.name == self.0 { Err(Found(own.kind)) } else { Ok(()) }
    }
}

/// Loads the parts of each state.
struct LoadParts<'w, R, C> {
    pages: Pages<R, C>,
    header: FileHeader,
    /// How many entries the table has, and these.
    count: usize,
    entries: Reader<'w>,
    parts: &'w [PartEntry],
    block: &'w mut [u8],
    spill: &'w mut [u8],
    division: Division,
}

impl<R: ReadAt, C: Checksum, E: StateError> Visitor<E> for LoadParts<'_, R, C> {
    type Stop = LoadStatesError<R::Error, E>;

    // What each state takes of the stack is not added up.
    #[inline(never)]
    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop> {
        let FileHeader { epoch, checkpoint, .. } = self.header;
        let name = state.description().name;
        let mut entries = self.entries;
        for number in 0..self.count {
            let EntryView { name: stored, kind, encoding, key, field, value, .. } =
                EntryView::take(&mut entries)?;
            if stored != name.as_str() {
                continue;
            }
            for part in self.parts.iter().filter(|part| usize::from(part.state) == number) {
                let part = *part;
                // Keys of another type may belong elsewhere: the one task has all groups.
                let own = &state.description().key;
                let regroup = kind.is_keyed() && !own.is_stored() && !own.is(key);
                let expected = Expected {
                    part,
                    epoch,
                    checkpoint,
                    kind,
                    encoding,
                    key,
                    field,
                    value,
                    regroup,
                };
                let budget = RestoreBudget::of_snapshot(self.pages.seal().length);
                let spill = Spilled::new(&mut *self.spill);
                load_part(&mut self.pages, &expected, &budget, state, self.block, spill).map_err(
                    |error| match error {
                        PartError::Malformed(malformed) => LoadStatesError::Malformed(malformed),
                        PartError::Medium(error) => LoadStatesError::Medium(error),
                        PartError::Row { error, .. } => LoadStatesError::Row(name, error),
                    },
                )?;
            }
        }
        state.divide(&mut self.division).map_err(LoadStatesError::State)?;
        state.loaded(checkpoint);
        Ok(())
    }
}
