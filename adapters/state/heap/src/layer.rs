//! Layers: the segments of a group, the newest over those that snapshots hold.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem::size_of;
use core::ops::ControlFlow;

use crate::row::{Row, Segment};

/// The segments of a group, or those of them that were written since a freeze.
///
/// A layer hides what older layers have under the same number or key.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Layer<K, P> {
    /// By number; none where an older layer has it.
    pub(crate) segments: Vec<Option<Segment<K, P>>>,
    /// Rows whose segment is full and cannot be split, by encoded key; none where it is removed.
    pub(crate) overflow: BTreeMap<Box<[u8]>, Option<Row<K, P>>>,
}

impl<K, P> Layer<K, P> {
    pub(crate) const fn new() -> Self {
        Self { segments: Vec::new(), overflow: BTreeMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.overflow.is_empty()
    }

    /// Returns how many bytes the slots for segments take.
    pub(crate) fn slot_bytes(&self) -> usize {
        self.segments.capacity() * size_of::<Option<Segment<K, P>>>()
    }
}

/// Returns the segment of that number, from the newest of `layers` that has it.
#[inline]
pub(crate) fn segment_in<'l, K: 'l, P: 'l>(
    mut layers: impl Iterator<Item = &'l Layer<K, P>>,
    number: usize,
) -> Option<&'l Segment<K, P>> {
    layers.find_map(|layer| layer.segments.get(number)?.as_ref())
}

/// Returns the row of that key among those that no segment could take.
pub(crate) fn overflow_in<'l, K: 'l, P: 'l>(
    mut layers: impl Iterator<Item = &'l Layer<K, P>>,
    key: &[u8],
) -> Option<&'l Row<K, P>> {
    layers.find_map(|layer| layer.overflow.get(key))?.as_ref()
}

/// Visits every row of `layers`, newest layer first, which have `count` segments.
pub(crate) fn each_row<'l, K: 'l, P: 'l, B>(
    count: usize,
    layers: impl Iterator<Item = &'l Layer<K, P>> + Clone,
    mut visit: impl FnMut(&'l Row<K, P>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    for number in 0..count {
        if let Some(segment) = segment_in(layers.clone(), number) {
            segment.iter().try_for_each(&mut visit)?;
        }
    }
    for (above, layer) in layers.clone().enumerate() {
        for (key, row) in &layer.overflow {
            let hidden = layers.clone().take(above).any(|newer| newer.overflow.contains_key(key));
            if let (Some(row), false) = (row, hidden) {
                visit(row)?;
            }
        }
    }
    ControlFlow::Continue(())
}
