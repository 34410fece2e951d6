//! One value per key.

use core::ops::ControlFlow;

use super::{Loan, State};
use crate::key::{At, Key, KeyGroup};
use crate::schema::Data;

/// One value per key: a count, a balance, what was seen last.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use holdwater::key::KeyGroups;
/// use holdwater::state::{Backend, Descriptor, State, Value};
/// use holdwater_heap::Heap;
///
/// let groups = KeyGroups::all(128);
/// let mut store = Heap::new(groups);
/// let mut flights = store.value(Descriptor::<String, u64>::new("flights"))?;
///
/// // Where the state of a record lives: made once, and given to each access.
/// let at = groups.locate::<String>("SFO");
/// assert!(flights.get(at)?.is_none());
///
/// // What there is not begins with the first closure; the second edits where the value lies.
/// let count = flights.update(at, || 0, |count| {
///     *count += 1;
///     *count
/// })?;
/// assert_eq!(count, 1);
///
/// flights.put(groups.locate::<String>("LAX"), 20)?;
/// assert_eq!(flights.get(at)?.as_deref(), Some(&1));
///
/// // All keys, group by group: another task has the other groups.
/// let mut sum = 0;
/// for group in groups.iter() {
///     flights.visit(group, |_airport, count| {
///         sum += count;
///         ControlFlow::Continue(())
///     })?;
/// }
/// assert_eq!((sum, flights.rows()), (21, 2));
///
/// flights.remove(at)?;
/// assert_eq!(flights.rows(), 1);
/// # Ok::<(), holdwater_heap::HeapError>(())
/// ```
///
/// Cost: the heap finds the value by the digest that `at` has and encodes nothing; a store of bytes
/// decodes and encodes it. So keep what grows in a [`List`](super::List) or a [`Map`](super::Map),
/// which are written by the item.
pub trait Value<K: Key, V: Data>: State {
    /// Returns the value, if there is one.
    fn get(&self, at: At<'_, K>) -> Result<Option<Loan<'_, V>>, Self::Error>;

    /// Stores `value`.
    fn put(&mut self, at: At<'_, K>, value: V) -> Result<(), Self::Error>;

    /// Edits the value, starting from `init()` where there is none.
    ///
    /// The one way to change state in place: the heap edits where the value lies, a byte store
    /// decodes, edits and encodes. What `edit` changed stays, also if the `R` it returns says that
    /// it failed: edit last, or edit a clone.
    fn update<R>(
        &mut self,
        at: At<'_, K>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, Self::Error>;

    /// Drops the value; dropping none is done.
    fn remove(&mut self, at: At<'_, K>) -> Result<(), Self::Error>;

    /// Visits every key of `group` with its value, in no particular order.
    fn visit(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&K, &V) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Tells the store that `at` will be accessed soon.
    fn prefetch(&self, at: At<'_, K>) {
        let _ = at;
    }

    /// Updates one value per place, in order: the form that a store can overlap.
    fn update_batch<'k>(
        &mut self,
        places: &[At<'k, K>],
        init: impl Fn(usize) -> V,
        mut edit: impl FnMut(usize, &mut V),
    ) -> Result<(), Self::Error>
    where
        K: 'k,
    {
        for at in places {
            self.prefetch(*at);
        }
        for (index, at) in places.iter().enumerate() {
            self.update(*at, || init(index), |value| edit(index, value))?;
        }
        Ok(())
    }
}
