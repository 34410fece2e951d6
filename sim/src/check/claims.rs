//! An epoch is claimed and recorded for certain before anything follows from it.

use holdwater::checkpoint::Recovered;
use holdwater::manifest::decode_record;
use holdwater::storage::{Area, ObjectId, ObjectKind, Request};

use super::{Check, Violation};
use crate::disk::Disk;

/// Checks a step of a recovery just before it is done: what was claimed is durable before anybody
/// looks at what there is to go on from.
pub fn before(disk: &Disk, request: &Request) -> Result<(), Violation> {
    if *request != Request::List(Area::Manifests) {
        return Ok(());
    }
    let claims = disk.names(Area::Epochs).filter(|id| id.kind == ObjectKind::Claim);
    let newest = claims.max_by_key(|id| id.epoch);
    match newest.filter(|claim| is_durable(disk, *claim)) {
        Some(_) => Ok(()),
        None => Err(violated("a power loss would take the claim of the epoch")),
    }
}

/// Checks that what the epoch goes on from is recorded before a task runs.
pub fn recorded(disk: &Disk, recovered: &Recovered) -> Result<(), Violation> {
    let record = ObjectId::record(recovered.epoch);
    let bytes = disk.durable_content(record).unwrap_or_default();
    match decode_record(recovered.epoch, bytes) {
        Ok(origin) if origin == recovered.origin => Ok(()),
        _ => Err(violated("a power loss would take the record of the epoch")),
    }
}

fn is_durable(disk: &Disk, id: ObjectId) -> bool {
    disk.durable_content(id).is_some_and(|content| Some(content) == disk.content(id))
}

fn violated(found: &str) -> Violation {
    Check::Claims.violated(found)
}
