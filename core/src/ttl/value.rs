use core::cell::Cell;
use core::ops::ControlFlow;

use super::expiring::inner;
use super::{Census, Expiring, Ttl, When, state};
use crate::key::{At, Key, KeyGroup};
use crate::schema::Data;
use crate::state::{Loan, State, TimeDomain, Value};

/// One value per key, each with a time to live. [`Ttl::value`] opens it.
#[derive(Clone, Debug)]
pub struct TtlValue<S> {
    state: S,
    ttl: Ttl,
}

state!(TtlValue);

impl<S> TtlValue<S> {
    pub(super) const fn new(state: S, ttl: Ttl) -> Self {
        Self { state, ttl }
    }

    /// Returns the value, if there is one that is shown. An expired one is dropped.
    pub fn get<K, V>(
        &mut self,
        at: At<'_, K>,
        when: impl Into<When>,
    ) -> Result<Option<Loan<'_, V>>, S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        let when = when.into();
        let Some(held) = self.state.get(at)? else { return Ok(None) };
        let stamp = held.stamp;
        if self.ttl.cutoff(when).includes(stamp) {
            let shown = self.ttl.show_expired.then(|| held.into_owned().value);
            self.state.remove(at)?;
            return Ok(shown.map(Loan::Decoded));
        }
        if let Some(stamp) = self.ttl.refreshed(stamp, when) {
            drop(held);
            let there = || unreachable!("a value that was read is there");
            self.state.update(at, there, |held: &mut Expiring<V>| held.stamp = stamp)?;
        } else if let Loan::Decoded(held) = held {
            return Ok(Some(Loan::Decoded(held.value)));
        }
        // Looked up again: what is lent for the caller cannot be dropped in the cases above.
        Ok(self.state.get(at)?.map(inner))
    }

    /// Returns the value, if there is one that is shown, and leaves all as it is: nothing is
    /// cleaned up, and nothing is kept alive by it.
    pub fn peek<K, V>(
        &self,
        at: At<'_, K>,
        when: impl Into<When>,
    ) -> Result<Option<Loan<'_, V>>, S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        let when = when.into();
        let held = self.state.get(at)?.filter(|held| self.ttl.shows(held.stamp, when));
        Ok(held.map(inner))
    }

    /// Stores `value`.
    pub fn put<K, V>(
        &mut self,
        at: At<'_, K>,
        value: V,
        when: impl Into<When>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        let stamp = when.into().time;
        let new = Expiring { stamp, value };
        if self.ttl.expiry.domain == TimeDomain::Processing {
            return self.state.put(at, new);
        }
        // Records may be out of order: the last access is the latest.
        let new = Cell::new(Some(new));
        let take = || new.take().expect("a value is stored once");
        self.state.update(at, take, |held| {
            if let Some(Expiring { value, .. }) = new.take() {
                *held = Expiring { stamp: held.stamp.max(stamp), value };
            }
        })
    }

    /// Edits the value, starting from `init()` where there is none or it has expired.
    pub fn update<K, V, R>(
        &mut self,
        at: At<'_, K>,
        when: impl Into<When>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        let (when, init) = (when.into(), Cell::new(Some(init)));
        let cutoff = self.ttl.cutoff(when);
        let first = || {
            let init = init.take().expect("a value begins once");
            Expiring { stamp: when.time, value: init() }
        };
        self.state.update(at, first, |held| {
            if cutoff.includes(held.stamp)
                && let Some(init) = init.take()
            {
                *held = Expiring { stamp: when.time, value: init() };
            }
            held.stamp = held.stamp.max(when.time);
            edit(&mut held.value)
        })
    }

    /// Updates one value per place, in order: the form that a store can overlap.
    pub fn update_batch<'k, K, V>(
        &mut self,
        places: &[At<'k, K>],
        when: impl Fn(usize) -> When,
        init: impl Fn(usize) -> V,
        mut edit: impl FnMut(usize, &mut V),
    ) -> Result<(), S::Error>
    where
        K: Key + 'k,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        let first = |index| Expiring { stamp: when(index).time, value: init(index) };
        self.state.update_batch(places, first, |index, held| {
            let when = when(index);
            if self.ttl.cutoff(when).includes(held.stamp) {
                *held = first(index);
            }
            held.stamp = held.stamp.max(when.time);
            edit(index, &mut held.value);
        })
    }

    /// Drops the value; dropping none is done.
    pub fn remove<K, V>(&mut self, at: At<'_, K>) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        self.state.remove(at)
    }

    /// Returns the value with its stamp if it lives, and drops it in any case.
    pub fn take<K, V>(
        &mut self,
        at: At<'_, K>,
        when: impl Into<When>,
    ) -> Result<Option<Expiring<V>>, S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        let Some(held) = self.state.get(at)?.map(Loan::into_owned) else { return Ok(None) };
        self.state.remove(at)?;
        let has_expired = self.ttl.cutoff(when.into()).includes(held.stamp);
        Ok(Some(held).filter(|_| !has_expired))
    }

    /// Visits every key of `group` whose value is shown, in no particular order; leaves all as it
    /// is.
    pub fn visit<K, V>(
        &self,
        group: KeyGroup,
        when: impl Into<When>,
        visit: impl FnMut(&K, &V) -> ControlFlow<()>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        self.state.visit(group, self.ttl.showing(when, visit))
    }

    /// Counts the values that live and those that have expired: looks at every one.
    pub fn census<K, V>(&self, when: impl Into<When>) -> Result<Census, S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        let (mut census, cutoff) = (Census::default(), self.ttl.cutoff(when.into()));
        for group in self.groups().iter() {
            self.state.visit(group, |_, held| {
                census.count(cutoff.includes(held.stamp));
                ControlFlow::Continue(())
            })?;
        }
        Ok(census)
    }

    /// Returns how long values live.
    pub const fn ttl(&self) -> Ttl {
        self.ttl
    }
}
