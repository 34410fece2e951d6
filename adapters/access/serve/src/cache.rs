//! The rows of key groups that were read lately, as they are encoded, up to so many bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdwater_processor::encoded::{EncodedRow, EncodedRows};
use holdwater_processor::failure::Failure;

/// What a group holds: the parts it is put together from, by the hash of their file and the place
/// in it, and the time at which rows were looked at that may expire.
///
/// It names the content, so that checkpoints which share parts share what is kept of them.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Content {
    pub(crate) parts: Vec<(u128, u64)>,
    pub(crate) moment: Option<i64>,
}

/// Groups that were read, those not asked for the longest given up first.
#[derive(Debug)]
pub(crate) struct Cache {
    bytes_max: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    slots: HashMap<Content, Arc<Slot>>,
    /// What is read, by when it was asked for last.
    order: BTreeMap<u64, Content>,
    asked: u64,
    usage: Usage,
}

/// A group: who asks for it while another reads it waits for that one.
#[derive(Debug, Default)]
struct Slot {
    rows: Mutex<Option<Arc<EncodedRows>>>,
    /// Its size and its place in the order, once it is read.
    kept: Mutex<Option<(u64, u64)>>,
}

/// How much is kept of groups, and how often that was of use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// The bytes that are kept.
    pub bytes: u64,
    /// How often a group was there.
    pub hits: u64,
    /// How often one was read.
    pub misses: u64,
}

impl Cache {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    pub(crate) fn usage(&self) -> Usage {
        hold(&self.kept).usage
    }

    /// Returns what a group holds, which `read` reads if it is not kept.
    pub(crate) fn get(
        &self,
        content: Content,
        read: impl FnOnce() -> Result<EncodedRows, Failure>,
    ) -> Result<Arc<EncodedRows>, Failure> {
        let slot = Arc::clone(hold(&self.kept).slots.entry(content.clone()).or_default());
        let mut rows = hold(&slot.rows);
        if let Some(rows) = &*rows {
            hold(&self.kept).touch(&slot, content);
            return Ok(Arc::clone(rows));
        }
        match read() {
            Ok(found) => {
                let bytes = size_of(&found);
                let found = Arc::new(found);
                *rows = Some(Arc::clone(&found));
                hold(&self.kept).keep(&slot, content, bytes, self.bytes_max);
                Ok(found)
            }
            Err(failure) => {
                hold(&self.kept).slots.remove(&content);
                Err(failure)
            }
        }
    }
}

impl Kept {
    /// Takes note that a group was asked for, unless it was given up meanwhile.
    fn touch(&mut self, slot: &Slot, content: Content) {
        self.usage.hits += 1;
        if let Some((_, place)) = &mut *hold(&slot.kept)
            && self.order.remove(place).is_some()
        {
            self.asked += 1;
            *place = self.asked;
            self.order.insert(self.asked, content);
        }
    }

    fn keep(&mut self, slot: &Arc<Slot>, content: Content, bytes: u64, bytes_max: u64) {
        self.usage.misses += 1;
        // A slot whose reader failed was taken out, and another may have come since.
        let other = self.slots.get(&content).filter(|other| !Arc::ptr_eq(other, slot));
        if other.is_some_and(|other| hold(&other.kept).is_some()) {
            return;
        }
        self.asked += 1;
        self.usage.bytes += bytes;
        *hold(&slot.kept) = Some((bytes, self.asked));
        self.slots.insert(content.clone(), Arc::clone(slot));
        self.order.insert(self.asked, content);
        while self.usage.bytes > bytes_max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            let slot = self.slots.remove(&oldest);
            let bytes = slot.and_then(|slot| hold(&slot.kept).take()).map_or(0, |(bytes, _)| bytes);
            self.usage.bytes -= bytes;
        }
    }
}

/// Returns about how much memory rows take.
fn size_of(rows: &EncodedRows) -> u64 {
    let held = |row: &EncodedRow| match row {
        EncodedRow::Value(bytes) => bytes.len() + PIECE_BYTES,
        EncodedRow::Items(items) => items.iter().map(|item| item.len() + PIECE_BYTES).sum(),
        EncodedRow::Fields(fields) => {
            fields.iter().map(|(field, held)| field.len() + held.len() + 2 * PIECE_BYTES).sum()
        }
    };
    let rows = rows.iter().map(|(key, row)| key.len() + held(row) + 2 * PIECE_BYTES);
    rows.sum::<usize>() as u64 + PIECE_BYTES as u64
}

/// Locks what holds at any time: a reader that panicked has left it whole.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a piece takes beside its bytes: its vector, what the allocator adds, its share of a node.
const PIECE_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn content(number: u64) -> Content {
        Content { parts: vec![(1, number)], moment: None }
    }

    fn rows(bytes: usize) -> EncodedRows {
        EncodedRows::from([(vec![0; bytes], EncodedRow::Value(Vec::new()))])
    }

    #[test]
    fn a_group_is_read_once_and_those_not_asked_for_the_longest_are_given_up() {
        let one = size_of(&rows(1000));
        let cache = Cache::new(2 * one);
        let ask = |number| {
            let mut was_read = false;
            let read = || {
                was_read = true;
                Ok(rows(1000))
            };
            cache.get(content(number), read).unwrap();
            was_read
        };
        assert!(ask(1) && ask(2) && !ask(1));
        assert!(ask(3), "2 is given up for it");
        assert!(!ask(1) && ask(2) && !ask(1) && ask(3));
        assert_eq!(cache.usage(), Usage { bytes: 2 * one, hits: 3, misses: 5 });
    }

    #[test]
    fn what_is_larger_than_all_that_may_be_kept_is_read_each_time() {
        let cache = Cache::new(100);
        for _ in 0..2 {
            assert_eq!(*cache.get(content(1), || Ok(rows(1000))).unwrap(), rows(1000));
            assert_eq!(cache.usage().bytes, 0);
        }
        assert_eq!(cache.usage().misses, 2);
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        let cache = Cache::new(1000);
        let fail = || Err(Failure::Data("no".to_owned()));
        assert!(cache.get(content(1), fail).is_err());
        assert!(cache.get(content(1), || Ok(rows(1))).is_ok());
        assert!(cache.get(content(1), || panic!("it is kept")).is_ok());
    }
}
