//! States straight into one snapshot file and back, without an allocator: for jobs of one task.

mod load;
mod save;

pub use load::{LoadStatesError, load_states};
pub use save::{SaveStatesError, save_states};

use super::PartEntry;
use crate::key::KeyGroups;
use crate::page::BlockSize;
use crate::state::Shape;

/// Whose states they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Owner<'o> {
    /// The job, in every file: another number is another job.
    pub job: u128,
    /// The operator.
    pub operator: &'o str,
    /// The groups that its one task owns: all there are.
    pub groups: KeyGroups,
}

/// The memory that snapshots are written and read in where there is no allocator.
///
/// `BYTES` hold the state table of the file that is read, and behind it a row that spans two
/// blocks; `PARTS` are the parts of a file: a state has at most one for each group.
#[derive(Clone, Debug)]
pub struct Workspace<const BYTES: usize, const PARTS: usize> {
    block: [u8; BlockSize::SMALL.bytes()],
    bytes: [u8; BYTES],
    parts: [PartEntry; PARTS],
}

impl<const BYTES: usize, const PARTS: usize> Workspace<BYTES, PARTS> {
    /// Returns memory that nothing was written in.
    pub const fn new() -> Self {
        let nothing = PartEntry {
            state: 0,
            group: 0,
            shape: Shape::Empty,
            base: 0,
            offset: 0,
            length: 0,
            rows: 0,
            digest: 0,
        };
        let block = [0; BlockSize::SMALL.bytes()];
        Self { block, bytes: [0; BYTES], parts: [nothing; PARTS] }
    }

    /// Lends the memory, whatever its sizes.
    pub const fn lend(&mut self) -> WorkspaceLent<'_> {
        WorkspaceLent { block: &mut self.block, bytes: &mut self.bytes, parts: &mut self.parts }
    }
}

impl<const BYTES: usize, const PARTS: usize> Default for Workspace<BYTES, PARTS> {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Workspace`] on loan.
#[derive(Debug)]
pub struct WorkspaceLent<'w> {
    block: &'w mut [u8],
    bytes: &'w mut [u8],
    parts: &'w mut [PartEntry],
}

impl WorkspaceLent<'_> {
    /// Lends it on.
    pub const fn again(&mut self) -> WorkspaceLent<'_> {
        WorkspaceLent { block: self.block, bytes: self.bytes, parts: self.parts }
    }
}
