//! What is done to any bytes that claim to be a schema and a value of it: they are walked, and read
//! as types of today. Nothing panics, and steps and memory are bounded by how many bytes there are.

mod build;
mod types;

use holdwater::codec::{Encoding, Reader};
use holdwater::schema::{
    Budget, Schema, StoredSchema, check, compare, compare_type, decode_as, walk,
};
use serde::de::DeserializeOwned;

pub use self::build::schema as schema_of;
use self::types::{Asked, Ticks};

/// A schema, and what may be a value of it.
struct Case<'a> {
    schema: Vec<u8>,
    value: &'a [u8],
}

impl<'a> Case<'a> {
    /// Takes a schema as it is stored, or one that is built by what the bytes say, and a value.
    fn of(data: &'a [u8]) -> Option<Self> {
        let ([how, a, b], rest) = data.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes([*a, *b]));
        let (schema, value) = rest.split_at_checked(length)?;
        let schema = if how % 2 == 0 { schema.to_vec() } else { build::schema(schema) };
        Some(Self { schema, value })
    }
}

/// Checks a schema and walks a value in both encodings; returns the most memory that may take.
pub fn walker(data: &[u8]) -> usize {
    let Some(case) = Case::of(data) else { return MEMORY };
    // Checking a schema takes none, and neither does walking. What is kept for comparing is.
    let memory = MEMORY + 4 * case.schema.len();
    let Ok(schema) = Schema::parse(&case.schema) else { return memory };
    assert_eq!(StoredSchema::from(schema).view(), schema);
    assert!(compare(schema, schema).is_ok(), "a type reads what it writes: {schema}");
    for encoding in [Encoding::Fixed, Encoding::Postcard] {
        walked(schema, encoding, case.value);
    }
    memory
}

/// Walks a value; returns how many bytes and how many steps it took.
fn walked(schema: Schema<'_>, encoding: Encoding, value: &[u8]) -> Option<(usize, u64)> {
    if encoding == Encoding::Fixed && schema.fixed_len().is_none() {
        // No row of it has that encoding.
        return None;
    }
    let granted = Budget::of_row(value.len());
    let (mut reader, mut left) = (Reader::new(value), granted);
    let result = walk(schema, encoding, &mut reader, &mut left);
    let steps = (granted.fuel - left.fuel) + (granted.items - left.items);
    let most = 65 * value.len() as u64 + (1 << 18) + (1 << 16);
    assert!(steps <= most, "{steps} steps for {} bytes: {schema}", value.len());
    let taken = value.len() - reader.len();
    result.ok()?;
    // What is granted is less for fewer bytes, and enough.
    assert!(steps > most || check(schema, encoding, &value[..taken]).is_ok(), "{schema}");
    Some((taken, steps))
}

/// Reads a value, if it is one, as types of today; returns the most memory that may take.
pub fn evolving(data: &[u8]) -> usize {
    let Some(case) = Case::of(data) else { return MEMORY };
    let mut memory = MEMORY + 4 * case.schema.len();
    let Ok(schema) = Schema::parse(&case.schema) else { return memory };
    for asked in types::ALL {
        settle(schema, asked);
    }
    for encoding in [Encoding::Fixed, Encoding::Postcard] {
        let Some((taken, steps)) = walked(schema, encoding, case.value) else { continue };
        let value = &case.value[..taken];
        // Plain numbers are walked in one step, where there are 64 parts to a byte at most.
        let parts = 2 * steps + 64 * (taken as u64 + 1);
        for asked in types::ALL {
            let ticks = Ticks::begin();
            let read = (asked.read)(schema, encoding, value);
            let ticks = ticks.count();
            assert!(ticks <= parts, "{ticks} parts in {steps} steps: {schema}");
            assert!(read != Some(false), "a value is read to its end: {schema}");
            assert!(!asked.takes_all || read.is_some(), "what is walked is read: {schema}");
        }
        // No part of a value takes more, whatever its type.
        memory = memory.max(MEMORY + 4 * case.schema.len() + 128 * parts as usize);
    }
    memory
}

/// Settles whether a type reads values of a schema, within as many steps as are documented.
fn settle(schema: Schema<'_>, asked: &Asked) {
    let ticks = Ticks::begin();
    let own = StoredSchema::from(schema);
    let _ = compare_type(own.view(), schema, asked.probe);
    let _ = asked.probe.ask(schema);
    assert!(ticks.count() <= PROBE_STEPS, "{schema}");
}

/// Reads a value as `T`; tells whether to its end, if it does.
fn read<T>(schema: Schema<'_>, encoding: Encoding, value: &[u8]) -> Option<bool>
where
    T: DeserializeOwned,
{
    let mut reader = Reader::new(value);
    let read = decode_as::<T>(schema, encoding, &mut reader);
    assert!(read.is_ok() || reader.len() == value.len(), "after an error it stands where it stood");
    read.is_ok().then_some(reader.is_empty())
}

/// What errors and some names take.
const MEMORY: usize = 64 << 10;
/// Twice 2,097,152, as `TypeProbe::ask` documents.
const PROBE_STEPS: u64 = 2 << 21;
