//! How the fields of one map are found: what the two kinds of map differ in.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use holdwater::codec::{EncodeError, Encoding};
use holdwater::key::{Key, OrderedKey};
use holdwater::state::{Judge, OutputFailed, RowWriter};

use crate::cell::Cell;
use crate::expire::Look;
use crate::hashed::Hashed;
use crate::row::Touch;
use crate::sorted::Sorted;

/// A field of a map, and its value.
#[derive(Clone, Debug)]
pub struct Field<F, C> {
    pub(crate) field: F,
    /// The version of its last change.
    pub(crate) changed: u32,
    pub(crate) cell: C,
}

impl<F, C: Cell> Field<F, C> {
    pub(crate) fn pair(&self) -> (&F, &C::Value) {
        (&self.field, self.cell.get())
    }
}

/// The fields of one map. Cloning takes a handle; a write after it copies a bounded piece at each
/// level.
pub trait Index: Clone + Send + Sync + 'static {
    /// What the values lie under.
    type Field: Key;
    /// How they lie.
    type Cell: Cell;
    /// A place among the fields; by default the first.
    type Position: Default + Send + Sync;

    /// Returns no fields.
    fn new() -> Self;

    /// Returns how many bytes an index without fields takes.
    fn bytes_min() -> usize;

    fn get(
        &self,
        view: <Self::Field as Key>::View<'_>,
        encoding: Encoding,
    ) -> Option<&Field<Self::Field, Self::Cell>>;

    /// Returns a field to be written; copies what a snapshot holds on the way to it.
    fn get_mut(
        &mut self,
        view: <Self::Field as Key>::View<'_>,
        touch: &mut Touch,
    ) -> Option<&mut Field<Self::Field, Self::Cell>>;

    /// Inserts a field that is not there.
    fn insert(&mut self, field: Field<Self::Field, Self::Cell>, touch: &mut Touch);

    /// Takes a field out; what it owns is for the caller to count.
    fn remove(
        &mut self,
        view: <Self::Field as Key>::View<'_>,
        touch: &mut Touch,
    ) -> Option<Field<Self::Field, Self::Cell>>;

    fn each<B>(
        &self,
        visit: impl FnMut(&Field<Self::Field, Self::Cell>) -> ControlFlow<B>,
    ) -> ControlFlow<B>;

    /// Writes the fields of `key` that changed after `base`.
    fn save<K: Key>(
        &self,
        key: &K,
        base: Option<u32>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>>;

    /// Looks at some fields, from `from` on; returns those that have expired, and where to go on.
    fn look(
        &self,
        from: Self::Position,
        look: &mut Look<'_>,
    ) -> (Vec<Self::Field>, Option<Self::Position>);
}

/// Writes those of `fields` that changed after `base`: each as it is, or that it has expired.
pub(crate) fn save_fields<'f, K: Key, F: Key, C: Cell>(
    fields: impl Iterator<Item = &'f Field<F, C>> + Clone,
    key: &K,
    base: Option<u32>,
    judge: Option<&Judge>,
    out: &mut RowWriter<'_>,
) -> Result<(), EncodeError<OutputFailed>> {
    let changed = fields.filter(|field| base.is_none_or(|base| field.changed > base));
    let Some(judge) = judge else { return out.entries(key, changed.map(Field::pair)) };
    let live = |field: &&Field<F, C>| judge.is_live(field.cell.get());
    if base.is_some() {
        // What the base has of them had another stamp.
        let expired = changed.clone().filter(|field| !live(field));
        out.removed_fields(key, expired.map(|field| &field.field))?;
    }
    out.entries(key, changed.filter(live).map(Field::pair))
}

/// Which index a map has, however its values lie.
pub trait Arrangement<F>: 'static {
    /// The fields of one map.
    type Index<C: Cell>: Index<Field = F, Cell = C>;
}

/// Fields are found by their digests.
#[derive(Debug)]
pub struct ByDigest;

/// Fields are found in their order.
#[derive(Debug)]
pub struct ByOrder;

impl<F: Key> Arrangement<F> for ByDigest {
    type Index<C: Cell> = Hashed<F, C>;
}

impl<F: OrderedKey> Arrangement<F> for ByOrder {
    type Index<C: Cell> = Sorted<F, C>;
}
