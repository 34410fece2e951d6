//! Reads files back: header and seal at once, blocks as they are needed.

use core::error::Error;
use core::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::write::seed;
use super::{
    BLOCK_HEAD_LEN, CONTINUED, Checksum, FileHeader, HEADER_LEN, SEAL_KIND, SEAL_LEN, Seal,
    SectionKind, block_checksum,
};
use crate::codec::Reader;
use crate::error::{Fault, Malformed};

/// A medium that can be read at any offset.
pub trait ReadAt {
    /// Why the medium failed.
    type Error;

    /// Returns the length in bytes.
    fn length(&mut self) -> Result<u64, Self::Error>;

    /// Fills `buffer` from `offset` on; returns less than its length only at the end.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error>;
}

impl ReadAt for &[u8] {
    type Error = core::convert::Infallible;

    fn length(&mut self) -> Result<u64, Self::Error> {
        Ok(self.len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let from = from.unwrap_or_default();
        let count = from.len().min(buffer.len());
        if let (Some(place), Some(bytes)) = (buffer.get_mut(..count), from.get(..count)) {
            place.copy_from_slice(bytes);
        }
        Ok(count)
    }
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadError<E> {
    /// The bytes are not what was written.
    Malformed(Malformed),
    /// The medium failed.
    Medium(E),
}

impl<E> From<Malformed> for ReadError<E> {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Medium(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for ReadError<E> {}

/// A file whose header and seal have been verified.
#[derive(Debug)]
pub struct Pages<R, C> {
    source: R,
    checksum: C,
    header: FileHeader,
    seal: Seal,
    index: u64,
    seed: u32,
}

/// One verified block.
#[derive(Clone, Copy, Debug)]
pub struct Block<'b> {
    /// What the block holds.
    pub kind: SectionKind,
    /// Whether the section began in an earlier block.
    pub continued: bool,
    /// The bytes.
    pub payload: &'b [u8],
    /// The offset behind the block.
    pub next: u64,
}

impl<R: ReadAt, C: Checksum> Pages<R, C> {
    /// Verifies the header and the seal of a file: two reads, whatever its length.
    pub fn open(mut source: R, checksum: C) -> Result<Self, ReadError<R::Error>> {
        let length = source.length().map_err(ReadError::Medium)?;
        let mut head = [0; HEADER_LEN];
        fill(&mut source, 0, &mut head)?;
        let header = FileHeader::decode(&head, &checksum)?;
        let seed = seed(&head);
        let offset = length
            .checked_sub(SEAL_LEN as u64)
            .filter(|offset| *offset >= HEADER_LEN as u64)
            .ok_or(Malformed::new(Fault::End, length))?;
        let mut tail = [0; SEAL_LEN];
        fill(&mut source, offset, &mut tail)?;
        let (seal, index) = read_seal(&tail, &checksum, seed, offset)?;
        Ok(Self { source, checksum, header, seal, index, seed })
    }

    /// Returns whose file it is.
    pub const fn header(&self) -> &FileHeader {
        &self.header
    }

    /// Returns its length and hash, as its seal states them.
    pub const fn seal(&self) -> Seal {
        self.seal
    }

    /// Returns the offset of its index; 0 where there is none.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Returns the offset behind its last block.
    pub const fn end(&self) -> u64 {
        self.seal.length - SEAL_LEN as u64
    }

    /// Reads and verifies the block at `offset`; `end` bounds how far is read ahead.
    pub fn block<'b>(
        &mut self,
        offset: u64,
        end: u64,
        buffer: &'b mut [u8],
    ) -> Result<Block<'b>, ReadError<R::Error>> {
        let fault = |fault| ReadError::Malformed(Malformed::new(fault, offset));
        let end = end.min(self.end());
        let most = end.checked_sub(offset).ok_or(fault(Fault::End))?;
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.header.block.bytes());
        let place = buffer.get_mut(..most).ok_or(fault(Fault::Budget))?;
        let count = self.source.read_at(offset, place).map_err(ReadError::Medium)?;
        let read = buffer.get(..count).unwrap_or_default();
        let mut reader = Reader::at(read, offset);
        // Wherever it is cut: the block is what a checksum covers.
        let end = |_| fault(Fault::End);
        let mark: [u8; 4] = reader.array().map_err(end)?;
        let crc = reader.u32().map_err(end)?;
        let [kind, a, b, c] = mark;
        let payload = reader.take(u32::from_le_bytes([a, b, c, 0]) as usize).map_err(end)?;
        if block_checksum(&self.checksum, self.seed, offset, mark, payload) != crc {
            return Err(fault(Fault::Checksum));
        }
        let section = SectionKind::from_code(kind & !CONTINUED).ok_or(fault(Fault::Range))?;
        let next = reader.offset();
        Ok(Block { kind: section, continued: kind & CONTINUED != 0, payload, next })
    }

    /// Reads the section at `offset` as one run of bytes, a block at a time in `buffer`.
    ///
    /// A row longer than what is left of a block is gathered in `spill`. The section ends at `end`.
    pub fn section<'p, S: Spill>(
        &'p mut self,
        kind: SectionKind,
        offset: u64,
        end: u64,
        buffer: &'p mut [u8],
        spill: S,
    ) -> Result<Section<'p, R, C, S>, ReadError<R::Error>> {
        let mut section =
            Section { pages: self, kind, buffer, spill, from: 0, to: 0, offset, next: offset, end };
        section.load(false)?;
        Ok(section)
    }

    /// Reads the whole file and compares its hash with the seal's.
    pub fn verify_hash(&mut self, buffer: &mut [u8]) -> Result<(), ReadError<R::Error>> {
        let mut hash = Xxh3::new();
        let mut offset = 0;
        while offset < self.end() {
            let most = usize::try_from(self.end() - offset).unwrap_or(usize::MAX);
            let most = most.min(buffer.len());
            let place = buffer.get_mut(..most).unwrap_or_default();
            fill(&mut self.source, offset, place)?;
            hash.update(place);
            offset += most as u64;
        }
        hash.update(&[SEAL_KIND, 0, 0, 0, 0, 0, 0, 0]);
        hash.update(&self.seal.length.to_le_bytes());
        hash.update(&self.index.to_le_bytes());
        if hash.digest128() == self.seal.hash {
            Ok(())
        } else {
            Err(Malformed::new(Fault::Checksum, 0).into())
        }
    }
}

/// Where a row is put together that does not lie in one block.
pub trait Spill {
    /// Empties it.
    fn clear(&mut self);

    /// Appends `bytes`, or states [`Fault::Budget`].
    fn extend(&mut self, bytes: &[u8]) -> Result<(), Fault>;

    /// Returns what was appended.
    fn bytes(&self) -> &[u8];
}

/// A spill of a size given by the caller.
#[derive(Debug)]
pub struct Spilled<'a> {
    place: &'a mut [u8],
    used: usize,
}

impl<'a> Spilled<'a> {
    /// Gathers rows of up to `place.len()` bytes.
    pub const fn new(place: &'a mut [u8]) -> Self {
        Self { place, used: 0 }
    }
}

impl Spill for Spilled<'_> {
    fn clear(&mut self) {
        self.used = 0;
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let end = self.used + bytes.len();
        self.place.get_mut(self.used..end).ok_or(Fault::Budget)?.copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        self.place.get(..self.used).unwrap_or_default()
    }
}

#[cfg(feature = "alloc")]
impl Spill for alloc::vec::Vec<u8> {
    fn clear(&mut self) {
        self.clear();
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.try_reserve(bytes.len()).map_err(|_| Fault::Budget)?;
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        self
    }
}

impl<S: Spill + ?Sized> Spill for &mut S {
    fn clear(&mut self) {
        (**self).clear();
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        (**self).extend(bytes)
    }

    fn bytes(&self) -> &[u8] {
        (**self).bytes()
    }
}

/// A section as one run of bytes.
pub struct Section<'p, R, C, S> {
    pages: &'p mut Pages<R, C>,
    kind: SectionKind,
    buffer: &'p mut [u8],
    spill: S,
    /// What is unread of the block in `buffer`.
    from: usize,
    to: usize,
    /// The offset of the block in `buffer`.
    offset: u64,
    next: u64,
    end: u64,
}

impl<R: ReadAt, C: Checksum, S: Spill> Section<'_, R, C, S> {
    /// Returns the offset of the block that is being read: the unit that a checksum covers.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// States that `fault` was found in the block that is being read.
    pub const fn fault(&self, fault: Fault) -> Malformed {
        Malformed::new(fault, self.offset)
    }

    /// Returns the offset in the file of the next byte, which may be the first of the next block.
    pub const fn position(&self) -> u64 {
        if self.from == self.to {
            self.next + BLOCK_HEAD_LEN as u64
        } else {
            self.offset + self.from as u64
        }
    }

    /// Returns whether every byte up to the section's end was read.
    pub const fn is_finished(&self) -> bool {
        self.from == self.to && self.next == self.end
    }

    /// Takes one byte.
    pub fn byte(&mut self) -> Result<u8, ReadError<R::Error>> {
        while self.from == self.to {
            self.load(true)?;
        }
        let byte = self.buffer.get(self.from).copied().ok_or(self.fault(Fault::End))?;
        self.from += 1;
        Ok(byte)
    }

    /// Takes a varint of at most 64 bits.
    pub fn varint(&mut self) -> Result<u64, ReadError<R::Error>> {
        let mut bytes = [0; 10];
        let mut used = 0;
        for place in &mut bytes {
            *place = self.byte()?;
            used += 1;
            if *place & 0x80 == 0 {
                break;
            }
        }
        let mut reader = Reader::new(bytes.get(..used).unwrap_or_default());
        reader.varint_u64().map_err(|malformed| self.fault(malformed.fault).into())
    }

    /// Takes the next `count` bytes, of which at most a block is held twice.
    pub fn bytes(&mut self, count: usize) -> Result<&[u8], ReadError<R::Error>> {
        if count <= self.to - self.from {
            let start = self.from;
            self.from += count;
            return Ok(self.buffer.get(start..self.from).unwrap_or_default());
        }
        // Refused before anything is gathered: a length beyond the section is no length.
        let left = (self.to - self.from) as u64 + (self.end - self.next);
        if count as u64 > left {
            return Err(self.fault(Fault::End).into());
        }
        self.spill.clear();
        let mut missing = count;
        while missing > 0 {
            if self.from == self.to {
                self.load(true)?;
            }
            let now = missing.min(self.to - self.from);
            let bytes = self.buffer.get(self.from..self.from + now).unwrap_or_default();
            self.spill.extend(bytes).map_err(|fault| Malformed::new(fault, self.offset))?;
            self.from += now;
            missing -= now;
        }
        Ok(self.spill.bytes())
    }

    fn load(&mut self, continued: bool) -> Result<(), ReadError<R::Error>> {
        if self.next >= self.end {
            return Err(Malformed::new(Fault::End, self.end).into());
        }
        self.offset = self.next;
        let block = self.pages.block(self.offset, self.end, self.buffer)?;
        if block.kind != self.kind || block.continued != continued {
            return Err(Malformed::new(Fault::Identity, self.offset).into());
        }
        (self.next, self.from) = (block.next, BLOCK_HEAD_LEN);
        self.to = BLOCK_HEAD_LEN + block.payload.len();
        Ok(())
    }
}

impl<R, C, S> fmt::Debug for Section<'_, R, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("offset", &self.offset).finish_non_exhaustive()
    }
}

fn read_seal(
    bytes: &[u8; SEAL_LEN],
    checksum: &impl Checksum,
    seed: u32,
    offset: u64,
) -> Result<(Seal, u64), Malformed> {
    let mut reader = Reader::at(bytes, offset);
    let mark: [u8; 4] = reader.array()?;
    let crc = reader.u32()?;
    if block_checksum(checksum, seed, offset, mark, reader.rest()) != crc {
        return Err(Malformed::new(Fault::Checksum, offset));
    }
    let (length, index, hash) = (reader.u64()?, reader.u64()?, reader.u128()?);
    if mark != [SEAL_KIND, 0, 0, 0] || length != offset + SEAL_LEN as u64 || index > offset {
        return Err(Malformed::new(Fault::Range, offset));
    }
    Ok((Seal { length, hash }, index))
}

fn fill<R: ReadAt>(
    source: &mut R,
    offset: u64,
    buffer: &mut [u8],
) -> Result<(), ReadError<R::Error>> {
    let count = source.read_at(offset, buffer).map_err(ReadError::Medium)?;
    if count == buffer.len() {
        Ok(())
    } else {
        Err(Malformed::new(Fault::End, offset.saturating_add(count as u64)).into())
    }
}
