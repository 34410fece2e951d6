#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adopted;
mod budget;
mod cold;
mod entry;
mod error;
mod expire;
mod fields;
mod files;
mod freezes;
mod frozen;
mod gather;
mod group;
mod held;
mod index;
mod layout;
mod list;
mod log;
mod map;
mod mapping;
mod node;
mod nodes;
mod pass;
mod piece;
mod seal;
mod slot;
mod sorted;
mod source;
mod table;
mod tail;
mod timers;
mod value;

pub use error::MmapError;
pub use frozen::MmapFrozen;
pub use list::MmapList;
pub use map::{ByHash, ByOrder, MmapMap};
pub use timers::MmapTimers;
pub use value::MmapValue;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use holdwater::key::{Key, KeyGroups, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{Backend, Description, Descriptor, Kind, TimeDomain};

use crate::budget::Budget;
use crate::files::Pool;
use crate::layout::{Layout, Order};
use crate::map::order;
use crate::slot::Slot;
use crate::table::Table;

/// A store that holds state larger than memory: a log of rows in memory and in files.
#[derive(Debug)]
pub struct Mmap {
    groups: KeyGroups,
    budget: Arc<Budget>,
    pool: Arc<Pool>,
    open: Vec<Description>,
}

impl Mmap {
    /// Holds the state of `groups`, with files in `directory`, which is made by the first of them.
    ///
    /// The files have no names: they are gone when the process ends, however it does.
    pub fn new(groups: KeyGroups, directory: impl Into<PathBuf>) -> Self {
        let (directory, segment_bytes) = (directory.into(), SEGMENT_BYTES);
        let pool =
            Arc::new(Pool { directory, segment_bytes, maps: true, verified: Mutex::default() });
        Self { groups, budget: Arc::new(Budget::new(usize::MAX)), pool, open: Vec::new() }
    }

    /// Bounds what all states of this store take together in memory: index, tails, and what is held
    /// for a snapshot. Beyond, tails are sealed; an index that has no room left is full.
    ///
    /// Pages of files are not counted: the system takes them back when it needs memory.
    ///
    /// # Panics
    ///
    /// If a state is open.
    #[must_use]
    pub fn with_budget(mut self, bytes: u64) -> Self {
        self.assert_unopened();
        let limit = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.budget = Arc::new(Budget::new(limit));
        let segment_bytes = self.pool.segment_bytes.min(limit / 4);
        self.with_pool(|pool| Pool { segment_bytes, ..pool })
    }

    /// Seals the tail of a state once it takes so many bytes: 64 MiB unless set, or a quarter of
    /// the budget. It bounds how long a write may take, and how much is written at once.
    ///
    /// # Panics
    ///
    /// If a state is open.
    #[must_use]
    pub fn with_segment_bytes(self, bytes: usize) -> Self {
        self.assert_unopened();
        self.with_pool(|pool| Pool { segment_bytes: bytes, ..pool })
    }

    /// Reads files by calls to the system instead of mapping them: several times slower, but a disk
    /// that fails gives an error where a map would end the process.
    ///
    /// # Panics
    ///
    /// If a state is open.
    #[must_use]
    pub fn with_positional_reads(self) -> Self {
        self.assert_unopened();
        self.with_pool(|pool| Pool { maps: false, ..pool })
    }

    /// Holds the state of other groups under the budget of this store: for the subtasks of a job.
    #[must_use]
    pub fn sharing(&self, groups: KeyGroups) -> Self {
        let (budget, pool) = (self.budget.clone(), self.pool.clone());
        Self { groups, budget, pool, open: Vec::new() }
    }

    /// Returns how many bytes of memory the states of this store, and of those that share its
    /// budget, take together; with a budget, what is kept free for their tails included.
    pub fn memory(&self) -> u64 {
        self.budget.used() as u64
    }

    fn assert_unopened(&self) {
        assert!(self.open.is_empty(), "a store is set up before states are opened");
    }

    fn with_pool(mut self, change: impl FnOnce(Pool) -> Pool) -> Self {
        let Pool { directory, segment_bytes, maps, .. } = &*self.pool;
        let (directory, verified) = (directory.clone(), Mutex::default());
        let pool = Pool { directory, segment_bytes: *segment_bytes, maps: *maps, verified };
        self.pool = Arc::new(change(pool));
        self
    }

    /// Takes note that a state is open; a state is opened once, since its owner holds it.
    fn open<S: Slot>(
        &mut self,
        description: Description,
        order: Option<Order>,
    ) -> Result<Table<S>, MmapError> {
        let state = || description.name.as_str().into();
        match self.open.iter().find(|open| open.name == description.name) {
            Some(open) if open.is_same(&description) => Err(MmapError::Open { state: state() }),
            Some(_) => Err(MmapError::Mismatch { state: state() }),
            None => {
                self.open.push(description.clone());
                let share = self.budget.share(description.name, self.pool.segment_bytes);
                let layout = Layout::new(description, order);
                Ok(Table::new(layout, self.groups, share, self.pool.clone()))
            }
        }
    }
}

impl Backend for Mmap {
    type Error = MmapError;
    type Value<K: Key, V: Data> = MmapValue<K, V>;
    type List<K: Key, V: Data> = MmapList<K, V>;
    type Map<K: Key, F: Key, V: Data> = MmapMap<K, F, V>;
    type OrderedMap<K: Key, F: OrderedKey, V: Data> = MmapMap<K, F, V, ByOrder>;
    type Timers<K: Key> = MmapTimers<K>;

    fn groups(&self) -> KeyGroups {
        self.groups
    }

    fn value<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<MmapValue<K, V>, MmapError> {
        Ok(MmapValue::new(self.open(descriptor.describe(Kind::Value)?, None)?))
    }

    fn list<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<MmapList<K, V>, MmapError> {
        Ok(MmapList::new(self.open(descriptor.describe(Kind::List)?, None)?))
    }

    fn map<K: Key, F: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<MmapMap<K, F, V>, MmapError> {
        Ok(MmapMap::new(self.open(descriptor.describe_map()?, None)?))
    }

    fn ordered_map<K: Key, F: OrderedKey, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<MmapMap<K, F, V, ByOrder>, MmapError> {
        Ok(MmapMap::new(self.open(descriptor.describe_map()?, Some(order::<F>))?))
    }

    fn timers<K: Key>(
        &mut self,
        descriptor: Descriptor<'_, K, ()>,
        domain: TimeDomain,
    ) -> Result<MmapTimers<K>, MmapError> {
        Ok(MmapTimers::new(self.open(descriptor.describe(domain.timers())?, None)?))
    }
}

/// How large a tail grows unless it is said.
const SEGMENT_BYTES: usize = 64 << 20;
