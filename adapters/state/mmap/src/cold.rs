//! Rows of a key group that lie in a file of a checkpoint: found by its locator (docs/format.md
//! 5.7) until they are changed, when the index takes them over.

use std::borrow::Cow;
use std::sync::Arc;

use holdwater::error::{Fault, Malformed};
use holdwater::state::Locator;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::adopted::AdoptedPart;
use crate::error::MmapError;
use crate::group::Group;
use crate::log::{AHEAD_BYTES, Log};
use crate::piece::Extent;
use crate::slot::Slot;
use crate::table::Write;

/// The rows of a group that are not in its index.
#[derive(Clone, Debug)]
pub(crate) struct Cold {
    pub(crate) part: Arc<AdoptedPart>,
    /// The freeze before which it was taken.
    pub(crate) changed: u32,
    /// A bit for each row, by its number in the locator: whether the index has it, or it is gone.
    taken: Arc<Vec<u64>>,
    /// How many rows are left, and how many keys have one.
    pub(crate) rows: u64,
    pub(crate) keys: u64,
}

/// A row where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColdRow {
    /// Its number in the locator.
    number: u64,
    pub(crate) piece: u16,
    pub(crate) offset: u64,
    pub(crate) changed: u32,
}

impl Cold {
    pub(crate) fn new(part: Arc<AdoptedPart>, changed: u32) -> Self {
        let (rows, keys) = (part.rows, part.keys);
        let taken = Arc::new(vec![0; rows.div_ceil(64) as usize]);
        Self { part, changed, taken, rows, keys }
    }

    /// Returns how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.taken.len() * 8
    }

    /// Takes note that the index has all rows of a key.
    fn take(&mut self, rows: &[ColdRow]) {
        let taken = Arc::make_mut(&mut self.taken);
        for row in rows {
            taken[(row.number / 64) as usize] |= 1 << (row.number % 64);
        }
        self.rows -= rows.len() as u64;
        self.keys = self.keys.saturating_sub(1);
    }

    fn is_taken(&self, number: u64) -> bool {
        self.taken[(number / 64) as usize] & 1 << (number % 64) != 0
    }

    /// Returns the row of that number, unless it was taken.
    fn row(&self, log: Log<'_>, number: u64) -> Result<Option<ColdRow>, MmapError> {
        if self.is_taken(number) {
            return Ok(None);
        }
        let (_, offset) = self.part.entry(log, number)?;
        let (piece, changed) = (self.part.piece, self.changed);
        Ok(Some(ColdRow { number, piece, offset, changed }))
    }

    /// Returns the rows that may be those of `key`, as they follow one another.
    fn find(&self, log: Log<'_>, key: &[u8]) -> Result<Vec<ColdRow>, MmapError> {
        let hash = Locator::short(xxh3_64_with_seed(key, self.part.seed));
        let (mut number, mut found) = (self.part.first(log, hash)?, Vec::new());
        while number < self.part.rows && self.part.entry(log, number)?.0 == hash {
            found.extend(self.row(log, number)?);
            number += 1;
        }
        Ok(found)
    }

    /// Returns all rows that are left, as they lie.
    fn left(&self, log: Log<'_>) -> Result<Vec<ColdRow>, MmapError> {
        let mut left = Vec::new();
        for number in 0..self.part.rows {
            left.extend(self.row(log, number)?);
        }
        left.sort_unstable_by_key(|row| row.offset);
        Ok(left)
    }
}

impl<S: Slot> Group<S> {
    /// Returns what the index would hold of a key whose rows it does not have, and the rows.
    fn cold_rows(&self, log: Log<'_>, key: &[u8]) -> Result<Option<(S, Vec<ColdRow>)>, MmapError> {
        let Some(cold) = &self.cold else { return Ok(None) };
        let (mut slot, mut rows) = (None, Vec::new());
        for row in cold.find(log, key)? {
            let bytes = log.cold(row)?;
            if bytes.starts_with(key) {
                log.gather(&mut slot, row, &bytes)?;
                rows.push(row);
            }
        }
        Ok(slot.map(|slot| (slot, rows)))
    }

    /// Returns what the index would hold of a key whose rows it does not have.
    pub(crate) fn cold_slot(&self, log: Log<'_>, key: &[u8]) -> Result<Option<S>, MmapError> {
        Ok(self.cold_rows(log, key)?.map(|(slot, _)| slot))
    }

    /// Returns the key of the row of that number in the locator, and what the index would hold of
    /// the row; nothing of one that the index has.
    pub(crate) fn cold_row(
        &self,
        log: Log<'_>,
        number: u64,
    ) -> Result<Option<(Vec<u8>, S)>, MmapError> {
        let row = self.cold.as_ref().map(|cold| cold.row(log, number)).transpose()?.flatten();
        let Some(row) = row else { return Ok(None) };
        let (bytes, mut slot) = (log.cold(row)?, None);
        log.gather(&mut slot, row, &bytes)?;
        let key = bytes[..log.layout.key_len(&bytes)?].to_vec();
        Ok(slot.map(|slot| (key, slot)))
    }

    /// Returns how many rows the locator has, if any of them is not in the index.
    pub(crate) fn cold_len(&self) -> u64 {
        self.cold.as_ref().map_or(0, |cold| cold.part.rows)
    }

    /// Returns what the index would hold of each key whose rows it does not have.
    pub(crate) fn cold_slots<'a>(
        &'a self,
        log: Log<'a>,
    ) -> Result<impl Iterator<Item = Result<S, MmapError>> + 'a, MmapError> {
        let rows = self.cold.as_ref().map(|cold| cold.left(log)).transpose()?.unwrap_or_default();
        let (mut next, mut ahead) = (0, 0);
        Ok(std::iter::from_fn(move || {
            let begin = next;
            rows.get(begin)?;
            if begin >= ahead {
                ahead = log.prefetch_cold(&rows[begin..]) + begin;
            }
            Some(gather(log, &rows, &mut next))
        }))
    }
}

impl<S: Slot> Write<'_, S> {
    /// Lets the index take over a key whose rows it does not have.
    pub(crate) fn warm(&mut self, key: &[u8]) -> Result<(), MmapError> {
        if self.group.cold.is_none() {
            return Ok(());
        }
        let log = self.log();
        for slot in self.group.index.candidates(self.layout.hash(key)) {
            if log.row(slot.lead())?.is_of(key) {
                return Ok(());
            }
        }
        let Some((slot, rows)) = self.group.cold_rows(log, key)? else { return Ok(()) };
        let mut entries = 0;
        slot.each(&mut |_| entries += 1);
        let cold = self.group.cold.as_mut().expect("rows were found in it");
        cold.take(&rows);
        let (piece, left) = (cold.part.piece, cold.rows);
        // A row of several fields is named by each.
        self.files.name_more(piece, entries - rows.len() as u64);
        if left == 0 {
            self.group.cold = None;
        }
        self.group.owned += slot.owned();
        self.group.rows += 1;
        self.group.index.insert(slot);
        Ok(())
    }
}

impl<'a> Log<'a> {
    /// Reads a row of a file of a checkpoint.
    pub(crate) fn cold(self, row: ColdRow) -> Result<Cow<'a, [u8]>, MmapError> {
        let extent = match self.layout.bare {
            Some((key, value)) => Extent::Bytes(key + value),
            None => Extent::Counted,
        };
        self.pieces.get(row.piece).row(row.offset, extent)
    }

    /// Adds a row to what the index would hold of its key, once it has been walked.
    fn gather<S: Slot>(
        self,
        slot: &mut Option<S>,
        row: ColdRow,
        bytes: &[u8],
    ) -> Result<(), MmapError> {
        S::gather(slot, self, row, bytes).map_err(|error| match error {
            MmapError::Malformed(malformed) => {
                self.pieces.get(row.piece).damaged(Malformed::new(malformed.fault, row.offset))
            }
            error => error,
        })
    }

    /// Asks for the file that the first of the `rows` lies in, some way ahead; returns how many of
    /// them that covers.
    fn prefetch_cold(self, rows: &[ColdRow]) -> usize {
        let Some(first) = rows.first() else { return 0 };
        let near = rows.partition_point(|row| row.offset < first.offset + AHEAD_BYTES).max(1);
        let last = rows[near - 1].offset;
        self.pieces.get(first.piece).prefetch(first.offset, last - first.offset + 1);
        near
    }
}

/// Gathers the rows of one key, from that of number `next` on.
fn gather<S: Slot>(log: Log<'_>, rows: &[ColdRow], next: &mut usize) -> Result<S, MmapError> {
    let (mut slot, mut key) = (None, Vec::new());
    while let Some(row) = rows.get(*next) {
        let bytes = log.cold(*row)?;
        if slot.is_none() {
            key = bytes[..log.layout.key_len(&bytes)?].to_vec();
        } else if !bytes.starts_with(&key) {
            break;
        }
        log.gather(&mut slot, *row, &bytes)?;
        *next += 1;
    }
    slot.ok_or_else(|| Malformed::new(Fault::End, 0).into())
}
