//! Postcard's encoding read as a type asks for it, where no schema bounds what bytes may claim:
//! elements, depth and every length are counted instead.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use super::Reader;
use super::fixed::Unreadable;
use crate::error::{Fault, Malformed};

/// Reads all of `bytes` as one value in postcard's encoding, whose parts nest at most `depth_max`
/// deep. For the bytes of types that have no schema, also those that hold themselves.
///
/// Whatever the bytes are, it takes time and memory in proportion to how many there are: there may
/// be as many elements of sequences and maps as bytes, and 65,536 more, since some take none.
pub fn decode_guarded<T>(bytes: &[u8], depth_max: u32) -> Result<T, Malformed>
where
    T: DeserializeOwned,
{
    let items = bytes.len() as u64 + (1 << 16);
    let mut source = Guarded { reader: Reader::new(bytes), items, depth: depth_max };
    let value = T::deserialize(&mut source).map_err(|error| source.reader.fault(error.fault()))?;
    source.reader.finish()?;
    Ok(value)
}

struct Guarded<'de> {
    reader: Reader<'de>,
    /// How many elements there may still be.
    items: u64,
    /// How much deeper parts may nest.
    depth: u32,
}

type Outcome<'de, V> = Result<<V as Visitor<'de>>::Value, Unreadable>;

impl<'de> Guarded<'de> {
    /// Reads what is a level deeper.
    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        self.depth = self.depth.checked_sub(1).ok_or(Unreadable::of(Fault::Budget))?;
        let value = read(self)?;
        self.depth += 1;
        Ok(value)
    }

    /// Takes how many elements or pairs there are.
    fn count(&mut self) -> Result<u64, Unreadable> {
        let count = self.reader.varint_u64()?;
        self.items = self.items.checked_sub(count).ok_or(Unreadable::of(Fault::Budget))?;
        Ok(count)
    }

    /// Reads `left` elements.
    fn elements<V: Visitor<'de>>(&mut self, left: u64, visitor: V) -> Outcome<'de, V> {
        self.deeper(|source| visitor.visit_seq(Elements { source, left }))
    }

    fn signed(&mut self, bits: u32) -> Result<i128, Unreadable> {
        let raw = self.reader.varint(bits)?;
        Ok((raw >> 1) as i128 ^ -((raw & 1) as i128))
    }

    fn tag(&mut self) -> Result<bool, Unreadable> {
        match self.reader.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable::of(Fault::Range)),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty = |$source:ident| $read:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
            let $source = self;
            visitor.$visit($read as $type)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Guarded<'de> {
    type Error = Unreadable;

    // No bits are lost: a varint of so many bits is no longer.
    numbers! {
        deserialize_u8 visit_u8 u8 = |source| source.reader.byte()?;
        deserialize_u16 visit_u16 u16 = |source| source.reader.varint(16)?;
        deserialize_u32 visit_u32 u32 = |source| source.reader.varint(32)?;
        deserialize_u64 visit_u64 u64 = |source| source.reader.varint(64)?;
        deserialize_u128 visit_u128 u128 = |source| source.reader.varint(128)?;
        deserialize_i8 visit_i8 i8 = |source| source.reader.byte()?;
        deserialize_i16 visit_i16 i16 = |source| source.signed(16)?;
        deserialize_i32 visit_i32 i32 = |source| source.signed(32)?;
        deserialize_i64 visit_i64 i64 = |source| source.signed(64)?;
        deserialize_i128 visit_i128 i128 = |source| source.signed(128)?;
        deserialize_f32 visit_f32 f32 = |source| f32::from_bits(source.reader.u32()?);
        deserialize_f64 visit_f64 f64 = |source| f64::from_bits(source.reader.u64()?);
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Outcome<'de, V> {
        // The bytes do not say what they are.
        Err(Unreadable::of(Fault::Value))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        self.deserialize_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        self.deserialize_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        visitor.visit_bool(self.tag()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        let mut chars = self.reader.text()?.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => visitor.visit_char(char),
            _ => Err(Unreadable::of(Fault::Range)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        visitor.visit_borrowed_str(self.reader.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        visitor.visit_borrowed_bytes(self.reader.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        match self.tag()? {
            false => visitor.visit_none(),
            true => self.deeper(|source| visitor.visit_some(source)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Outcome<'de, V> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Outcome<'de, V> {
        self.deeper(|source| visitor.visit_newtype_struct(source))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        let count = self.count()?;
        self.elements(count, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Outcome<'de, V> {
        self.elements(len as u64, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Outcome<'de, V> {
        self.elements(len as u64, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Outcome<'de, V> {
        let left = self.count()?;
        self.deeper(|source| visitor.visit_map(Elements { source, left }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Outcome<'de, V> {
        self.elements(fields.len() as u64, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Outcome<'de, V> {
        self.deeper(|source| visitor.visit_enum(Variant(source)))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Elements, or keys and values in turn.
struct Elements<'s, 'de> {
    source: &'s mut Guarded<'de>,
    left: u64,
}

impl Elements<'_, '_> {
    fn hint(&self) -> usize {
        let most = self.source.reader.len();
        usize::try_from(self.left).map_or(most, |left| left.min(most))
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Unreadable;

    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, Unreadable>
    where
        T: DeserializeSeed<'de>,
    {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.source).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Unreadable;

    fn next_key_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, Unreadable>
    where
        T: DeserializeSeed<'de>,
    {
        self.next_element_seed(seed)
    }

    fn next_value_seed<T>(&mut self, seed: T) -> Result<T::Value, Unreadable>
    where
        T: DeserializeSeed<'de>,
    {
        seed.deserialize(&mut *self.source)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

struct Variant<'s, 'de>(&'s mut Guarded<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;
    type Variant = Self;

    fn variant_seed<T>(self, seed: T) -> Result<(T::Value, Self), Unreadable>
    where
        T: DeserializeSeed<'de>,
    {
        let index = self.0.reader.varint_u32()?;
        let value = seed.deserialize(IntoDeserializer::<Unreadable>::into_deserializer(index))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn newtype_variant_seed<T>(self, seed: T) -> Result<T::Value, Unreadable>
    where
        T: DeserializeSeed<'de>,
    {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Outcome<'de, V> {
        self.0.elements(len as u64, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Outcome<'de, V> {
        self.0.elements(fields.len() as u64, visitor)
    }
}
