//! Rows as a part holds them, in runs of one operation.
//!
//! ```text
//! rows := run* end                                    docs/format.md 5.3
//! run  := op u8  count u16  row*count
//! row  := length varint  bytes       or bytes alone, where all rows have one length
//! end  := 0 u8
//! ```

use crate::codec::{Encoding, Reader, decode};
use crate::error::{Fault, Malformed};
use crate::schema::{Data, DecodeError, Schema, decode_as};

/// The most items or fields that one row holds; more go to further rows of the same key.
pub const ITEMS_MAX: usize = 65_535;

/// What a row says about its key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Op {
    /// `key value`, `key count item*` or `key count (field value)*`: store, append, store.
    ///
    /// Timers are a map from times to nothing: `key count time*`.
    Put,
    /// `key`, or of a map or timers `key count field*`: drop.
    Remove,
    /// `key`: drop all fields of a map, or all timers.
    Clear,
    /// `key n`: keep the first n items of a list, drop the rest.
    Keep,
}

impl Op {
    /// Returns the code of the operation in a part; 0 ends it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Put => 1,
            Self::Remove => 2,
            Self::Clear => 3,
            Self::Keep => 4,
        }
    }

    /// Returns the operation that `code` stands for.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Put),
            2 => Some(Self::Remove),
            3 => Some(Self::Clear),
            4 => Some(Self::Keep),
            _ => None,
        }
    }
}

/// One row of a part, its bytes not yet decoded.
#[derive(Clone, Copy, Debug)]
pub struct Change<'r> {
    /// What to do.
    pub op: Op,
    /// With what.
    pub row: &'r [u8],
}

/// What a frozen state has to write of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// No row is left: no part, and older parts are dropped.
    Empty,
    /// Nothing changed since the base: no part, and older parts hold.
    Unchanged,
    /// What changed since the base.
    Delta,
    /// All rows.
    Full,
}

/// How rows are encoded, and by which schemas they are read.
#[derive(Clone, Copy, Debug)]
pub struct Form<'s> {
    /// The encoding of every row.
    pub encoding: Encoding,
    /// Whether the rows are those of a full part: a key or field that is there already is refused.
    pub fresh: bool,
    /// The schema that keys were written with, where it is not the type's own.
    pub key: Option<Schema<'s>>,
    /// Likewise of the fields of a map.
    pub field: Option<Schema<'s>>,
    /// Likewise of values.
    pub value: Option<Schema<'s>>,
}

impl Form<'static> {
    /// Reads rows as the types themselves write them.
    pub const fn own(encoding: Encoding) -> Self {
        Self { encoding, fresh: false, key: None, field: None, value: None }
    }
}

impl Form<'_> {
    /// Takes a key.
    pub fn key<K: Data>(&self, reader: &mut Reader<'_>) -> Result<K, DecodeError> {
        self.read(self.key, reader)
    }

    /// Takes a field of a map.
    pub fn field<F: Data>(&self, reader: &mut Reader<'_>) -> Result<F, DecodeError> {
        self.read(self.field, reader)
    }

    /// Takes a value or an item.
    pub fn value<V: Data>(&self, reader: &mut Reader<'_>) -> Result<V, DecodeError> {
        self.read(self.value, reader)
    }

    /// Takes the number of items or fields in a row.
    pub fn count(&self, reader: &mut Reader<'_>) -> Result<usize, Malformed> {
        let start = *reader;
        match usize::try_from(reader.varint_u64()?) {
            Ok(count) if count <= ITEMS_MAX => Ok(count),
            _ => Err(start.fault(Fault::Range)),
        }
    }

    #[inline]
    fn read<T: Data>(
        &self,
        schema: Option<Schema<'_>>,
        reader: &mut Reader<'_>,
    ) -> Result<T, DecodeError> {
        match schema {
            // The bytes are those of the schema: what is wrong with them only the type knows.
            None => decode(self.encoding, reader).map_err(|malformed| match malformed.fault {
                Fault::Value => DecodeError::of_type(malformed.offset),
                _ => malformed.into(),
            }),
            Some(schema) => decode_as(schema, self.encoding, reader),
        }
    }
}
