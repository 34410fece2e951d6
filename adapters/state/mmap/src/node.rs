//! What the index holds for the list, the map or the timers of one key.

use holdwater::key::KeyGroup;
use holdwater::state::{Kind, Raw, RowWriter};

use crate::cold::ColdRow;
use crate::entry::Entry;
use crate::error::MmapError;
use crate::expire::{self, Look};
use crate::gather::gather;
use crate::index::{Hashed, Index};
use crate::log::{Log, Saved, failed};
use crate::slot::{Slot, What, replace};
use crate::sorted::{Rank, Sorted};
use crate::table::Table;

/// The entries of one key: the chunks of its list in order, or the fields of its map.
///
/// There is always one, so that the key can be read: of a node without rows that which was removed
/// last.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    hash: u32,
    /// The freeze before which all that was there was dropped last; 0 if never, or before any.
    pub(crate) reset: u32,
    /// How many items or fields there are.
    pub(crate) live: u64,
    entries: Entries,
}

#[derive(Clone, Debug)]
enum Entries {
    /// In the order in which they came.
    Few(Vec<Entry>),
    /// Fields by hash.
    Many(Box<Index<Entry>>),
    /// Fields in order.
    Sorted(Box<Sorted>),
}

impl Node {
    /// Makes the node of a key with one row, which holds `live` items or fields.
    pub(crate) fn new(hash: u32, entry: Entry, live: u64) -> Self {
        Self { hash, reset: 0, live, entries: Entries::Few(vec![entry]) }
    }

    /// Makes the node of a key with one field.
    pub(crate) fn with_field(hash: u32, entry: Entry, field: &Field<'_>) -> Self {
        let node = Self::new(hash, entry, 1);
        match field.ordered {
            None => node,
            Some(field) => {
                let entries = Entries::Sorted(Box::new(Sorted::new(entry, field)));
                Self { entries, ..node }
            }
        }
    }

    /// Returns the chunks of a list, in order.
    pub(crate) fn chunks(&self) -> &[Entry] {
        match &self.entries {
            Entries::Few(entries) => entries,
            Entries::Many(_) | Entries::Sorted(_) => unreachable!("a list has chunks"),
        }
    }

    /// Returns the chunks of a list, to be changed.
    pub(crate) fn chunks_mut(&mut self) -> &mut Vec<Entry> {
        match &mut self.entries {
            Entries::Few(entries) => entries,
            Entries::Many(_) | Entries::Sorted(_) => unreachable!("a list has chunks"),
        }
    }

    /// Returns the fields of an ordered map.
    pub(crate) fn in_order(&self) -> Option<&Sorted> {
        match &self.entries {
            Entries::Sorted(sorted) => Some(sorted),
            Entries::Few(_) | Entries::Many(_) => None,
        }
    }

    /// Returns all entries, those of an ordered map in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> {
        let (few, many, sorted) = match &self.entries {
            Entries::Few(entries) => (&entries[..], None, None),
            Entries::Many(index) => (&[][..], Some(index), None),
            Entries::Sorted(sorted) => (&[][..], None, Some(sorted)),
        };
        let hashed = few.iter().chain(many.into_iter().flat_map(|index| index.iter())).copied();
        hashed.chain(sorted.into_iter().flat_map(|sorted| sorted.iter()))
    }

    /// Returns the entry of a field, which may be removed, and its place in an ordered map.
    pub(crate) fn find(&self, log: Log<'_>, field: &Field<'_>) -> Result<Found, MmapError> {
        let (few, many) = match &self.entries {
            Entries::Sorted(sorted) => {
                let ordered = field.ordered.expect("a field of an ordered map is in order");
                let (rank, entry) = sorted.find(log, ordered, false)?;
                return Ok(Found { entry, rank: Some(rank) });
            }
            Entries::Few(entries) => (&entries[..], None),
            Entries::Many(index) => (&[][..], Some(index)),
        };
        let few = few.iter().filter(|entry| entry.hash() == field.hash);
        let many = many.into_iter().flat_map(|index| index.candidates(field.hash));
        for entry in few.chain(many) {
            if log.row(*entry)?.body().starts_with(field.bytes) {
                return Ok(Found { entry: Some(*entry), rank: None });
            }
        }
        Ok(Found { entry: None, rank: None })
    }

    /// Puts `entry` in the place of what was found, or where it belongs.
    pub(crate) fn put(&mut self, found: Found, entry: Entry, field: &Field<'_>) {
        match (&mut self.entries, found.entry) {
            (Entries::Sorted(sorted), old) => {
                let rank = found.rank.expect("a field of an ordered map has a place");
                match old {
                    Some(_) => sorted.replace(rank, entry),
                    None => sorted.insert(rank, entry, field.ordered.unwrap_or_default()),
                }
            }
            (Entries::Few(entries), Some(old)) => {
                let place = entries.iter_mut().find(|entry| **entry == old);
                *place.expect("an entry that was found is there") = entry;
            }
            (Entries::Few(entries), None) if entries.len() < FEW_MAX => entries.push(entry),
            (Entries::Few(entries), None) => {
                let mut index = Box::new(Index::default());
                entries.drain(..).for_each(|entry| index.insert(entry));
                index.insert(entry);
                self.entries = Entries::Many(index);
            }
            (Entries::Many(index), Some(old)) => {
                let place = index.find_mut(old.hash(), |entry| *entry == old);
                *place.expect("an entry that was found is there") = entry;
            }
            (Entries::Many(index), None) => index.insert(entry),
        }
    }

    /// Drops what was found; returns whether another entry is left. The last one stays.
    pub(crate) fn take(&mut self, found: Found) -> bool {
        let Some(old) = found.entry else { return true };
        match &mut self.entries {
            Entries::Few(entries) if entries.len() > 1 => entries.retain(|entry| *entry != old),
            Entries::Many(index) if index.len() > 1 => {
                index.remove(old.hash(), |entry| *entry == old);
            }
            Entries::Sorted(sorted) if sorted.len() > 1 => {
                sorted.remove(found.rank.expect("a field of an ordered map has a place"));
            }
            _ => return false,
        }
        true
    }

    /// Drops all entries but that the key was there; shows those that go to `drop`.
    pub(crate) fn reset(&mut self, changed: u32, mut drop: impl FnMut(Entry)) {
        let lead = self.lead();
        self.iter().filter(|entry| *entry != lead).for_each(&mut drop);
        match &mut self.entries {
            Entries::Sorted(sorted) => sorted.retain(&|_| true, |entry| {
                let stays = *entry == lead;
                *entry = entry.removed(changed);
                stays
            }),
            Entries::Few(_) | Entries::Many(_) => {
                self.entries = Entries::Few(vec![lead.removed(changed)]);
            }
        }
        (self.reset, self.live) = (changed, 0);
    }

    /// Returns how many bytes of shared tables were copied since the last call.
    pub(crate) fn take_copied(&mut self) -> usize {
        match &mut self.entries {
            Entries::Few(_) => 0,
            Entries::Many(index) => index.take_copied(),
            Entries::Sorted(sorted) => sorted.take_copied(),
        }
    }

    /// Whether a delta on `base` says that all was dropped.
    const fn was_reset(&self, base: u32) -> bool {
        self.reset > base
    }

    fn write_list(&self, what: What, log: Log<'_>, out: &mut RowWriter<'_>) -> Saved {
        let mut rank = 0;
        let anew = matches!(what, What::Since(base) if self.was_reset(base));
        if anew {
            let row = log.row(self.lead()).map_err(failed)?;
            out.removed(&Raw(log.key(&row).map_err(failed)?))?;
        }
        for entry in self.chunks() {
            if !what.takes(*entry) && !anew {
                continue;
            }
            let row = log.row(*entry).map_err(failed)?;
            let key = Raw(log.key(&row).map_err(failed)?);
            if !entry.is_removed() {
                let items = log.live_items(&row, entry.count()).map_err(failed)?;
                out.items(&key, rank, items.iter())?;
                rank += items.len() as u64;
            } else if what == What::Tail {
                out.removed(&key)?;
            }
        }
        Ok(())
    }

    fn write_map(&self, what: What, log: Log<'_>, out: &mut RowWriter<'_>) -> Saved {
        let anew = matches!(what, What::Since(base) if self.was_reset(base));
        if anew {
            let row = log.row(self.lead()).map_err(failed)?;
            out.cleared(&Raw(log.key(&row).map_err(failed)?))?;
        }
        self.iter()
            .filter(|entry| what.takes(*entry) && !(anew && entry.is_removed()))
            .try_for_each(|entry| log.write_pair(entry, what, out))
    }
}

/// A field of a map, as it is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'f> {
    /// As encoded in a row.
    pub(crate) bytes: &'f [u8],
    pub(crate) hash: u32,
    /// Encoded in order, if the map is ordered.
    pub(crate) ordered: Option<&'f [u8]>,
}

/// What was found of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) entry: Option<Entry>,
    /// Where it is in an ordered map, or would be.
    rank: Option<Rank>,
}

impl Hashed for Node {
    fn hash(&self) -> u32 {
        self.hash
    }
}

impl Slot for Node {
    const LIES_ALONE: bool = false;

    fn owned(&self) -> usize {
        match &self.entries {
            Entries::Few(entries) => entries.capacity() * size_of::<Entry>(),
            Entries::Many(index) => size_of::<Index<Entry>>() + index.bytes(),
            Entries::Sorted(sorted) => size_of::<Sorted>() + sorted.bytes(),
        }
    }

    fn each(&self, show: &mut dyn FnMut(Entry)) {
        self.iter().for_each(show);
    }

    fn splice(
        &mut self,
        concerns: &dyn Fn(Entry) -> bool,
        change: &mut dyn FnMut(Entry, &mut Vec<Entry>),
    ) {
        let mut made = Vec::new();
        let mut replace = |entry: &mut Entry| {
            *entry = replace(*entry, &mut made, change);
            true
        };
        match &mut self.entries {
            Entries::Many(index) => {
                for number in 0..index.tables() {
                    if index.table(number).any(|entry| concerns(*entry)) {
                        index.retain(number, |entry| !concerns(*entry) || replace(entry));
                    }
                }
            }
            Entries::Sorted(sorted) => sorted.retain(concerns, replace),
            Entries::Few(entries) if entries.iter().any(|entry| concerns(*entry)) => {
                let mut made = Vec::with_capacity(entries.len());
                for entry in entries.iter() {
                    if concerns(*entry) { change(*entry, &mut made) } else { made.push(*entry) }
                }
                *entries = made;
            }
            Entries::Few(_) => {}
        }
    }

    fn settle(&mut self, oldest: u32, drop: &mut dyn FnMut(Entry)) -> bool {
        let goes = |entry: Entry| entry.is_removed() && entry.changed() < oldest;
        let (all, gone) = self
            .iter()
            .fold((0, 0), |(all, gone), entry| (all + 1, gone + usize::from(goes(entry))));
        if all == gone && self.reset < oldest {
            self.iter().for_each(drop);
            return false;
        }
        // The last one stays, so that the key can be read.
        let mut left = if all == gone { gone - 1 } else { gone };
        let mut stays = |entry: &mut Entry| {
            let drops = left > 0;
            if drops {
                left -= 1;
                drop(*entry);
            }
            !drops
        };
        match &mut self.entries {
            Entries::Few(entries) => entries.retain_mut(|entry| !goes(*entry) || stays(entry)),
            Entries::Many(index) => {
                for number in 0..index.tables() {
                    index.retain(number, |entry| !goes(*entry) || stays(entry));
                }
            }
            Entries::Sorted(sorted) => sorted.retain(&goes, stays),
        }
        true
    }

    fn is_gone(&self) -> bool {
        self.live == 0
    }

    fn lead(&self) -> Entry {
        self.iter().next().expect("a node has an entry")
    }

    fn may_expire(&self, _: Log<'_>, _: &mut Look<'_>) -> Result<bool, MmapError> {
        Ok(!self.is_gone())
    }

    fn expire(
        table: &mut Table<Self>,
        group: KeyGroup,
        key: &[u8],
        from: usize,
        look: &mut Look<'_>,
    ) -> Result<Option<usize>, MmapError> {
        expire::node(table, group, key, from, look)
    }

    fn gather(
        slot: &mut Option<Self>,
        log: Log<'_>,
        row: ColdRow,
        bytes: &[u8],
    ) -> Result<(), MmapError> {
        gather(slot, log, row, bytes)
    }

    fn has_expired(&self, log: Log<'_>, look: &mut Look<'_>) -> Result<bool, MmapError> {
        let mut found = false;
        for entry in self.iter() {
            let row = log.row(entry)?;
            match log.layout.kind() {
                Kind::List => {
                    for item in log.items(&row, entry.count())? {
                        found |= !look.finds_live(log, item.0)?;
                    }
                }
                _ => found |= !look.finds_live(log, log.value(&row)?)?,
            }
        }
        Ok(found)
    }

    fn has_live(&self, log: Log<'_>) -> Result<bool, MmapError> {
        for entry in self.iter().filter(|entry| !entry.is_removed()) {
            let row = log.row(entry)?;
            let lives = match log.layout.kind() {
                Kind::List => !log.live_items(&row, entry.count())?.is_empty(),
                _ => log.is_live(log.value(&row)?)?,
            };
            if lives {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn write(&self, what: What, log: Log<'_>, out: &mut RowWriter<'_>) -> Saved {
        match log.layout.kind() {
            Kind::List => self.write_list(what, log, out),
            _ => self.write_map(what, log, out),
        }
    }
}

/// How many fields of a key are looked through one after the other; more are found by hash.
const FEW_MAX: usize = 24;
