//! Sizes of a state, as a whole and by key group.

use std::collections::BTreeSet;

use holdwater::manifest::{Chain, PartShape, StateEntry};
use holdwater::storage::ObjectId;

/// How much one key group, or a state as a whole, holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Size {
    /// The rows its parts put: values, items and fields. An upper bound where there are deltas.
    pub(super) rows: u64,
    /// The bytes of its parts.
    pub(super) bytes: u64,
    /// How many parts it has.
    pub(super) parts: u64,
    /// Whether any of them is a delta, so that a row may be put more than once.
    pub(super) has_deltas: bool,
    /// The files that they lie in.
    pub(super) files: BTreeSet<ObjectId>,
}

impl Size {
    /// Measures a key group.
    pub(super) fn of_chain(chain: &Chain) -> Self {
        let mut size = Self::default();
        for part in &chain.parts {
            size.rows = size.rows.saturating_add(part.rows);
            size.bytes = size.bytes.saturating_add(part.length);
            size.parts += 1;
            size.has_deltas |= matches!(part.shape, PartShape::Delta { .. });
            size.files.insert(part.file);
        }
        size
    }

    /// Measures a state.
    pub(super) fn of_state(state: &StateEntry) -> Self {
        let mut size = Self::default();
        let mut seen = BTreeSet::new();
        for chain in &state.chains {
            // Tasks share the part of a copy that they have in common.
            if chain.parts.iter().any(|part| seen.insert((part.file, part.offset))) {
                size.add(Self::of_chain(chain));
            }
        }
        size
    }

    /// Adds what something else holds.
    pub(super) fn add(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.parts += other.parts;
        self.has_deltas |= other.has_deltas;
        self.files.extend(other.files);
    }
}

/// How a number is spread over all key groups, those without rows among them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) min: u64,
    pub(super) median: u64,
    pub(super) max: u64,
    /// How many times the mean the largest is: 1 if all are alike.
    pub(super) skew: f64,
}

impl Spread {
    /// Tells how `numbers` are spread over `groups` groups; of the others each has 0.
    pub(super) fn of(numbers: impl Iterator<Item = u64>, groups: u16) -> Self {
        let mut all: Vec<u64> = numbers.collect();
        all.resize(usize::from(groups).max(all.len()), 0);
        all.sort_unstable();
        let sum: u128 = all.iter().map(|number| u128::from(*number)).sum();
        let at = |place: usize| all.get(place).copied().unwrap_or(0);
        let max = at(all.len().saturating_sub(1));
        let mean = sum as f64 / all.len().max(1) as f64;
        let skew = if sum == 0 { 1.0 } else { max as f64 / mean };
        Self { min: at(0), median: at(all.len() / 2), max, skew }
    }
}

/// Returns the key groups that hold the most bytes, the largest first.
pub(super) fn largest(state: &StateEntry, count: usize) -> Vec<(u16, Size)> {
    let mut groups: Vec<_> =
        state.chains.iter().map(|chain| (chain.group, Size::of_chain(chain))).collect();
    groups.sort_by_key(|(group, size)| (std::cmp::Reverse(size.bytes), *group));
    groups.truncate(count);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_without_rows_count_in_the_spread() {
        let spread = Spread::of([10, 30].into_iter(), 4);
        assert_eq!(spread, Spread { min: 0, median: 10, max: 30, skew: 3.0 });
        let even = Spread::of([5; 3].into_iter(), 3);
        assert_eq!(even, Spread { min: 5, median: 5, max: 5, skew: 1.0 });
        let empty = Spread::of([].into_iter(), 2);
        assert_eq!(empty, Spread { min: 0, median: 0, max: 0, skew: 1.0 });
    }
}
