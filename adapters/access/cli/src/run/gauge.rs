//! How far an input is read, told by the thread that reads it to the one that shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes read of an input, and all it has where that is known; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Gauge {
    read: Arc<AtomicU64>,
    all: Option<u64>,
}

impl Gauge {
    /// Begins at 0, of an input of so many bytes; none for a pipe.
    pub(super) fn new(all: Option<u64>) -> Self {
        Self { read: Arc::default(), all }
    }

    /// Takes note of the bytes read so far.
    pub(super) fn set(&self, read: u64) {
        // It stands for itself: no other memory depends on it.
        self.read.store(read, Ordering::Relaxed);
    }

    /// Returns the percentage of all inputs that is read, if the size of each is known.
    pub(super) fn percent(gauges: &[Self]) -> Option<u64> {
        let all: u64 = gauges.iter().map(|gauge| gauge.all).sum::<Option<u64>>()?;
        let read: u64 = gauges.iter().map(|gauge| gauge.read.load(Ordering::Relaxed)).sum();
        // An input may grow while it is read.
        (read.min(all) as u128 * 100).checked_div(u128::from(all)).map(|percent| percent as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_all_inputs_together() {
        let gauges = [Gauge::new(Some(100)), Gauge::new(Some(300))];
        assert_eq!(Gauge::percent(&gauges), Some(0));
        gauges[1].clone().set(100);
        assert_eq!(Gauge::percent(&gauges), Some(25));
        gauges[1].set(900);
        assert_eq!(Gauge::percent(&gauges), Some(100));
        assert_eq!(Gauge::percent(&[Gauge::new(Some(0))]), None);
        assert_eq!(Gauge::percent(&[Gauge::new(Some(1)), Gauge::new(None)]), None);
    }
}
