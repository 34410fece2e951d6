//! Reading by the writer's schema: what is stored describes itself to serde, so that serde's own
//! attributes decide how a type may change.

use serde::de::{Deserialize, Deserializer, Visitor};

use super::access::{Behind, Chosen, Fields, Items, Pairs, Places};
use super::emit::OPAQUE_NAME;
use super::feed::Feed;
use super::{DecodeError, Kind, Leaf, Members, Refusal, Schema};
use crate::codec::{Encoding, Reader};
use crate::error::Fault;

/// Takes one value that was written by the schema `writer`, as the type `T` of today.
///
/// Fields are found by name, so that they may be reordered, dropped, renamed by `serde(alias)`
/// and added with `serde(default)`; variants likewise. Integers and floats may become wider, a
/// value may become an option, anything may be wrapped in a newtype. All else is refused, never
/// guessed: where a type asks for text and a number is stored, for a number and text is, or for
/// anything else and a number or text is, its own visitor is shown what is there, and takes it or
/// not. A type may also ask for whatever is stored (`deserialize_any`).
///
/// Bytes from outside are first to be checked with [`walk`](fn@super::walk). On an error `reader`
/// stands where it stood.
pub fn decode_as<'de, T>(
    writer: Schema<'_>,
    encoding: Encoding,
    reader: &mut Reader<'de>,
) -> Result<T, DecodeError>
where
    T: Deserialize<'de>,
{
    let mut rest = *reader;
    let source = Source::new(writer, Feed::Bytes(encoding, &mut rest));
    let value = T::deserialize(source).map_err(|error| error.at(rest.offset()))?;
    *reader = rest;
    Ok(value)
}

/// A stored value about to be read.
pub(super) struct Source<'s, 'r, 'de> {
    schema: Schema<'s>,
    feed: Feed<'r, 's, 'de>,
    /// How often the type went a level deeper where the schema does not.
    hops: u8,
}

impl<'s, 'r, 'de> Source<'s, 'r, 'de> {
    pub(super) const fn new(schema: Schema<'s>, feed: Feed<'r, 's, 'de>) -> Self {
        Self { schema, feed, hops: 0 }
    }

    /// Views the same feed with the schema of a part.
    pub(super) fn part<'p>(&'p mut self, schema: Schema<'s>) -> Source<'s, 'p, 'de> {
        Source::new(schema, self.feed.again())
    }

    /// Views the same feed with the same schema.
    pub(super) fn same(&mut self) -> Source<'s, '_, 'de> {
        self.part(self.schema)
    }

    /// Returns the stored schema.
    pub(super) const fn schema(&self) -> Schema<'s> {
        self.schema
    }

    /// Returns `count`, or how many there can be if that is less: a hint not to trust further.
    pub(super) fn at_most(&self, count: u64) -> usize {
        self.feed.at_most(count)
    }

    /// Returns what values are made of.
    pub(super) const fn feed(&mut self) -> &mut Feed<'r, 's, 'de> {
        &mut self.feed
    }

    /// Goes a level deeper in the type alone, as newtypes and added options do. Bounded, since a
    /// type may hold itself.
    fn hop(mut self) -> Result<Self, DecodeError> {
        if self.hops == HOPS_MAX {
            return Err(self.feed.fault(Fault::Budget).into());
        }
        self.hops += 1;
        Ok(self)
    }

    fn mismatch<T>(&self, wanted: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError::mismatch(self.schema.kind().word(), wanted))
    }

    /// Shows a number or text to a type that asks for something that is neither: the types of the
    /// standard library do not take it, one with a visitor of its own may.
    fn offer<V: Visitor<'de>>(self, wanted: &'static str, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Leaf(leaf) if leaf == Leaf::String || leaf.is_number() => {
                let read = self.scalar(leaf, leaf, visitor);
                read.map_err(|error| match error.refusal {
                    Refusal::Unexpected { .. } => DecodeError::mismatch(leaf.word(), wanted),
                    _ => error,
                })
            }
            _ => self.mismatch(wanted),
        }
    }

    /// Reads a leaf as the same or a wider one.
    fn leaf<V: Visitor<'de>>(self, wanted: Leaf, visitor: V) -> Result<V::Value, DecodeError> {
        match self.schema.kind() {
            Kind::Leaf(stored) if stored.widens_to(wanted) => self.scalar(stored, wanted, visitor),
            Kind::Leaf(stored)
                if stored == Leaf::String && wanted.is_number()
                    || stored.is_number() && wanted == Leaf::String =>
            {
                self.offer(wanted.word(), visitor)
            }
            _ => self.mismatch(wanted.word()),
        }
    }

    fn scalar<V>(self, stored: Leaf, wanted: Leaf, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let mut feed = self.feed;
        // No bits are lost: the value was stored in no wider a type.
        match wanted {
            Leaf::Unit => visitor.visit_unit(),
            Leaf::Bool => visitor.visit_bool(feed.tag()?),
            Leaf::Char => visitor.visit_char(feed.char()?),
            Leaf::String => {
                let read = visitor.visit_borrowed_str(feed.text()?);
                feed.any_length(read)
            }
            Leaf::Bytes => {
                let read = visitor.visit_borrowed_bytes(feed.bytes()?);
                feed.any_length(read)
            }
            Leaf::F32 => visitor.visit_f32(feed.f32()?),
            Leaf::F64 if stored == Leaf::F32 => visitor.visit_f64(feed.f32()?.into()),
            Leaf::F64 => visitor.visit_f64(feed.f64()?),
            Leaf::U8 => visitor.visit_u8(feed.integer(stored)? as u8),
            Leaf::U16 => visitor.visit_u16(feed.integer(stored)? as u16),
            Leaf::U32 => visitor.visit_u32(feed.integer(stored)? as u32),
            Leaf::U64 => visitor.visit_u64(feed.integer(stored)? as u64),
            Leaf::U128 => visitor.visit_u128(feed.integer(stored)? as u128),
            Leaf::I8 => visitor.visit_i8(feed.integer(stored)? as i8),
            Leaf::I16 => visitor.visit_i16(feed.integer(stored)? as i16),
            Leaf::I32 => visitor.visit_i32(feed.integer(stored)? as i32),
            Leaf::I64 => visitor.visit_i64(feed.integer(stored)? as i64),
            Leaf::I128 => visitor.visit_i128(feed.integer(stored)?),
        }
    }

    /// Reads elements of one schema.
    fn items<V>(&mut self, count: u64, element: Schema<'s>, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let mut items = Items { source: self.part(element), left: count };
        let value = visitor.visit_seq(&mut items)?;
        all_taken(items.left)?;
        Ok(value)
    }

    /// Reads elements of one schema, as many as are stored.
    fn counted<V>(mut self, element: Schema<'s>, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let count = self.feed.count()?;
        let read = self.items(count, element, visitor);
        self.feed.any_length(read)
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

    fn pairs<V>(mut self, key: Schema<'s>, value: Schema<'s>, visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let left = self.feed.count()?;
        let mut pairs = Pairs { source: self.same(), key, value, left };
        let read = visitor.visit_map(&mut pairs);
        let read = read.and_then(|value| all_taken(pairs.left).map(|()| value));
        self.feed.any_length(read)
    }

    fn option<V: Visitor<'de>>(mut self, inner: Schema<'s>, visitor: V) -> Outcome<'de, V> {
        if self.feed.tag()? { visitor.visit_some(self.part(inner)) } else { visitor.visit_none() }
    }

    /// Reads a variant; the type knows those that are called `known`.
    fn variant<V>(mut self, members: Members<'s>, known: &[&str], visitor: V) -> Outcome<'de, V>
    where
        V: Visitor<'de>,
    {
        let fault = self.feed.fault(Fault::Range);
        let index = self.feed.variant(members, known)?;
        let member = members.clone().nth(index as usize).ok_or(fault)?;
        self.feed.enter();
        let variant = Chosen { name: member.name, source: self.part(member.schema) };
        let read = visitor.visit_enum(variant).map_err(|error| error.inside(member.name));
        self.feed.leave(member.name);
        read
    }

    /// Reads the version of an opaque value and its bytes. A type that does not ask for the bytes
    /// does not read the version.
    fn opaque<V: Visitor<'de>>(mut self, version: u32, visitor: V) -> Outcome<'de, V> {
        let mut value = Behind { version: Some(version), source: Some(self.part(Schema::BYTES)) };
        let read = visitor.visit_seq(&mut value);
        if value.source.is_none() { read } else { read.map_err(|error| error.of_version(version)) }
    }

    /// Reads bytes, or numbers of one byte, which are stored the same.
    fn bytes<V: Visitor<'de>>(mut self, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Leaf(Leaf::Bytes) => self.scalar(Leaf::Bytes, Leaf::Bytes, visitor),
            Kind::Seq(element) if element.is_leaf(Leaf::U8) => {
                self.scalar(Leaf::Bytes, Leaf::Bytes, visitor)
            }
            Kind::Array { count, element } if element.is_leaf(Leaf::U8) => {
                visitor.visit_borrowed_bytes(self.feed.slice(count)?)
            }
            _ => self.mismatch(Leaf::Bytes.word()),
        }
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
            Kind::Enum(members) => self.variant(members, &[], visitor),
            Kind::Opaque(_) => self.scalar(Leaf::Bytes, Leaf::Bytes, visitor),
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
        name: &'static str,
        visitor: V,
    ) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Opaque(version) if name == OPAQUE_NAME => self.opaque(version, visitor),
            _ if name == OPAQUE_NAME => self.mismatch("opaque"),
            _ => visitor.visit_newtype_struct(self.hop()?),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Seq(element) => self.counted(element, visitor),
            Kind::Leaf(Leaf::Bytes) => self.counted(Schema::BYTE, visitor),
            Kind::Array { count, element } => {
                let shown = self.feed.shown(count);
                let read = self.items(shown, element, visitor);
                self.feed.any_length(read)
            }
            Kind::Tuple(members) | Kind::Struct(members) => self.places(members, visitor),
            _ => self.offer("sequence", visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Array { count, element } if count as usize == len => {
                self.items(count.into(), element, visitor)
            }
            Kind::Tuple(members) | Kind::Struct(members) if members.len() == len => {
                self.places(members, visitor)
            }
            // The schemas of `core::net` say "struct of octets" where serde writes the octets.
            Kind::Struct(members) if members.len() == 1 => match members.schemas().next() {
                Some(only) => self.part(only).deserialize_tuple(len, visitor),
                None => self.mismatch("tuple"),
            },
            Kind::Array { .. } | Kind::Tuple(_) => Err(DecodeError::of(Refusal::Length)),
            _ => self.offer("tuple", visitor),
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
            _ => self.offer("map", visitor),
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
            _ => self.offer(name, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Outcome<'de, V> {
        match self.schema.kind() {
            Kind::Enum(members) => self.variant(members, known, visitor),
            _ => self.offer(name, visitor),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Outcome<'de, V> {
        self.feed.ignore(self.schema)?;
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
    if left == 0 { Ok(()) } else { Err(DecodeError::of(Refusal::Length)) }
}

const HOPS_MAX: u8 = 64;
