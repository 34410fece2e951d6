//! The truth: what the state is after so many records of each source, kept in plain maps.

use std::collections::BTreeMap;

use crate::workload::{Change, Logs, Record, is_shared};

/// The state of the job.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Model {
    /// The sum of each key that has one.
    pub sums: BTreeMap<u64, i64>,
    /// The list of each key that has one.
    pub lists: BTreeMap<u64, Vec<u32>>,
    /// How often each key saw each party.
    pub parties: BTreeMap<u64, BTreeMap<u32, u64>>,
}

impl Model {
    /// Returns the state after the first `positions` records of each source.
    pub fn at(logs: &Logs, positions: &[u32]) -> Self {
        let mut model = Self::default();
        for (log, position) in logs.iter().zip(positions) {
            log[..*position as usize].iter().for_each(|record| {
                model.apply(record);
            });
        }
        model
    }

    /// Applies one record; returns what the job gives out for it.
    pub fn apply(&mut self, Record { key, change }: &Record) -> i64 {
        match change {
            Change::Add(amount) => *self.sums.entry(*key).or_default() += amount,
            Change::Count(party) => {
                *self.parties.entry(*key).or_default().entry(*party).or_default() += 1;
            }
            Change::Push(item) => self.lists.entry(*key).or_default().push(*item),
            Change::Shorten(count) => {
                if let Some(list) = self.lists.get_mut(key) {
                    list.truncate(*count as usize);
                }
            }
            Change::Forget(party) => {
                if let Some(parties) = self.parties.get_mut(key) {
                    parties.remove(party);
                }
            }
            Change::Drop => {
                self.sums.remove(key);
                self.lists.remove(key);
                self.parties.remove(key);
            }
        }
        let items = self.lists.get(key).map_or(0, Vec::len);
        let parties = self.parties.get(key).map_or(0, BTreeMap::len);
        // What is empty has no row.
        if items == 0 {
            self.lists.remove(key);
        }
        if parties == 0 {
            self.parties.remove(key);
        }
        result(*key, self.sums.get(key).copied(), items as u64, parties as u64)
    }

    /// Takes the rows of another part of the state.
    pub fn join(&mut self, other: Self) {
        self.sums.extend(other.sums);
        self.lists.extend(other.lists);
        self.parties.extend(other.parties);
    }

    /// Says where two states differ first.
    pub fn difference(&self, other: &Self) -> Option<String> {
        first("sum", &self.sums, &other.sums)
            .or_else(|| first("list", &self.lists, &other.lists))
            .or_else(|| first("parties", &self.parties, &other.parties))
    }
}

/// Returns what is given out for a record, by the state of its key behind it. For a shared key that
/// depends on which source was faster, and is left out.
pub fn result(key: u64, sum: Option<i64>, items: u64, parties: u64) -> i64 {
    if is_shared(key) {
        return 0;
    }
    sum.map_or(-1, |sum| sum * 1000) + (items * 10 + parties) as i64
}

fn first<V: PartialEq + std::fmt::Debug>(
    name: &str,
    one: &BTreeMap<u64, V>,
    two: &BTreeMap<u64, V>,
) -> Option<String> {
    let key = one.keys().chain(two.keys()).find(|key| one.get(key) != two.get(key))?;
    Some(format!("{name} of key {key} is {:?}, not {:?}", one.get(key), two.get(key)))
}
