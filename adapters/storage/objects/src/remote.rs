//! Requests to a store, each repeated for a while before it counts as failed.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, MultipartId, MultipartUpload, ObjectStore,
    ObjectStoreExt, PutMode, PutOptions, PutPayload, Result,
};

use crate::trouble::{Doubt, Verdict};

/// How long a request is repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// How long to wait before the second try; each further wait is twice as long.
    pub first: Duration,
    /// The longest wait between two tries.
    pub longest: Duration,
    /// No try begins later than this after the first.
    pub within: Duration,
}

impl Patience {
    /// Asks once.
    pub const NONE: Self =
        Self { first: Duration::ZERO, longest: Duration::ZERO, within: Duration::ZERO };
}

/// Repeats for half a minute: as long as a store needs to move load, and shorter than people wait.
impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
            within: Duration::from_secs(30),
        }
    }
}

/// The waits between tries.
struct Waits {
    patience: Patience,
    begun: Instant,
    next: Duration,
}

impl Waits {
    fn new(patience: Patience) -> Self {
        Self { patience, begun: Instant::now(), next: patience.first }
    }

    /// Waits for the next try; returns whether there is one.
    async fn wait(&mut self) -> bool {
        if self.begun.elapsed() + self.next >= self.patience.within {
            return false;
        }
        // Half of it by chance, so that those who failed together do not come back together.
        let half = self.next / 2;
        let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
        let wait = half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX));
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        self.next = (self.next * 2).min(self.patience.longest);
        true
    }
}

/// How creating an object ended.
#[derive(Debug)]
pub(crate) enum Put {
    Done,
    Exists,
    NotDone(Error),
    Unknown(Error),
}

/// Whose object has a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Owner {
    Nobody,
    Other,
    Own,
}

/// What tells an object that this process created from one that a rival did, though their bytes may
/// be the same: a number by chance, kept beside the bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn new() -> std::result::Result<Self, getrandom::Error> {
        let [high, low] = [getrandom::u64()?, getrandom::u64()?];
        Ok(Self(format!("{high:016x}{low:016x}")))
    }
}

/// A store, and how long it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The store's parts one by one, so that each can be sent again; a disk has none.
    pub(crate) parts: Option<Parts>,
    /// Whether objects can carry a mark.
    pub(crate) marks: bool,
    pub(crate) patience: Patience,
}

#[derive(Clone)]
pub(crate) struct Parts(pub(crate) Arc<dyn MultipartStore>);

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// An object that is being written in parts.
pub(crate) enum Upload {
    Disk(Box<dyn MultipartUpload>),
    Parts { store: Arc<dyn MultipartStore>, id: MultipartId, sent: Vec<PartId> },
}

impl Remote {
    /// Creates an object unless there is one of that name, and finds out what became of it.
    pub(crate) async fn put_new(&self, path: &Path, bytes: &PutPayload, mark: &Mark) -> Put {
        let mut waits = Waits::new(self.patience);
        let mut doubt = Doubt::None;
        loop {
            let options = self.new_object(mark);
            let Err(error) = self.store.put_opts(path, bytes.clone(), options).await else {
                return Put::Done;
            };
            let again = if let Error::AlreadyExists { .. } = error {
                match self.owner(path, mark).await {
                    Ok(Owner::Own) => return Put::Done,
                    Ok(Owner::Other) => return Put::Exists,
                    // Several created it at once, and none was let.
                    Ok(Owner::Nobody) => true,
                    Err(error) if doubt == Doubt::None => return Put::NotDone(error),
                    Err(error) => return Put::Unknown(error),
                }
            } else {
                let verdict = Verdict::of(&error);
                doubt = doubt.max(verdict.doubt);
                verdict.again
            };
            if !again || !waits.wait().await {
                let owner = match doubt {
                    Doubt::None => return Put::NotDone(error),
                    _ => self.owner(path, mark).await,
                };
                return match owner {
                    Ok(Owner::Own) => Put::Done,
                    Ok(Owner::Other) => Put::Exists,
                    Ok(Owner::Nobody) if doubt == Doubt::Settled => Put::NotDone(error),
                    _ => Put::Unknown(error),
                };
            }
        }
    }

    /// Returns whether the store refuses to create an object that is there, as a fence needs it.
    pub(crate) async fn refuses(
        &self,
        path: &Path,
        bytes: &PutPayload,
        mark: &Mark,
    ) -> Result<bool> {
        let put = || self.store.put_opts(path, bytes.clone(), self.new_object(mark));
        match self.persist(put).await {
            Ok(_) => Ok(false),
            Err(Error::AlreadyExists { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Returns the length of an object; `None` if there is none.
    pub(crate) async fn length(&self, path: &Path) -> Result<Option<u64>> {
        match self.persist(|| self.store.head(path)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the bytes of a range that lies within the object; `None` if there is no object.
    pub(crate) async fn read(&self, path: &Path, range: Range<u64>) -> Result<Option<Vec<u8>>> {
        match self.persist(|| self.read_once(path, range.clone())).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read_once(&self, path: &Path, range: Range<u64>) -> Result<Vec<u8>> {
        let length = (range.end - range.start) as usize;
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..Default::default() };
        let mut body = self.store.get_opts(path, options).await?.into_stream();
        let mut bytes = Vec::with_capacity(length);
        while let Some(piece) = body.try_next().await? {
            // More than was asked for is not taken, whatever the server sends.
            if piece.len() > length - bytes.len() {
                return Err(broken("the answer is longer than what was asked for"));
            }
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() < length {
            return Err(broken("the answer is shorter than what was asked for"));
        }
        Ok(bytes)
    }

    /// Returns the names right below a prefix.
    pub(crate) async fn list(&self, prefix: &Path) -> Result<Vec<String>> {
        self.persist(|| async {
            let mut names = Vec::new();
            let mut found = self.store.list(Some(prefix));
            while let Some(meta) = found.next().await.transpose()? {
                let mut below = meta.location.prefix_match(prefix).into_iter().flatten();
                if let (Some(name), None) = (below.next(), below.next()) {
                    names.push(name.as_ref().to_owned());
                }
            }
            Ok(names)
        })
        .await
    }

    /// Removes an object; one that is not there is removed.
    pub(crate) async fn remove(&self, path: &Path) -> Result<()> {
        match self.persist(|| self.store.delete(path)).await {
            Err(Error::NotFound { .. }) => Ok(()),
            ended => ended,
        }
    }

    /// Begins an object that is sent in parts.
    pub(crate) async fn begin(&self, path: &Path) -> Result<Upload> {
        Ok(match &self.parts {
            Some(Parts(store)) => {
                let id = self.persist(|| store.create_multipart(path)).await?;
                Upload::Parts { store: Arc::clone(store), id, sent: Vec::new() }
            }
            None => Upload::Disk(self.store.put_multipart(path).await?),
        })
    }

    /// Sends the next part.
    pub(crate) async fn send(&self, path: &Path, upload: &mut Upload, part: Vec<u8>) -> Result<()> {
        let part = PutPayload::from(part);
        match upload {
            Upload::Disk(upload) => upload.put_part(part).await,
            Upload::Parts { store, id, sent } => {
                let put = || store.put_part(path, id, sent.len(), part.clone());
                let part = self.persist(put).await?;
                sent.push(part);
                Ok(())
            }
        }
    }

    /// Puts the parts together as the object, which has this length then. Its name is one that only
    /// this process gives: what is there in full length is its own.
    pub(crate) async fn complete(&self, path: &Path, upload: &mut Upload, length: u64) -> Put {
        match self.length(path).await {
            Ok(None) => {}
            Ok(Some(_)) => return Put::Exists,
            Err(error) => return Put::NotDone(error),
        }
        let mut waits = Waits::new(self.patience);
        let mut doubt = Doubt::None;
        loop {
            let completed = match upload {
                Upload::Disk(upload) => upload.complete().await,
                Upload::Parts { store, id, sent } => {
                    store.complete_multipart(path, id, sent.clone()).await
                }
            };
            let Err(error) = completed else { return Put::Done };
            let verdict = Verdict::of(&error);
            doubt = doubt.max(verdict.doubt);
            // Parts that were put together are gone: asked again, a store knows nothing of them.
            let found = self.length(path).await;
            if matches!(found, Ok(Some(found)) if found == length) {
                return Put::Done;
            }
            if !verdict.again || !waits.wait().await {
                return match found {
                    Ok(None) if doubt < Doubt::Open => Put::NotDone(error),
                    _ => Put::Unknown(error),
                };
            }
        }
    }

    /// Gives up an object that is sent in parts, so that nobody pays for them.
    pub(crate) async fn abort(&self, path: &Path, upload: &mut Upload) -> Result<()> {
        match upload {
            Upload::Disk(upload) => upload.abort().await,
            Upload::Parts { store, id, .. } => {
                // A store that has given them up already may say anything.
                let mut waits = Waits::new(self.patience);
                let mut given_up = store.abort_multipart(path, id).await;
                for _ in 1..ABORTS_MAX {
                    let again = given_up.as_ref().is_err_and(|error| Verdict::of(error).again);
                    if !again || !waits.wait().await {
                        break;
                    }
                    given_up = store.abort_multipart(path, id).await;
                }
                given_up
            }
        }
    }

    /// Takes a step that may be taken twice, until it is done or patience ends.
    async fn persist<T, F>(&self, mut step: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut waits = Waits::new(self.patience);
        loop {
            match step().await {
                Err(error) if Verdict::of(&error).again && waits.wait().await => {}
                ended => return ended,
            }
        }
    }

    async fn owner(&self, path: &Path, mark: &Mark) -> Result<Owner> {
        let options = GetOptions { head: true, ..Default::default() };
        match self.persist(|| self.store.get_opts(path, options.clone())).await {
            Ok(found) => {
                let found = found.attributes.get(&Self::attribute()).map(AsRef::as_ref);
                Ok(if found == Some(mark.0.as_str()) { Owner::Own } else { Owner::Other })
            }
            Err(Error::NotFound { .. }) => Ok(Owner::Nobody),
            Err(error) => Err(error),
        }
    }

    /// States that an object is to be created, with a mark if objects carry any.
    fn new_object(&self, mark: &Mark) -> PutOptions {
        let marks = self.marks.then(|| (Self::attribute(), mark.0.clone()));
        let attributes = Attributes::from_iter(marks);
        PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() }
    }

    fn attribute() -> Attribute {
        Attribute::Metadata("writer".into())
    }
}

/// Giving up is a courtesy.
const ABORTS_MAX: usize = 5;

fn broken(what: &'static str) -> Error {
    Error::Generic { store: "answer", source: what.into() }
}
