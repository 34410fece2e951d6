#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

mod budget;
mod cell;
mod error;
mod expire;
mod fields;
mod frozen;
mod group;
mod hashed;
mod held;
mod index;
mod items;
mod layer;
mod list;
mod map;
mod row;
mod sorted;
mod spare;
mod table;
mod timers;
mod times;
mod value;
mod version;

pub use error::HeapError;
pub use frozen::HeapFrozen;
pub use list::HeapList;
pub use map::{HeapMap, HeapOrderedMap};
pub use timers::HeapTimers;
pub use value::HeapValue;

use alloc::sync::Arc;
use alloc::vec::Vec;

use holdwater::key::{Key, KeyGroups, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{Backend, Description, Descriptor, Kind, TimeDomain};

use crate::budget::{Budget, Share};

/// A store that holds typed values on the heap, under one budget of memory.
#[derive(Debug)]
pub struct Heap {
    groups: KeyGroups,
    budget: Arc<Budget>,
    open: Vec<Description>,
}

impl Heap {
    /// Holds the state of `groups`, with no bound on memory.
    pub fn new(groups: KeyGroups) -> Self {
        Self::with_limit(groups, usize::MAX)
    }

    /// Bounds what all states of this store take together: beyond `bytes` they are full.
    ///
    /// Counted are tables to the byte, what values own by their encoded size, and copies held for a
    /// snapshot. One value may exceed the budget: how large it is shows when it is stored.
    ///
    /// # Panics
    ///
    /// If a state is open.
    #[must_use]
    pub fn with_budget(self, bytes: u64) -> Self {
        assert!(self.open.is_empty(), "the budget is given before states are opened");
        Self::with_limit(self.groups, usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Holds the state of other groups under the budget of this store: for the subtasks of a job.
    #[must_use]
    pub fn sharing(&self, groups: KeyGroups) -> Self {
        Self { groups, budget: self.budget.clone(), open: Vec::new() }
    }

    /// Returns how many bytes the states of this store, and of those that share its budget, take
    /// together.
    pub fn bytes(&self) -> u64 {
        self.budget.used() as u64
    }

    fn with_limit(groups: KeyGroups, limit: usize) -> Self {
        Self { groups, budget: Arc::new(Budget::new(limit)), open: Vec::new() }
    }

    /// Takes note that a state is open; a state is opened once, since its owner holds it.
    fn open(&mut self, description: &Description) -> Result<Share, HeapError> {
        let state = || description.name.as_str().into();
        match self.open.iter().find(|open| open.name == description.name) {
            Some(open) if open.is_same(description) => Err(HeapError::Open { state: state() }),
            Some(_) => Err(HeapError::Mismatch { state: state() }),
            None => {
                self.open.push(description.clone());
                Ok(Share::new(self.budget.clone(), description.name))
            }
        }
    }
}

impl Backend for Heap {
    type Error = HeapError;
    type Value<K: Key, V: Data> = HeapValue<K, V>;
    type List<K: Key, V: Data> = HeapList<K, V>;
    type Map<K: Key, F: Key, V: Data> = HeapMap<K, F, V>;
    type OrderedMap<K: Key, F: OrderedKey, V: Data> = HeapOrderedMap<K, F, V>;
    type Timers<K: Key> = HeapTimers<K>;

    fn groups(&self) -> KeyGroups {
        self.groups
    }

    fn value<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<HeapValue<K, V>, HeapError> {
        let description = descriptor.describe(Kind::Value)?;
        let share = self.open(&description)?;
        Ok(HeapValue::new(self.groups, description, share))
    }

    fn list<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<HeapList<K, V>, HeapError> {
        let description = descriptor.describe(Kind::List)?;
        let share = self.open(&description)?;
        Ok(HeapList::new(self.groups, description, share))
    }

    fn map<K: Key, F: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<HeapMap<K, F, V>, HeapError> {
        let description = descriptor.describe_map()?;
        let share = self.open(&description)?;
        Ok(HeapMap::new(self.groups, description, share))
    }

    fn ordered_map<K: Key, F: OrderedKey, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<HeapOrderedMap<K, F, V>, HeapError> {
        let description = descriptor.describe_map()?;
        let share = self.open(&description)?;
        Ok(HeapOrderedMap::new(self.groups, description, share))
    }

    fn timers<K: Key>(
        &mut self,
        descriptor: Descriptor<'_, K, ()>,
        domain: TimeDomain,
    ) -> Result<HeapTimers<K>, HeapError> {
        let description = descriptor.describe(domain.timers())?;
        let share = self.open(&description)?;
        Ok(HeapTimers::new(self.groups, description, share))
    }
}

/// The programs in docs/embed.md run.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/embed.md")]
pub struct Embed;

/// The programs in docs/evolution.md run.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/evolution.md")]
pub struct Evolution;

/// The program in docs/state.md runs.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/state.md")]
pub struct Kinds;
