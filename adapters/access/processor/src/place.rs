//! Where checkpoints are kept: a directory, or a prefix in an object store.
//!
//! On the command line and inside the program a place has one name, a path: that of a directory, or
//! a URL as it was given.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use holdwater::storage::{Area, Failure as StorageFailure, ObjectId, Storage};
use holdwater_files::{Files, FilesError, Lock, NewFile};
#[cfg(feature = "objects")]
use holdwater_objects::{NewObject, Objects, ObjectsError};

use crate::failure::Failure;

/// An open place; clones share it, each for a thread of its own.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory.
    Directory(Files),
    /// A prefix in an object store.
    #[cfg(feature = "objects")]
    Objects(Objects),
}

/// An object of a [`Place`] that is being written.
#[derive(Debug)]
pub enum NewEntry {
    /// In a directory.
    File(NewFile),
    /// In an object store.
    #[cfg(feature = "objects")]
    Object(NewObject),
}

/// A step that a place failed to take.
#[derive(Debug)]
pub enum PlaceError {
    /// In a directory.
    Files(FilesError),
    /// In an object store.
    #[cfg(feature = "objects")]
    Objects(ObjectsError),
}

/// Returns the name of a place as it is given on the command line: a path, or a URL. A URL of a
/// directory is its path.
pub fn name(text: &str) -> Result<PathBuf, String> {
    match text.split_once("://") {
        Some(("file", path)) if path.starts_with('/') && !path.contains('%') => Ok(path.into()),
        Some(("file", _)) => Err("give the path of the directory itself".to_owned()),
        Some(("memory", _)) => {
            Err("what is in memory is gone with the process; leave it away".to_owned())
        }
        Some((scheme, "")) if SCHEMES.contains(&scheme) => {
            Err("it names no bucket; give one, as in s3://bucket/path".to_owned())
        }
        // One without a slash at its end is as good, and is one place with it.
        Some((scheme, _)) if SCHEMES.contains(&scheme) => Ok(text.trim_end_matches('/').into()),
        _ => Ok(text.into()),
    }
}

/// Returns whether a name is that of a place in an object store.
pub fn is_url(name: &Path) -> bool {
    let scheme = name.to_str().and_then(|name| name.split_once("://")).map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| SCHEMES.contains(&scheme))
}

impl Place {
    /// Opens the place for a job: a directory is made if it is not there.
    pub fn open(name: &Path) -> Result<Self, Failure> {
        if is_url(name) { Self::connect(name) } else { Ok(Self::Directory(Files::open(name)?)) }
    }

    /// Opens the place for a tool: it has checkpoints already.
    pub fn open_existing(name: &Path) -> Result<Self, Failure> {
        if !is_url(name) {
            let files = Files::open_existing(name).map_err(|error| {
                Failure::Data(format!("{error}; give a directory of checkpoints"))
            })?;
            return Ok(Self::Directory(files));
        }
        let mut place = Self::connect(name)?;
        for area in [Area::Manifests, Area::Epochs] {
            let mut found = false;
            place
                .list(area, &mut |_| found = true)
                .map_err(|error| Failure::Data(error.to_string()))?;
            if found {
                return Ok(place);
            }
        }
        let name = name.display();
        Err(Failure::Data(format!("{name} has no checkpoints; give a URL that a job has some at")))
    }

    /// Takes the lock of a directory. A place in an object store has none: there the epoch alone
    /// keeps an older process from publishing.
    pub fn lock(&self) -> Result<Option<Lock>, Failure> {
        match self {
            Self::Directory(files) => Ok(Some(files.lock()?)),
            #[cfg(feature = "objects")]
            Self::Objects(_) => Ok(None),
        }
    }

    /// Returns the name of the place.
    pub fn name(&self) -> &Path {
        match self {
            Self::Directory(files) => files.directory(),
            #[cfg(feature = "objects")]
            Self::Objects(objects) => Path::new(objects.url()),
        }
    }

    #[cfg(feature = "objects")]
    fn connect(name: &Path) -> Result<Self, Failure> {
        use holdwater_objects::Cause;

        let url = name.to_str().unwrap_or_default();
        Objects::open(url).map(Self::Objects).map_err(|error| match error.cause {
            Cause::Unusable => Failure::Usage(error.to_string()),
            _ => Failure::Data(error.to_string()),
        })
    }

    #[cfg(not(feature = "objects"))]
    fn connect(name: &Path) -> Result<Self, Failure> {
        Err(Failure::Usage(format!(
            "{}: this build has no object stores: build with `--features objects`, or give a \
             directory",
            name.display()
        )))
    }
}

/// Takes a step in whichever place it is.
macro_rules! step {
    ($place:expr, $step:ident ( $($argument:expr),* )) => {
        match $place {
            Place::Directory(files) => files.$step($($argument),*).map_err(of_files),
            #[cfg(feature = "objects")]
            Place::Objects(objects) => objects.$step($($argument),*).map_err(of_objects),
        }
    };
}

impl Storage for Place {
    type Error = PlaceError;
    type File = NewEntry;

    fn create(&mut self, id: ObjectId) -> Result<NewEntry, StorageFailure<PlaceError>> {
        match self {
            Self::Directory(files) => files.create(id).map(NewEntry::File).map_err(of_files),
            #[cfg(feature = "objects")]
            Self::Objects(objects) => objects.create(id).map(NewEntry::Object).map_err(of_objects),
        }
    }

    fn write(
        &mut self,
        file: &mut NewEntry,
        bytes: &[u8],
    ) -> Result<(), StorageFailure<PlaceError>> {
        match (self, file) {
            (Self::Directory(files), NewEntry::File(file)) => {
                files.write(file, bytes).map_err(of_files)
            }
            #[cfg(feature = "objects")]
            (Self::Objects(objects), NewEntry::Object(object)) => {
                objects.write(object, bytes).map_err(of_objects)
            }
            #[cfg(feature = "objects")]
            _ => panic!("an object is written where it was created"),
        }
    }

    fn sync(&mut self, file: NewEntry) -> Result<(), StorageFailure<PlaceError>> {
        match (self, file) {
            (Self::Directory(files), NewEntry::File(file)) => files.sync(file).map_err(of_files),
            #[cfg(feature = "objects")]
            (Self::Objects(objects), NewEntry::Object(object)) => {
                objects.sync(object).map_err(of_objects)
            }
            #[cfg(feature = "objects")]
            _ => panic!("an object is synced where it was created"),
        }
    }

    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), StorageFailure<PlaceError>> {
        step!(self, publish(draft, id))
    }

    fn sync_area(&mut self, area: Area) -> Result<(), StorageFailure<PlaceError>> {
        step!(self, sync_area(area))
    }

    fn list(
        &mut self,
        area: Area,
        found: &mut dyn FnMut(ObjectId),
    ) -> Result<(), StorageFailure<PlaceError>> {
        step!(self, list(area, found))
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, StorageFailure<PlaceError>> {
        step!(self, length(id))
    }

    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, StorageFailure<PlaceError>> {
        step!(self, read(id, offset, buffer))
    }

    fn native(&mut self, id: ObjectId) -> Option<Box<dyn Any>> {
        match self {
            Self::Directory(files) => files.native(id),
            #[cfg(feature = "objects")]
            Self::Objects(objects) => objects.native(id),
        }
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), StorageFailure<PlaceError>> {
        step!(self, remove(id))
    }
}

fn of_files(failure: StorageFailure<FilesError>) -> StorageFailure<PlaceError> {
    failure.map(PlaceError::Files)
}

#[cfg(feature = "objects")]
fn of_objects(failure: StorageFailure<ObjectsError>) -> StorageFailure<PlaceError> {
    failure.map(PlaceError::Objects)
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(error) => error.fmt(f),
            #[cfg(feature = "objects")]
            Self::Objects(error) => error.fmt(f),
        }
    }
}

impl Error for PlaceError {}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Files(error) => error.into(),
            #[cfg(feature = "objects")]
            PlaceError::Objects(error) => Self::Data(error.to_string()),
        }
    }
}

/// What the URLs of object stores begin with.
const SCHEMES: [&str; 3] = ["az", "gs", "s3"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_by_a_path_or_a_url() {
        let path = |text| name(text).unwrap();
        assert_eq!(path("checkpoints"), Path::new("checkpoints"));
        assert_eq!(path("file:///var/checkpoints"), Path::new("/var/checkpoints"));
        assert_eq!(path("s3://bucket/path//"), Path::new("s3://bucket/path"));
        // A directory may be called so.
        assert_eq!(path("ftp://host"), Path::new("ftp://host"));
        for text in ["file://host/path", "file:///a%20b", "memory:///", "s3://"] {
            assert!(name(text).is_err(), "{text}");
        }
        for (name, url) in [("s3://bucket", true), ("gs://b/c", true), ("/s3://b", false)] {
            assert_eq!(is_url(Path::new(name)), url, "{name}");
        }
    }

    #[test]
    #[cfg(not(feature = "objects"))]
    fn a_build_without_object_stores_says_how_to_get_them() {
        let failure = Place::open(Path::new("s3://bucket/path")).map(drop).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert_eq!(
            failure.to_string(),
            "s3://bucket/path: this build has no object stores: build with `--features objects`, \
             or give a directory"
        );
    }
}
