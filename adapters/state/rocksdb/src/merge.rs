//! Databases that were taken over become one, a group at a time.
//!
//! A group stays where it is until all its rows have been copied to the database of the groups
//! beside it; meanwhile what is put or deleted in it is so in both. Then it is there, in all states
//! at once. So a checkpoint at any moment finds each group whole in one database.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow, Range};
use std::sync::Arc;

use holdwater_bytes::ByteRows;

use crate::RocksDbError;
use crate::database::Database;
use crate::family::Family;
use crate::route::Stretches;
use crate::rows::{Piece, Pieces};

/// A group on its way from one database to another.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) group: u16,
    from: Arc<Database>,
    pub(crate) into: Arc<Database>,
    /// The column families of which some rows are to be copied, and from which row on.
    left: BTreeMap<String, Vec<u8>>,
}

impl Move {
    /// Chooses a group to be moved, so that a database with few groups loses them to one beside it;
    /// none if all groups are in one.
    pub(crate) fn choose(stretches: &Stretches) -> Option<(u16, Arc<Database>, Arc<Database>)> {
        let pairs = stretches.windows(2).filter(|pair| !Arc::ptr_eq(&pair[0].1, &pair[1].1));
        let moves = pairs.map(|pair| {
            let [(low, below), (high, above)] = pair else { unreachable!("two in a window") };
            match low.len() < high.len() {
                true => (low.len(), low.end - 1, below, above),
                false => (high.len(), high.start, above, below),
            }
        });
        let (_, group, from, into) = moves.min_by_key(|(groups, ..)| *groups)?;
        Some((group, from.clone(), into.clone()))
    }

    /// Begins to move `group`, of which `into` may hold rows from before it belonged to others.
    /// All `families` are in both.
    pub(crate) fn begin(
        (group, from, into): (u16, Arc<Database>, Arc<Database>),
        families: impl Iterator<Item = String>,
    ) -> Result<Self, RocksDbError> {
        let (start, end) = (group.to_be_bytes(), (group + 1).to_be_bytes());
        let mut left = BTreeMap::new();
        for family in families {
            into.delete_range(&family, &start, &end)?;
            left.insert(family, start.to_vec());
        }
        into.widen(group);
        Ok(Self { group, from, into, left })
    }

    /// Copies some rows of a family; returns whether there were any left.
    pub(crate) fn copy(&mut self, family: &str) -> Result<bool, RocksDbError> {
        let groups = self.groups();
        let Some(next) = self.left.get_mut(family) else { return Ok(false) };
        let (from, into) = (Family::of(&self.from, family), Family::of(&self.into, family));
        let piece = Piece { groups, family: from };
        let pieces = Pieces::new(vec![piece], None);
        let (mut copied, mut bytes, mut last) = (Ok(()), 0, None);
        pieces.range(Bound::Included(next), Bound::Unbounded, |row, value| {
            copied = into.put(row, value);
            bytes += row.len() + value.len() + ROW_BYTES;
            if copied.is_ok() && bytes < STEP_BYTES {
                return ControlFlow::Continue(());
            }
            last = Some([row, &[0]].concat());
            ControlFlow::Break(())
        })?;
        copied?;
        match last {
            Some(last) => *next = last,
            None => drop(self.left.remove(family)),
        }
        Ok(true)
    }

    /// Returns whether all rows are in the other database.
    pub(crate) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// Returns the group, as a stretch of one.
    pub(crate) fn groups(&self) -> Range<u16> {
        self.group..self.group + 1
    }
}

/// How much is copied at once: some tenths of a millisecond.
const STEP_BYTES: usize = 16 << 10;
/// What a row costs beside its bytes.
const ROW_BYTES: usize = 256;
