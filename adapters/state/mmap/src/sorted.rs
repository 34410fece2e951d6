//! The entries of an ordered map: in the order of their fields, with the first bytes of each.
//!
//! The eight bytes that a field begins with, encoded in order, tell most fields apart; only those
//! that begin alike are read.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::entry::Entry;
use crate::error::MmapError;
use crate::log::Log;

/// Entries in the order of their fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted {
    /// None is empty. What was frozen shares blocks; one that is written to is copied.
    blocks: Vec<Arc<Vec<Ranked>>>,
    len: usize,
    copied: usize,
}

/// An entry, and the first bytes of its field.
#[derive(Clone, Copy, Debug)]
struct Ranked {
    begin: u64,
    entry: Entry,
}

/// A place among the entries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rank {
    block: usize,
    at: usize,
}

impl Sorted {
    /// Begins with the entry of one field, encoded in order.
    pub(crate) fn new(entry: Entry, field: &[u8]) -> Self {
        let block = Arc::new(vec![Ranked { begin: begin(field), entry }]);
        Self { blocks: vec![block], len: 1, copied: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().map(|block| block.capacity() * size_of::<Ranked>());
        self.blocks.capacity() * 8 + blocks.map(|bytes| bytes + 40).sum::<usize>()
    }

    pub(crate) fn take_copied(&mut self) -> usize {
        std::mem::take(&mut self.copied)
    }

    /// Returns the entries in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Entry> {
        self.blocks.iter().flat_map(|block| block.iter()).map(|ranked| ranked.entry)
    }

    /// Returns the entries from `from` on.
    pub(crate) fn from(&self, from: Rank) -> impl Iterator<Item = Entry> {
        let blocks = self.blocks.iter().enumerate().skip(from.block);
        let slices = blocks.map(move |(number, block)| match number == from.block {
            true => &block[from.at..],
            false => &block[..],
        });
        slices.flatten().map(|ranked| ranked.entry)
    }

    /// Returns the place behind all entries.
    pub(crate) fn end(&self) -> Rank {
        let last = self.blocks.len().saturating_sub(1);
        Rank { block: last, at: self.blocks.last().map_or(0, |block| block.len()) }
    }

    /// Returns the entries in front of `to`, from the last on.
    pub(crate) fn back_from(&self, to: Rank) -> impl Iterator<Item = Entry> {
        let blocks = self.blocks.iter().enumerate().take(to.block + 1).rev();
        let slices = blocks.map(move |(number, block)| match number == to.block {
            true => &block[..to.at],
            false => &block[..],
        });
        slices.flat_map(|slice| slice.iter().rev()).map(|ranked| ranked.entry)
    }

    /// Returns where the first entry is whose field is not before `field`, encoded in order, or the
    /// first behind it if `behind`; and the entry of `field`, if there is one.
    pub(crate) fn find(
        &self,
        log: Log<'_>,
        field: &[u8],
        behind: bool,
    ) -> Result<(Rank, Option<Entry>), MmapError> {
        let begin = begin(field);
        let mut found = None;
        let mut compare = |ranked: &Ranked| -> Result<Ordering, MmapError> {
            let order = match ranked.begin.cmp(&begin) {
                // No encoding begins with another: what begins like a short one is the same.
                Ordering::Equal if field.len() > BEGIN_LEN => {
                    let row = log.row(ranked.entry)?;
                    log.layout.ordered(row.body())?.as_deref().cmp(&Some(field))
                }
                order => order,
            };
            found = Some(ranked.entry).filter(|_| order.is_eq()).or(found);
            Ok(order)
        };
        let block = partition(&self.blocks, |block| Ok(compare(&block[0])?.is_le()))?;
        let block = block.saturating_sub(1);
        let at = match self.blocks.get(block) {
            None => 0,
            Some(ranked) => partition(ranked, |ranked| {
                let order = compare(ranked)?;
                Ok(order.is_lt() || order.is_eq() && behind)
            })?,
        };
        Ok((Rank { block, at }, found))
    }

    /// Inserts an entry where `find` said.
    pub(crate) fn insert(&mut self, rank: Rank, entry: Entry, field: &[u8]) {
        self.len += 1;
        let block = self.own(rank.block);
        block.insert(rank.at, Ranked { begin: begin(field), entry });
        if block.len() > BLOCK_MAX {
            let behind = block.split_off(BLOCK_MAX / 2);
            block.shrink_to_fit();
            self.blocks.insert(rank.block + 1, Arc::new(behind));
        }
    }

    /// Replaces an entry by another of the same field.
    pub(crate) fn replace(&mut self, rank: Rank, entry: Entry) {
        self.own(rank.block)[rank.at].entry = entry;
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, rank: Rank) {
        self.len -= 1;
        let block = self.own(rank.block);
        block.remove(rank.at);
        if block.is_empty() {
            self.blocks.remove(rank.block);
        }
    }

    /// Changes the entries that `concerns` picks, and takes out those for which `stays` is false.
    pub(crate) fn retain(
        &mut self,
        concerns: &dyn Fn(Entry) -> bool,
        mut stays: impl FnMut(&mut Entry) -> bool,
    ) {
        for number in 0..self.blocks.len() {
            if self.blocks[number].iter().any(|ranked| concerns(ranked.entry)) {
                let block = self.own(number);
                block.retain_mut(|ranked| !concerns(ranked.entry) || stays(&mut ranked.entry));
            }
        }
        self.blocks.retain(|block| !block.is_empty());
        self.len = self.blocks.iter().map(|block| block.len()).sum();
    }

    fn own(&mut self, number: usize) -> &mut Vec<Ranked> {
        let block = &mut self.blocks[number];
        if Arc::get_mut(block).is_none() {
            self.copied += block.capacity() * size_of::<Ranked>();
        }
        Arc::make_mut(block)
    }
}

/// Returns how many of `items` come before the first of which `is_before` does not hold.
fn partition<T>(
    items: &[T],
    mut is_before: impl FnMut(&T) -> Result<bool, MmapError>,
) -> Result<usize, MmapError> {
    let (mut from, mut to) = (0, items.len());
    while from < to {
        let middle = from.midpoint(to);
        if is_before(&items[middle])? { from = middle + 1 } else { to = middle }
    }
    Ok(from)
}

/// Returns the first bytes of a field as a number in their order.
fn begin(field: &[u8]) -> u64 {
    let mut bytes = [0; BEGIN_LEN];
    let length = field.len().min(BEGIN_LEN);
    bytes[..length].copy_from_slice(&field[..length]);
    u64::from_be_bytes(bytes)
}

/// How many bytes of a field are in memory.
const BEGIN_LEN: usize = 8;

/// How many entries a block has at most: 6 KiB of them.
const BLOCK_MAX: usize = 256;
