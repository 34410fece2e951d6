//! The key of a record: its key fields, as written.

use core::convert::Infallible;
use std::fmt;

use holdwater::codec::{Reader, write_bytes};
use holdwater::error::Malformed;
use holdwater::key::Key;
use holdwater::schema::{Leaf, StoredSchema};
use postcard_schema_ng::Schema;
use postcard_schema_ng::schema::DataModelType;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// The most bytes of a key that lies in place: what makes it as long as a slice and its length.
const SHORT: usize = 16;

/// A key: each of its fields as postcard encodes a string, one after the other.
///
/// Equal fields in equal order make equal bytes, so keys are compared and hashed by them. The
/// number of fields is that of the job and is not stored. A short key lies in place: it is compared
/// without another access to memory, and a snapshot that copies it allocates nothing.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fields(SmallVec<[u8; SHORT]>);

/// A key borrowed from a record or a state.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FieldsView<'a>(&'a [u8]);

impl Fields {
    /// Encodes the given fields.
    pub fn new<'f>(fields: impl IntoIterator<Item = &'f str>) -> Self {
        let mut bytes = Vec::new();
        for field in fields {
            push_field(field, &mut bytes);
        }
        Self(SmallVec::from_slice(&bytes))
    }

    /// Returns the key borrowed.
    pub fn view(&self) -> FieldsView<'_> {
        FieldsView(&self.0)
    }
}

/// Returns the schema of a key of these fields: a struct of text, so that tools name each of them.
pub fn key_schema<F: AsRef<str>>(fields: &[F]) -> Result<StoredSchema, Malformed> {
    let text = StoredSchema::leaf(Leaf::String);
    StoredSchema::fields(fields.iter().map(|field| (field.as_ref(), &text)))
}

impl Key for Fields {
    type View<'k> = FieldsView<'k>;

    fn view(&self) -> FieldsView<'_> {
        FieldsView(&self.0)
    }

    fn own(view: FieldsView<'_>) -> Self {
        view.to_owned()
    }

    #[inline]
    fn is(&self, view: FieldsView<'_>) -> bool {
        is_same(&self.0, view.0)
    }

    #[inline]
    fn digest(view: FieldsView<'_>) -> u64 {
        // The bytes are the postcard encoding that the format digests (docs/format.md 2.2).
        xxh3_64(view.0)
    }
}

/// Stands in for the schema that each job makes with [`key_schema`].
impl Schema for Fields {
    const SCHEMA: &'static DataModelType =
        &DataModelType::Seq { element: String::SCHEMA, max_len: None };
}

/// Writes the fields as a struct of text: one after the other, without their number.
impl Serialize for FieldsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.iter().count())?;
        for field in self.iter() {
            tuple.serialize_element(field)?;
        }
        tuple.end()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Key::view(self).serialize(serializer)
    }
}

/// Reads as many fields as the stored schema has: a key is always read by its schema.
impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FieldsVisitor)
    }
}

/// Keys on their way between processes of one version: the bytes as they are, since there is no
/// schema that says how many fields there are.
pub(crate) mod sent {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use smallvec::SmallVec;

    use super::Fields;

    pub(crate) fn serialize<S: Serializer>(key: &Fields, serializer: S) -> Result<S::Ok, S::Error> {
        key.0.as_slice().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Fields, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| Fields(SmallVec::from_slice(&bytes)))
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of a key")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Fields, A::Error> {
        let mut bytes = Vec::new();
        while let Some(field) = fields.next_element::<&str>()? {
            push_field(field, &mut bytes);
        }
        Ok(Fields(SmallVec::from_slice(&bytes)))
    }
}

impl<'a> FieldsView<'a> {
    /// Takes `bytes` for a key of `count` fields, or says where they are none.
    pub fn decode(bytes: &'a [u8], count: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        for _ in 0..count {
            reader.text()?;
        }
        reader.finish()?;
        Ok(Self(bytes))
    }

    /// Takes bytes that [`push_field`] has written.
    pub(crate) const fn trusted(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the encoding.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns a key of its own.
    pub fn to_owned(self) -> Fields {
        Fields(SmallVec::from_slice(self.0))
    }

    /// Iterates over the fields as written.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            // Broken bytes do not get past `decode`.
            Some(reader.text().expect("a key holds its fields"))
        })
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl fmt::Debug for FieldsView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Compares keys; the usual ones, which are short, as two numbers each that may overlap: a call to
/// compare memory takes several times as long.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    fn ends<const N: usize>(bytes: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
        (bytes.first_chunk(), bytes.last_chunk())
    }
    one.len() == other.len()
        && match one.len() {
            4..8 => ends::<4>(one) == ends(other),
            8..=16 => ends::<8>(one) == ends(other),
            _ => one == other,
        }
}

/// Appends one field to an encoded key.
pub(crate) fn push_field(field: &str, key: &mut Vec<u8>) {
    // The usual field is short, and its length one byte.
    if let Ok(length @ 0..0x80) = u8::try_from(field.len()) {
        key.push(length);
        key.extend_from_slice(field.as_bytes());
        return;
    }
    let written: Result<(), Infallible> = write_bytes(field.as_bytes(), key);
    match written {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_fields_as_postcard_encodes_them() {
        let long = "x".repeat(300);
        let key = Fields::new(["ATL", "", &long]);
        assert_eq!(key.view().as_bytes(), postcard::to_allocvec(&("ATL", "", &long)).unwrap());
        assert_eq!(key.view().iter().collect::<Vec<_>>(), ["ATL", "", &long]);
        assert_eq!(FieldsView::decode(key.view().as_bytes(), 3), Ok(key.view()));
        assert_eq!(key.view().to_owned(), key);
    }

    #[test]
    fn keys_of_any_length_differ_by_any_byte() {
        for length in 0..20 {
            let field = "x".repeat(length);
            let key = Fields::new([&*field]);
            assert!(key.is(Fields::new([&*field]).view()));
            assert!(!key.is(Fields::new(["x".repeat(length + 1).as_str()]).view()));
            for at in 0..length {
                let mut other = field.clone();
                other.replace_range(at..=at, "y");
                assert!(!key.is(Fields::new([&*other]).view()), "{other}");
            }
        }
    }

    #[test]
    fn fields_are_never_mistaken_for_others() {
        assert_ne!(Fields::new(["ab", "c"]), Fields::new(["a", "bc"]));
        assert_ne!(Fields::new(["01"]), Fields::new(["1"]));
        assert_ne!(Fields::new([""]), Fields::new([]));
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        for bytes in [&[][..], &[1], &[2, b'a'], &[1, 0xff], &[1, b'a', 0], &[0x80, 0]] {
            assert!(FieldsView::decode(bytes, 1).is_err(), "{bytes:?}");
        }
    }
}
