//! Rows, and what a kind of state keeps in one.

use core::mem::{needs_drop, size_of};

use hashbrown::HashTable;
use holdwater::codec::{Count, EncodeError, Encoding, encode};
use holdwater::key::{At, Key};
use holdwater::state::{Judge, OutputFailed, RowWriter};
use serde::Serialize;

use crate::budget::Meter;
use crate::expire::Look;
use crate::table::Table;

/// One key and what is kept under it.
#[derive(Clone, Debug)]
pub(crate) struct Row<K, P> {
    pub(crate) key: K,
    pub(crate) payload: P,
    /// The version in which the row was inserted.
    pub(crate) born: u32,
    /// The version of its last change.
    pub(crate) changed: u32,
}

impl<K: Key, P> Row<K, P> {
    /// Returns the digest by which the row is found within its group.
    pub(crate) fn slot(&self) -> u64 {
        let view = self.key.view();
        K::slot(view, K::digest(view))
    }
}

/// A table of rows that is copied as a whole.
pub(crate) type Segment<K, P> = HashTable<Row<K, P>>;

/// Returns how many rows a segment has before it is split.
///
/// A table of that many takes 8 to 16 KiB, which is copied in about a microsecond; but never fewer
/// than 14, since a split needs rows to divide.
pub(crate) const fn segment_rows_max<R>() -> usize {
    let mut buckets = 1024;
    while buckets > 16 && buckets * (size_of::<R>() + 1) > SEGMENT_BYTES_MAX {
        buckets /= 2;
    }
    // Seven eighths: the load at which hashbrown grows.
    buckets / 8 * 7
}

/// What a kind of state keeps in a row. Its clone is cheap: what may be large is shared.
pub(crate) trait Payload<K: Key>: Clone + Send + Sync + 'static {
    /// Whether an edit can make the row take more memory.
    const GROWS: bool;

    /// Whether each access reads more than the row itself.
    const BEHIND: bool = true;

    /// A place among its values; by default the first.
    type Position: Default + Send + Sync;

    /// Returns how many bytes it owns outside of the row.
    fn bytes(&self, encoding: Encoding) -> usize;

    /// Writes the row: all of it, or what changed since the version `base`; with a judge no more
    /// than what lives.
    fn save(
        row: &Row<K, Self>,
        base: Option<u32>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>>;

    /// Writes that there is no such row any more.
    fn removed(key: &K, out: &mut RowWriter<'_>) -> Result<(), EncodeError<OutputFailed>>;

    /// Returns whether any value in it lives.
    fn is_live(&self, judge: &Judge) -> bool {
        let _ = judge;
        true
    }

    /// Returns whether it is to be looked at for something that has expired.
    fn may_expire(&self, look: &mut Look<'_>) -> bool {
        let _ = look;
        false
    }

    /// Drops what has expired of some of its values, from `from` on, and with the last value the
    /// row; returns where to go on, if there are more.
    fn expire(
        table: &mut Table<K, Self>,
        at: At<'_, K>,
        from: Self::Position,
        look: &mut Look<'_>,
    ) -> Option<Self::Position> {
        let (_, _, _, _) = (table, at, from, look);
        None
    }
}

/// One write to a row: when it is, and what it costs.
#[derive(Debug)]
pub struct Touch {
    /// The version of the last change before it; the present one for a new row.
    pub(crate) before: u32,
    /// The present version.
    pub(crate) now: u32,
    /// The oldest version that a delta can stand on.
    pub(crate) base: Option<u32>,
    /// How values are encoded.
    pub(crate) encoding: Encoding,
    /// What it costs.
    pub(crate) meter: Meter,
}

/// Returns how many bytes `value` owns on the heap: by its encoding, since Rust cannot tell.
///
/// What has no destructor owns none.
#[inline]
pub(crate) fn owned_bytes<T: Serialize>(value: &T, encoding: Encoding) -> usize {
    if !needs_drop::<T>() {
        return 0;
    }
    let mut count = Count::default();
    // A value that refuses to serialize is a bug of its type, and is reported when it is saved.
    let _ = encode(value, encoding, &mut count);
    usize::try_from(count.0).unwrap_or(usize::MAX)
}

const SEGMENT_BYTES_MAX: usize = 16 * 1024;
