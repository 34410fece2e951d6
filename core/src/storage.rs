//! Where checkpoints go: objects named by ids, written and published one step at a time.
//!
//! What hides two steps in one call cannot be crash-tested. So each step that can be lost, torn or
//! fail on its own is a call of its own, and files, objects, flash and the simulator implement the
//! same trait ([`Storage`]). The machines of the checkpoint protocol do no input or output: they
//! ask for a [`Request`] and take its [`Reply`].
//!
//! Three outcomes end every step: done, not done, unknown. Nothing is ever deleted on unknown.

mod object;

pub use object::StoredObject;

use core::error::Error;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// The name of an object: generated, never reused, never taken from the content of a file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ObjectId {
    /// What the object is.
    pub kind: ObjectKind,
    /// The checkpoint it was written for; 0 for claims and records.
    pub checkpoint: u64,
    /// The epoch that wrote it.
    pub epoch: u64,
    /// Which try of the epoch at this object; 0 but for data.
    pub attempt: u32,
    /// Which of the objects of that kind; 0 but for data.
    pub part: u32,
}

/// What an object is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum ObjectKind {
    /// States that an epoch was begun; the fence against an older one.
    Claim,
    /// The rows of states: a snapshot file.
    Data,
    /// A manifest that is not published yet.
    Draft,
    /// What a completed checkpoint consists of.
    Manifest,
    /// Which checkpoint an epoch was restored from.
    Record,
}

/// One flat directory of objects; its entries become durable together.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Area {
    /// Snapshot files.
    Data,
    /// Claims and records.
    Epochs,
    /// Manifests and their drafts.
    Manifests,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 3] = [Self::Data, Self::Epochs, Self::Manifests];

    /// Returns the name of the directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Epochs => "epochs",
            Self::Manifests => "manifests",
        }
    }
}

impl ObjectId {
    /// Names the claim of `epoch`.
    pub const fn claim(epoch: u64) -> Self {
        Self { kind: ObjectKind::Claim, checkpoint: 0, epoch, attempt: 0, part: 0 }
    }

    /// Names the record of what `epoch` was restored from.
    pub const fn record(epoch: u64) -> Self {
        Self { kind: ObjectKind::Record, checkpoint: 0, epoch, attempt: 0, part: 0 }
    }

    /// Names the manifest of a checkpoint.
    pub const fn manifest(checkpoint: u64, epoch: u64) -> Self {
        Self { kind: ObjectKind::Manifest, checkpoint, epoch, attempt: 0, part: 0 }
    }

    /// Names the draft of the manifest of a checkpoint.
    pub const fn draft(checkpoint: u64, epoch: u64) -> Self {
        Self { kind: ObjectKind::Draft, checkpoint, epoch, attempt: 0, part: 0 }
    }

    /// Names a snapshot file: `part` tells the files of one checkpoint apart.
    pub const fn data(checkpoint: u64, epoch: u64, attempt: u32, part: u32) -> Self {
        Self { kind: ObjectKind::Data, checkpoint, epoch, attempt, part }
    }

    /// Returns the area that holds the object.
    pub const fn area(&self) -> Area {
        match self.kind {
            ObjectKind::Claim | ObjectKind::Record => Area::Epochs,
            ObjectKind::Data => Area::Data,
            ObjectKind::Draft | ObjectKind::Manifest => Area::Manifests,
        }
    }
}

/// Writes the name of the object in its area (docs/format.md 2.1).
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checkpoint, epoch, attempt, part, .. } = self;
        match self.kind {
            ObjectKind::Claim => write!(f, "e{epoch}.claim"),
            ObjectKind::Record => write!(f, "e{epoch}.record"),
            ObjectKind::Manifest => write!(f, "m{checkpoint}.e{epoch}"),
            ObjectKind::Draft => write!(f, "m{checkpoint}.e{epoch}.draft"),
            ObjectKind::Data => write!(f, "d{checkpoint}.e{epoch}.a{attempt}.p{part}"),
        }
    }
}

/// A name that no object has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ForeignName;

impl fmt::Display for ForeignName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the name of a checkpoint object")
    }
}

impl Error for ForeignName {}

impl FromStr for ObjectId {
    type Err = ForeignName;

    fn from_str(name: &str) -> Result<Self, ForeignName> {
        let mut words = name.split('.');
        let mut next = || words.next().unwrap_or("");
        let id = match next() {
            first if first.starts_with('e') => {
                let epoch = number(first, 'e')?;
                match next() {
                    "claim" => Self::claim(epoch),
                    "record" => Self::record(epoch),
                    _ => return Err(ForeignName),
                }
            }
            first if first.starts_with('m') => {
                let (checkpoint, epoch) = (number(first, 'm')?, number(next(), 'e')?);
                match next() {
                    "draft" => Self::draft(checkpoint, epoch),
                    "" => Self::manifest(checkpoint, epoch),
                    _ => return Err(ForeignName),
                }
            }
            first => {
                let (checkpoint, epoch) = (number(first, 'd')?, number(next(), 'e')?);
                let attempt = number(next(), 'a')?.try_into().map_err(|_| ForeignName)?;
                let part = number(next(), 'p')?.try_into().map_err(|_| ForeignName)?;
                Self::data(checkpoint, epoch, attempt, part)
            }
        };
        if words.next().is_none() && !name.ends_with('.') { Ok(id) } else { Err(ForeignName) }
    }
}

/// A place that keeps objects.
///
/// A handle belongs to one thread; adapters whose medium is shared are cheap to clone.
pub trait Storage {
    /// Why the medium failed.
    type Error: Error + Send + Sync + 'static;
    /// An object being written.
    type File;

    /// Creates an object under its final name; fails with [`Failure::Exists`] if there is one.
    ///
    /// Where an object appears as a whole, its name is taken by [`sync`](Self::sync) alone, and so
    /// that may be what fails.
    fn create(&mut self, id: ObjectId) -> Result<Self::File, Failure<Self::Error>>;

    /// Appends all of `bytes`. After a failure the file is dead: drop it and never name it.
    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> Result<(), Failure<Self::Error>>;

    /// Makes the content and the length of the file durable, not its name, and closes it.
    ///
    /// If it fails with [`Failure::Exists`], another object has the name, and is as it was.
    /// Never tried again: after a failure the file is dead.
    fn sync(&mut self, file: Self::File) -> Result<(), Failure<Self::Error>>;

    /// Gives the synced `draft` the name `id`, atomically and without replacing anything.
    ///
    /// The name is durable only after [`sync_area`](Self::sync_area).
    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<Self::Error>>;

    /// Makes the names in `area` durable: those created, published and removed.
    fn sync_area(&mut self, area: Area) -> Result<(), Failure<Self::Error>>;

    /// Shows every object in `area`, in no particular order. Foreign names are passed over.
    fn list(
        &mut self,
        area: Area,
        found: &mut dyn FnMut(ObjectId),
    ) -> Result<(), Failure<Self::Error>>;

    /// Returns the length of an object in bytes.
    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<Self::Error>>;

    /// Fills `buffer` from `offset` on; returns less than its length only at the object's end.
    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Failure<Self::Error>>;

    /// Hands out an object as what it is, for stores that read rows where they lie: a storage of
    /// files an open `std::fs::File`. Others, and where it cannot be opened, have nothing to hand
    /// out: the rows are read through [`read`](Self::read).
    #[cfg(feature = "alloc")]
    fn native(&mut self, id: ObjectId) -> Option<alloc::boxed::Box<dyn core::any::Any>> {
        let _ = id;
        None
    }

    /// Removes an object; removing one that is not there is done.
    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<Self::Error>>;
}

/// Why a step did not end as asked.
#[derive(Debug)]
pub enum Failure<E> {
    /// An object of that name is there already: a rival's, or a bug. Nothing was changed.
    Exists(ObjectId),
    /// There is no such object.
    Missing(ObjectId),
    /// The step failed and changed nothing that counts.
    NotDone(E),
    /// Nobody knows whether the step took effect: delete nothing, look again in a new epoch.
    Unknown(E),
}

impl<E> Failure<E> {
    /// Says the same with another account of why the medium failed.
    pub fn map<F>(self, convert: impl FnOnce(E) -> F) -> Failure<F> {
        match self {
            Self::Exists(id) => Failure::Exists(id),
            Self::Missing(id) => Failure::Missing(id),
            Self::NotDone(error) => Failure::NotDone(convert(error)),
            Self::Unknown(error) => Failure::Unknown(convert(error)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(id) => write!(f, "{id} exists already"),
            Self::Missing(id) => write!(f, "{id} is missing"),
            Self::NotDone(error) => write!(f, "{error}"),
            Self::Unknown(error) => write!(f, "{error}; whether it took effect is unknown"),
        }
    }
}

impl<E: Error + 'static> Error for Failure<E> {}

/// One step that a machine of the protocol asks for.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// Create the object.
    Create(ObjectId),
    /// Append to the object that was created.
    Write(ObjectId, alloc::vec::Vec<u8>),
    /// Make the content of the object durable and close it.
    Sync(ObjectId),
    /// Give a synced draft its name.
    Publish {
        /// The draft.
        draft: ObjectId,
        /// The name it gets.
        id: ObjectId,
    },
    /// Make the names of an area durable.
    SyncArea(Area),
    /// List an area.
    List(Area),
    /// Read an object whole.
    Read(ObjectId),
    /// Remove an object.
    Remove(ObjectId),
}

/// How a [`Request`] ended.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// Done, nothing to tell.
    Done,
    /// The objects of an area.
    Listed(alloc::vec::Vec<ObjectId>),
    /// The bytes of an object.
    Content(alloc::vec::Vec<u8>),
    /// An object of that name was there already.
    Exists,
    /// There is no such object.
    Missing,
    /// It failed and changed nothing that counts.
    NotDone,
    /// Nobody knows whether it took effect.
    Unknown,
}

fn number(word: &str, letter: char) -> Result<u64, ForeignName> {
    let digits = word.strip_prefix(letter).ok_or(ForeignName)?;
    // One number has one name: no sign, no leading zero.
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (digits.len() > 1 && digits.starts_with('0')) {
        return Err(ForeignName);
    }
    digits.parse().map_err(|_| ForeignName)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_name_reads_back_as_the_id_it_was_made_from() {
        for id in [
            ObjectId::claim(7),
            ObjectId::record(7),
            ObjectId::manifest(12, 3),
            ObjectId::draft(12, 3),
            ObjectId::data(12, u64::MAX, 0, u32::MAX),
        ] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn a_foreign_name_is_no_object() {
        for name in [
            "",
            ".",
            "e",
            "e1",
            "e01.claim",
            "e1.claim.",
            "e1.claim.x",
            "E1.claim",
            "m1",
            "m1.e",
            "m1.e2.x",
            "m+1.e2",
            "d1.e2.a3",
            "d1.e2.a3.p4294967296",
            "d1.e2.a3.p4.draft",
            "../m1.e2",
            "LOCK",
        ] {
            assert_eq!(name.parse::<ObjectId>(), Err(ForeignName), "{name}");
        }
    }
}
