//! Checkpoints in an object store: S3, Google Cloud Storage, Azure.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ahead;
#[cfg(feature = "cloud")]
mod cloud;
mod error;
mod location;
mod place;
mod remote;
mod trouble;
mod write;

pub use error::{Cause, ObjectsError, Step};
pub use location::is_url;
pub use remote::Patience;
pub use trouble::Trouble;
pub use write::NewObject;

use std::sync::Arc;

use holdwater::storage::{Area, Failure, ObjectId, ObjectKind, Storage};
use object_store::ObjectStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;

use ahead::Ahead;
use location::Location;
use place::Place;
use remote::Remote;

/// Checkpoint storage in an object store; clones share the place, each for a thread of its own.
///
/// Calls block, and are not made from within a runtime of `tokio`: the adapter has one of its own.
#[derive(Debug)]
pub struct Objects {
    place: Arc<Place>,
    last_read: Option<Ahead>,
}

impl Objects {
    /// Opens the place that `url` names: `s3://bucket/path`, `gs://bucket/path`,
    /// `az://container/path`, `file:///path` or `memory:///`. Nothing is asked of a store yet.
    ///
    /// Credentials and settings are those of the environment: `AWS_*`, `GOOGLE_*`, `AZURE_*`.
    pub fn open(url: &str) -> Result<Self, ObjectsError> {
        let Location { remote, prefix } = Location::open(url)?;
        let place = Place::new(url.trim_end_matches('/'), remote, prefix)?;
        Ok(Self { place: Arc::new(place), last_read: None })
    }

    /// Takes a store that was opened elsewhere, and the prefix of what is kept in it. `url` names
    /// it in messages.
    ///
    /// The store does not repeat requests by itself, and its errors have a [`Trouble`] among their
    /// sources; where there is none, nobody knows what became of a request.
    pub fn on<S>(store: S, prefix: &str, url: &str) -> Result<Self, ObjectsError>
    where
        S: ObjectStore + MultipartStore,
    {
        let prefix = Path::from(prefix);
        let place = Place::new(url.trim_end_matches('/'), Remote::of(Arc::new(store)), prefix)?;
        Ok(Self { place: Arc::new(place), last_read: None })
    }

    /// Changes how long a request is repeated.
    ///
    /// # Panics
    ///
    /// If there are clones already.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        let place = Arc::get_mut(&mut self.place).expect("there are no clones yet");
        place.remote.patience = patience;
        self
    }

    /// Changes from what size on snapshot files are sent in parts, and how large a part is: 16 MiB.
    /// Stores take no parts below 5 MiB but the last, and no more than 10,000.
    ///
    /// # Panics
    ///
    /// If there are clones already, or if `bytes` is zero.
    #[must_use]
    pub fn with_part_bytes(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "a part has a size");
        let place = Arc::get_mut(&mut self.place).expect("there are no clones yet");
        place.part_bytes = bytes;
        self
    }

    /// Returns the URL of the place, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.place.url
    }

    /// Finds out about an object that is to be read, unless it is the one that was read last.
    fn found(&mut self, id: ObjectId) -> Result<&mut Ahead, Failure<ObjectsError>> {
        let found = match self.last_read.take() {
            Some(last) if last.id == id => last,
            _ => Ahead::new(id, self.place.length(id)?),
        };
        Ok(self.last_read.insert(found))
    }

    /// Forgets the object that was read last if it is `id`, whose name is about to go.
    fn forget(&mut self, id: ObjectId) {
        self.last_read.take_if(|last| last.id == id);
    }
}

impl Clone for Objects {
    fn clone(&self) -> Self {
        Self { place: Arc::clone(&self.place), last_read: None }
    }
}

impl Storage for Objects {
    type Error = ObjectsError;
    type File = NewObject;

    /// Begins an object, which is in the store once it is synced: only then does it show whether
    /// its name is taken.
    fn create(&mut self, id: ObjectId) -> Result<NewObject, Failure<ObjectsError>> {
        if id.kind == ObjectKind::Draft && self.place.drafts().contains_key(&id) {
            return Err(Failure::Exists(id));
        }
        NewObject::new(&self.place, id)
    }

    fn write(&mut self, file: &mut NewObject, bytes: &[u8]) -> Result<(), Failure<ObjectsError>> {
        file.write(bytes)
    }

    /// Creates the object, with all that was written to it, unless its name is taken.
    fn sync(&mut self, file: NewObject) -> Result<(), Failure<ObjectsError>> {
        file.finish()
    }

    /// Creates the object with the content of the draft, which was held in memory until now.
    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<ObjectsError>> {
        let content = self.place.drafts().get(&draft).cloned();
        let content = content.ok_or(Failure::Missing(draft))?;
        self.place.put(Step::Publish, id, content.to_vec())?;
        self.forget(draft);
        self.place.drafts().remove(&draft);
        Ok(())
    }

    /// Does nothing: an object and its name are durable once the store says so.
    fn sync_area(&mut self, _: Area) -> Result<(), Failure<ObjectsError>> {
        Ok(())
    }

    fn list(
        &mut self,
        area: Area,
        found: &mut dyn FnMut(ObjectId),
    ) -> Result<(), Failure<ObjectsError>> {
        let names = self.place.list(area)?;
        names.iter().flat_map(|name| name.parse()).for_each(&mut *found);
        let drafts: Vec<_> = self.place.drafts().keys().copied().collect();
        drafts.into_iter().filter(|draft| draft.area() == area).for_each(found);
        Ok(())
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<ObjectsError>> {
        Ok(self.found(id)?.length)
    }

    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Failure<ObjectsError>> {
        if let Some(draft) = self.place.drafts().get(&id) {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(draft.len());
            let count = buffer.len().min(draft.len() - from);
            buffer[..count].copy_from_slice(&draft[from..from + count]);
            return Ok(count);
        }
        let place = Arc::clone(&self.place);
        let ahead = self.found(id)?;
        let mut filled = 0;
        while filled < buffer.len() {
            let from = offset.saturating_add(filled as u64);
            if from >= ahead.length {
                break;
            }
            let copied = ahead.copy(from, &mut buffer[filled..]);
            if copied == 0 {
                let count = ahead.ask(from, buffer.len() - filled);
                let bytes = place.read(id, from..from + count as u64)?;
                ahead.hold(from, bytes);
            }
            filled += copied;
        }
        Ok(filled)
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<ObjectsError>> {
        self.forget(id);
        if id.kind == ObjectKind::Draft {
            self.place.drafts().remove(&id);
            return Ok(());
        }
        self.place.remove(id)
    }
}
