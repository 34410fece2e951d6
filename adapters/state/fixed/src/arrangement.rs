//! What the two kinds of map differ in: the order in which the fields of a key stand.

use core::cmp::Ordering;

use holdwater::key::{Key, OrderedKey};

/// What is kept beside a field to find it by.
pub trait Arrangement<F: Key>: Clone + Send + Sync + 'static {
    /// Returns what is kept beside a field.
    fn of(view: F::View<'_>) -> Self;

    /// Returns how `field`, which this is kept beside, stands to the field that `other` is of.
    fn compare(&self, field: &F, other: &Self, view: F::View<'_>) -> Ordering;
}

/// Fields stand in the order of their digests.
#[derive(Clone, Debug)]
pub struct ByDigest(u64);

/// Fields stand in their own order.
#[derive(Clone, Debug)]
pub struct ByOrder;

impl<F: Key> Arrangement<F> for ByDigest {
    fn of(view: F::View<'_>) -> Self {
        Self(F::digest(view))
    }

    fn compare(&self, _: &F, other: &Self, _: F::View<'_>) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<F: OrderedKey> Arrangement<F> for ByOrder {
    fn of(_: F::View<'_>) -> Self {
        Self
    }

    fn compare(&self, field: &F, _: &Self, view: F::View<'_>) -> Ordering {
        F::compare(field.view(), view)
    }
}
