//! The rows of one state over all databases that hold some of them, each those of some groups.

use std::ops::{Bound, ControlFlow, Range};

use holdwater_bytes::{ByteRows, GROUP_LEN, behind};
use rocksdb::{DBRawIteratorWithThreadMode, ReadOptions};

use crate::RocksDbError;
use crate::database::Db;
use crate::family::Reads;

/// Pieces of a state in the order of their groups, which are apart.
#[derive(Debug)]
pub(crate) struct Pieces<F> {
    pieces: Vec<Piece<F>>,
    /// From which length on a filter knows of the prefixes of rows.
    bloom_len: Option<usize>,
}

/// The rows of some groups.
#[derive(Debug)]
pub(crate) struct Piece<F> {
    pub(crate) groups: Range<u16>,
    pub(crate) family: F,
}

impl<F> Pieces<F> {
    pub(crate) fn new(pieces: Vec<Piece<F>>, bloom_len: Option<usize>) -> Self {
        assert!(pieces.is_sorted_by(|one, next| one.groups.end <= next.groups.start));
        Self { pieces, bloom_len }
    }

    /// Returns the piece that has the rows of the group of `row`.
    ///
    /// # Panics
    ///
    /// If the group belongs to another task.
    pub(crate) fn of(&self, row: &[u8]) -> &F {
        let group = group(row);
        let place = self.pieces.partition_point(|piece| piece.groups.end <= group);
        let piece = self.pieces.get(place).filter(|piece| piece.groups.contains(&group));
        &piece.expect("a row belongs to a group of this task").family
    }

    pub(crate) fn families(&self) -> impl Iterator<Item = &F> {
        self.pieces.iter().map(|piece| &piece.family)
    }

    /// Makes the like of other pieces.
    pub(crate) fn map<G>(&self, make: impl Fn(&F) -> G) -> Pieces<G> {
        let piece =
            |piece: &Piece<F>| Piece { groups: piece.groups.clone(), family: make(&piece.family) };
        Pieces { pieces: self.pieces.iter().map(piece).collect(), bloom_len: self.bloom_len }
    }
}

impl<F: Reads> ByteRows for Pieces<F> {
    type Error = RocksDbError;

    fn get<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, RocksDbError> {
        self.of(key).get(key, read)
    }

    fn range(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        for piece in &self.pieces {
            let Some(bounds) = piece.bounds(start, end) else { continue };
            let mut rows = piece.family.iterator(bounds.options(true));
            rows.seek_to_first();
            if piece.show(rows, DBRawIteratorWithThreadMode::next, &mut visit)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn range_back(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        for piece in self.pieces.iter().rev() {
            let Some(bounds) = piece.bounds(start, end) else { continue };
            let mut rows = piece.family.iterator(bounds.options(true));
            rows.seek_to_last();
            if piece.show(rows, DBRawIteratorWithThreadMode::prev, &mut visit)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn any(&self, prefix: &[u8]) -> Result<bool, RocksDbError> {
        let mut found = false;
        self.scan(prefix, |_, _| {
            found = true;
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    fn scan(
        &self,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        let end = behind(prefix);
        let end = end.as_ref().map(Vec::as_slice);
        // A filter tells in which files such rows may be, where all of them have one prefix there.
        if self.bloom_len.is_none_or(|len| prefix.len() < len) {
            return self.range(Bound::Included(prefix), end, visit);
        }
        let group = group(prefix);
        let Some(piece) = self.pieces.iter().find(|piece| piece.groups.contains(&group)) else {
            return Ok(());
        };
        let Some(bounds) = piece.bounds(Bound::Included(prefix), end) else { return Ok(()) };
        let mut rows = piece.family.iterator(bounds.options(false));
        rows.seek(prefix);
        piece.show(rows, DBRawIteratorWithThreadMode::next, &mut visit).map(|_| ())
    }
}

impl<F: Reads> Piece<F> {
    /// Returns the bounds of the rows of this piece that lie between others, if there are any.
    fn bounds(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Option<Bounds> {
        let Range { start: first, end: last } = self.groups;
        let first = first.to_be_bytes();
        let start = match start {
            Bound::Included(start) => start.max(&first[..]).to_vec(),
            Bound::Excluded(start) => [start, &[0]].concat().max(first.to_vec()),
            Bound::Unbounded => first.to_vec(),
        };
        let last = last.to_be_bytes();
        let end = match end {
            Bound::Included(end) => [end, &[0]].concat().min(last.to_vec()),
            Bound::Excluded(end) => end.min(&last[..]).to_vec(),
            Bound::Unbounded => last.to_vec(),
        };
        (start < end).then_some(Bounds { start, end })
    }

    /// Shows rows from where the iterator stands to its end.
    fn show<'r>(
        &self,
        mut rows: DBRawIteratorWithThreadMode<'r, Db>,
        step: impl Fn(&mut DBRawIteratorWithThreadMode<'r, Db>),
        visit: &mut impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RocksDbError> {
        while let Some((key, value)) = rows.item() {
            if visit(key, value).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            step(&mut rows);
        }
        let path = &self.family.database().path;
        rows.status().map_err(RocksDbError::engine("read rows", path))?;
        Ok(ControlFlow::Continue(()))
    }
}

/// Where an iterator begins, and before what it ends.
struct Bounds {
    start: Vec<u8>,
    end: Vec<u8>,
}

impl Bounds {
    /// Returns the options of an iterator, which looks at no row beyond the bounds: beyond may be
    /// many that were dropped. In total order it does not ask filters.
    fn options(self, total_order: bool) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(self.start);
        options.set_iterate_upper_bound(self.end);
        options.set_total_order_seek(total_order);
        options.set_prefix_same_as_start(!total_order);
        options
    }
}

/// Returns the group that a row begins with.
pub(crate) fn group(row: &[u8]) -> u16 {
    let group = row.first_chunk::<GROUP_LEN>().expect("a row begins with its group");
    u16::from_be_bytes(*group)
}
