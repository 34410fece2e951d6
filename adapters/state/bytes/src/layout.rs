//! How the rows of one state lie in a table.
//!
//! ```text
//! value   group u16 BE  key                        value
//! list    group u16 BE  key  rank u64 BE           item
//! map     group u16 BE  key  field                 value
//! ordered group u16 BE  key  field in order        value
//! timers  group u16 BE  time u64 BE  key           nothing
//! ```
//!
//! Ranks ascend from 0; where items expire, some may be gone from the middle.
//!
//! Key, field and value are encoded as in a part, but the field of an ordered map as docs/format.md
//! 2.6 says. No encoding of a key begins with that of another, so that the rows of a key are those
//! that begin with it. The sign bit of a time is turned over.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::convert::Infallible;

use holdwater::codec::{EncodeError, Encoding, Reader, decode, encode};
use holdwater::error::Malformed;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::{Budget, Data, DecodeError, Schema, StoredSchema, walk};
use holdwater::state::{Description, Form, Kind, TypeSchema};
use serde::Serialize;

use crate::arrangement::{Arrangement, Portable};

/// The shape of the rows of one state.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(crate) description: Description,
    /// The schema of keys: it tells where a key ends.
    key: StoredSchema,
    /// How the field of a row is encoded as in a part, where it is not.
    portable: Option<Portable>,
}

/// A row taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'r> {
    pub(crate) key: &'r [u8],
    /// The field of a map.
    pub(crate) field: &'r [u8],
    /// The rank of an item.
    pub(crate) rank: u64,
    /// The time of a timer.
    pub(crate) time: i64,
}

impl Layout {
    pub(crate) fn new(description: Description, portable: Option<Portable>) -> Self {
        let key = match &description.key {
            TypeSchema::Static(schema) => StoredSchema::from(*schema),
            TypeSchema::Stored(schema) => schema.clone(),
        };
        Self { description, key, portable }
    }

    /// Returns name, kind and types of the state.
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// Returns whether the fields of a map lie in their order.
    pub const fn is_ordered(&self) -> bool {
        self.portable.is_some()
    }

    /// Returns the length of what the rows of each key begin with, if it is the same for all.
    ///
    /// The rows of timers begin with their time.
    pub fn prefix_len(&self) -> Option<usize> {
        let is_timer = self.description.kind.rows() == Kind::Timers;
        let key = self.key.view().fixed_len().filter(|_| !is_timer)?;
        (self.description.encoding == Encoding::Fixed).then_some(GROUP_LEN + key)
    }

    /// Appends a value in the encoding of the state.
    pub(crate) fn encode<T: Serialize + ?Sized>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError<Infallible>> {
        encode(value, self.description.encoding, out)
    }

    /// Returns what the rows of a key begin with.
    pub(crate) fn of<K: Key>(&self, at: At<'_, K>) -> Result<Vec<u8>, EncodeError<Infallible>> {
        let mut row = at.group().index().to_be_bytes().to_vec();
        self.encode(&at.view(), &mut row)?;
        Ok(row)
    }

    /// Returns what the rows of a key with that encoding begin with, or those of all keys. Timers
    /// lie by time: of one key, too, all of the group are looked at.
    pub(crate) fn prefix_of(&self, of: KeyGroup, key: Option<&[u8]>) -> Vec<u8> {
        let key = key.filter(|_| self.description.kind.rows() != Kind::Timers);
        [&group(of)[..], key.unwrap_or_default()].concat()
    }

    /// Returns the row of a timer.
    pub(crate) fn timer<K: Key>(
        &self,
        at: At<'_, K>,
        time: i64,
    ) -> Result<Vec<u8>, EncodeError<Infallible>> {
        let mut row = at.group().index().to_be_bytes().to_vec();
        row.extend_from_slice(&ordered(time).to_be_bytes());
        self.encode(&at.view(), &mut row)?;
        Ok(row)
    }

    /// Takes a row apart.
    pub(crate) fn split<'r>(&self, row: &'r [u8]) -> Result<Row<'r>, Malformed> {
        let mut reader = Reader::new(row);
        reader.take(GROUP_LEN)?;
        let none = Row { key: &[], field: &[], rank: 0, time: 0 };
        if self.description.kind.rows() == Kind::Timers {
            let time = u64::from_be_bytes(reader.array()?);
            return Ok(Row { key: reader.rest(), time: unordered(time), ..none });
        }
        let rest = reader.rest();
        let mut budget = Budget::of_row(rest.len());
        walk(self.key.view(), self.description.encoding, &mut reader, &mut budget)?;
        let key = &rest[..rest.len() - reader.len()];
        match self.description.kind.rows() {
            Kind::Map => Ok(Row { key, field: reader.rest(), ..none }),
            Kind::List => {
                let rank = u64::from_be_bytes(reader.array()?);
                reader.finish()?;
                Ok(Row { key, rank, ..none })
            }
            _ => {
                reader.finish()?;
                Ok(Row { key, ..none })
            }
        }
    }

    /// Returns a field as it is encoded in a part.
    pub(crate) fn portable<'r>(&self, field: &'r [u8]) -> Result<Cow<'r, [u8]>, Malformed> {
        let Some(portable) = self.portable else { return Ok(Cow::Borrowed(field)) };
        let mut bytes = Vec::new();
        portable(field, self.description.encoding, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// Reads the stamp of a value that expires: it stands in front.
    pub fn stamp(&self, value: &[u8]) -> Result<i64, Malformed> {
        decode(self.description.encoding, &mut Reader::new(value))
    }

    /// Reads a key.
    pub(crate) fn key<K: Data>(&self, bytes: &[u8]) -> Result<K, DecodeError> {
        whole(bytes, |reader| self.form().key(reader))
    }

    /// Reads a field of a map.
    pub(crate) fn field<F: Key, A: Arrangement<F>>(&self, bytes: &[u8]) -> Result<F, DecodeError> {
        whole(bytes, |reader| A::read(&self.form(), reader))
    }

    /// Reads a value or an item.
    pub(crate) fn value<V: Data>(&self, bytes: &[u8]) -> Result<V, DecodeError> {
        whole(bytes, |reader| self.form().value(reader))
    }

    /// Returns how rows of the table are read: by a schema that was made at run time, if one was.
    fn form(&self) -> Form<'_> {
        let mut form = Form::own(self.description.encoding);
        form.key = stored(&self.description.key);
        form.field = self.description.field.as_ref().and_then(stored);
        form.value = stored(&self.description.value);
        form
    }
}

/// Returns what the rows of a group begin with.
pub(crate) fn group(group: KeyGroup) -> [u8; GROUP_LEN] {
    group.index().to_be_bytes()
}

fn whole<T>(
    bytes: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

fn stored(schema: &TypeSchema) -> Option<Schema<'_>> {
    match schema {
        TypeSchema::Static(_) => None,
        TypeSchema::Stored(schema) => Some(schema.view()),
    }
}

/// Returns a number in the order of times.
const fn ordered(time: i64) -> u64 {
    time.cast_unsigned() ^ (1 << 63)
}

const fn unordered(time: u64) -> i64 {
    (time ^ (1 << 63)).cast_signed()
}

/// The length of a group in front of a row.
pub const GROUP_LEN: usize = 2;
/// The length of a rank at the end of one.
pub(crate) const RANK_LEN: usize = 8;
