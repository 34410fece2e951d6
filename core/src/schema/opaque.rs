//! Types without a schema: their bytes are kept as they are, behind a version.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use postcard_schema_ng::Schema;
use postcard_schema_ng::schema::{Data as Shape, DataModelType};
use serde::de::{DeserializeOwned, Deserializer, Error as _, SeqAccess, Unexpected, Visitor};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::emit::OPAQUE_NAME;
use crate::codec::{Encoding, decode_guarded, encode};

/// A type that has no schema, since it holds itself or a `usize`, or writes bytes of its own.
///
/// It is held in state as [`Opaque`], by its bytes and their [`VERSION`](Self::VERSION); tools show
/// them as bytes. When the type changes, so does the version, and a migration reads the older one:
///
/// ```
/// use holdwater::schema::{Migration, Opaque, Versioned};
/// use serde::{Deserialize, Serialize};
///
/// /// Holds itself, so that no schema of it would end.
/// #[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
/// struct Tree {
///     weight: u64,
///     children: Vec<Tree>,
/// }
///
/// /// What version 1 was: it had no weights.
/// #[derive(Deserialize)]
/// struct Bare(Vec<Bare>);
///
/// fn weigh(bare: Bare) -> Tree {
///     Tree { weight: 1, children: bare.0.into_iter().map(weigh).collect() }
/// }
///
/// impl Versioned for Tree {
///     const NAME: &'static str = "Tree";
///     const VERSION: u32 = 2;
///     const MIGRATIONS: &'static [(u32, Migration<Self>)] =
///         &[(1, |bytes| Self::decode(bytes).map(weigh))];
/// }
///
/// holdwater::states! {
///     struct Forest<B> {
///         trees: Value<u64, Opaque<Tree>>,
///     }
/// }
/// ```
pub trait Versioned: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// What people and tools call the type.
    const NAME: &'static str;

    /// The version of the bytes that the type writes.
    const VERSION: u32;

    /// Each older version that is still read, and by what. Any other is refused before a row is
    /// read.
    const MIGRATIONS: &'static [(u32, Migration<Self>)] = &[];

    /// How deep the parts of a value may nest: a file could claim any depth, and reading takes
    /// stack for each. A value that is deeper is not stored, and declines the checkpoint.
    const DEPTH_MAX: u32 = 128;

    /// Reads bytes that some version of the type wrote, as the type `T` that it was then.
    ///
    /// Whatever the bytes are, this takes time and memory in proportion to how many there are.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
        Ok(decode_guarded(bytes, Self::DEPTH_MAX)?)
    }
}

/// Reads the bytes of an older version, or says that they are none: they come from a file, and it
/// is also tried on bytes that no version wrote.
pub type Migration<T> = fn(&[u8]) -> Result<T, DecodeError>;

/// A value of a [`Versioned`] type in state: stored as its bytes and their version.
///
/// Encoding it reads it back, so that what is stored can be restored: it costs about twice what it
/// does for a type with a schema. A store that keeps values as they are does so at checkpoints
/// only.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Opaque<T>(pub T);

impl<T> Deref for Opaque<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Opaque<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Opaque<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Versioned> Schema for Opaque<T> {
    const SCHEMA: &'static DataModelType = &DataModelType::Struct {
        name: OPAQUE_NAME,
        data: Shape::Newtype(&DataModelType::Struct {
            name: T::NAME,
            data: Shape::Newtype(&DataModelType::ByteArray { max_len: Some(T::VERSION as usize) }),
        }),
    };
}

impl<T: Versioned> Serialize for Opaque<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        encode(&self.0, Encoding::Postcard, &mut bytes).map_err(S::Error::custom)?;
        // What nests too deep, or is not read as it is written, must not be found at restore.
        T::decode::<T>(&bytes).map_err(S::Error::custom)?;
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de, T: Versioned> Deserialize<'de> for Opaque<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(OPAQUE_NAME, Versions(PhantomData)).map(Self)
    }
}

/// Takes bytes of the type's own version, or a version and its bytes where it is read by the schema
/// of who wrote it.
struct Versions<T>(PhantomData<T>);

impl<'de, T: Versioned> Visitor<'de> for Versions<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of version {}", T::NAME, T::VERSION)?;
        T::MIGRATIONS.iter().rev().try_for_each(|(version, _)| write!(f, " or {version}"))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<T, D::Error> {
        inner.deserialize_bytes(self)
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        T::decode(bytes).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<T, A::Error> {
        let stored = parts.next_element::<u32>()?;
        let read = match stored {
            Some(version) if version == T::VERSION => T::decode,
            _ => match T::MIGRATIONS.iter().find(|(version, _)| Some(*version) == stored) {
                Some((_, migration)) => *migration,
                None => return Err(A::Error::invalid_type(Unexpected::Other("version"), &self)),
            },
        };
        let bytes: &[u8] = parts.next_element()?.ok_or_else(|| A::Error::custom("no bytes"))?;
        read(bytes).map_err(A::Error::custom)
    }
}
