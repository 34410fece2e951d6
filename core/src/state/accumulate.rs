//! Reducing and aggregating state: a value that grows by a function.

use super::{Loan, Value};
use crate::key::{At, Key};
use crate::schema::Data;

/// A value that each addition is reduced into: a sum, the highest, the first and the last.
///
/// It keeps one value of the type that is added, in a [`Value`] of any store.
///
/// ```
/// use holdwater::key::KeyGroups;
/// use holdwater::state::{Backend, Descriptor, Reducing};
/// use holdwater_heap::Heap;
///
/// let groups = KeyGroups::all(128);
/// let mut store = Heap::new(groups);
/// let mut highest = Reducing::new(
///     store.value(Descriptor::<String, i64>::new("highest"))?,
///     |old: &mut i64, new| *old = (*old).max(new),
/// );
///
/// let at = groups.locate::<String>("boiler");
/// assert_eq!(highest.get(at)?, None);
/// for degrees in [60, 75, 70] {
///     highest.add(at, degrees)?;
/// }
/// assert_eq!(highest.get(at)?, Some(75));
///
/// // For windows that join: the values of the sources are reduced into that of the target.
/// let other = groups.locate::<String>("old boiler");
/// highest.add(other, 80)?;
/// highest.merge(at, &[other])?;
/// assert_eq!((highest.get(at)?, highest.get(other)?), (Some(80), None));
///
/// highest.remove(at)?;
/// assert_eq!(highest.get(at)?, None);
/// # Ok::<(), holdwater_heap::HeapError>(())
/// ```
///
/// Cost: that of the value. If what is stored is another type than what is added, use
/// [`Aggregating`].
#[derive(Clone, Debug)]
pub struct Reducing<S, R> {
    state: S,
    reduce: R,
}

impl<S, R> Reducing<S, R> {
    /// Reduces into `state` with `reduce`, which must be associative for windows to join.
    pub const fn new(state: S, reduce: R) -> Self {
        Self { state, reduce }
    }

    /// Returns the state below, to freeze, save or load it.
    pub const fn state(&mut self) -> &mut S {
        &mut self.state
    }

    /// Stores `value` if there is none, else reduces it into the one there is.
    pub fn add<K, V>(&mut self, at: At<'_, K>, value: V) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, V>,
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
        self.state.update(at, init, |old| {
            if !first.get()
                && let Some(value) = value.take()
            {
                reduce(old, value);
            }
        })
    }

    /// Returns the value.
    pub fn get<K, V>(&self, at: At<'_, K>) -> Result<Option<V>, S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, V>,
    {
        Ok(self.state.get(at)?.map(Loan::into_owned))
    }

    /// Drops the value.
    pub fn remove<K, V>(&mut self, at: At<'_, K>) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, V>,
    {
        self.state.remove(at)
    }

    /// Reduces the values of `sources` into `target`, in order, and drops the sources.
    pub fn merge<K, V>(&mut self, target: At<'_, K>, sources: &[At<'_, K>]) -> Result<(), S::Error>
    where
        K: Key,
        V: Data,
        S: Value<K, V>,
        R: Fn(&mut V, V),
    {
        for source in sources {
            if let Some(value) = self.get(*source)? {
                self.state.remove(*source)?;
                self.add(target, value)?;
            }
        }
        Ok(())
    }
}

/// How inputs become an accumulator, and an accumulator a result.
pub trait Aggregate {
    /// What is added.
    type Input;
    /// What is stored.
    type Accumulator: Data;
    /// What is read.
    type Output;

    /// Returns the accumulator of nothing.
    fn start(&self) -> Self::Accumulator;

    /// Adds `input`.
    fn add(&self, accumulator: &mut Self::Accumulator, input: Self::Input);

    /// Returns the result so far.
    fn result(&self, accumulator: &Self::Accumulator) -> Self::Output;

    /// Adds all that `other` holds.
    fn merge(&self, accumulator: &mut Self::Accumulator, other: Self::Accumulator);
}

/// An accumulator per key, whose input and output may be of other types than what is stored: a
/// mean, how many different ones there were.
///
/// ```
/// use holdwater::key::KeyGroups;
/// use holdwater::state::{Aggregate, Aggregating, Backend, Descriptor};
/// use holdwater_heap::Heap;
///
/// struct Mean;
///
/// impl Aggregate for Mean {
///     type Input = f64;
///     type Accumulator = (f64, u64); // what a checkpoint holds
///     type Output = f64;
///
///     fn start(&self) -> (f64, u64) {
///         (0.0, 0)
///     }
///
///     fn add(&self, (sum, count): &mut (f64, u64), input: f64) {
///         *sum += input;
///         *count += 1;
///     }
///
///     fn result(&self, (sum, count): &(f64, u64)) -> f64 {
///         sum / *count as f64
///     }
///
///     fn merge(&self, (sum, count): &mut (f64, u64), other: (f64, u64)) {
///         *sum += other.0;
///         *count += other.1;
///     }
/// }
///
/// let groups = KeyGroups::all(128);
/// let mut store = Heap::new(groups);
/// let mut delay = Aggregating::new(store.value(Descriptor::new("delay"))?, Mean);
///
/// let at = groups.locate::<String>("SFO");
/// delay.add(at, 10.0)?;
/// delay.add(at, 25.0)?;
/// assert_eq!(delay.get(at)?, Some(17.5));
///
/// let other = groups.locate::<String>("OAK");
/// delay.add(other, 40.0)?;
/// delay.merge(at, &[other])?;
/// assert_eq!((delay.get(at)?, delay.get(other)?), (Some(25.0), None));
/// # Ok::<(), holdwater_heap::HeapError>(())
/// ```
///
/// Cost: that of the value, which is edited in place; reading calls [`Aggregate::result`].
#[derive(Clone, Debug)]
pub struct Aggregating<S, A> {
    state: S,
    aggregate: A,
}

impl<S, A: Aggregate> Aggregating<S, A> {
    /// Accumulates in `state` as `aggregate` says.
    pub const fn new(state: S, aggregate: A) -> Self {
        Self { state, aggregate }
    }

    /// Returns the state below, to freeze, save or load it.
    pub const fn state(&mut self) -> &mut S {
        &mut self.state
    }

    /// Adds `input`.
    pub fn add<K>(&mut self, at: At<'_, K>, input: A::Input) -> Result<(), S::Error>
    where
        K: Key,
        S: Value<K, A::Accumulator>,
    {
        let aggregate = &self.aggregate;
        self.state.update(at, || aggregate.start(), |sum| aggregate.add(sum, input))
    }

    /// Returns the result, if anything was added. Reading changes nothing.
    pub fn get<K>(&self, at: At<'_, K>) -> Result<Option<A::Output>, S::Error>
    where
        K: Key,
        S: Value<K, A::Accumulator>,
    {
        Ok(self.state.get(at)?.map(|sum| self.aggregate.result(&sum)))
    }

    /// Drops the accumulator.
    pub fn remove<K>(&mut self, at: At<'_, K>) -> Result<(), S::Error>
    where
        K: Key,
        S: Value<K, A::Accumulator>,
    {
        self.state.remove(at)
    }

    /// Merges the accumulators of `sources` into `target`, in order, and drops the sources.
    pub fn merge<K>(&mut self, target: At<'_, K>, sources: &[At<'_, K>]) -> Result<(), S::Error>
    where
        K: Key,
        S: Value<K, A::Accumulator>,
    {
        for source in sources {
            if let Some(other) = self.state.get(*source)?.map(Loan::into_owned) {
                self.state.remove(*source)?;
                let aggregate = &self.aggregate;
                self.state.update(
                    target,
                    || aggregate.start(),
                    |sum| aggregate.merge(sum, other),
                )?;
            }
        }
        Ok(())
    }
}
