//! Writes the states of a savepoint, each key group as one full part.

use std::collections::BTreeMap;

use holdwater::codec::Write;
use holdwater::key::KeyGroup;
use holdwater::manifest::{Chain, FileEntry, Manifest, OperatorEntry, Part, PartShape, StateEntry};
use holdwater::page::{BlockSize, FileHeader, FileKind, Portable};
use holdwater::snapshot::{PartEntry, SnapshotWriter, TableHead, WriteError};
use holdwater::state::{Description, Moment};
use holdwater::storage::{Failure as StorageFailure, ObjectId, Storage};

use super::held::HeldRows;
use super::{Content, Shape};
use crate::checkpoint::Checkpoint;
use crate::failure::Failure;
use crate::place::{NewEntry, Place, PlaceError};
use crate::state::StateReader;

/// Writes a savepoint, operator by operator.
pub(super) struct Writer<'c, 's> {
    checkpoint: &'c Checkpoint,
    shape: &'s Shape,
    to: Place,
    written: Vec<FileEntry>,
}

impl<'c, 's> Writer<'c, 's> {
    /// Begins a savepoint of `checkpoint` in `to`.
    pub(super) const fn new(checkpoint: &'c Checkpoint, shape: &'s Shape, to: Place) -> Self {
        Self { checkpoint, shape, to, written: Vec::new() }
    }

    /// Returns the files that were written, all of them durable.
    pub(super) fn into_files(self) -> Vec<FileEntry> {
        self.written
    }

    /// Writes the states of an operator to one file, if they have a row.
    pub(super) fn operator(
        &mut self,
        number: usize,
        content: &mut dyn Content<'c>,
    ) -> Result<OperatorEntry, Failure> {
        let (manifest, key_groups) = (&self.checkpoint.manifest, self.shape.key_groups);
        let operator = &manifest.operators[number];
        let (name, state_names) = &self.shape.operators[number];
        let mut states = Vec::with_capacity(state_names.len());
        for (entry, name) in operator.states.iter().zip(state_names) {
            let reader = StateReader::new(self.checkpoint, &operator.name, entry)?;
            let description = reader.types().describe(name)?;
            states.push((StateEntry { name: name.clone(), ..entry.clone() }, description, reader));
        }
        states.sort_by(|(one, ..), (other, ..)| one.name.cmp(&other.name));
        let is_keyed = states.iter().all(|(_, description, _)| description.kind.is_keyed());
        let parallelism = match is_keyed {
            // Who shares keys has at least a group.
            true => operator.parallelism.min(key_groups),
            false => operator.parallelism,
        };
        let natives = Vec::new();
        let made = |states| OperatorEntry { name: name.clone(), parallelism, states, natives };
        let moments = states.iter().map(|(entry, ..)| entry.moment);
        let Some(moment) = moments.reduce(Moment::earliest) else { return Ok(made(Vec::new())) };
        let part = u32::try_from(number).unwrap_or(u32::MAX);
        let file = ObjectId::data(manifest.id.checkpoint, manifest.id.epoch, 0, part);
        let mut buffer = vec![0; BlockSize::HOST.bytes()];
        let open = self.to.create(file).map_err(|failure| unwritten(&failure))?;
        let mut out = File {
            manifest,
            id: file,
            writer: SnapshotWriter::new(
                header(manifest, part),
                TableHead { operator: name, groups: key_groups, moment },
                states
                    .iter()
                    .map(|(_, description, _)| description)
                    .collect::<Vec<_>>()
                    .into_iter(),
                Object { storage: &mut self.to, file: open },
                &mut buffer,
                Portable,
            )
            .map_err(|failure| unwritten(&failure))?,
            index: Vec::new(),
        };
        let mut entries = Vec::with_capacity(states.len());
        for (place, (entry, description, reader)) in (0..).zip(&states) {
            let chains = out.state(place, description, reader, content)?;
            entries.push(StateEntry { chains, ..entry.clone() });
        }
        let File { writer, index, .. } = out;
        let (seal, Object { storage, file: open }) =
            writer.finish(&index).map_err(|failure| unwritten(&failure))?;
        storage.sync(open).map_err(|failure| unwritten(&failure))?;
        match index.is_empty() {
            true => storage.remove(file).map_err(|failure| unwritten(&failure))?,
            false => {
                self.written.push(FileEntry { id: file, length: seal.length, hash: seal.hash });
            }
        }
        Ok(made(entries))
    }
}

fn header(manifest: &Manifest, part: u32) -> FileHeader {
    let Manifest { job, id, .. } = *manifest;
    let (kind, block) = (FileKind::Snapshot, BlockSize::HOST);
    let (checkpoint, epoch) = (id.checkpoint, id.epoch);
    FileHeader { kind, block, job, checkpoint, epoch, attempt: 0, part }
}

/// A file that is being written.
struct File<'f> {
    manifest: &'f Manifest,
    id: ObjectId,
    writer: SnapshotWriter<'f, Object<'f>, Portable>,
    index: Vec<PartEntry>,
}

impl File<'_> {
    /// Writes the rows of a state, group by group.
    fn state<'c>(
        &mut self,
        place: u16,
        description: &Description,
        reader: &StateReader<'c>,
        content: &mut dyn Content<'c>,
    ) -> Result<Vec<Chain>, Failure> {
        let entry = reader.entry();
        let (mut copied, mut chains) = (BTreeMap::<Vec<_>, Part>::new(), Vec::new());
        for group in content.begin(reader.clone())? {
            let stored = entry.parts(group).iter().map(|part| (part.file, part.offset));
            let stored: Vec<_> = stored.filter(|_| !description.kind.is_keyed()).collect();
            // Tasks share the part of a copy that they have in common.
            let part = match copied.get(&stored) {
                Some(part) => Some(*part),
                None => {
                    let in_file = KeyGroup::new(entry.group_in_file(group));
                    self.part(place, description, in_file, &HeldRows(content.rows(group)?))?
                }
            };
            if let Some(part) = part {
                if !stored.is_empty() {
                    copied.insert(stored, part);
                }
                chains.push(Chain { group, parts: vec![part] });
            }
        }
        Ok(chains)
    }

    /// Writes the rows of a group; none of them makes no part.
    fn part(
        &mut self,
        place: u16,
        description: &Description,
        group: KeyGroup,
        rows: &HeldRows,
    ) -> Result<Option<Part>, Failure> {
        let written = self.writer.part(place, description, rows, group, 0);
        let entry = written.map_err(|error| match error {
            WriteError::Output(failure) => unwritten(&failure),
            WriteError::State(never) => match never {},
            error => Failure::Corrupt(format!("state {}: {error}", description.name)),
        })?;
        self.index.extend(entry);
        Ok(entry.map(|entry| Part {
            file: self.id,
            offset: entry.offset,
            length: entry.length,
            state: place,
            shape: PartShape::Full { digest: entry.digest },
            rows: entry.rows,
            written: self.manifest.id,
        }))
    }
}

/// An object that is being written.
struct Object<'s> {
    storage: &'s mut Place,
    file: NewEntry,
}

impl Write for Object<'_> {
    type Error = StorageFailure<PlaceError>;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.storage.write(&mut self.file, bytes)
    }
}

fn unwritten(failure: &StorageFailure<PlaceError>) -> Failure {
    Failure::Data(format!("the savepoint could not be written: {failure}"))
}
