//! The rows of one state, as bytes: what all kinds share.

use std::sync::{Arc, Weak};

use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::state::{Cut, Cutoff, Form, LoadError, Moment, RowWriter};

use crate::budget::{Hold, Share};
use crate::cold::Cold;
use crate::entry::Entry;
use crate::error::MmapError;
use crate::expire::Search;
use crate::files::{Files, Pool};
use crate::freezes::Freezes;
use crate::frozen::{self, MmapFrozen, View};
use crate::group::Group;
use crate::layout::Layout;
use crate::log::{Log, Saved};
use crate::pass::Pass;
use crate::slot::{Slot, What};

/// The rows of one state.
#[derive(Debug)]
pub(crate) struct Table<S> {
    pub(crate) layout: Arc<Layout>,
    pub(crate) groups: KeyGroups,
    pub(crate) parts: Vec<Group<S>>,
    pub(crate) files: Files,
    pub(crate) freezes: Freezes,
    pub(crate) pass: Option<Pass>,
    pub(crate) search: Search,
    /// How many writes there were since the last step of a pass.
    pub(crate) paced: u8,
    /// How many rows were removed, and remembered, when the last pass ended.
    pub(crate) unsettled: usize,
    /// How many entries are of rows that were removed.
    pub(crate) removed: usize,
    /// What all tails take, and what index and nodes take.
    tail: usize,
    other: usize,
    /// What a kind keeps in memory beside its rows.
    beside: usize,
    share: Share,
    holds: Vec<Weak<Hold>>,
}

/// What a write works on.
#[derive(Debug)]
pub(crate) struct Write<'t, S> {
    pub(crate) layout: &'t Layout,
    pub(crate) group: &'t mut Group<S>,
    pub(crate) files: &'t mut Files,
    pub(crate) removed: &'t mut usize,
    /// The number of the next freeze.
    pub(crate) now: u32,
    /// Whether a delta may have to say what is removed.
    pub(crate) remembers: bool,
}

impl<S: Slot> Table<S> {
    pub(crate) fn new(layout: Layout, groups: KeyGroups, share: Share, pool: Arc<Pool>) -> Self {
        Self {
            layout: Arc::new(layout),
            groups,
            parts: (0..groups.count()).map(|_| Group::default()).collect(),
            files: Files::new(pool),
            freezes: Freezes::default(),
            pass: None,
            search: Search::default(),
            paced: 0,
            unsettled: 0,
            removed: 0,
            tail: 0,
            other: 0,
            beside: 0,
            share,
            holds: Vec::new(),
        }
    }

    /// Returns a group and how its log is read.
    ///
    /// # Panics
    ///
    /// If the group is another task's.
    pub(crate) fn part(&self, group: KeyGroup) -> (&Group<S>, Log<'_>) {
        let part = &self.parts[self.groups.position(group)];
        (part, part.log(&self.layout, &self.files.pieces))
    }

    /// Returns what there is of `group`, to be visited: nothing of one that another task owns.
    pub(crate) fn visited(&self, group: KeyGroup) -> Option<(&Group<S>, Log<'_>)> {
        self.groups.contains(group).then(|| self.part(group))
    }

    /// Reads the key of a row that is loaded, and encodes it as the table does. It has to live in
    /// `group`, and the group be owned.
    pub(crate) fn load_key<K: Key>(
        &self,
        group: KeyGroup,
        reader: &mut Reader<'_>,
        form: &Form<'_>,
    ) -> Result<Vec<u8>, LoadError<MmapError>> {
        let start = *reader;
        let key: K = form.key(reader)?;
        let at = self.groups.locate::<K>(key.view());
        if !self.groups.contains(group) || at.group() != group {
            return Err(start.fault(Fault::Identity).into());
        }
        Ok(self.key(at)?)
    }

    /// Encodes the key of `at`.
    pub(crate) fn key<K: Key>(&self, at: At<'_, K>) -> Result<Vec<u8>, MmapError> {
        let mut key = Vec::new();
        self.layout.encode(&at.view(), &mut key)?;
        Ok(key)
    }

    /// Changes rows of `group`: makes room for one of `bytes` bytes, and does a step of what is to
    /// be tidied up.
    pub(crate) fn change<R>(
        &mut self,
        group: KeyGroup,
        bytes: usize,
        change: impl FnOnce(&mut Write<'_, S>) -> Result<R, MmapError>,
    ) -> Result<R, MmapError> {
        let position = self.groups.position(group);
        if self.pass.is_some() {
            self.pace()?;
        }
        self.files.check()?;
        self.room_for(group, bytes)?;
        self.share.admit()?;
        let result = change(&mut self.write(position));
        self.count(position);
        result
    }

    /// Changes rows of `group` without a new one: that is never refused for want of memory.
    pub(crate) fn remove<R>(
        &mut self,
        group: KeyGroup,
        change: impl FnOnce(&mut Write<'_, S>) -> Result<R, MmapError>,
    ) -> Result<R, MmapError> {
        let position = self.groups.position(group);
        if self.pass.is_some() {
            self.pace()?;
        }
        let result = change(&mut self.write(position));
        self.count(position);
        result
    }

    /// Makes room for a row of `bytes` bytes in `group`; returns whether rows moved for that.
    pub(crate) fn room_for(&mut self, group: KeyGroup, bytes: usize) -> Result<bool, MmapError> {
        let growth = self.parts[self.groups.position(group)].tail.growth(bytes);
        self.make_room(growth)
    }

    /// Seals the tail if it is to grow by so many bytes and cannot; returns whether rows moved.
    pub(crate) fn make_room(&mut self, growth: usize) -> Result<bool, MmapError> {
        let most = self.files.pool.segment_bytes.saturating_sub(growth);
        let is_short = self.share.is_short(self.tail, growth) || self.share.is_over();
        let moves = self.tail > 0 && growth > 0 && (self.tail > most || is_short);
        if moves {
            self.relieve(is_short)?;
            if self.tail > most {
                // To tidy up was not enough, and would not be the next time.
                self.seal()?;
                self.consider();
            }
        }
        Ok(moves)
    }

    /// Returns what a write in the group at `position` works on; [`count`](Self::count) follows.
    pub(crate) fn write(&mut self, position: usize) -> Write<'_, S> {
        Write {
            layout: &self.layout,
            group: &mut self.parts[position],
            files: &mut self.files,
            removed: &mut self.removed,
            now: self.freezes.now(),
            remembers: self.freezes.are_open(),
        }
    }

    /// Takes note of what a group takes now.
    pub(crate) fn count(&mut self, position: usize) {
        let group = &mut self.parts[position];
        let (tail, other) = group.counted;
        group.counted = (group.tail.bytes(), group.index.bytes() + group.owned);
        group.counted.1 += group.cold.as_ref().map_or(0, Cold::bytes);
        self.tail = self.tail - tail + group.counted.0;
        self.other = self.other - other + group.counted.1;
        let held = group.index.take_copied() + std::mem::take(&mut group.let_go);
        self.share.set(self.tail, self.other + self.beside);
        if held > 0
            && let Some(hold) = self.holds.iter().rev().find_map(Weak::upgrade)
        {
            hold.add(held);
        }
    }

    /// Takes note of what the kind keeps beside its rows.
    pub(crate) fn set_beside(&mut self, bytes: usize) {
        self.beside = bytes;
        self.share.set(self.tail, self.other + self.beside);
    }

    /// Returns whether more than the budget is in use.
    pub(crate) fn is_over_budget(&self) -> bool {
        self.share.is_over()
    }

    pub(crate) const fn tail_bytes(&self) -> usize {
        self.tail
    }

    /// Returns how many bytes the rows take in memory and in files, copies for snapshots included.
    pub(crate) fn bytes(&self) -> u64 {
        let held: usize =
            self.holds.iter().filter_map(Weak::upgrade).map(|hold| hold.bytes()).sum();
        (self.tail + self.other + self.beside + held) as u64 + self.files.bytes()
    }

    pub(crate) fn rows(&self) -> u64 {
        self.parts.iter().map(Group::keys).sum()
    }

    /// Returns the rows as they are, to be written by another thread.
    pub(crate) fn view(
        &mut self,
        base: Option<u32>,
        what: Option<What>,
        cutoff: Option<Cutoff>,
    ) -> View<S> {
        self.holds.retain(|hold| hold.strong_count() > 0);
        let hold = Arc::new(self.share.hold());
        self.holds.push(Arc::downgrade(&hold));
        View {
            layout: self.layout.clone(),
            groups: self.groups,
            parts: self.parts.clone(),
            pieces: self.files.pieces.clone(),
            base,
            what,
            cutoff,
            hold,
        }
    }

    pub(crate) fn show(
        &self,
        group: KeyGroup,
        key: Option<&[u8]>,
        moment: Moment,
        out: &mut RowWriter<'_>,
    ) -> Saved {
        let Some((part, log)) = self.visited(group) else { return Ok(()) };
        let expiry = self.layout.description.expiry();
        let cutoff = expiry.map(|expiry| expiry.cutoff(moment.by(expiry.domain)));
        let log = Log { cutoff, ..log };
        match key {
            Some(key) => frozen::write_key(part, log, key, out),
            None => frozen::write(part, log, What::All, out),
        }
    }

    pub(crate) fn freeze(&mut self, cut: &Cut) -> Result<MmapFrozen, MmapError> {
        // What this state borrowed and others lack is given back before long.
        if self.share.is_short(self.tail, 1) {
            self.relieve(true)?;
        }
        let (base, cutoff) = (self.freezes.freeze(cut), self.cutoff(cut));
        Ok(MmapFrozen::new(self.view(base, None, cutoff)))
    }

    pub(crate) fn completed(&mut self, checkpoint: u64) {
        self.freezes.completed(checkpoint);
        for group in &mut self.parts {
            group.adopted.take_if(|part| part.is_verified());
        }
        self.consider();
    }

    pub(crate) fn aborted(&mut self, checkpoint: u64) {
        self.freezes.aborted(checkpoint);
    }

    pub(crate) fn loaded(&mut self, checkpoint: u64) {
        self.files.adopted.clear();
        self.freezes.loaded(checkpoint);
        self.search = Search::default();
    }

    pub(crate) fn clear(&mut self) {
        for position in 0..self.parts.len() {
            let write = self.write(position);
            write.group.empty(write.now);
            self.count(position);
        }
        (self.pass, self.removed) = (None, 0);
        self.files.clear();
    }

    pub(crate) fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, MmapError> {
        for done in self.expire(now, steps)?..steps {
            self.consider();
            if self.pass.is_none() {
                return Ok(done);
            }
            self.step()?;
        }
        Ok(steps)
    }
}

impl<S: Slot> Write<'_, S> {
    pub(crate) const fn log(&self) -> Log<'_> {
        self.group.log(self.layout, &self.files.pieces)
    }

    /// Takes note that no entry names this row any more.
    pub(crate) fn release(&mut self, entry: Entry) {
        if entry.is_in_tail() {
            self.group.tail.drop(entry.place().offset);
        } else {
            self.files.release(entry.place().piece);
        }
        *self.removed -= usize::from(entry.is_removed());
    }

    /// Takes note that a row of the group changed.
    pub(crate) const fn touch(&mut self) {
        self.group.changed = self.now;
    }

    /// Takes note that a key lost its last row; returns whether it was the last of its group, all
    /// of which is gone then.
    pub(crate) fn lose(&mut self) -> bool {
        self.group.rows -= 1;
        if self.group.has_rows() {
            return false;
        }
        let Self { group, files, removed, .. } = self;
        for slot in group.index.iter() {
            slot.each(&mut |entry| {
                if !entry.is_in_tail() {
                    files.release(entry.place().piece);
                }
                **removed -= usize::from(entry.is_removed());
            });
        }
        group.empty(self.now);
        true
    }
}
