use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::{Bound, ControlFlow};

use holdwater::codec::EncodeError;
use holdwater::error::Malformed;
use holdwater::key::KeyGroup;
use holdwater::state::{
    Cutoff, Frozen, Kind, NativeFrozen, OutputFailed, Raw, RowWriter, SaveError, Shape,
};

use crate::layout::{self, Layout, Row};
use crate::store::behind;
use crate::{ByteRows, BytesError};

/// A state in a byte store as it was at one moment.
#[derive(Clone, Debug)]
pub struct FrozenRows<R> {
    rows: R,
    layout: Layout,
    /// The rows that changed since the base; none if everything is asked for.
    changed: Option<BTreeSet<Vec<u8>>>,
    /// What had expired at that moment, if rows expire.
    cutoff: Option<Cutoff>,
    /// How many keys each owned group had.
    keys: Box<[u64]>,
}

type Saved<E> = Result<(), SaveError<BytesError<E>>>;

impl<R: ByteRows> FrozenRows<R> {
    pub(crate) const fn new(
        rows: R,
        layout: Layout,
        changed: Option<BTreeSet<Vec<u8>>>,
        cutoff: Option<Cutoff>,
        keys: Box<[u64]>,
    ) -> Self {
        Self { rows, layout, changed, cutoff, keys }
    }

    /// Returns whether a value lives.
    fn is_live(&self, value: &[u8]) -> Result<bool, Malformed> {
        is_live(&self.layout, self.cutoff, value)
    }

    /// Returns whether `group` has a row that lives.
    fn has_live(&self, group: KeyGroup) -> Result<bool, SaveError<BytesError<R::Error>>> {
        let prefix = layout::group(group);
        if self.cutoff.is_none() {
            return self.rows.any(&prefix).map_err(store);
        }
        let mut found = Ok(false);
        let scanned = self.rows.scan(&prefix, |_, value| {
            found = self.is_live(value);
            if found == Ok(false) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(store)?;
        found.map_err(state)
    }

    /// Returns the rows of `group` that changed since the base.
    fn changed(&self, group: KeyGroup) -> impl Iterator<Item = &[u8]> {
        let start = layout::group(group);
        let rows = self.changed.iter().flat_map(move |rows| {
            rows.range::<[u8], _>((Bound::Included(&start[..]), Bound::Unbounded))
        });
        rows.map(Vec::as_slice).take_while(move |row| row.starts_with(&start))
    }

    /// Writes what changed in `group`: each row as it is, or that it is gone.
    fn write_changes(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Saved<R::Error> {
        let kind = self.layout.description.kind.rows();
        let mut gather = Gather::new(kind, out);
        let mut list = None;
        for bytes in self.changed(group) {
            let row = self.layout.split(bytes).map_err(state)?;
            if kind == Kind::List {
                if list.replace(row.key) != Some(row.key) {
                    self.write_list(bytes, row, &mut gather)?;
                }
                continue;
            }
            let field = self.layout.portable(row.field).map_err(state)?;
            let row = Row { field: &field, ..row };
            match self.rows.get(bytes, <[u8]>::to_vec).map_err(store)? {
                Some(value) if self.is_live(&value).map_err(state)? => gather.put(row, &value)?,
                _ => gather.gone(row)?,
            }
        }
        Ok(gather.flush()?)
    }

    /// Writes the list of which `first` is the first row that changed: it changes from its rank on,
    /// and what stands before that is kept.
    ///
    /// Unless some of that is gone or has expired: then it may be missing from the base, where
    /// nothing could be kept by its number. Everything is written instead.
    fn write_list(
        &self,
        first: &[u8],
        row: Row<'_>,
        gather: &mut Gather<'_, '_>,
    ) -> Saved<R::Error> {
        let list = &first[..first.len() - layout::RANK_LEN];
        let is_whole = self.cutoff.is_none() || self.is_whole(list, row.rank)?;
        let (from, kept) = if is_whole { (first, row.rank) } else { (list, 0) };
        gather.keep(row.key, kept)?;
        let mut failed = Ok(());
        let end = behind(list);
        let end = end.as_ref().map(Vec::as_slice);
        let scanned = self.rows.range(Bound::Included(from), end, |_, value| {
            failed = self
                .is_live(value)
                .map_err(state)
                .and_then(|live| if live { Ok(gather.put(row, value)?) } else { Ok(()) });
            if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(store)?;
        failed
    }

    /// Returns whether all items of a list before that of `rank` are there and live.
    fn is_whole(&self, list: &[u8], rank: u64) -> Result<bool, SaveError<BytesError<R::Error>>> {
        let mut live = Ok(0);
        let scanned = self.rows.scan(list, |bytes, value| {
            let next = self.layout.split(bytes).and_then(|row| {
                Ok(if row.rank < rank && self.is_live(value)? { row.rank + 1 } else { 0 })
            });
            match (next, &mut live) {
                (Ok(next), Ok(count)) if next == *count + 1 => {
                    *count = next;
                    ControlFlow::Continue(())
                }
                (Ok(_), _) => ControlFlow::Break(()),
                (Err(malformed), _) => {
                    live = Err(malformed);
                    ControlFlow::Break(())
                }
            }
        });
        scanned.map_err(store)?;
        Ok(live.map_err(state)? == rank)
    }
}

impl<R: ByteRows + Send + Sync + 'static> Frozen for FrozenRows<R> {
    type Error = BytesError<R::Error>;

    fn shape(&self, group: KeyGroup) -> Shape {
        match self.has_live(group) {
            Ok(false) => Shape::Empty,
            Ok(true) if self.changed.is_none() => Shape::Full,
            Ok(true) if self.changed(group).next().is_none() => Shape::Unchanged,
            Ok(true) => Shape::Delta,
            // Saving will fail as well, and can say why.
            Err(_) => Shape::Full,
        }
    }

    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Saved<R::Error> {
        match self.shape(group) {
            Shape::Empty | Shape::Unchanged => Ok(()),
            Shape::Full => self.scan(group, out),
            Shape::Delta => self.write_changes(group, out),
        }
    }

    fn get(&self, group: KeyGroup, key: &[u8], out: &mut RowWriter<'_>) -> Saved<R::Error> {
        let prefix = self.layout.prefix_of(group, Some(key));
        write(&self.rows, &self.layout, self.cutoff, (&prefix, Some(key)), out)
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Saved<R::Error> {
        let prefix = layout::group(group);
        write(&self.rows, &self.layout, self.cutoff, (&prefix, None), out)
    }

    fn native(&self) -> Option<NativeFrozen<'_>> {
        Some(NativeFrozen { snapshot: self.rows.native()?, keys: &self.keys })
    }
}

/// Writes the rows that begin so, of one key or of all, without what is expired.
pub(crate) fn write<R: ByteRows>(
    rows: &R,
    layout: &Layout,
    cutoff: Option<Cutoff>,
    (prefix, key): (&[u8], Option<&[u8]>),
    out: &mut RowWriter<'_>,
) -> Saved<R::Error> {
    let mut gather = Gather::new(layout.description.kind.rows(), out);
    let mut failed = Ok(());
    let scanned = rows.scan(prefix, |row, value| {
        failed = layout.split(row).map_err(state).and_then(|row| {
            if key.is_none_or(|key| key == row.key)
                && is_live(layout, cutoff, value).map_err(state)?
            {
                let field = layout.portable(row.field).map_err(state)?;
                gather.put(Row { field: &field, ..row }, value)?;
            }
            Ok(())
        });
        if failed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    scanned.map_err(store)?;
    failed?;
    Ok(gather.flush()?)
}

/// Returns whether a value lives.
fn is_live(layout: &Layout, cutoff: Option<Cutoff>, value: &[u8]) -> Result<bool, Malformed> {
    match cutoff {
        None => Ok(true),
        Some(cutoff) => Ok(!cutoff.includes(layout.stamp(value)?)),
    }
}

/// Gathers items and fields of one key, so that the key is not repeated for each.
struct Gather<'g, 'o> {
    out: &'g mut RowWriter<'o>,
    kind: Kind,
    key: Vec<u8>,
    /// The list whose items were put last, and how many of them were written.
    list: Vec<u8>,
    rank: u64,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'g, 'o> Gather<'g, 'o> {
    const fn new(kind: Kind, out: &'g mut RowWriter<'o>) -> Self {
        Self { out, kind, key: Vec::new(), list: Vec::new(), rank: 0, rows: Vec::new() }
    }

    fn put(&mut self, row: Row<'_>, value: &[u8]) -> Result<(), EncodeError<OutputFailed>> {
        match self.kind {
            Kind::Timers => {
                let timer = core::iter::once((&row.time, &()));
                return self.out.entries(&Raw(row.key), timer);
            }
            Kind::List | Kind::Map => {}
            _ => return self.out.value(&Raw(row.key), &Raw(value)),
        }
        if self.rows.is_empty() || self.key != row.key || self.rows.len() == GATHERED_MAX {
            self.flush()?;
            self.key.extend_from_slice(row.key);
            if self.list != row.key {
                self.list.clear();
                self.list.extend_from_slice(row.key);
                self.rank = 0;
            }
        }
        self.rows.push((row.field.into(), value.into()));
        Ok(())
    }

    fn gone(&mut self, row: Row<'_>) -> Result<(), EncodeError<OutputFailed>> {
        self.flush()?;
        let key = Raw(row.key);
        match self.kind {
            Kind::Map => self.out.removed_fields(&key, core::iter::once(&Raw(row.field))),
            Kind::Timers => self.out.removed_fields(&key, core::iter::once(&row.time)),
            _ => self.out.removed(&key),
        }
    }

    /// Writes that of the list of `key` the first items stay, and no other.
    fn keep(&mut self, key: &[u8], kept: u64) -> Result<(), EncodeError<OutputFailed>> {
        self.flush()?;
        match kept {
            0 => self.out.removed(&Raw(key)),
            kept => self.out.kept(&Raw(key), kept),
        }
    }

    fn flush(&mut self) -> Result<(), EncodeError<OutputFailed>> {
        let key = Raw(&self.key);
        let rows: Vec<_> =
            self.rows.iter().map(|(field, value)| (Raw(field), Raw(value))).collect();
        if self.kind == Kind::List {
            self.out.items(&key, self.rank, rows.iter().map(|(_, item)| item))?;
            self.rank += rows.len() as u64;
        } else if !rows.is_empty() {
            self.out.entries(&key, rows.iter().map(|(field, value)| (field, value)))?;
        }
        drop(rows);
        self.key.clear();
        self.rows.clear();
        Ok(())
    }
}

fn state<E>(error: impl Into<BytesError<E>>) -> SaveError<BytesError<E>> {
    SaveError::State(error.into())
}

fn store<E>(error: E) -> SaveError<BytesError<E>> {
    SaveError::State(BytesError::Store(error))
}

/// How many items or fields are gathered at most.
const GATHERED_MAX: usize = 64;
