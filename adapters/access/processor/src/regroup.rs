//! The rows of a state in another number of key groups.

use std::collections::BTreeMap;
use std::slice;

use holdwater::key::KeyGroup;
use holdwater::manifest::Chain;

use crate::encoded::{EncodedRows, Parts};
use crate::failure::Failure;
use crate::routing::digest;
use crate::row::key_of;
use crate::savepoint::{Content, Copy};
use crate::state::StateReader;

/// Rows grouped anew, group by group: those that belong to one group stay together in the order of
/// groups, whatever their number, so that few groups are held in memory.
#[derive(Debug)]
pub(crate) struct Regroup<'c> {
    state: StateReader<'c>,
    parts: Parts<'c>,
    chains: slice::Iter<'c, Chain>,
    total: u16,
    /// What was read and has not been taken, by its new group.
    waiting: BTreeMap<u16, EncodedRows>,
}

impl<'c> Regroup<'c> {
    /// Begins with the first of `total` groups.
    pub(crate) fn new(state: StateReader<'c>, total: u16) -> Result<Self, Failure> {
        let chains = &state.entry().chains;
        let parts = state.parts(&chains.iter().collect::<Vec<_>>())?;
        Ok(Self { state, parts, chains: chains.iter(), total, waiting: BTreeMap::new() })
    }

    /// Takes the rows of a group; groups are asked for in ascending order.
    pub(crate) fn rows(&mut self, group: u16) -> Result<EncodedRows, Failure> {
        while let Some(chain) = self.chains.as_slice().first() {
            // The first new group that rows of the old one may belong to.
            let first = (u64::from(chain.group) << 32).div_ceil(u64::from(self.state.key_groups()));
            if (first * u64::from(self.total)) >> 32 > u64::from(group) {
                break;
            }
            let chain = self.chains.next().unwrap_or(chain);
            for (key, row) in self.state.read(&mut self.parts, chain)? {
                let group = self.group_of(&key, chain.group)?;
                self.waiting.entry(group).or_default().insert(key, row);
            }
        }
        Ok(self.waiting.remove(&group).unwrap_or_default())
    }

    /// Returns the new group of a key that lies in the group `old`.
    fn group_of(&self, key: &[u8], old: u16) -> Result<u16, Failure> {
        let (key, _) = key_of(self.state.types(), key).map_err(|_| self.state.undecodable())?;
        let digest = digest(self.state.key_schema(), &key);
        let group = |total| digest.as_ref().ok().map(|digest| KeyGroup::of(*digest, total).index());
        match group(self.total) {
            Some(new) if group(self.state.key_groups()) == Some(old) => Ok(new),
            _ => Err(self.state.unrouted()),
        }
    }
}

/// The content of a savepoint in another number of key groups.
pub(crate) struct Regrouped<'c> {
    total: u16,
    keyed: Option<Regroup<'c>>,
    /// State of operators has no key groups.
    other: Copy<'c>,
}

impl Regrouped<'_> {
    /// Groups rows into `total` groups.
    pub(crate) fn new(total: u16) -> Self {
        Self { total, keyed: None, other: Copy::default() }
    }
}

impl<'c> Content<'c> for Regrouped<'c> {
    fn begin(&mut self, state: StateReader<'c>) -> Result<Vec<u16>, Failure> {
        if !state.types().kind.is_keyed() {
            self.keyed = None;
            return self.other.begin(state);
        }
        self.keyed = Some(Regroup::new(state, self.total)?);
        Ok((0..self.total).collect())
    }

    fn rows(&mut self, group: u16) -> Result<EncodedRows, Failure> {
        match &mut self.keyed {
            Some(keyed) => keyed.rows(group),
            None => self.other.rows(group),
        }
    }
}
