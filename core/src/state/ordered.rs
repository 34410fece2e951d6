//! Maps whose fields are visited in order.

use core::ops::{ControlFlow, RangeBounds};

use super::Map;
use crate::key::{At, Key, OrderedKey};
use crate::schema::Data;

/// A map of fields per key in the order of its fields. [`entries`](Map::entries) visits all of
/// them in that order.
///
/// In checkpoints it is a map: either restores what the other saved.
pub trait OrderedMap<K: Key, F: OrderedKey, V: Data>: Map<K, F, V> {
    /// Visits the fields in `range`, from the first to the last. One that ends before it starts is
    /// empty.
    ///
    /// Cost: finding the first field, and those that are visited.
    fn range<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Visits the fields in `range`, from the last to the first.
    fn range_back<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Returns the first field and its value.
    fn first(&self, at: At<'_, K>) -> Result<Option<(F, V)>, Self::Error> {
        let mut first = None;
        self.range(at, .., |field, value| {
            first = Some((field.clone(), value.clone()));
            ControlFlow::Break(())
        })?;
        Ok(first)
    }

    /// Returns the last field and its value.
    fn last(&self, at: At<'_, K>) -> Result<Option<(F, V)>, Self::Error> {
        let mut last = None;
        self.range_back(at, .., |field, value| {
            last = Some((field.clone(), value.clone()));
            ControlFlow::Break(())
        })?;
        Ok(last)
    }
}
