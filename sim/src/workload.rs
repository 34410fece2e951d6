//! What the job reads: logs of records, one per source, the same each time they are read.

use crate::random::{Random, Stream};

/// One record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// Whose state it changes.
    pub key: u64,
    /// How.
    pub change: Change,
}

/// What a record does to the state of its key.
///
/// The state after two sources must not depend on which of them was faster. So a key is either
/// shared, and all that is done to it commutes, or all its records come from one source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Adds to the sum. Commutes.
    Add(i64),
    /// Counts a party. Commutes.
    Count(u32),
    /// Appends to the list.
    Push(u32),
    /// Keeps only the first items of the list.
    Shorten(u32),
    /// Drops a party.
    Forget(u32),
    /// Drops everything of the key.
    Drop,
}

/// The records of each source.
pub type Logs = Vec<Vec<Record>>;

/// Returns whether records of several sources have the key.
pub const fn is_shared(key: u64) -> bool {
    key < OWN_KEYS
}

/// Draws the logs of `sources` sources, `records` records each, over `keys` keys.
pub fn draw(random: &mut Random, sources: usize, records: u32, keys: u32) -> Logs {
    (0..sources)
        .map(|source| (0..records).map(|_| record(random, source, keys)).collect())
        .collect()
}

fn record(random: &mut Random, source: usize, keys: u32) -> Record {
    let mut draw = |bound| random.below(Stream::Workload, bound);
    let key = u64::from(draw(keys));
    if key.is_multiple_of(3) {
        let change = match draw(2) {
            0 => Change::Add(i64::from(draw(100)) - 50),
            _ => Change::Count(draw(PARTIES)),
        };
        return Record { key, change };
    }
    let key = OWN_KEYS * (1 + source as u64) + key;
    let change = match draw(12) {
        0..=3 => Change::Add(i64::from(draw(100)) - 50),
        4..=6 => Change::Push(draw(1000)),
        7 | 8 => Change::Count(draw(PARTIES)),
        9 => Change::Forget(draw(PARTIES)),
        10 => Change::Shorten(draw(3)),
        _ => Change::Drop,
    };
    Record { key, change }
}

/// The keys of one source begin at a multiple of it; those below are shared.
const OWN_KEYS: u64 = 1 << 10;
const PARTIES: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_key_that_is_not_shared_has_one_source() {
        let logs = draw(&mut Random::new(1), 3, 400, 64);
        let mut sources = BTreeMap::new();
        for (source, log) in logs.iter().enumerate() {
            for record in log {
                let commutes = matches!(record.change, Change::Add(_) | Change::Count(_));
                if record.key < OWN_KEYS {
                    assert!(commutes, "{record:?}");
                } else {
                    assert_eq!(*sources.entry(record.key).or_insert(source), source);
                }
            }
        }
        assert!(sources.len() > 64);
    }
}
