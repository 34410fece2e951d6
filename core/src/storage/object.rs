//! A stored object as something that can be read at any offset.

use super::{Failure, ObjectId, Storage};
use crate::page::ReadAt;

/// An object in a storage, to be read by the page room.
#[derive(Clone, Debug)]
pub struct StoredObject<S> {
    storage: S,
    id: ObjectId,
}

impl<S: Storage> StoredObject<S> {
    /// Reads the object `id` of `storage`; whether there is one shows at the first read.
    pub const fn new(storage: S, id: ObjectId) -> Self {
        Self { storage, id }
    }
}

impl<S: Storage> ReadAt for StoredObject<S> {
    type Error = Failure<S::Error>;

    fn length(&mut self) -> Result<u64, Self::Error> {
        self.storage.length(self.id)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.storage.read(self.id, offset, buffer)
    }
}
