//! Files that a store wrote as its own (docs/format.md 6.1).

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::{FileEntry, Manifest, OperatorEntry};
use crate::state::KeptFile;
use crate::storage::ObjectId;

/// Files of one store that hold the rows of some key groups, of several states.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NativePart {
    /// The kind of store that wrote them, and that can read them.
    pub store: String,
    /// The groups.
    pub groups: Range<u16>,
    /// The files, ascending by name.
    pub files: Vec<NativeFile>,
    /// The states, ascending by name.
    pub states: Vec<NativeState>,
}

/// A file of a native part.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NativeFile {
    /// What the store calls it.
    pub name: String,
    /// The file, one of the manifest's. It is what the store wrote, without a header.
    pub file: ObjectId,
}

/// A state in a native part.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NativeState {
    /// Its name.
    pub name: String,
    /// How many keys it has in each group of the part.
    pub keys: Vec<u64>,
}

impl Manifest {
    /// Returns the names of the files that a store wrote as its own: they have no header.
    pub fn native_files(&self) -> BTreeSet<ObjectId> {
        let natives = self.operators.iter().flat_map(|operator| &operator.natives);
        natives.flat_map(|native| &native.files).map(|file| file.file).collect()
    }
}

impl OperatorEntry {
    /// Returns the native part that has the rows of a key group, if one has.
    pub fn native(&self, group: u16) -> Option<&NativePart> {
        self.natives.iter().find(|native| native.groups.contains(&group))
    }
}

impl FileEntry {
    /// Returns the file as a store knows it.
    pub const fn kept(&self) -> KeptFile {
        let ObjectId { checkpoint, epoch, attempt, part, .. } = self.id;
        KeptFile { checkpoint, epoch, attempt, part, length: self.length, hash: self.hash }
    }
}

impl From<KeptFile> for FileEntry {
    fn from(file: KeptFile) -> Self {
        let KeptFile { checkpoint, epoch, attempt, part, length, hash } = file;
        Self { id: ObjectId::data(checkpoint, epoch, attempt, part), length, hash }
    }
}
