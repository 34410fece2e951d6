//! Typed state on any ordered store of byte rows.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

mod arrangement;
mod changes;
mod error;
mod frozen;
mod keys;
mod layout;
mod list;
mod map;
mod ordered;
mod rows;
mod store;
mod timers;
mod value;

pub use arrangement::{AsEncoded, InOrder};
pub use error::BytesError;
pub use frozen::FrozenRows;
pub use layout::{GROUP_LEN, Layout};
pub use list::Item;
pub use map::Field;
pub use ordered::{Ordered, OrderedRows, OrderedTable};
pub use rows::Rows;
pub use store::{ByteRows, ByteStore, ByteTable, behind};
pub use timers::Time;
pub use value::One;

use alloc::vec::Vec;

use holdwater::key::{Key, KeyGroups, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{Backend, Description, Descriptor, Kind, Name, TimeDomain};

use crate::arrangement::{Arrangement, Portable};

/// Holds each state as rows of bytes in a table of `S`.
#[derive(Clone, Debug)]
pub struct Bytes<S> {
    store: S,
    groups: KeyGroups,
    opened: Vec<Name>,
    changes_bytes_max: usize,
}

impl Bytes<Ordered> {
    /// Holds the state of `groups` in memory.
    pub const fn in_memory(groups: KeyGroups) -> Self {
        Self::new(Ordered, groups)
    }
}

impl<S> Bytes<S> {
    /// Holds the state of `groups` in `store`.
    pub const fn new(store: S, groups: KeyGroups) -> Self {
        Self { store, groups, opened: Vec::new(), changes_bytes_max: usize::MAX }
    }

    /// Lets each state hold up to so many bytes of what changed since its last checkpoint; beyond
    /// that it forgets, and its next checkpoint is a full one.
    ///
    /// # Panics
    ///
    /// If a state is open.
    #[must_use]
    pub fn with_changes_bytes_max(mut self, bytes: usize) -> Self {
        assert!(self.opened.is_empty(), "a store is set up before states are opened");
        self.changes_bytes_max = bytes;
        self
    }
}

impl<S: ByteStore> Bytes<S> {
    fn open<K: Key, C>(
        &mut self,
        description: Description,
    ) -> Result<Rows<S::Table, K, C>, BytesError<S::Error>> {
        self.open_with(description, None)
    }

    /// Opens a state whose fields are encoded in its rows in another way than in parts.
    fn open_with<K: Key, C>(
        &mut self,
        description: Description,
        portable: Option<Portable>,
    ) -> Result<Rows<S::Table, K, C>, BytesError<S::Error>> {
        if self.opened.contains(&description.name) {
            return Err(BytesError::Opened);
        }
        let layout = Layout::new(description, portable);
        let table = self.store.open(&layout).map_err(BytesError::Store)?;
        self.opened.push(layout.description().name);
        Ok(Rows::new(table, layout, self.groups, self.changes_bytes_max))
    }
}

impl<S: ByteStore> Backend for Bytes<S> {
    type Error = BytesError<S::Error>;
    type Value<K: Key, V: Data> = Rows<S::Table, K, One<V>>;
    type List<K: Key, V: Data> = Rows<S::Table, K, Item<V>>;
    type Map<K: Key, F: Key, V: Data> = Rows<S::Table, K, Field<F, V>>;
    type OrderedMap<K: Key, F: OrderedKey, V: Data> = Rows<S::Table, K, Field<F, V, InOrder>>;
    type Timers<K: Key> = Rows<S::Table, K, Time>;

    fn groups(&self) -> KeyGroups {
        self.groups
    }

    fn value<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<Self::Value<K, V>, Self::Error> {
        self.open(descriptor.describe(Kind::Value)?)
    }

    fn list<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<Self::List<K, V>, Self::Error> {
        self.open(descriptor.describe(Kind::List)?)
    }

    fn map<K: Key, F: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<Self::Map<K, F, V>, Self::Error> {
        self.open(descriptor.describe_map()?)
    }

    fn ordered_map<K: Key, F: OrderedKey, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<Self::OrderedMap<K, F, V>, Self::Error> {
        self.open_with(descriptor.describe_map()?, <InOrder as Arrangement<F>>::PORTABLE)
    }

    fn timers<K: Key>(
        &mut self,
        descriptor: Descriptor<'_, K, ()>,
        domain: TimeDomain,
    ) -> Result<Self::Timers<K>, Self::Error> {
        self.open(descriptor.describe(domain.timers())?)
    }
}
