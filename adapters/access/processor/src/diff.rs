//! What changed from one checkpoint to another, row by row.

use std::collections::VecDeque;
use std::collections::btree_map::Entry;

use holdwater::schema::Schema;

use crate::encoded::{EncodedRow, EncodedRows};
use crate::failure::Failure;
use crate::regroup::Regroup;
use crate::row::Row;
use crate::state::StateReader;

/// What became of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is in the second checkpoint alone.
    Added(Row),
    /// It is in both, and not the same; stamps count.
    Changed(Row, Row),
    /// It is in the first checkpoint alone.
    Removed(Row),
}

/// The changes of a state from one checkpoint to another, one after the other.
///
/// The two may have other numbers of key groups and tasks: rows are compared by their keys. Rows of
/// a few key groups are in memory at a time; of the state of an operator all of them.
#[derive(Debug)]
pub struct Changes<'c> {
    before: Option<StateReader<'c>>,
    after: Option<StateReader<'c>>,
    /// Those of the second checkpoint in the groups of the first; without key groups all at once.
    regrouped: Option<Regroup<'c>>,
    is_keyed: bool,
    next: u16,
    end: u16,
    ready: VecDeque<(Vec<u8>, Option<EncodedRow>, Option<EncodedRow>)>,
    same: u64,
}

impl<'c> Changes<'c> {
    /// Compares a state `before` with what it is `after`; all rows of one that is not in both
    /// checkpoints are added or removed.
    ///
    /// Types that are not the same cannot be compared row by row: that is an error which names
    /// both.
    pub fn new(
        before: Option<StateReader<'c>>,
        after: Option<StateReader<'c>>,
    ) -> Result<Self, Failure> {
        let mut regrouped = None;
        if let (Some(before), Some(after)) = (&before, &after) {
            if !before.entry().schema.is_same(&after.entry().schema) {
                let (name, one, other) = (before.name(), in_words(before), in_words(after));
                return Err(Failure::Data(format!(
                    "state {name} holds {one} in one checkpoint and {other} in the other: rows of \
                     other types are not compared; compare another state"
                )));
            }
            if before.types().kind.is_keyed() && before.key_groups() != after.key_groups() {
                regrouped = Some(Regroup::new(after.clone(), before.key_groups())?);
            }
        }
        let either = before.as_ref().or(after.as_ref());
        let is_keyed = either.is_some_and(|state| state.types().kind.is_keyed());
        let end = either.map_or(0, |state| if is_keyed { state.key_groups() } else { 1 });
        let ready = VecDeque::new();
        Ok(Self { before, after, regrouped, is_keyed, next: 0, end, ready, same: 0 })
    }

    /// Returns how many rows were the same, of those that were come to.
    pub const fn same(&self) -> u64 {
        self.same
    }

    fn compare(&mut self, group: u16) -> Result<(), Failure> {
        let read = |state: &Option<StateReader<'_>>| match state {
            None => Ok(EncodedRows::new()),
            Some(state) if self.is_keyed => state.encoded(group),
            Some(state) => of_all_tasks(state),
        };
        let (before, mut after) = match &mut self.regrouped {
            Some(regrouped) => (read(&self.before)?, regrouped.rows(group)?),
            None => (read(&self.before)?, read(&self.after)?),
        };
        for (key, row) in before {
            match after.entry(key) {
                Entry::Occupied(same) if *same.get() == row => {
                    same.remove();
                    self.same += 1;
                }
                Entry::Occupied(other) => {
                    let (key, other) = other.remove_entry();
                    self.ready.push_back((key, Some(row), Some(other)));
                }
                Entry::Vacant(none) => self.ready.push_back((none.into_key(), Some(row), None)),
            }
        }
        self.ready.extend(after.into_iter().map(|(key, row)| (key, None, Some(row))));
        Ok(())
    }

    fn read(
        &self,
        key: &[u8],
        before: Option<&EncodedRow>,
        after: Option<&EncodedRow>,
    ) -> Result<Option<Change>, Failure> {
        let read = |state: &Option<StateReader<'_>>, row: Option<&EncodedRow>| {
            let (Some(state), Some(row)) = (state, row) else { return Ok(None) };
            Row::read(state.types(), key, row).map(Some).map_err(|_| state.undecodable())
        };
        Ok(match (read(&self.before, before)?, read(&self.after, after)?) {
            (Some(before), Some(after)) => Some(Change::Changed(before, after)),
            (Some(row), None) => Some(Change::Removed(row)),
            (None, Some(row)) => Some(Change::Added(row)),
            (None, None) => None,
        })
    }
}

impl Iterator for Changes<'_> {
    type Item = Result<Change, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, before, after)) = self.ready.pop_front() {
                let read = self.read(&key, before.as_ref(), after.as_ref());
                return read.transpose();
            }
            if self.next == self.end {
                return None;
            }
            self.next += 1;
            if let Err(failure) = self.compare(self.next - 1) {
                // Whatever comes behind it would be compared with what was not read.
                self.next = self.end;
                return Some(Err(failure));
            }
        }
    }
}

/// Reads what the tasks of an operator hold: the lists of all behind one another, a copy of what
/// they have in common.
fn of_all_tasks(state: &StateReader<'_>) -> Result<EncodedRows, Failure> {
    let mut all = EncodedRows::new();
    for task in state.groups() {
        for (key, row) in state.encoded(task)? {
            match (all.entry(key), row) {
                (Entry::Vacant(place), row) => _ = place.insert(row),
                (Entry::Occupied(mut held), EncodedRow::Items(more)) => {
                    if let EncodedRow::Items(items) = held.get_mut() {
                        items.extend(more);
                    }
                }
                (Entry::Occupied(mut held), row) => _ = held.insert(row),
            }
        }
    }
    Ok(all)
}

fn in_words(state: &StateReader<'_>) -> String {
    let (key, value): (Schema<'_>, Schema<'_>) = (state.key_schema(), state.value_schema());
    match state.field_schema() {
        Some(field) => format!("{key} -> {field} -> {value}"),
        None => format!("{key} -> {value}"),
    }
}
