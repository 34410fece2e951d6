//! Which groups changed since which checkpoint. A group without rows needs no mark: it is empty.

use heapless::Vec;
use holdwater::key::KeyGroups;
use holdwater::state::Cut;

use crate::FixedError;

/// When each of up to `G` groups changed last, in freezes.
///
/// A mark is never taken back: whatever became of a checkpoint, a later delta on an older base
/// finds every change since that base.
#[derive(Clone, Debug)]
pub(crate) struct Changes<const G: usize> {
    /// How many freezes there were, plus one: 0 is for groups that never changed.
    now: u64,
    changed: Vec<u64, G>,
    freezes: Vec<Freeze, FREEZES_MAX>,
}

/// A freeze that a delta may stand on.
#[derive(Clone, Debug)]
struct Freeze {
    checkpoint: u64,
    at: u64,
    completed: bool,
}

impl<const G: usize> Changes<G> {
    pub(crate) fn new(groups: KeyGroups) -> Result<Self, FixedError> {
        let owned = groups.count();
        let mut changed = Vec::new();
        changed.resize(owned, 0).map_err(|_| FixedError::Groups { owned, limit: G })?;
        Ok(Self { now: 1, changed, freezes: Vec::new() })
    }

    /// Takes note that the group at `position` changed.
    pub(crate) fn touch(&mut self, position: usize) {
        self.changed[position] = self.now;
    }

    /// Takes note of a freeze; returns the moment of its base, if that is known.
    pub(crate) fn freeze(&mut self, cut: &Cut) -> Option<u64> {
        let base = self.freezes.iter().rev();
        let mut base =
            base.filter(|freeze| freeze.completed && Some(freeze.checkpoint) == cut.base);
        let base = base.next().map(|freeze| freeze.at);
        self.add(cut.checkpoint, false);
        base
    }

    /// Takes note that all changes so far are those of the completed `checkpoint`.
    pub(crate) fn loaded(&mut self, checkpoint: u64) {
        self.add(checkpoint, true);
    }

    pub(crate) fn completed(&mut self, checkpoint: u64) {
        let mut freezes = self.freezes.iter_mut().rev();
        if let Some(freeze) = freezes.find(|freeze| freeze.checkpoint == checkpoint) {
            freeze.completed = true;
        }
    }

    pub(crate) fn aborted(&mut self, checkpoint: u64) {
        self.freezes.retain(|freeze| freeze.completed || freeze.checkpoint != checkpoint);
    }

    /// Returns whether the group at `position` changed after the moment `base`.
    pub(crate) fn since(&self, base: u64, position: usize) -> bool {
        self.changed[position] > base
    }

    fn add(&mut self, checkpoint: u64, completed: bool) {
        if self.freezes.is_full() {
            // A base that is forgotten costs a full part, and nothing else.
            self.freezes.remove(0);
        }
        let freeze = Freeze { checkpoint, at: self.now, completed };
        self.freezes.push(freeze).expect("room was made");
        self.now += 1;
    }
}

/// How many freezes are remembered: the base, and those whose outcome is not known.
const FREEZES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const fn cut(checkpoint: u64, base: Option<u64>) -> Cut {
        Cut { checkpoint, base, now: 0, watermark: 0 }
    }

    #[test]
    fn a_base_that_was_forgotten_is_unknown_and_newer_ones_are_not() {
        let mut changes = Changes::<4>::new(KeyGroups::all(4)).unwrap();
        for checkpoint in 1..=FREEZES_MAX as u64 + 1 {
            assert_eq!(changes.freeze(&cut(checkpoint, None)), None);
            changes.completed(checkpoint);
        }
        changes.touch(2);
        let base = changes.freeze(&cut(100, Some(9))).unwrap();
        assert_eq!([0, 1, 2, 3].map(|at| changes.since(base, at)), [false, false, true, false]);
        assert_eq!(changes.freeze(&cut(101, Some(1))), None);
    }

    #[test]
    fn an_aborted_checkpoint_is_no_base_and_takes_no_place() {
        let mut changes = Changes::<1>::new(KeyGroups::all(1)).unwrap();
        changes.loaded(1);
        for checkpoint in 2..50 {
            changes.touch(0);
            assert!(changes.freeze(&cut(checkpoint, Some(1))).is_some());
            changes.aborted(checkpoint);
        }
        assert_eq!(changes.freeze(&cut(50, Some(49))), None);
    }
}
