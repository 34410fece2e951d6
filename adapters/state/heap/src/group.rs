//! A key group: an extendible directory over small segments, which a freeze shares and the first
//! write to each copies.
//!
//! ```text
//! slot: bits 24, 23, .. index the directory; the low bits and the top seven are the segment's own
//!
//! directory  0 0 1 2        numbers of segments
//! own        - S - -        written since the last freeze
//! bases      S S S          what snapshots hold, or have let go and is to move back
//! ```
//!
//! A read looks at its own segments, then at the bases, newest first. Without a snapshot there is
//! no base: no atomic and no second look.

mod review;
mod view;

pub(crate) use view::View;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::size_of;
use core::ops::ControlFlow;

use hashbrown::HashTable;
use holdwater::codec::{Encoding, encode};
use holdwater::key::{At, Key};

use crate::layer::{Layer, each_row, overflow_in, segment_in};
use crate::row::{Payload, Row, Segment, segment_rows_max};
use crate::spare::Spares;
use crate::version::Removed;

/// The rows of one key group.
///
/// What every access reads stands in front, in one line of the processor's cache.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Group<K, P> {
    /// The number of the segment of each range of slots.
    directory: Arc<[u32]>,
    /// How far the low 25 bits of a slot are shifted to index the directory.
    shift: u32,
    /// The version of the last change.
    pub(crate) changed: u32,
    /// How many rows are in no segment.
    overflowing: usize,
    own: Layer<K, P>,
    /// What was frozen, oldest first.
    bases: Vec<Arc<Layer<K, P>>>,
    /// How many bits of a slot the rows of each segment share.
    depths: Vec<u8>,
    pub(crate) rows: usize,
    /// The version in which the first of the rows was inserted, when there was none.
    pub(crate) born: u32,
    pub(crate) removed: Removed<K>,
}

/// What [`Group::settle`] found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Settled {
    /// Nothing is left to be done.
    All,
    /// A snapshot holds what is left.
    Held,
    /// Some was done, more may be left.
    Some,
}

impl<K: Key, P: Payload<K>> Group<K, P> {
    const SEGMENT_ROWS_MAX: usize = segment_rows_max::<Row<K, P>>();

    pub(crate) fn new() -> Self {
        Self {
            directory: Arc::new([0]),
            shift: DIRECTORY_BITS,
            own: Layer::new(),
            bases: Vec::new(),
            depths: Vec::from([0]),
            overflowing: 0,
            rows: 0,
            born: 0,
            changed: 0,
            removed: Removed::new(),
        }
    }

    /// Returns the number of the segment that a slot falls in.
    #[inline]
    pub(crate) fn number(&self, slot: u64) -> usize {
        number(&self.directory, self.shift, slot)
    }

    #[inline]
    pub(crate) fn find(&self, at: At<'_, K>, encoding: Encoding) -> Option<&Row<K, P>> {
        let number = self.number(at.slot());
        let segment = match self.own.segments.get(number) {
            Some(Some(segment)) => Some(segment),
            _ => segment_in(self.bases(), number),
        };
        let found = segment.and_then(|rows| rows.find(at.slot(), |row| row.key.is(at.view())));
        if found.is_none() && self.overflowing > 0 {
            return overflow_in(self.layers(), &encoded::<K>(at, encoding));
        }
        found
    }

    /// Returns where the row of `at` is likely to lie, without a look at it.
    #[inline]
    pub(crate) fn likely(&self, at: At<'_, K>) -> Option<(&Segment<K, P>, usize)> {
        let number = self.number(at.slot());
        let segment = match self.own.segments.get(number) {
            Some(Some(segment)) => segment,
            _ => segment_in(self.bases(), number)?,
        };
        segment.find_bucket_index(at.slot(), |_| true).map(|bucket| (segment, bucket))
    }

    /// Returns whether the segment of that number can be written where it lies.
    #[inline]
    pub(crate) fn owns(&self, number: usize) -> bool {
        matches!(self.own.segments.get(number), Some(Some(_)))
    }

    /// Copies the segment of that number from the bases, or makes an empty one.
    #[cold]
    pub(crate) fn own(&mut self, number: usize, spares: &mut Spares<K, P>, table: &mut isize) {
        let before = self.own.slot_bytes();
        if self.own.segments.len() < self.depths.len() {
            self.own.segments.resize_with(self.depths.len(), || None);
        }
        *table += (self.own.slot_bytes() - before).cast_signed();
        let segment = match segment_in(self.bases(), number) {
            Some(segment) => spares.copy(segment, table),
            None => Segment::new(),
        };
        self.own.segments[number] = Some(segment);
    }

    /// Returns a row to be written, of a segment that is [`own`](Self::own)ed.
    #[inline]
    pub(crate) fn find_mut(
        &mut self,
        at: At<'_, K>,
        number: usize,
        encoding: Encoding,
    ) -> Option<&mut Row<K, P>> {
        if self.overflowing > 0 && self.find_own(at, number).is_none() {
            return self.overflow_mut(&encoded::<K>(at, encoding));
        }
        let segment = self.own.segments[number].as_mut().expect("the segment is owned");
        segment.find_mut(at.slot(), |row| row.key.is(at.view()))
    }

    /// Inserts a row whose key is not there; its segment is owned.
    pub(crate) fn insert(
        &mut self,
        slot: u64,
        row: Row<K, P>,
        encoding: Encoding,
        table: &mut isize,
    ) {
        if self.rows == 0 {
            self.born = row.born;
        }
        self.rows += 1;
        loop {
            let number = self.number(slot);
            let segment = self.own.segments[number].as_mut().expect("the segment is owned");
            if segment.len() < Self::SEGMENT_ROWS_MAX {
                let before = segment.allocation_size();
                segment.insert_unique(slot, row, Row::slot);
                *table += segment.allocation_size().cast_signed() - before.cast_signed();
                return;
            }
            if !self.split(slot, table) {
                let mut key = Vec::new();
                let _ = encode(&row.key, encoding, &mut key);
                *table += (overflow_bytes::<K, P>() + key.len()).cast_signed();
                self.own.overflow.insert(key.into(), Some(row));
                self.overflowing += 1;
                return;
            }
        }
    }

    /// Removes a row; its segment is owned.
    pub(crate) fn remove(
        &mut self,
        at: At<'_, K>,
        number: usize,
        encoding: Encoding,
        table: &mut isize,
    ) -> Option<Row<K, P>> {
        let segment = self.own.segments[number].as_mut().expect("the segment is owned");
        let row = match segment.find_entry(at.slot(), |row| row.key.is(at.view())) {
            Ok(entry) => {
                let (row, _) = entry.remove();
                if segment.len() * 8 < segment.capacity() && segment.capacity() > SMALL {
                    let before = segment.allocation_size();
                    segment.shrink_to(segment.len() * 2, Row::slot);
                    *table -= before.cast_signed() - segment.allocation_size().cast_signed();
                }
                row
            }
            Err(_) if self.overflowing > 0 => {
                let key = encoded::<K>(at, encoding);
                let row = self.overflow_mut(&key)?.clone();
                *table -= (overflow_bytes::<K, P>() + key.len()).cast_signed();
                if self.bases.is_empty() {
                    self.own.overflow.remove(&*key);
                } else {
                    self.own.overflow.insert(key, None);
                }
                self.overflowing -= 1;
                row
            }
            Err(_) => return None,
        };
        self.rows -= 1;
        Some(row)
    }

    /// Returns the group as it is now, and shares its segments with it.
    pub(crate) fn freeze(&mut self) -> View<K, P> {
        if !self.own.is_empty() {
            self.bases.push(Arc::new(core::mem::replace(&mut self.own, Layer::new())));
        }
        View {
            directory: self.directory.clone(),
            shift: self.shift,
            count: self.depths.len(),
            layers: self.bases.clone(),
        }
    }

    /// Takes back up to `segments` segments that no snapshot holds, and drops what no base needs.
    pub(crate) fn settle(
        &mut self,
        segments: usize,
        base: Option<u32>,
        spares: &mut Spares<K, P>,
        table: &mut isize,
    ) -> Settled {
        if let Some(bytes) = self.removed.drop_through(base.unwrap_or(u32::MAX)) {
            *table -= bytes.cast_signed();
            return Settled::Some;
        }
        // The newest first: it hides most of what lies below.
        let free = |base: &mut Arc<Layer<K, P>>| Arc::get_mut(base).is_some();
        let Some(index) = self.bases.iter_mut().rposition(free) else {
            return if self.bases.is_empty() { Settled::All } else { Settled::Held };
        };
        let (below, newer) = self.bases.split_at_mut(index + 1);
        let layer = Arc::get_mut(&mut below[index]).expect("found free above");
        for _ in 0..segments {
            if let Some(segment) = layer.segments.pop() {
                let number = layer.segments.len();
                let unseen = segment
                    .and_then(|segment| take_back(&mut self.own, newer, number, segment, table));
                if let Some(segment) = unseen {
                    spares.take(segment, table);
                }
            } else if let Some((key, row)) = layer.overflow.pop_first() {
                let hidden = newer.iter().any(|newer| newer.overflow.contains_key(&key));
                if !hidden && !self.own.overflow.contains_key(&key) {
                    self.own.overflow.insert(key, row);
                }
            } else {
                *table -= layer.slot_bytes().cast_signed();
                self.bases.remove(index);
                if self.bases.is_empty() && self.own.overflow.len() > self.overflowing {
                    self.own.overflow.retain(|_, row| row.is_some());
                }
                break;
            }
        }
        Settled::Some
    }

    /// Visits every row.
    pub(crate) fn each<B>(
        &self,
        visit: impl FnMut(&Row<K, P>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        each_row(self.depths.len(), self.layers(), visit)
    }

    fn bases(&self) -> impl Iterator<Item = &Layer<K, P>> + Clone {
        self.bases.iter().rev().map(|base| &**base)
    }

    fn layers(&self) -> impl Iterator<Item = &Layer<K, P>> + Clone {
        core::iter::once(&self.own).chain(self.bases())
    }

    fn find_own(&self, at: At<'_, K>, number: usize) -> Option<&Row<K, P>> {
        let segment = self.own.segments[number].as_ref()?;
        segment.find(at.slot(), |row| row.key.is(at.view()))
    }

    /// Returns the row of that key among those that no segment could take, copied from the bases.
    #[cold]
    fn overflow_mut(&mut self, key: &[u8]) -> Option<&mut Row<K, P>> {
        if !self.own.overflow.contains_key(key) {
            let row = overflow_in(self.bases(), key)?.clone();
            self.own.overflow.insert(key.into(), Some(row));
        }
        self.own.overflow.get_mut(key)?.as_mut()
    }

    /// Splits the segment of `slot`, which is owned; returns false if the directory would grow
    /// beyond what its rows are worth: too many of them share their first bits.
    #[cold]
    fn split(&mut self, slot: u64, table: &mut isize) -> bool {
        let number = self.number(slot);
        let depth = u32::from(self.depths[number]);
        if depth + self.shift == DIRECTORY_BITS && !self.double(table) {
            return false;
        }
        let bit = DIRECTORY_BITS - 1 - depth;
        let upper = u32::try_from(self.depths.len()).expect("fewer than 2^32 segments");
        let rows = self.own.segments[number].take().unwrap_or_default();
        *table -= rows.allocation_size().cast_signed();
        let mut halves = [0, 1].map(|_| HashTable::with_capacity(rows.len() / 2));
        for row in rows {
            let slot = row.slot();
            halves[(slot >> bit) as usize & 1].insert_unique(slot, row, Row::slot);
        }
        *table += halves.iter().map(HashTable::allocation_size).sum::<usize>().cast_signed();
        let [low, high] = halves;
        let before = self.own.slot_bytes();
        self.own.segments.resize_with(self.depths.len(), || None);
        self.own.segments[number] = Some(low);
        self.own.segments.push(Some(high));
        *table += (self.own.slot_bytes() - before).cast_signed();
        self.depths[number] += 1;
        self.depths.push(self.depths[number]);
        // The entries of a segment stand side by side; the upper half of them is the new one's.
        let half = 1 << (bit - self.shift);
        let first = ((slot & LOW) >> self.shift) as usize & !(2 * half - 1);
        Arc::make_mut(&mut self.directory)[first + half..first + 2 * half].fill(upper);
        true
    }

    /// Doubles the directory, unless it is large for its number of segments.
    fn double(&mut self, table: &mut isize) -> bool {
        let entries = self.directory.len();
        if self.shift <= 1 || entries > DIRECTORY_ENTRIES_PER_SEGMENT_MAX * self.depths.len() {
            return false;
        }
        self.directory = self.directory.iter().flat_map(|number| [*number; 2]).collect();
        self.shift -= 1;
        *table += (entries * size_of::<u32>()).cast_signed();
        true
    }
}

#[inline]
fn number(directory: &[u32], shift: u32, slot: u64) -> usize {
    directory[((slot & LOW) >> shift) as usize] as usize
}

/// Moves a segment of a layer into `own`, or hands it back where it is hidden.
fn take_back<K, P>(
    own: &mut Layer<K, P>,
    newer: &[Arc<Layer<K, P>>],
    number: usize,
    segment: Segment<K, P>,
    table: &mut isize,
) -> Option<Segment<K, P>> {
    let newer = newer.iter().map(|layer| &**layer);
    if segment_in(core::iter::once(&*own).chain(newer), number).is_some() {
        return Some(segment);
    }
    if own.segments.len() <= number {
        let before = own.slot_bytes();
        own.segments.resize_with(number + 1, || None);
        *table += (own.slot_bytes() - before).cast_signed();
    }
    own.segments[number] = Some(segment);
    None
}

#[cold]
fn encoded<K: Key>(at: At<'_, K>, encoding: Encoding) -> Box<[u8]> {
    let mut bytes = Vec::new();
    // A key that refuses to serialize is a bug of its type, and is reported when it is saved.
    let _ = encode(&at.view(), encoding, &mut bytes);
    bytes.into()
}

/// Returns about how many bytes a row beside the segments takes, its encoded key apart.
const fn overflow_bytes<K, P>() -> usize {
    size_of::<Box<[u8]>>() + size_of::<Option<Row<K, P>>>()
}

/// The directory is indexed by bits of a slot below those that choose the group.
const DIRECTORY_BITS: u32 = 25;
/// A segment with room for that many rows is not worth shrinking.
const SMALL: usize = 28;
const LOW: u64 = (1 << DIRECTORY_BITS) - 1;
/// With evenly spread slots two suffice, or up to eight where a segment has few rows.
const DIRECTORY_ENTRIES_PER_SEGMENT_MAX: usize = 8;
