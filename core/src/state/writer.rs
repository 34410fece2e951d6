//! Writes rows: gathered into runs, counted and digested on the way.

use core::fmt;

use xxhash_rust::xxh3::xxh3_128;

#[cfg(feature = "alloc")]
use super::Locator;
#[cfg(feature = "alloc")]
use super::piece::seeded_hash_of;
use super::piece::{Pair, digest_of, hash_of, length_of, varint_len};
use super::{Description, ITEMS_MAX, Op, Piece, Raw};
use crate::codec::{EncodeError, Encoding, Write, write_varint};

/// The shortest buffer that rows are gathered in.
pub const ROW_BUFFER_MIN: usize = 64;

const RUN_HEAD_LEN: usize = 3;

/// Where the gathered rows go.
pub trait Output {
    /// Appends `bytes`.
    fn append(&mut self, bytes: &[u8]) -> Result<(), OutputFailed>;
}

/// The output failed; it knows why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutputFailed;

impl fmt::Display for OutputFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rows could not be written")
    }
}

impl core::error::Error for OutputFailed {}

#[cfg(feature = "alloc")]
impl Output for alloc::vec::Vec<u8> {
    fn append(&mut self, bytes: &[u8]) -> Result<(), OutputFailed> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Why saving failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaveError<E> {
    /// A row could not be encoded or handed over.
    Row(EncodeError<OutputFailed>),
    /// The state could not be read.
    State(E),
}

impl<E> From<EncodeError<OutputFailed>> for SaveError<E> {
    fn from(error: EncodeError<OutputFailed>) -> Self {
        Self::Row(error)
    }
}

impl<E> From<OutputFailed> for SaveError<E> {
    fn from(error: OutputFailed) -> Self {
        Self::Row(EncodeError::Write(error))
    }
}

impl<E: fmt::Display> fmt::Display for SaveError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(error) => error.fmt(f),
            Self::State(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for SaveError<E> {}

/// Gathers rows into runs, and hands them over a buffer at a time.
///
/// It counts live rows and sums their digests: XXH3-128 over key, list rank or field, and value
/// (docs/format.md 5.4). Encoding is inlined; only the buffer is handed over dynamically.
pub struct RowWriter<'o> {
    out: &'o mut dyn Output,
    buffer: &'o mut [u8],
    used: usize,
    /// The operation and the place of the run that is open, and how many rows it has.
    run: Option<(Op, usize, u16)>,
    encoding: Encoding,
    /// The length of each row that is put, where all have one and it is not written.
    bare: Option<u64>,
    rows: u64,
    digest: u128,
    /// How many bytes were handed over, and where the last row begins.
    flushed: u64,
    row_at: u64,
    #[cfg(feature = "alloc")]
    locator: Option<Locator>,
}

impl<'o> RowWriter<'o> {
    /// Writes rows of the described state to `out`, gathering them in `buffer`.
    ///
    /// # Panics
    ///
    /// If `buffer` is shorter than [`ROW_BUFFER_MIN`].
    pub fn new(description: &Description, out: &'o mut dyn Output, buffer: &'o mut [u8]) -> Self {
        assert!(buffer.len() >= ROW_BUFFER_MIN, "the row buffer has at least 64 bytes");
        let encoding = description.encoding;
        let bare = description.row_lens().map(|(key, value)| (key + value) as u64);
        Self {
            out,
            buffer,
            used: 0,
            run: None,
            encoding,
            bare,
            rows: 0,
            digest: 0,
            flushed: 0,
            row_at: 0,
            #[cfg(feature = "alloc")]
            locator: None,
        }
    }

    /// Notes in `locator` where each row begins that is put from now on.
    #[cfg(feature = "alloc")]
    pub fn locate(&mut self, locator: Locator) {
        self.locator = Some(locator);
    }

    /// Returns where the rows begin that were put.
    #[cfg(feature = "alloc")]
    pub const fn take_locator(&mut self) -> Option<Locator> {
        self.locator.take()
    }

    /// Returns the encoding of rows.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Writes the value of a key.
    #[inline]
    pub fn value(
        &mut self,
        key: &impl Piece,
        value: &impl Piece,
    ) -> Result<(), EncodeError<OutputFailed>> {
        let encoding = self.encoding;
        let length = match self.bare {
            Some(length) => length,
            None => length_of(key, encoding)? + length_of(value, encoding)?,
        };
        let start = self.begin(Op::Put, length).map_err(EncodeError::Write)?;
        self.note(key)?;
        key.write(encoding, self)?;
        value.write(encoding, self)?;
        self.rows += 1;
        let digest = match start.and_then(|start| self.buffer.get(start..self.used)) {
            Some(row) => xxh3_128(row),
            None => digest_of(&hash_of(key, encoding)?, value, encoding)?,
        };
        self.digest = self.digest.wrapping_add(digest);
        Ok(())
    }

    /// Writes items of a list, the first of which has `rank` (counted from 0).
    pub fn items<'i, V: Piece + 'i>(
        &mut self,
        key: &impl Piece,
        rank: u64,
        items: impl Iterator<Item = &'i V> + Clone,
    ) -> Result<(), EncodeError<OutputFailed>> {
        let (encoding, hash) = (self.encoding, hash_of(key, self.encoding)?);
        self.chunked(Op::Put, key, items.clone().map(|item| Pair(item, &Raw(&[]))))?;
        for (rank, item) in (rank..).zip(items) {
            let mut hash = hash.clone();
            hash.0.update(&rank.to_le_bytes());
            self.digest = self.digest.wrapping_add(digest_of(&hash, item, encoding)?);
            self.rows += 1;
        }
        Ok(())
    }

    /// Writes fields of a map.
    pub fn entries<'i, F: Piece + 'i, V: Piece + 'i>(
        &mut self,
        key: &impl Piece,
        entries: impl Iterator<Item = (&'i F, &'i V)> + Clone,
    ) -> Result<(), EncodeError<OutputFailed>> {
        let (encoding, hash) = (self.encoding, hash_of(key, self.encoding)?);
        self.chunked(Op::Put, key, entries.clone().map(|(field, value)| Pair(field, value)))?;
        for (field, value) in entries {
            let entry = Pair(field, value);
            self.digest = self.digest.wrapping_add(digest_of(&hash, &entry, encoding)?);
            self.rows += 1;
        }
        Ok(())
    }

    /// Writes that a key is gone.
    pub fn removed(&mut self, key: &impl Piece) -> Result<(), EncodeError<OutputFailed>> {
        self.short(Op::Remove, key, None)
    }

    /// Writes that fields of a map are gone.
    pub fn removed_fields<'i, F: Piece + 'i>(
        &mut self,
        key: &impl Piece,
        fields: impl Iterator<Item = &'i F> + Clone,
    ) -> Result<(), EncodeError<OutputFailed>> {
        self.chunked(Op::Remove, key, fields.map(|field| Pair(field, &Raw(&[]))))
    }

    /// Writes that all fields of a map are gone.
    pub fn cleared(&mut self, key: &impl Piece) -> Result<(), EncodeError<OutputFailed>> {
        self.short(Op::Clear, key, None)
    }

    /// Writes that the first `count` items of a list stay, and no other.
    pub fn kept(&mut self, key: &impl Piece, count: u64) -> Result<(), EncodeError<OutputFailed>> {
        self.short(Op::Keep, key, Some(count))
    }

    /// Ends the rows; returns how many are live, and the sum of their digests.
    pub fn finish(mut self) -> Result<(u64, u128), OutputFailed> {
        self.close();
        if self.used == self.buffer.len() {
            self.flush()?;
        }
        self.append(&[0])?;
        self.flush()?;
        Ok((self.rows, self.digest))
    }

    fn short(
        &mut self,
        op: Op,
        key: &impl Piece,
        count: Option<u64>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        let more = count.map_or(0, varint_len);
        self.begin(op, length_of(key, self.encoding)? + more).map_err(EncodeError::Write)?;
        key.write(self.encoding, self)?;
        if let Some(count) = count {
            write_varint(u128::from(count), self).map_err(EncodeError::Write)?;
        }
        Ok(())
    }

    /// Writes rows `key count piece*`, each about as long as the buffer unless one piece is longer.
    fn chunked<P: Piece>(
        &mut self,
        op: Op,
        key: &impl Piece,
        mut pieces: impl Iterator<Item = P> + Clone,
    ) -> Result<(), EncodeError<OutputFailed>> {
        let (encoding, limit) = (self.encoding, (self.buffer.len() / 2) as u64);
        let key_length = length_of(key, encoding)?;
        loop {
            let (mut count, mut length) = (0usize, 0);
            for piece in pieces.clone().take(ITEMS_MAX) {
                let more = length_of(&piece, encoding)?;
                if count > 0 && key_length + length + more > limit {
                    break;
                }
                (count, length) = (count + 1, length + more);
            }
            if count == 0 {
                return Ok(());
            }
            let more = varint_len(count as u64);
            self.begin(op, key_length + more + length).map_err(EncodeError::Write)?;
            if op == Op::Put {
                self.note(key)?;
            }
            key.write(encoding, self)?;
            write_varint(count as u128, self).map_err(EncodeError::Write)?;
            for piece in pieces.by_ref().take(count) {
                piece.write(encoding, self)?;
            }
        }
    }

    /// Makes room for a row of `length` bytes; returns where it will lie, if in one piece.
    #[inline]
    fn begin(&mut self, op: Op, length: u64) -> Result<Option<usize>, OutputFailed> {
        // Ten bytes are the longest length.
        let most = length.saturating_add((RUN_HEAD_LEN + 10) as u64);
        let fits = |used: usize, size: usize| most <= (size - used) as u64;
        match &mut self.run {
            Some((open, _, count))
                if *open == op && *count < u16::MAX && fits(self.used, self.buffer.len()) =>
            {
                *count += 1;
            }
            _ => {
                self.close();
                if !fits(self.used, self.buffer.len()) {
                    self.flush()?;
                }
                let place = self.used;
                self.append(&[op.code(), 1, 0])?;
                // A row longer than the buffer is a run of its own, complete from its start.
                let one_piece = fits(place, self.buffer.len());
                self.run = one_piece.then_some((op, place, 1));
            }
        }
        self.row_at = self.flushed + self.used as u64;
        if self.bare.is_none() {
            write_varint(u128::from(length), self)?;
        }
        Ok(self.run.is_some().then_some(self.used))
    }

    /// Takes note of where the row that was begun lies.
    #[inline]
    fn note(&mut self, key: &impl Piece) -> Result<(), EncodeError<OutputFailed>> {
        #[cfg(feature = "alloc")]
        if let Some(locator) = &mut self.locator {
            locator.note(seeded_hash_of(key, locator.seed(), self.encoding)?, self.row_at);
        }
        let _ = key;
        Ok(())
    }

    /// Ends the open run: fills in how many rows it has.
    fn close(&mut self) {
        if let Some((_, place, count)) = self.run.take()
            && let Some(bytes) = self.buffer.get_mut(place + 1..place + 3)
        {
            bytes.copy_from_slice(&count.to_le_bytes());
        }
    }

    fn flush(&mut self) -> Result<(), OutputFailed> {
        assert!(self.run.is_none(), "a run is ended before it is handed over");
        self.out.append(self.buffer.get(..self.used).unwrap_or_default())?;
        self.flushed += self.used as u64;
        self.used = 0;
        Ok(())
    }

    #[inline]
    fn append(&mut self, mut bytes: &[u8]) -> Result<(), OutputFailed> {
        loop {
            let room = self.buffer.get_mut(self.used..).unwrap_or_default();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            if let Some(place) = room.get_mut(..now.len()) {
                place.copy_from_slice(now);
            }
            self.used += now.len();
            if later.is_empty() {
                return Ok(());
            }
            self.flush()?;
            bytes = later;
        }
    }
}

impl Write for RowWriter<'_> {
    type Error = OutputFailed;

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputFailed> {
        self.append(bytes)
    }
}

impl fmt::Debug for RowWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowWriter").field("rows", &self.rows).finish_non_exhaustive()
    }
}
