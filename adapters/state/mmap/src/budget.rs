//! The memory that all states of a store share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use holdwater::state::Name;

use crate::error::MmapError;

/// What the states of one store may take together in memory, and what they take.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

/// The part of the budget that one state takes; it is given back when the state is dropped.
///
/// What a state keeps for its tail is its own from the start, so that no other state can leave it
/// without. Beyond that its tail borrows what is free, and is sealed early when little is.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    name: Name,
    kept: usize,
    taken: usize,
}

/// What a snapshot holds of memory that the state has let go; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    budget: Arc<Budget>,
    bytes: AtomicUsize,
}

impl Budget {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes up to `kept` bytes for a tail, as far as there is a bound that others could reach.
    pub(crate) fn share(self: &Arc<Self>, name: Name, kept: usize) -> Share {
        let left = self.limit.saturating_sub(self.used());
        let is_bounded = self.limit < usize::MAX;
        let kept = if is_bounded { kept.min(self.limit / 64).min(left / 4) } else { 0 };
        self.used.fetch_add(kept, Ordering::Relaxed);
        Share { budget: self.clone(), name, kept, taken: kept }
    }
}

impl Share {
    /// Returns whether a tail of `bytes` bytes takes what others may need: it is to be sealed.
    pub(crate) fn is_short(&self, tail: usize, growth: usize) -> bool {
        let borrowed = (tail + growth).saturating_sub(self.kept.max(tail));
        let enough = self.budget.limit - self.budget.limit / 16;
        borrowed > 0 && self.budget.used().saturating_add(borrowed) > enough
    }

    /// Lets a write begin, unless more than the budget is in use.
    pub(crate) fn admit(&self) -> Result<(), MmapError> {
        if self.budget.used() <= self.budget.limit {
            return Ok(());
        }
        Err(MmapError::Full {
            state: self.name.as_str().into(),
            bytes: self.budget.used() as u64,
            budget: self.budget.limit as u64,
        })
    }

    /// Returns whether more than the budget is in use.
    pub(crate) fn is_over(&self) -> bool {
        self.budget.used() > self.budget.limit
    }

    /// Takes note of what the state takes now.
    pub(crate) fn set(&mut self, tail: usize, other: usize) {
        let taken = tail.max(self.kept) + other;
        let more = taken.wrapping_sub(self.taken);
        self.taken = taken;
        if more != 0 {
            // Adds a negative number as its complement.
            self.budget.used.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Begins to count what a snapshot holds.
    pub(crate) fn hold(&self) -> Hold {
        Hold { budget: self.budget.clone(), bytes: AtomicUsize::new(0) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

impl Hold {
    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.budget.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}
