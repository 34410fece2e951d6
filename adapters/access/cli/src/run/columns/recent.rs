//! The keys that rows came of lately: their values lie beside the states, in one row for all SPECs.
//!
//! A state is found by its key once for each SPEC; here one look finds all of them. A value is
//! taken from its state when its key comes, and is written back before a checkpoint, before results
//! are shown, and when there is no room for more keys. So each row meets what it would meet in the
//! state.

use std::cell::Cell;
use std::hint::black_box;

use hashbrown::HashTable;
use holdwater::key::{At, Key};

use crate::accumulators::{Extreme, Latest, Mean, Sum};
use crate::cell::OwnedCell;
use crate::fields::Fields;

/// The keys whose values lie beside the states, each with a number.
pub(in crate::run) struct Recent {
    keys_max: usize,
    /// Numbers, by the digests of their keys.
    numbers: HashTable<u32>,
    keys: Vec<Fields>,
    /// The numbers of the keys of a batch, by place.
    found: Vec<u32>,
    /// At which places of the batch the keys stand that are new.
    fresh: Vec<usize>,
    /// About how many bytes of text the values hold.
    text: Cell<usize>,
    /// How many rows have found their keys here, or brought them.
    rows: usize,
    /// How many rows are yet to go to the states: their keys came too seldom.
    passing: usize,
}

/// Where the values of a batch lie.
#[derive(Clone, Copy)]
pub(in crate::run) struct Numbers<'a> {
    /// The number of the key at each place.
    pub(super) found: &'a [u32],
    /// The places of the keys that are new, in the order of their numbers.
    pub(super) fresh: &'a [usize],
    /// Counts the bytes of text that come from the states.
    pub(super) text: &'a Cell<usize>,
}

/// What lies beside a state.
pub(in crate::run) trait Held: Clone {
    /// Returns how many bytes of text it owns.
    fn text_bytes(&self) -> usize {
        0
    }

    /// Looks at it, so that it comes near the processor.
    fn is_empty(&self) -> bool {
        false
    }
}

impl Recent {
    /// Has room for so many keys.
    pub(in crate::run) fn new(keys_max: usize) -> Self {
        Self {
            keys_max,
            numbers: HashTable::new(),
            keys: Vec::new(),
            found: Vec::new(),
            fresh: Vec::new(),
            text: Cell::new(0),
            rows: 0,
            passing: 0,
        }
    }

    /// Returns how many keys there are.
    #[cfg(test)]
    pub(in crate::run) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether there is room for the keys of so many rows.
    pub(in crate::run) fn has_room(&self, rows: usize) -> bool {
        self.keys.len() + rows <= self.keys_max && self.text.get() < TEXT_BYTES_MAX
    }

    /// Numbers the keys of a batch with so many bytes of text in its cells, or returns `None` if
    /// its rows are to go to the states.
    pub(in crate::run) fn find(
        &mut self,
        places: &[At<'_, Fields>],
        text: usize,
    ) -> Option<Numbers<'_>> {
        if self.passing > 0 || !self.has_room(places.len()) {
            self.passing = self.passing.saturating_sub(places.len());
            return None;
        }
        self.rows += places.len();
        self.text.update(|bytes| bytes + text);
        self.approach(places);
        self.found.clear();
        self.fresh.clear();
        for (place, at) in places.iter().enumerate() {
            let number = match self.number(*at) {
                Some(number) => number,
                None => {
                    self.fresh.push(place);
                    self.insert(*at)
                }
            };
            self.found.push(number);
        }
        Some(Numbers { found: &self.found, fresh: &self.fresh, text: &self.text })
    }

    /// Brings the keys at some places near the processor: no load here waits for that of another
    /// place, and so the memory serves many at a time.
    fn approach(&mut self, places: &[At<'_, Fields>]) {
        self.found.clear();
        let likely = |at: &At<'_, Fields>| self.numbers.find(at.slot(), |_| true);
        self.found.extend(places.iter().filter_map(likely));
        let keys = self.found.iter().map(|number| &self.keys[*number as usize]);
        black_box(keys.fold(0, |sum, key| key.view().as_bytes().len() ^ sum));
    }

    fn number(&self, at: At<'_, Fields>) -> Option<u32> {
        let is_same = |number: &u32| self.keys[*number as usize].is(at.view());
        self.numbers.find(at.slot(), is_same).copied()
    }

    fn insert(&mut self, at: At<'_, Fields>) -> u32 {
        let keys = &mut self.keys;
        let number = u32::try_from(keys.len()).expect("far fewer keys than 2^32");
        keys.push(Fields::own(at.view()));
        let slot = |number: &u32| slot(&keys[*number as usize]);
        self.numbers.insert_unique(at.slot(), number, slot);
        number
    }

    /// Forgets all keys and returns them. If few rows came of each, the next ones pass by.
    pub(in crate::run) fn take(&mut self) -> Vec<Fields> {
        if self.rows < ROWS_PER_KEY_MIN * self.keys.len() {
            self.passing = PASSING * self.keys_max;
        }
        self.rows = 0;
        self.text.set(0);
        self.numbers.clear();
        std::mem::take(&mut self.keys)
    }
}

fn slot(key: &Fields) -> u64 {
    Fields::slot(key.view(), Fields::digest(key.view()))
}

impl Held for () {}

impl Held for u64 {
    fn is_empty(&self) -> bool {
        *self == 0
    }
}

impl Held for Sum {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Held for Mean {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Held for Extreme {
    fn is_empty(&self) -> bool {
        self.cell().is_none()
    }

    fn text_bytes(&self) -> usize {
        match self.cell() {
            Some(OwnedCell::Text(text)) => text.len(),
            _ => 0,
        }
    }
}

/// Sessions have it, and they hold nothing beside their states.
impl Held for Latest {}

impl Held for Option<String> {
    fn is_empty(&self) -> bool {
        self.is_none()
    }

    fn text_bytes(&self) -> usize {
        self.as_ref().map_or(0, String::len)
    }
}

/// Beyond that the values go back to their states, which may count it.
const TEXT_BYTES_MAX: usize = 4 << 20;
/// To take a value out of its state and to bring it back is as much work as to find it some times.
const ROWS_PER_KEY_MIN: usize = 4;
/// Where few rows came to each key, so many times the keys there is room for pass by.
const PASSING: usize = 16;
