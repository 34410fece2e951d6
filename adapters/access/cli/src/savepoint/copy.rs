//! Copies the states of a checkpoint, each key group as one full part.

use std::collections::BTreeMap;

use holdwater::codec::Write;
use holdwater::key::KeyGroup;
use holdwater::manifest::{Chain, FileEntry, Manifest, OperatorEntry, Part, PartShape, StateEntry};
use holdwater::page::{BlockSize, FileHeader, FileKind, Portable};
use holdwater::snapshot::{PartEntry, SnapshotWriter, TableHead, WriteError};
use holdwater::state::{Description, Moment};
use holdwater::storage::{Failure as StorageFailure, ObjectId, Storage};

use super::rows::HeldRows;
use crate::failure::Failure;
use crate::place::{NewEntry, Place, PlaceError};
use crate::rows::{Parts, Types};
use crate::verify::Damage;

/// Copies a checkpoint, operator by operator.
pub(super) struct Copier<'c> {
    manifest: &'c Manifest,
    from: &'c Place,
    to: Place,
    written: Vec<FileEntry>,
}

impl<'c> Copier<'c> {
    /// Copies the checkpoint of `manifest`, whose files are `from`.
    pub(super) const fn new(manifest: &'c Manifest, from: &'c Place, to: Place) -> Self {
        Self { manifest, from, to, written: Vec::new() }
    }

    /// Returns the files that were written, all of them durable.
    pub(super) fn into_files(self) -> Vec<FileEntry> {
        self.written
    }

    /// Writes the states of an operator to one file, if they have a row.
    pub(super) fn operator(
        &mut self,
        number: u32,
        operator: &OperatorEntry,
    ) -> Result<OperatorEntry, Failure> {
        if operator.states.iter().all(|state| state.chains.is_empty()) {
            return Ok(operator.clone());
        }
        let moments = operator.states.iter().map(|state| state.moment);
        let Some(moment) = moments.reduce(Moment::earliest) else { return Ok(operator.clone()) };
        let mut described = Vec::with_capacity(operator.states.len());
        for state in &operator.states {
            let types = Types::of(state)
                .map_err(|malformed| crate::dump::unreadable(self.manifest, state, malformed))?;
            described.push((types.describe(state)?, types));
        }
        let id = self.manifest.id;
        let file = ObjectId::data(id.checkpoint, id.epoch, 0, number);
        let mut buffer = vec![0; BlockSize::HOST.bytes()];
        let open = self.to.create(file).map_err(|failure| unwritten(&failure))?;
        let mut out = File {
            manifest: self.manifest,
            id: file,
            writer: SnapshotWriter::new(
                self.header(number),
                TableHead { operator: &operator.name, groups: self.manifest.key_groups, moment },
                described.iter().map(|(description, _)| description),
                Object { storage: &mut self.to, file: open },
                &mut buffer,
                Portable,
            )
            .map_err(|failure| unwritten(&failure))?,
            index: Vec::new(),
        };
        let mut states = Vec::with_capacity(operator.states.len());
        for (place, (state, (description, types))) in
            (0..).zip(operator.states.iter().zip(&described))
        {
            let chains: Vec<_> = state.chains.iter().collect();
            let (from, types) = (self.from, types.clone());
            let parts = Parts::open(from, self.manifest, &operator.name, state, types, &chains);
            let mut parts = parts.map_err(|damage| damaged(from, &damage))?;
            states.push(out.state(place, description, state, &mut |chain| {
                parts.read(chain).map(HeldRows).map_err(|damage| damaged(from, &damage))
            })?);
        }
        let (seal, Object { storage, file: open }) =
            out.writer.finish(&out.index).map_err(|failure| unwritten(&failure))?;
        storage.sync(open).map_err(|failure| unwritten(&failure))?;
        self.written.push(FileEntry { id: file, length: seal.length, hash: seal.hash });
        Ok(OperatorEntry { states, ..operator.clone() })
    }

    fn header(&self, part: u32) -> FileHeader {
        let Manifest { job, id, .. } = *self.manifest;
        let (kind, block) = (FileKind::Snapshot, BlockSize::HOST);
        let (checkpoint, epoch) = (id.checkpoint, id.epoch);
        FileHeader { kind, block, job, checkpoint, epoch, attempt: 0, part }
    }
}

/// A file that is being written.
struct File<'f> {
    manifest: &'f Manifest,
    id: ObjectId,
    writer: SnapshotWriter<'f, Object<'f>, Portable>,
    index: Vec<PartEntry>,
}

impl File<'_> {
    /// Writes a state, chain by chain.
    fn state(
        &mut self,
        place: u16,
        description: &Description,
        state: &StateEntry,
        read: &mut dyn FnMut(&Chain) -> Result<HeldRows, Failure>,
    ) -> Result<StateEntry, Failure> {
        let mut copied = BTreeMap::<_, Part>::new();
        let mut chains = Vec::with_capacity(state.chains.len());
        for chain in &state.chains {
            let parts: Vec<_> = chain.parts.iter().map(|part| (part.file, part.offset)).collect();
            let group = KeyGroup::new(state.group_in_file(chain.group));
            // Tasks share the part of a copy that they have in common.
            let part = match copied.get(&parts) {
                Some(part) => Some(*part),
                None => self.part(place, description, group, &read(chain)?)?,
            };
            if let Some(part) = part {
                copied.insert(parts, part);
                chains.push(Chain { group: chain.group, parts: vec![part] });
            }
        }
        Ok(StateEntry { chains, ..state.clone() })
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

fn damaged(files: &Place, damage: &Damage) -> Failure {
    Failure::Corrupt(format!(
        "{}; name an older checkpoint, as list prints them",
        damage.line(files.name())
    ))
}
