//! Rows to put and keys to remove, by group: in memory up to a bound, beyond it in a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use holdwater::codec::{Encoding, Reader, decode, encode};

use crate::encoded::EncodedRow;
use crate::failure::Failure;

/// What becomes of the keys of a group: rows to put, or nothing where they go.
pub(super) type GroupChanges = BTreeMap<Vec<u8>, Option<EncodedRow>>;

/// What becomes of keys, whatever there is of them: a later change of a key holds.
#[derive(Debug)]
pub(super) struct Changed {
    groups: BTreeMap<u16, GroupChanges>,
    /// The bytes that `groups` takes, about.
    held: usize,
    held_max: usize,
    spilled: Option<Spilled>,
}

/// What was held before, written to a file that has no name: the system removes it.
#[derive(Debug)]
struct Spilled {
    file: File,
    end: u64,
    /// Where the changes of a group lie, in the order in which they were made.
    runs: BTreeMap<u16, Vec<Range<u64>>>,
}

impl Changed {
    /// Begins with no change, to hold `held_max` bytes in memory.
    pub(super) const fn new(held_max: usize) -> Self {
        Self { groups: BTreeMap::new(), held: 0, held_max, spilled: None }
    }

    /// Sets how many bytes to hold in memory from here on.
    pub(super) const fn set_limit(&mut self, held_max: usize) {
        self.held_max = held_max;
    }

    /// Notes what becomes of a key.
    pub(super) fn insert(
        &mut self,
        group: u16,
        key: Vec<u8>,
        row: Option<EncodedRow>,
    ) -> Result<(), Failure> {
        self.held += size(&key, row.as_ref());
        let changes = self.groups.entry(group).or_default();
        if let Some((key, before)) = changes.remove_entry(&key) {
            self.held -= size(&key, before.as_ref());
        }
        changes.insert(key, row);
        if self.held > self.held_max { self.spill() } else { Ok(()) }
    }

    /// Returns the groups that have changes.
    pub(super) fn groups(&self) -> impl Iterator<Item = u16> {
        let spilled = self.spilled.iter().flat_map(|spilled| spilled.runs.keys());
        self.groups.keys().chain(spilled).copied()
    }

    /// Returns the changes of a group.
    pub(super) fn of(&self, group: u16) -> Result<GroupChanges, Failure> {
        let mut changes = match &self.spilled {
            Some(spilled) => spilled.of(group).map_err(|source| failed("read", source))?,
            None => GroupChanges::new(),
        };
        changes.extend(self.groups.get(&group).into_iter().flatten().map(|(key, row)| {
            // What is in memory came later.
            (key.clone(), row.clone())
        }));
        Ok(changes)
    }

    /// Moves what is held into the file.
    fn spill(&mut self) -> Result<(), Failure> {
        let unwritten = |source| failed("write", source);
        if self.spilled.is_none() {
            let file = tempfile::tempfile().map_err(unwritten)?;
            self.spilled = Some(Spilled { file, end: 0, runs: BTreeMap::new() });
        }
        let Some(spilled) = &mut self.spilled else { return Ok(()) };
        for (group, changes) in std::mem::take(&mut self.groups) {
            spilled.write(group, &changes).map_err(unwritten)?;
        }
        self.held = 0;
        Ok(())
    }
}

impl Spilled {
    fn write(&mut self, group: u16, changes: &GroupChanges) -> io::Result<()> {
        let mut bytes = Vec::new();
        encode(changes, Encoding::Postcard, &mut bytes).map_err(io::Error::other)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&bytes)?;
        let end = self.end + bytes.len() as u64;
        self.runs.entry(group).or_default().push(self.end..end);
        self.end = end;
        Ok(())
    }

    fn of(&self, group: u16) -> io::Result<GroupChanges> {
        let mut changes = GroupChanges::new();
        for run in self.runs.get(&group).into_iter().flatten() {
            let mut file = &self.file;
            file.seek(SeekFrom::Start(run.start))?;
            let mut bytes = Vec::new();
            file.take(run.end - run.start).read_to_end(&mut bytes)?;
            let later = decode::<GroupChanges>(Encoding::Postcard, &mut Reader::new(&bytes));
            changes.extend(later.map_err(io::Error::other)?);
        }
        Ok(changes)
    }
}

/// Returns about how many bytes a change takes in memory.
fn size(key: &[u8], row: Option<&EncodedRow>) -> usize {
    let pieces: usize = match row {
        None => 0,
        Some(EncodedRow::Value(value)) => value.len(),
        Some(EncodedRow::Items(items)) => items.iter().map(|item| ENTRY_BYTES + item.len()).sum(),
        Some(EncodedRow::Fields(fields)) => {
            fields.iter().map(|(field, held)| 2 * ENTRY_BYTES + field.len() + held.len()).sum()
        }
    };
    2 * ENTRY_BYTES + key.len() + pieces
}

fn failed(step: &str, source: io::Error) -> Failure {
    let place = std::env::temp_dir();
    Failure::io(format!("cannot {step} rows that wait in {} (TMPDIR)", place.display()), source)
}

/// What a piece takes beside its bytes: its place in a tree, and in the allocator.
const ENTRY_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts, changes and removes keys in an order that mixes groups.
    fn changed(held_max: usize) -> Changed {
        let mut changed = Changed::new(held_max);
        for number in 0..5_000_u32 {
            let (key, value) = ((number * 7 % 1_000).to_be_bytes(), number.to_be_bytes());
            let row = match number % 5 {
                0 => None,
                1 => Some(EncodedRow::Items(vec![value.to_vec(); 3])),
                2 => Some(EncodedRow::Fields([(value.to_vec(), vec![7])].into())),
                _ => Some(EncodedRow::Value(value.to_vec())),
            };
            changed.insert((number * 7 % 13) as u16, key.to_vec(), row).unwrap();
            assert!(changed.held <= held_max);
        }
        changed
    }

    #[test]
    fn what_is_spilled_comes_back_and_the_last_change_of_a_key_holds() {
        let (whole, spilled) = (changed(usize::MAX), changed(4_000));
        assert!(whole.spilled.is_none());
        let runs = spilled.spilled.as_ref().unwrap().runs.values().map(Vec::len).max();
        assert!(runs.unwrap() > 20);
        for group in 0..14 {
            assert_eq!(whole.of(group).unwrap(), spilled.of(group).unwrap());
            assert_eq!(whole.of(group).unwrap().is_empty(), group == 13);
        }
        let mut groups: Vec<_> = spilled.groups().collect();
        groups.sort_unstable();
        groups.dedup();
        assert_eq!(groups, (0..13).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_held_is_counted_down_when_a_key_changes() {
        let mut changed = Changed::new(10_000);
        for number in 0..10_000_u32 {
            let row = EncodedRow::Value(vec![0; (number % 300) as usize]);
            changed.insert(1, b"key".to_vec(), Some(row)).unwrap();
        }
        assert!(changed.spilled.is_none());
        changed.insert(1, b"key".to_vec(), None).unwrap();
        assert_eq!(changed.held, size(b"key", None));
    }
}
