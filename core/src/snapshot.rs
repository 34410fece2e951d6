//! Snapshot files: the rows of an operator's states, group by group, in parts that stand alone.
//!
//! ```text
//! snapshot := state-table part* index                 docs/format.md 5
//! part     := head rows tail                          rows of one state and one group
//! ```
//!
//! A part is full, or a delta that stands on the parts of an earlier checkpoint. Any store reads
//! the parts that any store wrote.

mod direct;
mod read;
mod table;
mod write;

#[cfg(feature = "alloc")]
mod file;
#[cfg(feature = "alloc")]
mod frozen;
#[cfg(feature = "alloc")]
mod inspect;
#[cfg(feature = "alloc")]
mod restamp;

pub use direct::{
    LoadStatesError, Owner, SaveStatesError, Workspace, WorkspaceLent, load_states, save_states,
};
#[cfg(feature = "alloc")]
pub use file::{Passage, Snapshot, SnapshotError};
#[cfg(feature = "alloc")]
pub use frozen::{FrozenStates, GroupReport, Portion, Saved, StateReport, freeze};
#[cfg(feature = "alloc")]
pub use inspect::{Mismatch, MismatchUnlike};
pub use read::{Expected, Loaded, PartError, load_part};
#[cfg(feature = "alloc")]
pub use restamp::Restamp;
pub use table::TableHead;
#[cfg(feature = "alloc")]
pub use table::{StateTable, TableEntry};
pub use write::{SnapshotWriter, WriteError};

use crate::codec::Reader;
use crate::error::{Fault, Malformed};
use crate::state::Shape;

/// The length of the head of a part in bytes.
pub const PART_HEAD_LEN: usize = 32;
/// The length of the tail of a part in bytes.
pub const PART_TAIL_LEN: usize = 24;
/// The length of one entry of the index in bytes.
pub const INDEX_ENTRY_LEN: usize = 56;

/// Where a part lies in its file and what it holds: an entry of the index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PartEntry {
    /// The number of the state in the state table of the file.
    pub state: u16,
    /// The group.
    pub group: u16,
    /// [`Shape::Full`] or [`Shape::Delta`].
    pub shape: Shape,
    /// The checkpoint that a delta stands on; 0 for a full part.
    pub base: u64,
    /// The offset of its first block.
    pub offset: u64,
    /// The length of its blocks, heads included.
    pub length: u64,
    /// How many values, items and fields it puts.
    pub rows: u64,
    /// Of a full part: the sum of the digests of its rows (docs/format.md 5.4); else 0.
    pub digest: u128,
}

impl PartEntry {
    fn encode(&self) -> [u8; INDEX_ENTRY_LEN] {
        let mut bytes = [0; INDEX_ENTRY_LEN];
        let mut rest: &mut [u8] = &mut bytes;
        for field in [
            &self.state.to_le_bytes()[..],
            &self.group.to_le_bytes(),
            &[shape_code(self.shape), 0, 0, 0],
            &self.base.to_le_bytes(),
            &self.offset.to_le_bytes(),
            &self.length.to_le_bytes(),
            &self.rows.to_le_bytes(),
            &self.digest.to_le_bytes(),
        ] {
            let (place, behind) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = behind;
        }
        bytes
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (state, group) = (reader.u16()?, reader.u16()?);
        let shape = shape_from(reader)?;
        Ok(Self {
            state,
            group,
            shape,
            base: reader.u64()?,
            offset: reader.u64()?,
            length: reader.u64()?,
            rows: reader.u64()?,
            digest: reader.u128()?,
        })
    }
}

/// Returns the code of a part's shape.
///
/// # Panics
///
/// If the shape is one that writes no part.
const fn shape_code(shape: Shape) -> u8 {
    match shape {
        Shape::Full => 1,
        Shape::Delta => 2,
        Shape::Empty | Shape::Unchanged => panic!("no part is written of an unchanged group"),
    }
}

/// Takes the code of a shape and the three zero bytes behind it.
fn shape_from(reader: &mut Reader<'_>) -> Result<Shape, Malformed> {
    let start = *reader;
    match reader.array()? {
        [1, 0, 0, 0] => Ok(Shape::Full),
        [2, 0, 0, 0] => Ok(Shape::Delta),
        _ => Err(start.fault(Fault::Range)),
    }
}

#[cfg(test)]
mod tests;
