//! Rows of a group a piece at a time, while it changes between the pieces.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::ops::Bound;

use holdwater::key::Key;

use super::Group;
use crate::layer::{overflow_in, segment_in};
use crate::row::{Payload, Row};

impl<K: Key, P: Payload<K>> Group<K, P> {
    /// Returns how many segments there are. Rows move to a segment of a higher number, if at all.
    pub(crate) fn segments(&self) -> usize {
        self.depths.len()
    }

    /// Visits every row of the segment of that number.
    pub(crate) fn each_of(&self, number: usize, visit: impl FnMut(&Row<K, P>)) {
        segment_in(self.layers(), number).into_iter().flatten().for_each(visit);
    }

    /// Visits some of the rows that are in no segment, in the order of their encoded keys, from the
    /// one behind `last` on; returns the last of them.
    pub(crate) fn overflow_behind(
        &self,
        last: Option<&[u8]>,
        mut visit: impl FnMut(&Row<K, P>),
    ) -> Option<Box<[u8]>> {
        if self.overflowing == 0 {
            return None;
        }
        let from = (last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        // Each layer has some of the keys: the first of all are among the first of each.
        let first = |layer| -> &alloc::collections::BTreeMap<_, _> { layer };
        let keys: BTreeSet<&[u8]> = (self.layers())
            .flat_map(|layer| first(&layer.overflow).range::<[u8], _>(from).take(OVERFLOW_PIECE))
            .map(|(key, _)| &**key)
            .collect();
        let mut keys = keys.into_iter().take(OVERFLOW_PIECE).peekable();
        let mut last = None;
        while let Some(key) = keys.next() {
            overflow_in(self.layers(), key).into_iter().for_each(&mut visit);
            last = keys.peek().is_none().then(|| key.into());
        }
        last
    }
}

const OVERFLOW_PIECE: usize = 256;
