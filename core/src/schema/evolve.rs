//! Reading by the writer's schema: what is stored describes itself to serde, so that serde's own
//! attributes decide how a type may change.

use serde::de::{Deserialize, Deserializer, Visitor};

use super::access::{Chosen, Fields, Items, Pairs, Places};
use super::leaf::{char, tag};
use super::{Budget, DecodeError, Kind, Leaf, Members, Refusal, Schema, walk};
use crate::codec::{Encoding, Reader};
use crate::error::Fault;

/// Takes one value that was written by the schema `writer`, as the type `T` of today.
///
/// Fields are found by name, so that they may be reordered, dropped, renamed by `serde(alias)`
/// and added with `serde(default)`; variants likewise. Integers and floats may become wider, a
/// value may become an option, anything may be wrapped in a newtype. All else is refused, never
/// guessed. A type may also ask for whatever is stored (`deserialize_any`).
///
/// Bytes from outside are first to be checked with [`walk`]. On an error `reader` stands where it
/// stood.
pub fn decode_as<'de, T>(
    writer: Schema<'_>,
    encoding: Encoding,
    reader: &mut Reader<'de>,
) -> Result<T, DecodeError>
where
    T: Deserialize<'de>,
{
    let mut rest = *reader;
    let source = Source { schema: writer, encoding, reader: &mut rest, hops: 0 };
    let value = T::deserialize(source).map_err(|error| error.at(rest.offset()))?;
    *reader = rest;
    Ok(value)
}

/// A stored value about to be read.
pub(super) struct Source<'s, 'r, 'de> {
    schema: Schema<'s>,
    encoding: Encoding,
    reader: &'r mut Reader<'de>,
    /// How often the type went a level deeper where the schema does not.
    hops: u8,
}

impl<'s, 'de> Source<'s, '_, 'de> {
    /// Views the same reader with the schema of a part.
    pub(super) fn part<'p>(&'p mut self, schema: Schema<'s>) -> Source<'s, 'p, 'de> {
        Source { schema, encoding: self.encoding, reader: &mut *self.reader, hops: 0 }
    }

    /// Views the same reader with the same schema.
    pub(super) fn same(&mut self) -> Source<'s, '_, 'de> {
        self.part(self.schema)
    }

    /// Returns the stored schema.
    pub(super) const fn schema(&self) -> Schema<'s> {
        self.schema
    }

    /// Returns `count`, or how many bytes are left if that is less: a hint not to trust further.
    pub(super) fn at_most(&self, count: u64) -> usize {
        usize::try_from(count).map_or(self.reader.len(), |count| count.min(self.reader.len()))
    }

    /// Goes a level deeper in the type alone, as newtypes and added options do. Bounded, since a
    /// type may hold itself.
    fn hop(mut self) -> Result<Self, DecodeError> {
        if self.hops == HOPS_MAX {
            return Err(self.reader.fault(Fault::Budget).into());
        }
        self.hops += 1;
        Ok(self)
    }

    fn mismatch<T>(&self, wanted: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError::mismatch(self.schema.kind().word(), wanted))
    }

    /// Reads a leaf as the same or a wider one.
    fn leaf<V: Visitor<'de>>(self, wanted: Leaf, visitor: V) -> Result<V::Value, DecodeError> {
        match self.schema.kind() {
            Kind::Leaf(stored) if stored.widens_to(wanted) => self.scalar(stored, wanted, visitor),
            _ => self.mismatch(wanted.word()),
        }
    }

    fn scalar<V>(self, stored: Leaf, wanted: Leaf, visitor: V) -> Result<V::Value, DecodeError>
    where
        V: Visitor<'de>,
    {
        let Self { encoding, reader, .. } = self;
        // No bits are lost: the value was stored in no wider a type.
        match wanted {
            Leaf::Unit => visitor.visit_unit(),
            Leaf::Bool => visitor.visit_bool(tag(reader)?),
            Leaf::Char => visitor.visit_char(char(encoding, reader)?),
            Leaf::String => visitor.visit_borrowed_str(reader.text()?),
            Leaf::Bytes => visitor.visit_borrowed_bytes(reader.bytes()?),
            Leaf::F32 => visitor.visit_f32(f32::from_bits(reader.u32()?)),
            Leaf::F64 if stored == Leaf::F32 => {
                visitor.visit_f64(f32::from_bits(reader.u32()?).into())
            }
            Leaf::F64 => visitor.visit_f64(f64::from_bits(reader.u64()?)),
            Leaf::U8 => visitor.visit_u8(stored.integer(encoding, reader)? as u8),
            Leaf::U16 => visitor.visit_u16(stored.integer(encoding, reader)? as u16),
            Leaf::U32 => visitor.visit_u32(stored.integer(encoding, reader)? as u32),
            Leaf::U64 => visitor.visit_u64(stored.integer(encoding, reader)? as u64),
            Leaf::U128 => visitor.visit_u128(stored.integer(encoding, reader)? as u128),
            Leaf::I8 => visitor.visit_i8(stored.integer(encoding, reader)? as i8),
            Leaf::I16 => visitor.visit_i16(stored.integer(encoding, reader)? as i16),
            Leaf::I32 => visitor.visit_i32(stored.integer(encoding, reader)? as i32),
            Leaf::I64 => visitor.visit_i64(stored.integer(encoding, reader)? as i64),
            Leaf::I128 => visitor.visit_i128(stored.integer(encoding, reader)?),
        }
    }

    /// Reads elements of one schema.
    fn items<V>(mut self, count: u64, element: Schema<'s>, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let mut items = Items { source: self.part(element), left: count };
        let value = visitor.visit_seq(&mut items)?;
        all_taken(items.left)?;
        Ok(value)
    }

    /// Reads members by their place.
    fn places<V>(mut self, members: Members<'s>, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let mut places = Places { source: self.same(), members };
        let value = visitor.visit_seq(&mut places)?;
        all_taken(places.members.len() as u64)?;
        Ok(value)
    }

    /// Reads members by their name.
    fn fields<V>(mut self, members: Members<'s>, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let mut fields = Fields { source: self.same(), members, next: None };
        let value = visitor.visit_map(&mut fields)?;
        all_taken(fields.members.len() as u64)?;
        Ok(value)
    }

    fn pairs<V>(self, key: Schema<'s>, value: Schema<'s>, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let left = self.reader.varint_u64()?;
        let mut pairs = Pairs { source: self, key, value, left };
        let value = visitor.visit_map(&mut pairs)?;
        all_taken(pairs.left)?;
        Ok(value)
    }

    fn option<V: Visitor<'de>>(mut self, inner: Schema<'s>, visitor: V) -> Outcome<'de, V> {
        if tag(self.reader)? { visitor.visit_some(self.part(inner)) } else { visitor.visit_none() }
    }

    fn variant<V>(mut self, mut members: Members<'s>, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let start = *self.reader;
        let index = self.reader.varint_u32()?;
        let member = members.nth(index as usize).ok_or(start.fault(Fault::Range))?;
        let variant = Chosen { name: member.name, source: self.part(member.schema) };
        visitor.visit_enum(variant).map_err(|error| error.inside(member.name))
    }

    /// Reads bytes, or numbers of one byte, which are stored the same.
    fn bytes<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        let bytes = match self.schema.kind() {
            Kind::Leaf(Leaf::Bytes) => self.reader.bytes()?,
            Kind::Seq(element) if element.is_leaf(Leaf::U8) => self.reader.bytes()?,
            Kind::Array { count, element } if element.is_leaf(Leaf::U8) => {
                self.reader.take(count as usize)?
            }
            _ => return self.mismatch(Leaf::Bytes.word()),
        };
        visitor.visit_borrowed_bytes(bytes)
    }
}

macro_rules! leaves {
    ($($method:ident $leaf:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
            self.leaf(Leaf::$leaf, visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Source<'_, '_, 'de> {
    type Error = DecodeError;

    leaves! {
        deserialize_bool Bool, deserialize_char Char, deserialize_str String,
        deserialize_string String, deserialize_unit Unit, deserialize_f32 F32, deserialize_f64 F64,
        deserialize_u8 U8, deserialize_u16 U16, deserialize_u32 U32, deserialize_u64 U64,
        deserialize_u128 U128, deserialize_i8 I8, deserialize_i16 I16, deserialize_i32 I32,
        deserialize_i64 I64, deserialize_i128 I128,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Leaf(leaf) => self.scalar(leaf, leaf, visitor),
            Kind::Option(inner) => self.option(inner, visitor),
            Kind::Seq(_) | Kind::Array { .. } | Kind::Tuple(_) => self.deserialize_seq(visitor),
            Kind::Map { key, value } => self.pairs(key, value, visitor),
            Kind::Struct(members) => self.fields(members, visitor),
            Kind::Enum(members) => self.variant(members, visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        self.bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        self.bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Option(inner) => self.option(inner, visitor),
            _ => visitor.visit_some(self.hop()?),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Outcome<'de, V> {
        self.leaf(Leaf::Unit, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Outcome<'de, V> {
        visitor.visit_newtype_struct(self.hop()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Seq(element) => {
                let count = self.reader.varint_u64()?;
                self.items(count, element, visitor)
            }
            Kind::Leaf(Leaf::Bytes) => {
                let count = self.reader.varint_u64()?;
                self.items(count, Schema::BYTE, visitor)
            }
            Kind::Array { count, element } => self.items(count.into(), element, visitor),
            Kind::Tuple(members) | Kind::Struct(members) => self.places(members, visitor),
            _ => self.mismatch("sequence"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Array { count, .. } if count as usize == len => self.deserialize_seq(visitor),
            Kind::Tuple(members) | Kind::Struct(members) if members.len() == len => {
                self.places(members, visitor)
            }
            // The schemas of `core::net` say "struct of octets" where serde writes the octets.
            Kind::Struct(members) if members.len() == 1 => match members.schemas().next() {
                Some(only) => self.part(only).deserialize_tuple(len, visitor),
                None => self.mismatch("tuple"),
            },
            Kind::Array { .. } | Kind::Tuple(_) => Err(DecodeError::new(Refusal::Length)),
            _ => self.mismatch("tuple"),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Outcome<'de, V> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Map { key, value } => self.pairs(key, value, visitor),
            Kind::Struct(members) => self.fields(members, visitor),
            _ => self.mismatch("map"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Struct(members) => self.fields(members, visitor),
            _ => self.mismatch(name),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Enum(members) => self.variant(members, visitor),
            _ => self.mismatch(name),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        let mut budget = Budget::MAX;
        walk(self.schema, self.encoding, self.reader, &mut budget)?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What comes of reading for a visitor.
type Outcome<'de, V> = Result<<V as Visitor<'de>>::Value, DecodeError>;

/// Refuses a type that holds fewer elements than are stored.
fn all_taken(left: u64) -> Result<(), DecodeError> {
    if left == 0 { Ok(()) } else { Err(DecodeError::new(Refusal::Length)) }
}

const HOPS_MAX: u8 = 64;
