//! When rows changed, counted in freezes, and which of them a delta can stand on.

use holdwater::state::Cut;

/// The freezes that a delta may yet ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freezes {
    /// How many freezes there were: what changes now changes before the one of that number.
    now: u32,
    /// The newest that was completed, and those behind it whose outcome is not known.
    open: Vec<Freeze>,
}

#[derive(Clone, Copy, Debug)]
struct Freeze {
    checkpoint: u64,
    at: u32,
    completed: bool,
}

impl Freezes {
    pub(crate) const fn now(&self) -> u32 {
        self.now
    }

    /// Returns whether a delta can be asked for: then what is removed must be remembered.
    pub(crate) const fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Returns from which number on changes matter to some delta.
    pub(crate) fn oldest(&self) -> u32 {
        self.open.first().map_or(u32::MAX, |freeze| freeze.at + 1)
    }

    /// Takes note of a freeze; returns the number of its base, if that is known: what changed
    /// since has a higher one.
    pub(crate) fn freeze(&mut self, cut: &Cut) -> Option<u32> {
        let is_base = |freeze: &&Freeze| freeze.completed && Some(freeze.checkpoint) == cut.base;
        let base = self.open.iter().rev().find(is_base).map(|freeze| freeze.at);
        self.add(cut.checkpoint, false);
        base
    }

    /// Takes note that the rows as they are now are those of the completed `checkpoint`.
    pub(crate) fn loaded(&mut self, checkpoint: u64) {
        self.add(checkpoint, true);
        self.forget();
    }

    pub(crate) fn completed(&mut self, checkpoint: u64) {
        let mut open = self.open.iter_mut().rev();
        if let Some(freeze) = open.find(|freeze| freeze.checkpoint == checkpoint) {
            freeze.completed = true;
        }
        self.forget();
    }

    pub(crate) fn aborted(&mut self, checkpoint: u64) {
        self.open.retain(|freeze| freeze.completed || freeze.checkpoint != checkpoint);
    }

    fn add(&mut self, checkpoint: u64, completed: bool) {
        self.open.push(Freeze { checkpoint, at: self.now, completed });
        self.now += 1;
    }

    /// Forgets what stands before the newest completed freeze.
    fn forget(&mut self) {
        if let Some(newest) = self.open.iter().rposition(|freeze| freeze.completed) {
            self.open.drain(..newest);
        }
    }
}
