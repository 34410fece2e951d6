use core::error::Error;
use core::fmt;

use super::leaf::tag;
use super::node::{
    ARRAY, ENUM, MAP, OPAQUE, OPTION, SEQ, STRUCT, TUPLE, skip_node, skip_notes, sound,
};
use super::{Leaf, Path, Schema};
use crate::codec::{Encoding, Reader};
use crate::error::{Fault, Malformed};

/// Checks that the next bytes are one value of `schema`, and takes them.
///
/// After it, [`decode`](crate::codec::decode) of the same bytes finds every count true, every
/// text valid and every tag in range. Time is linear in the bytes plus what `budget` grants;
/// nothing is allocated, and recursion goes no deeper than the schema. On an error `reader`
/// stands where it stood.
pub fn walk(
    schema: Schema<'_>,
    encoding: Encoding,
    reader: &mut Reader<'_>,
    budget: &mut Budget,
) -> Result<(), Malformed> {
    if encoding == Encoding::Fixed
        && let Some(width) = schema.any_bytes()
        && let Some(rest) = budget.bytes.checked_sub(width.into())
    {
        reader.take(width as usize)?;
        budget.bytes = rest;
        return Ok(());
    }
    let walk = Walk { encoding, reader: *reader, budget };
    *reader = walk.run(schema).map_err(|unlike| unlike.malformed)?;
    Ok(())
}

/// Checks that `bytes` are exactly one value of `schema`, and names the part that is not.
///
/// This tells whether a type writes what its schema says: serde attributes such as `skip` or
/// `flatten` make the two differ without either knowing.
pub fn check(schema: Schema<'_>, encoding: Encoding, bytes: &[u8]) -> Result<(), Unlike> {
    let mut budget = Budget::of_row(bytes.len());
    let walk = Walk { encoding, reader: Reader::new(bytes), budget: &mut budget };
    walk.run(schema)?.finish().map_err(Unlike::from)
}

/// What checking bytes from outside may cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// The bytes that may be taken.
    pub bytes: u64,
    /// The elements and pairs that may occur in all arrays, sequences and maps together.
    pub items: u64,
    /// How deep values may nest.
    pub depth: u32,
    /// The steps: one for each node of the schema that is visited.
    pub fuel: u64,
}

impl Budget {
    /// No limit: for bytes that were walked before.
    pub(super) const MAX: Self =
        Self { bytes: u64::MAX, items: u64::MAX, depth: u32::MAX, fuel: u64::MAX };

    /// Returns what a row of `bytes` bytes may cost: ample steps for any type a person would write.
    pub const fn of_row(bytes: usize) -> Self {
        let bytes = bytes as u64;
        Self {
            bytes,
            items: bytes.saturating_add(1 << 16),
            depth: super::SCHEMA_DEPTH_MAX as u32,
            fuel: bytes.saturating_mul(64).saturating_add(1 << 18),
        }
    }
}

/// Bytes that are not a value of the schema they are said to have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unlike {
    /// The field or variant that is not as the schema says.
    pub path: Path,
    /// What is wrong with it, and at which byte of the value.
    pub malformed: Malformed,
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not as its schema says")?;
        if !self.path.is_empty() {
            write!(f, " in {}", self.path)?;
        }
        write!(f, ": {}", self.malformed)
    }
}

impl Error for Unlike {}

impl From<Malformed> for Unlike {
    fn from(malformed: Malformed) -> Self {
        Self { path: Path::new(), malformed }
    }
}

struct Walk<'w, 'a> {
    encoding: Encoding,
    reader: Reader<'a>,
    budget: &'w mut Budget,
}

impl<'a> Walk<'_, 'a> {
    /// Walks one value over at most the bytes that the budget grants, and returns what is left.
    fn run(mut self, schema: Schema<'_>) -> Result<Reader<'a>, Unlike> {
        let whole = self.reader;
        let granted = usize::try_from(self.budget.bytes).unwrap_or(usize::MAX);
        let cut = whole.rest().get(..granted);
        if let Some(bytes) = cut {
            self.reader = Reader::at(bytes, whole.offset());
        }
        self.value(&mut Reader::new(schema.bytes())).map_err(|mut unlike| {
            if cut.is_some_and(|bytes| bytes.len() < whole.len())
                && unlike.malformed.fault == Fault::End
            {
                unlike.malformed.fault = Fault::Budget;
            }
            unlike
        })?;
        let taken = self.reader.offset() - whole.offset();
        self.budget.bytes = self.budget.bytes.saturating_sub(taken);
        let mut rest = whole;
        rest.take(usize::try_from(taken).unwrap_or(usize::MAX))?;
        Ok(rest)
    }

    /// Takes the next node of the schema, and one value of it. Reads the stored form itself:
    /// this runs for every part of every row.
    fn value(&mut self, schema: &mut Reader<'_>) -> Result<(), Unlike> {
        self.budget.fuel = self.spend(self.budget.fuel, 1)?;
        let code = sound(skip_notes(schema));
        if let Some(leaf) = Leaf::from_code(code) {
            return Ok(leaf.skip(self.encoding, &mut self.reader)?);
        }
        let body = Reader::new(sound(schema.bytes()));
        let depth = self.budget.depth;
        self.budget.depth = depth.checked_sub(1).ok_or(self.reader.fault(Fault::Budget))?;
        let walked = self.parts(code, body);
        self.budget.depth = depth;
        walked
    }

    fn parts(&mut self, code: u8, mut body: Reader<'_>) -> Result<(), Unlike> {
        match code {
            OPTION => match tag(&mut self.reader)? {
                false => Ok(()),
                true => self.value(&mut body),
            },
            SEQ => {
                let count = self.reader.varint_u64()?;
                self.items(count, body)
            }
            ARRAY => {
                let count = sound(body.varint_u64());
                self.items(count, body)
            }
            MAP => {
                let count = self.reader.varint_u64()?;
                self.budget.items = self.spend(self.budget.items, count)?;
                for _ in 0..count {
                    let mut pair = body;
                    self.value(&mut pair)?;
                    self.value(&mut pair)?;
                }
                Ok(())
            }
            TUPLE => {
                for _ in 0..sound(body.varint_u64()) {
                    self.value(&mut body)?;
                }
                Ok(())
            }
            STRUCT => {
                for _ in 0..sound(body.varint_u64()) {
                    self.member(&mut body)?;
                }
                Ok(())
            }
            OPAQUE => {
                self.reader.bytes()?;
                Ok(())
            }
            ENUM => {
                let start = self.reader;
                let chosen = self.reader.varint_u32()?;
                if u64::from(chosen) >= sound(body.varint_u64()) {
                    return Err(start.fault(Fault::Range).into());
                }
                for _ in 0..chosen {
                    sound(body.bytes());
                    sound(skip_node(&mut body));
                }
                self.member(&mut body)
            }
            _ => unreachable!("a checked schema has no code {code}"),
        }
    }

    /// Takes the next name and node of the schema, and one value.
    fn member(&mut self, schema: &mut Reader<'_>) -> Result<(), Unlike> {
        let name = sound(schema.bytes());
        self.value(schema).map_err(|mut unlike| {
            unlike.path = unlike.path.inside(core::str::from_utf8(name).unwrap_or_default());
            unlike
        })
    }

    fn items(&mut self, count: u64, element: Reader<'_>) -> Result<(), Unlike> {
        self.budget.items = self.spend(self.budget.items, count)?;
        if let Some(leaf) = Leaf::from_code(sound(skip_notes(&mut element.clone()))) {
            return Ok(leaf.skip_many(count, self.encoding, &mut self.reader)?);
        }
        for _ in 0..count {
            self.value(&mut element.clone())?;
        }
        Ok(())
    }

    fn spend(&self, granted: u64, wanted: u64) -> Result<u64, Malformed> {
        granted.checked_sub(wanted).ok_or(self.reader.fault(Fault::Budget))
    }
}
