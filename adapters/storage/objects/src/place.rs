//! Where the objects are, shared by all handles: the store, the prefix, and the drafts.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdwater::storage::{Area, Failure, ObjectId, ObjectKind};
use object_store::PutPayload;
use object_store::path::Path;
use tokio::runtime::{Builder, Runtime};

use crate::error::{Cause, ObjectsError, Step};
use crate::remote::{Mark, Put, Remote};
use crate::trouble::{Verdict, told};

/// A prefix in a store.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) remote: Remote,
    prefix: Path,
    pub(crate) part_bytes: usize,
    /// A draft never leaves the process: what a store creates is whole, so that nothing is gained
    /// by keeping a manifest there under another name first.
    drafts: Mutex<BTreeMap<ObjectId, Arc<[u8]>>>,
    runtime: Runtime,
}

impl Place {
    pub(crate) fn new(url: &str, remote: Remote, prefix: Path) -> Result<Self, ObjectsError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            let (step, url, cause) = (Step::Open, url.to_owned(), Cause::Unusable);
            ObjectsError { step, url, cause, told: error.to_string() }
        })?;
        let (url, drafts) = (url.to_owned(), Mutex::default());
        Ok(Self { url, remote, prefix, part_bytes: PART_BYTES, drafts, runtime })
    }

    pub(crate) fn drafts(&self) -> MutexGuard<'_, BTreeMap<ObjectId, Arc<[u8]>>> {
        // Each step changes the map by one operation, so a panic leaves none half done.
        self.drafts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for what the store does, on the thread that calls.
    pub(crate) fn wait<T>(&self, doing: impl Future<Output = T>) -> T {
        self.runtime.block_on(doing)
    }

    pub(crate) fn path(&self, id: ObjectId) -> Path {
        self.area(id.area()).join(id.to_string())
    }

    fn area(&self, area: Area) -> Path {
        self.prefix.clone().join(area.name())
    }

    /// Creates an object, unless its name is taken.
    pub(crate) fn put(
        &self,
        step: Step,
        id: ObjectId,
        bytes: Vec<u8>,
    ) -> Result<(), Failure<ObjectsError>> {
        let mark = Mark::new().map_err(|error| {
            let (url, cause) = (self.url_of(id), Cause::Unusable);
            Failure::NotDone(ObjectsError { step, url, cause, told: error.to_string() })
        })?;
        let (path, bytes) = (self.path(id), PutPayload::from(bytes));
        self.wait(async {
            let put = self.remote.put_new(&path, &bytes, &mark).await;
            self.ended(step, id, put)?;
            if id.kind == ObjectKind::Claim {
                self.check_fence(id, &bytes, &mark).await?;
            }
            Ok(())
        })
    }

    /// A store that does not know the condition passes over it in silence. Two jobs could publish
    /// there, so it is put to the test once in each epoch: with the claim, again, as it is.
    async fn check_fence(
        &self,
        id: ObjectId,
        bytes: &PutPayload,
        mark: &Mark,
    ) -> Result<(), Failure<ObjectsError>> {
        match self.remote.refuses(&self.path(id), bytes, mark).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let told = "it created an object twice, so that two jobs could publish".to_owned();
                let (step, url, cause) = (Step::Write, self.url_of(id), Cause::NoFence);
                Err(Failure::NotDone(ObjectsError { step, url, cause, told }))
            }
            Err(error) => Err(Failure::NotDone(self.error(Step::Write, id, &error))),
        }
    }

    /// Says how creating an object ended.
    pub(crate) fn ended(
        &self,
        step: Step,
        id: ObjectId,
        put: Put,
    ) -> Result<(), Failure<ObjectsError>> {
        match put {
            Put::Done => Ok(()),
            Put::Exists => Err(Failure::Exists(id)),
            Put::NotDone(error) => Err(Failure::NotDone(self.error(step, id, &error))),
            Put::Unknown(error) => Err(Failure::Unknown(self.error(step, id, &error))),
        }
    }

    pub(crate) fn length(&self, id: ObjectId) -> Result<u64, Failure<ObjectsError>> {
        if let Some(draft) = self.drafts().get(&id) {
            return Ok(draft.len() as u64);
        }
        match self.wait(self.remote.length(&self.path(id))) {
            Ok(length) => length.ok_or(Failure::Missing(id)),
            Err(error) => Err(Failure::NotDone(self.error(Step::Read, id, &error))),
        }
    }

    pub(crate) fn read(
        &self,
        id: ObjectId,
        range: Range<u64>,
    ) -> Result<Vec<u8>, Failure<ObjectsError>> {
        match self.wait(self.remote.read(&self.path(id), range)) {
            Ok(bytes) => bytes.ok_or(Failure::Missing(id)),
            Err(error) => Err(Failure::NotDone(self.error(Step::Read, id, &error))),
        }
    }

    pub(crate) fn list(&self, area: Area) -> Result<Vec<String>, Failure<ObjectsError>> {
        self.wait(self.remote.list(&self.area(area))).map_err(|error| {
            let url = format!("{}/{}", self.url, area.name());
            Failure::NotDone(failed(Step::List, url, &error))
        })
    }

    pub(crate) fn remove(&self, id: ObjectId) -> Result<(), Failure<ObjectsError>> {
        self.wait(self.remote.remove(&self.path(id)))
            .map_err(|error| Failure::NotDone(self.error(Step::Remove, id, &error)))
    }

    pub(crate) fn error(
        &self,
        step: Step,
        id: ObjectId,
        error: &object_store::Error,
    ) -> ObjectsError {
        failed(step, self.url_of(id), error)
    }

    /// Returns where an object is, for messages only.
    fn url_of(&self, id: ObjectId) -> String {
        format!("{}/{}/{id}", self.url, id.area().name())
    }
}

fn failed(step: Step, url: String, error: &object_store::Error) -> ObjectsError {
    ObjectsError { step, url, cause: Verdict::of(error).cause, told: told(error) }
}

/// With 10,000 parts, which is what stores take, a snapshot file of 160 GB.
const PART_BYTES: usize = 16 << 20;
