//! One value per key.

use core::mem::needs_drop;
use core::ops::ControlFlow;

use holdwater::codec::{EncodeError, Encoding, Reader};
use holdwater::error::{Fault, Malformed};
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::schema::Data;
use holdwater::state::{
    Change, Description, Form, Judge, LoadError, Loan, Op, OutputFailed, RowWriter, Value,
};

use crate::budget::Share;
use crate::cell::{Cell, Inline, Shared};
use crate::error::HeapError;
use crate::expire::Look;
use crate::frozen::HeapFrozen;
use crate::held::{Held, located, state};
use crate::row::{Payload, Row};
use crate::table::{PLACES_MAX, Table};

/// One value per key, on the heap.
#[derive(Debug)]
pub struct HeapValue<K, V> {
    description: Description,
    rows: Rows<K, V>,
}

#[derive(Debug)]
enum Rows<K, V> {
    /// Of values that own no memory, or seldom do.
    Inline(Table<K, One<Inline<V>>>),
    /// Of values that do.
    Shared(Table<K, One<Shared<V>>>),
}

/// The payload of a value's row.
#[derive(Clone, Debug)]
struct One<C>(C);

impl<K: Key, C: Cell> Payload<K> for One<C> {
    const GROWS: bool = C::GROWS;

    const BEHIND: bool = C::BEHIND;

    type Position = ();

    #[inline]
    fn bytes(&self, encoding: Encoding) -> usize {
        self.0.bytes(encoding)
    }

    #[inline]
    fn save(
        row: &Row<K, Self>,
        base: Option<u32>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        if judge.is_none_or(|judge| judge.is_live(row.payload.0.get())) {
            return out.value(&row.key, row.payload.0.get());
        }
        // What the base has of it had another stamp.
        if base.is_some_and(|base| row.born <= base) { out.removed(&row.key) } else { Ok(()) }
    }

    fn removed(key: &K, out: &mut RowWriter<'_>) -> Result<(), EncodeError<OutputFailed>> {
        out.removed(key)
    }

    fn is_live(&self, judge: &Judge) -> bool {
        judge.is_live(self.0.get())
    }

    fn may_expire(&self, look: &mut Look<'_>) -> bool {
        !look.finds_live(self.0.get())
    }

    fn expire(
        table: &mut Table<K, Self>,
        at: At<'_, K>,
        (): (),
        look: &mut Look<'_>,
    ) -> Option<()> {
        if table.get(at).is_some_and(|one| !look.finds_live(one.0.get())) {
            table.remove(at);
        }
        None
    }
}

impl<K: Key, V: Data> HeapValue<K, V> {
    pub(crate) fn new(groups: KeyGroups, description: Description, share: Share) -> Self {
        let rows = if needs_drop::<V>() && !description.in_place {
            Rows::Shared(Table::new(groups, &description, share))
        } else {
            Rows::Inline(Table::new(groups, &description, share))
        };
        Self { description, rows }
    }

    fn held(&self) -> &dyn Held {
        match &self.rows {
            Rows::Inline(table) => table,
            Rows::Shared(table) => table,
        }
    }

    fn held_mut(&mut self) -> &mut dyn Held {
        match &mut self.rows {
            Rows::Inline(table) => table,
            Rows::Shared(table) => table,
        }
    }

    fn load_row(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<HeapError>> {
        match &mut self.rows {
            Rows::Inline(table) => load(table, group, change, form),
            Rows::Shared(table) => load(table, group, change, form),
        }
    }
}

state!(HeapValue<K: Key, V: Data>);

impl<K: Key, V: Data> Value<K, V> for HeapValue<K, V> {
    #[inline]
    fn get(&self, at: At<'_, K>) -> Result<Option<Loan<'_, V>>, HeapError> {
        let found = match &self.rows {
            Rows::Inline(table) => table.get(at).map(|one| one.0.get()),
            Rows::Shared(table) => table.get(at).map(|one| one.0.get()),
        };
        Ok(found.map(Loan::Borrowed))
    }

    #[inline]
    fn put(&mut self, at: At<'_, K>, value: V) -> Result<(), HeapError> {
        match &mut self.rows {
            Rows::Inline(table) => put(table, at, value),
            Rows::Shared(table) => put(table, at, value),
        }
    }

    #[inline]
    fn update<R>(
        &mut self,
        at: At<'_, K>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, HeapError> {
        match &mut self.rows {
            Rows::Inline(table) => update(table, at, init, edit),
            Rows::Shared(table) => update(table, at, init, edit),
        }
    }

    #[inline]
    fn update_batch<'k>(
        &mut self,
        places: &[At<'k, K>],
        init: impl Fn(usize) -> V,
        edit: impl FnMut(usize, &mut V),
    ) -> Result<(), HeapError>
    where
        K: 'k,
    {
        match &mut self.rows {
            Rows::Inline(table) => update_batch(table, places, init, edit),
            Rows::Shared(table) => update_batch(table, places, init, edit),
        }
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), HeapError> {
        match &mut self.rows {
            Rows::Inline(table) => drop(table.remove(at)),
            Rows::Shared(table) => drop(table.remove(at)),
        }
        Ok(())
    }

    fn visit(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K, &V) -> ControlFlow<()>,
    ) -> Result<(), HeapError> {
        let _ = match &self.rows {
            Rows::Inline(table) => table.each(group, |row| visit(&row.key, row.payload.0.get())),
            Rows::Shared(table) => table.each(group, |row| visit(&row.key, row.payload.0.get())),
        };
        Ok(())
    }
}

fn put<K: Key, C: Cell>(
    table: &mut Table<K, One<C>>,
    at: At<'_, K>,
    value: C::Value,
) -> Result<(), HeapError> {
    table.write(
        at,
        value,
        |value, touch| (One(C::new(value, touch)), ()),
        |value, one, touch| one.0.edit(touch, |old| *old = value),
    )
}

#[inline]
fn update<K: Key, C: Cell, R>(
    table: &mut Table<K, One<C>>,
    at: At<'_, K>,
    init: impl FnOnce() -> C::Value,
    edit: impl FnOnce(&mut C::Value) -> R,
) -> Result<R, HeapError> {
    table.write(
        at,
        edit,
        |edit, touch| {
            let mut value = init();
            let result = edit(&mut value);
            (One(C::new(value, touch)), result)
        },
        |edit, one, touch| one.0.edit(touch, edit),
    )
}

fn update_batch<K: Key, C: Cell>(
    table: &mut Table<K, One<C>>,
    places: &[At<'_, K>],
    init: impl Fn(usize) -> C::Value,
    mut edit: impl FnMut(usize, &mut C::Value),
) -> Result<(), HeapError> {
    let mut index = 0;
    for near in places.chunks(PLACES_MAX) {
        table.approach(near);
        for at in near {
            update(table, *at, || init(index), |value| edit(index, value))?;
            index += 1;
        }
    }
    Ok(())
}

fn load<K: Key, C: Cell>(
    table: &mut Table<K, One<C>>,
    group: KeyGroup,
    change: Change<'_>,
    form: &Form<'_>,
) -> Result<(), LoadError<HeapError>> {
    let mut reader = Reader::new(change.row);
    let key: K = form.key(&mut reader)?;
    let at = located(table, group, &key)?;
    match change.op {
        Op::Put => {
            let value = form.value(&mut reader)?;
            reader.finish()?;
            if form.fresh && table.get(at).is_some() {
                return Err(Malformed::new(Fault::Duplicate, 0).into());
            }
            put(table, at, value).map_err(LoadError::State)
        }
        Op::Remove => {
            reader.finish()?;
            table.remove(at);
            Ok(())
        }
        Op::Clear | Op::Keep => Err(Malformed::new(Fault::Range, 0).into()),
    }
}
