//! A map of fields per key.

use core::ops::ControlFlow;

use super::{Fate, Loan, State, join};
use crate::key::{At, Key, KeyGroup};
use crate::schema::Data;

/// A map of fields per key: what belongs to one key but is read and changed one by one. An empty
/// map has no row.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use holdwater::key::KeyGroups;
/// use holdwater::state::{Backend, Descriptor, Fate, Map, State};
/// use holdwater_heap::Heap;
///
/// let groups = KeyGroups::all(128);
/// let mut store = Heap::new(groups);
/// // Of each account, how often it paid whom.
/// let mut payments = store.map(Descriptor::<u64, (String, u32)>::new("payments"))?;
///
/// let at = groups.locate::<u64>(7);
/// for party in ["grocer", "landlord", "grocer"] {
///     payments.update(at, party, || 0, |times| *times += 1)?;
/// }
/// assert!(payments.put(at, "tax office", 1)?, "a new field");
/// assert_eq!(payments.get(at, "grocer")?.as_deref(), Some(&2));
/// assert_eq!((payments.len(at)?, payments.rows()), (3, 1));
///
/// assert!(payments.remove(at, "landlord")?);
/// payments.retain(at, |_party, times| if *times < 2 { Fate::Dropped } else { Fate::Kept })?;
/// let mut parties = Vec::new();
/// payments.entries(at, |party, times| {
///     parties.push((party.clone(), *times));
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(parties, [("grocer".to_string(), 2)]);
///
/// payments.remove_all(at)?;
/// assert!(payments.is_empty(at)?);
/// # Ok::<(), holdwater_heap::HeapError>(())
/// ```
///
/// Cost: an access costs the field, however many others there are and whether or not a snapshot
/// holds them; a delta has the fields that changed since its base. Fields in their order and ranges
/// of them: [`OrderedMap`](super::OrderedMap).
pub trait Map<K: Key, F: Key, V: Data>: State {
    /// Returns the value of `field`, if there is one.
    fn get(&self, at: At<'_, K>, field: F::View<'_>) -> Result<Option<Loan<'_, V>>, Self::Error>;

    /// Stores `value` under `field`; returns whether the field is new.
    fn put(&mut self, at: At<'_, K>, field: F::View<'_>, value: V) -> Result<bool, Self::Error>;

    /// Edits the value of `field`, starting from `init()` where there is none.
    fn update<R>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, Self::Error>;

    /// Drops `field`; returns whether it was there.
    fn remove(&mut self, at: At<'_, K>, field: F::View<'_>) -> Result<bool, Self::Error>;

    /// Visits the fields of the key, in no particular order. Cost: the fields of this key alone.
    fn entries(
        &self,
        at: At<'_, K>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Returns how many fields the key has.
    fn len(&self, at: At<'_, K>) -> Result<u64, Self::Error>;

    /// Returns whether the key has no field.
    fn is_empty(&self, at: At<'_, K>) -> Result<bool, Self::Error> {
        Ok(self.len(at)? == 0)
    }

    /// Asks of each field, in no particular order, what becomes of it.
    fn retain(
        &mut self,
        at: At<'_, K>,
        fate: impl FnMut(&F, &V) -> Fate<V>,
    ) -> Result<(), Self::Error>;

    /// Drops all fields of the key.
    fn remove_all(&mut self, at: At<'_, K>) -> Result<(), Self::Error>;

    /// Moves the fields of `sources` to `target`, in order, and drops the sources: for windows that
    /// join. All are windows of one key. Of a field that is there, `combine` makes one value.
    ///
    /// When it fails, some fields may have moved, and none is lost.
    fn merge(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
        combine: impl FnMut(&mut V, V),
    ) -> Result<(), Self::Error> {
        join::maps(self, target, sources, combine)
    }

    /// Visits every key of `group`, in no particular order.
    fn keys(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;
}
