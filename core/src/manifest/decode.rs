//! Reads the body of a manifest (docs/format.md 6).
//!
//! Any bytes give a manifest or an error. A count is checked against the bytes that are left, and
//! what its entries take against the budget, before anything is made for it.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{
    Chain, CheckpointId, CheckpointKind, FileEntry, Manifest, NativeFile, NativePart, NativeState,
    OperatorEntry, Origin, Part, PartShape, SinkEntry, SourceEntry, StateEntry, StateSchema,
};
use crate::codec::{Encoding, Reader};
use crate::error::{Fault, Malformed};
use crate::key::GROUPS_MAX;
use crate::page::RestoreBudget;
use crate::state::{Expiry, Kind, Moment, TimeDomain};
use crate::storage::ObjectId;

impl Manifest {
    /// Reads the body of the manifest of checkpoint `id` of `job`, to its last byte.
    ///
    /// Whatever the bytes are, no more is spent than [`RestoreBudget::of_manifest`] of them grants.
    pub fn decode(job: u128, id: CheckpointId, body: &[u8]) -> Result<Self, Malformed> {
        Self::decode_within(job, id, body, RestoreBudget::of_manifest(body.len() as u64))
    }

    /// Reads the body within `budget`.
    pub(super) fn decode_within(
        job: u128,
        id: CheckpointId,
        body: &[u8],
        budget: RestoreBudget,
    ) -> Result<Self, Malformed> {
        let mut reader = Input { reader: Reader::new(body), budget };
        let reader = &mut reader;
        let signature = reader.copied()?;
        let kind = match reader.tag(1..=2)? {
            1 => CheckpointKind::Checkpoint,
            _ => CheckpointKind::Savepoint,
        };
        let created_ms = reader.reader.varint_u64()?;
        let parent = match reader.tag(0..=1)? {
            0 => None,
            _ => Some(read_id(&mut reader.reader)?),
        };
        let origin = Origin::decode(&mut reader.reader)?;
        let depth = reader.reader.varint_u32()?;
        let key_groups = reader.number(1..=GROUPS_MAX)?;
        let hash_function = reader.reader.byte()?;
        let files = reader.ascending(read_file, |last, next| last.id.cmp(&next.id))?;
        let place = Place { id, key_groups, files: &files };
        let mut operators = place.operators(reader)?;
        let sources = reader
            .each(|reader| Ok(SourceEntry { name: reader.text()?, position: reader.copied()? }))?;
        let sinks = reader.each(|reader| {
            let name = reader.text()?;
            let transactions = reader.each(Input::copied)?;
            Ok(SinkEntry { name, transactions, committed: reader.copied()? })
        })?;
        let counters = reader.ascending(
            |reader| Ok((reader.text()?, reader.reader.varint_u64()?)),
            |(last, _), (next, _)| last.cmp(next),
        )?;
        place.natives(&mut operators, reader)?;
        reader.reader.finish()?;
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
    fn operators(&self, input: &mut Input<'_>) -> Result<Vec<OperatorEntry>, Malformed> {
        let mut names = BTreeSet::new();
        input.each(|input| {
            let start = input.reader;
            // Nodes of the set are at least half full.
            input.take(2, size_of::<&str>())?;
            if !names.insert({ start }.text()?) {
                return Err(start.fault(Fault::Duplicate));
            }
            let name = input.text()?;
            let start = input.reader;
            let parallelism = input.number(1..=u16::MAX)?;
            let states = input.ascending(
                |input| self.state(parallelism, input),
                |last, next| last.name.cmp(&next.name),
            )?;
            // Sources are as many as the job has inputs; who shares keys has at least a group.
            if parallelism > self.key_groups && states.iter().any(is_keyed) {
                return Err(start.fault(Fault::Range));
            }
            Ok(OperatorEntry { name, parallelism, states, natives: Vec::new() })
        })
    }

    /// Reads the native parts, if there are any, and gives them to their operators.
    fn natives(
        &self,
        operators: &mut [OperatorEntry],
        input: &mut Input<'_>,
    ) -> Result<(), Malformed> {
        let start = input.reader;
        if start.is_empty() {
            return Ok(());
        }
        let natives = input.ascending(
            |input| {
                let start = input.reader;
                let place = usize::from(input.number(0..=u16::MAX)?);
                let native = self.native(input)?;
                let operator = operators.get(place).ok_or(start.fault(Fault::Range))?;
                let keyed = operator.states.iter().filter(|state| is_keyed(state));
                // A group has its rows in one place.
                if keyed.flat_map(|s| &s.chains).any(|c| native.groups.contains(&c.group)) {
                    return Err(start.fault(Fault::Duplicate));
                }
                Ok((place, native))
            },
            |(one, last), (other, next)| match one.cmp(other) {
                Ordering::Equal => last.groups.end.cmp(&(next.groups.start + 1)),
                order => order,
            },
        )?;
        if natives.is_empty() {
            return Err(start.fault(Fault::Trailing));
        }
        for (place, native) in natives {
            if let Some(operator) = operators.get_mut(place) {
                operator.natives.push(native);
            }
        }
        Ok(())
    }

    /// Reads a native part.
    fn native(&self, input: &mut Input<'_>) -> Result<NativePart, Malformed> {
        let store = input.text()?;
        let first = input.number(0..=self.key_groups - 1)?;
        let end = input.number(first + 1..=self.key_groups)?;
        let files = input.ascending(
            |input| Ok(NativeFile { name: input.text()?, file: self.file(&mut input.reader)?.id }),
            |last, next| last.name.cmp(&next.name),
        )?;
        let states = input.ascending(
            |input| {
                let (name, mut keys) = (input.text()?, Vec::new());
                let count = usize::from(end - first);
                if count > input.reader.len() {
                    return Err(input.reader.fault(Fault::End));
                }
                input.take(count, size_of::<u64>())?;
                keys.reserve_exact(count);
                for _ in first..end {
                    keys.push(input.reader.varint_u64()?);
                }
                Ok(NativeState { name, keys })
            },
            |last, next| last.name.cmp(&next.name),
        )?;
        Ok(NativePart { store, groups: first..end, files, states })
    }

    /// Reads the place of a file.
    fn file(&self, reader: &mut Reader<'_>) -> Result<&FileEntry, Malformed> {
        let range = reader.fault(Fault::Range);
        let index = usize::try_from(reader.varint_u64()?).map_err(|_| range)?;
        self.files.get(index).ok_or(range)
    }

    fn state(&self, parallelism: u16, input: &mut Input<'_>) -> Result<StateEntry, Malformed> {
        let name = input.text()?;
        let kind = input.reader.byte()?;
        let is_keyed = Kind::from_code(kind).is_none_or(Kind::is_keyed);
        let groups = if is_keyed { self.key_groups } else { parallelism };
        let start = input.reader;
        let encoding =
            Encoding::from_code(input.reader.byte()?).ok_or(start.fault(Fault::Range))?;
        let start = input.reader;
        let expiry = match input.reader.byte()? {
            0 => None,
            ttl => {
                let domain = TimeDomain::from_code(ttl).ok_or(start.fault(Fault::Range))?;
                Some(Expiry::read(domain, &mut input.reader)?)
            }
        };
        let mut time = || input.reader.u64().map(u64::cast_signed);
        let moment = Moment { now: time()?, watermark: time()? };
        let (key, window) = (input.copied()?, input.copied()?);
        let (field, value) = (input.copied()?, input.copied()?);
        let schema = StateSchema { kind, encoding, expiry, key, window, field, value };
        let chains = input.ascending(
            |input| self.chain(groups, input),
            |last, next| last.group.cmp(&next.group),
        )?;
        Ok(StateEntry { name, schema, moment, chains })
    }

    fn chain(&self, groups: u16, input: &mut Input<'_>) -> Result<Chain, Malformed> {
        let group = input.number(0..=groups - 1)?;
        let start = input.reader;
        let parts = input.ascending(
            |input| self.part(&mut input.reader),
            |last, next| last.written.checkpoint.cmp(&next.written.checkpoint),
        )?;
        let deltas = parts.iter().skip(1);
        if parts.is_empty() || deltas.clone().any(|part| !is_delta(part)) {
            return Err(start.fault(Fault::Range));
        }
        Ok(Chain { group, parts })
    }

    fn part(&self, reader: &mut Reader<'_>) -> Result<Part, Malformed> {
        let start = *reader;
        let range = start.fault(Fault::Range);
        let file = self.file(reader)?;
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

fn read_file(input: &mut Input<'_>) -> Result<FileEntry, Malformed> {
    let reader = &mut input.reader;
    let (checkpoint, epoch) = (reader.varint_u64()?, reader.varint_u64()?);
    let (attempt, part) = (reader.varint_u32()?, reader.varint_u32()?);
    let id = ObjectId::data(checkpoint, epoch, attempt, part);
    Ok(FileEntry { id, length: reader.varint_u64()?, hash: reader.u128()? })
}

fn read_id(reader: &mut Reader<'_>) -> Result<CheckpointId, Malformed> {
    Ok(CheckpointId { checkpoint: reader.varint_u64()?, epoch: reader.varint_u64()? })
}

/// The bytes of a manifest, and what reading them may still cost.
struct Input<'a> {
    reader: Reader<'a>,
    budget: RestoreBudget,
}

impl<'a> Input<'a> {
    /// Takes the memory of `count` things of `bytes` bytes, before it is allocated.
    fn take(&mut self, count: usize, bytes: usize) -> Result<(), Malformed> {
        let here = self.reader;
        self.budget.take(count, bytes).map_err(|fault| here.fault(fault))
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let text = self.reader.text()?;
        self.take(text.len(), 1)?;
        Ok(String::from(text))
    }

    fn copied(&mut self) -> Result<Vec<u8>, Malformed> {
        let bytes = self.reader.bytes()?;
        self.take(bytes.len(), 1)?;
        Ok(bytes.to_vec())
    }

    fn tag(&mut self, allowed: core::ops::RangeInclusive<u8>) -> Result<u8, Malformed> {
        tag(&mut self.reader, allowed)
    }

    fn number(&mut self, allowed: core::ops::RangeInclusive<u16>) -> Result<u16, Malformed> {
        number(&mut self.reader, allowed)
    }

    /// Reads a count, and makes room for as many entries. Each takes at least one byte.
    fn room<T>(&mut self) -> Result<(usize, Vec<T>), Malformed> {
        let start = self.reader;
        let (count, mut entries) = (self.reader.length()?, Vec::new());
        self.take(count, size_of::<T>())?;
        entries.try_reserve_exact(count).map_err(|_| start.fault(Fault::Budget))?;
        Ok((count, entries))
    }

    /// Reads a count and as many entries.
    fn each<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let (count, mut entries) = self.room()?;
        for _ in 0..count {
            entries.push(read(self)?);
        }
        Ok(entries)
    }

    /// Reads a count and as many entries that ascend, as `order` tells of each two.
    fn ascending<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
        order: impl Fn(&T, &T) -> Ordering,
    ) -> Result<Vec<T>, Malformed> {
        let (count, mut entries) = self.room::<T>()?;
        for _ in 0..count {
            let start = self.reader;
            let entry = read(self)?;
            match entries.last().map_or(Ordering::Less, |last| order(last, &entry)) {
                Ordering::Less => entries.push(entry),
                Ordering::Equal => return Err(start.fault(Fault::Duplicate)),
                Ordering::Greater => return Err(start.fault(Fault::Range)),
            }
        }
        Ok(entries)
    }
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

fn is_keyed(state: &StateEntry) -> bool {
    Kind::from_code(state.schema.kind).is_none_or(Kind::is_keyed)
}
