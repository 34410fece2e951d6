//! What the index holds for one key: an entry, or a node of entries.

use std::fmt::Debug;

use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::KeyGroup;
use holdwater::state::{Raw, RowWriter};

use crate::cold::ColdRow;
use crate::entry::{Entry, Place};
use crate::error::MmapError;
use crate::expire::{self, Look};
use crate::index::Hashed;
use crate::layout::body;
use crate::log::{Log, Saved, failed};
use crate::table::Table;

/// What the index holds for one key.
pub(crate) trait Slot: Hashed + Debug + Send + Sync + 'static {
    /// Returns how many bytes it takes beside its place in the index.
    fn owned(&self) -> usize;

    /// Shows each entry to `show`, in an order that [`splice`](Self::splice) keeps to.
    fn each(&self, show: &mut dyn FnMut(Entry));

    /// Replaces each entry that `concerns` picks by those that `change` puts in its place: one, or
    /// of a list several.
    fn splice(
        &mut self,
        concerns: &dyn Fn(Entry) -> bool,
        change: &mut dyn FnMut(Entry, &mut Vec<Entry>),
    );

    /// Drops what was removed before freeze `oldest`, and shows it to `drop`; returns whether
    /// anything is left.
    fn settle(&mut self, oldest: u32, drop: &mut dyn FnMut(Entry)) -> bool;

    /// Returns whether it holds no row, only that there was one.
    fn is_gone(&self) -> bool;

    /// Returns whether some row of the key has not expired.
    fn has_live(&self, log: Log<'_>) -> Result<bool, MmapError>;

    /// Returns an entry that no other slot has.
    fn lead(&self) -> Entry;

    /// Returns whether there may be something that has expired.
    fn may_expire(&self, log: Log<'_>, look: &mut Look<'_>) -> Result<bool, MmapError>;

    /// Drops rows of `key` that have expired, from that of number `from` on; returns at which to go
    /// on.
    fn expire(
        table: &mut Table<Self>,
        group: KeyGroup,
        key: &[u8],
        from: usize,
        look: &mut Look<'_>,
    ) -> Result<Option<usize>, MmapError>;

    /// Adds what the index would hold of a row in a file of a checkpoint, which is the first of its
    /// key or follows those of `slot`. Whatever its bytes are, it is a row of the state or refused.
    fn gather(
        slot: &mut Option<Self>,
        log: Log<'_>,
        row: ColdRow,
        bytes: &[u8],
    ) -> Result<(), MmapError>;

    /// Returns whether something has expired.
    fn has_expired(&self, log: Log<'_>, look: &mut Look<'_>) -> Result<bool, MmapError>;

    /// Writes rows of the key.
    fn write(&self, what: What, log: Log<'_>, out: &mut RowWriter<'_>) -> Saved;

    /// Whether rows of a full part are written in the order in which they lie, each for itself.
    const LIES_ALONE: bool;
}

/// Which rows to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// All that are there.
    All,
    /// What changed since that freeze, removals too.
    Since(u32),
    /// What lies in the tail, removals too.
    Tail,
}

impl What {
    /// Returns whether `entry` is to be written.
    pub(crate) const fn takes(self, entry: Entry) -> bool {
        match self {
            Self::All => !entry.is_removed(),
            Self::Since(base) => entry.changed() > base,
            Self::Tail => entry.is_in_tail(),
        }
    }
}

impl Slot for Entry {
    const LIES_ALONE: bool = true;

    fn owned(&self) -> usize {
        0
    }

    fn each(&self, show: &mut dyn FnMut(Entry)) {
        show(*self);
    }

    fn splice(
        &mut self,
        concerns: &dyn Fn(Entry) -> bool,
        change: &mut dyn FnMut(Entry, &mut Vec<Entry>),
    ) {
        if concerns(*self) {
            *self = replace(*self, &mut Vec::new(), change);
        }
    }

    fn settle(&mut self, oldest: u32, drop: &mut dyn FnMut(Entry)) -> bool {
        let goes = self.is_removed() && self.changed() < oldest;
        if goes {
            drop(*self);
        }
        !goes
    }

    fn is_gone(&self) -> bool {
        self.is_removed()
    }

    fn lead(&self) -> Entry {
        *self
    }

    fn may_expire(&self, log: Log<'_>, look: &mut Look<'_>) -> Result<bool, MmapError> {
        Ok(!self.is_removed() && !look.finds_live(log, log.row(*self)?.body())?)
    }

    fn expire(
        table: &mut Table<Self>,
        group: KeyGroup,
        key: &[u8],
        _: usize,
        look: &mut Look<'_>,
    ) -> Result<Option<usize>, MmapError> {
        expire::value(table, group, key, look).map(|()| None)
    }

    fn gather(
        slot: &mut Option<Self>,
        log: Log<'_>,
        row: ColdRow,
        bytes: &[u8],
    ) -> Result<(), MmapError> {
        let (key, mut reader) = (log.layout.key_len(bytes)?, Reader::new(bytes));
        reader.take(key)?;
        reader.take(log.layout.value_len(reader.rest())?)?;
        reader.finish()?;
        if slot.is_some() {
            return Err(reader.fault(Fault::Duplicate).into());
        }
        let place = Place { piece: row.piece, offset: row.offset, body: body(key) };
        *slot = Some(Self::new(log.layout.hash(&bytes[..key]), row.changed, place));
        Ok(())
    }

    fn has_expired(&self, log: Log<'_>, look: &mut Look<'_>) -> Result<bool, MmapError> {
        self.may_expire(log, look)
    }

    fn has_live(&self, log: Log<'_>) -> Result<bool, MmapError> {
        Ok(!self.is_removed() && log.is_live(log.row(*self)?.body())?)
    }

    fn write(&self, what: What, log: Log<'_>, out: &mut RowWriter<'_>) -> Saved {
        if !what.takes(*self) {
            return Ok(());
        }
        let row = log.row(*self).map_err(failed)?;
        let key = Raw(log.key(&row).map_err(failed)?);
        if !self.is_removed() && log.is_live(row.body()).map_err(failed)? {
            out.value(&key, &Raw(row.body()))?;
        } else if what != What::All {
            out.removed(&key)?;
        }
        Ok(())
    }
}

/// Returns the one entry that `change` makes of `entry`.
pub(crate) fn replace(
    entry: Entry,
    made: &mut Vec<Entry>,
    change: &mut dyn FnMut(Entry, &mut Vec<Entry>),
) -> Entry {
    made.clear();
    change(entry, made);
    assert_eq!(made.len(), 1, "a row that is no list stays one row");
    made[0]
}
