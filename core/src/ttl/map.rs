use core::cell::Cell;
use core::ops::{ControlFlow, RangeBounds};

use super::expiring::inner;
use super::{Census, Expiring, Ttl, When, state};
use crate::key::{At, Key, KeyGroup, OrderedKey};
use crate::schema::Data;
use crate::state::{Fate, Loan, Map, OrderedMap, State};

/// A map of fields per key, each field with a time to live. [`Ttl::map`] opens it.
#[derive(Clone, Debug)]
pub struct TtlMap<S> {
    state: S,
    ttl: Ttl,
}

state!(TtlMap);

impl<S> TtlMap<S> {
    pub(super) const fn new(state: S, ttl: Ttl) -> Self {
        Self { state, ttl }
    }

    /// Returns the value of `field`, if there is one that is shown. An expired one is dropped.
    pub fn get<K, F, V>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        when: impl Into<When>,
    ) -> Result<Option<Loan<'_, V>>, S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let when = when.into();
        let Some(held) = self.state.get(at, field)? else { return Ok(None) };
        let stamp = held.stamp;
        if self.ttl.cutoff(when).includes(stamp) {
            let shown = self.ttl.show_expired.then(|| held.into_owned().value);
            self.state.remove(at, field)?;
            return Ok(shown.map(Loan::Decoded));
        }
        if let Some(stamp) = self.ttl.refreshed(stamp, when) {
            drop(held);
            let there = || unreachable!("a value that was read is there");
            self.state.update(at, field, there, |held: &mut Expiring<V>| held.stamp = stamp)?;
        } else if let Loan::Decoded(held) = held {
            return Ok(Some(Loan::Decoded(held.value)));
        }
        Ok(self.state.get(at, field)?.map(inner))
    }

    /// Returns the value of `field`, if there is one that is shown, and leaves all as it is.
    pub fn peek<K, F, V>(
        &self,
        at: At<'_, K>,
        field: F::View<'_>,
        when: impl Into<When>,
    ) -> Result<Option<Loan<'_, V>>, S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let when = when.into();
        let held = self.state.get(at, field)?.filter(|held| self.ttl.shows(held.stamp, when));
        Ok(held.map(inner))
    }

    /// Stores `value` under `field`; returns whether the field is new: was not there, or had
    /// expired.
    pub fn put<K, F, V>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        value: V,
        when: impl Into<When>,
    ) -> Result<bool, S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let (when, value) = (when.into(), Cell::new(Some(value)));
        let cutoff = self.ttl.cutoff(when);
        let first = || {
            let value = value.take().expect("a value is stored once");
            Expiring { stamp: when.time, value }
        };
        self.state.update(at, field, first, |held| {
            let Some(value) = value.take() else { return true };
            let has_expired = cutoff.includes(held.stamp);
            *held = Expiring { stamp: held.stamp.max(when.time), value };
            has_expired
        })
    }

    /// Edits the value of `field`, starting from `init()` where there is none or it has expired.
    pub fn update<K, F, V, R>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        when: impl Into<When>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let (when, init) = (when.into(), Cell::new(Some(init)));
        let cutoff = self.ttl.cutoff(when);
        let first = || {
            let init = init.take().expect("a value begins once");
            Expiring { stamp: when.time, value: init() }
        };
        self.state.update(at, field, first, |held| {
            if cutoff.includes(held.stamp)
                && let Some(init) = init.take()
            {
                *held = Expiring { stamp: when.time, value: init() };
            }
            held.stamp = held.stamp.max(when.time);
            edit(&mut held.value)
        })
    }

    /// Drops `field`; returns whether it was there and lived.
    pub fn remove<K, F, V>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        when: impl Into<When>,
    ) -> Result<bool, S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let cutoff = self.ttl.cutoff(when.into());
        let lived = self.state.get(at, field)?.is_some_and(|held| !cutoff.includes(held.stamp));
        self.state.remove(at, field)?;
        Ok(lived)
    }

    /// Visits the fields that are shown, in no particular order, and drops the expired ones of the
    /// key if it met any.
    ///
    /// Fields that are kept alive by reading are written anew.
    pub fn entries<K, F, V>(
        &mut self,
        at: At<'_, K>,
        when: impl Into<When>,
        mut visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let (when, ttl) = (when.into(), self.ttl);
        let mut stale = false;
        self.state.entries(at, |field, held| {
            stale |= ttl.cutoff(when).includes(held.stamp);
            stale |= ttl.refreshed(held.stamp, when).is_some();
            if ttl.shows(held.stamp, when) {
                visit(field, &held.value)
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if !stale {
            return Ok(());
        }
        self.state.retain(at, |_, held| match ttl.refreshed(held.stamp, when) {
            _ if ttl.cutoff(when).includes(held.stamp) => Fate::Dropped,
            Some(stamp) => Fate::Changed(Expiring { stamp, value: held.value.clone() }),
            None => Fate::Kept,
        })
    }

    /// Visits the fields that are shown, in no particular order, and leaves all as it is.
    pub fn peek_entries<K, F, V>(
        &self,
        at: At<'_, K>,
        when: impl Into<When>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        self.state.entries(at, self.ttl.showing(when, visit))
    }

    /// Visits the fields of an ordered map in `range` that are shown, from the first to the last,
    /// and leaves all as it is.
    pub fn range<'f, K, F, V>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        when: impl Into<When>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        F: OrderedKey,
        V: Data,
        S: OrderedMap<K, F, Expiring<V>>,
    {
        self.state.range(at, range, self.ttl.showing(when, visit))
    }

    /// Visits the fields of an ordered map in `range` that are shown, from the last to the first,
    /// and leaves all as it is.
    pub fn range_back<'f, K, F, V>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        when: impl Into<When>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        F: OrderedKey,
        V: Data,
        S: OrderedMap<K, F, Expiring<V>>,
    {
        self.state.range_back(at, range, self.ttl.showing(when, visit))
    }

    /// Returns how many fields are shown: looks at each of the key.
    pub fn len<K, F, V>(&self, at: At<'_, K>, when: impl Into<When>) -> Result<u64, S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let mut count = 0;
        self.peek_entries(at, when, |_: &F, _: &V| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// Returns whether no field is shown: looks for the first.
    pub fn is_empty<K, F, V>(&self, at: At<'_, K>, when: impl Into<When>) -> Result<bool, S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let mut is_empty = true;
        self.peek_entries(at, when, |_: &F, _: &V| {
            is_empty = false;
            ControlFlow::Break(())
        })?;
        Ok(is_empty)
    }

    /// Drops all fields of the key.
    pub fn remove_all<K, F, V>(&mut self, at: At<'_, K>) -> Result<(), S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        self.state.remove_all(at)
    }

    /// Moves the live fields of `sources` to `target`, in order, and drops the sources: for windows
    /// that join. Of a field that is there and lives, `combine` makes one value.
    ///
    /// A field keeps its stamp, and one that is made of two the later one.
    pub fn merge<K, F, V>(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
        when: impl Into<When>,
        mut combine: impl FnMut(&mut V, V),
    ) -> Result<(), S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let cutoff = self.ttl.cutoff(when.into());
        let fate = |_: &F, held: &Expiring<V>| {
            if cutoff.includes(held.stamp) { Fate::Dropped } else { Fate::Kept }
        };
        self.state.retain(target, fate)?;
        sources.iter().try_for_each(|source| self.state.retain(*source, fate))?;
        self.state.merge(target, sources, |held, other| {
            held.stamp = held.stamp.max(other.stamp);
            combine(&mut held.value, other.value);
        })
    }

    /// Visits every key of `group` with a field that is shown, in no particular order; leaves
    /// all as it is.
    pub fn keys<K, F, V>(
        &self,
        group: KeyGroup,
        when: impl Into<When>,
        mut visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let (when, mut failed) = (when.into(), Ok(()));
        self.state.keys(group, |key| {
            match self.is_empty(self.groups().locate::<K>(key.view()), when) {
                Ok(true) => ControlFlow::Continue(()),
                Ok(false) => visit(key),
                Err(error) => {
                    failed = Err(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed
    }

    /// Counts the fields that live and those that have expired: looks at every one.
    pub fn census<K, F, V>(&self, when: impl Into<When>) -> Result<Census, S::Error>
    where
        K: Key,
        F: Key,
        V: Data,
        S: Map<K, F, Expiring<V>>,
    {
        let (mut census, mut failed) = (Census::default(), Ok(()));
        let cutoff = self.ttl.cutoff(when.into());
        for group in self.groups().iter() {
            self.state.keys(group, |key| {
                let at = self.groups().locate::<K>(key.view());
                let counted = self.state.entries(at, |_, held| {
                    census.count(cutoff.includes(held.stamp));
                    ControlFlow::Continue(())
                });
                failed = core::mem::replace(&mut failed, Ok(())).and(counted);
                ControlFlow::Continue(())
            })?;
        }
        failed.map(|()| census)
    }
}
