//! An aggregate for each window of each key.

use core::fmt;

use super::{Assigner, Step, Window, Windows};
use crate::key::{At, In, Key};
use crate::state::{Aggregate, Aggregating, Backend, Descriptor, States, Visitor};
use crate::timer::Sweep;

/// An aggregate for each window of each key: adds rows, and gives each result once.
///
/// ```
/// use holdwater::key::KeyGroups;
/// use holdwater::state::Aggregate;
/// use holdwater::timer::Sweep;
/// use holdwater::window::{Assigner, Window, WindowedAggregate};
/// use holdwater_heap::Heap;
///
/// struct Total;
///
/// impl Aggregate for Total {
///     type Input = u64;
///     type Accumulator = u64;
///     type Output = u64;
///
///     fn start(&self) -> u64 {
///         0
///     }
///     fn add(&self, sum: &mut u64, input: u64) {
///         *sum += input;
///     }
///     fn result(&self, sum: &u64) -> u64 {
///         *sum
///     }
///     fn merge(&self, sum: &mut u64, other: u64) {
///         *sum += other;
///     }
/// }
///
/// let groups = KeyGroups::all(128);
/// let minutes = Assigner::tumbling(60_000)?;
/// let mut totals = WindowedAggregate::open(&mut Heap::new(groups), minutes, Total)?;
/// for (time, amount) in [(1_000, 5), (59_999, 6), (60_000, 9)] {
///     assert!(totals.add(groups.locate::<u32>(7), time, i64::MIN, amount)?);
/// }
/// // The watermark has come to the end of the first minute.
/// let mut sweep = Sweep::new(60_000, 1_000);
/// let first = totals.due(&mut sweep)?.expect("the first minute is over");
/// assert_eq!((first.key, first.window, first.output), (7, Window { start: 0, end: 60_000 }, 11));
/// assert!(totals.due(&mut sweep)?.is_none());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct WindowedAggregate<K: Key, B: Backend, A: Aggregate> {
    windows: Windows<K, B>,
    accumulators: Aggregating<Accumulators<K, B, A>, A>,
    late: u64,
}

/// The state that holds an accumulator for each window of each key.
type Accumulators<K, B, A> = <B as Backend>::Value<In<K, Window>, <A as Aggregate>::Accumulator>;

/// What the rows of one key and window come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WindowResult<K, O> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
    /// What its rows come to.
    pub output: O,
}

impl<K: Key, B: Backend, A: Aggregate> WindowedAggregate<K, B, A> {
    /// Opens the states `windows`, for sessions `sessions`, and `accumulators`.
    pub fn open(backend: &mut B, assigner: Assigner, aggregate: A) -> Result<Self, B::Error> {
        let windows = Windows::open(backend, assigner)?;
        Ok(Self::new(windows, backend.value(Descriptor::new("accumulators"))?, aggregate))
    }

    /// Aggregates in states that were opened before.
    pub const fn new(
        windows: Windows<K, B>,
        accumulators: B::Value<In<K, Window>, A::Accumulator>,
        aggregate: A,
    ) -> Self {
        Self { windows, accumulators: Aggregating::new(accumulators, aggregate), late: 0 }
    }

    /// Adds a row at `time` to its windows; returns whether it came in time.
    ///
    /// `watermark` is that of the row's own input before the row.
    pub fn add(
        &mut self,
        at: At<'_, K>,
        time: i64,
        watermark: i64,
        input: A::Input,
    ) -> Result<bool, B::Error>
    where
        A::Input: Clone,
    {
        let accumulators = &mut self.accumulators;
        let in_time = self.windows.add(at, time, watermark, |step| match step {
            Step::Add(window) => accumulators.add(at.within(window), input.clone()),
            Step::Merge { from, into } => accumulators.merge(at.within(into), &[at.within(from)]),
        })?;
        self.late += u64::from(!in_time);
        Ok(in_time)
    }

    /// Takes out the result of the earliest window that is due; none if there is none, or no step
    /// of `sweep` is left. Its time is the lowest watermark of all inputs.
    pub fn due(
        &mut self,
        sweep: &mut Sweep,
    ) -> Result<Option<WindowResult<K, A::Output>>, B::Error> {
        let groups = self.windows.groups();
        while let Some(closed) = self.windows.due(sweep)? {
            let at = closed.at(groups);
            let output = self.accumulators.get(at)?;
            self.accumulators.remove(at)?;
            if let Some(output) = output {
                return Ok(Some(WindowResult { key: closed.key, window: closed.window, output }));
            }
        }
        Ok(None)
    }

    /// Returns whether windows may be due that `sweep` had no step left for.
    pub fn is_cut(&self, sweep: &Sweep) -> Result<bool, B::Error> {
        self.windows.is_cut(sweep)
    }

    /// Returns how many rows were late since the states were opened.
    pub const fn late(&self) -> u64 {
        self.late
    }
}

impl<K: Key, B: Backend, A: Aggregate> States for WindowedAggregate<K, B, A> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.windows.each(visitor)?;
        visitor.state(self.accumulators.state())
    }
}

impl<K: Key, B: Backend, A: Aggregate> fmt::Debug for WindowedAggregate<K, B, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowedAggregate")
            .field("windows", &self.windows)
            .field("late", &self.late)
            .finish_non_exhaustive()
    }
}
