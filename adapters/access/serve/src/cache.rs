//! The rows of key groups that were read lately, as they are encoded, up to so many bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdwater::state::Cutoff;
use holdwater_processor::encoded::{EncodedRow, EncodedRows};
use holdwater_processor::failure::Failure;

/// What a group holds: the parts it is put together from, by the hash of their file and the place
/// in it, and what of them had expired.
///
/// It names the content, so that checkpoints which share parts share what is kept of them.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Content {
    pub(crate) parts: Vec<(u128, u64)>,
    pub(crate) cutoff: Option<Cutoff>,
    /// Its parts may be read on top of what those before them come to.
    pub(crate) grows: bool,
}

impl Content {
    /// Returns whether this is what `other` becomes by further parts, and by time.
    fn extends(&self, other: &Self) -> bool {
        self.grows
            && self.parts.starts_with(&other.parts)
            && self.cutoff.is_some() == other.cutoff.is_some()
            && self.cutoff >= other.cutoff
    }
}

/// Groups that were read, those not asked for the longest given up first.
#[derive(Debug)]
pub(crate) struct Cache {
    bytes_max: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// In an order in which a chain stands behind those that it begins with.
    slots: BTreeMap<Content, Arc<Slot>>,
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
    /// How often one was read, or what was added to it.
    pub misses: u64,
    /// How many parts were read for that.
    pub parts: u64,
}

impl Cache {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    pub(crate) fn usage(&self) -> Usage {
        hold(&self.kept).usage
    }

    /// Returns what a group holds. If it is not kept, `read` reads it: on top of the rows that its
    /// first parts come to, where those are kept, which takes them.
    pub(crate) fn get(
        &self,
        content: Content,
        read: impl FnOnce(usize, EncodedRows) -> Result<EncodedRows, Failure>,
    ) -> Result<Arc<EncodedRows>, Failure> {
        let slot = Arc::clone(hold(&self.kept).slots.entry(content.clone()).or_default());
        let mut rows = hold(&slot.rows);
        if let Some(rows) = &*rows {
            hold(&self.kept).touch(&slot, content);
            return Ok(Arc::clone(rows));
        }
        let (known, before) = self.before(&content).unwrap_or_default();
        let parts = (content.parts.len() - known) as u64;
        match read(known, Arc::unwrap_or_clone(before)) {
            Ok(found) => {
                hold(&self.kept).usage.parts += parts;
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

    /// Returns what a group holds, if it is kept and nobody reads it just now.
    pub(crate) fn at_hand(&self, content: Content) -> Option<Arc<EncodedRows>> {
        let slot = hold(&self.kept).slots.get(&content).map(Arc::clone)?;
        let rows = slot.rows.try_lock().ok()?.clone()?;
        hold(&self.kept).touch(&slot, content);
        Some(rows)
    }

    /// Takes out what is kept of the most parts that `content` begins with; says how many.
    fn before(&self, content: &Content) -> Option<(usize, Arc<EncodedRows>)> {
        let mut kept = hold(&self.kept);
        let before = kept.before(content)?;
        let slot = kept.give_up(&before)?;
        drop(kept);
        // Who waits for it finds it there. It begins with less, so that nobody waits in a circle.
        let rows = hold(&slot.rows).clone();
        rows.map(|rows| (before.parts.len(), rows))
    }
}

impl Kept {
    fn before(&self, content: &Content) -> Option<Content> {
        let first = Content { parts: content.parts.get(..1)?.to_vec(), ..Content::default() };
        let mut before = self.slots.range(&first..content).rev();
        let is_read = |slot: &Slot| hold(&slot.kept).is_some();
        let found = before.find(|(other, slot)| content.extends(other) && is_read(slot));
        found.map(|(found, _)| found.clone())
    }

    /// Keeps a group no longer.
    fn give_up(&mut self, content: &Content) -> Option<Arc<Slot>> {
        let slot = self.slots.remove(content)?;
        if let Some((bytes, place)) = hold(&slot.kept).take() {
            self.order.remove(&place);
            self.usage.bytes -= bytes;
        }
        Some(slot)
    }

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
            && let Some((_, oldest)) = self.order.first_key_value()
        {
            let oldest = oldest.clone();
            self.give_up(&oldest);
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
        Content { parts: vec![(1, number)], ..Content::default() }
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
            let read = |_, _| {
                was_read = true;
                Ok(rows(1000))
            };
            cache.get(content(number), read).unwrap();
            was_read
        };
        assert!(ask(1) && ask(2) && !ask(1));
        assert!(ask(3), "2 is given up for it");
        assert!(cache.at_hand(content(2)).is_none(), "and is not read again unasked");
        assert!(!ask(1) && ask(2) && !ask(1) && ask(3));
        assert_eq!(cache.usage(), Usage { bytes: 2 * one, hits: 3, misses: 5, parts: 5 });
    }

    #[test]
    fn what_is_larger_than_all_that_may_be_kept_is_read_each_time() {
        let cache = Cache::new(100);
        for _ in 0..2 {
            assert_eq!(*cache.get(content(1), |_, _| Ok(rows(1000))).unwrap(), rows(1000));
            assert_eq!(cache.usage().bytes, 0);
        }
        assert_eq!(cache.usage().misses, 2);
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        let cache = Cache::new(1000);
        let fail = |_, _| Err(Failure::Data("no".to_owned()));
        assert!(cache.get(content(1), fail).is_err());
        assert!(cache.get(content(1), |_, _| Ok(rows(1))).is_ok());
        assert!(cache.get(content(1), |_, _| panic!("it is kept")).is_ok());
    }

    #[test]
    fn a_chain_is_read_on_top_of_what_is_kept_of_its_beginning() {
        let cache = Cache::new(1 << 20);
        let cutoff = |now| {
            let domain = holdwater::state::TimeDomain::Event;
            holdwater::state::Expiry { domain, duration_ms: 1 }.cutoff(now)
        };
        let ask = |parts: &[u64], now: Option<i64>, grows: bool| {
            let parts = parts.iter().map(|part| (1, *part)).collect();
            let content = Content { parts, cutoff: now.map(cutoff), grows };
            let mut on_top_of = None;
            let read = |known, mut before: EncodedRows| {
                on_top_of = Some((known, before.len()));
                before.insert(vec![before.len() as u8], EncodedRow::Value(vec![0; 100]));
                Ok(before)
            };
            let rows = cache.get(content, read).unwrap();
            (on_top_of, rows.len())
        };
        assert_eq!(ask(&[1], None, true), (Some((0, 0)), 1));
        assert_eq!(ask(&[1, 2, 3], None, true), (Some((1, 1)), 2));
        assert_eq!(ask(&[1, 2, 3], None, true), (None, 2));
        assert_eq!(ask(&[1, 2, 4], None, true), (Some((0, 0)), 1), "another third part");
        assert_eq!(ask(&[1, 2, 3, 5], None, false), (Some((0, 0)), 1), "it may not");
        assert_eq!(ask(&[1, 2, 3, 6], None, true), (Some((3, 2)), 3));
        assert_eq!(ask(&[1, 2, 3], None, true), (Some((0, 0)), 1), "it became the one before");
        // What expires is not there again at an earlier moment.
        assert_eq!(ask(&[9], Some(10), true), (Some((0, 0)), 1));
        assert_eq!(ask(&[9, 1], Some(9), true), (Some((0, 0)), 1));
        assert_eq!(ask(&[9], Some(11), true), (Some((1, 1)), 2));
        assert_eq!(ask(&[9, 2], None, true), (Some((0, 0)), 1));
        let bytes = cache.usage().bytes;
        assert_eq!(
            bytes,
            hold(&cache.kept)
                .slots
                .values()
                .map(|slot| { hold(&slot.kept).map_or(0, |(bytes, _)| bytes) })
                .sum::<u64>()
        );
    }

    #[test]
    fn who_reads_an_older_chain_does_not_see_what_is_added() {
        let cache = Cache::new(1 << 20);
        let content = |parts: &[u64]| Content {
            parts: parts.iter().map(|part| (1, *part)).collect(),
            grows: true,
            ..Content::default()
        };
        let older = cache.get(content(&[1]), |_, _| Ok(rows(10))).unwrap();
        let newer = cache.get(content(&[1, 2]), |_, mut before| {
            before.insert(vec![9], EncodedRow::Value(Vec::new()));
            Ok(before)
        });
        assert_eq!((older.len(), newer.unwrap().len()), (1, 2));
    }
}
