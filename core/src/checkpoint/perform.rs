//! Carries out requests on a storage that blocks.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use super::publish::newer_claim;
use super::start::RecoveryError;
use crate::storage::{Area, Failure, ObjectId, Reply, Request, Storage};

/// Carries out the requests of a machine on a storage, one at a time.
pub struct Performer<S: Storage> {
    storage: S,
    open: BTreeMap<ObjectId, S::File>,
    error: Option<S::Error>,
}

impl<S: Storage> Performer<S> {
    /// Carries out requests on `storage`.
    pub const fn new(storage: S) -> Self {
        Self { storage, open: BTreeMap::new(), error: None }
    }

    /// Does one step. After [`Reply::NotDone`] and [`Reply::Unknown`],
    /// [`take_error`](Self::take_error) says why.
    pub fn perform(&mut self, request: &Request) -> Reply {
        match self.step(request) {
            Ok(reply) => reply,
            Err(Failure::Exists(_)) => Reply::Exists,
            Err(Failure::Missing(_)) => Reply::Missing,
            Err(Failure::NotDone(error)) => {
                self.error = Some(error);
                Reply::NotDone
            }
            Err(Failure::Unknown(error)) => {
                self.error = Some(error);
                Reply::Unknown
            }
        }
    }

    /// Fails if an epoch was begun after `epoch`, or if that cannot be told.
    pub fn fence(&mut self, epoch: u64) -> Result<(), RecoveryError> {
        let request = Request::List(Area::Epochs);
        match self.perform(&request) {
            Reply::Listed(found) => match newer_claim(&found, epoch) {
                Some(epoch) => Err(RecoveryError::Fenced { epoch }),
                None => Ok(()),
            },
            _ => Err(RecoveryError::Storage(request)),
        }
    }

    /// Returns why the last step failed.
    pub const fn take_error(&mut self) -> Option<S::Error> {
        self.error.take()
    }

    /// Returns the storage.
    pub const fn storage(&mut self) -> &mut S {
        &mut self.storage
    }

    fn step(&mut self, request: &Request) -> Result<Reply, Failure<S::Error>> {
        match request {
            Request::Create(id) => {
                let file = self.storage.create(*id)?;
                self.open.insert(*id, file);
            }
            Request::Write(id, bytes) => {
                let mut file = self.open.remove(id).ok_or(Failure::Missing(*id))?;
                self.storage.write(&mut file, bytes)?;
                // Only now: after a failure the file is dead.
                self.open.insert(*id, file);
            }
            Request::Sync(id) => {
                let file = self.open.remove(id).ok_or(Failure::Missing(*id))?;
                self.storage.sync(file)?;
            }
            Request::Publish { draft, id } => self.storage.publish(*draft, *id)?,
            Request::SyncArea(area) => self.storage.sync_area(*area)?,
            Request::List(area) => {
                let mut found = Vec::new();
                self.storage.list(*area, &mut |id| found.push(id))?;
                return Ok(Reply::Listed(found));
            }
            Request::Read(id) => return self.read(*id).map(Reply::Content),
            Request::Remove(id) => self.storage.remove(*id)?,
        }
        Ok(Reply::Done)
    }

    fn read(&mut self, id: ObjectId) -> Result<Vec<u8>, Failure<S::Error>> {
        let length = usize::try_from(self.storage.length(id)?).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        // What cannot be held is not read: its checksums will not match.
        if bytes.try_reserve_exact(length).is_err() {
            return Ok(bytes);
        }
        bytes.resize(length, 0);
        let mut used = 0;
        while let Some(place) = bytes.get_mut(used..).filter(|place| !place.is_empty()) {
            match self.storage.read(id, used as u64, place)? {
                0 => break,
                count => used += count,
            }
        }
        bytes.truncate(used);
        Ok(bytes)
    }
}

impl<S: Storage> fmt::Debug for Performer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Performer").field("open", &self.open.len()).finish_non_exhaustive()
    }
}
