//! What is complete is on the disk for certain, is found again, and is restored.

use holdwater::checkpoint::{Recovered, RecoveryError};
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::page::Portable;
use holdwater::snapshot::Snapshot;
use holdwater::storage::ObjectId;

use super::{Check, Violation};
use crate::marks::Mark;
use crate::setting::{Setting, Stop};

/// Takes note of a complete checkpoint. Numbers ascend (I-16).
pub fn completed(setting: &mut Setting, id: CheckpointId) -> Result<(), Violation> {
    let completed = &mut setting.witness.completed;
    if let Some(newest) = completed.last()
        && newest.checkpoint >= id.checkpoint
    {
        return Err(violated(format!("{id} was completed after {newest}")));
    }
    completed.push(id);
    Ok(())
}

/// Checks after a crash, a power loss or an exit that nothing complete is lost.
pub fn after_stop(setting: &mut Setting) -> Result<(), Stop> {
    let required = setting.witness.required(setting.config.shape.retain).to_vec();
    for id in required {
        if setting.witness.rotten.contains(&id) {
            continue;
        }
        let disk = setting.disk();
        whole(id, |object| disk.content(object))
            .map_err(|why| violated(format!("{id} was complete: {why}")))?;
    }
    Ok(())
}

/// Checks that the newest complete checkpoint, or a newer one, is offered.
pub fn offered(setting: &Setting, id: CheckpointId) -> Result<(), Violation> {
    let witness = &setting.witness;
    // An epoch that fell back may have recorded it, and stopped.
    let recorded = witness.fallback.is_some_and(|fallback| fallback.checkpoint <= id.checkpoint);
    match witness.completed.last() {
        Some(newest) if id.checkpoint < newest.checkpoint && !witness.disturbed && !recorded => {
            Err(violated(format!("{id} is offered though {newest} is complete")))
        }
        _ => Ok(()),
    }
}

/// Takes note that a recovery is about to record that it goes on from that checkpoint.
pub fn chosen(setting: &mut Setting, id: CheckpointId) {
    let witness = &mut setting.witness;
    if witness.completed.last().is_some_and(|newest| id.checkpoint < newest.checkpoint) {
        witness.fallback = Some(witness.fallback.map_or(id, |fallback| fallback.min(id)));
    }
}

/// Checks that a recovery kept what it must keep, and takes note of what it goes on from.
pub fn recovered(setting: &mut Setting, recovered: &Recovered) -> Result<(), Violation> {
    let witness = &mut setting.witness;
    let newest = witness.completed.last().copied();
    let restored = recovered.restored.as_ref().map(|manifest| manifest.id);
    match (newest, restored) {
        (Some(newest), None) => {
            return Err(violated(format!("begun afresh though {newest} is complete")));
        }
        (Some(newest), Some(restored)) if restored.checkpoint < newest.checkpoint => {
            setting.marks.reach(Mark::Fallback);
        }
        (newest, Some(restored)) if newest != Some(restored) => {
            setting.marks.reach(Mark::UntoldRestored);
        }
        _ => {}
    }
    witness.fallback = None;
    let Some(restored) = restored else { return Ok(()) };
    witness.completed.retain(|id| id.checkpoint < restored.checkpoint);
    witness.completed.push(restored);
    let kept: Vec<_> = recovered.retention.checkpoints().collect();
    for id in witness.required(setting.config.shape.retain) {
        // One that could not be read is given up.
        if !kept.contains(id) && !witness.unread.contains(&id.manifest()) {
            return Err(violated(format!("the recovery forgets {id}, which is complete")));
        }
    }
    witness.completed = kept;
    Ok(())
}

/// States that a recovery failed though nothing disturbed it.
pub fn unrecovered(error: &RecoveryError) -> Violation {
    violated(format!("the recovery fails: {error}"))
}

/// Reads a whole checkpoint by `content`, or says why it is not whole.
pub(crate) fn whole<'d>(
    id: CheckpointId,
    content: impl Fn(ObjectId) -> Option<&'d [u8]>,
) -> Result<Manifest, String> {
    let bytes = content(id.manifest()).ok_or("its manifest is missing")?;
    let manifest = Manifest::from_file(id, bytes)
        .map_err(|malformed| format!("its manifest is damaged: {malformed}"))?;
    for file in &manifest.files {
        let at = |why: String| format!("{}: {why}", file.id);
        let bytes = content(file.id).ok_or_else(|| at("missing".to_owned()))?;
        let mut snapshot =
            Snapshot::open(bytes, Portable).map_err(|error| at(error.to_string()))?;
        snapshot.verify_hash().map_err(|error| at(error.to_string()))?;
        let seal = snapshot.seal();
        if (seal.length, seal.hash) != (file.length, file.hash) {
            return Err(at("another file".to_owned()));
        }
    }
    Ok(manifest)
}

fn violated(found: String) -> Violation {
    Check::Durability.violated(found)
}
