//! The fields of one map: an index of them, and what was removed.

use core::ops::ControlFlow;

use holdwater::codec::{EncodeError, Encoding};
use holdwater::key::Key;
use holdwater::state::{Judge, OutputFailed, RowWriter};

use crate::cell::Cell;
use crate::index::{Field, Index};
use crate::row::{Touch, owned_bytes};
use crate::version::Removed;

pub(crate) type View<'v, I> = <<I as Index>::Field as Key>::View<'v>;
pub(crate) type Value<I> = <<I as Index>::Cell as Cell>::Value;

/// The fields of one map. Cloning takes a handle.
#[derive(Clone, Debug)]
pub(crate) struct Fields<I: Index> {
    pub(crate) index: I,
    length: u64,
    /// Bytes of the index, and of what fields and values own beside it.
    bytes: usize,
    removed: Removed<I::Field>,
}

impl<I: Index> Fields<I> {
    pub(crate) fn new(touch: &mut Touch) -> Self {
        let bytes = I::bytes_min();
        touch.meter.owned += bytes.cast_signed();
        Self { index: I::new(), length: 0, bytes, removed: Removed::new() }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.removed.bytes()
    }

    #[inline]
    pub(crate) fn get(&self, view: View<'_, I>, encoding: Encoding) -> Option<&Value<I>> {
        self.index.get(view, encoding).map(|field| field.cell.get())
    }

    /// Edits the value of a field, or makes it; returns whether it is new beside the result.
    pub(crate) fn write<A, R>(
        &mut self,
        view: View<'_, I>,
        touch: &mut Touch,
        input: A,
        insert: impl FnOnce(A, &mut Touch) -> (I::Cell, R),
        edit: impl FnOnce(A, &mut I::Cell, &mut Touch) -> R,
    ) -> (R, bool) {
        self.forget(touch);
        let owned_before = touch.meter.owned;
        let now = touch.now;
        let written = if let Some(field) = self.index.get_mut(view, touch) {
            field.changed = now;
            (edit(input, &mut field.cell, touch), false)
        } else {
            let (cell, result) = insert(input, touch);
            let field = Field { field: I::Field::own(view), changed: now, cell };
            touch.meter.owned += owned_bytes(&field.field, touch.encoding).cast_signed();
            self.index.insert(field, touch);
            self.length += 1;
            (result, true)
        };
        self.bytes = self.bytes.wrapping_add_signed(touch.meter.owned - owned_before);
        written
    }

    /// Removes a field; returns whether it was there.
    pub(crate) fn remove(&mut self, view: View<'_, I>, touch: &mut Touch) -> bool {
        let owned_before = touch.meter.owned;
        let gone = self.index.remove(view, touch);
        if let Some(gone) = &gone {
            let bytes = owned_bytes(&gone.field, touch.encoding) + gone.cell.bytes(touch.encoding);
            touch.meter.owned -= bytes.cast_signed();
            self.length -= 1;
        }
        self.bytes = self.bytes.wrapping_add_signed(touch.meter.owned - owned_before);
        let Some(gone) = gone else { return false };
        self.forget(touch);
        if touch.base.is_some() {
            let grown = self.removed.push(touch.now, gone.field);
            touch.meter.owned += grown.cast_signed();
        }
        true
    }

    /// Writes the fields of `other` too; of those that are here already, `combine` makes one value.
    pub(crate) fn absorb(
        &mut self,
        other: &Self,
        touch: &mut Touch,
        mut combine: impl FnMut(&mut Value<I>, Value<I>),
    ) {
        let _ = other.each(|field, value| {
            let insert = |value, touch: &mut Touch| (I::Cell::new(value, touch), ());
            let edit = |value, cell: &mut I::Cell, touch: &mut Touch| {
                cell.edit(touch, |old| combine(old, value));
            };
            self.write(field.view(), touch, value.clone(), insert, edit);
            ControlFlow::Continue(())
        });
    }

    pub(crate) fn each(
        &self,
        mut visit: impl FnMut(&I::Field, &Value<I>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.index.each(|field| visit(&field.field, field.cell.get()))
    }

    /// Writes the fields of `key` that changed after `base`, and before them those removed.
    pub(crate) fn save<K: Key>(
        &self,
        key: &K,
        base: Option<u32>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        if let Some(base) = base {
            out.removed_fields(key, self.removed.since(base))?;
        }
        self.index.save(key, base, judge, out)
    }

    /// Drops what no base needs of the log of removed fields.
    fn forget(&mut self, touch: &mut Touch) {
        while let Some(bytes) = self.removed.drop_through(touch.base.unwrap_or(u32::MAX)) {
            touch.meter.owned -= bytes.cast_signed();
        }
    }
}
