//! The memory that all states of a store share, counted byte by byte where it can be.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use holdwater::state::Name;

use crate::error::HeapError;

/// What the states of one store may take together, and what they take.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// What a write changed in what a state takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    /// Bytes of tables.
    pub(crate) table: isize,
    /// Bytes that values own beside the table.
    pub(crate) owned: isize,
    /// Bytes that values own in copies which a snapshot may still hold.
    pub(crate) held: isize,
}

/// The part of the budget that one state takes; it is given back when the state is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    name: Name,
    table: usize,
    owned: usize,
    held: usize,
}

impl Share {
    pub(crate) const fn new(budget: Arc<Budget>, name: Name) -> Self {
        Self { budget, name, table: 0, owned: 0, held: 0 }
    }

    /// Lets a write begin, unless more than the budget is in use.
    ///
    /// What the write needs is not known before; so one value may exceed the budget.
    #[inline]
    pub(crate) fn admit(&self) -> Result<(), HeapError> {
        if self.budget.used() > self.budget.limit { Err(self.full()) } else { Ok(()) }
    }

    #[inline]
    pub(crate) fn apply(&mut self, meter: Meter) {
        let sum = meter.table + meter.owned + meter.held;
        self.table = self.table.wrapping_add_signed(meter.table);
        self.owned = self.owned.wrapping_add_signed(meter.owned);
        self.held = self.held.wrapping_add_signed(meter.held);
        if sum != 0 {
            // Adds a negative number as its complement.
            self.budget.used.fetch_add(sum.cast_unsigned(), Ordering::Relaxed);
        }
    }

    /// No snapshot holds a copy any more.
    pub(crate) fn release_held(&mut self) {
        let held = self.held.cast_signed();
        self.apply(Meter { held: -held, ..Meter::default() });
    }

    /// Gives all back: the state is empty.
    pub(crate) fn release(&mut self) {
        self.budget.used.fetch_sub(self.bytes(), Ordering::Relaxed);
        (self.table, self.owned, self.held) = (0, 0, 0);
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.table + self.owned + self.held
    }

    #[cold]
    fn full(&self) -> HeapError {
        HeapError::Full {
            state: self.name.as_str().into(),
            bytes: self.bytes() as u64,
            used: self.budget.used() as u64,
            budget: self.budget.limit as u64,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}
