use core::ops::ControlFlow;

use super::{Census, Expiring, Ttl, When, state};
use crate::key::{At, Key, KeyGroup};
use crate::schema::Data;
use crate::state::{Fate, List, State};

/// A growing list of items per key, each item with a time to live. [`Ttl::list`] opens it.
#[derive(Clone, Debug)]
pub struct TtlList<S> {
    state: S,
    ttl: Ttl,
}

state!(TtlList);

impl<S> TtlList<S> {
    pub(super) const fn new(state: S, ttl: Ttl) -> Self {
        Self { state, ttl }
    }

    /// Appends `item` without reading the list.
    pub fn push<K, V>(
        &mut self,
        at: At<'_, K>,
        item: V,
        when: impl Into<When>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        self.state.push(at, Expiring { stamp: when.into().time, value: item })
    }

    /// Replaces the list; by nothing: drops it.
    pub fn set<K, V>(
        &mut self,
        at: At<'_, K>,
        items: impl IntoIterator<Item = V>,
        when: impl Into<When>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        let stamp = when.into().time;
        self.state.set(at, items.into_iter().map(|value| Expiring { stamp, value }))
    }

    /// Visits the items that are shown, oldest first, and drops the expired ones that it met.
    ///
    /// Items that are kept alive by reading are written anew, all that were visited.
    pub fn items<K, V>(
        &mut self,
        at: At<'_, K>,
        when: impl Into<When>,
        mut visit: impl FnMut(&V) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        let (when, ttl) = (when.into(), self.ttl);
        let (mut met, mut stale) = (0u64, false);
        let fate = |held: &Expiring<V>| match ttl.refreshed(held.stamp, when) {
            _ if ttl.cutoff(when).includes(held.stamp) => Fate::Dropped,
            Some(stamp) => Fate::Changed(Expiring { stamp, value: held.value.clone() }),
            None => Fate::Kept,
        };
        self.state.items(at, |held| {
            met += 1;
            stale |= ttl.cutoff(when).includes(held.stamp);
            stale |= ttl.refreshed(held.stamp, when).is_some();
            if ttl.shows(held.stamp, when) { visit(&held.value) } else { ControlFlow::Continue(()) }
        })?;
        if !stale {
            return Ok(());
        }
        self.state.retain(at, |held| {
            let was_met = met > 0;
            met = met.saturating_sub(1);
            if was_met { fate(held) } else { Fate::Kept }
        })
    }

    /// Visits the items that are shown, oldest first, and leaves all as it is.
    pub fn peek<K, V>(
        &self,
        at: At<'_, K>,
        when: impl Into<When>,
        mut visit: impl FnMut(&V) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        let when = when.into();
        self.state.items(at, |held| {
            if self.ttl.shows(held.stamp, when) {
                visit(&held.value)
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// Returns how many items are shown: looks at each.
    pub fn len<K, V>(&self, at: At<'_, K>, when: impl Into<When>) -> Result<u64, S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        let mut count = 0;
        self.peek(at, when, |_: &V| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// Returns whether no item is shown: looks for the first.
    pub fn is_empty<K, V>(&self, at: At<'_, K>, when: impl Into<When>) -> Result<bool, S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        let mut is_empty = true;
        self.peek(at, when, |_: &V| {
            is_empty = false;
            ControlFlow::Break(())
        })?;
        Ok(is_empty)
    }

    /// Drops the list.
    pub fn remove<K, V>(&mut self, at: At<'_, K>) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        self.state.remove(at)
    }

    /// Moves the live items of `sources` behind those of `target`, and drops the sources: for
    /// windows that join. Each item keeps its stamp.
    pub fn merge<K, V>(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
        when: impl Into<When>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        let cutoff = self.ttl.cutoff(when.into());
        for source in sources {
            self.state.retain(*source, |held| {
                if cutoff.includes(held.stamp) { Fate::Dropped } else { Fate::Kept }
            })?;
        }
        self.state.merge(target, sources)
    }

    /// Visits every key of `group` with an item that is shown, in no particular order; leaves
    /// all as it is.
    pub fn keys<K, V>(
        &self,
        group: KeyGroup,
        when: impl Into<When>,
        mut visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
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

    /// Counts the items that live and those that have expired: looks at every one.
    pub fn census<K, V>(&self, when: impl Into<When>) -> Result<Census, S::Error>
    where
        K: Key,
        V: Data,
        S: List<K, Expiring<V>>,
    {
        let (mut census, mut failed) = (Census::default(), Ok(()));
        let cutoff = self.ttl.cutoff(when.into());
        for group in self.groups().iter() {
            self.state.keys(group, |key| {
                let at = self.groups().locate::<K>(key.view());
                let counted = self.state.items(at, |held| {
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
