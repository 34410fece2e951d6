//! A directory held open: names are looked up in it, wherever its path leads by now.

use crate::error::{FilesError, Step};
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A directory, and the path by which it was opened, for messages.
#[derive(Debug)]
pub(crate) struct Directory {
    handle: File,
    path: PathBuf,
}

impl Directory {
    pub(crate) fn open(path: &Path) -> Result<Self, FilesError> {
        match open_directory(path) {
            Ok(handle) => Ok(Self { handle, path: path.to_owned() }),
            Err(error) => Err(FilesError::new(Step::Open, path, error)),
        }
    }

    /// Opens the directory `name` in this one, creating it if need be; the name is not synced.
    pub(crate) fn create_below(&self, name: &str) -> Result<Self, FilesError> {
        match rustix::fs::mkdirat(&self.handle, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => {
                return Err(FilesError::new(Step::Create, self.path.join(name), error.into()));
            }
        }
        let below = self.open_below(name)?;
        match below.sync() {
            Ok(()) => Ok(below),
            Err(error) => Err(FilesError::new(Step::Sync, below.path, error)),
        }
    }

    /// Opens the directory `name` in this one.
    pub(crate) fn open_below(&self, name: &str) -> Result<Self, FilesError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match self.open_at(name, flags) {
            Ok(handle) => Ok(Self { handle, path: self.path.join(name) }),
            Err(error) => Err(FilesError::new(Step::Open, self.path.join(name), error)),
        }
    }

    /// Opens the directory `name` in this one, if there is one.
    pub(crate) fn find_below(&self, name: &str) -> Result<Option<Self>, FilesError> {
        match self.open_below(name) {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the names in this directory durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// Creates a file that is not there yet, for its owner only.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        // Not tried again if interrupted: the second try could find its own success.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        Ok(rustix::fs::openat(&self.handle, name, flags | ALWAYS, OWNER)?.into())
    }

    /// Opens a file for reading; only a regular one, and not through a link.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        // Without waiting: a pipe of that name would be opened only once somebody writes to it.
        let file = self.open_at(name, OFlags::RDONLY | OFlags::NONBLOCK)?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(ErrorKind::InvalidData, "not a regular file"))
        }
    }

    /// Opens the file that is locked, creating it if need be.
    pub(crate) fn open_lock(&self, name: &str) -> io::Result<File> {
        self.open_at(name, OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK)
    }

    /// Shows every name in this directory that is text.
    pub(crate) fn list(&self, found: &mut dyn FnMut(&str)) -> io::Result<()> {
        for entry in Dir::read_from(&self.handle)? {
            if let Ok(name) = entry?.file_name().to_str() {
                found(name);
            }
        }
        Ok(())
    }

    /// Moves the file `draft` to `name` in the directory `to`, atomically, replacing nothing.
    pub(crate) fn publish(&self, draft: &str, to: &Self, name: &str) -> io::Result<()> {
        match self.rename(draft, to, name) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.link(draft, to, name),
            renamed => Ok(renamed?),
        }
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(retry_on_intr(|| rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()))?)
    }

    #[cfg(any(target_vendor = "apple", target_os = "android", target_os = "linux"))]
    fn rename(&self, draft: &str, to: &Self, name: &str) -> Result<(), Errno> {
        use rustix::fs::{RenameFlags, renameat_with};
        renameat_with(&self.handle, draft, &to.handle, name, RenameFlags::NOREPLACE)
    }

    #[cfg(not(any(target_vendor = "apple", target_os = "android", target_os = "linux")))]
    fn rename(&self, _draft: &str, _to: &Self, _name: &str) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Publishes where a rename cannot keep from replacing.
    fn link(&self, draft: &str, to: &Self, name: &str) -> io::Result<()> {
        rustix::fs::linkat(&self.handle, draft, &to.handle, name, AtFlags::empty())?;
        // It is published. A draft that stays behind is swept.
        drop(self.remove(draft));
        Ok(())
    }

    /// Opens `name` in this directory.
    fn open_at(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let open = || rustix::fs::openat(&self.handle, name, flags | ALWAYS, OWNER);
        Ok(retry_on_intr(open)?.into())
    }
}

/// Creates the directory `path` and the parents that it lacks, and makes their names durable.
///
/// The name of a directory that is there already is synced too: who made it may have died before.
pub(crate) fn create_durably(path: &Path) -> Result<(), FilesError> {
    let parent = match path.parent() {
        // The root has none and needs none.
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    let absent = !path.exists();
    if absent {
        create_durably(parent)?;
        match DirBuilder::new().mode(OWNER_OF_DIRECTORY).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(FilesError::new(Step::Create, path, error));
            }
            _ => {}
        }
    }
    match open_directory(parent).and_then(|handle| handle.sync_all()) {
        // Whoever may not read the parent did not make the directory.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !absent => Ok(()),
        Err(error) => Err(FilesError::new(Step::Sync, parent, error)),
        Ok(()) => Ok(()),
    }
}

fn open_directory(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?.into())
}

/// No link is followed, and no child process inherits the file.
const ALWAYS: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// Files are read and written by the user who runs the job, and by nobody else.
const OWNER: Mode = Mode::RUSR.union(Mode::WUSR);

/// So are directories.
const OWNER_OF_DIRECTORY: u32 = 0o700;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Directory) -> Vec<String> {
        let mut names = Vec::new();
        directory.list(&mut |name| names.push(name.to_owned())).unwrap();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }

    #[test]
    fn both_ways_to_publish_do_the_same() {
        type Publish = fn(&Directory, &str, &Directory, &str) -> io::Result<()>;
        let rename: Publish = |from, draft, to, name| Ok(from.rename(draft, to, name)?);
        for publish in [rename, Directory::link] {
            let place = tempfile::tempdir().unwrap();
            let directory = Directory::open(place.path()).unwrap();
            drop(directory.create("draft").unwrap());
            publish(&directory, "draft", &directory, "name").unwrap();
            assert_eq!(names(&directory), ["name"]);

            let again = publish(&directory, "draft", &directory, "other");
            assert_eq!(again.unwrap_err().kind(), ErrorKind::NotFound);
            drop(directory.create("draft").unwrap());
            let over = publish(&directory, "draft", &directory, "name");
            assert_eq!(over.unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(names(&directory), ["draft", "name"]);
        }
    }

    #[test]
    fn a_directory_held_open_is_the_same_wherever_it_is_moved() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        create_durably(&path).unwrap();
        let directory = Directory::open(&path).unwrap();
        std::fs::rename(&path, place.path().join("b")).unwrap();
        drop(directory.create("file").unwrap());
        assert!(place.path().join("b/file").is_file());
    }
}
