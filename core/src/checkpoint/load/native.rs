//! Shows the files of a native part to a store of the kind that wrote them.

use alloc::boxed::Box;
use alloc::vec;
use core::any::Any;
use core::ops::Range;

use xxhash_rust::xxh3::Xxh3;

use super::{LoadFailure, Loader, Section, Snapshots, damaged, is_keyed, unread};
use crate::error::{Fault, Malformed};
use crate::manifest::{FileEntry, Manifest, NativePart, StateEntry};
use crate::state::{KeptFile, Native, State, Unfetched};
use crate::storage::{Failure, ObjectId, Storage};

impl<B: Storage + Clone> Loader<'_, B> {
    /// Has the store take over the files that hold rows of its groups; returns whether there were
    /// any.
    pub(super) fn attach<S: State>(
        &self,
        entry: &StateEntry,
        state: &mut S,
    ) -> Result<bool, LoadFailure<B::Error, S::Error>> {
        let Snapshots { manifest, storage, .. } = self.snapshots;
        let mut attached = false;
        if !is_keyed(state) {
            return Ok(false);
        }
        let own = self.groups.first()..self.groups.end();
        let natives = self.operator.natives.iter().filter(|native| {
            let Range { start, end } = native.groups;
            self.fits.regroup || (start < own.end && own.start < end)
        });
        for native in natives {
            let stored = StoredNative::of(manifest, native, &entry.name, storage.clone());
            let Some(mut stored) = stored else { continue };
            let refusal = |evolves| LoadFailure::OtherStore {
                operator: self.operator.name.clone(),
                state: entry.name.clone(),
                store: native.store.clone(),
                evolves,
            };
            if !self.fits.is_base(&entry.name) {
                return Err(refusal(true));
            }
            match state.attach(&mut stored) {
                Ok(true) => attached = true,
                Ok(false) => return Err(refusal(false)),
                Err(error) => {
                    return Err(stored.failure().unwrap_or(LoadFailure::NotSettled(error)));
                }
            }
        }
        Ok(attached)
    }
}

/// A native part of a checkpoint, as one state sees it.
pub(super) struct StoredNative<'m, B: Storage> {
    manifest: &'m Manifest,
    part: &'m NativePart,
    /// How many keys the state has in each group of the part.
    keys: &'m [u64],
    storage: B,
    failure: Option<(ObjectId, Why<B::Error>)>,
}

/// Why a file was not shown.
enum Why<E> {
    Malformed(Malformed),
    Medium(Failure<E>),
}

impl<'m, B: Storage> StoredNative<'m, B> {
    /// Shows `part` to `state`, if it has rows of it.
    pub(super) fn of(
        manifest: &'m Manifest,
        part: &'m NativePart,
        state: &str,
        storage: B,
    ) -> Option<Self> {
        let found = part.states.iter().find(|stored| stored.name == state)?;
        Some(Self { manifest, part, keys: &found.keys, storage, failure: None })
    }

    /// Returns why a file was not shown, if one was not.
    pub(super) fn failure<E>(self) -> Option<LoadFailure<B::Error, E>> {
        self.failure.map(|(file, why)| match why {
            Why::Malformed(malformed) => damaged(file, &Section::File, malformed),
            Why::Medium(failure) => unread(file, failure),
        })
    }

    fn entry(&self, index: usize) -> Option<FileEntry> {
        let id = self.part.files.get(index)?.file;
        let place = self.manifest.files.binary_search_by_key(&id, |file| file.id).ok()?;
        self.manifest.files.get(place).copied()
    }

    fn read(
        &mut self,
        FileEntry { id, length, hash }: FileEntry,
        put: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool, Why<B::Error>> {
        let (mut read, mut digest, mut buffer) = (0, Xxh3::new(), vec![0; PIECE_BYTES]);
        loop {
            let count = self.storage.read(id, read, &mut buffer).map_err(Why::Medium)?;
            let bytes = buffer.get(..count).unwrap_or(&buffer);
            read += count as u64;
            if read > length {
                return Err(Why::Malformed(Malformed::new(Fault::Trailing, length)));
            }
            digest.update(bytes);
            if !put(bytes) {
                return Ok(false);
            }
            if count < buffer.len() {
                break;
            }
        }
        match (read == length, digest.digest128() == hash) {
            (true, true) => Ok(true),
            (true, false) => Err(Why::Malformed(Malformed::new(Fault::Checksum, 0))),
            (false, _) => Err(Why::Malformed(Malformed::new(Fault::End, read))),
        }
    }
}

impl<B: Storage> Native for StoredNative<'_, B> {
    fn store(&self) -> &str {
        &self.part.store
    }

    fn checkpoint(&self) -> u64 {
        self.manifest.id.checkpoint
    }

    fn groups(&self) -> Range<u16> {
        self.part.groups.clone()
    }

    fn keys(&self, group: u16) -> u64 {
        let place = group.checked_sub(self.part.groups.start).map(usize::from);
        place.and_then(|place| self.keys.get(place)).copied().unwrap_or(0)
    }

    fn files(&self) -> usize {
        self.part.files.len()
    }

    /// # Panics
    ///
    /// If there is no such file.
    fn file(&self, index: usize) -> (&str, KeptFile) {
        let name = self.part.files.get(index).map(|file| file.name.as_str());
        let (Some(name), Some(entry)) = (name, self.entry(index)) else {
            panic!("a native part has files of its manifest")
        };
        (name, entry.kept())
    }

    fn handle(&mut self, index: usize) -> Option<Box<dyn Any>> {
        let id = self.part.files.get(index)?.file;
        self.storage.native(id)
    }

    fn fetch(&mut self, index: usize, put: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Unfetched> {
        let entry = self.entry(index).ok_or(Unfetched)?;
        match self.read(entry, put) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Unfetched),
            Err(why) => {
                self.failure = Some((entry.id, why));
                Err(Unfetched)
            }
        }
    }
}

/// How much of a file is read at once.
const PIECE_BYTES: usize = 1 << 18;
