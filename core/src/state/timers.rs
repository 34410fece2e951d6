//! Timers per key: a set of (time, key), in the snapshot like a map from times to nothing.

use core::fmt;
use core::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Kind, State};
use crate::key::{At, Key, KeyGroup};

/// Which time a timer waits for, or rows expire by. Codes are format (docs/format.md 5.1).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum TimeDomain {
    /// The watermark.
    Event,
    /// The time of processing.
    Processing,
}

impl TimeDomain {
    /// Returns the kind of timers of this domain: those of one are not restored as the other's.
    pub const fn timers(self) -> Kind {
        match self {
            Self::Event => Kind::Timers,
            Self::Processing => Kind::ProcessingTimers,
        }
    }

    /// Returns the code of the domain in a file.
    pub const fn code(self) -> u8 {
        match self {
            Self::Event => 1,
            Self::Processing => 2,
        }
    }

    /// Returns the domain that `code` stands for.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Event),
            2 => Some(Self::Processing),
            _ => None,
        }
    }
}

impl fmt::Display for TimeDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "event time",
            Self::Processing => "processing time",
        })
    }
}

/// A timer that fired.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Timer<K> {
    /// When it was due, in milliseconds since 1970 UTC.
    pub time: i64,
    /// The key it was registered under.
    pub key: K,
}

/// Timers per key. Times are milliseconds since 1970 UTC; which clock they follow is the domain's.
pub trait Timers<K: Key>: State {
    /// Registers a timer; returns whether it is new. One key and time is one timer.
    fn register(&mut self, at: At<'_, K>, time: i64) -> Result<bool, Self::Error>;

    /// Deletes a timer; returns whether it was there.
    fn delete(&mut self, at: At<'_, K>, time: i64) -> Result<bool, Self::Error>;

    /// Visits every timer of `group`, in no particular order.
    fn visit(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&K, i64) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Returns the earliest time at which a timer is due: when to look again, and for timers of the
    /// time of processing the one alarm to be set.
    fn next(&self) -> Result<Option<i64>, Self::Error>;

    /// Takes out the earliest timer due at `now` or before, ordered by time, then by encoded key.
    ///
    /// One timer a call: the caller bounds its own work, and may register or delete in between.
    fn take(&mut self, now: i64) -> Result<Option<Timer<K>>, Self::Error>;
}
