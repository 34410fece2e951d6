//! A map of fields per key.

use alloc::vec::Vec;
use core::mem::needs_drop;
use core::ops::ControlFlow;

use holdwater::codec::{EncodeError, Reader};
use holdwater::error::{Fault, Malformed};
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::schema::Data;
use holdwater::state::{
    Change, Description, Fate, Form, LoadError, Loan, Map, Op, OutputFailed, RowWriter,
};

use crate::budget::Share;
use crate::cell::{Cell, Inline, Shared};
use crate::error::HeapError;
use crate::fields::Fields;
use crate::frozen::HeapFrozen;
use crate::held::{Held, located, state};
use crate::row::{Payload, Row, Touch};
use crate::table::Table;

/// A map of fields per key, on the heap.
#[derive(Debug)]
pub struct HeapMap<K, F, V> {
    description: Description,
    rows: Rows<K, F, V>,
}

#[derive(Debug)]
enum Rows<K, F, V> {
    /// Of values that own no memory.
    Inline(MapTable<K, F, Inline<V>>),
    /// Of values that do.
    Shared(MapTable<K, F, Shared<V>>),
}

/// The maps of all keys.
#[derive(Debug)]
pub(crate) struct MapTable<K, F, C>(pub(crate) Table<K, Fields<F, C>>);

/// Does the same to either kind of rows.
macro_rules! either {
    ($rows:expr, $table:ident => $done:expr) => {
        match $rows {
            Rows::Inline($table) => $done,
            Rows::Shared($table) => $done,
        }
    };
}

impl<K: Key, F: Key, V: Data> HeapMap<K, F, V> {
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

state!(HeapMap<K: Key, F: Key, V: Data>);

impl<K: Key, F: Key, V: Data> Map<K, F, V> for HeapMap<K, F, V> {
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

impl<K: Key, F: Key, C: Cell> MapTable<K, F, C> {
    #[inline]
    pub(crate) fn get(&self, at: At<'_, K>, field: F::View<'_>) -> Option<&C::Value> {
        self.0.get(at)?.get(field, self.0.encoding())
    }

    /// Stores a value; returns whether the field is new.
    pub(crate) fn put(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        value: C::Value,
    ) -> Result<bool, HeapError> {
        let insert = |value, touch: &mut Touch| (C::new(value, touch), ());
        let edit = |value, cell: &mut C, touch: &mut Touch| cell.edit(touch, |old| *old = value);
        let ((), new) = self.write(at, field, value, insert, edit)?;
        Ok(new)
    }

    fn update<R>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        init: impl FnOnce() -> C::Value,
        edit: impl FnOnce(&mut C::Value) -> R,
    ) -> Result<R, HeapError> {
        let insert = |edit: _, touch: &mut Touch| {
            let mut value = init();
            let result = run(edit, &mut value);
            (C::new(value, touch), result)
        };
        let edit_cell = |edit: _, cell: &mut C, touch: &mut Touch| cell.edit(touch, edit);
        let (result, _) = self.write(at, field, edit, insert, edit_cell)?;
        Ok(result)
    }

    /// Removes a field, and with the last one the row; returns whether it was there.
    pub(crate) fn remove(&mut self, at: At<'_, K>, field: F::View<'_>) -> bool {
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
        mut combine: impl FnMut(&mut C::Value, C::Value),
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
    fn retain(&mut self, at: At<'_, K>, mut fate: impl FnMut(&F, &C::Value) -> Fate<C::Value>) {
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
        self.apply(at, changes);
    }

    /// Stores the values of fields that are there, and removes those without a value; with the last
    /// one the row.
    pub(crate) fn apply(&mut self, at: At<'_, K>, changes: Vec<(F, Option<C::Value>)>) {
        if changes.is_empty() {
            return;
        }
        let left = self.0.modify(at, |fields, touch| {
            for (field, value) in changes {
                match value {
                    None => _ = fields.remove(field.view(), touch),
                    Some(value) => {
                        let insert = |value, touch: &mut Touch| (C::new(value, touch), ());
                        let edit = |value, cell: &mut C, touch: &mut Touch| {
                            cell.edit(touch, |old| *old = value);
                        };
                        fields.write(field.view(), touch, value, insert, edit);
                    }
                }
            }
            fields.len()
        });
        if left == Some(0) {
            self.0.remove(at);
        }
    }

    /// Gives `input` to `edit` where the field is there, else to `insert`; tells whether it is new.
    fn write<A, R>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        input: A,
        insert: impl FnOnce(A, &mut Touch) -> (C, R),
        edit: impl FnOnce(A, &mut C, &mut Touch) -> R,
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

impl<K: Key, F: Key, C: Cell> Payload<K> for Fields<F, C> {
    const GROWS: bool = true;

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn save(
        row: &Row<K, Self>,
        base: Option<u32>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        // Of a row that the base does not have, everything is new.
        row.payload.save(&row.key, base.filter(|base| row.born <= *base), out)
    }

    fn removed(key: &K, out: &mut RowWriter<'_>) -> Result<(), EncodeError<OutputFailed>> {
        out.cleared(key)
    }
}

/// Calls `edit`, so that its type is known to be a function of the value.
fn run<V, R>(edit: impl FnOnce(&mut V) -> R, value: &mut V) -> R {
    edit(value)
}

fn load<K: Key, F: Key, C: Cell>(
    table: &mut MapTable<K, F, C>,
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
                let field: F = form.field(&mut reader)?;
                let value = form.value(&mut reader)?;
                let new = table.put(at, field.view(), value).map_err(LoadError::State)?;
                if form.fresh && !new {
                    return Err(start.fault(Fault::Duplicate).into());
                }
            }
        }
        Op::Remove => {
            for _ in 0..form.count(&mut reader)? {
                let field: F = form.field(&mut reader)?;
                table.remove(at, field.view());
            }
        }
        Op::Clear => drop(table.0.remove(at)),
        Op::Keep => return Err(Malformed::new(Fault::Range, 0).into()),
    }
    Ok(reader.finish()?)
}
