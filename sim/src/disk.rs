//! A disk that forgets: what is written, and what of it would be there after a power loss.
//!
//! Every file has a live content and a durable one, every directory live names and durable ones.
//! Syncing a file makes its content durable but not its name; syncing a directory makes its names
//! durable. A process that crashes loses nothing; a power loss leaves the durable part and, of all
//! else, what a [`Persistence`] and chance decide.
//!
//! The disk alone does every step as asked. A [`Medium`] is how one process sees it: steps fail.

mod content;
mod directory;
mod medium;
mod power;

pub use medium::{Broken, Fault, Faults, Medium};
pub use power::Persistence;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use content::Content;
use directory::{Change, Directory};
use holdwater::storage::{Area, Failure, ObjectId, Storage};

/// The bytes that a power loss keeps or loses as one.
pub const SECTOR_BYTES: usize = 512;

/// A simulated disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    contents: BTreeMap<Inode, Content>,
    directories: [Directory; Area::ALL.len()],
    inodes: u32,
    /// Numbers whatever a power loss may undo, in the order in which it was done.
    now: u64,
}

/// Which file; names come and go, it stays.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Inode(u32);

/// A file that is being written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Handle(Inode);

impl Disk {
    /// Returns an empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the objects of `area` as the running processes see them.
    pub fn names(&self, area: Area) -> impl Iterator<Item = ObjectId> {
        self.directory(area).live().keys().copied()
    }

    /// Returns the content of an object as the running processes see it.
    pub fn content(&self, id: ObjectId) -> Option<&[u8]> {
        let inode = self.directory(id.area()).live().get(&id)?;
        self.contents.get(inode).map(Content::live)
    }

    /// Returns the objects of `area` whose names a power loss would leave for certain.
    pub fn durable_names(&self, area: Area) -> impl Iterator<Item = ObjectId> {
        self.directory(area).certain()
    }

    /// Returns what a power loss would leave of an object for certain, if it is certain to leave
    /// the object at all.
    pub fn durable_content(&self, id: ObjectId) -> Option<&[u8]> {
        let directory = self.directory(id.area());
        let inode = directory.durable().get(&id).filter(|_| directory.is_certain(id))?;
        self.contents.get(inode).map(Content::durable)
    }

    /// Returns the objects of `area` that are there, or that a power loss may bring back.
    pub fn lingering_names(&self, area: Area) -> impl Iterator<Item = ObjectId> {
        let directory = self.directory(area);
        let gone = directory.durable().keys().filter(|id| !directory.live().contains_key(id));
        directory.live().keys().chain(gone).copied()
    }

    /// Returns the content of an object that is there, or that a power loss may bring back.
    pub fn lingering_content(&self, id: ObjectId) -> Option<&[u8]> {
        let directory = self.directory(id.area());
        let inode = directory.live().get(&id).or_else(|| directory.durable().get(&id))?;
        self.contents.get(inode).map(Content::live)
    }

    /// Flips a bit of an object, on the medium too.
    pub fn flip(&mut self, id: ObjectId, bit: usize) {
        let inode = self.directory(id.area()).live().get(&id).copied();
        if let Some(content) = inode.and_then(|inode| self.contents.get_mut(&inode)) {
            content.flip(bit);
        }
    }

    /// Returns whether anything would be lost in a power loss.
    pub fn is_settled(&self) -> bool {
        let names = self.directories.iter().all(|directory| directory.pending().is_empty());
        names && self.contents.values().all(Content::is_settled)
    }

    fn directory(&self, area: Area) -> &Directory {
        &self.directories[area as usize]
    }

    fn change(&mut self, area: Area, change: Change) {
        let at = self.tick();
        self.directories[area as usize].apply(at, change);
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    /// Drops the contents that have no name left, live or durable.
    fn forget_unnamed(&mut self) {
        let named: BTreeSet<Inode> = self.directories.iter().flat_map(Directory::inodes).collect();
        self.contents.retain(|inode, _| named.contains(inode));
    }
}

impl Storage for Disk {
    type Error = Infallible;
    type File = Handle;

    fn create(&mut self, id: ObjectId) -> Result<Handle, Failure<Infallible>> {
        if self.directory(id.area()).live().contains_key(&id) {
            return Err(Failure::Exists(id));
        }
        self.inodes += 1;
        let inode = Inode(self.inodes);
        self.contents.insert(inode, Content::default());
        self.change(id.area(), Change::Add(id, inode));
        Ok(Handle(inode))
    }

    fn write(&mut self, file: &mut Handle, bytes: &[u8]) -> Result<(), Failure<Infallible>> {
        let at = self.tick();
        // A file whose name was removed can still be written.
        if let Some(content) = self.contents.get_mut(&file.0) {
            content.append(at, bytes);
        }
        Ok(())
    }

    fn sync(&mut self, file: Handle) -> Result<(), Failure<Infallible>> {
        if let Some(content) = self.contents.get_mut(&file.0) {
            content.sync();
        }
        Ok(())
    }

    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<Infallible>> {
        assert_eq!(draft.area(), id.area(), "a draft lies where its manifest will");
        let live = self.directory(id.area()).live();
        let inode = *live.get(&draft).ok_or(Failure::Missing(draft))?;
        if live.contains_key(&id) {
            return Err(Failure::Exists(id));
        }
        self.change(id.area(), Change::Rename(draft, id, inode));
        Ok(())
    }

    fn sync_area(&mut self, area: Area) -> Result<(), Failure<Infallible>> {
        self.directories[area as usize].sync();
        self.forget_unnamed();
        Ok(())
    }

    fn list(
        &mut self,
        area: Area,
        found: &mut dyn FnMut(ObjectId),
    ) -> Result<(), Failure<Infallible>> {
        self.names(area).for_each(found);
        Ok(())
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<Infallible>> {
        self.content(id).map(|content| content.len() as u64).ok_or(Failure::Missing(id))
    }

    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Failure<Infallible>> {
        let content = self.content(id).ok_or(Failure::Missing(id))?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let end = start.saturating_add(buffer.len()).min(content.len());
        buffer[..end - start].copy_from_slice(&content[start..end]);
        Ok(end - start)
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<Infallible>> {
        if self.directory(id.area()).live().contains_key(&id) {
            self.change(id.area(), Change::Remove(id));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
