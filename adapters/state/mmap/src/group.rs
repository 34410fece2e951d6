//! The rows of one key group: an index, and the tail of the log.

use std::sync::Arc;

use crate::adopted::AdoptedPart;
use crate::cold::Cold;
use crate::entry::{Entry, Place, TAIL};
use crate::index::Index;
use crate::layout::{Layout, body};
use crate::log::Log;
use crate::piece::Pieces;
use crate::slot::Slot;
use crate::tail::Tail;

/// The rows of one key group.
#[derive(Clone, Debug)]
pub(crate) struct Group<S> {
    pub(crate) index: Index<S>,
    pub(crate) tail: Tail,
    /// The rows that the index does not have.
    pub(crate) cold: Option<Cold>,
    /// The part of a checkpoint that was taken as it lies.
    pub(crate) adopted: Option<Arc<AdoptedPart>>,
    /// What slots take beside their places in the index.
    pub(crate) owned: usize,
    /// How many keys of the index have a row.
    pub(crate) rows: u64,
    /// The freeze before which it was empty last: a base older than that has nothing of it.
    pub(crate) born: u32,
    /// The freeze before which it changed last.
    pub(crate) changed: u32,
    /// What tail and index took when that was counted last.
    pub(crate) counted: (usize, usize),
    /// How many bytes a snapshot holds that the group let go since they were counted.
    pub(crate) let_go: usize,
}

impl<S> Default for Group<S> {
    fn default() -> Self {
        let (index, tail) = (Index::default(), Tail::default());
        let (cold, adopted) = (None, None);
        let (owned, rows, born, changed, counted, let_go) = (0, 0, 0, 0, (0, 0), 0);
        Self { index, tail, cold, adopted, owned, rows, born, changed, counted, let_go }
    }
}

impl<S: Slot> Group<S> {
    /// Returns the log, to be read.
    pub(crate) const fn log<'g>(&'g self, layout: &'g Layout, pieces: &'g Pieces) -> Log<'g> {
        Log { layout, tail: &self.tail, pieces, cutoff: None }
    }

    /// Returns how many keys have a row.
    pub(crate) fn keys(&self) -> u64 {
        self.rows + self.cold.as_ref().map_or(0, |cold| cold.keys)
    }

    pub(crate) const fn has_rows(&self) -> bool {
        self.rows > 0 || self.cold.is_some()
    }

    /// Returns whether one key of the index is all that has a row.
    pub(crate) const fn has_one_key(&self) -> bool {
        self.rows == 1 && self.cold.is_none()
    }

    /// Appends a row to the tail; returns where it lies. The body begins at byte `body_at`.
    pub(crate) fn append(
        &mut self,
        hash: u32,
        content: &[&[u8]],
        room: usize,
        body_at: usize,
    ) -> Place {
        append(&mut self.tail, hash, content, room, body_at)
    }

    /// Replaces the row of `entry` from byte `keep` on, if it lies in the tail and has room.
    pub(crate) fn rewrite(&mut self, entry: Entry, keep: usize, rest: &[u8]) -> bool {
        entry.is_in_tail() && self.tail.rewrite(entry.place().offset, keep, rest)
    }

    /// Replaces each entry of the keys with that hash that `concerns` picks by those that `change`
    /// makes of it.
    pub(crate) fn splice(
        &mut self,
        hash: u32,
        concerns: &dyn Fn(Entry) -> bool,
        change: &mut dyn FnMut(&mut Tail, Entry, &mut Vec<Entry>),
    ) {
        let Self { index, tail, owned, .. } = self;
        index.each_mut(hash, |slot| {
            let before = slot.owned();
            slot.splice(concerns, &mut |entry, made| change(tail, entry, made));
            *owned = *owned + slot.owned() - before;
        });
    }

    /// Returns the entries of rows in the tail, in the order in which [`Slot::write`] writes them
    /// and [`splice`](Self::splice) shows them.
    pub(crate) fn in_tail(&self, hashes: &[u32]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for slot in hashes.iter().flat_map(|hash| self.index.candidates(*hash)) {
            slot.each(&mut |entry| entries.extend(Some(entry).filter(|entry| entry.is_in_tail())));
        }
        entries
    }

    /// Writes the rows in the tail anew, without those that nobody names.
    pub(crate) fn tidy(&mut self) {
        let old = std::mem::take(&mut self.tail);
        self.let_go += old.shared();
        for hash in old.hashes() {
            self.splice(hash, &Entry::is_in_tail, &mut |tail, entry, made| {
                let (place, row) = (entry.place(), old.content(entry.place().offset));
                let offset = tail.append(hash, &[row], row.len());
                made.push(entry.moved(Place { offset, ..place }));
            });
        }
    }

    /// Lets the tail go: all its rows are elsewhere.
    pub(crate) fn let_tail_go(&mut self) {
        self.let_go += self.tail.shared();
        self.tail = Tail::default();
    }

    /// Drops all rows.
    pub(crate) fn empty(&mut self, now: u32) {
        if self.index.len() > 0 || self.tail.bytes() > 0 || self.cold.is_some() {
            let let_go = self.let_go + self.tail.shared() + self.index.shared();
            let counted = self.counted;
            *self = Self { born: now, changed: now, let_go, counted, ..Self::default() };
        }
    }
}

/// Appends a row to a tail; returns where it lies.
pub(crate) fn append(
    tail: &mut Tail,
    hash: u32,
    content: &[&[u8]],
    room: usize,
    body_at: usize,
) -> Place {
    let offset = tail.append(hash, content, room);
    Place { piece: TAIL, offset, body: body(body_at) }
}
