//! What is done with the map of one key as with any row: it is written, and its fields expire.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use holdwater::codec::{EncodeError, Encoding};
use holdwater::key::{At, Key};
use holdwater::state::{Judge, OutputFailed, RowWriter};

use crate::cell::Cell;
use crate::expire::Look;
use crate::fields::{Fields, Value};
use crate::index::Index;
use crate::row::{Payload, Row, Touch};
use crate::table::Table;

impl<K: Key, I: Index> Payload<K> for Fields<I> {
    const GROWS: bool = true;

    type Position = I::Position;

    fn bytes(&self, _: Encoding) -> usize {
        self.bytes()
    }

    fn save(
        row: &Row<K, Self>,
        base: Option<u32>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        // Of a row that the base does not have, everything is new.
        row.payload.save(&row.key, base.filter(|base| row.born <= *base), judge, out)
    }

    fn removed(key: &K, out: &mut RowWriter<'_>) -> Result<(), EncodeError<OutputFailed>> {
        out.cleared(key)
    }

    fn is_live(&self, judge: &Judge) -> bool {
        let stop = |_: &_, value: &_| match judge.is_live(value) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        self.each(stop).is_break()
    }

    fn may_expire(&self, _: &mut Look<'_>) -> bool {
        true
    }

    fn expire(
        table: &mut Table<K, Self>,
        at: At<'_, K>,
        from: I::Position,
        look: &mut Look<'_>,
    ) -> Option<I::Position> {
        let (expired, next) = table.get(at)?.index.look(from, look);
        apply(table, at, expired.into_iter().map(|field| (field, None)).collect());
        next.filter(|_| table.get(at).is_some())
    }
}

/// Stores the values of fields that are there, and removes those without a value; with the last
/// one the row.
pub(super) fn apply<K: Key, I: Index>(
    table: &mut Table<K, Fields<I>>,
    at: At<'_, K>,
    changes: Vec<(I::Field, Option<Value<I>>)>,
) {
    if changes.is_empty() {
        return;
    }
    let left = table.modify(at, |fields, touch| {
        for (field, value) in changes {
            let Some(value) = value else {
                fields.remove(field.view(), touch);
                continue;
            };
            let insert = |value, touch: &mut Touch| (I::Cell::new(value, touch), ());
            let edit =
                |value, cell: &mut I::Cell, touch: &mut Touch| cell.edit(touch, |old| *old = value);
            fields.write(field.view(), touch, value, insert, edit);
        }
        fields.len()
    });
    if left == Some(0) {
        table.remove(at);
    }
}
