use core::ops::Range;

use holdwater::codec::{EncodeError, Encoding, Reader};
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::state::{
    Change, Cut, Description, Fate, Form, Judge, LoadError, Moment, OutputFailed, Passes,
    RowWriter, SaveError, Shape, Stamped, State,
};

use crate::changes::Changes;
use crate::frozen::is_encoding;
use crate::table::{Row, Table};
use crate::{FixedError, FrozenRows};

/// One state in place: up to `N` rows of keys in up to `G` groups.
#[derive(Clone, Debug)]
pub struct Rows<K, T, const N: usize, const G: usize> {
    description: Description,
    groups: KeyGroups,
    pub(crate) table: Table<K, T, N>,
    changes: Changes<G>,
    passes: Passes,
    /// The number of the row at which the pass under way goes on.
    next: usize,
}

/// What a row holds beside its key: the kind of the state.
pub trait Content: Clone + Send + Sync + Sized + 'static {
    /// The value, item or value of a field; nothing for a timer.
    type Value: 'static;

    /// Returns it.
    fn value(&self) -> &Self::Value;

    /// Returns whether it lives: without a judge everything does.
    fn is_live(&self, judge: Option<&Judge>) -> bool {
        judge.is_none_or(|judge| judge.is_live(self.value()))
    }

    /// Returns the places of the rows of `group`, those of one key at a time.
    fn of_group<K: Key, const N: usize>(
        table: &Table<K, Self, N>,
        group: KeyGroup,
    ) -> impl Iterator<Item = Range<usize>> {
        table.runs(table.with(u64::from(group.index())))
    }

    /// Writes the live rows of one key.
    fn save<K: Key, const N: usize>(
        table: &Table<K, Self, N>,
        places: Range<usize>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>>;

    /// Applies a row of a part.
    fn load<K: Key, const N: usize, const G: usize>(
        rows: &mut Rows<K, Self, N, G>,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<FixedError>>;
}

impl<K: Key, T, const N: usize, const G: usize> Rows<K, T, N, G> {
    pub(crate) fn new(description: Description, groups: KeyGroups) -> Result<Self, FixedError> {
        let changes = Changes::new(groups)?;
        let (table, passes) = (Table::new(), Passes::new());
        Ok(Self { description, groups, table, changes, passes, next: 0 })
    }

    /// Returns the places of the rows of a key, and of its first where it has none.
    pub(crate) fn find(&self, at: At<'_, K>) -> Range<usize> {
        self.groups.position(at.group());
        self.table.of((u64::from(at.group().index()), at.slot()), at.view())
    }

    /// Takes note that `group` changes.
    pub(crate) fn touch(&mut self, group: KeyGroup) {
        self.changes.touch(self.groups.position(group));
    }

    /// Refuses to go on unless there is room for `count` more rows.
    pub(crate) const fn need(&self, count: usize) -> Result<(), FixedError> {
        if self.table.room() < count { Err(FixedError::Full { rows: N }) } else { Ok(()) }
    }

    /// Puts a row of the key in front of the row at `place`.
    pub(crate) fn insert(&mut self, place: usize, at: At<'_, K>, content: T) {
        let rank = (u64::from(at.group().index()), at.slot());
        self.table.insert(place, Row { rank, key: K::own(at.view()), content });
        self.touch(at.group());
    }

    /// Drops the rows at `places`, all of them of `group`.
    pub(crate) fn remove_rows(&mut self, group: KeyGroup, places: Range<usize>) {
        if !places.is_empty() {
            self.table.remove(places);
            self.touch(group);
        }
    }

    /// Asks of each row of a key what becomes of it, and gives the changed ones to `change`.
    pub(crate) fn review<V>(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&T) -> Fate<V>,
        mut change: impl FnMut(&mut T, V),
    ) {
        let Range { start: mut place, mut end } = self.find(at);
        while place < end {
            match fate(&self.table.row(place).content) {
                Fate::Changed(value) => {
                    change(&mut self.table.row_mut(place).content, value);
                    self.touch(at.group());
                    place += 1;
                }
                Fate::Dropped => {
                    self.remove_rows(at.group(), place..place + 1);
                    end -= 1;
                }
                Fate::Kept => place += 1,
            }
        }
    }

    /// Looks at the next rows for expired ones, and drops those.
    fn expire(&mut self, stamped: &Stamped, judge: &Judge)
    where
        T: Content,
    {
        let end = N.min(self.next + ROWS_PER_STEP);
        // By number: rows stay where they are, whatever else comes and goes between two steps.
        for number in core::mem::replace(&mut self.next, end)..end {
            let Some(row) = self.table.numbered(number) else { continue };
            let value = row.content.value();
            if judge.is_live(value) {
                self.passes.meet(stamped.expiry.deadline(stamped.stamp(value)));
            } else {
                let group = KeyGroup::new(row.rank.0 as u16);
                let place = self.table.place(number).expect("a row has a place in the order");
                self.remove_rows(group, place..place + 1);
            }
        }
        if end == N {
            self.next = 0;
            self.passes.end(stamped.expiry);
        }
    }

    /// Takes the key of a row, which belongs to `group`.
    pub(crate) fn load_key(
        &self,
        group: KeyGroup,
        reader: &mut Reader<'_>,
        form: &Form<'_>,
    ) -> Result<K, LoadError<FixedError>> {
        let start = *reader;
        let key: K = form.key(reader)?;
        let owned = self.groups.contains(group);
        if !owned || self.groups.locate::<K>(key.view()).group() != group {
            return Err(start.fault(Fault::Identity).into());
        }
        Ok(key)
    }

    /// Returns where `key` lives.
    pub(crate) fn locate<'k>(&self, key: &'k K) -> At<'k, K> {
        self.groups.locate(key.view())
    }

    /// Returns how rows are encoded.
    pub(crate) const fn encoding(&self) -> Encoding {
        self.description.encoding
    }
}

impl<K: Key, T: Content, const N: usize, const G: usize> State for Rows<K, T, N, G> {
    type Error = FixedError;
    type Frozen = FrozenRows<K, T, N, G>;

    fn description(&self) -> &Description {
        &self.description
    }

    fn groups(&self) -> KeyGroups {
        self.groups
    }

    fn freeze(&mut self, cut: &Cut) -> Result<Self::Frozen, FixedError> {
        let base = self.changes.freeze(cut);
        let now = |stamped: Stamped| cut.moment().by(stamped.expiry.domain);
        let judge = self.description.stamped.map(|stamped| stamped.at(now(stamped)));
        let mut shapes = heapless::Vec::new();
        for (position, group) in self.groups.iter().enumerate() {
            let mut places = T::of_group(&self.table, group).flatten();
            let live = |place| self.table.row(place).content.is_live(judge.as_ref());
            let shape = if !places.any(live) {
                Shape::Empty
            } else if base.is_some_and(|base| !self.changes.since(base, position)) {
                Shape::Unchanged
            } else {
                Shape::Full
            };
            shapes.push(shape).expect("a state has at most as many groups as its store");
        }
        Ok(FrozenRows::new(self.table.clone(), self.groups, self.encoding(), shapes, judge))
    }

    fn completed(&mut self, checkpoint: u64) {
        self.changes.completed(checkpoint);
    }

    fn aborted(&mut self, checkpoint: u64) {
        self.changes.aborted(checkpoint);
    }

    fn load(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<FixedError>> {
        T::load(self, group, change, form)
    }

    fn loaded(&mut self, checkpoint: u64) {
        (self.passes, self.next) = (Passes::new(), 0);
        self.changes.loaded(checkpoint);
    }

    fn clear(&mut self) -> Result<(), FixedError> {
        self.table.remove(0..self.table.len());
        Ok(())
    }

    fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, FixedError> {
        let Some(stamped) = self.description.stamped else { return Ok(0) };
        let mut done = 0;
        while done < steps && self.passes.is_under_way(now) {
            self.expire(&stamped, &stamped.at(now));
            done += 1;
        }
        Ok(done)
    }

    fn show(
        &self,
        group: KeyGroup,
        key: Option<&[u8]>,
        moment: Moment,
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<FixedError>> {
        if !self.groups.contains(group) {
            return Ok(());
        }
        let judge =
            self.description.stamped.map(|stamped| stamped.at(moment.by(stamped.expiry.domain)));
        for places in T::of_group(&self.table, group) {
            let own = &self.table.row(places.start).key;
            if key.is_none_or(|key| is_encoding(own, self.encoding(), key)) {
                T::save(&self.table, places, judge.as_ref(), out)?;
            }
        }
        Ok(())
    }

    /// Returns the size of the state; a copy that was frozen belongs to its holder.
    fn bytes(&self) -> u64 {
        size_of::<Self>() as u64
    }

    fn rows(&self) -> u64 {
        self.groups.iter().map(|group| T::of_group(&self.table, group).count() as u64).sum()
    }
}

/// How many rows a step of a sweep looks at.
const ROWS_PER_STEP: usize = 256;
