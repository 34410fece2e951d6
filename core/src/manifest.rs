//! What a checkpoint consists of: states and their parts, files, positions, transactions, lineage.
//!
//! ```text
//! manifest -> operator -> state -> chain (one key group) -> part -> file
//! ```
//!
//! A chain is what a group is restored from: parts read one after another, each a delta on those
//! before it. The bytes are specified in docs/format.md 6 and 7.

mod decode;
mod encode;
mod file;
mod native;

pub use file::{claim_file, decode_record, record_file};
pub use native::{NativeFile, NativePart, NativeState};

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::codec::Encoding;
use crate::error::Malformed;
use crate::schema::{Schema, StoredSchema};
use crate::snapshot::PartEntry;
use crate::snapshot::TableEntry;
use crate::state::{Description, Expiry, Kind, Life, Moment, Schemas, Shape, TypeSchema};
use crate::storage::{ForeignName, ObjectId, ObjectKind};

/// Names a checkpoint.
///
/// The number ascends within a lineage; the epoch tells apart those of rivals and of lineages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CheckpointId {
    /// The number, from 1.
    pub checkpoint: u64,
    /// The epoch that took it.
    pub epoch: u64,
}

impl CheckpointId {
    /// Returns the name of its manifest.
    pub const fn manifest(self) -> ObjectId {
        ObjectId::manifest(self.checkpoint, self.epoch)
    }

    /// Returns the name of its manifest before that is published.
    pub const fn draft(self) -> ObjectId {
        ObjectId::draft(self.checkpoint, self.epoch)
    }

    /// Returns the checkpoint that `id` is the manifest of.
    pub fn of_manifest(id: ObjectId) -> Option<Self> {
        let ObjectId { kind, checkpoint, epoch, .. } = id;
        (kind == ObjectKind::Manifest).then_some(Self { checkpoint, epoch })
    }
}

/// Writes `7.e2`: number 7 of epoch 2.
impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.e{}", self.checkpoint, self.epoch)
    }
}

impl FromStr for CheckpointId {
    type Err = ForeignName;

    fn from_str(name: &str) -> Result<Self, ForeignName> {
        // The name of a manifest without its letter: one set of rules for numbers.
        let object = ObjectId::from_str(&alloc::format!("m{name}"))?;
        Self::of_manifest(object).ok_or(ForeignName)
    }
}

/// What a checkpoint is taken for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum CheckpointKind {
    /// To resume from; removed when enough newer ones are there.
    Checkpoint,
    /// To be kept by the user; all its parts are its own, and only the user removes it.
    Savepoint,
}

/// What an epoch was started from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// Nothing: a new lineage.
    Fresh,
    /// A checkpoint of another directory: a new lineage here.
    Imported {
        /// The job that took it.
        job: u128,
        /// Its name there.
        id: CheckpointId,
    },
    /// A checkpoint of this directory.
    Restored(CheckpointId),
}

/// Writes what an epoch was started from, to follow "restored from".
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("nothing"),
            Self::Imported { id, .. } => write!(f, "checkpoint {id} of another directory"),
            Self::Restored(id) => write!(f, "checkpoint {id}"),
        }
    }
}

/// What a checkpoint consists of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manifest {
    /// The job.
    pub job: u128,
    /// The name of the checkpoint.
    pub id: CheckpointId,
    /// What it was taken for.
    pub kind: CheckpointKind,
    /// When it was triggered, in milliseconds since 1970 UTC; to be shown, never to decide by.
    pub created_ms: u64,
    /// What makes a job the same job, in bytes that only the driver reads.
    pub signature: Vec<u8>,
    /// The checkpoint completed before it in its lineage.
    pub parent: Option<CheckpointId>,
    /// What its epoch was started from.
    pub origin: Origin,
    /// How many checkpoints ago the last full one was; 0 if this one is.
    pub depth: u32,
    /// How many key groups the job has, 1 to 32768.
    pub key_groups: u16,
    /// The function that assigns keys to groups.
    pub hash_function: u8,
    /// Every file that a part lies in, ascending by id.
    pub files: Vec<FileEntry>,
    /// The operators with state, in the order of the job.
    pub operators: Vec<OperatorEntry>,
    /// The inputs, in the order of the job: they are matched by it at resume.
    pub sources: Vec<SourceEntry>,
    /// The outputs, in the order of the job.
    pub sinks: Vec<SinkEntry>,
    /// What the job counts across restarts, ascending by name.
    pub counters: Vec<(String, u64)>,
}

impl Manifest {
    /// Returns the names of its files.
    pub fn file_ids(&self) -> BTreeSet<ObjectId> {
        self.files.iter().map(|file| file.id).collect()
    }

    /// Returns the operator of that name.
    pub fn operator(&self, name: &str) -> Option<&OperatorEntry> {
        self.operators.iter().find(|operator| operator.name == name)
    }
}

/// A snapshot file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FileEntry {
    /// Its name, and what its header shows.
    pub id: ObjectId,
    /// Its exact length in bytes.
    pub length: u64,
    /// The hash in its seal.
    pub hash: u128,
}

/// An operator and its states.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OperatorEntry {
    /// The name, unique within the job.
    pub name: String,
    /// How many tasks ran it.
    pub parallelism: u16,
    /// Its states, ascending by name.
    pub states: Vec<StateEntry>,
    /// Files of a store that hold rows of its keyed states, ascending by their groups, which are
    /// apart. What is in them is in no chain.
    pub natives: Vec<NativePart>,
}

impl OperatorEntry {
    /// Returns the state of that name.
    pub fn state(&self, name: &str) -> Option<&StateEntry> {
        let found = self.states.binary_search_by(|state| state.name.as_str().cmp(name));
        found.ok().and_then(|index| self.states.get(index))
    }
}

/// A state and where its rows lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StateEntry {
    /// The name, unique within the operator.
    pub name: String,
    /// What it holds.
    pub schema: StateSchema,
    /// When it was frozen: the earliest of all tasks.
    pub moment: Moment,
    /// One chain for each group that has rows, or for each task where the state is an operator's;
    /// ascending by group.
    pub chains: Vec<Chain>,
}

impl StateEntry {
    /// Returns how long its rows live and when they were frozen, unless they live for ever.
    pub fn life(&self) -> Option<Life> {
        self.schema.expiry.map(|expiry| Life { expiry, time: self.moment.by(expiry.domain) })
    }

    /// Returns the parts that `group` is restored from; none if it has no rows.
    pub fn parts(&self, group: u16) -> &[Part] {
        let found = self.chains.binary_search_by_key(&group, |chain| chain.group);
        let chain = found.ok().and_then(|index| self.chains.get(index));
        chain.map(|chain| chain.parts.as_slice()).unwrap_or_default()
    }

    /// Returns what the index of its file says of a part of the chain of `group`.
    pub fn index_entry(&self, group: u16, part: &Part) -> PartEntry {
        let (shape, base, digest) = match part.shape {
            PartShape::Delta { base } => (Shape::Delta, base.checkpoint, 0),
            PartShape::Full { digest } => (Shape::Full, 0, digest),
        };
        let group = self.group_in_file(group);
        let Part { state, offset, length, rows, .. } = *part;
        PartEntry { state, group, shape, base, offset, length, rows, digest }
    }

    /// Returns the group that a part of the chain of `group` shows.
    pub fn group_in_file(&self, group: u16) -> u16 {
        // Tasks share the part of a copy that they have in common.
        if self.is_broadcast() { 0 } else { group }
    }

    /// Returns how many copies of a broadcast map there are: more than one is a bug in it.
    pub fn copies(&self) -> usize {
        let parts = self.chains.iter().filter(|_| self.is_broadcast());
        parts
            .filter_map(|chain| chain.parts.first())
            .map(Part::place)
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// Returns whether each task has a copy of the state.
    pub(crate) fn is_broadcast(&self) -> bool {
        self.schema.kind == Kind::Broadcast.code()
    }
}

/// What a state holds: codes and schemas as they stand in a file's state table.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StateSchema {
    /// The kind of state.
    pub kind: u8,
    /// How rows are encoded.
    pub encoding: Encoding,
    /// How long values, items or fields live, if not for ever.
    pub expiry: Option<Expiry>,
    /// The stored schema of keys.
    pub key: Vec<u8>,
    /// The stored schema of windows; empty without windows.
    pub window: Vec<u8>,
    /// The stored schema of map keys; empty but for maps.
    pub field: Vec<u8>,
    /// The stored schema of values.
    pub value: Vec<u8>,
}

impl StateSchema {
    /// Returns whether rows are encoded alike: notes such as the names of types do not count, nor
    /// does how long rows live.
    pub fn is_same(&self, other: &Self) -> bool {
        let domain = |schema: &Self| schema.expiry.map(|expiry| expiry.domain);
        let codes = |schema: &Self| (schema.kind, schema.encoding, domain(schema));
        codes(self) == codes(other)
            && is_same_type(&self.key, &other.key)
            && is_same_type(&self.window, &other.window)
            && is_same_type(&self.field, &other.field)
            && is_same_type(&self.value, &other.value)
    }

    /// Returns whether this is what the table of a file says of the state.
    pub fn is_of(&self, table: &TableEntry) -> bool {
        let TableEntry { kind, encoding, life, key, field, value, .. } = table;
        let field = field.as_ref().map(StoredSchema::bytes).unwrap_or_default();
        let clock = |expiry: Option<Expiry>| expiry.map(|expiry| expiry.domain);
        (self.kind, self.encoding) == (kind.code(), *encoding)
            && clock(self.expiry) == clock(life.map(|life| life.expiry))
            && is_same_type(&self.key, key.bytes())
            && is_same_type(&self.field, field)
            && is_same_type(&self.value, value.bytes())
    }

    /// Returns the schemas that rows are written with.
    pub fn stored(&self) -> Result<Schemas<'_>, Malformed> {
        let field = match &*self.field {
            [] => None,
            field => Some(Schema::parse(field)?),
        };
        Ok(Schemas { key: Schema::parse(&self.key)?, field, value: Schema::parse(&self.value)? })
    }
}

impl From<&Description> for StateSchema {
    fn from(description: &Description) -> Self {
        let Description { kind, key, field, value, encoding, .. } = description;
        let stored = |schema: &TypeSchema| encode::to_bytes(|out| schema.write(out));
        Self {
            kind: kind.code(),
            encoding: *encoding,
            expiry: description.expiry(),
            key: stored(key),
            window: Vec::new(),
            field: field.as_ref().map(stored).unwrap_or_default(),
            value: stored(value),
        }
    }
}

/// The parts that one group of a state is restored from, oldest first.
///
/// Every part but the first is a delta. The first is one too if the group was empty at its base.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    /// The key group; of operator state the number of the task.
    pub group: u16,
    /// The parts; never none.
    pub parts: Vec<Part>,
}

/// Rows of one state and one group in a file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Part {
    /// The file, one of the manifest's.
    pub file: ObjectId,
    /// Where the part begins in the file.
    pub offset: u64,
    /// How long it is in bytes, with the heads of its blocks.
    pub length: u64,
    /// The number of the state in the table of that file.
    pub state: u16,
    /// Whether it stands alone.
    pub shape: PartShape,
    /// How many rows it holds.
    pub rows: u64,
    /// The checkpoint it was first written for: what its header shows.
    pub written: CheckpointId,
}

impl Part {
    /// Returns where the part lies.
    const fn place(&self) -> (ObjectId, u64) {
        (self.file, self.offset)
    }
}

/// Whether a part stands alone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum PartShape {
    /// The changes since a completed checkpoint.
    Delta {
        /// That checkpoint.
        base: CheckpointId,
    },
    /// All rows.
    Full {
        /// The content digest of the rows.
        digest: u128,
    },
}

/// An input and how far it was read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SourceEntry {
    /// What the input is called.
    pub name: String,
    /// Where to go on, in bytes that only the source reads.
    pub position: Vec<u8>,
}

/// An output, how far it is committed, and what is yet to be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SinkEntry {
    /// What the output is called.
    pub name: String,
    /// Transactions that were prepared and belong to this checkpoint or older ones, oldest first.
    pub transactions: Vec<Vec<u8>>,
    /// How far the output was committed before them, in bytes that only the sink reads.
    pub committed: Vec<u8>,
}

fn is_same_type(stored: &[u8], other: &[u8]) -> bool {
    let fingerprint = |bytes| Schema::parse(bytes).map(Schema::fingerprint).ok();
    stored == other || fingerprint(stored).is_some_and(|stored| Some(stored) == fingerprint(other))
}

#[cfg(test)]
mod tests;
