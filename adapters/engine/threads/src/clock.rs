//! The time of day, for what is shown and for what expires by it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the milliseconds since 1970 UTC; 0 for a clock that is before it.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time of day for what expires by it: it never goes back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    latest: i64,
}

impl Clock {
    /// Returns the milliseconds since 1970 UTC.
    pub(crate) fn now(&mut self) -> i64 {
        self.latest = self.latest.max(i64::try_from(now_ms()).unwrap_or(i64::MAX));
        self.latest
    }
}
