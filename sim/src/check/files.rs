//! No file is removed that a checkpoint needs.

use holdwater::manifest::CheckpointId;
use holdwater::storage::{Area, ObjectId, ObjectKind};

use super::{Check, Violation};
use crate::setting::Setting;

/// Checks a removal just before it is done.
pub fn before_removal(setting: &mut Setting, id: ObjectId) -> Result<(), Violation> {
    match id.kind {
        ObjectKind::Data => data(setting, id),
        ObjectKind::Manifest => manifest(setting, id),
        ObjectKind::Draft => Ok(()),
        ObjectKind::Claim | ObjectKind::Record => {
            Err(Check::Files.violated(format!("{id} is about to be removed")))
        }
    }
}

/// No manifest names the file: none that is there, and none that a power loss may bring back.
fn data(setting: &mut Setting, id: ObjectId) -> Result<(), Violation> {
    let (disk, witness) = setting.watch();
    for manifest in disk.lingering_names(Area::Manifests) {
        let Some(bytes) = disk.lingering_content(manifest) else { continue };
        let Some(names) = witness.manifest(manifest, bytes) else { continue };
        if names.files.iter().any(|file| file.id == id) {
            let found = format!("{id} is about to be removed, and {manifest} names it");
            return Err(Check::Files.violated(found));
        }
    }
    Ok(())
}

/// The checkpoint is none of those to be retained, and is no longer asked for.
fn manifest(setting: &mut Setting, id: ObjectId) -> Result<(), Violation> {
    let Some(checkpoint) = CheckpointId::of_manifest(id) else { return Ok(()) };
    let witness = &mut setting.witness;
    if witness.required(setting.config.shape.retain).contains(&checkpoint) {
        let found = format!("{id} is about to be removed, and is to be retained");
        return Err(Check::Files.violated(found));
    }
    witness.completed.retain(|completed| *completed != checkpoint);
    Ok(())
}
