//! The hash index of one key group: small tables, shared with what was frozen until written to.
//!
//! It grows by linear hashing (W. Litwin, VLDB 1980): when the tables are full on average, the next
//! one in turn is split in two by one more bit of the hash. So each insertion moves at most one
//! table, and there is no directory.

use std::sync::Arc;

use hashbrown::HashTable;

/// Something with a hash of 24 bits.
pub(crate) trait Hashed: Clone {
    fn hash(&self) -> u32;
}

/// Entries by hash.
#[derive(Clone, Debug)]
pub(crate) struct Index<E> {
    tables: Arc<Vec<Arc<HashTable<E>>>>,
    len: usize,
    /// What the tables take.
    bytes: usize,
    /// What was copied since it was asked for: the originals are held by what was frozen.
    copied: usize,
}

impl<E> Default for Index<E> {
    fn default() -> Self {
        Self { tables: Arc::default(), len: 0, bytes: 0, copied: 0 }
    }
}

impl<E: Hashed> Index<E> {
    /// Returns how many entries there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns how many bytes the tables take.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many bytes of shared tables were copied since the last call.
    pub(crate) fn take_copied(&mut self) -> usize {
        std::mem::take(&mut self.copied)
    }

    /// Returns how many bytes of the tables what was frozen shares.
    pub(crate) fn shared(&self) -> usize {
        let shared = self.tables.iter().filter(|table| Arc::strong_count(table) > 1);
        shared.map(|table| table.allocation_size()).sum()
    }

    /// Returns how many tables there are, to be walked one at a time: an entry moves to a table
    /// behind its own, or stays.
    pub(crate) fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Returns the entries of a table.
    pub(crate) fn table(&self, number: usize) -> impl Iterator<Item = &E> {
        self.tables.get(number).into_iter().flat_map(|table| table.iter())
    }

    /// Returns all entries, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        self.tables.iter().flat_map(|table| table.iter())
    }

    /// Returns the entries with that hash.
    pub(crate) fn candidates(&self, hash: u32) -> impl Iterator<Item = &E> {
        let table = (!self.tables.is_empty()).then(|| &self.tables[self.number(hash)]);
        let found = table.into_iter().flat_map(move |table| table.iter_hash(spread(hash)));
        found.filter(move |entry| entry.hash() == hash)
    }

    /// Adds an entry.
    pub(crate) fn insert(&mut self, entry: E) {
        if self.tables.is_empty() {
            Arc::make_mut(&mut self.tables).push(Arc::new(HashTable::new()));
        } else if self.len >= self.tables.len() * TABLE_ENTRIES && self.tables.len() < TABLES_MAX {
            self.split();
        }
        let number = self.number(entry.hash());
        let table = self.own(number);
        let before = table.allocation_size();
        table.insert_unique(spread(entry.hash()), entry, |entry| spread(entry.hash()));
        let after = table.allocation_size();
        self.bytes = self.bytes + after - before;
        self.len += 1;
    }

    /// Returns the entry with that hash that `is` picks, to be changed; its hash must stay.
    pub(crate) fn find_mut(&mut self, hash: u32, is: impl Fn(&E) -> bool) -> Option<&mut E> {
        // Looked up first: a table that is shared is not copied for nothing.
        self.candidates(hash).find(|entry| is(entry))?;
        let number = self.number(hash);
        let is = |entry: &E| entry.hash() == hash && is(entry);
        self.own(number).find_mut(spread(hash), is)
    }

    /// Changes each entry with that hash; the hash must stay.
    pub(crate) fn each_mut(&mut self, hash: u32, mut change: impl FnMut(&mut E)) {
        if self.candidates(hash).next().is_some() {
            let number = self.number(hash);
            let found = self.own(number).iter_hash_mut(spread(hash));
            found.filter(|entry| entry.hash() == hash).for_each(&mut change);
        }
    }

    /// Takes out the entry with that hash that `is` picks.
    pub(crate) fn remove(&mut self, hash: u32, is: impl Fn(&E) -> bool) -> Option<E> {
        self.candidates(hash).find(|entry| is(entry))?;
        let number = self.number(hash);
        let is = |entry: &E| entry.hash() == hash && is(entry);
        let found = self.own(number).find_entry(spread(hash), is).ok()?.remove().0;
        self.len -= 1;
        Some(found)
    }

    /// Changes each entry of a table, and takes out those for which `stays` is false; hashes must
    /// stay.
    pub(crate) fn retain(&mut self, number: usize, stays: impl FnMut(&mut E) -> bool) {
        if number < self.tables.len() {
            let table = self.own(number);
            let before = table.len();
            table.retain(stays);
            let gone = before - table.len();
            self.len -= gone;
        }
    }

    /// Returns a table that nobody shares.
    fn own(&mut self, number: usize) -> &mut HashTable<E> {
        let table = &mut Arc::make_mut(&mut self.tables)[number];
        if Arc::get_mut(table).is_none() {
            self.copied += table.allocation_size();
        }
        Arc::make_mut(table)
    }

    /// Returns the number of the table that holds entries with that hash.
    fn number(&self, hash: u32) -> usize {
        let mask = self.tables.len().next_power_of_two() - 1;
        let number = hash as usize & mask;
        if number < self.tables.len() { number } else { number & (mask >> 1) }
    }

    /// Splits the table whose turn it is: those with one more bit of the hash go to a new one.
    fn split(&mut self) {
        let new = self.tables.len();
        let half = (new + 1).next_power_of_two() / 2;
        let (source, mask) = (new - half, 2 * half - 1);
        let table = &self.tables[source];
        let goes = |entry: &&E| entry.hash() as usize & mask == new;
        let count = table.iter().filter(goes).count();
        let mut tables = [table.len() - count, count].map(HashTable::with_capacity);
        for entry in table.iter() {
            let side = usize::from(goes(&entry));
            tables[side].insert_unique(spread(entry.hash()), entry.clone(), |entry: &E| {
                spread(entry.hash())
            });
        }
        let before = table.allocation_size();
        if Arc::strong_count(table) > 1 {
            self.copied += before;
        }
        let [stays, goes] = tables;
        self.bytes = self.bytes + stays.allocation_size() + goes.allocation_size() - before;
        let tables = Arc::make_mut(&mut self.tables);
        tables[source] = Arc::new(stays);
        tables.push(Arc::new(goes));
    }
}

/// Spreads 24 bits over 64: the table takes its slot from the low ones and its tag from the high.
fn spread(hash: u32) -> u64 {
    let product = u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

/// How many entries a table has on average before the next one is split: 2 to 4 KiB of them.
const TABLE_ENTRIES: usize = 160;

/// How many tables there are at most: beyond, they grow.
const TABLES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A hash, and a number that tells entries of one hash apart.
    type Numbered = (u32, u32);

    impl Hashed for Numbered {
        fn hash(&self) -> u32 {
            self.0
        }
    }

    fn all(index: &Index<Numbered>) -> BTreeSet<Numbered> {
        let found: BTreeSet<_> = index.iter().copied().collect();
        assert_eq!(found.len(), index.len());
        found
    }

    proptest! {
        #[test]
        fn an_index_holds_what_a_set_holds_and_copies_stay_as_they_were(
            steps in vec((0..4000u32, 0..3u32, prop::bool::weighted(0.2)), 0..3000),
            copy_at in 0..3000usize,
        ) {
            let (mut index, mut truth) = (Index::default(), BTreeSet::new());
            let mut copy = None;
            for (at, (hash, number, removes)) in steps.into_iter().enumerate() {
                // Hashes that differ in high bits alone are in one table for long.
                let hash = (hash << 12) & 0xff_ffff | hash >> 12;
                if at == copy_at {
                    copy = Some((index.clone(), truth.clone()));
                }
                let is = |entry: &Numbered| entry.1 == number;
                if removes {
                    let removed = index.remove(hash, is);
                    prop_assert_eq!(removed.is_some(), truth.remove(&(hash, number)));
                } else if truth.insert((hash, number)) {
                    index.insert((hash, number));
                }
                let found = index.candidates(hash).any(|entry| entry.1 == number);
                prop_assert_eq!(found, truth.contains(&(hash, number)));
            }
            prop_assert_eq!(all(&index), truth);
            if let Some((index, truth)) = copy {
                prop_assert_eq!(all(&index), truth);
            }
        }
    }

    #[test]
    fn tables_stay_small_and_their_bytes_are_known() {
        let mut index = Index::default();
        for number in 0..100_000u32 {
            index.insert((number.wrapping_mul(0x9e37_79b9) >> 8, number));
        }
        let tables = index.tables();
        assert!((0..tables).all(|table| index.table(table).count() < 4 * TABLE_ENTRIES));
        let bytes: usize = index.tables.iter().map(|table| table.allocation_size()).sum();
        assert_eq!(index.bytes(), bytes);
        assert!(bytes / 100_000 < 24, "{bytes}");
    }
}
