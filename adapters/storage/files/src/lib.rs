//! Checkpoints in a directory, safe against power loss.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod directory;
mod error;
mod lock;
mod reserve;

pub use error::{FilesError, LockError, Step};
pub use lock::Lock;

use directory::Directory;
use holdwater::storage::{Area, Failure, ObjectId, ObjectKind, Storage};
use std::any::Any;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Checkpoint storage in a directory; clones share the directory, each for a thread of its own.
///
/// The object read last stays open, so that reading it in pieces opens it once. If another handle
/// removes it meanwhile, this one still reads what it was, and its space is free only when this
/// handle reads another object or is dropped.
#[derive(Debug)]
pub struct Files {
    place: Arc<Place>,
    last_read: Option<(ObjectId, File)>,
}

/// An object of [`Files`] that is being written.
///
/// The file stays open from its first write to its sync: what writing back failed to do may be told
/// to this descriptor only.
#[derive(Debug)]
pub struct NewFile {
    id: ObjectId,
    file: File,
    dead: bool,
}

impl Files {
    /// Opens the checkpoints in `directory`, creating it, its parents and its areas if need be.
    ///
    /// Every name made here is durable on return.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, FilesError> {
        let path = directory.as_ref();
        directory::create_durably(path)?;
        let root = Directory::open(path)?;
        let [data, epochs, manifests] = Area::ALL.map(|area| root.create_below(area.name()));
        let place = Place { data: Some(data?), epochs: Some(epochs?), manifests: manifests?, root };
        place.root.sync().map_err(|source| FilesError::new(Step::Sync, path, source))?;
        Ok(Self { place: Arc::new(place), last_read: None })
    }

    /// Opens the checkpoints in `directory` and creates nothing: for those who only read.
    ///
    /// Fails if it holds no checkpoints, that is, if it has no area for manifests. Another area
    /// that is missing, as after a copy that passed over empty directories, has no objects.
    pub fn open_existing(directory: impl AsRef<Path>) -> Result<Self, FilesError> {
        let root = Directory::open(directory.as_ref())?;
        let place = Place {
            data: root.find_below(Area::Data.name())?,
            epochs: root.find_below(Area::Epochs.name())?,
            manifests: root.open_below(Area::Manifests.name())?,
            root,
        };
        Ok(Self { place: Arc::new(place), last_read: None })
    }

    /// Takes the lock of the directory, for as long as the [`Lock`] lives or the process does.
    ///
    /// It is for whoever publishes checkpoints, so that a second job started by mistake is told
    /// at once. It is a courtesy between processes of one machine: what keeps an old process from
    /// publishing is the epoch. Readers need no lock.
    ///
    /// With the lock, 1 MiB is set aside for claims, records and manifests: once the disk is full,
    /// they take it, so that the job can still resume and clean up.
    pub fn lock(&self) -> Result<Lock, LockError> {
        let lock = Lock::take(&self.place.root)?;
        reserve::fill(&self.place.root);
        Ok(lock)
    }

    /// Returns the directory, as it was given.
    pub fn directory(&self) -> &Path {
        self.place.root.path()
    }

    /// Returns the open file of an object, and keeps it for the next read.
    fn opened(&mut self, id: ObjectId) -> Result<&File, Failure<FilesError>> {
        let file = match self.last_read.take() {
            Some((last, file)) if last == id => file,
            _ => self.place.open(id)?,
        };
        Ok(&self.last_read.insert((id, file)).1)
    }

    /// Closes the object read last if it is `id`, whose name is about to go.
    fn close(&mut self, id: ObjectId) {
        self.last_read.take_if(|(last, _)| *last == id);
    }
}

impl Clone for Files {
    fn clone(&self) -> Self {
        Self { place: Arc::clone(&self.place), last_read: None }
    }
}

impl Storage for Files {
    type Error = FilesError;
    type File = NewFile;

    /// Creates the file exclusively, readable and writable by its owner only.
    fn create(&mut self, id: ObjectId) -> Result<NewFile, Failure<FilesError>> {
        let created = self.place.area(id.area()).and_then(|area| {
            let create = || area.create(&id.to_string());
            reserve::retry_when_full(create, || self.place.make_room(id))
        });
        match created {
            Ok(file) => Ok(NewFile { id, file, dead: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::Exists(id)),
            Err(error) => Err(self.place.not_done(Step::Create, id, error)),
        }
    }

    fn write(&mut self, file: &mut NewFile, bytes: &[u8]) -> Result<(), Failure<FilesError>> {
        assert!(!file.dead, "{}: a file that failed is not written again", file.id);
        let make_room = || self.place.make_room(file.id);
        reserve::write_all(&mut file.file, bytes, make_room).map_err(|error| {
            file.dead = true;
            self.place.not_done(Step::Write, file.id, error)
        })
    }

    /// Makes the file durable with `fsync`, once, and closes it.
    ///
    /// After an error nobody knows which of its pages the disk has, and a second `fsync` may well
    /// succeed although they are lost: the file is dead. Removing it is a step of its own.
    fn sync(&mut self, file: NewFile) -> Result<(), Failure<FilesError>> {
        assert!(!file.dead, "{}: a file that failed is not synced", file.id);
        // What close could tell after this, it tells on network file systems only.
        file.file.sync_all().map_err(|error| self.place.not_done(Step::Sync, file.id, error))
    }

    /// Renames the draft, where the kernel and the file system can do so without replacing.
    ///
    /// Of the two ways to publish without replacing, the rename is one change: there is no moment,
    /// and after a crash no state, in which both names are there, and the simulator's disk has no
    /// third outcome to show. File systems that lack it (NFS, older ZFS) get the other way: a hard
    /// link under the new name, then the draft unlinked; a crash between the two leaves the draft,
    /// which is swept.
    ///
    /// An interruption is not tried again, for the second try could find its own success and take
    /// it for a rival's: it is [`Failure::Unknown`], as is every error but that a name is there
    /// or is not.
    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<FilesError>> {
        self.close(draft);
        let published = (|| {
            let (from, to) = (self.place.area(draft.area())?, self.place.area(id.area())?);
            from.publish(&draft.to_string(), to, &id.to_string())
        })();
        published.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::Exists(id),
            ErrorKind::NotFound => Failure::Missing(draft),
            _ => Failure::Unknown(FilesError::new(Step::Publish, self.place.path(id), error)),
        })
    }

    fn sync_area(&mut self, area: Area) -> Result<(), Failure<FilesError>> {
        self.place.area(area).and_then(Directory::sync).map_err(|error| {
            let path = self.place.root.path().join(area.name());
            Failure::Unknown(FilesError::new(Step::Sync, path, error))
        })
    }

    fn list(
        &mut self,
        area: Area,
        found: &mut dyn FnMut(ObjectId),
    ) -> Result<(), Failure<FilesError>> {
        let listed = match self.place.area(area) {
            Ok(directory) => {
                directory.list(&mut |name| name.parse().into_iter().for_each(&mut *found))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        listed.map_err(|error| {
            let path = self.place.root.path().join(area.name());
            Failure::NotDone(FilesError::new(Step::List, path, error))
        })
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<FilesError>> {
        match self.opened(id)?.metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(self.place.not_done(Step::Read, id, error)),
        }
    }

    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Failure<FilesError>> {
        let read = read_at(self.opened(id)?, offset, buffer);
        read.map_err(|error| self.place.not_done(Step::Read, id, error))
    }

    fn native(&mut self, id: ObjectId) -> Option<Box<dyn Any>> {
        let file = self.place.open(id).ok()?;
        Some(Box::new(file))
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<FilesError>> {
        self.close(id);
        let removed = self.place.area(id.area()).and_then(|area| area.remove(&id.to_string()));
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.place.not_done(Step::Remove, id, error))
            }
            _ => Ok(()),
        }
    }
}

/// The directories, held open.
#[derive(Debug)]
struct Place {
    root: Directory,
    data: Option<Directory>,
    epochs: Option<Directory>,
    manifests: Directory,
}

impl Place {
    fn area(&self, area: Area) -> io::Result<&Directory> {
        let directory = match area {
            Area::Data => self.data.as_ref(),
            Area::Epochs => self.epochs.as_ref(),
            Area::Manifests => Some(&self.manifests),
        };
        directory.ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn open(&self, id: ObjectId) -> Result<File, Failure<FilesError>> {
        let opened = self.area(id.area()).and_then(|area| area.open_file(&id.to_string()));
        opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::Missing(id),
            _ => self.not_done(Step::Open, id, error),
        })
    }

    /// Gives the reserve to an object without which no job resumes and nothing is cleaned up.
    fn make_room(&self, id: ObjectId) -> bool {
        id.kind != ObjectKind::Data && reserve::release(&self.root)
    }

    /// Returns where an object stands, for messages only.
    fn path(&self, id: ObjectId) -> PathBuf {
        self.root.path().join(id.area().name()).join(id.to_string())
    }

    fn not_done(&self, step: Step, id: ObjectId, error: io::Error) -> Failure<FilesError> {
        Failure::NotDone(FilesError::new(step, self.path(id), error))
    }
}

/// Fills `buffer` from `offset` on, up to the end of the file.
fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let end = offset.saturating_add(buffer.len() as u64);
    if i64::try_from(end).is_err() {
        // No file reaches this far, and the kernel refuses such an offset.
        return Ok(0);
    }
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
