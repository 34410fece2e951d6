use super::{Expiring, TtlValue, When};
use crate::key::{At, Key};
use crate::schema::Data;
use crate::state::{Aggregate, Loan, Value};

/// A value that each addition is reduced into, with a time to live: what has expired is not built
/// on.
#[derive(Clone, Debug)]
pub struct TtlReducing<S, R> {
    state: TtlValue<S>,
    reduce: R,
}

impl<S, R> TtlReducing<S, R> {
    /// Reduces into `state` with `reduce`, which must be associative for windows to join.
    pub const fn new(state: TtlValue<S>, reduce: R) -> Self {
        Self { state, reduce }
    }

    /// Returns the state below, to freeze, save or load it.
    pub const fn state(&mut self) -> &mut TtlValue<S> {
        &mut self.state
    }

    /// Stores `value` if there is none that lives, else reduces it into the one there is.
    pub fn add<K, V>(
        &mut self,
        at: At<'_, K>,
        value: V,
        when: impl Into<When>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
        R: Fn(&mut V, V),
    {
        // The value goes to exactly one of the two closures; the cell lets both name it.
        let value = core::cell::Cell::new(Some(value));
        let first = core::cell::Cell::new(false);
        let init = || {
            first.set(true);
            value.take().expect("init runs at most once, before edit")
        };
        let reduce = &self.reduce;
        self.state.update(at, when, init, |old| {
            if !first.get()
                && let Some(value) = value.take()
            {
                reduce(old, value);
            }
        })
    }

    /// Returns the value, if there is one that is shown.
    pub fn get<K, V>(&mut self, at: At<'_, K>, when: impl Into<When>) -> Result<Option<V>, S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        Ok(self.state.get(at, when)?.map(Loan::into_owned))
    }

    /// Drops the value.
    pub fn remove<K, V>(&mut self, at: At<'_, K>) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
    {
        self.state.remove(at)
    }

    /// Reduces the live values of `sources` into `target`, in order, and drops the sources. What
    /// comes of it was accessed now, or later if one of them was.
    pub fn merge<K, V>(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
        when: impl Into<When>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, Expiring<V>>,
        R: Fn(&mut V, V),
    {
        let when = when.into();
        for source in sources {
            if let Some(other) = self.state.take(*source, when)? {
                self.add(target, other.value, when.not_before(other.stamp))?;
            }
        }
        Ok(())
    }
}

/// An accumulator per key with a time to live, whose input and output may be of other types than
/// what is stored: one that has expired is not built on.
#[derive(Clone, Debug)]
pub struct TtlAggregating<S, A> {
    state: TtlValue<S>,
    aggregate: A,
}

impl<S, A: Aggregate> TtlAggregating<S, A> {
    /// Accumulates in `state` as `aggregate` says.
    pub const fn new(state: TtlValue<S>, aggregate: A) -> Self {
        Self { state, aggregate }
    }

    /// Returns the state below, to freeze, save or load it.
    pub const fn state(&mut self) -> &mut TtlValue<S> {
        &mut self.state
    }

    /// Adds `input`.
    pub fn add<K>(
        &mut self,
        at: At<'_, K>,
        input: A::Input,
        when: impl Into<When>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        S: Value<K, Expiring<A::Accumulator>>,
    {
        let aggregate = &self.aggregate;
        self.state.update(at, when, || aggregate.start(), |sum| aggregate.add(sum, input))
    }

    /// Returns the result, if anything was added that is shown.
    pub fn get<K>(
        &mut self,
        at: At<'_, K>,
        when: impl Into<When>,
    ) -> Result<Option<A::Output>, S::Error>
    where
        K: Key,
        S: Value<K, Expiring<A::Accumulator>>,
    {
        Ok(self.state.get(at, when)?.map(|sum| self.aggregate.result(&sum)))
    }

    /// Drops the accumulator.
    pub fn remove<K>(&mut self, at: At<'_, K>) -> Result<(), S::Error>
    where
        K: Key,
        S: Value<K, Expiring<A::Accumulator>>,
    {
        self.state.remove(at)
    }

    /// Merges the live accumulators of `sources` into `target`, in order, and drops the sources.
    /// What comes of it was accessed now, or later if one of them was.
    pub fn merge<K>(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
        when: impl Into<When>,
    ) -> Result<(), S::Error>
    where
        K: Key,
        S: Value<K, Expiring<A::Accumulator>>,
    {
        let when = when.into();
        for source in sources {
            if let Some(other) = self.state.take(*source, when)? {
                let aggregate = &self.aggregate;
                self.state.update(
                    target,
                    when.not_before(other.stamp),
                    || aggregate.start(),
                    |sum| aggregate.merge(sum, other.value),
                )?;
            }
        }
        Ok(())
    }
}
