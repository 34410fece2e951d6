//! CHECKPOINT arguments: a directory (its newest intact one), DIR@ID as `list` prints it, or the
//! path of a manifest.

use std::path::{Path, PathBuf};

use holdwater::error::{Fault, Malformed};
use holdwater::manifest::{CheckpointId, FileEntry, Manifest};
use holdwater::storage::{Area, ObjectId, Storage};

use crate::directory::{Unread, checkpoints, living, open, whole};
use crate::failure::Failure;
use crate::place::{self, Place, is_url};
use crate::verify::damage_of;

/// A checkpoint that was found, and the directory that holds its files.
#[derive(Debug)]
pub struct Checkpoint {
    /// The checkpoint.
    pub manifest: Manifest,
    /// Its directory.
    pub files: Place,
    /// Newer ones of the directory that are damaged: one line each.
    pub passed_over: Vec<String>,
}

impl Checkpoint {
    /// Opens the checkpoint that `argument` names: a directory or a URL for the newest intact one
    /// there, `DIR@ID`, or the path of a manifest.
    ///
    /// ```
    /// use holdwater_processor::{Checkpoint, failure::Failure};
    ///
    /// /// Prints how many rows each state has.
    /// fn count(directory: &str) -> Result<(), Failure> {
    ///     let checkpoint = Checkpoint::open(directory)?;
    ///     for (operator, state) in checkpoint.states() {
    ///         let name = format!("{operator}/{}", state.name);
    ///         let rows = checkpoint.state(&name)?.rows()?.filter(Result::is_ok).count();
    ///         println!("{name}: {rows}");
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn open(argument: &str) -> Result<Self, Failure> {
        find(argument)
    }

    /// Refuses one whose rows lie in files that a store wrote as its own: tools have no store that
    /// could be asked for them.
    pub fn check_portable(&self) -> Result<(), Failure> {
        let mut operators = self.manifest.operators.iter();
        match operators.find_map(|operator| operator.natives.first()) {
            None => Ok(()),
            Some(native) => Err(Failure::Foreign(format!(
                "checkpoint {} keeps state in files of the store {}: let its job take a savepoint \
                 (SIGUSR1), which is read everywhere",
                self.manifest.id, native.store
            ))),
        }
    }

    /// Opens a checkpoint as [`open`](Self::open) does, without reading its files: damage is told
    /// where it is met. Of a directory it is the newest whose files are there at their full length.
    pub fn open_unread(argument: &str) -> Result<Self, Failure> {
        match named(argument)? {
            Named::Directory(directory) => newest(&directory),
            Named::Checkpoint(..) => find(argument),
        }
    }
}

/// What an argument names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Named {
    /// A directory of checkpoints.
    Directory(PathBuf),
    /// One of the checkpoints of a directory.
    Checkpoint(PathBuf, CheckpointId),
}

/// Takes an argument apart, without looking for the checkpoint.
pub fn named(argument: &str) -> Result<Named, Failure> {
    let path =
        &place::name(argument).map_err(|error| Failure::Usage(format!("{argument}: {error}")))?;
    if is_url(path) {
        return named_url(path);
    }
    if let Some((directory, id)) = manifest_path(path) {
        return Ok(Named::Checkpoint(directory, id));
    }
    if !path.exists()
        && let Some((directory, id)) = argument.rsplit_once('@')
    {
        let id = id.parse().map_err(|_| {
            Failure::Usage(format!("{argument}: {id} is no checkpoint as `list` prints them"))
        })?;
        return Ok(Named::Checkpoint(PathBuf::from(directory), id));
    }
    Ok(Named::Directory(path.to_owned()))
}

/// Takes the URL of a place, of one of its checkpoints or of a manifest apart: which of them it is
/// shows in the name alone.
fn named_url(url: &Path) -> Result<Named, Failure> {
    let last = url.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let (Ok(id), Some(area)) = (last.parse(), url.parent())
        && area.file_name().is_some_and(|name| name == Area::Manifests.name())
        && let (Some(id), Some(place)) = (CheckpointId::of_manifest(id), area.parent())
    {
        return Ok(Named::Checkpoint(place.to_owned(), id));
    }
    match url.to_str().and_then(|url| url.rsplit_once('@')) {
        Some((place, id)) if !id.contains('/') => match id.parse() {
            Ok(id) => Ok(Named::Checkpoint(PathBuf::from(place), id)),
            Err(_) => Err(Failure::Usage(format!(
                "{}: {id} is no checkpoint as `list` prints them",
                url.display()
            ))),
        },
        _ => Ok(Named::Directory(url.to_owned())),
    }
}

/// Finds the checkpoint that `argument` names, without locking its directory.
///
/// The newest intact one of a directory is read whole to know that it is.
pub fn find(argument: &str) -> Result<Checkpoint, Failure> {
    match named(argument)? {
        Named::Directory(directory) => {
            newest_of(&directory, |files, manifest| damage_of(files, manifest, &directory))
        }
        Named::Checkpoint(directory, id) => {
            let mut files = open(&directory)?;
            match read(&mut files, id) {
                Ok(manifest) => Ok(Checkpoint { manifest, files, passed_over: Vec::new() }),
                Err(Unreadable::Missing) => Err(Failure::Data(format!(
                    "{0}@{id}: there is no such checkpoint; `holdwater list {0}` shows those there \
                     are",
                    directory.display()
                ))),
                Err(unreadable) => Err(unreadable.of(&directory, id)),
            }
        }
    }
}

/// Why a manifest cannot be read.
enum Unreadable {
    Malformed(Malformed),
    Missing,
    Unread(Unread),
}

impl Unreadable {
    fn of(self, directory: &Path, id: CheckpointId) -> Failure {
        let path = directory.join(Area::Manifests.name()).join(id.manifest().to_string());
        let path = path.display();
        match self {
            Self::Malformed(Malformed { fault: Fault::Version, .. }) => Failure::Newer(format!(
                "{path} was written by a newer version; read it with that version"
            )),
            Self::Malformed(malformed) => Failure::Corrupt(format!(
                "{path}: {malformed}; name an older checkpoint, as list prints them"
            )),
            Self::Missing => Failure::Data(format!("{path} is missing")),
            Self::Unread(error) => Failure::Data(error.to_string()),
        }
    }
}

/// Takes the path of a manifest apart: it lies in the area of manifests of its directory.
fn manifest_path(path: &Path) -> Option<(PathBuf, CheckpointId)> {
    let name: ObjectId = path.file_name()?.to_str()?.parse().ok()?;
    let area = path.parent()?;
    let directory = area.parent()?;
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    (area.file_name()? == Area::Manifests.name() && path.is_file())
        .then_some((directory.to_owned(), CheckpointId::of_manifest(name)?))
}

fn read(files: &mut Place, id: CheckpointId) -> Result<Manifest, Unreadable> {
    match whole(files, id.manifest()) {
        Ok(bytes) => Manifest::from_file(id, &bytes).map_err(Unreadable::Malformed),
        Err(Unread::Missing(_)) => Err(Unreadable::Missing),
        Err(error) => Err(Unreadable::Unread(error)),
    }
}

/// Finds the newest checkpoint in a directory whose files are there at their full length.
pub fn newest(directory: &Path) -> Result<Checkpoint, Failure> {
    newest_of(directory, |files, manifest| {
        let mut files = files.clone();
        let cut =
            |file: &&FileEntry| files.length(file.id).map_or(true, |length| length != file.length);
        let damaged = manifest.files.iter().find(cut);
        damaged.map(|file| format!("{} is not there in full", file.id))
    })
}

/// Finds the newest checkpoint without damage, those of the living lineage first.
fn newest_of(
    directory: &Path,
    damage_of: impl Fn(&Place, &Manifest) -> Option<String>,
) -> Result<Checkpoint, Failure> {
    let mut files = open(directory)?;
    for _ in 0..ROUNDS_MAX {
        let ids = checkpoints(&mut files)?;
        if ids.is_empty() {
            return Err(Failure::Data(format!(
                "{} holds no checkpoint; give a directory that a job has taken some to",
                directory.display()
            )));
        }
        let (mut sound, mut passed_over) = (Vec::new(), Vec::new());
        for id in &ids {
            match read(&mut files, *id) {
                Ok(manifest) => sound.push(manifest),
                // Removed by a job since it was listed.
                Err(Unreadable::Missing) => {}
                Err(unreadable) => {
                    passed_over.push((*id, unreadable.of(directory, *id).to_string()));
                }
            }
        }
        let living = living(&mut files, &sound)?;
        sound.sort_by_key(|manifest| !living.contains(manifest.id));
        for manifest in sound {
            match damage_of(&files, &manifest) {
                None => {
                    let newer = |(id, _): &(CheckpointId, String)| {
                        (id.epoch, id.checkpoint) > (manifest.id.epoch, manifest.id.checkpoint)
                    };
                    let passed_over = passed_over.into_iter().filter(newer);
                    let told = passed_over
                        .map(|(id, why)| format!("checkpoint {id} is passed over: {why}"));
                    return Ok(Checkpoint { passed_over: told.collect(), manifest, files });
                }
                Some(damage) => passed_over.push((manifest.id, damage)),
            }
        }
        if checkpoints(&mut files)? == ids {
            let why: Vec<_> = passed_over.into_iter().map(|(_, damage)| damage).collect();
            return Err(Failure::Corrupt(format!(
                "{}: no checkpoint is intact; restore the directory from a copy; {}",
                directory.display(),
                why.join("; ")
            )));
        }
    }
    Err(Failure::Data(format!(
        "{} changes faster than it is read; name a checkpoint, as list prints them",
        directory.display()
    )))
}

/// How often a directory is looked at whose job removes faster than it is read.
const ROUNDS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_a_directory_or_one_of_its_checkpoints() {
        let id = CheckpointId { checkpoint: 7, epoch: 2 };
        let checkpoint = |directory: &str| Named::Checkpoint(PathBuf::from(directory), id);
        assert_eq!(named("no/such/dir").unwrap(), Named::Directory(PathBuf::from("no/such/dir")));
        assert_eq!(named("no/such/dir@7.e2").unwrap(), checkpoint("no/such/dir"));
        assert_eq!(named("a@b@7.e2").unwrap(), checkpoint("a@b"));
        assert_eq!(named("dir@7").unwrap_err().exit_code(), 2);
        for url in ["s3://bucket/a@b@7.e2", "s3://bucket/a@b/manifests/m7.e2"] {
            assert_eq!(named(url).unwrap(), checkpoint("s3://bucket/a@b"), "{url}");
        }
        let place = Named::Directory(PathBuf::from("s3://bucket/path"));
        assert_eq!(named("s3://bucket/path/").unwrap(), place);
        assert_eq!(named("s3://bucket/path@7").unwrap_err().exit_code(), 2);
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("x@7.e2");
        let manifest = directory.join("manifests/m7.e2");
        std::fs::create_dir_all(manifest.parent().unwrap()).unwrap();
        std::fs::write(&manifest, "").unwrap();
        assert_eq!(
            named(manifest.to_str().unwrap()).unwrap(),
            Named::Checkpoint(directory.clone(), id)
        );
        let named_like_one = named(directory.to_str().unwrap()).unwrap();
        assert_eq!(named_like_one, Named::Directory(directory));
    }
}
