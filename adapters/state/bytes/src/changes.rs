//! Which rows changed since which checkpoint.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use holdwater::state::Cut;

/// When each row changed last, in freezes, as far back as a delta may ask.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// How many bytes of rows may be held, and are.
    bytes_max: usize,
    bytes: usize,
    /// How many freezes there were.
    now: u64,
    changed: BTreeMap<Vec<u8>, u64>,
    /// The newest that was completed, and those behind it whose outcome is not known.
    freezes: Vec<Freeze>,
}

#[derive(Clone, Copy, Debug)]
struct Freeze {
    checkpoint: u64,
    at: u64,
    completed: bool,
}

impl Changes {
    /// Knows of no freeze, and will hold up to so many bytes.
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, now: 0, changed: BTreeMap::new(), freezes: Vec::new() }
    }

    /// Takes note that a row changed, or is gone.
    pub(crate) fn touch(&mut self, row: &[u8]) {
        // Before the first freeze nothing can be asked for.
        if self.freezes.is_empty() {
            return;
        }
        match self.changed.get_mut(row) {
            Some(at) => *at = self.now,
            None => {
                self.bytes += row.len() + ENTRY_BYTES;
                self.changed.insert(row.into(), self.now);
            }
        }
        if self.bytes > self.bytes_max {
            // Without a freeze there is no base: the next checkpoint is a full one.
            self.freezes.clear();
            self.forget();
        }
    }

    /// Takes note of a freeze; returns the rows that changed since its base, if that is known.
    pub(crate) fn freeze(&mut self, cut: &Cut) -> Option<BTreeSet<Vec<u8>>> {
        let is_base = |freeze: &&Freeze| freeze.completed && Some(freeze.checkpoint) == cut.base;
        let base = self.freezes.iter().rev().find(is_base).map(|freeze| freeze.at);
        let since = |base: u64| {
            let rows = self.changed.iter().filter(|(_, at)| **at > base);
            rows.map(|(row, _)| row.clone()).collect()
        };
        let rows = base.map(since);
        self.add(cut.checkpoint, false);
        rows
    }

    /// Takes note that the rows as they are now are those of the completed `checkpoint`.
    pub(crate) fn loaded(&mut self, checkpoint: u64) {
        self.add(checkpoint, true);
        self.forget();
    }

    pub(crate) fn completed(&mut self, checkpoint: u64) {
        let mut freezes = self.freezes.iter_mut().rev();
        if let Some(freeze) = freezes.find(|freeze| freeze.checkpoint == checkpoint) {
            freeze.completed = true;
        }
        self.forget();
    }

    pub(crate) fn aborted(&mut self, checkpoint: u64) {
        self.freezes.retain(|freeze| freeze.completed || freeze.checkpoint != checkpoint);
        self.forget();
    }

    fn add(&mut self, checkpoint: u64, completed: bool) {
        self.freezes.push(Freeze { checkpoint, at: self.now, completed });
        self.now += 1;
    }

    /// Forgets what stands before the newest completed freeze, and the changes nobody asks for.
    fn forget(&mut self) {
        if let Some(newest) = self.freezes.iter().rposition(|freeze| freeze.completed) {
            self.freezes.drain(..newest);
        }
        match self.freezes.first().copied() {
            Some(first) => self.changed.retain(|_, at| *at > first.at),
            None => self.changed.clear(),
        }
        self.bytes = self.changed.keys().map(|row| row.len() + ENTRY_BYTES).sum();
    }
}

/// What a row takes in the tree beside its bytes, about.
const ENTRY_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    const fn cut(checkpoint: u64, base: Option<u64>) -> Cut {
        Cut { checkpoint, base, now: 0, watermark: 0 }
    }

    #[test]
    fn changes_that_no_delta_can_ask_for_are_forgotten() {
        let mut changes = Changes::new(usize::MAX);
        changes.touch(b"before the first freeze");
        assert!(changes.changed.is_empty());
        changes.freeze(&cut(1, None));
        changes.touch(b"a");
        changes.freeze(&cut(2, None));
        changes.touch(b"b");
        changes.completed(1);
        assert_eq!(changes.changed.len(), 2);
        changes.completed(2);
        assert_eq!((changes.changed.len(), changes.freezes.len()), (1, 1));
        assert_eq!(changes.freeze(&cut(3, Some(2))), Some(BTreeSet::from([b"b".to_vec()])));
        changes.completed(3);
        assert!(changes.changed.is_empty());
        assert_eq!(changes.freeze(&cut(4, Some(2))), None);
    }

    #[test]
    fn changes_are_kept_for_a_checkpoint_that_may_still_complete() {
        let mut changes = Changes::new(usize::MAX);
        changes.freeze(&cut(1, None));
        changes.touch(b"a");
        changes.freeze(&cut(2, None));
        changes.aborted(2);
        changes.touch(b"b");
        changes.completed(1);
        let both = BTreeSet::from([b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(changes.freeze(&cut(3, Some(1))), Some(both));
    }

    #[test]
    fn more_changes_than_may_be_held_are_forgotten_with_their_base() {
        let mut changes = Changes::new(2 * (ENTRY_BYTES + 1));
        changes.loaded(1);
        changes.touch(b"a");
        changes.touch(b"b");
        changes.touch(b"a");
        assert_eq!(changes.changed.len(), 2);
        changes.touch(b"c");
        assert_eq!((changes.changed.len(), changes.bytes), (0, 0));
        assert_eq!(changes.freeze(&cut(2, Some(1))), None);
        changes.completed(2);
        changes.touch(b"d");
        assert_eq!(changes.freeze(&cut(3, Some(2))), Some(BTreeSet::from([b"d".to_vec()])));
    }

    #[test]
    fn without_a_checkpoint_that_may_complete_nothing_is_kept() {
        let mut changes = Changes::new(usize::MAX);
        changes.freeze(&cut(1, None));
        changes.touch(b"a");
        changes.aborted(1);
        changes.touch(b"b");
        assert!(changes.changed.is_empty());
        assert_eq!(changes.freeze(&cut(2, Some(1))), None);
    }
}
