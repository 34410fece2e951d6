//! A growing list of items per key.

use core::ops::ControlFlow;

use super::{Fate, State};
use crate::key::{At, Key, KeyGroup};
use crate::schema::Data;

/// A growing list of items per key: readings, events to be looked at later. An empty list has no
/// row.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use holdwater::key::{In, KeyGroups};
/// use holdwater::state::{Backend, Descriptor, Fate, List, State};
/// use holdwater_heap::Heap;
///
/// let groups = KeyGroups::all(128);
/// let mut store = Heap::new(groups);
/// // By meter and window: the windows of a meter stay together.
/// let mut readings = store.list(Descriptor::<In<u32, i64>, u16>::new("readings"))?;
///
/// let meter = groups.locate::<u32>(7);
/// let (morning, noon) = (meter.within(6), meter.within(12));
/// for reading in [40, 95, 60] {
///     readings.push(morning, reading)?;
/// }
/// readings.set(noon, [10, 20])?;
/// assert_eq!((readings.len(morning)?, readings.len(noon)?), (3, 2));
///
/// // Windows that join: the items of the sources follow those of the target.
/// readings.merge(morning, &[noon])?;
/// assert_eq!((readings.len(morning)?, readings.rows()), (5, 1));
///
/// // Each item stays, goes, or is another from now on.
/// readings.retain(morning, |reading| match reading {
///     0..50 => Fate::Dropped,
///     50..90 => Fate::Kept,
///     _ => Fate::Changed(90),
/// })?;
/// let mut left = Vec::new();
/// readings.items(morning, |reading| {
///     left.push(*reading);
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(left, [90, 60]);
///
/// readings.remove(morning)?;
/// assert!(readings.is_empty(morning)?);
/// # Ok::<(), holdwater_heap::HeapError>(())
/// ```
///
/// Cost: pushing costs the item, however long the list is and whether or not a snapshot holds it; a
/// delta has the items that were pushed since its base. There is no limit but the memory of the
/// store.
pub trait List<K: Key, V: Data>: State {
    /// Appends `item` without reading the list.
    fn push(&mut self, at: At<'_, K>, item: V) -> Result<(), Self::Error>;

    /// Replaces the list; by nothing: drops it.
    fn set(&mut self, at: At<'_, K>, items: impl IntoIterator<Item = V>)
    -> Result<(), Self::Error>;

    /// Visits the items, oldest first.
    fn items(
        &self,
        at: At<'_, K>,
        visit: impl FnMut(&V) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Returns how many items there are.
    fn len(&self, at: At<'_, K>) -> Result<u64, Self::Error>;

    /// Returns whether there is no item.
    fn is_empty(&self, at: At<'_, K>) -> Result<bool, Self::Error> {
        Ok(self.len(at)? == 0)
    }

    /// Asks of each item, oldest first, what becomes of it. Items behind the first that does not
    /// stay may be written anew; a list of which all stay is as if it had been read.
    fn retain(&mut self, at: At<'_, K>, fate: impl FnMut(&V) -> Fate<V>)
    -> Result<(), Self::Error>;

    /// Drops the list.
    fn remove(&mut self, at: At<'_, K>) -> Result<(), Self::Error>;

    /// Moves the items of `sources` behind those of `target`, and drops the sources: for windows
    /// that join. All are windows of one key.
    fn merge(&mut self, target: At<'_, K>, sources: &[At<'_, K>]) -> Result<(), Self::Error>;

    /// Visits every key of `group`, in no particular order.
    fn keys(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;
}
