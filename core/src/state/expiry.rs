//! When rows expire: what a store must know to tell live rows from expired ones.

use core::any::Any;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::TimeDomain;
use crate::codec::Reader;
use crate::error::{Fault, Malformed};

/// How long what is kept lives after its last access, and by which clock.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Expiry {
    /// The clock.
    pub domain: TimeDomain,
    /// How long, in milliseconds; at least 1.
    pub duration_ms: i64,
}

impl Expiry {
    /// Takes the duration, as files have it.
    pub(crate) fn read(domain: TimeDomain, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let start = *reader;
        match i64::try_from(reader.varint_u64()?) {
            Ok(duration_ms) if duration_ms > 0 => Ok(Self { domain, duration_ms }),
            _ => Err(start.fault(Fault::Range)),
        }
    }

    /// Returns what is expired at `now`, a time by the clock of the domain.
    #[inline]
    pub const fn cutoff(self, now: i64) -> Cutoff {
        // Below the lowest time there is no stamp: nothing has expired, whatever the duration.
        Cutoff(now.checked_sub(self.duration_ms))
    }

    /// Returns when what has this stamp expires, if ever.
    #[inline]
    pub const fn deadline(self, stamp: i64) -> Option<i64> {
        stamp.checked_add(self.duration_ms)
    }
}

/// The highest stamp that is expired at some moment: one comparison tells live from expired.
///
/// A higher one includes more; the lowest, which is the default, includes nothing.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cutoff(Option<i64>);

impl Cutoff {
    /// Returns whether what has this stamp is expired: whether stamp + duration <= now.
    #[inline]
    pub const fn includes(self, stamp: i64) -> bool {
        match self.0 {
            Some(highest) => stamp <= highest,
            None => false,
        }
    }
}

/// How long the rows of a snapshot live, and when they were frozen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    /// How long, and by which clock.
    pub expiry: Expiry,
    /// The time by that clock when they were frozen.
    pub time: i64,
}

impl Life {
    /// Returns what had expired when the rows were frozen.
    pub const fn cutoff(&self) -> Cutoff {
        self.expiry.cutoff(self.time)
    }
}

/// The time by both clocks, in milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Moment {
    /// The time of processing.
    pub now: i64,
    /// The watermark; the lowest number where none is known.
    pub watermark: i64,
}

impl Moment {
    /// Returns the time by the clock of `domain`.
    pub const fn by(self, domain: TimeDomain) -> i64 {
        match domain {
            TimeDomain::Event => self.watermark,
            TimeDomain::Processing => self.now,
        }
    }

    /// Returns the earlier of two moments, by each clock.
    #[must_use]
    pub fn earliest(self, other: Self) -> Self {
        let Self { now, watermark } = other;
        Self { now: self.now.min(now), watermark: self.watermark.min(watermark) }
    }
}

/// How a store finds the stamps of a state whose values have one, without knowing their type.
#[derive(Clone, Copy)]
pub struct Stamped {
    /// When they expire.
    pub expiry: Expiry,
    stamp: fn(&dyn Any) -> i64,
}

impl Stamped {
    /// Says when rows expire that are copied as bytes: nobody asks for the stamp of a value.
    pub const fn unread(expiry: Expiry) -> Self {
        Self { expiry, stamp: |_| panic!("rows that are copied as bytes have no values") }
    }

    /// Reads stamps with `stamp`.
    pub(crate) const fn new(expiry: Expiry, stamp: fn(&dyn Any) -> i64) -> Self {
        Self { expiry, stamp }
    }

    /// Returns the stamp of a value of the state: the time of its last access.
    ///
    /// # Panics
    ///
    /// If it is of another type than the state's.
    #[inline]
    pub fn stamp<V: Any>(&self, value: &V) -> i64 {
        (self.stamp)(value)
    }

    /// Returns how live values are told from expired ones at `now`, a time by the clock of the
    /// domain.
    pub const fn at(self, now: i64) -> Judge {
        Judge { stamped: self, cutoff: self.expiry.cutoff(now) }
    }
}

impl fmt::Debug for Stamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expiry.fmt(f)
    }
}

/// Tells live values from expired ones at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    stamped: Stamped,
    cutoff: Cutoff,
}

impl Judge {
    /// Returns whether a value of the state lives.
    #[inline]
    pub fn is_live<V: Any>(&self, value: &V) -> bool {
        !self.cutoff.includes(self.stamped.stamp(value))
    }

    /// Returns what is expired, for stores that have the stamp itself.
    pub const fn cutoff(&self) -> Cutoff {
        self.cutoff
    }
}

/// When a store looks for what has expired: in passes over all its rows, each of which begins no
/// sooner than something may have.
#[derive(Clone, Debug)]
pub struct Passes {
    /// When the pass under way began.
    begun: Option<i64>,
    /// When the next one is worth it, if ever.
    due: Option<i64>,
    /// The earliest deadline that the pass under way has met.
    met: Option<i64>,
}

impl Passes {
    /// Is due at any time.
    pub const fn new() -> Self {
        Self { begun: None, due: Some(i64::MIN), met: None }
    }

    /// Returns whether a pass is under way at `now`, which it begins if one is due.
    pub fn is_under_way(&mut self, now: i64) -> bool {
        if self.begun.is_none() && self.due.is_some_and(|due| due <= now) {
            (self.begun, self.met) = (Some(now), None);
        }
        self.begun.is_some()
    }

    /// Takes note that something lives, and until when.
    #[inline]
    pub fn meet(&mut self, deadline: Option<i64>) {
        self.met = earlier(self.met, deadline);
    }

    /// Ends the pass.
    pub fn end(&mut self, expiry: Expiry) {
        let Some(begun) = self.begun.take() else { return };
        let due = match expiry.domain {
            // Records may be late: a stamp tells nothing of when it was written.
            TimeDomain::Event => begun.checked_add(1),
            // What was not met was written since the pass began, or will be.
            TimeDomain::Processing => earlier(self.met, expiry.deadline(begun)),
        };
        // After the end of time there is no other.
        self.due = due.filter(|_| begun < i64::MAX);
    }
}

impl Default for Passes {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the earlier of two times, one of which may be never.
fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.map_or(other, |one| Some(other.map_or(one, |other| one.min(other))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn expiry(duration_ms: i64) -> Expiry {
        Expiry { domain: TimeDomain::Processing, duration_ms }
    }

    #[test]
    fn what_expires_does_so_on_the_millisecond() {
        let expiry = expiry(100);
        assert!(!expiry.cutoff(149).includes(50));
        assert!(expiry.cutoff(150).includes(50));
        assert!(expiry.cutoff(0).includes(-100));
        assert_eq!((expiry.deadline(50), expiry.deadline(i64::MAX)), (Some(150), None));
    }

    #[test]
    fn no_sum_overflows_into_expired() {
        for now in [i64::MIN, -1, 0, 1, i64::MAX] {
            for stamp in [i64::MIN, -1, 0, 1, i64::MAX] {
                for duration in [1, i64::MAX - 1, i64::MAX] {
                    let expired = i128::from(stamp) + i128::from(duration) <= i128::from(now);
                    let found = expiry(duration).cutoff(now).includes(stamp);
                    assert_eq!(found, expired, "{stamp} + {duration} <= {now}");
                }
            }
        }
    }

    #[test]
    fn a_pass_is_due_when_something_may_have_expired() {
        let mut passes = Passes::new();
        assert!(passes.is_under_way(7));
        passes.meet(Some(60));
        passes.meet(None);
        passes.meet(Some(90));
        assert!(passes.is_under_way(8));
        passes.end(expiry(100));
        assert!(!passes.is_under_way(59));
        assert!(passes.is_under_way(60));
        passes.end(expiry(100));
        assert!(!passes.is_under_way(159));
        assert!(passes.is_under_way(160));
        passes.end(expiry(i64::MAX));
        assert!(!passes.is_under_way(i64::MAX), "nothing expires");
        let mut passes = Passes::new();
        assert!(passes.is_under_way(7));
        passes.end(Expiry { domain: TimeDomain::Event, duration_ms: 100 });
        assert!(!passes.is_under_way(7) && passes.is_under_way(8));
    }

    #[test]
    fn a_pass_at_the_end_of_time_is_the_last() {
        let mut passes = Passes::new();
        assert!(passes.is_under_way(0));
        passes.end(expiry(i64::MAX));
        assert!(passes.is_under_way(i64::MAX));
        passes.meet(Some(i64::MAX));
        passes.end(expiry(100));
        assert!(!passes.is_under_way(i64::MAX));
    }
}
