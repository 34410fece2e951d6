//! The parts of a stored value as serde asks for them: elements, members, pairs, a variant.

use serde::de::value::{StrDeserializer, U32Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::evolve::Source;
use super::{DecodeError, Kind, Leaf, Member, Members, Schema};

/// Elements of one schema.
pub(super) struct Items<'s, 'r, 'de> {
    pub(super) source: Source<'s, 'r, 'de>,
    pub(super) left: u64,
}

/// Members by their place.
pub(super) struct Places<'s, 'r, 'de> {
    pub(super) source: Source<'s, 'r, 'de>,
    pub(super) members: Members<'s>,
}

/// Members by their name.
pub(super) struct Fields<'s, 'r, 'de> {
    pub(super) source: Source<'s, 'r, 'de>,
    pub(super) members: Members<'s>,
    /// The member whose name was handed out.
    pub(super) next: Option<Member<'s>>,
}

/// Keys and values in turn.
pub(super) struct Pairs<'s, 'r, 'de> {
    pub(super) source: Source<'s, 'r, 'de>,
    pub(super) key: Schema<'s>,
    pub(super) value: Schema<'s>,
    pub(super) left: u64,
}

/// The version of an opaque value, and its bytes behind it.
pub(super) struct Behind<'s, 'r, 'de> {
    pub(super) version: Option<u32>,
    /// The bytes, until they are asked for.
    pub(super) source: Option<Source<'s, 'r, 'de>>,
}

/// The variant that is stored.
pub(super) struct Chosen<'s, 'r, 'de> {
    pub(super) name: &'s str,
    pub(super) source: Source<'s, 'r, 'de>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_, 'de> {
    type Error = DecodeError;

    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.source.same()).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.source.at_most(self.left))
    }
}

impl<'de> SeqAccess<'de> for Places<'_, '_, 'de> {
    type Error = DecodeError;

    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        let Some(member) = self.members.next() else { return Ok(None) };
        let value = seed.deserialize(self.source.part(member.schema));
        value.map(Some).map_err(|error| error.inside(member.name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}

impl<'de> SeqAccess<'de> for Behind<'_, '_, 'de> {
    type Error = DecodeError;

    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        if let Some(version) = self.version.take() {
            let version: U32Deserializer<DecodeError> = version.into_deserializer();
            return seed.deserialize(version).map(Some);
        }
        self.source.take().map(|source| seed.deserialize(source)).transpose()
    }
}

impl<'de> MapAccess<'de> for Fields<'_, '_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        self.next = self.members.next();
        let Some(Member { name, .. }) = self.next else { return Ok(None) };
        let key = seed.deserialize(StrDeserializer::<DecodeError>::new(name));
        key.map(Some).map_err(|error| error.inside(name))
    }

    fn next_value_seed<T>(&mut self, seed: T) -> Result<T::Value, DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        let Some(Member { name, schema }) = self.next.take() else {
            return Err(DecodeError::custom("value asked for before its key"));
        };
        self.source.feed().enter();
        let value = seed.deserialize(self.source.part(schema));
        self.source.feed().leave(name);
        value.map_err(|error| error.inside(name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}

impl<'de> MapAccess<'de> for Pairs<'_, '_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.source.part(self.key)).map(Some)
    }

    fn next_value_seed<T>(&mut self, seed: T) -> Result<T::Value, DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        seed.deserialize(self.source.part(self.value))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.source.at_most(self.left))
    }
}

impl<'de> EnumAccess<'de> for Chosen<'_, '_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<T>(self, seed: T) -> Result<(T::Value, Self), DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        let mut chosen = self;
        let variant = seed.deserialize(StrDeserializer::<DecodeError>::new(chosen.name));
        chosen.source.feed().named(variant.is_ok());
        Ok((variant?, chosen))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_, '_, 'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        match self.source.schema().kind() {
            Kind::Leaf(Leaf::Unit) => Ok(()),
            kind => Err(DecodeError::mismatch(kind.word(), "a variant without data")),
        }
    }

    fn newtype_variant_seed<T>(self, seed: T) -> Result<T::Value, DecodeError>
    where
        T: DeserializeSeed<'de>,
    {
        seed.deserialize(self.source)
    }

    fn tuple_variant<V>(self, len: usize, visitor: V) -> Result<V::Value, DecodeError>
    where
        V: Visitor<'de>,
    {
        self.source.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError>
    where
        V: Visitor<'de>,
    {
        self.source.deserialize_struct("a variant with fields", fields, visitor)
    }
}
