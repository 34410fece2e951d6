use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::{Bound, ControlFlow};

use holdwater::codec::EncodeError;
use holdwater::key::KeyGroup;
use holdwater::state::{Frozen, Kind, OutputFailed, Raw, RowWriter, SaveError, Shape};

use crate::layout::{self, Layout, Row};
use crate::{ByteRows, BytesError};

/// A state in a byte store as it was at one moment.
#[derive(Clone, Debug)]
pub struct FrozenRows<R> {
    rows: R,
    layout: Layout,
    /// The rows that changed since the base; none if everything is asked for.
    changed: Option<BTreeSet<Vec<u8>>>,
}

type Saved<E> = Result<(), SaveError<BytesError<E>>>;

impl<R: ByteRows> FrozenRows<R> {
    pub(crate) const fn new(rows: R, layout: Layout, changed: Option<BTreeSet<Vec<u8>>>) -> Self {
        Self { rows, layout, changed }
    }

    /// Returns the rows of `group` that changed since the base.
    fn changed(&self, group: KeyGroup) -> impl Iterator<Item = &[u8]> {
        let start = layout::group(group);
        let rows = self.changed.iter().flat_map(move |rows| {
            rows.range::<[u8], _>((Bound::Included(&start[..]), Bound::Unbounded))
        });
        rows.map(Vec::as_slice).take_while(move |row| row.starts_with(&start))
    }

    /// Writes the rows that begin with `prefix`, of one key or of all.
    fn write(&self, prefix: &[u8], key: Option<&[u8]>, out: &mut RowWriter<'_>) -> Saved<R::Error> {
        let mut gather = Gather::new(self.layout.description.kind.rows(), out);
        let mut failed = Ok(());
        let scanned = self.rows.scan(prefix, |row, value| {
            failed = self.layout.split(row).map_err(state).and_then(|row| {
                if key.is_none_or(|key| key == row.key) {
                    let field = self.layout.portable(row.field).map_err(state)?;
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

    /// Writes what changed in `group`: each row as it is, or that it is gone.
    fn write_changes(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Saved<R::Error> {
        let kind = self.layout.description.kind.rows();
        let mut gather = Gather::new(kind, out);
        // A list changes from some rank on: what stands before that is kept.
        let mut list = None;
        for bytes in self.changed(group) {
            let row = self.layout.split(bytes).map_err(state)?;
            let (key, field) = (row.key, self.layout.portable(row.field).map_err(state)?);
            let row = Row { field: &field, ..row };
            if kind == Kind::List && list != Some(key) {
                list = Some(key);
                gather.keep(row)?;
            }
            match self.rows.get(bytes, <[u8]>::to_vec).map_err(store)? {
                Some(value) => gather.put(row, &value)?,
                None => gather.gone(row)?,
            }
        }
        Ok(gather.flush()?)
    }
}

impl<R: ByteRows + Send + Sync + 'static> Frozen for FrozenRows<R> {
    type Error = BytesError<R::Error>;

    fn shape(&self, group: KeyGroup) -> Shape {
        match self.rows.last(&layout::group(group), |_, _| ()) {
            Ok(None) => Shape::Empty,
            Ok(Some(())) if self.changed.is_none() => Shape::Full,
            Ok(Some(())) if self.changed(group).next().is_none() => Shape::Unchanged,
            Ok(Some(())) => Shape::Delta,
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
        let mut prefix = layout::group(group).to_vec();
        // Timers lie by time: all of the group are looked at.
        if self.layout.description.kind.rows() != Kind::Timers {
            prefix.extend_from_slice(key);
        }
        self.write(&prefix, Some(key), out)
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Saved<R::Error> {
        self.write(&layout::group(group), None, out)
    }
}

/// Gathers items and fields of one key, so that the key is not repeated for each.
struct Gather<'g, 'o> {
    out: &'g mut RowWriter<'o>,
    kind: Kind,
    key: Vec<u8>,
    rank: u64,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'g, 'o> Gather<'g, 'o> {
    const fn new(kind: Kind, out: &'g mut RowWriter<'o>) -> Self {
        Self { out, kind, key: Vec::new(), rank: 0, rows: Vec::new() }
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
            self.rank = row.rank;
        }
        self.rows.push((row.field.into(), value.into()));
        Ok(())
    }

    fn gone(&mut self, row: Row<'_>) -> Result<(), EncodeError<OutputFailed>> {
        self.flush()?;
        let key = Raw(row.key);
        match self.kind {
            // Said by what is kept of the list.
            Kind::List => Ok(()),
            Kind::Map => self.out.removed_fields(&key, core::iter::once(&Raw(row.field))),
            Kind::Timers => self.out.removed_fields(&key, core::iter::once(&row.time)),
            _ => self.out.removed(&key),
        }
    }

    /// Writes that of the list of this row the items before it stay, and no other.
    fn keep(&mut self, row: Row<'_>) -> Result<(), EncodeError<OutputFailed>> {
        self.flush()?;
        match row.rank {
            0 => self.out.removed(&Raw(row.key)),
            kept => self.out.kept(&Raw(row.key), kept),
        }
    }

    fn flush(&mut self) -> Result<(), EncodeError<OutputFailed>> {
        let key = Raw(&self.key);
        let rows: Vec<_> =
            self.rows.iter().map(|(field, value)| (Raw(field), Raw(value))).collect();
        if self.kind == Kind::List {
            self.out.items(&key, self.rank, rows.iter().map(|(_, item)| item))?;
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
