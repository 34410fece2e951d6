//! A directory of checkpoints as tools read it: nothing is locked, and a job may go on meanwhile.

use std::path::Path;

use crate::failure::Failure;
use crate::place::{Place, PlaceError};
use holdwater::checkpoint::{Lineage, Living};
use holdwater::manifest::{CheckpointId, Manifest, decode_record};
use holdwater::page::ReadAt;
use holdwater::storage::{Area, Failure as StorageFailure, ObjectId, ObjectKind, Storage};

/// Why an object cannot be read.
pub type Unread = StorageFailure<PlaceError>;

/// Opens a directory of checkpoints that is there.
pub fn open(directory: &Path) -> Result<Place, Failure> {
    Place::open_existing(directory)
}

/// Lists the objects of an area.
pub fn list(files: &mut Place, area: Area) -> Result<Vec<ObjectId>, Failure> {
    let mut found = Vec::new();
    files.list(area, &mut |id| found.push(id)).map_err(|error| Failure::Data(error.to_string()))?;
    found.sort_unstable();
    Ok(found)
}

/// Lists the checkpoints that are complete, newest first.
pub fn checkpoints(files: &mut Place) -> Result<Vec<CheckpointId>, Failure> {
    let found = list(files, Area::Manifests)?;
    let mut ids: Vec<_> = found.into_iter().filter_map(CheckpointId::of_manifest).collect();
    ids.sort_unstable_by_key(|id| std::cmp::Reverse((id.epoch, id.checkpoint)));
    Ok(ids)
}

/// Reads an object whole.
pub fn whole(files: &mut Place, id: ObjectId) -> Result<Vec<u8>, Unread> {
    let length = usize::try_from(files.length(id)?).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    // A length that no memory holds is that of a broken file.
    if bytes.try_reserve_exact(length).is_err() {
        return Err(Unread::Missing(id));
    }
    bytes.resize(length, 0);
    let read = files.read(id, 0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Finds which checkpoints a job would go on from: those that its newest epoch descends from.
///
/// Records that cannot be read are passed over, since manifests say the same again.
pub fn living<'m>(
    files: &mut Place,
    manifests: impl IntoIterator<Item = &'m Manifest>,
) -> Result<Living, Failure> {
    let mut lineage = Lineage::new();
    for id in list(files, Area::Epochs)?.into_iter().filter(|id| id.kind == ObjectKind::Record) {
        let record = whole(files, id).ok().and_then(|bytes| decode_record(id.epoch, &bytes).ok());
        if let Some(origin) = record {
            lineage.insert(id.epoch, origin);
        }
    }
    for manifest in manifests {
        lineage.insert(manifest.id.epoch, manifest.origin);
    }
    Ok(lineage.living())
}

/// A snapshot file of a directory, open for as long as this lives, even if its name goes.
#[derive(Debug)]
pub struct Object {
    files: Place,
    id: ObjectId,
}

impl Object {
    /// Names an object of a place; nothing is read yet.
    pub fn new(files: &Place, id: ObjectId) -> Self {
        Self { files: files.clone(), id }
    }
}

impl ReadAt for Object {
    type Error = Unread;

    fn length(&mut self) -> Result<u64, Unread> {
        self.files.length(self.id)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Unread> {
        self.files.read(self.id, offset, buffer)
    }
}
