use core::convert::Infallible;

use super::Leaf;
use super::emit::Fingerprint;
use super::verify::verify;
use crate::codec::{Encoding, Reader, Write, write_bytes, write_varint};
use crate::error::{Fault, Malformed};
use crate::schema::{FIXED_BYTES_MAX, SCHEMA_BYTES_MAX};

/// A view of a stored schema.
///
/// Its bytes were checked once; looking at it is then free of errors and of allocation. Two
/// schemas are equal if their bytes are, notes included; for what matters to a row compare
/// [`fingerprint`](Self::fingerprint)s.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// Exactly one node, behind its notes.
    bytes: &'a [u8],
    /// How many bytes, whatever they are, make a value in the fixed-width encoding. Known only of
    /// a whole schema that has not many more parts than bytes, so that walking its rows takes one
    /// step.
    any_bytes: Option<u32>,
}

impl<'a> Schema<'a> {
    /// Checks that `bytes` are exactly one schema within the limits of this format.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if bytes.len() > SCHEMA_BYTES_MAX {
            return Err(reader.fault(Fault::Budget));
        }
        verify(&mut reader, 1)?;
        reader.finish()?;
        Ok(Self::checked(bytes))
    }

    /// Views bytes that were checked before.
    pub(super) fn checked(bytes: &'a [u8]) -> Self {
        let part = Self { bytes, any_bytes: None };
        let sum = part.sum_of_any_bytes().filter(|sum| sum.parts <= PARTS_PER_BYTE * sum.width);
        Self { any_bytes: sum.and_then(|sum| u32::try_from(sum.width).ok()), ..part }
    }

    /// Views bytes of which all is known.
    #[cfg(feature = "alloc")]
    pub(super) const fn known(bytes: &'a [u8], any_bytes: Option<u32>) -> Self {
        Self { bytes, any_bytes }
    }

    /// Returns the stored form.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The schema of bytes.
    pub(super) const BYTES: Self = Self { bytes: &[Leaf::Bytes.code()], any_bytes: None };

    /// The schema of one byte.
    pub(super) const BYTE: Self = Self { bytes: &[Leaf::U8.code()], any_bytes: Some(1) };

    /// Returns how many bytes make a value in the fixed-width encoding, whatever they are.
    pub(super) const fn any_bytes(self) -> Option<u32> {
        self.any_bytes
    }

    /// Returns whether `part` lies within this schema, of which it is a view.
    pub(super) fn contains(self, part: Schema<'_>) -> bool {
        self.bytes.as_ptr_range().contains(&part.bytes.as_ptr())
    }

    /// Returns whether `other` is a view of the same place, of schemas that are alike too.
    pub(super) fn is_at(self, other: Schema<'_>) -> bool {
        core::ptr::eq(self.bytes, other.bytes)
    }

    /// Returns whether values of this schema are those of `leaf`.
    pub(super) fn is_leaf(self, leaf: Leaf) -> bool {
        matches!(self.kind(), Kind::Leaf(own) if own == leaf)
    }

    /// Returns the name of the type that was written, if it had one.
    pub fn name(self) -> Option<&'a str> {
        let mut reader = Reader::new(self.bytes);
        loop {
            match sound(reader.byte()) {
                NAME => return Some(sound(reader.text())),
                LIMIT => _ = sound(reader.varint_u64()),
                _ => return None,
            }
        }
    }

    /// Returns what a value of this schema is.
    #[inline]
    pub fn kind(self) -> Kind<'a> {
        sound(Kind::take(&mut Reader::new(self.bytes)))
    }

    /// Returns how rows of this schema are encoded: it follows from the schema alone.
    pub fn encoding(self) -> Encoding {
        if self.fixed_len().is_some() { Encoding::Fixed } else { Encoding::Postcard }
    }

    /// Returns the length of every row of this schema if all its leaves have a fixed width.
    pub fn fixed_len(self) -> Option<usize> {
        usize::try_from(self.width()?).ok()
    }

    /// Returns a number that is equal for schemas of the same bytes: XXH3-64 over the schema
    /// without notes.
    pub fn fingerprint(self) -> u64 {
        let mut out = Fingerprint::new();
        let Ok(()) = self.digest(&mut out);
        out.finish()
    }

    /// Takes the next node of a checked schema.
    fn take(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let start = reader.rest();
        skip_node(reader)?;
        let bytes = start.get(..start.len() - reader.len()).unwrap_or_default();
        Ok(Self { bytes, any_bytes: None })
    }

    fn width(self) -> Option<u64> {
        let width = match self.kind() {
            Kind::Leaf(leaf) => leaf.width()?,
            Kind::Array { count, element } => u64::from(count).checked_mul(element.width()?)?,
            Kind::Tuple(members) | Kind::Struct(members) => {
                members.schemas().try_fold(0u64, |sum, part| sum.checked_add(part.width()?))?
            }
            _ => return None,
        };
        (width <= FIXED_BYTES_MAX).then_some(width)
    }

    /// Like [`width`](Self::width), if all bytes are valid.
    fn sum_of_any_bytes(self) -> Option<Sum> {
        let one = |width| Sum { width, parts: 1 };
        let sum = match self.kind() {
            Kind::Leaf(leaf) => one(leaf.plain_width(Encoding::Fixed)?),
            Kind::Array { count, element } => element.sum_of_any_bytes()?.times(count.into())?,
            Kind::Tuple(members) | Kind::Struct(members) => members
                .schemas()
                .try_fold(one(0), |sum, part| sum.plus(part.sum_of_any_bytes()?))?,
            _ => return None,
        };
        (sum.width <= FIXED_BYTES_MAX).then_some(sum)
    }

    fn digest(self, out: &mut Fingerprint) -> Result<(), Infallible> {
        let kind = self.kind();
        out.write(&[kind.code()])?;
        match kind {
            Kind::Leaf(_) => Ok(()),
            Kind::Opaque(version) => write_varint(version.into(), out),
            Kind::Option(inner) | Kind::Seq(inner) => inner.digest(out),
            Kind::Map { key, value } => {
                key.digest(out)?;
                value.digest(out)
            }
            Kind::Array { count, element } => {
                write_varint(count.into(), out)?;
                element.digest(out)
            }
            Kind::Tuple(mut members) | Kind::Struct(mut members) | Kind::Enum(mut members) => {
                write_varint(members.len() as u128, out)?;
                let named = members.named;
                members.try_for_each(|member| {
                    if named {
                        write_bytes(member.name.as_bytes(), out)?;
                    }
                    member.schema.digest(out)
                })
            }
        }
    }
}

/// What values of a schema are made of.
struct Sum {
    /// Their bytes.
    width: u64,
    /// Their parts, down to the leaves.
    parts: u64,
}

impl Sum {
    fn plus(self, other: Self) -> Option<Self> {
        let width = self.width.checked_add(other.width)?;
        Some(Self { width, parts: self.parts.checked_add(other.parts)? })
    }

    fn times(self, count: u64) -> Option<Self> {
        let width = self.width.checked_mul(count)?;
        Some(Self { width, parts: self.parts.checked_mul(count)? })
    }
}

impl PartialEq for Schema<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Schema<'_> {}

/// What a value is, one level deep.
///
/// Newtypes and tuple structs are not told from what they hold: their bytes are the same.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// As many elements as the schema says, all of one schema.
    Array {
        /// How many: two or more.
        count: u32,
        /// What each is.
        element: Schema<'a>,
    },
    /// One of several variants, told by its index.
    Enum(Members<'a>),
    /// A value without parts.
    Leaf(Leaf),
    /// Pairs, in the order they were written.
    Map {
        /// The first of each pair.
        key: Schema<'a>,
        /// The second of each pair.
        value: Schema<'a>,
    },
    /// Bytes that only their type reads, of this version.
    Opaque(u32),
    /// A value or none.
    Option(Schema<'a>),
    /// Any number of elements.
    Seq(Schema<'a>),
    /// Named fields.
    Struct(Members<'a>),
    /// Elements told by their place.
    Tuple(Members<'a>),
}

impl<'a> Kind<'a> {
    /// Takes the next node of a checked schema.
    fn take(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let code = skip_notes(reader)?;
        if let Some(leaf) = Leaf::from_code(code) {
            return Ok(Self::Leaf(leaf));
        }
        let mut body = Reader::new(reader.bytes()?);
        let body = &mut body;
        Ok(match code {
            OPTION => Self::Option(Schema::take(body)?),
            SEQ => Self::Seq(Schema::take(body)?),
            MAP => Self::Map { key: Schema::take(body)?, value: Schema::take(body)? },
            ARRAY => Self::Array { count: body.varint_u32()?, element: Schema::take(body)? },
            TUPLE => Self::Tuple(Members::read(*body, false)?),
            STRUCT => Self::Struct(Members::read(*body, true)?),
            ENUM => Self::Enum(Members::read(*body, true)?),
            OPAQUE => Self::Opaque(body.varint_u32()?),
            _ => return Err(reader.fault(Fault::Range)),
        })
    }

    /// Returns the word for this kind: the name of the Rust type, or what sort of type it is.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Array { .. } => "array",
            Self::Enum(_) => "enum",
            Self::Leaf(leaf) => leaf.word(),
            Self::Map { .. } => "map",
            Self::Opaque(_) => "opaque",
            Self::Option(_) => "option",
            Self::Seq(_) => "sequence",
            Self::Struct(_) => "struct",
            Self::Tuple(_) => "tuple",
        }
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Array { .. } => ARRAY,
            Self::Enum(_) => ENUM,
            Self::Leaf(leaf) => leaf.code(),
            Self::Map { .. } => MAP,
            Self::Opaque(_) => OPAQUE,
            Self::Option(_) => OPTION,
            Self::Seq(_) => SEQ,
            Self::Struct(_) => STRUCT,
            Self::Tuple(_) => TUPLE,
        }
    }
}

/// A field of a struct, a variant of an enum or an element of a tuple.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member<'a> {
    /// Its name; empty for an element of a tuple.
    pub name: &'a str,
    /// What it holds; of a variant without data the unit.
    pub schema: Schema<'a>,
}

/// The members of a struct, enum or tuple, in the order of their bytes.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a> {
    reader: Reader<'a>,
    left: usize,
    named: bool,
}

impl<'a> Members<'a> {
    fn read(mut reader: Reader<'a>, named: bool) -> Result<Self, Malformed> {
        let left = reader.varint_u32()? as usize;
        Ok(Self { reader, left, named })
    }

    /// Returns whether members have names: fields and variants do, elements of tuples do not.
    pub const fn named(&self) -> bool {
        self.named
    }

    /// Returns what each member holds, without looking at its name.
    pub(super) fn schemas(mut self) -> impl Iterator<Item = Schema<'a>> {
        core::iter::from_fn(move || {
            self.left = self.left.checked_sub(1)?;
            if self.named {
                sound(self.reader.bytes());
            }
            Some(sound(Schema::take(&mut self.reader)))
        })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        self.left = self.left.checked_sub(1)?;
        let name = if self.named { sound(self.reader.text()) } else { "" };
        Some(Member { name, schema: sound(Schema::take(&mut self.reader)) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Members<'_> {}

/// Skips a node and its notes.
pub(super) fn skip_node(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    if Leaf::from_code(skip_notes(reader)?).is_none() {
        reader.bytes()?;
    }
    Ok(())
}

/// Skips notes and returns the code of the node behind them.
#[inline]
pub(super) fn skip_notes(reader: &mut Reader<'_>) -> Result<u8, Malformed> {
    loop {
        match reader.byte()? {
            NAME => _ = reader.bytes()?,
            LIMIT => _ = reader.varint_u64()?,
            code => return Ok(code),
        }
    }
}

/// Unwraps what was read from a schema that was checked.
#[inline]
pub(super) fn sound<T>(read: Result<T, Malformed>) -> T {
    match read {
        Ok(value) => value,
        Err(error) => panic!("a checked schema does not read back: {error}"),
    }
}

pub(super) const OPTION: u8 = 0x20;
pub(super) const SEQ: u8 = 0x21;
pub(super) const MAP: u8 = 0x22;
/// As many steps as are granted for a byte ([`Budget::of_row`](super::Budget::of_row)).
const PARTS_PER_BYTE: u64 = 64;

pub(super) const ARRAY: u8 = 0x23;
pub(super) const TUPLE: u8 = 0x24;
pub(super) const STRUCT: u8 = 0x25;
pub(super) const ENUM: u8 = 0x26;
pub(super) const OPAQUE: u8 = 0x27;
pub(super) const NAME: u8 = 0x30;
pub(super) const LIMIT: u8 = 0x31;
