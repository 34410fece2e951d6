//! A map of fields per key.

mod payload;

use alloc::vec::Vec;
use core::fmt;
use core::mem::needs_drop;
use core::ops::{ControlFlow, RangeBounds};

use holdwater::codec::Reader;
use holdwater::error::{Fault, Malformed};
use holdwater::key::{At, Bounds, Key, KeyGroup, KeyGroups, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{Change, Description, Fate, Form, LoadError, Loan, Map, Op, OrderedMap};

use self::payload::apply;
use crate::budget::Share;
use crate::cell::{Cell, Inline, Shared};
use crate::error::HeapError;
use crate::fields::{Fields, Value, View};
use crate::frozen::HeapFrozen;
use crate::held::{Held, located, state};
use crate::index::{Arrangement, ByDigest, ByOrder, Field, Index};
use crate::row::Touch;
use crate::sorted::{Direction, Sorted};
use crate::table::Table;

/// A map of fields per key, on the heap: ordered, or not.
pub struct HeapMap<K, F, V: Data, A: Arrangement<F> = ByDigest> {
    description: Description,
    rows: Rows<K, F, V, A>,
}

/// An ordered map of fields per key, on the heap.
pub type HeapOrderedMap<K, F, V> = HeapMap<K, F, V, ByOrder>;

enum Rows<K, F, V: Data, A: Arrangement<F>> {
    /// Of values that own no memory.
    Inline(MapTable<K, A::Index<Inline<V>>>),
    /// Of values that do.
    Shared(MapTable<K, A::Index<Shared<V>>>),
}

/// The maps of all keys.
pub(crate) struct MapTable<K, I: Index>(pub(crate) Table<K, Fields<I>>);

/// Does the same to either kind of rows.
macro_rules! either {
    ($rows:expr, $table:ident => $done:expr) => {
        match $rows {
            Rows::Inline($table) => $done,
            Rows::Shared($table) => $done,
        }
    };
}

impl<K: Key, F: Key, V: Data, A: Arrangement<F>> HeapMap<K, F, V, A> {
    pub(crate) fn new(groups: KeyGroups, description: Description, share: Share) -> Self {
        let rows = if needs_drop::<V>() {
            Rows::Shared(MapTable(Table::new(groups, &description, share)))
        } else {
            Rows::Inline(MapTable(Table::new(groups, &description, share)))
        };
        Self { description, rows }
    }

    fn held(&self) -> &dyn Held {
        either!(&self.rows, table => &table.0)
    }

    fn held_mut(&mut self) -> &mut dyn Held {
        either!(&mut self.rows, table => &mut table.0)
    }

    fn load_row(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<HeapError>> {
        either!(&mut self.rows, table => load(table, group, change, form))
    }
}

impl<K, F, V: Data, A: Arrangement<F>> fmt::Debug for HeapMap<K, F, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapMap").field("name", &self.description.name).finish_non_exhaustive()
    }
}

state!(HeapMap<K: Key, F: Key, V: Data, A: Arrangement<F>>);

impl<K: Key, F: Key, V: Data, A: Arrangement<F>> Map<K, F, V> for HeapMap<K, F, V, A> {
    #[inline]
    fn get(&self, at: At<'_, K>, field: F::View<'_>) -> Result<Option<Loan<'_, V>>, HeapError> {
        let found = either!(&self.rows, table => table.get(at, field));
        Ok(found.map(Loan::Borrowed))
    }

    #[inline]
    fn put(&mut self, at: At<'_, K>, field: F::View<'_>, value: V) -> Result<bool, HeapError> {
        either!(&mut self.rows, table => table.put(at, field, value))
    }

    #[inline]
    fn update<R>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, HeapError> {
        either!(&mut self.rows, table => table.update(at, field, init, edit))
    }

    fn remove(&mut self, at: At<'_, K>, field: F::View<'_>) -> Result<bool, HeapError> {
        Ok(either!(&mut self.rows, table => table.remove(at, field)))
    }

    fn entries(
        &self,
        at: At<'_, K>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), HeapError> {
        let _ = either!(&self.rows, table => table.0.get(at).map(|fields| fields.each(visit)));
        Ok(())
    }

    fn len(&self, at: At<'_, K>) -> Result<u64, HeapError> {
        Ok(either!(&self.rows, table => table.0.get(at).map_or(0, Fields::len)))
    }

    fn retain(
        &mut self,
        at: At<'_, K>,
        fate: impl FnMut(&F, &V) -> Fate<V>,
    ) -> Result<(), HeapError> {
        either!(&mut self.rows, table => table.retain(at, fate));
        Ok(())
    }

    fn remove_all(&mut self, at: At<'_, K>) -> Result<(), HeapError> {
        either!(&mut self.rows, table => drop(table.0.remove(at)));
        Ok(())
    }

    fn merge(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
        combine: impl FnMut(&mut V, V),
    ) -> Result<(), HeapError> {
        either!(&mut self.rows, table => table.merge(target, sources, combine))
    }

    fn keys(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), HeapError> {
        let _ = either!(&self.rows, table => table.0.each(group, |row| visit(&row.key)));
        Ok(())
    }
}

impl<K: Key, F: OrderedKey, V: Data> OrderedMap<K, F, V> for HeapOrderedMap<K, F, V> {
    fn range<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), HeapError> {
        let bounds = Bounds::of(range);
        either!(&self.rows, table => table.range(at, &bounds, Direction::Forward, visit));
        Ok(())
    }

    fn range_back<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), HeapError> {
        let bounds = Bounds::of(range);
        either!(&self.rows, table => table.range(at, &bounds, Direction::Back, visit));
        Ok(())
    }
}

impl<K: Key, I: Index> MapTable<K, I> {
    #[inline]
    pub(crate) fn get(&self, at: At<'_, K>, field: View<'_, I>) -> Option<&Value<I>> {
        self.0.get(at)?.get(field, self.0.encoding())
    }

    /// Stores a value; returns whether the field is new.
    pub(crate) fn put(
        &mut self,
        at: At<'_, K>,
        field: View<'_, I>,
        value: Value<I>,
    ) -> Result<bool, HeapError> {
        let insert = |value, touch: &mut Touch| (I::Cell::new(value, touch), ());
        let edit =
            |value, cell: &mut I::Cell, touch: &mut Touch| cell.edit(touch, |old| *old = value);
        let ((), new) = self.write(at, field, value, insert, edit)?;
        Ok(new)
    }

    fn update<R>(
        &mut self,
        at: At<'_, K>,
        field: View<'_, I>,
        init: impl FnOnce() -> Value<I>,
        edit: impl FnOnce(&mut Value<I>) -> R,
    ) -> Result<R, HeapError> {
        let insert = |edit: _, touch: &mut Touch| {
            let mut value = init();
            let result = run(edit, &mut value);
            (I::Cell::new(value, touch), result)
        };
        let edit_cell = |edit: _, cell: &mut I::Cell, touch: &mut Touch| cell.edit(touch, edit);
        let (result, _) = self.write(at, field, edit, insert, edit_cell)?;
        Ok(result)
    }

    /// Removes a field, and with the last one the row; returns whether it was there.
    pub(crate) fn remove(&mut self, at: At<'_, K>, field: View<'_, I>) -> bool {
        if self.get(at, field).is_none() {
            return false;
        }
        let left = self.0.modify(at, |fields, touch| {
            fields.remove(field, touch);
            fields.len()
        });
        if left == Some(0) {
            self.0.remove(at);
        }
        true
    }

    /// Moves fields from `sources` to `target`: all of them, once there is memory to begin.
    fn merge(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
        mut combine: impl FnMut(&mut Value<I>, Value<I>),
    ) -> Result<(), HeapError> {
        self.0.admit()?;
        let joined = K::own(target.view());
        for source in sources.iter().filter(|source| !joined.is(source.view())) {
            let Some(moved) = self.0.remove(*source) else { continue };
            self.0.write_admitted(
                target,
                (moved, &mut combine),
                |(moved, _), touch| {
                    touch.meter.owned += moved.bytes().cast_signed();
                    (moved, ())
                },
                |(moved, combine), fields, touch| fields.absorb(&moved, touch, combine),
            )?;
        }
        Ok(())
    }

    /// Drops and changes fields, and with the last one drops the row.
    fn retain(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&I::Field, &Value<I>) -> Fate<Value<I>>,
    ) {
        let mut changes = Vec::new();
        let Some(fields) = self.0.get(at) else { return };
        let _ = fields.each(|field, value| {
            match fate(field, value) {
                Fate::Changed(value) => changes.push((field.clone(), Some(value))),
                Fate::Dropped => changes.push((field.clone(), None)),
                Fate::Kept => {}
            }
            ControlFlow::Continue(())
        });
        apply(&mut self.0, at, changes);
    }

    /// Gives `input` to `edit` where the field is there, else to `insert`; tells whether it is new.
    fn write<A, R>(
        &mut self,
        at: At<'_, K>,
        field: View<'_, I>,
        input: A,
        insert: impl FnOnce(A, &mut Touch) -> (I::Cell, R),
        edit: impl FnOnce(A, &mut I::Cell, &mut Touch) -> R,
    ) -> Result<(R, bool), HeapError> {
        self.0.write(
            at,
            (input, insert, edit),
            |(input, insert, edit), touch| {
                let mut fields = Fields::new(touch);
                let written = fields.write(field, touch, input, insert, edit);
                (fields, written)
            },
            |(input, insert, edit), fields, touch| fields.write(field, touch, input, insert, edit),
        )
    }
}

impl<K: Key, F: OrderedKey, C: Cell> MapTable<K, Sorted<F, C>> {
    fn range(
        &self,
        at: At<'_, K>,
        bounds: &Bounds<'_, F>,
        direction: Direction,
        mut visit: impl FnMut(&F, &C::Value) -> ControlFlow<()>,
    ) {
        let Some(fields) = self.0.get(at) else { return };
        let visit = |field: &Field<F, C>| visit(&field.field, field.cell.get());
        let _ = fields.index.range(bounds, direction, visit);
    }
}

impl<K, I: Index> fmt::Debug for MapTable<K, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapTable").finish_non_exhaustive()
    }
}

/// Calls `edit`, so that its type is known to be a function of the value.
fn run<V, R>(edit: impl FnOnce(&mut V) -> R, value: &mut V) -> R {
    edit(value)
}

fn load<K: Key, I: Index>(
    table: &mut MapTable<K, I>,
    group: KeyGroup,
    change: Change<'_>,
    form: &Form<'_>,
) -> Result<(), LoadError<HeapError>> {
    let mut reader = Reader::new(change.row);
    let key: K = form.key(&mut reader)?;
    let at = located(&table.0, group, &key)?;
    match change.op {
        Op::Put => {
            for _ in 0..form.count(&mut reader)? {
                let start = reader;
                let field: I::Field = form.field(&mut reader)?;
                let value = form.value(&mut reader)?;
                let new = table.put(at, field.view(), value).map_err(LoadError::State)?;
                if form.fresh && !new {
                    return Err(start.fault(Fault::Duplicate).into());
                }
            }
        }
        Op::Remove => {
            for _ in 0..form.count(&mut reader)? {
                let field: I::Field = form.field(&mut reader)?;
                table.remove(at, field.view());
            }
        }
        Op::Clear => drop(table.0.remove(at)),
        Op::Keep => return Err(Malformed::new(Fault::Range, 0).into()),
    }
    Ok(reader.finish()?)
}
