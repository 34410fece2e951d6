//! Once quiet, the directory holds what is retained and no more.

use std::collections::BTreeSet;

use holdwater::storage::{Area, ObjectId, ObjectKind};

use super::{Check, Violation, manifests};
use crate::setting::Setting;

/// Checks that what this start of the job removed is gone, and its space free, once its clean-up
/// has ended: no power loss brings it back. After a step that failed that is left open.
pub fn removed_for_certain(setting: &mut Setting) -> Result<(), Violation> {
    let (disk, witness) = setting.watch();
    let mut removed = witness.removed.iter().filter(|_| !witness.disturbed);
    match removed.find(|id| disk.lingering_content(**id).is_some()) {
        Some(file) => Err(violated(format!("a power loss would bring back {file}"))),
        None => Ok(()),
    }
}

/// Checks what is left when the job has ended.
pub fn ended(setting: &mut Setting) -> Result<(), Violation> {
    removed_for_certain(setting)?;
    let retain = setting.config.shape.retain;
    let required = setting.witness.required(retain).to_vec();
    let (disk, witness) = setting.watch();
    let retained: Vec<ObjectId> = manifests(disk).collect();
    // One more may stay: the newest that shares no file with the newest of all.
    if retained.len() > retain + 1 {
        return Err(violated(format!("{} manifests are left, to retain {retain}", retained.len())));
    }
    if let Some(missing) = required.iter().find(|id| !retained.contains(&id.manifest())) {
        return Err(violated(format!("{missing} is not retained")));
    }
    let mut needed = BTreeSet::new();
    for id in retained {
        let bytes = disk.content(id).unwrap_or_default();
        let manifest = witness.manifest(id, bytes);
        let manifest = manifest.ok_or_else(|| violated(format!("{id} is damaged")))?;
        needed.extend(manifest.file_ids());
    }
    let files: BTreeSet<_> = disk.names(Area::Data).collect();
    if let Some(file) = needed.difference(&files).next() {
        return Err(violated(format!("{file} is named and not there")));
    }
    if let Some(file) = files.difference(&needed).next() {
        return Err(violated(format!("{file} is left, and nothing names it")));
    }
    let drafts = disk.names(Area::Manifests).filter(|id| id.kind == ObjectKind::Draft);
    let mut drafts = drafts.filter(|id| !witness.drafts.contains(id));
    match drafts.next() {
        Some(draft) => Err(violated(format!("{draft} is left"))),
        None => Ok(()),
    }
}

fn violated(found: String) -> Violation {
    Check::Leak.violated(found)
}
