//! Rows of all groups: what every kind of state is made of.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hint::black_box;
use core::ops::ControlFlow;

use holdwater::codec::Encoding;
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::state::{Cut, Description};

use crate::budget::{Meter, Share};
use crate::error::HeapError;
use crate::expire::{Search, search};
use crate::frozen::{FrozenGroup, FrozenTable, Keys};
use crate::group::{Group, Settled};
use crate::row::{Payload, Row, Touch};
use crate::spare::Spares;
use crate::version::Versions;

/// One row per key, in groups of segments that are copied on write while a snapshot holds them.
#[derive(Debug)]
pub(crate) struct Table<K, P> {
    groups: KeyGroups,
    encoding: Encoding,
    keys: Keys,
    parts: Vec<Group<K, P>>,
    versions: Versions,
    share: Share,
    settling: Settling,
    spares: Spares<K, P>,
    /// Of a state whose values expire.
    search: Option<Box<dyn Search<Self>>>,
}

/// How far taking back has got: it goes from group to group.
#[derive(Debug, Default)]
struct Settling {
    /// Whether something may be left to take back.
    open: bool,
    /// The group that is next.
    group: usize,
    /// How many groups in a row had nothing left.
    clean: usize,
    /// How many writes there were.
    writes: u32,
}

impl<K: Key, P: Payload<K>> Table<K, P> {
    pub(crate) fn new(groups: KeyGroups, description: &Description, share: Share) -> Self {
        let mut table = Self {
            groups,
            encoding: description.encoding,
            keys: Keys::of(description),
            parts: Vec::new(),
            versions: Versions::default(),
            share,
            settling: Settling::default(),
            spares: Spares::new(),
            search: description.stamped.map(search),
        };
        table.clear();
        table
    }

    #[inline]
    pub(crate) fn get(&self, at: At<'_, K>) -> Option<&P> {
        self.find(at).map(|row| &row.payload)
    }

    #[inline]
    pub(crate) fn find(&self, at: At<'_, K>) -> Option<&Row<K, P>> {
        self.parts[self.position(at.group())].find(at, self.encoding)
    }

    /// Brings what lies at some places near the processor, so that a look at each finds it there.
    ///
    /// Each step is taken for all places before the next one: no load waits for that of another
    /// place, and so the memory serves many at a time. A table that is near as it is is left alone.
    #[inline]
    pub(crate) fn approach(&self, places: &[At<'_, K>]) {
        if self.bytes() < NEAR_BYTES {
            return;
        }
        let mut rows = [const { None }; PLACES_MAX];
        for (at, row) in places.iter().zip(&mut rows) {
            *row = self.parts[self.position(at.group())].likely(*at);
        }
        let rows = &rows[..places.len().min(PLACES_MAX)];
        let rows = || rows.iter().flatten().filter_map(|(segment, row)| segment.get_bucket(*row));
        black_box(rows().fold(0, |sum, row| row.changed.wrapping_add(sum)));
        if P::BEHIND {
            let bytes = |row: &Row<K, P>| row.payload.bytes(self.encoding);
            black_box(rows().fold(0, |sum, row| bytes(row).wrapping_add(sum)));
        }
    }

    /// Gives `input` to `edit` where there is a row, else to `insert`, which makes one.
    #[inline]
    pub(crate) fn write<A, R>(
        &mut self,
        at: At<'_, K>,
        input: A,
        insert: impl FnOnce(A, &mut Touch) -> (P, R),
        edit: impl FnOnce(A, &mut P, &mut Touch) -> R,
    ) -> Result<R, HeapError> {
        if P::GROWS {
            self.admit()?;
        }
        self.write_admitted(at, input, insert, edit)
    }

    /// Writes, unless an edit cannot make rows larger, but a copy or a new row is needed and no
    /// memory is left.
    #[inline]
    pub(crate) fn write_admitted<A, R>(
        &mut self,
        at: At<'_, K>,
        input: A,
        insert: impl FnOnce(A, &mut Touch) -> (P, R),
        edit: impl FnOnce(A, &mut P, &mut Touch) -> R,
    ) -> Result<R, HeapError> {
        self.tick();
        let (position, slot) = (self.position(at.group()), at.slot());
        let group = &mut self.parts[position];
        let number = group.number(slot);
        if !group.owns(number) {
            if !P::GROWS {
                admit(&mut self.share, &mut self.spares)?;
            }
            let mut meter = Meter::default();
            group.own(number, &mut self.spares, &mut meter.table);
            self.share.apply(meter);
        }
        let mut touch = touch(&self.versions, self.encoding);
        if let Some(row) = group.find_mut(at, number, self.encoding) {
            touch.before = row.changed;
            row.changed = touch.now;
            let result = edit(input, &mut row.payload, &mut touch);
            group.changed = touch.now;
            self.share.apply(touch.meter);
            return Ok(result);
        }
        if !P::GROWS {
            admit(&mut self.share, &mut self.spares)?;
        }
        let (payload, result) = insert(input, &mut touch);
        let Touch { now, mut meter, .. } = touch;
        let row = Row { key: K::own(at.view()), payload, born: now, changed: now };
        meter.owned += crate::row::owned_bytes(&row.key, self.encoding).cast_signed();
        group.insert(slot, row, self.encoding, &mut meter.table);
        group.changed = now;
        self.share.apply(meter);
        Ok(result)
    }

    /// Returns whether a write may begin.
    #[inline]
    pub(crate) fn admit(&mut self) -> Result<(), HeapError> {
        admit(&mut self.share, &mut self.spares)
    }

    /// Edits the payload of a row if there is one, also when no memory is left.
    pub(crate) fn modify<R>(
        &mut self,
        at: At<'_, K>,
        edit: impl FnOnce(&mut P, &mut Touch) -> R,
    ) -> Option<R> {
        self.get(at)?;
        let number = self.own(at);
        let group = &mut self.parts[self.groups.position(at.group())];
        let mut touch = touch(&self.versions, self.encoding);
        let row = group.find_mut(at, number, self.encoding)?;
        touch.before = row.changed;
        row.changed = touch.now;
        let result = edit(&mut row.payload, &mut touch);
        group.changed = touch.now;
        self.share.apply(touch.meter);
        Some(result)
    }

    /// Removes a row, also when no memory is left.
    pub(crate) fn remove(&mut self, at: At<'_, K>) -> Option<P> {
        self.get(at)?;
        let number = self.own(at);
        let group = &mut self.parts[self.groups.position(at.group())];
        let mut meter = Meter::default();
        let row = group.remove(at, number, self.encoding, &mut meter.table)?;
        let key_bytes = crate::row::owned_bytes(&row.key, self.encoding);
        meter.owned -= (row.payload.bytes(self.encoding) + key_bytes).cast_signed();
        // Of a row that no base has, nothing needs to be said.
        if self.versions.newest_base().is_some_and(|newest| row.born <= newest) {
            let grown = group.removed.push(self.versions.now(), row.key);
            meter.table += grown.cast_signed();
        }
        group.changed = self.versions.now();
        self.share.apply(meter);
        Some(row.payload)
    }

    /// Visits every row of `group`; of none if it is another task's.
    pub(crate) fn each<B>(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&Row<K, P>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if !self.groups.contains(group) {
            return ControlFlow::Continue(());
        }
        self.parts[self.groups.position(group)].each(visit)
    }

    /// Returns the group at that position among those owned.
    pub(crate) fn part(&self, position: usize) -> Option<&Group<K, P>> {
        self.parts.get(position)
    }

    /// Returns whether the segment of `at` can be written where it lies.
    pub(crate) fn owns(&self, at: At<'_, K>) -> bool {
        let group = &self.parts[self.position(at.group())];
        group.owns(group.number(at.slot()))
    }

    /// Returns where `key` lives, if that is in `group`.
    pub(crate) fn locate<'k>(&self, group: KeyGroup, key: &'k K) -> Option<At<'k, K>> {
        let at = self.groups.locate::<K>(key.view());
        (at.group() == group && self.groups.contains(group)).then_some(at)
    }

    pub(crate) const fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Counts bytes that the state takes beside its rows.
    pub(crate) fn charge(&mut self, bytes: isize) {
        self.share.apply(Meter { table: bytes, ..Meter::default() });
    }

    pub(crate) const fn groups(&self) -> KeyGroups {
        self.groups
    }

    pub(crate) fn freeze(&mut self, cut: &Cut) -> FrozenTable<K, P> {
        let base = cut.base.and_then(|id| self.versions.base(id));
        let (mut meter, oldest) = (Meter::default(), self.versions.oldest_base());
        for group in &mut self.parts {
            group.settle(SEGMENTS_PER_FREEZE, oldest, &mut self.spares, &mut meter.table);
        }
        self.share.apply(meter);
        let parts = self.parts.iter_mut().map(FrozenGroup::new).collect();
        let judge = self.search.as_mut().map(|search| search.freeze(cut));
        let frozen = FrozenTable::new(self.groups, self.keys.clone(), base, judge, parts);
        self.versions.freeze(cut.checkpoint);
        self.spares.freeze();
        self.reopen();
        frozen
    }

    pub(crate) fn completed(&mut self, checkpoint: u64) {
        self.versions.completed(checkpoint);
        self.reopen();
    }

    pub(crate) fn aborted(&mut self, checkpoint: u64) {
        self.versions.aborted(checkpoint);
        self.reopen();
    }

    pub(crate) fn loaded(&mut self, checkpoint: u64) {
        self.versions.loaded(checkpoint);
        self.reopen();
        if let Some(search) = &mut self.search {
            search.reset();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.share.release();
        self.spares = Spares::new();
        self.parts = self.groups.iter().map(|_| Group::new()).collect();
        let table = (self.parts.len() * size_of::<Group<K, P>>()).cast_signed();
        self.share.apply(Meter { table, ..Meter::default() });
        self.versions.forget();
        if let Some(search) = &mut self.search {
            search.reset();
        }
    }

    /// Takes back what snapshots have let go, then drops what has expired by `now`, in at most
    /// `steps` steps; returns how many it took.
    pub(crate) fn sweep(&mut self, now: i64, steps: usize) -> usize {
        let done = self.settle(steps);
        let Some(mut search) = self.search.take() else { return done };
        let found = search.run(self, now, steps - done);
        self.search = Some(search);
        done + found
    }

    /// Takes back what snapshots have let go, in at most `steps` steps; returns how many it took.
    fn settle(&mut self, steps: usize) -> usize {
        let (mut done, mut visited) = (0, 0);
        while self.settling.open && done < steps && visited < self.parts.len() {
            match self.settle_next() {
                Settled::Some => (done, visited) = (done + 1, 0),
                Settled::All | Settled::Held => visited += 1,
            }
        }
        done
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.share.bytes() as u64
    }

    pub(crate) fn rows(&self) -> u64 {
        self.parts.iter().map(|group| group.rows as u64).sum()
    }

    /// Returns the position of a group among those owned; panics if it is another task's.
    #[inline]
    fn position(&self, group: KeyGroup) -> usize {
        // One comparison, which is the one for the index too.
        let position = usize::from(group.index().wrapping_sub(self.groups.first()));
        if position < self.parts.len() { position } else { self.groups.position(group) }
    }

    /// Copies the segment of `at` if need be; returns its number.
    fn own(&mut self, at: At<'_, K>) -> usize {
        self.tick();
        let group = &mut self.parts[self.groups.position(at.group())];
        let number = group.number(at.slot());
        if !group.owns(number) {
            let mut meter = Meter::default();
            group.own(number, &mut self.spares, &mut meter.table);
            self.share.apply(meter);
        }
        number
    }

    /// Takes back a little at every few writes, so that nobody has to ask for it.
    #[inline]
    fn tick(&mut self) {
        if self.settling.open {
            self.settling.writes = self.settling.writes.wrapping_add(1);
            if self.settling.writes.is_multiple_of(WRITES_PER_STEP) {
                self.settle_next();
            }
        }
    }

    /// Takes one step in the group that is next, and passes on to another when it is done there.
    #[cold]
    fn settle_next(&mut self) -> Settled {
        let (mut meter, base) = (Meter::default(), self.versions.oldest_base());
        if self.spares.trim(SEGMENTS_PER_STEP, &mut meter.table) {
            self.share.apply(meter);
            return Settled::Some;
        }
        let group = &mut self.parts[self.settling.group];
        let settled = group.settle(SEGMENTS_PER_STEP, base, &mut self.spares, &mut meter.table);
        self.share.apply(meter);
        self.settling.clean = if settled == Settled::All { self.settling.clean + 1 } else { 0 };
        if settled != Settled::Some {
            self.settling.group = (self.settling.group + 1) % self.parts.len();
        }
        if self.settling.clean >= self.parts.len() {
            self.settling.open = false;
            self.share.release_held();
        }
        settled
    }

    const fn reopen(&mut self) {
        self.settling.open = true;
        self.settling.clean = 0;
    }
}

/// Returns whether a write may begin, once spare segments have gone if that is what it needs.
#[inline]
fn admit<K: Key, P: Payload<K>>(
    share: &mut Share,
    spares: &mut Spares<K, P>,
) -> Result<(), HeapError> {
    while let Err(full) = share.admit() {
        let mut meter = Meter::default();
        if !spares.free(SEGMENTS_PER_STEP, &mut meter.table) {
            return Err(full);
        }
        share.apply(meter);
    }
    Ok(())
}

#[inline]
fn touch(versions: &Versions, encoding: Encoding) -> Touch {
    Touch {
        before: versions.now(),
        now: versions.now(),
        base: versions.oldest_base(),
        encoding,
        meter: Meter::default(),
    }
}

/// Of so many places the rows are brought near at once: enough for the memory to be busy all the
/// time, few enough to find all of them still there.
pub(crate) const PLACES_MAX: usize = 32;
/// A table of fewer bytes lies in the second cache of most processors.
const NEAR_BYTES: u64 = 256 << 10;
/// A segment moves back in some 20 ns, or is freed in some 100.
const SEGMENTS_PER_STEP: usize = 8;
const SEGMENTS_PER_FREEZE: usize = 2;
/// Some 40 ns per write while there is something to take back.
const WRITES_PER_STEP: u32 = 16;
