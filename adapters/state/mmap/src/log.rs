//! The log of one key group: rows of the tail and of files, found by their entries.

use std::borrow::Cow;

use holdwater::state::{Cutoff, Kind, Raw, RowWriter, SaveError};

use crate::entry::{Entry, TAIL};
use crate::error::MmapError;
use crate::layout::Layout;
use crate::piece::{Extent, Pieces};
use crate::slot::What;
use crate::tail::Tail;

/// What is needed to read the rows of one group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) tail: &'a Tail,
    pub(crate) pieces: &'a Pieces,
    /// What had expired when the rows were frozen, if that is to be left out.
    pub(crate) cutoff: Option<Cutoff>,
}

/// One row of the log.
#[derive(Clone, Debug)]
pub(crate) struct Row<'a> {
    /// It begins with its key; what is behind the body may belong to others.
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Where the body begins.
    body: usize,
}

impl Row<'_> {
    /// Returns whether the row is one of that key: no encoding of a key begins with that of
    /// another.
    pub(crate) fn is_of(&self, key: &[u8]) -> bool {
        self.bytes.starts_with(key)
    }

    /// Returns the value, the fields or the items, and perhaps more.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.body..).unwrap_or_default()
    }
}

impl<'a> Log<'a> {
    /// Reads the row of `entry`; of one that was removed only the key is sure to be there, and of
    /// a map or timers the field.
    pub(crate) fn row(self, entry: Entry) -> Result<Row<'a>, MmapError> {
        let place = entry.place();
        let bytes = if entry.is_in_tail() {
            Cow::Borrowed(self.tail.content(place.offset))
        } else {
            let extent = match self.layout.bare {
                Some((key, _)) if entry.is_removed() => Extent::Bytes(key),
                Some((key, value)) => Extent::Bytes(key + value),
                None => Extent::Counted,
            };
            self.pieces.get(place.piece).row(place.offset, extent)?
        };
        let body = self.layout.body_at(entry, &bytes)?;
        Ok(Row { bytes, body })
    }

    /// Returns the key of a row.
    pub(crate) fn key<'r>(self, row: &'r Row<'_>) -> Result<&'r [u8], MmapError> {
        let length = self.layout.key_len(&row.bytes)?;
        Ok(row.bytes.get(..length).unwrap_or_default())
    }

    /// Returns the field that a body begins with.
    pub(crate) fn field<'r>(self, row: &'r Row<'_>) -> Result<&'r [u8], MmapError> {
        let length = self.layout.field_len(row.body())?;
        Ok(row.body().get(..length).unwrap_or_default())
    }

    /// Returns the field that a body begins with and the value behind it, as one.
    pub(crate) fn pair<'r>(self, row: &'r Row<'_>) -> Result<&'r [u8], MmapError> {
        let field = self.layout.field_len(row.body())?;
        let value = self.layout.value_len(row.body().get(field..).unwrap_or_default())?;
        Ok(row.body().get(..field + value).unwrap_or_default())
    }

    /// Returns whether a value or an item has not expired.
    pub(crate) fn is_live(self, value: &[u8]) -> Result<bool, MmapError> {
        match self.cutoff {
            None => Ok(true),
            Some(cutoff) => Ok(!cutoff.includes(self.layout.stamp(value)?)),
        }
    }

    /// Returns the value behind the field that a body begins with.
    pub(crate) fn value<'r>(self, row: &'r Row<'_>) -> Result<&'r [u8], MmapError> {
        let field = self.layout.field_len(row.body())?;
        Ok(row.body().get(field..).unwrap_or_default())
    }

    /// Returns the `count` items that a body begins with.
    pub(crate) fn items<'r>(self, row: &'r Row<'_>, count: u32) -> Result<Vec<Raw<'r>>, MmapError> {
        let (mut items, mut rest) = (Vec::new(), row.body());
        for _ in 0..count {
            let (item, behind) = rest.split_at(self.layout.value_len(rest)?);
            items.push(Raw(item));
            rest = behind;
        }
        Ok(items)
    }

    /// Returns those of the `count` items that have not expired.
    pub(crate) fn live_items<'r>(
        self,
        row: &'r Row<'_>,
        count: u32,
    ) -> Result<Vec<Raw<'r>>, MmapError> {
        let mut live = Vec::new();
        for item in self.items(row, count)? {
            if self.is_live(item.0)? {
                live.push(item);
            }
        }
        Ok(live)
    }

    /// Returns the body of `entry` alone, without what follows in its row.
    pub(crate) fn own_body<'r>(
        self,
        row: &'r Row<'_>,
        entry: Entry,
    ) -> Result<&'r [u8], MmapError> {
        match self.layout.kind() {
            Kind::Map | Kind::Timers if entry.is_removed() => self.field(row),
            Kind::Map | Kind::Timers => self.pair(row),
            _ if entry.is_removed() => Ok(&[]),
            Kind::List => {
                let length = self.items(row, entry.count())?.iter().map(|item| item.0.len()).sum();
                Ok(&row.body()[..length])
            }
            _ => Ok(row.body()),
        }
    }

    /// Asks for the file that the first of the sorted `rows` lies in, some way ahead; returns how
    /// many of the rows that covers.
    pub(crate) fn prefetch(self, rows: &[Entry]) -> usize {
        let Some(first) = rows.first().map(|entry| entry.place()) else { return 0 };
        let is_near = |entry: &Entry| {
            let place = entry.place();
            place.piece == first.piece && place.offset < first.offset + AHEAD_BYTES
        };
        let near = rows.partition_point(is_near).max(1);
        if first.piece != TAIL {
            let last = rows[near - 1].place().offset;
            self.pieces.get(first.piece).prefetch(first.offset, last - first.offset + 1);
        }
        near
    }

    /// Returns the row of `entry` alone, as it lies in the tail, and where its body begins.
    pub(crate) fn copy(self, entry: Entry) -> Result<(Vec<u8>, usize), MmapError> {
        let row = self.row(entry)?;
        let key = self.key(&row)?;
        Ok(([key, self.own_body(&row, entry)?].concat(), key.len()))
    }

    /// Writes one field and its value, or that the field is gone.
    pub(crate) fn write_pair(self, entry: Entry, what: What, out: &mut RowWriter<'_>) -> Saved {
        let row = self.row(entry).map_err(SaveError::State)?;
        let key = Raw(self.key(&row).map_err(SaveError::State)?);
        let is_gone = entry.is_removed()
            || !self.is_live(self.value(&row).map_err(failed)?).map_err(failed)?;
        if is_gone && what == What::All {
            return Ok(());
        }
        if is_gone {
            let field = Raw(self.field(&row).map_err(SaveError::State)?);
            return Ok(out.removed_fields(&key, std::iter::once(&field))?);
        }
        let pair = Raw(self.pair(&row).map_err(SaveError::State)?);
        Ok(out.entries(&key, std::iter::once((&pair, &Raw(&[]))))?)
    }
}

/// States why a row could not be written.
pub(crate) fn failed(error: MmapError) -> SaveError<MmapError> {
    SaveError::State(error)
}

/// The result of writing rows.
pub(crate) type Saved = Result<(), SaveError<MmapError>>;

/// How far ahead a file is asked for.
pub(crate) const AHEAD_BYTES: u64 = 1 << 20;
