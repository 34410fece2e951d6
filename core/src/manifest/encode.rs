//! Writes the body of a manifest (docs/format.md 6).

use alloc::vec::Vec;

use super::{
    Chain, CheckpointId, CheckpointKind, FileEntry, Manifest, NativePart, OperatorEntry, Origin,
    Part, PartShape, SinkEntry, SourceEntry, StateEntry,
};
use crate::codec::{Write, write_bytes, write_varint};
use crate::storage::ObjectId;

impl Manifest {
    /// Appends the body of the manifest.
    ///
    /// # Panics
    ///
    /// If a part lies in a file that the manifest does not list.
    pub fn encode<W: Write>(&self, out: &mut W) -> Result<(), W::Error> {
        write_bytes(&self.signature, out)?;
        out.write(&[match self.kind {
            CheckpointKind::Checkpoint => 1,
            CheckpointKind::Savepoint => 2,
        }])?;
        write_varint(self.created_ms.into(), out)?;
        match self.parent {
            None => out.write(&[0])?,
            Some(parent) => {
                out.write(&[1])?;
                write_id(parent, out)?;
            }
        }
        self.origin.encode(out)?;
        write_varint(self.depth.into(), out)?;
        write_varint(self.key_groups.into(), out)?;
        out.write(&[self.hash_function])?;
        write_each(&self.files, out, write_file)?;
        write_each(&self.operators, out, |operator, out| {
            write_operator(operator, &self.files, out)
        })?;
        write_each(&self.sources, out, |SourceEntry { name, position }, out| {
            write_bytes(name.as_bytes(), out)?;
            write_bytes(position, out)
        })?;
        write_each(&self.sinks, out, |SinkEntry { name, transactions, committed }, out| {
            write_bytes(name.as_bytes(), out)?;
            write_each(transactions, out, |bytes, out| write_bytes(bytes, out))?;
            write_bytes(committed, out)
        })?;
        write_each(&self.counters, out, |(name, count), out| {
            write_bytes(name.as_bytes(), out)?;
            write_varint((*count).into(), out)
        })?;
        let natives = self.operators.iter().enumerate().flat_map(|(place, operator)| {
            operator.natives.iter().map(move |native| (place, native))
        });
        let natives: Vec<_> = natives.collect();
        if natives.is_empty() {
            return Ok(());
        }
        write_each(&natives, out, |native, out| write_native(*native, &self.files, out))
    }
}

impl Origin {
    /// Appends the origin: the body of a record, and a field of a manifest.
    pub fn encode<W: Write>(&self, out: &mut W) -> Result<(), W::Error> {
        match *self {
            Self::Fresh => out.write(&[0]),
            Self::Restored(id) => {
                out.write(&[1])?;
                write_id(id, out)
            }
            Self::Imported { job, id } => {
                out.write(&[2])?;
                out.write(&job.to_le_bytes())?;
                write_id(id, out)
            }
        }
    }
}

fn write_each<T, W: Write>(
    entries: &[T],
    out: &mut W,
    mut write: impl FnMut(&T, &mut W) -> Result<(), W::Error>,
) -> Result<(), W::Error> {
    write_varint(entries.len() as u128, out)?;
    entries.iter().try_for_each(|entry| write(entry, out))
}

fn write_id<W: Write>(id: CheckpointId, out: &mut W) -> Result<(), W::Error> {
    write_varint(id.checkpoint.into(), out)?;
    write_varint(id.epoch.into(), out)
}

fn write_file<W: Write>(file: &FileEntry, out: &mut W) -> Result<(), W::Error> {
    let ObjectId { checkpoint, epoch, attempt, part, .. } = file.id;
    for number in [checkpoint, epoch, attempt.into(), part.into(), file.length] {
        write_varint(number.into(), out)?;
    }
    out.write(&file.hash.to_le_bytes())
}

fn write_operator<W: Write>(
    operator: &OperatorEntry,
    files: &[FileEntry],
    out: &mut W,
) -> Result<(), W::Error> {
    write_bytes(operator.name.as_bytes(), out)?;
    write_varint(operator.parallelism.into(), out)?;
    write_each(&operator.states, out, |state, out| {
        let StateEntry { name, schema, moment, chains } = state;
        write_bytes(name.as_bytes(), out)?;
        let ttl = schema.expiry.map_or(0, |expiry| expiry.domain.code());
        out.write(&[schema.kind, schema.encoding.code(), ttl])?;
        if let Some(expiry) = schema.expiry {
            write_varint(expiry.duration_ms.unsigned_abs().into(), out)?;
        }
        out.write(&moment.now.to_le_bytes())?;
        out.write(&moment.watermark.to_le_bytes())?;
        for stored in [&schema.key, &schema.window, &schema.field, &schema.value] {
            write_bytes(stored, out)?;
        }
        write_each(chains, out, |Chain { group, parts }, out| {
            write_varint((*group).into(), out)?;
            write_each(parts, out, |part, out| write_part(part, files, out))
        })
    })
}

fn write_native<W: Write>(
    (operator, native): (usize, &NativePart),
    files: &[FileEntry],
    out: &mut W,
) -> Result<(), W::Error> {
    let NativePart { store, groups, files: own, states } = native;
    write_varint(operator as u128, out)?;
    write_bytes(store.as_bytes(), out)?;
    write_varint(groups.start.into(), out)?;
    write_varint(groups.end.into(), out)?;
    write_each(own, out, |own, out| {
        write_bytes(own.name.as_bytes(), out)?;
        write_varint(place(own.file, files) as u128, out)
    })?;
    write_each(states, out, |state, out| {
        write_bytes(state.name.as_bytes(), out)?;
        state.keys.iter().try_for_each(|keys| write_varint((*keys).into(), out))
    })
}

/// Returns the place of a file among those of the manifest.
fn place(id: ObjectId, files: &[FileEntry]) -> usize {
    let found = files.binary_search_by_key(&id, |file| file.id);
    let Ok(place) = found else { panic!("the manifest lists {id}, which holds a part") };
    place
}

fn write_part<W: Write>(part: &Part, files: &[FileEntry], out: &mut W) -> Result<(), W::Error> {
    let file = place(part.file, files);
    for number in [file as u64, part.offset, part.length, part.state.into(), part.rows] {
        write_varint(number.into(), out)?;
    }
    write_id(part.written, out)?;
    match part.shape {
        PartShape::Full { digest } => {
            out.write(&[1])?;
            out.write(&digest.to_le_bytes())
        }
        PartShape::Delta { base } => {
            out.write(&[2])?;
            write_id(base, out)
        }
    }
}

/// Returns what `encode` appends to an empty vector.
pub(super) fn to_bytes(
    encode: impl FnOnce(&mut Vec<u8>) -> Result<(), core::convert::Infallible>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = encode(&mut bytes);
    bytes
}
