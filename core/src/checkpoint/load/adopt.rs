//! Parts that a store takes as they lie.

use alloc::string::ToString;

use crate::key::KeyGroup;
use crate::snapshot::PartEntry;
use crate::state::{LoadError, PlacedPart, Shape, State};
use crate::storage::{ObjectId, Storage};

/// Offers a part to the store as it lies; returns whether it took it.
pub(super) fn adopt<B: Storage, S: State>(
    mut storage: B,
    (id, hash): (ObjectId, u128),
    part: &PartEntry,
    state: &mut S,
) -> Result<bool, LoadError<S::Error>> {
    if part.shape != Shape::Full {
        return Ok(false);
    }
    let Some(file) = storage.native(id) else { return Ok(false) };
    let PartEntry { offset, length, rows, digest, .. } = *part;
    let name = id.to_string();
    let placed = PlacedPart { file: &*file, name: &name, hash, offset, length, rows, digest };
    state.adopt(KeyGroup::new(part.group), &placed)
}
