//! Maps whose fields are visited in order.

use core::ops::{ControlFlow, RangeBounds};

use super::Map;
use crate::key::{At, Key, OrderedKey};
use crate::schema::Data;

/// A map of fields per key that is visited in the order of its fields, by ranges and both ways:
/// what waits for its time, prices of an order book, the last of something before a moment.
/// [`entries`](Map::entries) visits all fields in that order.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use holdwater::key::KeyGroups;
/// use holdwater::state::{Backend, Descriptor, Map, OrderedMap};
/// use holdwater_heap::Heap;
///
/// let groups = KeyGroups::all(128);
/// let mut store = Heap::new(groups);
/// // Of each sensor, readings by time, and by number where several are of one time.
/// let descriptor = Descriptor::<String, ((i64, u32), f64)>::new("readings");
/// let mut readings = store.ordered_map(descriptor)?;
///
/// let at = groups.locate::<String>("boiler");
/// let taken = [((70, 0), 21.5), ((-5, 0), 20.0), ((30, 1), 22.0), ((30, 0), 21.0)];
/// for (time, degrees) in taken {
///     readings.put(at, time, degrees)?;
/// }
///
/// // The last reading before the time 70.
/// let mut last = None;
/// readings.range_back(at, ..(70, 0), |(time, _), degrees| {
///     last = Some((*time, *degrees));
///     ControlFlow::Break(())
/// })?;
/// assert_eq!(last, Some((30, 22.0)));
///
/// // What is due at 30 is taken out in its order: first it is read, then removed.
/// let mut due = Vec::new();
/// readings.range(at, ..=(30, u32::MAX), |time, degrees| {
///     due.push((*time, *degrees));
///     ControlFlow::Continue(())
/// })?;
/// for (time, _) in &due {
///     readings.remove(at, *time)?;
/// }
/// assert_eq!(due, [((-5, 0), 20.0), ((30, 0), 21.0), ((30, 1), 22.0)]);
/// assert_eq!(readings.first(at)?, Some(((70, 0), 21.5)));
/// assert_eq!(readings.first(at)?, readings.last(at)?);
/// # Ok::<(), holdwater_heap::HeapError>(())
/// ```
///
/// Cost: finding where a range begins, which grows with the logarithm of the number of fields, and
/// the fields that are visited. Fields are integers, bool, char, text, byte arrays, tuples of
/// these, and types of your own by [`ordered_key!`](crate::ordered_key!); their order is the same
/// on every store (docs/format.md 2.6). In checkpoints an ordered map is a map: either restores
/// what the other saved.
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
