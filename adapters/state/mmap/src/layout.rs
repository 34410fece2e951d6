//! What the bytes of a row mean: where its key ends, and what lies behind.
//!
//! ```text
//! value          key value
//! map, timers    key [count] field value [field value ..]
//! list           key [count] item [item ..]
//! ```
//!
//! The count stands in files alone. An entry says where its own body begins: value, field or items.

use std::convert::Infallible;
use std::sync::OnceLock;

use holdwater::codec::{EncodeError, Reader, decode, encode};
use holdwater::error::Malformed;
use holdwater::schema::{Budget, Data, DecodeError, Leaf, Schema, StoredSchema, walk};
use holdwater::state::{Description, Form, Kind, TypeSchema};
use serde::Serialize;
use std::hash::{BuildHasher, RandomState};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::entry::{BEHIND_KEY, Entry, short};

/// The shape of the rows of one state.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) description: Description,
    key: StoredSchema,
    field: Option<StoredSchema>,
    value: StoredSchema,
    /// The lengths of keys and values, where all have one and rows in files carry none.
    pub(crate) bare: Option<(usize, usize)>,
    /// How the fields of an ordered map are encoded in order.
    order: Option<Order>,
    seed: u64,
}

/// Takes a field from the front of bytes and encodes it in order (docs/format.md 2.6).
pub(crate) type Order = fn(&Form<'_>, &mut Reader<'_>) -> Result<Vec<u8>, DecodeError>;

impl Layout {
    pub(crate) fn new(description: Description, order: Option<Order>) -> Self {
        let stored = |schema: &TypeSchema| match schema {
            TypeSchema::Static(schema) => StoredSchema::from(*schema),
            TypeSchema::Stored(schema) => schema.clone(),
        };
        let field = match description.kind.rows() {
            Kind::Timers => Some(StoredSchema::leaf(Leaf::I64)),
            _ => description.field.as_ref().map(stored),
        };
        let (key, value) = (stored(&description.key), stored(&description.value));
        let bare = description.row_lens();
        Self { description, key, field, value, bare, order, seed: seed() }
    }

    /// Returns how rows look: the kind of keyed state that has such.
    pub(crate) const fn kind(&self) -> Kind {
        self.description.kind.rows()
    }

    /// Appends a value in the encoding of the state.
    pub(crate) fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError<Infallible>> {
        encode(value, self.description.encoding, out)
    }

    /// Returns the hash that the index keeps of an encoded key or field.
    pub(crate) fn hash(&self, bytes: &[u8]) -> u32 {
        short(xxh3_64_with_seed(bytes, self.seed))
    }

    /// Returns what locators of checkpoints hash keys with: who reads them learns nothing of what
    /// the index does.
    pub(crate) fn locator_seed(&self) -> u64 {
        xxh3_64_with_seed(b"locator", self.seed)
    }

    /// Returns how long the key is that a row begins with.
    pub(crate) fn key_len(&self, row: &[u8]) -> Result<usize, Malformed> {
        match self.bare {
            Some((key, _)) => Ok(key),
            None => self.measure(self.key.view(), row),
        }
    }

    /// Returns how long the field is that a body begins with.
    pub(crate) fn field_len(&self, body: &[u8]) -> Result<usize, Malformed> {
        self.field.as_ref().map_or(Ok(0), |field| self.measure(field.view(), body))
    }

    /// Returns how long the value or item is that the bytes begin with.
    pub(crate) fn value_len(&self, bytes: &[u8]) -> Result<usize, Malformed> {
        self.measure(self.value.view(), bytes)
    }

    /// Returns where in its row the body of `entry` begins.
    pub(crate) fn body_at(&self, entry: Entry, row: &[u8]) -> Result<usize, Malformed> {
        let body = entry.place().body;
        if body != BEHIND_KEY {
            return Ok(usize::from(body));
        }
        let key = self.key_len(row)?;
        if entry.is_in_tail() || self.kind() == Kind::Value {
            return Ok(key);
        }
        let mut reader = Reader::new(row.get(key..).unwrap_or_default());
        let before = reader.len();
        reader.varint_u64()?;
        Ok(key + before - reader.len())
    }

    /// Reads a key from the front of a row.
    pub(crate) fn key<K: Data>(&self, row: &[u8]) -> Result<K, DecodeError> {
        self.form().key(&mut Reader::new(row))
    }

    /// Reads a field from the front of a body, and the value behind it.
    pub(crate) fn pair<F: Data, V: Data>(&self, body: &[u8]) -> Result<(F, V), DecodeError> {
        let (form, mut reader) = (self.form(), Reader::new(body));
        Ok((form.field(&mut reader)?, form.value(&mut reader)?))
    }

    /// Returns the field that a body begins with, encoded in order, if the map is ordered.
    pub(crate) fn ordered(&self, body: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
        self.order.map(|order| order(&self.form(), &mut Reader::new(body))).transpose()
    }

    /// Reads the stamp of a value that expires: it stands in front.
    pub(crate) fn stamp(&self, value: &[u8]) -> Result<i64, Malformed> {
        decode(self.description.encoding, &mut Reader::new(value))
    }

    /// Reads a value or an item.
    pub(crate) fn value<V: Data>(&self, reader: &mut Reader<'_>) -> Result<V, DecodeError> {
        self.form().value(reader)
    }

    /// Returns how rows are read: by a schema that was made at run time, if one was.
    pub(crate) fn form(&self) -> Form<'_> {
        let mut form = Form::own(self.description.encoding);
        form.key = made(&self.description.key);
        form.field = self.description.field.as_ref().and_then(made);
        form.value = made(&self.description.value);
        form
    }

    fn measure(&self, schema: Schema<'_>, bytes: &[u8]) -> Result<usize, Malformed> {
        let (mut reader, mut budget) = (Reader::new(bytes), Budget::of_row(bytes.len()));
        walk(schema, self.description.encoding, &mut reader, &mut budget)?;
        Ok(bytes.len() - reader.len())
    }
}

fn made(schema: &TypeSchema) -> Option<Schema<'_>> {
    match schema {
        TypeSchema::Static(_) => None,
        TypeSchema::Stored(schema) => Some(schema.view()),
    }
}

/// Returns where a body lies that begins at byte `at` of its row, as an entry notes it.
pub(crate) fn body(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(BEHIND_KEY)
}

/// Returns what hashes of this process depend on, so that nobody can make keys of one hash.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(0))
}
