//! `holdwater gc` and `holdwater remove`: take away what no checkpoint needs.

use std::io::Write;
use std::path::Path;

use holdwater::checkpoint::{Cleanup, CleanupCommand, Inventory, Performer};
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::storage::{Area, ObjectId, Reply, Storage};

use crate::arguments::{Gc, Remove};
use crate::checkpoint::{Named, named};
use crate::directory::{checkpoints, list, living, open, whole};
use crate::failure::Failure;
use crate::place::Place;
use crate::size::size_in_words;
use crate::terminal::shown;

/// Removes drafts, and data files that no manifest of the directory names.
///
/// A directory that a job uses is busy. A place in an object store has no lock: there what the
/// newest epoch wrote is left alone, since a job may be writing it. Where a manifest is damaged
/// nobody knows what it needs: then no data is removed.
pub fn gc(gc: &Gc, out: &mut impl Write) -> Result<(), Failure> {
    let mut files = open(&gc.dir)?;
    let _lock = if gc.dry_run { None } else { files.lock()? };
    let spared = Spared::find(&mut files)?;
    let mut inventory = inventory(&mut files)?;
    spared.take_from(&mut inventory.objects);
    tell_unreadable(&inventory, &gc.dir);
    let garbage = Garbage::measure(&mut files, inventory.garbage())?;
    if gc.dry_run {
        for (object, bytes) in &garbage.objects {
            shown(writeln!(out, "{} {}", path(*object), size_in_words(*bytes)))?;
        }
        return shown(writeln!(out, "{} would be removed", garbage.words()));
    }
    clean(&files, &inventory, None, spared)?;
    shown(writeln!(out, "{} removed", garbage.words()))
}

/// Removes one checkpoint, and the data files that no other manifest of its directory names.
///
/// Refuses the one that a job would go on from: without it the job would start anew, or fall back.
pub fn remove(remove: &Remove, out: &mut impl Write) -> Result<(), Failure> {
    let Named::Checkpoint(directory, id) = named(&remove.checkpoint)? else {
        return Err(Failure::Usage(format!(
            "{} is a directory; name one of its checkpoints: DIR@ID, as list prints them",
            remove.checkpoint
        )));
    };
    let mut files = open(&directory)?;
    let _lock = files.lock()?;
    let spared = Spared::find(&mut files)?;
    let inventory = inventory(&mut files)?;
    if !inventory.objects.contains(&id.manifest()) {
        return Err(Failure::Data(format!("{}: there is no checkpoint {id}", directory.display())));
    }
    let living = living(&mut files, &inventory.manifests)?;
    let resumed = inventory.manifests.iter().map(|manifest| manifest.id);
    let resumed = resumed.filter(|id| living.contains(*id)).max_by_key(|id| id.checkpoint);
    if resumed == Some(id) {
        return Err(Failure::Data(format!(
            "{}: checkpoint {id} is the one that its job goes on from; remove the directory if \
             that job is over",
            directory.display()
        )));
    }
    let before = measure(&mut files, &inventory.objects)?;
    clean(&files, &inventory, Some(id), spared)?;
    let left = self::inventory(&mut files)?;
    tell_unreadable(&left, &directory);
    let freed = before.saturating_sub(measure(&mut files, &left.objects)?);
    shown(writeln!(out, "checkpoint {id} removed; {} freed", size_in_words(freed)))
}

/// What nothing needs, with its sizes.
struct Garbage {
    objects: Vec<(ObjectId, u64)>,
}

impl Garbage {
    fn measure(files: &mut Place, mut objects: Vec<ObjectId>) -> Result<Self, Failure> {
        objects.sort_unstable();
        let measured = objects.into_iter().map(|id| Ok((id, measure(files, &[id])?)));
        Ok(Self { objects: measured.collect::<Result<_, Failure>>()? })
    }

    fn words(&self) -> String {
        let bytes = self.objects.iter().map(|(_, bytes)| bytes).sum();
        let count = self.objects.len();
        let noun = if count == 1 { "file" } else { "files" };
        format!("{count} {noun}, {}", size_in_words(bytes))
    }
}

/// The epoch whose data stays: in a place without a lock the newest, which may be running. Its next
/// start removes what it left behind.
#[derive(Clone, Copy)]
struct Spared(Option<u64>);

impl Spared {
    fn find(files: &mut Place) -> Result<Self, Failure> {
        if matches!(files, Place::Directory(_)) {
            return Ok(Self(None));
        }
        let epochs = list(files, Area::Epochs)?;
        Ok(Self(epochs.into_iter().map(|id| id.epoch).max()))
    }

    fn take_from(self, objects: &mut Vec<ObjectId>) {
        objects.retain(|id| id.area() != Area::Data || Some(id.epoch) != self.0);
    }
}

fn inventory(files: &mut Place) -> Result<Inventory, Failure> {
    let mut objects = list(files, Area::Manifests)?;
    objects.extend(list(files, Area::Data)?);
    let mut manifests = Vec::new();
    for id in checkpoints(files)? {
        let bytes =
            whole(files, id.manifest()).map_err(|error| Failure::Data(error.to_string()))?;
        manifests.extend(Manifest::from_file(id, &bytes));
    }
    Ok(Inventory { objects, manifests })
}

fn tell_unreadable(inventory: &Inventory, directory: &Path) {
    for id in inventory.unreadable() {
        let directory = directory.display();
        eprintln!(
            "holdwater: warning: {directory}/{} is damaged, and what it needs is not known: no \
             data is removed; holdwater remove {directory}@{id} takes it away",
            path(id.manifest())
        );
    }
}

fn measure(files: &mut Place, objects: &[ObjectId]) -> Result<u64, Failure> {
    let mut bytes = 0;
    for id in objects {
        bytes += files.length(*id).map_err(|error| Failure::Data(error.to_string()))?;
    }
    Ok(bytes)
}

fn clean(
    files: &Place,
    inventory: &Inventory,
    removed: Option<CheckpointId>,
    spared: Spared,
) -> Result<(), Failure> {
    let mut performer = Performer::new(files.clone());
    let mut cleanup = Cleanup::new(inventory, removed);
    let mut left = None;
    while let Some(command) = cleanup.poll() {
        match command {
            CleanupCommand::Storage(request) => {
                let mut reply = performer.perform(&request);
                if let Reply::Listed(found) = &mut reply {
                    spared.take_from(found);
                }
                cleanup.reply(reply);
            }
            CleanupCommand::Warn(warning) => {
                let error = performer.take_error();
                let cause = error.map_or(String::new(), |error| format!(": {error}"));
                left = left.or(Some(format!("{warning}{cause}")));
            }
        }
    }
    left.map_or(Ok(()), |warning| Err(Failure::Data(warning)))
}

fn path(id: ObjectId) -> String {
    format!("{}/{id}", id.area().name())
}
