use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::{Bound, ControlFlow};

use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::state::{
    Change, Cut, Description, Expiry, Form, LoadError, Moment, Native, Passes, RowWriter,
    SaveError, State,
};

use crate::changes::Changes;
use crate::frozen;
use crate::keys::Keys;
use crate::layout::{self, Layout, Row};
use crate::store::behind;
use crate::{ByteTable, BytesError, FrozenRows};

/// One state in a table of byte rows.
#[derive(Debug)]
pub struct Rows<T, K, C> {
    pub(crate) table: T,
    pub(crate) layout: Layout,
    groups: KeyGroups,
    changes: Changes,
    pub(crate) keys: Keys,
    search: Search,
    types: PhantomData<fn() -> (K, C)>,
}

/// The search for what has expired.
#[derive(Debug, Default)]
struct Search {
    passes: Passes,
    /// From where on rows are still to be looked at in the pass under way.
    from: Vec<u8>,
    /// The latest time at which the state was frozen: what had expired once stays expired.
    frozen: Option<i64>,
}

/// What a row holds beside its key: the kind of the state.
pub trait Content: Sized + 'static {
    /// Applies a row of a part.
    fn load<T: ByteTable, K: Key>(
        rows: &mut Rows<T, K, Self>,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<BytesError<T::Error>>>;
}

impl<T: ByteTable, K: Key, C> Rows<T, K, C> {
    pub(crate) fn new(table: T, layout: Layout, groups: KeyGroups, changes_max: usize) -> Self {
        let (changes, search) = (Changes::new(changes_max), Search::default());
        let keys = Keys::new(groups);
        Self { table, layout, groups, changes, keys, search, types: PhantomData }
    }

    /// Returns what the rows of a key begin with.
    pub(crate) fn prefix(&self, at: At<'_, K>) -> Result<Vec<u8>, BytesError<T::Error>> {
        self.groups.position(at.group());
        Ok(self.layout.of(at)?)
    }

    /// Shows the row to `read`, if there is one.
    pub(crate) fn read<R>(
        &self,
        row: &[u8],
        read: impl FnOnce(&[u8]) -> Result<R, BytesError<T::Error>>,
    ) -> Result<Option<R>, BytesError<T::Error>> {
        self.table.get(row, read).map_err(BytesError::Store)?.transpose()
    }

    /// Returns whether there is a row that begins so.
    pub(crate) fn has(&self, prefix: &[u8]) -> Result<bool, BytesError<T::Error>> {
        self.table.any(prefix).map_err(BytesError::Store)
    }

    /// Returns the last row that begins so, taken apart by `read`.
    pub(crate) fn last<R>(
        &self,
        prefix: &[u8],
        read: impl FnOnce(Row<'_>) -> R,
    ) -> Result<Option<R>, BytesError<T::Error>> {
        let last = self.table.last(prefix, |row, _| self.layout.split(row).map(read));
        Ok(last.map_err(BytesError::Store)?.transpose()?)
    }

    /// Shows the rows that begin so to `visit`, in order.
    pub(crate) fn each(
        &self,
        prefix: &[u8],
        visit: impl FnMut(Row<'_>, &[u8]) -> Result<ControlFlow<()>, BytesError<T::Error>>,
    ) -> Result<(), BytesError<T::Error>> {
        self.each_by(|visit| self.table.scan(prefix, visit), visit)
    }

    /// Shows the rows that `scan` shows to `visit`, taken apart.
    pub(crate) fn each_by(
        &self,
        scan: impl FnOnce(&mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>) -> Result<(), T::Error>,
        mut visit: impl FnMut(Row<'_>, &[u8]) -> Result<ControlFlow<()>, BytesError<T::Error>>,
    ) -> Result<(), BytesError<T::Error>> {
        let mut failed = Ok(());
        let scanned = scan(&mut |row, value| {
            let row = self.layout.split(row).map_err(BytesError::Malformed);
            row.and_then(|row| visit(row, value)).unwrap_or_else(|error| {
                failed = Err(error);
                ControlFlow::Break(())
            })
        });
        scanned.map_err(BytesError::Store)?;
        failed
    }

    /// Returns the rows that begin so.
    pub(crate) fn all(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, BytesError<T::Error>> {
        let mut rows = Vec::new();
        let scanned = self.table.scan(prefix, |row, _| {
            rows.push(row.into());
            ControlFlow::Continue(())
        });
        scanned.map_err(BytesError::Store)?;
        Ok(rows)
    }

    /// Returns the first rows of all, up to so many.
    fn some(&self, rows_max: usize) -> Result<Vec<Vec<u8>>, BytesError<T::Error>> {
        let mut rows = Vec::new();
        let scanned = self.table.scan(&[], |row, _| {
            rows.push(row.to_vec());
            if rows.len() < rows_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(BytesError::Store)?;
        Ok(rows)
    }

    /// Returns the rows from `first` on that begin so.
    pub(crate) fn all_from(
        &self,
        first: &[u8],
        prefix: &[u8],
    ) -> Result<Vec<Vec<u8>>, BytesError<T::Error>> {
        let (mut rows, end) = (Vec::new(), behind(prefix));
        let end = end.as_ref().map(Vec::as_slice);
        let scanned = self.table.range(Bound::Included(first), end, |row, _| {
            rows.push(row.into());
            ControlFlow::Continue(())
        });
        scanned.map_err(BytesError::Store)?;
        Ok(rows)
    }

    /// Shows the keys of `group` to `visit`, each once: their rows follow one another.
    pub(crate) fn each_key(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        let mut last: Option<Vec<u8>> = None;
        self.each(&layout::group(group), |row, _| {
            if last.as_deref() == Some(row.key) {
                return Ok(ControlFlow::Continue(()));
            }
            last = Some(row.key.into());
            Ok(visit(&self.layout.key(row.key)?))
        })
    }

    pub(crate) fn put_row(&mut self, row: &[u8], value: &[u8]) -> Result<(), BytesError<T::Error>> {
        self.changes.touch(row);
        self.table.put(row, value).map_err(BytesError::Store)
    }

    pub(crate) fn delete_row(&mut self, row: &[u8]) -> Result<(), BytesError<T::Error>> {
        self.changes.touch(row);
        self.table.delete(row).map_err(BytesError::Store)
    }

    /// Drops all rows of a key.
    pub(crate) fn delete_rows(&mut self, prefix: &[u8]) -> Result<(), BytesError<T::Error>> {
        let rows = self.all(prefix)?;
        rows.iter().try_for_each(|row| self.delete_row(row))?;
        self.keys.remove(prefix, !rows.is_empty());
        Ok(())
    }

    /// Looks at the next rows for expired ones, and drops those.
    fn expire(&mut self, expiry: Expiry, now: i64) -> Result<(), BytesError<T::Error>> {
        let (cutoff, mut expired, mut failed) = (expiry.cutoff(now), Vec::new(), Ok(()));
        let (layout, passes) = (&self.layout, &mut self.search.passes);
        let (mut seen, mut last) = (0, None);
        let from = Bound::Included(&self.search.from[..]);
        let scanned = self.table.range(from, Bound::Unbounded, |row, value| {
            match layout.stamp(value) {
                Ok(stamp) if cutoff.includes(stamp) => expired.push(row.to_vec()),
                Ok(stamp) => passes.meet(expiry.deadline(stamp)),
                Err(malformed) => failed = Err(malformed),
            }
            (seen, last) = (seen + 1, (seen + 1 == ROWS_PER_STEP).then(|| row.to_vec()));
            if last.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(BytesError::Store)?;
        failed?;
        for row in expired {
            self.delete_row(&row)?;
            let key = layout::GROUP_LEN + self.layout.split(&row)?.key.len();
            let gone = !self.has(&row[..key])?;
            self.keys.remove(&row, gone);
        }
        match last {
            Some(last) => self.search.from = [&last[..], &[0]].concat(),
            None => {
                self.search.from.clear();
                self.search.passes.end(expiry);
            }
        }
        Ok(())
    }

    /// Takes the key of a row of a part, which belongs to `group`.
    pub(crate) fn load_key(
        &self,
        group: KeyGroup,
        reader: &mut Reader<'_>,
        form: &Form<'_>,
    ) -> Result<K, LoadError<BytesError<T::Error>>> {
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
}

impl<T: ByteTable, K: Key, C: Content> State for Rows<T, K, C> {
    type Error = BytesError<T::Error>;
    type Frozen = FrozenRows<T::Frozen>;

    fn description(&self) -> &Description {
        &self.layout.description
    }

    fn groups(&self) -> KeyGroups {
        self.groups
    }

    fn freeze(&mut self, cut: &Cut) -> Result<Self::Frozen, Self::Error> {
        let rows = self.table.freeze(cut).map_err(BytesError::Store)?;
        let cutoff = self.layout.description.expiry().map(|expiry| {
            let now = cut.moment().by(expiry.domain);
            let now = self.search.frozen.map_or(now, |frozen| frozen.max(now));
            self.search.frozen = Some(now);
            expiry.cutoff(now)
        });
        let (layout, keys) = (self.layout.clone(), self.keys.of_groups());
        Ok(FrozenRows::new(rows, layout, self.changes.freeze(cut), cutoff, keys))
    }

    fn completed(&mut self, checkpoint: u64) {
        self.changes.completed(checkpoint);
        self.table.completed(checkpoint);
    }

    fn aborted(&mut self, checkpoint: u64) {
        self.changes.aborted(checkpoint);
    }

    fn load(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<Self::Error>> {
        C::load(self, group, change, form)
    }

    fn attach(&mut self, native: &mut dyn Native) -> Result<bool, Self::Error> {
        let attached = self.table.attach(native).map_err(BytesError::Store)?;
        let both = self.groups.iter().filter(|group| native.groups().contains(&group.index()));
        for group in both.filter(|_| attached) {
            self.keys.set(group, native.keys(group.index()));
        }
        Ok(attached)
    }

    fn loaded(&mut self, checkpoint: u64) {
        self.changes.loaded(checkpoint);
        self.search = Search::default();
    }

    fn clear(&mut self) -> Result<(), Self::Error> {
        // A few at a time: there may be more than memory holds.
        loop {
            let rows = self.some(ROWS_PER_STEP)?;
            rows.iter().try_for_each(|row| self.delete_row(row))?;
            if rows.len() < ROWS_PER_STEP {
                self.keys.clear();
                return Ok(());
            }
        }
    }

    fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, Self::Error> {
        let mut done = self.table.tend(steps).map_err(BytesError::Store)?;
        let Some(expiry) = self.layout.description.expiry() else { return Ok(done) };
        self.table.expire(expiry.cutoff(now));
        while done < steps && self.search.passes.is_under_way(now) {
            self.expire(expiry, now)?;
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
    ) -> Result<(), SaveError<Self::Error>> {
        if !self.groups.contains(group) {
            return Ok(());
        }
        let expiry = self.layout.description.expiry();
        let cutoff = expiry.map(|expiry| expiry.cutoff(moment.by(expiry.domain)));
        let prefix = self.layout.prefix_of(group, key);
        frozen::write(&self.table, &self.layout, cutoff, (&prefix, key), out)
    }

    fn bytes(&self) -> u64 {
        self.table.bytes()
    }

    fn rows(&self) -> u64 {
        self.keys.sum()
    }
}

/// How many rows a step of a sweep looks at.
const ROWS_PER_STEP: usize = 256;
