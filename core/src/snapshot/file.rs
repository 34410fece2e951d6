//! A whole snapshot file: its table, its index, its parts.

use alloc::vec::Vec;

use super::read::{Loading, read_part};
use super::{
    Expected, INDEX_ENTRY_LEN, Loaded, PartEntry, PartError, Restamp, StateTable, load_part,
};
use crate::codec::Reader;
use crate::error::{Fault, Malformed};
use crate::page::{
    Checksum, FileHeader, FileKind, HEADER_LEN, Pages, ReadAt, ReadError, RestoreBudget, Seal,
    SectionKind, Spill,
};
use crate::state::{Change, LoadError, State};

/// How rows come into a state that is not what it was when they were written.
#[derive(Debug, Default)]
pub struct Passage<'r> {
    /// Whether keys may belong to other groups than they did: those of groups that the state holds
    /// today are loaded, whatever group they belonged to.
    pub regroup: bool,
    /// What becomes of stamps; one for all parts of a group, in their order.
    pub restamp: Option<&'r mut Restamp>,
}

/// Why a snapshot file cannot be opened.
pub type SnapshotError<M> = ReadError<M>;

/// A snapshot file whose header, table, index and seal have been verified.
#[derive(Debug)]
pub struct Snapshot<R, C> {
    pages: Pages<R, C>,
    table: StateTable,
    buffer: Vec<u8>,
    spill: Vec<u8>,
    /// What is left of it beside table and buffer.
    budget: RestoreBudget,
}

impl<R: ReadAt, C: Checksum> Snapshot<R, C> {
    /// Opens a snapshot: reads its header, its seal and its state table.
    ///
    /// Whatever the bytes are, no more is spent than
    /// [`RestoreBudget::of_snapshot`] of the file grants.
    pub fn open(source: R, checksum: C) -> Result<Self, ReadError<R::Error>> {
        let pages = Pages::open(source, checksum)?;
        let budget = RestoreBudget::of_snapshot(pages.seal().length);
        Self::read_table(pages, budget)
    }

    /// Opens a snapshot within `budget`.
    pub fn open_within(
        source: R,
        checksum: C,
        budget: RestoreBudget,
    ) -> Result<Self, ReadError<R::Error>> {
        Self::read_table(Pages::open(source, checksum)?, budget)
    }

    fn read_table(
        mut pages: Pages<R, C>,
        mut budget: RestoreBudget,
    ) -> Result<Self, ReadError<R::Error>> {
        if pages.header().kind != FileKind::Snapshot {
            return Err(Malformed::new(Fault::Identity, 10).into());
        }
        let at = HEADER_LEN as u64;
        let fault = |fault| Malformed::new(fault, at);
        // A short file needs no block of the size that its header names.
        let length = usize::try_from(pages.end()).unwrap_or(usize::MAX);
        let length = length.min(pages.header().block.bytes());
        let mut buffer = Vec::new();
        budget.take(length, 1).map_err(fault)?;
        buffer.try_reserve_exact(length).map_err(|_| fault(Fault::Budget))?;
        buffer.resize(length, 0);
        let kind = SectionKind::Table;
        let (table, section) = {
            let mut budget = budget;
            let bytes = section_bytes(&mut pages, kind, at, &mut buffer, &mut budget)?;
            let before = budget.memory;
            let table = StateTable::decode_within(Reader::new(&bytes), &mut budget)
                .map_err(|malformed| fault(malformed.fault))?;
            (table, before - budget.memory)
        };
        budget.memory -= section;
        Ok(Self { pages, table, buffer, spill: Vec::new(), budget })
    }

    /// Returns whose file it is.
    pub const fn header(&self) -> &FileHeader {
        self.pages.header()
    }

    /// Returns its length and hash.
    pub const fn seal(&self) -> Seal {
        self.pages.seal()
    }

    /// Returns what its rows mean.
    pub const fn table(&self) -> &StateTable {
        &self.table
    }

    /// Reads its index: every part, in the order of the file.
    pub fn parts(&mut self) -> Result<Vec<PartEntry>, ReadError<R::Error>> {
        let at = self.pages.index();
        let end = self.pages.end();
        let fault = |fault| ReadError::Malformed(Malformed::new(fault, at));
        let (mut budget, kind) = (self.budget, SectionKind::Index);
        budget.take(self.spill.capacity(), 1).map_err(fault)?;
        let bytes = section_bytes(&mut self.pages, kind, at, &mut self.buffer, &mut budget)?;
        let mut reader = Reader::new(&bytes);
        let count = reader.u32()? as usize;
        if reader.len() != count.saturating_mul(INDEX_ENTRY_LEN) {
            return Err(fault(Fault::Range));
        }
        let mut parts = Vec::new();
        budget.take(count, size_of::<PartEntry>()).map_err(fault)?;
        parts.try_reserve_exact(count).map_err(|_| fault(Fault::Budget))?;
        for _ in 0..count {
            let part =
                PartEntry::decode(&mut reader).map_err(|malformed| fault(malformed.fault))?;
            let behind = part.offset.checked_add(part.length);
            let inside = behind.is_some_and(|behind| behind <= at && at <= end);
            if !inside || usize::from(part.state) >= self.table.states.len() {
                return Err(fault(Fault::Range));
            }
            parts.push(part);
        }
        Ok(parts)
    }

    /// Loads one part of this file into `state`.
    pub fn load<S: State>(
        &mut self,
        part: PartEntry,
        state: &mut S,
    ) -> Result<Loaded, PartError<R::Error, S::Error>> {
        self.load_through(part, Passage::default(), state)
    }

    /// Loads one part of this file into a `state` that is not what it was when the part was
    /// written.
    pub fn load_through<S: State>(
        &mut self,
        part: PartEntry,
        passage: Passage<'_>,
        state: &mut S,
    ) -> Result<Loaded, PartError<R::Error, S::Error>> {
        let Passage { regroup, restamp } = passage;
        let expected = expected(&self.table, self.pages.header(), part)?;
        let expected = Expected { regroup, ..expected };
        let spill = Gathered { bytes: &mut self.spill, most: self.budget.memory };
        let Some(restamp) = restamp else {
            return load_part(
                &mut self.pages,
                &expected,
                &self.budget,
                state,
                &mut self.buffer,
                spill,
            );
        };
        let value = restamp.value(expected.value)?;
        let restamped = Expected { value: value.view(), ..expected };
        let mut loading = Loading::new(&restamped, state);
        let (budget, buffer) = (&self.budget, &mut self.buffer);
        read_part(&mut self.pages, &expected, budget, buffer, spill, |_, change| {
            restamp.apply(&expected, change, |change| loading.row(change))
        })
    }

    /// Reads one part of this file and shows each of its rows once it has been checked.
    ///
    /// Verifies what [`load`](Self::load) does: blocks, head, every row against its schema, count
    /// and digest. For tools, which have no state to load into.
    pub fn rows<E>(
        &mut self,
        part: PartEntry,
        mut row: impl FnMut(Change<'_>) -> Result<(), LoadError<E>>,
    ) -> Result<Loaded, PartError<R::Error, E>> {
        self.rows_at(part, |_, change| row(change))
    }

    /// Reads one part as [`rows`](Self::rows) does, and shows with each row the offset in the file
    /// at which it begins: at its length, where rows have one.
    ///
    /// For stores that read a row where it lies. Rows go on behind the heads of blocks.
    pub fn rows_at<E>(
        &mut self,
        part: PartEntry,
        row: impl FnMut(u64, Change<'_>) -> Result<(), LoadError<E>>,
    ) -> Result<Loaded, PartError<R::Error, E>> {
        let expected = expected(&self.table, self.pages.header(), part)?;
        let spill = Gathered { bytes: &mut self.spill, most: self.budget.memory };
        read_part(&mut self.pages, &expected, &self.budget, &mut self.buffer, spill, row)
    }

    /// Reads the whole file and compares its hash with its seal's.
    pub fn verify_hash(&mut self) -> Result<(), ReadError<R::Error>> {
        self.pages.verify_hash(&mut self.buffer)
    }
}

/// Returns what a part must be by the table and the header of its file.
fn expected<'t>(
    table: &'t StateTable,
    header: &FileHeader,
    part: PartEntry,
) -> Result<Expected<'t>, Malformed> {
    let entry = table.states.get(usize::from(part.state));
    let entry = entry.ok_or(Malformed::new(Fault::Identity, part.offset))?;
    Ok(Expected {
        part,
        epoch: header.epoch,
        checkpoint: header.checkpoint,
        kind: entry.kind,
        encoding: entry.encoding,
        key: entry.key.view(),
        field: entry.field.as_ref().map(|field| field.view()),
        value: entry.value.view(),
        regroup: false,
    })
}

/// A row that spans blocks: it grows with what has been read, up to what the budget leaves.
struct Gathered<'s> {
    bytes: &'s mut Vec<u8>,
    most: u64,
}

impl Spill for Gathered<'_> {
    fn clear(&mut self) {
        self.bytes.clear();
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        grow(self.bytes, bytes.len(), self.most)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        self.bytes
    }
}

/// Makes room for `more` bytes. While they move, old and new ones are held: no more than `most`.
fn grow(bytes: &mut Vec<u8>, more: usize, most: u64) -> Result<(), Fault> {
    let needed = bytes.len().checked_add(more).ok_or(Fault::Budget)?;
    let held = bytes.capacity();
    if needed <= held {
        return Ok(());
    }
    let left = most.saturating_sub(held as u64);
    let wanted = held.saturating_mul(2).max(needed);
    let capacity = usize::try_from(left).unwrap_or(usize::MAX).min(wanted);
    if capacity < needed {
        return Err(Fault::Budget);
    }
    bytes.try_reserve_exact(capacity - bytes.len()).map_err(|_| Fault::Budget)
}

/// Reads a whole section that begins at `offset`: block after block of its kind.
fn section_bytes<R: ReadAt, C: Checksum>(
    pages: &mut Pages<R, C>,
    kind: SectionKind,
    offset: u64,
    buffer: &mut [u8],
    budget: &mut RestoreBudget,
) -> Result<Vec<u8>, ReadError<R::Error>> {
    let (mut bytes, mut next, end) = (Vec::new(), offset, pages.end());
    while next < end {
        let block = pages.block(next, end, buffer)?;
        if next != offset && !block.continued {
            break;
        }
        if block.kind != kind || (next == offset && block.continued) {
            return Err(Malformed::new(Fault::Identity, next).into());
        }
        grow(&mut bytes, block.payload.len(), budget.memory)
            .map_err(|fault| Malformed::new(fault, next))?;
        bytes.extend_from_slice(block.payload);
        next = block.next;
    }
    budget.take(bytes.capacity(), 1).map_err(|fault| Malformed::new(fault, offset))?;
    Ok(bytes)
}
