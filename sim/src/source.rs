//! A source: reads its log from wherever it is told to, and cuts it by barriers.

use holdwater::barrier::Barrier;
use holdwater::checkpoint::Report;
use holdwater::manifest::SourceEntry;
use holdwater::planted::planted;

/// A source.
#[derive(Clone, Debug)]
pub struct Source {
    index: usize,
    epoch: u64,
    /// The place of the next record.
    position: u32,
    /// The newest checkpoint whose barrier it sent.
    newest: u64,
    /// It told the tasks that nothing follows.
    pub ended: bool,
}

impl Source {
    /// Begins to read at `position`.
    pub const fn new(index: usize, epoch: u64, position: u32) -> Self {
        Self { index, epoch, position, newest: 0, ended: false }
    }

    /// Returns the place of the next record.
    pub const fn position(&self) -> u32 {
        self.position
    }

    /// Returns its number.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Goes on to the next record.
    pub const fn advance(&mut self) {
        self.position += 1;
    }

    /// Takes the order to send a barrier: returns its report, unless the order is obsolete, comes
    /// again, or is of another start of the job.
    pub fn trigger(&mut self, barrier: &Barrier) -> Option<Report> {
        if barrier.id.epoch != self.epoch || barrier.id.checkpoint <= self.newest {
            return None;
        }
        self.newest = barrier.id.checkpoint;
        let mut position = self.position;
        if planted(12) {
            position += 1;
        }
        if planted(27) {
            position = position.saturating_sub(1);
        }
        let name = format!("log {}", self.index);
        let entry = SourceEntry { name, position: position.to_le_bytes().to_vec() };
        Some(Report { sources: vec![entry], ..Report::default() })
    }
}

/// Returns the positions in a checkpoint's sources, in their order.
pub fn positions(sources: &[SourceEntry]) -> Option<Vec<u32>> {
    let place =
        |source: &SourceEntry| source.position.as_slice().try_into().ok().map(u32::from_le_bytes);
    sources.iter().map(place).collect()
}
