//! A checkpoint directory that is being made: it appears once all of it is durable.

use std::fs;
use std::path::{Path, PathBuf};

use holdwater::manifest::Manifest;
use holdwater::storage::{Area, Failure as StorageFailure, Storage};
use holdwater_files::{Files, FilesError};

use crate::failure::Failure;

/// A checkpoint directory under a name beside its own, until it is published; if it never is, it
/// goes again.
#[derive(Debug)]
pub(crate) struct NewDirectory {
    path: PathBuf,
    hidden: PathBuf,
    files: Files,
}

impl NewDirectory {
    /// Begins a directory that will be called `path`, which is not there yet.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
        let name = path.file_name().ok_or_else(|| {
            Failure::Usage(format!(
                "{} cannot be made: give the name of a directory",
                path.display()
            ))
        })?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let hidden = path.with_file_name(hidden);
        let files = Files::open(&hidden).map_err(|error| Failure::Data(error.to_string()))?;
        Ok(Self { path: path.to_owned(), hidden, files })
    }

    /// Returns the storage of the directory.
    pub(crate) fn files(&self) -> Files {
        self.files.clone()
    }

    /// Writes the manifest of its one checkpoint, whose files are durable, and names the directory.
    pub(crate) fn publish(mut self, manifest: &Manifest) -> Result<(), Failure> {
        self.write(manifest).map_err(|failure| Failure::Data(failure.to_string()))?;
        let unnamed =
            |source| Failure::io(format!("cannot create {}", self.path.display()), source);
        // A directory takes the name of no directory but an empty one: nothing is lost.
        if self.path.symlink_metadata().is_ok() {
            return Err(taken(&self.path));
        }
        fs::rename(&self.hidden, &self.path).map_err(unnamed)?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = fs::File::open(parent.unwrap_or(Path::new("."))).map_err(unnamed)?;
        parent.sync_all().map_err(unnamed)
    }

    fn write(&mut self, manifest: &Manifest) -> Result<(), StorageFailure<FilesError>> {
        let (id, files) = (manifest.id, &mut self.files);
        files.sync_area(Area::Data)?;
        let mut draft = files.create(id.draft())?;
        files.write(&mut draft, &manifest.to_file())?;
        files.sync(draft)?;
        files.publish(id.draft(), id.manifest())?;
        files.sync_area(Area::Manifests)
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        // Gone already if it was published; what cannot be removed is hidden.
        let _ = fs::remove_dir_all(&self.hidden);
    }
}

fn taken(path: &Path) -> Failure {
    Failure::Usage(format!("{} is there already; give the name of a new directory", path.display()))
}
