//! Saves the files of a store as they are, and of those that the base holds nothing but their name.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use xxhash_rust::xxh3::Xxh3;

use super::{SaveFailure, Target};
use crate::manifest::{FileEntry, NativeFile, NativePart, NativeState};
use crate::snapshot::FrozenStates;
use crate::state::NativeSnapshot;
use crate::storage::{ObjectId, Storage};

/// One native part on its way to the storage.
pub(super) struct Native<'n, B> {
    pub(super) storage: &'n mut B,
    pub(super) target: Target<'n>,
    pub(super) snapshot: &'n dyn NativeSnapshot,
    pub(super) wanted: &'n dyn Fn() -> bool,
    /// The files that were written.
    pub(super) files: Vec<FileEntry>,
}

impl<B: Storage> Native<'_, B> {
    /// Saves the files of a piece, and returns what the manifest says of it.
    pub(super) fn save<E>(
        &mut self,
        piece: usize,
        frozen: &FrozenStates<E>,
    ) -> Result<NativePart, SaveFailure<B::Error, E>>
    where
        E: crate::error::StateError,
    {
        let (store, groups) = (self.snapshot.store().into(), self.snapshot.groups(piece));
        let mut files = Vec::new();
        for index in 0..self.snapshot.files(piece) {
            let (name, base) = self.snapshot.file(piece, index);
            let name = String::from(name);
            let entry = match base {
                Some(base) => FileEntry::from(base),
                None => self.write(piece, index)?,
            };
            self.snapshot.kept(piece, index, entry.kept());
            files.push(NativeFile { name, file: entry.id });
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let first = frozen.groups().first();
        let place = |group: u16| usize::from(group.saturating_sub(first));
        let states = frozen.natives().map(|(description, native)| NativeState {
            name: description.name.as_str().into(),
            keys: native
                .keys
                .get(place(groups.start)..place(groups.end))
                .unwrap_or_default()
                .into(),
        });
        let mut states: Vec<_> = states.collect();
        states.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(NativePart { store, groups, files, states })
    }

    /// Writes a file whole, and makes it durable.
    fn write<E>(
        &mut self,
        piece: usize,
        index: usize,
    ) -> Result<FileEntry, SaveFailure<B::Error, E>> {
        let id = self.next_id()?;
        let (mut hash, mut length, mut buffer) = (Xxh3::new(), 0, vec![0; PIECE_BYTES]);
        let mut file = self.storage.create(id).map_err(SaveFailure::Storage)?;
        loop {
            if !(self.wanted)() {
                return Err(SaveFailure::Abandoned);
            }
            let read = self.snapshot.read(piece, index, length, &mut buffer);
            let count = read.map_err(SaveFailure::Native)?;
            let bytes = buffer.get(..count).unwrap_or(&buffer);
            hash.update(bytes);
            self.storage.write(&mut file, bytes).map_err(SaveFailure::Storage)?;
            length += count as u64;
            if count < buffer.len() {
                break;
            }
        }
        self.storage.sync(file).map_err(SaveFailure::Storage)?;
        let entry = FileEntry { id, length, hash: hash.digest128() };
        self.files.push(entry);
        Ok(entry)
    }

    /// Names the next file: by task and number, above the numbers of snapshots and of copies.
    fn next_id<E>(&self) -> Result<ObjectId, SaveFailure<B::Error, E>> {
        let number = self.files.len() as u32;
        if number >= FILES_MAX {
            let why = alloc::format!("more than {FILES_MAX} files to save at once");
            return Err(SaveFailure::Native(why));
        }
        Ok(self.target.barrier.file(0, NATIVE | (self.target.part * FILES_MAX) | number))
    }
}

/// Set in the number of a file of a native part; the others have the number of their task.
const NATIVE: u32 = 1 << 31;
/// How many files a task writes at most for one checkpoint.
const FILES_MAX: u32 = 1 << 15;
/// How much of a file is read at once.
const PIECE_BYTES: usize = 1 << 18;
