//! Checkpoints kept in memory, up to a size.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use holdwater::storage::{Area, Failure, ObjectId, ObjectKind, Storage};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Checkpoint storage in memory; clones share the objects.
#[derive(Clone, Debug)]
pub struct Memory {
    objects: Arc<Mutex<Objects>>,
    max_state_bytes: usize,
}

/// An object of [`Memory`] that is being written.
#[derive(Debug)]
pub struct NewObject {
    id: ObjectId,
}

/// A snapshot file is larger than this storage takes: the checkpoint is declined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooLarge {
    /// The snapshot file.
    pub id: ObjectId,
    /// How many bytes it would have had at least.
    pub bytes: usize,
    /// How many bytes it may have.
    pub max_state_bytes: usize,
}

impl Memory {
    /// Returns an empty storage that takes snapshot files of up to `max_state_bytes` bytes each.
    ///
    /// Manifests, claims and records are not limited.
    pub fn new(max_state_bytes: usize) -> Self {
        Self { objects: Arc::default(), max_state_bytes }
    }

    /// Returns how many bytes a snapshot file may have.
    pub fn max_state_bytes(&self) -> usize {
        self.max_state_bytes
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        // Each step changes the map by one operation, so a panic leaves none half done.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes snapshot files of up to 5 MiB, as Flink does.
impl Default for Memory {
    fn default() -> Self {
        Self::new(MAX_STATE_BYTES)
    }
}

impl Storage for Memory {
    type Error = TooLarge;
    type File = NewObject;

    fn create(&mut self, id: ObjectId) -> Result<NewObject, Failure<TooLarge>> {
        match self.objects().entry(id) {
            Entry::Occupied(_) => Err(Failure::Exists(id)),
            Entry::Vacant(place) => {
                place.insert(Vec::new());
                Ok(NewObject { id })
            }
        }
    }

    fn write(&mut self, file: &mut NewObject, bytes: &[u8]) -> Result<(), Failure<TooLarge>> {
        let (id, max_state_bytes) = (file.id, self.max_state_bytes);
        let mut objects = self.objects();
        let content = objects.get_mut(&id).ok_or(Failure::Missing(id))?;
        let length = content.len().saturating_add(bytes.len());
        if id.kind == ObjectKind::Data && length > max_state_bytes {
            return Err(Failure::NotDone(TooLarge { id, bytes: length, max_state_bytes }));
        }
        content.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, _file: NewObject) -> Result<(), Failure<TooLarge>> {
        Ok(())
    }

    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<TooLarge>> {
        let mut objects = self.objects();
        if !objects.contains_key(&draft) {
            return Err(Failure::Missing(draft));
        }
        if objects.contains_key(&id) {
            return Err(Failure::Exists(id));
        }
        if let Some(content) = objects.remove(&draft) {
            objects.insert(id, content);
        }
        Ok(())
    }

    fn sync_area(&mut self, _area: Area) -> Result<(), Failure<TooLarge>> {
        Ok(())
    }

    fn list(
        &mut self,
        area: Area,
        found: &mut dyn FnMut(ObjectId),
    ) -> Result<(), Failure<TooLarge>> {
        // Collected first: `found` may take a step of its own.
        let ids: Vec<_> = self.objects().keys().filter(|id| id.area() == area).copied().collect();
        ids.into_iter().for_each(found);
        Ok(())
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<TooLarge>> {
        let objects = self.objects();
        let content = objects.get(&id).ok_or(Failure::Missing(id))?;
        Ok(content.len() as u64)
    }

    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Failure<TooLarge>> {
        let objects = self.objects();
        let content = objects.get(&id).ok_or(Failure::Missing(id))?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let end = start.saturating_add(buffer.len()).min(content.len());
        buffer[..end - start].copy_from_slice(&content[start..end]);
        Ok(end - start)
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<TooLarge>> {
        self.objects().remove(&id);
        Ok(())
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, bytes, max_state_bytes } = self;
        write!(
            f,
            "{id} has {bytes} bytes or more, but checkpoints in memory take {max_state_bytes}: \
             raise max_state_bytes or keep checkpoints in files"
        )
    }
}

impl Error for TooLarge {}

type Objects = BTreeMap<ObjectId, Vec<u8>>;

/// What Flink's JobManager storage takes of one state (`DEFAULT_MAX_STATE_SIZE`).
const MAX_STATE_BYTES: usize = 5 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_storage() {
        holdwater_conformance::storage::check(Memory::default);
        holdwater_conformance::storage::check_clones(Memory::default);
    }

    #[test]
    fn a_snapshot_file_over_the_limit_is_declined_naming_size_and_limit() {
        let mut memory = Memory::new(8);
        let id = ObjectId::data(3, 1, 0, 2);
        let mut file = memory.create(id).unwrap();
        memory.write(&mut file, b"12345678").unwrap();
        let failure = memory.write(&mut file, b"9").unwrap_err();
        let error = TooLarge { id, bytes: 9, max_state_bytes: 8 };
        assert!(matches!(failure, Failure::NotDone(found) if found == error));
        assert_eq!(
            failure.to_string(),
            "d3.e1.a0.p2 has 9 bytes or more, but checkpoints in memory take 8: \
             raise max_state_bytes or keep checkpoints in files"
        );
        assert_eq!(memory.length(id).unwrap(), 8, "nothing was changed");
    }

    #[test]
    fn only_snapshot_files_are_limited() {
        let mut memory = Memory::new(0);
        for id in [ObjectId::claim(1), ObjectId::record(1), ObjectId::draft(1, 1)] {
            let mut file = memory.create(id).unwrap();
            memory.write(&mut file, b"unlimited").unwrap();
        }
    }

    #[test]
    fn the_limit_is_that_of_flink_unless_said_otherwise() {
        assert_eq!(Memory::default().max_state_bytes(), 5 * 1024 * 1024);
    }

    #[test]
    fn listing_may_take_steps_of_its_own() {
        let mut memory = Memory::default();
        let mut other = memory.clone();
        memory.create(ObjectId::claim(1)).unwrap();
        memory.list(Area::Epochs, &mut |id| other.remove(id).unwrap()).unwrap();
        assert!(matches!(memory.length(ObjectId::claim(1)), Err(Failure::Missing(_))));
    }
}
