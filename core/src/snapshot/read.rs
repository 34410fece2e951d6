//! Reads parts back: each row is checked against its schema before a store sees it.

use core::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::{PartEntry, shape_from};
use crate::codec::{Encoding, Reader};
use crate::error::{ErrorKind, Fault, Malformed, StateError};
use crate::key::KeyGroup;
use crate::page::{Checksum, Pages, ReadAt, ReadError, RestoreBudget, Section, SectionKind, Spill};
use crate::schema::{Budget, DecodeError, Leaf, Refusal, Schema, walk};
use crate::state::{Change, Description, Form, ITEMS_MAX, Kind, LoadError, Op, Shape, State};

/// What a part must be for it to be loaded: as the manifest or the index and the table say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'s> {
    /// The part.
    pub part: PartEntry,
    /// The epoch that wrote it.
    pub epoch: u64,
    /// The checkpoint that it was written for.
    pub checkpoint: u64,
    /// The kind of the state.
    pub kind: Kind,
    /// The encoding of its rows.
    pub encoding: Encoding,
    /// The schema of its keys.
    pub key: Schema<'s>,
    /// The schema of the fields of a map.
    pub field: Option<Schema<'s>>,
    /// The schema of its values.
    pub value: Schema<'s>,
    /// Whether keys may belong to other groups than they did: each row goes to where its key
    /// belongs now, and those of groups that the state does not hold are passed over.
    pub regroup: bool,
}

/// What was loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// How many values, items and fields were put.
    pub rows: u64,
    /// Of a full part: the sum of the digests of its rows.
    pub digest: u128,
}

/// Why a part cannot be loaded. What was loaded of it is in the state: clear or drop it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PartError<M, E> {
    /// The bytes are not what was written; the offset is that of the damaged block.
    Malformed(Malformed),
    /// The medium failed.
    Medium(M),
    /// A row does not fit the state.
    Row {
        /// Why.
        error: LoadError<E>,
        /// The offset of the block that it begins in.
        offset: u64,
        /// Its number in the part, from 0.
        row: u64,
    },
}

impl<M, E> From<ReadError<M>> for PartError<M, E> {
    fn from(error: ReadError<M>) -> Self {
        match error {
            ReadError::Malformed(malformed) => Self::Malformed(malformed),
            ReadError::Medium(error) => Self::Medium(error),
        }
    }
}

impl<M, E> From<Malformed> for PartError<M, E> {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl<M: fmt::Display, E: fmt::Display> fmt::Display for PartError<M, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Medium(error) => error.fmt(f),
            Self::Row { error, offset, row } => {
                write!(f, "row {row}, in the block at byte {offset}: {error}")
            }
        }
    }
}

impl<M, E> core::error::Error for PartError<M, E>
where
    M: core::error::Error + 'static,
    E: StateError,
{
}

impl<M: core::error::Error + Send + Sync + 'static, E: StateError> StateError for PartError<M, E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed(_) => ErrorKind::Corrupt,
            Self::Medium(_) => ErrorKind::Io,
            Self::Row { error, .. } => error.kind(),
        }
    }
}

/// Loads one part into `state`: verifies its blocks, its head, every row, its count and digest.
///
/// `buffer` holds one block; a row that spans blocks is gathered in `spill`. Of the `budget`,
/// items, depth and fuel count; memory is what `buffer` and `spill` take.
pub fn load_part<R: ReadAt, C: Checksum, S: State>(
    pages: &mut Pages<R, C>,
    expected: &Expected<'_>,
    budget: &RestoreBudget,
    state: &mut S,
    buffer: &mut [u8],
    spill: impl Spill,
) -> Result<Loaded, PartError<R::Error, S::Error>> {
    let mut loading = Loading::new(expected, state);
    read_part(pages, expected, budget, buffer, spill, |_, change| loading.row(change))
}

/// Loads the rows of one part into a state.
pub(super) struct Loading<'l, S> {
    expected: &'l Expected<'l>,
    form: Form<'l>,
    /// Two keys or fields that became one are no damage, though only damage doubles others.
    merges: bool,
    state: &'l mut S,
}

impl<'l, S: State> Loading<'l, S> {
    pub(super) fn new(expected: &'l Expected<'l>, state: &'l mut S) -> Self {
        let form = expected.form(state.description());
        let merges = expected.regroup || expected.field.is_some() && form.field.is_some();
        Self { expected, form, merges, state }
    }

    pub(super) fn row(&mut self, change: Change<'_>) -> Result<(), LoadError<S::Error>> {
        let (groups, regroup) = (self.state.groups(), self.expected.regroup);
        let group = match regroup {
            false => KeyGroup::new(self.expected.part.group),
            true => {
                let types = self.state.description().types;
                types.group(&self.form, change.row, groups.total())?
            }
        };
        if regroup && !groups.contains(group) {
            return Ok(());
        }
        self.state.load(group, change, &self.form).map_err(|error| match error {
            LoadError::Malformed(Malformed { fault: Fault::Duplicate, .. }) if self.merges => {
                LoadError::Evolution(DecodeError::of(Refusal::Merge))
            }
            error => error,
        })
    }
}

impl Expected<'_> {
    /// Returns how rows are read into a state that is described so.
    fn form(&self, own: &Description) -> Form<'_> {
        let differs =
            |stored: Schema<'_>, own: &crate::state::TypeSchema| own.is_stored() || !own.is(stored);
        Form {
            encoding: self.encoding,
            fresh: self.part.shape == Shape::Full,
            key: Some(self.key).filter(|key| differs(*key, &own.key)),
            field: self
                .field
                .filter(|field| own.field.as_ref().is_none_or(|own| differs(*field, own))),
            value: Some(self.value).filter(|value| differs(*value, &own.value)),
        }
    }

    fn row_lens(&self) -> Option<(usize, usize)> {
        match (self.kind, self.encoding) {
            (Kind::Value, Encoding::Fixed) => {
                Some((self.key.fixed_len()?, self.value.fixed_len()?))
            }
            _ => None,
        }
    }
}

/// Reads one part, and shows each row to `row` once it has been checked, with the offset in the
/// file at which it begins.
pub(crate) fn read_part<R: ReadAt, C: Checksum, E>(
    pages: &mut Pages<R, C>,
    expected: &Expected<'_>,
    budget: &RestoreBudget,
    buffer: &mut [u8],
    spill: impl Spill,
    mut row: impl FnMut(u64, Change<'_>) -> Result<(), LoadError<E>>,
) -> Result<Loaded, PartError<R::Error, E>> {
    let part = expected.part;
    let end = part.offset.checked_add(part.length).ok_or(Malformed::new(Fault::Range, 0))?;
    let header = *pages.header();
    if (header.epoch, header.checkpoint) != (expected.epoch, expected.checkpoint) {
        return Err(Malformed::new(Fault::Identity, 0).into());
    }
    let mut section = pages.section(SectionKind::Part, part.offset, end, buffer, spill)?;
    read_head(&mut section, expected)?;
    let mut tally = Tally::new(expected, &budget.for_part(part.length));
    let (lens, mut number) = (expected.row_lens(), 0);
    loop {
        let code = section.byte()?;
        if code == 0 {
            break;
        }
        let op = Op::from_code(code).ok_or(section.fault(Fault::Range))?;
        let count = u16::from_le_bytes([section.byte()?, section.byte()?]);
        for _ in 0..count {
            let begin = section.position();
            let length = match (lens, op) {
                (Some((key, value)), Op::Put) => key + value,
                (Some((key, _)), _) => key,
                (None, _) => {
                    usize::try_from(section.varint()?).map_err(|_| section.fault(Fault::Budget))?
                }
            };
            let offset = section.offset();
            let bytes = section.bytes(length)?;
            tally.row(op, bytes).map_err(|bad| Malformed::new(bad.fault, offset))?;
            row(begin, Change { op, row: bytes }).map_err(|error| match error {
                LoadError::Malformed(bad) => {
                    PartError::Malformed(Malformed::new(bad.fault, offset))
                }
                error => PartError::Row { error, offset, row: number },
            })?;
            number += 1;
        }
    }
    let mut tail = Reader::new(section.bytes(super::PART_TAIL_LEN)?);
    let (rows, digest) = (tail.u64()?, tail.u128()?);
    if !section.is_finished() {
        return Err(section.fault(Fault::Trailing).into());
    }
    if (rows, digest) != (part.rows, part.digest) {
        return Err(section.fault(Fault::Identity).into());
    }
    let loaded = Loaded { rows: tally.rows, digest: tally.digest };
    if loaded != (Loaded { rows, digest }) {
        return Err(Malformed::new(Fault::Checksum, part.offset).into());
    }
    Ok(loaded)
}

fn read_head<R: ReadAt, C: Checksum, S: Spill>(
    section: &mut Section<'_, R, C, S>,
    expected: &Expected<'_>,
) -> Result<(), ReadError<R::Error>> {
    let mut head = Reader::new(section.bytes(super::PART_HEAD_LEN)?);
    let (state, group) = (head.u16()?, head.u16()?);
    let shape = shape_from(&mut head);
    let (epoch, checkpoint, base) = (head.u64()?, head.u64()?, head.u64()?);
    let part = &expected.part;
    let same = shape == Ok(part.shape)
        && (state, group, base) == (part.state, part.group, part.base)
        && (epoch, checkpoint) == (expected.epoch, expected.checkpoint);
    if same { Ok(()) } else { Err(section.fault(Fault::Identity).into()) }
}

/// Checks rows against their schemas, counts them and sums their digests.
struct Tally<'e> {
    expected: &'e Expected<'e>,
    /// The schema of fields; the times of timers are theirs.
    field: Option<Schema<'e>>,
    rows: u64,
    digest: u128,
    /// What the rest of the part may cost.
    budget: Budget,
    /// The hash of the last key of a list, and the rank of its next item.
    last: Option<(u128, u64)>,
}

impl<'e> Tally<'e> {
    fn new(expected: &'e Expected<'e>, budget: &RestoreBudget) -> Self {
        let field = match expected.kind.rows() {
            Kind::Timers => Schema::parse(const { &[Leaf::I64.code()] }).ok(),
            _ => expected.field,
        };
        let RestoreBudget { items, depth, fuel, .. } = *budget;
        let budget = Budget { bytes: 0, items, depth, fuel };
        Self { expected, field, rows: 0, digest: 0, budget, last: None }
    }

    fn row(&mut self, op: Op, row: &[u8]) -> Result<(), Malformed> {
        let expected = self.expected;
        let mut reader = Reader::new(row);
        let full = expected.part.shape == Shape::Full;
        if full && op != Op::Put {
            return Err(reader.fault(Fault::Range));
        }
        self.budget.bytes = row.len() as u64;
        // Rows of keys and values that take no bytes are none themselves.
        self.budget.fuel = spend(self.budget.fuel, 1, &reader)?;
        walk(expected.key, expected.encoding, &mut reader, &mut self.budget)?;
        let key = row.get(..row.len() - reader.len()).unwrap_or_default();
        match (expected.kind.rows(), op) {
            (Kind::Value, Op::Put) => {
                walk(expected.value, expected.encoding, &mut reader, &mut self.budget)?;
                self.count(full, || xxh3_128(row));
            }
            (Kind::Value | Kind::List, Op::Remove) | (Kind::Map | Kind::Timers, Op::Clear) => {}
            (Kind::List, Op::Keep) => {
                reader.varint_u64()?;
            }
            (Kind::List, Op::Put) => {
                let (mut rank, prefix) = (self.rank_of(key), Prefix::new(key));
                for _ in 0..self.items(&mut reader)? {
                    let item = self.piece(&mut reader, false)?;
                    self.count(full, || prefix.hash(&rank.to_le_bytes(), item));
                    rank += 1;
                }
                self.last = Some((xxh3_128(key), rank));
            }
            (Kind::Map | Kind::Timers, Op::Put) => {
                let prefix = Prefix::new(key);
                for _ in 0..self.items(&mut reader)? {
                    let entry = self.piece(&mut reader, true)?;
                    self.count(full, || prefix.hash(entry, &[]));
                }
            }
            (Kind::Map | Kind::Timers, Op::Remove) => {
                let field = self.field.ok_or(reader.fault(Fault::Range))?;
                for _ in 0..self.items(&mut reader)? {
                    walk(field, expected.encoding, &mut reader, &mut self.budget)?;
                }
            }
            _ => return Err(reader.fault(Fault::Range)),
        }
        reader.finish()
    }

    /// Takes how many items, entries or fields follow.
    fn items(&mut self, reader: &mut Reader<'_>) -> Result<usize, Malformed> {
        let start = *reader;
        let count = count(reader)?;
        self.budget.items = spend(self.budget.items, count as u64, &start)?;
        Ok(count)
    }

    /// Takes an item, or a field and its value, and returns its bytes.
    fn piece<'r>(&mut self, reader: &mut Reader<'r>, entry: bool) -> Result<&'r [u8], Malformed> {
        let before = *reader;
        if entry {
            let field = self.field.ok_or(reader.fault(Fault::Range))?;
            walk(field, self.expected.encoding, reader, &mut self.budget)?;
        }
        walk(self.expected.value, self.expected.encoding, reader, &mut self.budget)?;
        Ok(before.rest().get(..before.len() - reader.len()).unwrap_or_default())
    }

    fn count(&mut self, full: bool, digest: impl FnOnce() -> u128) {
        self.rows += 1;
        if full {
            self.digest = self.digest.wrapping_add(digest());
        }
    }

    /// Returns the rank of the next item of the list of `key`, whose rows follow one another.
    fn rank_of(&self, key: &[u8]) -> u64 {
        match self.last {
            Some((last, rank)) if last == xxh3_128(key) => rank,
            _ => 0,
        }
    }
}

/// A key that the digests of many items begin with: hashed once, or a long key with many items
/// would take the product of both.
struct Prefix(Xxh3);

impl Prefix {
    fn new(key: &[u8]) -> Self {
        let mut hash = Xxh3::new();
        hash.update(key);
        Self(hash)
    }

    fn hash(&self, first: &[u8], second: &[u8]) -> u128 {
        let mut hash = self.0.clone();
        hash.update(first);
        hash.update(second);
        hash.digest128()
    }
}

fn spend(granted: u64, wanted: u64, reader: &Reader<'_>) -> Result<u64, Malformed> {
    granted.checked_sub(wanted).ok_or(reader.fault(Fault::Budget))
}

fn count(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    let start = *reader;
    match usize::try_from(reader.varint_u64()?) {
        Ok(count) if (1..=ITEMS_MAX).contains(&count) => Ok(count),
        _ => Err(start.fault(Fault::Range)),
    }
}
