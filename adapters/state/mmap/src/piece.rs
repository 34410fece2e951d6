//! One sealed file of the log: rows are read where they lie, each block checked before its first.

use std::borrow::Cow;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdwater::codec::Reader;
use holdwater::error::{Fault, Malformed};
use holdwater::page::{BLOCK_HEAD_LEN, Pages, Portable, SectionKind};
use holdwater::snapshot::PartEntry;

use crate::error::MmapError;
use crate::mapping::Mapping;
use crate::source::Source;

/// A snapshot file whose parts can be read row by row, in any order.
#[derive(Debug)]
pub(crate) struct Piece {
    name: Box<str>,
    spans: Vec<Span>,
    block_len: u64,
    map: Option<Arc<Mapping>>,
    /// A bit for each block: whether it was checked. Without a map each read checks.
    checked: Box<[AtomicU64]>,
    blocks: Mutex<Blocks>,
}

/// Where the blocks of one part lie, or of what says where its rows lie.
#[derive(Clone, Copy, Debug)]
struct Span {
    offset: u64,
    end: u64,
    kind: SectionKind,
    /// The number of its first block among those of all spans.
    first: u64,
}

/// A section of a file that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SectionAt {
    pub(crate) kind: SectionKind,
    pub(crate) offset: u64,
    pub(crate) end: u64,
}

impl From<&PartEntry> for SectionAt {
    fn from(part: &PartEntry) -> Self {
        let end = part.offset + part.length;
        Self { kind: SectionKind::Part, offset: part.offset, end }
    }
}

/// The block that was read last.
#[derive(Debug)]
struct Blocks {
    pages: Pages<Source, Portable>,
    buffer: Vec<u8>,
    /// Its offset and the end of its payload.
    held: Option<(u64, usize)>,
}

/// How much of a row to read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    /// So many bytes.
    Bytes(usize),
    /// As many as the length in front of it says.
    Counted,
}

impl Piece {
    /// Reads the `sections` of a file that was opened; through `map`, if there is one.
    ///
    /// The blocks of each section but the last are full, as writers leave them.
    pub(crate) fn new(
        name: Box<str>,
        pages: Pages<Source, Portable>,
        sections: impl Iterator<Item = SectionAt>,
        map: Option<Arc<Mapping>>,
    ) -> Self {
        let block_len = pages.header().block.bytes() as u64;
        let (mut spans, mut count) = (Vec::new(), 0);
        for SectionAt { kind, offset, end } in sections {
            spans.push(Span { offset, end, kind, first: count });
            count += (end - offset).div_ceil(block_len);
        }
        spans.sort_unstable_by_key(|span| span.offset);
        let checked = (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let blocks = Mutex::new(Blocks { pages, buffer: Vec::new(), held: None });
        Self { name, spans, block_len, map, checked, blocks }
    }

    /// Returns the row at `offset`, which is in no block before it was checked.
    pub(crate) fn row(&self, offset: u64, extent: Extent) -> Result<Cow<'_, [u8]>, MmapError> {
        let place = self.spans.partition_point(|span| span.offset <= offset);
        let span = place.checked_sub(1).map(|place| self.spans[place]);
        let span = span.filter(|span| offset < span.end).ok_or_else(|| self.stray(offset))?;
        if let Some(map) = &self.map {
            let bytes = self.mapped(map, span, offset)?;
            let mut reader = Reader::new(bytes);
            let length = match extent {
                Extent::Bytes(length) => Some(length),
                Extent::Counted => reader.length().ok(),
            };
            if let Some(row) = length.and_then(|length| reader.rest().get(..length)) {
                return Ok(Cow::Borrowed(row));
            }
        }
        self.gather(span, offset, extent).map(Cow::Owned)
    }

    /// Returns where in the file byte `at` of the payload of the section at `offset` lies.
    pub(crate) const fn place(&self, offset: u64, at: u64) -> u64 {
        let room = self.block_len - BLOCK_HEAD_LEN as u64;
        offset + at / room * self.block_len + BLOCK_HEAD_LEN as u64 + at % room
    }

    /// Returns how long the payload of a section is.
    pub(crate) const fn payload_len(&self, section: SectionAt) -> u64 {
        let bytes = section.end - section.offset;
        bytes - bytes.div_ceil(self.block_len) * BLOCK_HEAD_LEN as u64
    }

    /// Tells the system that rows from `offset` on will be read soon, so many bytes.
    pub(crate) fn prefetch(&self, offset: u64, bytes: u64) {
        if let Some(map) = &self.map {
            map.prefetch(offset, bytes);
        }
    }

    /// Returns what is left of the payload of the block that `offset` lies in, out of the map.
    fn mapped<'m>(&self, map: &'m Mapping, span: Span, offset: u64) -> Result<&'m [u8], MmapError> {
        let number = (offset - span.offset) / self.block_len;
        let start = span.offset + number * self.block_len;
        let bit = span.first + number;
        let word = &self.checked[(bit / 64) as usize];
        if word.load(Ordering::Relaxed) & 1 << (bit % 64) == 0 {
            self.check(&mut self.lock(), span, start)?;
            word.fetch_or(1 << (bit % 64), Ordering::Relaxed);
        }
        let end = span.end.min(start + self.block_len);
        map.get(offset as usize..end as usize).ok_or_else(|| self.stray(offset))
    }

    /// Copies a row together that lies in several blocks.
    fn gather(&self, span: Span, offset: u64, extent: Extent) -> Result<Vec<u8>, MmapError> {
        let (mut row, mut at) = (Vec::new(), offset);
        let length = match extent {
            Extent::Bytes(length) => length,
            Extent::Counted => {
                while row.last().is_none_or(|byte| byte & 0x80 != 0) && row.len() < VARINT_MAX {
                    at = self.copy(span, at, 1, &mut row)?;
                }
                let length = Reader::new(&row).varint_u64().map_err(|bad| self.damaged(bad))?;
                row.clear();
                usize::try_from(length).unwrap_or(usize::MAX)
            }
        };
        // Not reserved: a length is trusted only as far as there are bytes.
        while row.len() < length {
            at = self.copy(span, at, length - row.len(), &mut row)?;
        }
        Ok(row)
    }

    /// Appends up to `most` bytes from `at` on, of one block; returns the offset behind them.
    fn copy(&self, span: Span, at: u64, most: usize, row: &mut Vec<u8>) -> Result<u64, MmapError> {
        let number = (at - span.offset) / self.block_len;
        let start = span.offset + number * self.block_len;
        // Behind the last byte of a block comes the head of the next.
        let at = at.max(start + BLOCK_HEAD_LEN as u64);
        if at >= span.end {
            return Err(self.damaged(Malformed::new(Fault::End, at)));
        }
        let mut take = |rest: &[u8]| {
            let bytes = &rest[..most.min(rest.len())];
            row.extend_from_slice(bytes);
            Ok(at + bytes.len() as u64)
        };
        if let Some(map) = &self.map {
            return take(self.mapped(map, span, at)?);
        }
        let mut blocks = self.lock();
        let payload = self.check(&mut blocks, span, start)?;
        take(payload.get((at - start) as usize - BLOCK_HEAD_LEN..).unwrap_or_default())
    }

    /// Reads and checks the block at `start`; returns its payload.
    fn check<'b>(
        &self,
        blocks: &'b mut Blocks,
        span: Span,
        start: u64,
    ) -> Result<&'b [u8], MmapError> {
        if let Some((held, end)) = blocks.held
            && held == start
        {
            return Ok(&blocks.buffer[BLOCK_HEAD_LEN..end]);
        }
        blocks.held = None;
        blocks.buffer.resize(self.block_len as usize, 0);
        let Blocks { pages, buffer, .. } = blocks;
        let block = pages.block(start, span.end, buffer);
        let block = block.map_err(|error| MmapError::reading(&self.name, error))?;
        let is_full = block.next == span.end.min(start + self.block_len);
        if block.kind != span.kind || block.continued != (start > span.offset) || !is_full {
            return Err(self.damaged(Malformed::new(Fault::Identity, start)));
        }
        let end = BLOCK_HEAD_LEN + block.payload.len();
        blocks.held = Some((start, end));
        Ok(&blocks.buffer[BLOCK_HEAD_LEN..end])
    }

    fn lock(&self) -> MutexGuard<'_, Blocks> {
        // Whoever panicked left nothing half done: a block is noted once it is whole.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn damaged(&self, malformed: Malformed) -> MmapError {
        MmapError::Damaged { file: self.name.clone(), malformed }
    }

    fn stray(&self, offset: u64) -> MmapError {
        self.damaged(Malformed::new(Fault::Range, offset))
    }
}

/// The pieces of a log by number; 0 is the tail, which is none of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces(Vec<Option<Arc<Piece>>>);

impl Pieces {
    /// Returns the number that the next piece gets.
    pub(crate) fn next(&self) -> Result<u16, MmapError> {
        let free = self.0.iter().skip(1).position(Option::is_none).map(|at| at + 1);
        let number = free.unwrap_or(self.0.len().max(1));
        let crowded = || io::Error::other("there are 65,535 segments already");
        u16::try_from(number).map_err(|_| MmapError::io("make a segment")(crowded()))
    }

    pub(crate) fn add(&mut self, number: u16, piece: Arc<Piece>) {
        let number = usize::from(number);
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        self.0[number] = Some(piece);
    }

    pub(crate) fn remove(&mut self, number: u16) {
        self.0[usize::from(number)] = None;
    }

    /// Returns whether a number is that of `piece`.
    pub(crate) fn has(&self, number: u16, piece: &Arc<Piece>) -> bool {
        let found = self.0.get(usize::from(number)).and_then(Option::as_ref);
        found.is_some_and(|found| Arc::ptr_eq(found, piece))
    }

    pub(crate) fn get(&self, number: u16) -> &Piece {
        let piece = self.0.get(usize::from(number)).and_then(Option::as_deref);
        piece.expect("a row lies in a piece that is kept")
    }
}

/// The most bytes that a length takes.
const VARINT_MAX: usize = 10;

#[cfg(test)]
mod tests;
