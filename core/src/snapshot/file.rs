//! A whole snapshot file: its table, its index, its parts.

use alloc::vec;
use alloc::vec::Vec;

use super::read::read_part;
use super::{Expected, INDEX_ENTRY_LEN, Loaded, PartEntry, PartError, StateTable, load_part};
use crate::codec::Reader;
use crate::error::{Fault, Malformed};
use crate::page::{
    Checksum, FileHeader, FileKind, HEADER_LEN, Pages, ReadAt, ReadError, Seal, SectionKind,
};
use crate::state::{Change, LoadError, State};

/// Why a snapshot file cannot be opened.
pub type SnapshotError<M> = ReadError<M>;

/// A snapshot file whose header, table, index and seal have been verified.
#[derive(Debug)]
pub struct Snapshot<R, C> {
    pages: Pages<R, C>,
    table: StateTable,
    buffer: Vec<u8>,
    spill: Vec<u8>,
}

impl<R: ReadAt, C: Checksum> Snapshot<R, C> {
    /// Opens a snapshot: reads its header, its seal and its state table.
    pub fn open(source: R, checksum: C) -> Result<Self, ReadError<R::Error>> {
        let mut pages = Pages::open(source, checksum)?;
        if pages.header().kind != FileKind::Snapshot {
            return Err(Malformed::new(Fault::Identity, 10).into());
        }
        let mut buffer = vec![0; pages.header().block.bytes()];
        let at = HEADER_LEN as u64;
        let bytes = section_bytes(&mut pages, SectionKind::Table, at, &mut buffer)?;
        let table = StateTable::decode(Reader::new(&bytes))
            .map_err(|malformed| Malformed::new(malformed.fault, at))?;
        Ok(Self { pages, table, buffer, spill: Vec::new() })
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
        let bytes = section_bytes(&mut self.pages, SectionKind::Index, at, &mut self.buffer)?;
        let fault = |fault| ReadError::Malformed(Malformed::new(fault, at));
        let mut reader = Reader::new(&bytes);
        let count = reader.u32()? as usize;
        if reader.len() != count.saturating_mul(INDEX_ENTRY_LEN) {
            return Err(fault(Fault::Range));
        }
        let mut parts = Vec::with_capacity(count);
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
        let expected = expected(&self.table, self.pages.header(), part)?;
        load_part(&mut self.pages, &expected, state, &mut self.buffer, &mut self.spill)
    }

    /// Reads one part of this file and shows each of its rows once it has been checked.
    ///
    /// Verifies what [`load`](Self::load) does: blocks, head, every row against its schema, count
    /// and digest. For tools, which have no state to load into.
    pub fn rows<E>(
        &mut self,
        part: PartEntry,
        row: impl FnMut(Change<'_>) -> Result<(), LoadError<E>>,
    ) -> Result<Loaded, PartError<R::Error, E>> {
        let expected = expected(&self.table, self.pages.header(), part)?;
        read_part(&mut self.pages, &expected, &mut self.buffer, &mut self.spill, row)
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
    })
}

/// Reads a whole section that begins at `offset`: block after block of its kind.
fn section_bytes<R: ReadAt, C: Checksum>(
    pages: &mut Pages<R, C>,
    kind: SectionKind,
    offset: u64,
    buffer: &mut [u8],
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
        bytes.try_reserve(block.payload.len()).map_err(|_| Malformed::new(Fault::Budget, next))?;
        bytes.extend_from_slice(block.payload);
        next = block.next;
    }
    Ok(bytes)
}
