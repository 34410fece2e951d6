//! State in arrays of a size known at compile time, without an allocator.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(test)]
extern crate std;

mod arrangement;
mod changes;
mod error;
mod frozen;
mod list;
mod map;
mod rows;
mod table;
mod timers;
mod value;

pub use arrangement::{ByDigest, ByOrder};
pub use error::FixedError;
pub use frozen::FrozenRows;
pub use list::Item;
pub use map::Field;
pub use rows::Rows;
pub use timers::Time;
pub use value::One;

use heapless::Vec;
use holdwater::key::{Key, KeyGroups, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{Backend, Description, Descriptor, Kind, TimeDomain};

/// The most states that one store opens.
pub const STATES_MAX: usize = 16;

/// Holds up to `N` rows of each state, 1 to 32768, in up to `G` key groups.
#[derive(Clone, Debug)]
pub struct Fixed<const N: usize, const G: usize = 128> {
    groups: KeyGroups,
    opened: Vec<Description, STATES_MAX>,
}

impl<const N: usize, const G: usize> Fixed<N, G> {
    /// Holds the state of `groups`, `G` at most.
    pub fn new(groups: KeyGroups) -> Result<Self, FixedError> {
        let owned = groups.count();
        if owned > G {
            return Err(FixedError::Groups { owned, limit: G });
        }
        Ok(Self { groups, opened: Vec::new() })
    }

    fn open<K: Key, T>(
        &mut self,
        description: Description,
    ) -> Result<Rows<K, T, N, G>, FixedError> {
        if self.opened.iter().any(|opened| opened.name == description.name) {
            return Err(FixedError::Opened);
        }
        let rows = Rows::new(description.clone(), self.groups)?;
        self.opened.push(description).map_err(|_| FixedError::States { limit: STATES_MAX })?;
        Ok(rows)
    }
}

impl<const N: usize, const G: usize> Backend for Fixed<N, G> {
    type Error = FixedError;
    type Value<K: Key, V: Data> = Rows<K, One<V>, N, G>;
    type List<K: Key, V: Data> = Rows<K, Item<V>, N, G>;
    type Map<K: Key, F: Key, V: Data> = Rows<K, Field<F, V>, N, G>;
    type OrderedMap<K: Key, F: OrderedKey, V: Data> = Rows<K, Field<F, V, ByOrder>, N, G>;
    type Timers<K: Key> = Rows<K, Time, N, G>;

    fn groups(&self) -> KeyGroups {
        self.groups
    }

    fn value<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<Self::Value<K, V>, FixedError> {
        self.open(descriptor.describe(Kind::Value)?)
    }

    fn list<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<Self::List<K, V>, FixedError> {
        self.open(descriptor.describe(Kind::List)?)
    }

    fn map<K: Key, F: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<Self::Map<K, F, V>, FixedError> {
        self.open(descriptor.describe_map()?)
    }

    fn ordered_map<K: Key, F: OrderedKey, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<Self::OrderedMap<K, F, V>, FixedError> {
        self.open(descriptor.describe_map()?)
    }

    fn timers<K: Key>(
        &mut self,
        descriptor: Descriptor<'_, K, ()>,
        domain: TimeDomain,
    ) -> Result<Self::Timers<K>, FixedError> {
        self.open(descriptor.describe(domain.timers())?)
    }
}
