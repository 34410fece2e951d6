//! An object on its way into the store: held until it is whole, or sent in parts.

use std::fmt;
use std::mem;
use std::sync::Arc;

use holdwater::storage::{Failure, ObjectId, ObjectKind};

use crate::error::{ObjectsError, Step};
use crate::place::Place;
use crate::remote::Upload;

/// An object of [`Objects`](crate::Objects) that is being written.
///
/// Up to the size of a part it is held in memory, and created by one request. A larger snapshot
/// file is sent in parts. One that is dropped before it is synced is given up, so that its parts
/// are not paid for; those of a process that was killed stay until a rule of the bucket removes
/// them.
pub struct NewObject {
    id: ObjectId,
    place: Arc<Place>,
    /// What is not sent yet.
    buffer: Vec<u8>,
    upload: Option<Upload>,
    /// How much was sent.
    sent: u64,
    dead: bool,
}

impl NewObject {
    pub(crate) fn new(place: &Arc<Place>, id: ObjectId) -> Result<Self, Failure<ObjectsError>> {
        let (place, buffer) = (Arc::clone(place), Vec::new());
        Ok(Self { id, place, buffer, upload: None, sent: 0, dead: false })
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure<ObjectsError>> {
        assert!(!self.dead, "{}: an object that failed is not written again", self.id);
        let part_bytes = self.place.part_bytes;
        // The others are small, and each is created by a request that has a condition.
        while self.id.kind == ObjectKind::Data && self.buffer.len() + bytes.len() > part_bytes {
            let (now, later) = bytes.split_at(part_bytes - self.buffer.len());
            self.buffer.extend_from_slice(now);
            bytes = later;
            self.send()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends what is held as the next part.
    fn send(&mut self) -> Result<(), Failure<ObjectsError>> {
        let path = self.place.path(self.id);
        let part = mem::take(&mut self.buffer);
        let length = part.len() as u64;
        let (remote, upload) = (&self.place.remote, &mut self.upload);
        let sent = self.place.wait(async {
            let upload = match upload {
                Some(upload) => upload,
                None => upload.insert(remote.begin(&path).await?),
            };
            remote.send(&path, upload, part).await
        });
        self.sent += length;
        sent.map_err(|error| {
            self.dead = true;
            Failure::NotDone(self.place.error(Step::Write, self.id, &error))
        })
    }

    /// Creates the object.
    pub(crate) fn finish(mut self) -> Result<(), Failure<ObjectsError>> {
        assert!(!self.dead, "{}: an object that failed is not synced", self.id);
        let place = Arc::clone(&self.place);
        if self.upload.is_some() && !self.buffer.is_empty() {
            self.send()?;
        }
        if let Some(upload) = &mut self.upload {
            let path = place.path(self.id);
            let put = place.wait(place.remote.complete(&path, upload, self.sent));
            let ended = place.ended(Step::Write, self.id, put);
            // What may be complete is not given up.
            if matches!(ended, Ok(()) | Err(Failure::Unknown(_))) {
                self.upload = None;
            }
            return ended;
        }
        let bytes = mem::take(&mut self.buffer);
        if self.id.kind == ObjectKind::Draft {
            place.drafts().insert(self.id, bytes.into());
            return Ok(());
        }
        place.put(Step::Write, self.id, bytes)
    }
}

impl Drop for NewObject {
    fn drop(&mut self) {
        if let Some(upload) = &mut self.upload {
            let path = self.place.path(self.id);
            // Best effort: what stays is garbage, and the bucket's rule removes it.
            let _ = self.place.wait(self.place.remote.abort(&path, upload));
        }
    }
}

impl fmt::Debug for NewObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, sent, .. } = self;
        f.debug_struct("NewObject").field("id", id).field("sent", sent).finish_non_exhaustive()
    }
}
