//! Reads the body of a manifest (docs/format.md 6).
//!
//! Any bytes give a manifest or an error. A count is checked against the bytes that are left before
//! anything is made for it, and memory grows with what has been read.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::{
    Chain, CheckpointId, CheckpointKind, FileEntry, Manifest, OperatorEntry, Origin, Part,
    PartShape, SinkEntry, SourceEntry, StateEntry, StateSchema,
};
use crate::codec::{Encoding, Reader};
use crate::error::{Fault, Malformed};
use crate::key::GROUPS_MAX;
use crate::storage::ObjectId;

impl Manifest {
    /// Reads the body of the manifest of checkpoint `id` of `job`, to its last byte.
    pub fn decode(job: u128, id: CheckpointId, body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let signature = reader.bytes()?.to_vec();
        let kind = match tag(&mut reader, 1..=2)? {
            1 => CheckpointKind::Checkpoint,
            _ => CheckpointKind::Savepoint,
        };
        let created_ms = reader.varint_u64()?;
        let parent = match tag(&mut reader, 0..=1)? {
            0 => None,
            _ => Some(read_id(&mut reader)?),
        };
        let origin = Origin::decode(&mut reader)?;
        let depth = reader.varint_u32()?;
        let key_groups = number(&mut reader, 1..=GROUPS_MAX)?;
        let hash_function = reader.byte()?;
        let files = ascending(&mut reader, read_file, |file| file.id)?;
        let place = Place { id, key_groups, files: &files };
        let operators = place.operators(&mut reader)?;
        let sources = each(&mut reader, |reader| {
            Ok(SourceEntry { name: text(reader)?, position: reader.bytes()?.to_vec() })
        })?;
        let sinks = each(&mut reader, |reader| {
            let name = text(reader)?;
            let transactions = each(reader, |reader| Ok(reader.bytes()?.to_vec()))?;
            Ok(SinkEntry { name, transactions, committed: reader.bytes()?.to_vec() })
        })?;
        let counters = ascending(
            &mut reader,
            |reader| Ok((text(reader)?, reader.varint_u64()?)),
            |(name, _)| name.clone(),
        )?;
        reader.finish()?;
        Ok(Self {
            job,
            id,
            kind,
            created_ms,
            signature,
            parent,
            origin,
            depth,
            key_groups,
            hash_function,
            files,
            operators,
            sources,
            sinks,
            counters,
        })
    }
}

impl Origin {
    /// Reads an origin.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match tag(reader, 0..=2)? {
            0 => Self::Fresh,
            1 => Self::Restored(read_id(reader)?),
            _ => Self::Imported { job: reader.u128()?, id: read_id(reader)? },
        })
    }
}

/// What the entries of a manifest are checked against.
struct Place<'m> {
    id: CheckpointId,
    key_groups: u16,
    files: &'m [FileEntry],
}

impl Place<'_> {
    fn operators(&self, reader: &mut Reader<'_>) -> Result<Vec<OperatorEntry>, Malformed> {
        let mut names = BTreeSet::new();
        each(reader, |reader| {
            let start = *reader;
            let name = text(reader)?;
            if !names.insert(name.clone()) {
                return Err(start.fault(Fault::Duplicate));
            }
            let start = *reader;
            let parallelism = number(reader, 1..=u16::MAX)?;
            let state = |reader: &mut Reader<'_>| self.state(reader);
            let states = ascending(reader, state, |state| state.name.clone())?;
            // Sources are as many as the job has inputs; who shares keys has at least a group.
            if !states.is_empty() && parallelism > self.key_groups {
                return Err(start.fault(Fault::Range));
            }
            Ok(OperatorEntry { name, parallelism, states })
        })
    }

    fn state(&self, reader: &mut Reader<'_>) -> Result<StateEntry, Malformed> {
        let name = text(reader)?;
        let kind = reader.byte()?;
        let start = *reader;
        let encoding = Encoding::from_code(reader.byte()?).ok_or(start.fault(Fault::Range))?;
        let ttl = reader.byte()?;
        let mut schema = || Ok(reader.bytes()?.to_vec());
        let (key, window, field, value) = (schema()?, schema()?, schema()?, schema()?);
        let schema = StateSchema { kind, encoding, ttl, key, window, field, value };
        let chains = ascending(reader, |reader| self.chain(reader), |chain| chain.group)?;
        Ok(StateEntry { name, schema, chains })
    }

    fn chain(&self, reader: &mut Reader<'_>) -> Result<Chain, Malformed> {
        let group = number(reader, 0..=self.key_groups - 1)?;
        let start = *reader;
        let parts = ascending(reader, |reader| self.part(reader), |part| part.written.checkpoint)?;
        let deltas = parts.iter().skip(1);
        if parts.is_empty() || deltas.clone().any(|part| !is_delta(part)) {
            return Err(start.fault(Fault::Range));
        }
        Ok(Chain { group, parts })
    }

    fn part(&self, reader: &mut Reader<'_>) -> Result<Part, Malformed> {
        let start = *reader;
        let range = start.fault(Fault::Range);
        let index = usize::try_from(reader.varint_u64()?).map_err(|_| range)?;
        let file = self.files.get(index).ok_or(range)?;
        let (offset, length) = (reader.varint_u64()?, reader.varint_u64()?);
        if offset.checked_add(length).is_none_or(|end| end > file.length) {
            return Err(range);
        }
        let state = number(reader, 0..=u16::MAX)?;
        let rows = reader.varint_u64()?;
        let written = read_id(reader)?;
        let shape = match tag(reader, 1..=2)? {
            1 => PartShape::Full { digest: reader.u128()? },
            _ => PartShape::Delta { base: read_id(reader)? },
        };
        if written.checkpoint > self.id.checkpoint {
            return Err(range);
        }
        if let PartShape::Delta { base } = shape
            && base.checkpoint >= written.checkpoint
        {
            return Err(range);
        }
        Ok(Part { file: file.id, offset, length, state, shape, rows, written })
    }
}

const fn is_delta(part: &Part) -> bool {
    matches!(part.shape, PartShape::Delta { .. })
}

fn read_file(reader: &mut Reader<'_>) -> Result<FileEntry, Malformed> {
    let (checkpoint, epoch) = (reader.varint_u64()?, reader.varint_u64()?);
    let (attempt, part) = (reader.varint_u32()?, reader.varint_u32()?);
    let id = ObjectId::data(checkpoint, epoch, attempt, part);
    Ok(FileEntry { id, length: reader.varint_u64()?, hash: reader.u128()? })
}

fn read_id(reader: &mut Reader<'_>) -> Result<CheckpointId, Malformed> {
    Ok(CheckpointId { checkpoint: reader.varint_u64()?, epoch: reader.varint_u64()? })
}

fn text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    reader.text().map(String::from)
}

/// Reads a count and as many entries, each of at least one byte.
fn each<'a, T>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = reader.length()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(read(reader)?);
    }
    Ok(entries)
}

/// Reads a count and as many entries, whose keys ascend.
fn ascending<'a, T, K: Ord>(
    reader: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
    key: impl Fn(&T) -> K,
) -> Result<Vec<T>, Malformed> {
    let mut last = None;
    each(reader, |reader| {
        let start = *reader;
        let entry = read(reader)?;
        let next = Some(key(&entry));
        if last >= next {
            let fault = if last == next { Fault::Duplicate } else { Fault::Range };
            return Err(start.fault(fault));
        }
        last = next;
        Ok(entry)
    })
}

/// Takes a byte that is one of `allowed`.
fn tag(reader: &mut Reader<'_>, allowed: core::ops::RangeInclusive<u8>) -> Result<u8, Malformed> {
    let start = *reader;
    let byte = reader.byte()?;
    if allowed.contains(&byte) { Ok(byte) } else { Err(start.fault(Fault::Range)) }
}

/// Takes a varint that is one of `allowed`.
fn number(
    reader: &mut Reader<'_>,
    allowed: core::ops::RangeInclusive<u16>,
) -> Result<u16, Malformed> {
    let start = *reader;
    let number = u16::try_from(reader.varint_u64()?).ok();
    number.filter(|number| allowed.contains(number)).ok_or(start.fault(Fault::Range))
}
