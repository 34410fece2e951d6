//! Checks that a type writes what its schema says, before a checkpoint is built on it.
//!
//! Serde attributes such as `skip` or `flatten` make bytes and schema differ without either
//! knowing, `rename` and `rename_all` the names that a type reads. So each type is asked whether it
//! knows the names of its schema, and the first row of every state in every file is walked, in
//! builds with debug assertions each row; a mismatch declines the checkpoint and names type and
//! field.

use alloc::vec::Vec;
use core::fmt;

use crate::codec::{Encoding, Reader};
use crate::error::{Fault, Malformed};
use crate::schema::{Budget, Path, StoredSchema, Unlike, check, walk};
use crate::state::{Description, Kind, Op, TypeSchema};

/// A state whose type does not write or read what its schema says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// Which type: that of the keys, fields or values.
    pub piece: &'static str,
    /// Where in it, and how.
    pub unlike: MismatchUnlike,
}

/// How a type differs from its schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MismatchUnlike {
    /// What it writes.
    Bytes(Unlike),
    /// A field or variant that serde does not read by the name that the schema has.
    Name(Path),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unlike {
            MismatchUnlike::Bytes(unlike) => write!(
                f,
                "the type of its {}s is {unlike}; take away the serde attribute that makes them \
                 differ, or implement Schema by hand",
                self.piece
            ),
            MismatchUnlike::Name(path) => write!(
                f,
                "the type of its {}s does not read {path} by the name that its schema has; take \
                 away the serde attribute that skips or renames it, or give the name as \
                 serde(alias) too",
                self.piece
            ),
        }
    }
}

/// Walks rows of one state as they are written.
#[derive(Debug)]
pub(super) struct Inspector {
    kind: Kind,
    encoding: Encoding,
    key: StoredSchema,
    field: Option<StoredSchema>,
    value: StoredSchema,
    row_lens: Option<(usize, usize)>,
    /// What the types cannot read of their own schemas.
    unread: Option<Mismatch>,
    done: bool,
}

impl Inspector {
    pub(super) fn new(description: &Description) -> Result<Self, Malformed> {
        let stored = |schema: &TypeSchema| {
            let mut bytes = Vec::new();
            let Ok(()) = schema.write(&mut bytes);
            StoredSchema::parse(&bytes)
        };
        let Description { kind, encoding, key, field, value, .. } = description;
        Ok(Self {
            kind: *kind,
            encoding: *encoding,
            key: stored(key)?,
            field: field.as_ref().map(stored).transpose()?,
            value: stored(value)?,
            row_lens: description.row_lens(),
            unread: description
                .unread_name()
                .map(|(piece, path)| Mismatch { piece, unlike: MismatchUnlike::Name(path) }),
            done: false,
        })
    }

    /// Walks the runs that `bytes` begin with; what continues elsewhere is passed over.
    pub(super) fn inspect(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        if let Some(mismatch) = self.unread {
            return Err(mismatch);
        }
        let mut reader = Reader::new(bytes);
        while !self.done {
            let Ok(head) = reader.array::<3>() else { return Ok(()) };
            let Some(op) = Op::from_code(head[0]) else { return Ok(()) };
            for _ in 0..u16::from_le_bytes([head[1], head[2]]) {
                let length = match (self.row_lens, op) {
                    (Some((key, value)), Op::Put) => Ok(key + value),
                    (Some((key, _)), _) => Ok(key),
                    (None, _) => reader.length(),
                };
                let Ok(row) = length.and_then(|length| reader.take(length)) else {
                    return Ok(());
                };
                self.row(op, Reader::new(row))?;
                self.done = !cfg!(debug_assertions);
                if self.done {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn row(&self, op: Op, mut row: Reader<'_>) -> Result<(), Mismatch> {
        self.piece("key", &self.key, &mut row)?;
        match (self.kind.rows(), op) {
            (Kind::Value, Op::Put) => self.piece("value", &self.value, &mut row)?,
            (Kind::List, Op::Put) => {
                for _ in 0..row.varint_u64().unwrap_or(0) {
                    self.piece("item", &self.value, &mut row)?;
                }
            }
            (Kind::Map, Op::Put | Op::Remove) => {
                for _ in 0..row.varint_u64().unwrap_or(0) {
                    if let Some(field) = &self.field {
                        self.piece("field", field, &mut row)?;
                    }
                    if op == Op::Put {
                        self.piece("value", &self.value, &mut row)?;
                    }
                }
            }
            // Numbers that the store writes itself.
            _ => return Ok(()),
        }
        let trailing = Malformed::new(Fault::Trailing, row.offset());
        match row.is_empty() {
            true => Ok(()),
            false => {
                Err(Mismatch { piece: "value", unlike: MismatchUnlike::Bytes(trailing.into()) })
            }
        }
    }

    fn piece(
        &self,
        piece: &'static str,
        schema: &StoredSchema,
        row: &mut Reader<'_>,
    ) -> Result<(), Mismatch> {
        let before = *row;
        let mut budget = Budget::of_row(before.len());
        walk(schema.view(), self.encoding, row, &mut budget).map_err(|malformed| {
            // The same walk again, to learn the path.
            let unlike = check(schema.view(), self.encoding, before.rest()).err();
            let unlike = MismatchUnlike::Bytes(unlike.unwrap_or(malformed.into()));
            Mismatch { piece, unlike }
        })
    }
}
