//! A place with one checkpoint that is being made: it is there once all of it is durable.

use std::fs;
use std::path::{Path, PathBuf};

use holdwater::manifest::Manifest;
use holdwater::storage::{Area, Failure as StorageFailure, Storage};

use crate::directory::list;
use crate::failure::Failure;
use crate::place::{self, Place, PlaceError, is_url};

/// A place that is being made; if it is never published, what was written goes again.
#[derive(Debug)]
pub(super) struct NewPlace {
    path: PathBuf,
    /// The name of the directory until then, beside its own. In an object store the manifest alone
    /// makes a checkpoint of what is there.
    hidden: Option<PathBuf>,
    files: Place,
    published: bool,
}

impl NewPlace {
    /// Begins a place that will be called `path`, where nothing is yet.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let named = place::name(&path.to_string_lossy());
        let path =
            &named.map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        if is_url(path) {
            let mut files = Place::open(path)?;
            for area in Area::ALL {
                if !list(&mut files, area)?.is_empty() {
                    return Err(taken(path));
                }
            }
            return Ok(Self { path: path.to_owned(), hidden: None, files, published: false });
        }
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
        let files = Place::open(&hidden).map_err(|failure| Failure::Data(failure.to_string()))?;
        Ok(Self { path: path.to_owned(), hidden: Some(hidden), files, published: false })
    }

    /// Returns the storage of the place.
    pub(super) fn files(&self) -> Place {
        self.files.clone()
    }

    /// Writes the manifest of its one checkpoint, whose files are durable, and names the directory.
    pub(super) fn publish(mut self, manifest: &Manifest) -> Result<(), Failure> {
        let written = self.write(manifest);
        // What may be complete is left as it is.
        self.published = matches!(written, Ok(()) | Err(StorageFailure::Unknown(_)));
        written.map_err(|failure| Failure::Data(failure.to_string()))?;
        let Some(hidden) = &self.hidden else { return Ok(()) };
        let unnamed =
            |source| Failure::io(format!("cannot create {}", self.path.display()), source);
        // A directory takes the name of no directory but an empty one: nothing is lost.
        if self.path.symlink_metadata().is_ok() {
            return Err(taken(&self.path));
        }
        fs::rename(hidden, &self.path).map_err(unnamed)?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = fs::File::open(parent.unwrap_or(Path::new("."))).map_err(unnamed)?;
        parent.sync_all().map_err(unnamed)
    }

    fn write(&mut self, manifest: &Manifest) -> Result<(), StorageFailure<PlaceError>> {
        let (id, files) = (manifest.id, &mut self.files);
        files.sync_area(Area::Data)?;
        let mut draft = files.create(id.draft())?;
        files.write(&mut draft, &manifest.to_file())?;
        files.sync(draft)?;
        files.publish(id.draft(), id.manifest())?;
        files.sync_area(Area::Manifests)
    }
}

impl Drop for NewPlace {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // Gone already if it was published; what cannot be removed is hidden.
            let _ = fs::remove_dir_all(hidden);
        } else if !self.published {
            // Without a manifest it is no checkpoint, whatever stays of it.
            for id in list(&mut self.files, Area::Data).unwrap_or_default() {
                let _ = self.files.remove(id);
            }
        }
    }
}

fn taken(path: &Path) -> Failure {
    let wanted = match is_url(path) {
        true => "a URL with nothing below it",
        false => "the name of a new directory",
    };
    Failure::Usage(format!("{} is there already; give {wanted}", path.display()))
}
