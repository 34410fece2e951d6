//! A store in memory whose requests fail: before they take effect, or after it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use holdwater_objects::Trouble;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

/// The store; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    store: Arc<InMemory>,
    faults: Arc<Mutex<Faults>>,
}

/// How many of 100 requests fail, and what was seen of those that did not.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// They fail before they take effect, and say so or not.
    pub(crate) before: u64,
    /// They take effect, and nobody is told.
    pub(crate) after: u64,
    /// The next requests fail as these say; `None` is one that succeeds.
    pub(crate) script: Vec<Option<Fault>>,
    /// Whether the store passes over conditions.
    pub(crate) blind: bool,
    /// How often each object was created.
    pub(crate) created: BTreeMap<String, usize>,
    /// Uploads in parts that are neither completed nor given up.
    pub(crate) uploads: Vec<MultipartId>,
    random: u64,
}

/// One failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// It took effect, and no answer came.
    Lost,
    /// It did not take effect, and this status says so.
    Status(u16),
    /// It took no effect, and no answer came.
    Vanished,
    /// There was no connection.
    Unsent,
}

impl Faulty {
    pub(crate) fn new(seed: u64) -> Self {
        let faults = Faults { random: seed.wrapping_mul(2).wrapping_add(1), ..Faults::default() };
        Self { store: Arc::default(), faults: Arc::new(Mutex::new(faults)) }
    }

    /// Returns what there is without any fault.
    pub(crate) fn sound(&self) -> Self {
        Self { store: Arc::clone(&self.store), faults: Arc::default() }
    }

    pub(crate) fn faults<T>(&self, look: impl FnOnce(&mut Faults) -> T) -> T {
        look(&mut self.faults.lock().unwrap())
    }

    async fn ask<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let trouble = match self.faults(Faults::next) {
            None => return request.await,
            Some(Fault::Lost) => {
                // Whether it was refused is lost as well.
                drop(request.await);
                Trouble::Silent("connection reset".to_owned())
            }
            Some(Fault::Vanished) => Trouble::Silent("timed out".to_owned()),
            Some(Fault::Status(status)) => Trouble::Answered(status, "not now".to_owned()),
            Some(Fault::Unsent) => Trouble::Unsent("connection refused".to_owned()),
        };
        Err(Error::Generic { store: "faulty", source: Box::new(trouble) })
    }
}

impl Faults {
    fn next(&mut self) -> Option<Fault> {
        if !self.script.is_empty() {
            return self.script.remove(0);
        }
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let (percent, which) = (mixed % 100, mixed / 100 % 4);
        if percent < self.before {
            let faults = [Fault::Status(500), Fault::Status(503), Fault::Vanished, Fault::Unsent];
            return Some(faults[which as usize]);
        }
        (percent < self.before + self.after).then_some(Fault::Lost)
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        self.ask(async {
            assert_eq!(options.mode, PutMode::Create, "{path}: objects are created only");
            if self.faults(|faults| faults.blind) {
                options.mode = PutMode::Overwrite;
            }
            let put = self.store.put_opts(path, payload, options).await?;
            self.faults(|faults| *faults.created.entry(path.to_string()).or_default() += 1);
            Ok(put)
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("parts are sent one by one")
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.ask(self.store.get_opts(path, options)).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let removed = paths.then(move |path| {
            let store = store.clone();
            async move {
                let path = path?;
                let one = futures_util::stream::iter([Ok(path.clone())]).boxed();
                let gone = store.store.delete_stream(one).try_collect::<Vec<_>>();
                store.ask(gone).await?;
                Ok(path)
            }
        });
        removed.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            store.ask(store.store.list(prefix.as_ref()).try_collect::<Vec<_>>()).await
        };
        futures_util::stream::once(listed)
            .map_ok(|found| futures_util::stream::iter(found).map(Ok))
            .try_flatten()
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.ask(self.store.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unreachable!("nothing is copied")
    }
}

#[async_trait]
impl MultipartStore for Faulty {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.ask(async {
            let id = self.store.create_multipart(path).await?;
            self.faults(|faults| faults.uploads.push(id.clone()));
            Ok(id)
        })
        .await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.ask(self.store.put_part(path, id, part, data)).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.ask(async {
            let put = self.store.complete_multipart(path, id, parts).await?;
            self.faults(|faults| {
                faults.uploads.retain(|open| open != id);
                *faults.created.entry(path.to_string()).or_default() += 1;
            });
            Ok(put)
        })
        .await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.ask(async {
            self.faults(|faults| faults.uploads.retain(|open| open != id));
            self.store.abort_multipart(path, id).await
        })
        .await
    }
}
