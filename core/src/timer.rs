//! The time that timers wait for, and how they fire: in order, a bounded number at once.
//!
//! Timers are a state like others ([`Timers`]): held per key group, in every snapshot, ordered by
//! time and then by encoded key. What is here has no state that a checkpoint holds. Time is an
//! argument: a watermark for timers of event time, the time of processing for others.

mod watermark;

pub use watermark::{Watermark, Watermarks};

use crate::key::Key;
use crate::state::{Timer, Timers};

/// A time that never goes back, in milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Clock {
    time: i64,
}

impl Clock {
    /// Stands before all times.
    pub const fn new() -> Self {
        Self { time: i64::MIN }
    }

    /// Returns the time that was reached.
    #[inline]
    pub const fn time(&self) -> i64 {
        self.time
    }

    /// Goes on to `time`, or stays where it is if that is earlier; returns whether it went on.
    #[inline]
    pub const fn advance(&mut self, time: i64) -> bool {
        let later = time > self.time;
        if later {
            self.time = time;
        }
        later
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// One pass over the timers that are due, which ends after a given number of them.
///
/// Timers fire by time, then by encoded key, whatever the order in which they were registered. One
/// that is registered while others fire, and is due, fires in the same pass in its place. What the
/// pass had no step left for stays where it is, for the next one: between the two there may be
/// records and checkpoints, and none fires twice or never.
///
/// ```
/// use holdwater::key::KeyGroups;
/// use holdwater::state::Timers;
/// use holdwater::timer::Sweep;
/// use holdwater_heap::Heap;
///
/// holdwater::states! {
///     /// Machines that must report in time.
///     struct Watchdog<B> {
///         silent: EventTimers<u32>,
///     }
/// }
///
/// let groups = KeyGroups::all(128);
/// let mut watchdog = Watchdog::open(&mut Heap::new(groups))?;
/// for machine in 0..3 {
///     watchdog.silent.register(groups.locate::<u32>(machine), 1_000)?;
/// }
/// // Machine 1 reports: it has more time.
/// watchdog.silent.delete(groups.locate::<u32>(1), 1_000)?;
/// watchdog.silent.register(groups.locate::<u32>(1), 2_000)?;
///
/// // The watermark has come to 1,500: one timer at once, and the rest after the next record.
/// let mut sweep = Sweep::new(1_500, 1);
/// assert_eq!(sweep.fire(&mut watchdog.silent)?.map(|timer| timer.key), Some(0));
/// assert!(sweep.is_cut(&watchdog.silent)?);
///
/// let mut sweep = Sweep::new(1_500, 100);
/// assert_eq!(sweep.fire(&mut watchdog.silent)?.map(|timer| timer.key), Some(2));
/// assert!(sweep.fire(&mut watchdog.silent)?.is_none());
/// assert_eq!(watchdog.silent.next()?, Some(2_000));
/// # Ok::<(), holdwater_heap::HeapError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sweep {
    time: i64,
    left: usize,
}

impl Sweep {
    /// Fires what is due at `time` or before: up to `limit` timers.
    pub const fn new(time: i64, limit: usize) -> Self {
        Self { time, left: limit }
    }

    /// Returns the time up to which timers are due.
    pub const fn time(&self) -> i64 {
        self.time
    }

    /// Returns how many timers may yet fire.
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Takes out the earliest timer that is due; none if there is none, or no step is left.
    pub fn fire<K, T>(&mut self, timers: &mut T) -> Result<Option<Timer<K>>, T::Error>
    where
        K: Key,
        T: Timers<K>,
    {
        if self.left == 0 {
            return Ok(None);
        }
        let timer = timers.take(self.time)?;
        self.left -= usize::from(timer.is_some());
        Ok(timer)
    }

    /// Returns whether timers are due that this pass has no step left for.
    pub fn is_cut<K, T>(&self, timers: &T) -> Result<bool, T::Error>
    where
        K: Key,
        T: Timers<K>,
    {
        Ok(self.left == 0 && timers.next()?.is_some_and(|time| time <= self.time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_goes_back() {
        let mut clock = Clock::new();
        assert_eq!(clock.time(), i64::MIN);
        assert!(!clock.advance(i64::MIN));
        assert!(clock.advance(5));
        assert!(!clock.advance(5) && !clock.advance(-5));
        assert_eq!(clock.time(), 5);
        assert!(clock.advance(6));
        assert_eq!(clock.time(), 6);
    }
}
