//! CHECKPOINT arguments: a directory (its newest intact one), DIR@ID as `list` prints it, or the
//! path of a manifest.

use std::path::{Path, PathBuf};

use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::storage::{Area, Failure as StorageFailure, ObjectId, Storage};
use holdwater_files::Files;

use crate::failure::Failure;
use crate::list::whole;

/// A checkpoint that was found, and the directory that holds its files.
#[derive(Debug)]
pub struct Found {
    /// The checkpoint.
    pub manifest: Manifest,
    /// Its directory.
    pub files: Files,
}

/// Finds the checkpoint that `argument` names, without locking its directory.
pub fn find(argument: &str) -> Result<Found, Failure> {
    let path = Path::new(argument);
    if let Some((directory, id)) = manifest_path(path) {
        return one(&directory, id);
    }
    if !path.exists()
        && let Some((directory, id)) = argument.rsplit_once('@')
    {
        let id = id.parse().map_err(|_| {
            Failure::Usage(format!("{argument}: {id} is no checkpoint as `list` prints them"))
        })?;
        return one(Path::new(directory), id);
    }
    newest(path)
}

/// Takes the path of a manifest apart: it lies in the area of manifests of its directory.
fn manifest_path(path: &Path) -> Option<(PathBuf, CheckpointId)> {
    let name: ObjectId = path.file_name()?.to_str()?.parse().ok()?;
    let area = path.parent()?;
    let directory = area.parent()?;
    (area.file_name()? == Area::Manifests.name() && path.is_file())
        .then_some((directory.to_owned(), CheckpointId::of_manifest(name)?))
}

fn one(directory: &Path, id: CheckpointId) -> Result<Found, Failure> {
    let mut files = open(directory)?;
    let bytes = whole(&mut files, id.manifest()).map_err(|error| match error {
        StorageFailure::Missing(_) => Failure::Data(format!(
            "{0}@{id}: there is no such checkpoint; `holdwater list {0}` shows those there are",
            directory.display()
        )),
        error => Failure::Data(format!("{}: {error}", directory.display())),
    })?;
    let manifest = Manifest::from_file(id, &bytes).map_err(|malformed| {
        Failure::Corrupt(format!("{} {}: {malformed}", directory.display(), id.manifest()))
    })?;
    Ok(Found { manifest, files })
}

/// Finds the newest intact checkpoint in a directory, without locking it.
pub fn newest(directory: &Path) -> Result<Found, Failure> {
    let mut files = open(directory)?;
    let mut ids = Vec::new();
    files
        .list(Area::Manifests, &mut |id| ids.extend(CheckpointId::of_manifest(id)))
        .map_err(|error| Failure::Data(error.to_string()))?;
    ids.sort_unstable_by_key(|id| std::cmp::Reverse((id.epoch, id.checkpoint)));
    if ids.is_empty() {
        return Err(Failure::Data(format!("{} holds no checkpoint", directory.display())));
    }
    let mut damage = None;
    for id in ids {
        match one(directory, id) {
            Ok(found) if is_complete(&mut files, &found.manifest) => return Ok(found),
            Ok(_) => damage = Some(format!("checkpoint {id} misses a file")),
            Err(error) => damage = Some(error.to_string()),
        }
    }
    let damage = damage.unwrap_or_default();
    Err(Failure::Corrupt(format!("{}: no checkpoint is intact: {damage}", directory.display())))
}

fn is_complete(files: &mut Files, manifest: &Manifest) -> bool {
    let mut all = manifest.files.iter();
    all.all(|file| files.length(file.id).is_ok_and(|length| length == file.length))
}

fn open(directory: &Path) -> Result<Files, Failure> {
    Files::open_existing(directory)
        .map_err(|error| Failure::Data(format!("{error}; give a directory of checkpoints")))
}
