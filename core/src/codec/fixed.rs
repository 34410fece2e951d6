//! The fixed-width encoding (docs/format.md 2.5): every leaf at its full width, little-endian,
//! nothing between them.

use core::error::Error;
use core::fmt;

use serde::de::{self, DeserializeSeed, Visitor};
use serde::ser::{self, Impossible};
use serde::{Deserializer, Serialize, Serializer};

use super::value::{Slot, Stop};
use super::{Reader, Write};
use crate::error::{Fault, Malformed};

/// Writes values all of whose leaves have a fixed width, and refuses others.
pub(super) struct FixedSerializer<'s, 'w, W: Write> {
    pub(super) out: &'s mut Slot<'w, W>,
}

/// Reads values all of whose leaves have a fixed width, and refuses others.
pub(super) struct FixedDeserializer<'de> {
    reader: Reader<'de>,
}

/// Why a fixed-width value cannot be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreadable(Fault);

impl<W: Write> FixedSerializer<'_, '_, W> {
    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        value.serialize(FixedSerializer { out: &mut *self.out })
    }
}

macro_rules! write_numbers {
    ($($method:ident $type:ty),*) => {
        $(#[inline]
        fn $method(self, value: $type) -> Result<(), Stop> {
            self.out.put(&value.to_le_bytes())
        })*
    };
}

impl<W: Write> Serializer for FixedSerializer<'_, '_, W> {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Impossible<(), Stop>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Impossible<(), Stop>;
    type SerializeMap = Impossible<(), Stop>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), Stop>;

    write_numbers! {
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_i128 i128, serialize_u8 u8, serialize_u16 u16, serialize_u32 u32,
        serialize_u64 u64, serialize_u128 u128, serialize_f32 f32, serialize_f64 f64
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Stop> {
        self.out.put(&[u8::from(value)])
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), Stop> {
        self.out.put(&u32::from(value).to_le_bytes())
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Stop> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Stop> {
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T>(self, _: &'static str, value: &T) -> Result<(), Stop>
    where
        T: Serialize + ?Sized,
    {
        value.serialize(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, Stop> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Stop> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Stop> {
        Ok(self)
    }

    fn serialize_str(self, _: &str) -> Result<(), Stop> {
        Err(Stop::Width)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Stop> {
        Err(Stop::Width)
    }

    fn serialize_none(self) -> Result<(), Stop> {
        Err(Stop::Width)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Stop> {
        Err(Stop::Width)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Stop> {
        Err(Stop::Width)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Stop> {
        Err(Stop::Width)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Stop> {
        Err(Stop::Width)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Stop> {
        Err(Stop::Width)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Stop> {
        Err(Stop::Width)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Stop> {
        Err(Stop::Width)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Stop> {
        Err(Stop::Width)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

impl<W: Write> ser::SerializeTuple for FixedSerializer<'_, '_, W> {
    type Ok = ();
    type Error = Stop;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        self.element(value)
    }

    #[inline]
    fn end(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl<W: Write> ser::SerializeTupleStruct for FixedSerializer<'_, '_, W> {
    type Ok = ();
    type Error = Stop;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        self.element(value)
    }

    #[inline]
    fn end(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl<W: Write> ser::SerializeStruct for FixedSerializer<'_, '_, W> {
    type Ok = ();
    type Error = Stop;

    #[inline]
    fn serialize_field<T>(&mut self, _: &'static str, value: &T) -> Result<(), Stop>
    where
        T: Serialize + ?Sized,
    {
        self.element(value)
    }

    #[inline]
    fn end(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl<'de> FixedDeserializer<'de> {
    pub(super) const fn new(reader: Reader<'de>) -> Self {
        Self { reader }
    }

    /// Returns the reader behind what was read.
    pub(super) const fn reader(&self) -> Reader<'de> {
        self.reader
    }
}

macro_rules! read_numbers {
    ($($method:ident $visit:ident $type:ty),*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            visitor.$visit(<$type>::from_le_bytes(self.reader.array()?))
        })*
    };
}

macro_rules! refuse {
    ($($method:ident($($argument:ty),*)),*) => {
        $(fn $method<V>(self, $(_: $argument,)* _: V) -> Result<V::Value, Unreadable>
        where
            V: Visitor<'de>,
        {
            Err(Unreadable(Fault::Value))
        })*
    };
}

impl<'de> Deserializer<'de> for &mut FixedDeserializer<'de> {
    type Error = Unreadable;

    read_numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128, deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128,
        deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64
    }

    refuse! {
        deserialize_any(), deserialize_str(), deserialize_string(), deserialize_bytes(),
        deserialize_byte_buf(), deserialize_option(), deserialize_seq(), deserialize_map(),
        deserialize_enum(&'static str, &'static [&'static str]), deserialize_identifier(),
        deserialize_ignored_any()
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.reader.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(Unreadable(Fault::Range)),
        }
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let value = char::from_u32(self.reader.u32()?).ok_or(Unreadable(Fault::Range))?;
        visitor.visit_char(value)
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_tuple<V>(self, len: usize, visitor: V) -> Result<V::Value, Unreadable>
    where
        V: Visitor<'de>,
    {
        visitor.visit_seq(Elements { source: self, left: len })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The elements of a tuple, array or struct yet to be read.
struct Elements<'s, 'de> {
    source: &'s mut FixedDeserializer<'de>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Unreadable;

    #[inline]
    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, Unreadable>
    where
        T: DeserializeSeed<'de>,
    {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.source).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl Unreadable {
    #[cfg(feature = "alloc")]
    pub(super) const fn of(fault: Fault) -> Self {
        Self(fault)
    }

    /// Returns what is wrong.
    pub(super) const fn fault(self) -> Fault {
        self.0
    }
}

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Self(malformed.fault)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(Fault::Value)
    }
}
