use core::convert::Infallible;

use heapless::Vec;
use holdwater::codec::{Encoding, Write, encode};
use holdwater::key::{Key, KeyGroup, KeyGroups};
use holdwater::state::{Frozen, Judge, RowWriter, SaveError, Shape};

use crate::FixedError;
use crate::rows::Content;
use crate::table::Table;

/// A copy of a state as it was at one moment.
#[derive(Clone, Debug)]
pub struct FrozenRows<K, T, const N: usize, const G: usize> {
    table: Table<K, T, N>,
    groups: KeyGroups,
    encoding: Encoding,
    shapes: Vec<Shape, G>,
    /// Tells what had expired at that moment, if rows expire.
    judge: Option<Judge>,
}

impl<K, T, const N: usize, const G: usize> FrozenRows<K, T, N, G> {
    pub(crate) const fn new(
        table: Table<K, T, N>,
        groups: KeyGroups,
        encoding: Encoding,
        shapes: Vec<Shape, G>,
        judge: Option<Judge>,
    ) -> Self {
        Self { table, groups, encoding, shapes, judge }
    }
}

impl<K: Key, T: Content, const N: usize, const G: usize> Frozen for FrozenRows<K, T, N, G> {
    type Error = FixedError;

    fn shape(&self, group: KeyGroup) -> Shape {
        self.shapes[self.groups.position(group)]
    }

    /// Writes all rows: a group that changed is written in full.
    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<FixedError>> {
        self.scan(group, out)
    }

    fn get(
        &self,
        group: KeyGroup,
        key: &[u8],
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<FixedError>> {
        for places in T::of_group(&self.table, group) {
            if is_encoding(&self.table.row(places.start).key, self.encoding, key) {
                T::save(&self.table, places, self.judge.as_ref(), out)?;
            }
        }
        Ok(())
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<FixedError>> {
        for places in T::of_group(&self.table, group) {
            T::save(&self.table, places, self.judge.as_ref(), out)?;
        }
        Ok(())
    }
}

/// Returns whether `bytes` are the encoding of `key`.
pub(crate) fn is_encoding<K: Key>(key: &K, encoding: Encoding, bytes: &[u8]) -> bool {
    let mut compare = Compare { rest: bytes, same: true };
    encode(key, encoding, &mut compare).is_ok() && compare.same && compare.rest.is_empty()
}

/// Compares what is written with what is there.
struct Compare<'b> {
    rest: &'b [u8],
    same: bool,
}

impl Write for Compare<'_> {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => self.rest = rest,
            None => self.same = false,
        }
        Ok(())
    }
}
