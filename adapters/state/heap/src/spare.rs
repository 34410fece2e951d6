//! Segments that a snapshot has let go, kept for the copies that the next one will need.
//!
//! A copy into fresh memory costs several times one into memory that was used before, and returning
//! much memory at once stops the owner.

use alloc::vec::Vec;

use crate::row::Segment;

/// Empty segments, at most as many as the last two snapshots made their owner copy.
#[derive(Debug)]
pub(crate) struct Spares<K, P> {
    segments: Vec<Segment<K, P>>,
    /// How many segments were copied since the last freeze, and between the two before.
    copied: usize,
    copied_before: usize,
}

impl<K: Clone, P: Clone> Spares<K, P> {
    pub(crate) const fn new() -> Self {
        Self { segments: Vec::new(), copied: 0, copied_before: 0 }
    }

    /// Takes note of a freeze.
    pub(crate) const fn freeze(&mut self) {
        self.copied_before = self.copied;
        self.copied = 0;
    }

    /// Returns a copy of `segment`, in a spare one if there is any.
    pub(crate) fn copy(&mut self, segment: &Segment<K, P>, table: &mut isize) -> Segment<K, P> {
        self.copied += 1;
        let mut copy = self.segments.pop().unwrap_or_default();
        *table -= copy.allocation_size().cast_signed();
        copy.clone_from(segment);
        *table += copy.allocation_size().cast_signed();
        copy
    }

    /// Takes a segment that nobody needs; keeps its memory, or frees it.
    pub(crate) fn take(&mut self, mut segment: Segment<K, P>, table: &mut isize) {
        if self.excess() < 0 {
            segment.clear();
            self.segments.push(segment);
        } else {
            *table -= segment.allocation_size().cast_signed();
        }
    }

    /// Frees up to `count` segments beyond those that are worth keeping; returns whether it did.
    pub(crate) fn trim(&mut self, count: usize, table: &mut isize) -> bool {
        self.free(usize::try_from(self.excess()).unwrap_or(0).min(count), table)
    }

    /// Frees up to `count` segments; returns whether it did.
    pub(crate) fn free(&mut self, count: usize, table: &mut isize) -> bool {
        let rest = self.segments.len().saturating_sub(count);
        let freed = self.segments.drain(rest..);
        *table -=
            freed.as_slice().iter().map(Segment::allocation_size).sum::<usize>().cast_signed();
        freed.len() > 0
    }

    fn excess(&self) -> isize {
        let worth = self.copied.max(self.copied_before);
        self.segments.len().cast_signed() - worth.cast_signed()
    }
}
