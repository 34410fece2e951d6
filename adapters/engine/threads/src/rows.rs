//! Counts the rows that all sources have read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many rows were read, and at which number a checkpoint is due; clones share both.
#[derive(Clone, Debug)]
pub(crate) struct RowCount {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    rows: AtomicU64,
    due: AtomicU64,
}

impl RowCount {
    /// Counts from 0; nothing is due.
    pub(crate) fn new() -> Self {
        let (rows, due) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Self { shared: Arc::new(Shared { rows, due }) }
    }

    /// Counts `rows`; returns whether these have made a checkpoint due.
    pub(crate) fn add(&self, rows: u64) -> bool {
        // The two counters are independent of each other and of any other memory: a checkpoint
        // that is noticed a batch late is as good.
        let before = self.shared.rows.fetch_add(rows, Ordering::Relaxed);
        let due = self.shared.due.load(Ordering::Relaxed);
        before < due && due <= before + rows
    }

    /// Returns how many rows were read.
    pub(crate) fn get(&self) -> u64 {
        self.shared.rows.load(Ordering::Relaxed)
    }

    /// Returns whether a checkpoint is due.
    pub(crate) fn is_due(&self) -> bool {
        self.get() >= self.shared.due.load(Ordering::Relaxed)
    }

    /// Makes a checkpoint due once `rows` rows were read.
    pub(crate) fn set_due(&self, rows: u64) {
        self.shared.due.store(rows, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_falls_due_once_at_its_row() {
        let rows = RowCount::new();
        assert!(!rows.add(10) && !rows.is_due());
        rows.set_due(15);
        assert!(!rows.add(4));
        assert!(rows.add(3) && rows.is_due());
        assert!(!rows.add(3), "told once");
        assert_eq!(rows.get(), 20);
    }
}
