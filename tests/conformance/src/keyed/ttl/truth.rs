//! What states that expire must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use holdwater::state::Backend;
use holdwater::ttl::When;

use super::Place;
use super::tape::{DURATION_MS, Expire, groups};
use crate::keyed::Run;

/// What lives, with its stamps.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    by_event: bool,
    refreshes: bool,
    pub(super) values: BTreeMap<u64, (i64, i64)>,
    pub(super) lists: BTreeMap<(u64, u8), Vec<(i64, u32)>>,
    pub(super) maps: BTreeMap<u64, BTreeMap<u8, (i64, i64)>>,
}

impl Truth {
    pub(super) fn new(by_event: bool, refreshes: bool) -> Self {
        let (values, lists, maps) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { by_event, refreshes, values, lists, maps }
    }

    /// Drops what has expired by `now`, and what is empty then.
    pub(super) fn expire(&mut self, now: i64) {
        let is_live = |stamp: i64| stamp + DURATION_MS > now;
        self.values.retain(|_, (stamp, _)| is_live(*stamp));
        self.lists.values_mut().for_each(|items| items.retain(|(stamp, _)| is_live(*stamp)));
        self.lists.retain(|_, items| !items.is_empty());
        for fields in self.maps.values_mut() {
            fields.retain(|_, (stamp, _)| is_live(*stamp));
        }
        self.maps.retain(|_, fields| !fields.is_empty());
    }

    /// Returns how many keys each state has.
    pub(super) fn rows(&self) -> [u64; 3] {
        [self.values.len(), self.lists.len(), self.maps.len()].map(|count| count as u64)
    }

    /// Returns how many values, items and fields there are.
    pub(super) fn count(&self) -> u64 {
        let items = self.lists.values().map(Vec::len).sum::<usize>();
        let fields = self.maps.values().map(BTreeMap::len).sum::<usize>();
        (self.values.len() + items + fields) as u64
    }

    pub(super) fn put(&mut self, key: u64, number: i64, when: When) {
        let old = self.values.get(&key).map(|(stamp, _)| *stamp).filter(|_| self.by_event);
        let stamp = old.map_or(when.time, |old| old.max(when.time));
        self.values.insert(key, (stamp, number));
    }

    pub(super) fn update(
        &mut self,
        key: u64,
        when: When,
        edit: impl FnOnce(&mut i64) -> i64,
    ) -> i64 {
        let (stamp, value) = self.values.entry(key).or_insert((when.time, 1));
        *stamp = (*stamp).max(when.time);
        edit(value)
    }

    pub(super) fn get(&mut self, key: u64, when: When) -> Option<i64> {
        let (stamp, value) = self.values.get_mut(&key)?;
        if self.refreshes {
            *stamp = (*stamp).max(when.time);
        }
        Some(*value)
    }

    pub(super) fn items(&mut self, key: u64, window: u8, most: usize, when: When) -> Vec<u32> {
        let items = self.lists.entry((key, window)).or_default();
        let met = items.iter_mut().take(most);
        met.map(|(stamp, item)| {
            if self.refreshes {
                *stamp = (*stamp).max(when.time);
            }
            *item
        })
        .collect()
    }

    pub(super) fn merge(&mut self, key: u64, window: u8, sources: &[u8]) {
        for source in sources.iter().filter(|source| **source != window) {
            let items = self.lists.remove(&(key, *source)).unwrap_or_default();
            self.lists.entry((key, window)).or_default().extend(items);
        }
    }

    pub(super) fn put_field(&mut self, key: u64, field: u8, number: i64, when: When) -> bool {
        let fields = self.maps.entry(key).or_default();
        let old = fields.get(&field).map(|(stamp, _)| *stamp);
        let stamp = old.map_or(when.time, |old| old.max(when.time));
        fields.insert(field, (stamp, number));
        old.is_none()
    }

    pub(super) fn add_field(
        &mut self,
        key: u64,
        field: u8,
        when: When,
        edit: impl FnOnce(&mut i64) -> i64,
    ) -> i64 {
        let fields = self.maps.entry(key).or_default();
        let (stamp, value) = fields.entry(field).or_insert((when.time, 100));
        *stamp = (*stamp).max(when.time);
        edit(value)
    }

    pub(super) fn get_field(&mut self, key: u64, field: u8, when: When) -> Option<i64> {
        let (stamp, value) = self.maps.get_mut(&key)?.get_mut(&field)?;
        if self.refreshes {
            *stamp = (*stamp).max(when.time);
        }
        Some(*value)
    }

    pub(super) fn entries(&mut self, key: u64, when: When) -> BTreeMap<u8, i64> {
        let mut entries = BTreeMap::new();
        for (field, (stamp, value)) in self.maps.entry(key).or_default() {
            if self.refreshes {
                *stamp = (*stamp).max(when.time);
            }
            entries.insert(*field, *value);
        }
        entries
    }

    /// Compares all that can be read at `now`, without reading it in a way that changes anything.
    pub(super) fn compare<B: Backend>(&self, run: &Run<B>, states: &Expire<B>, now: i64) {
        let Expire { values, lists, maps } = states;
        let (mut found, mut list_keys) = (BTreeMap::new(), BTreeSet::new());
        let mut map_keys = BTreeSet::new();
        for group in groups(values) {
            let shown = values.visit(group, now, |key, value| {
                assert_eq!(found.insert(*key, *value), None, "a key was visited twice");
                ControlFlow::Continue(())
            });
            shown.unwrap();
            let shown = lists.keys(group, now, |key: &Place| {
                assert!(list_keys.insert((key.key, key.window)), "a key was visited twice");
                ControlFlow::Continue(())
            });
            shown.unwrap();
            let shown = maps.keys(group, now, |key: &u64| {
                assert!(map_keys.insert(*key), "a key was visited twice");
                ControlFlow::Continue(())
            });
            shown.unwrap();
        }
        let expected: BTreeMap<_, _> =
            self.values.iter().map(|(key, (_, value))| (*key, *value)).collect();
        assert_eq!(found, expected);
        assert_eq!(list_keys, self.lists.keys().copied().collect());
        assert_eq!(map_keys, self.maps.keys().copied().collect());
        for key in 0..4 {
            let value = values.peek(run.at(key), now).unwrap().map(|value| *value);
            assert_eq!(value, self.values.get(&key).map(|(_, value)| *value));
            self.compare_lists(run, states, key, now);
            let expected = self.maps.get(&key);
            let mut found = BTreeMap::new();
            let shown = maps.peek_entries(run.at(key), now, |field, value| {
                assert_eq!(found.insert(*field, *value), None, "a field was visited twice");
                ControlFlow::Continue(())
            });
            shown.unwrap();
            let expected: BTreeMap<_, _> = (expected.into_iter().flatten())
                .map(|(field, (_, value))| (*field, *value))
                .collect();
            assert_eq!(found, expected);
            assert_eq!(maps.len(run.at(key), now).unwrap(), expected.len() as u64);
            assert_eq!(maps.is_empty(run.at(key), now).unwrap(), expected.is_empty());
        }
        let live = values.census(now).unwrap().live
            + lists.census(now).unwrap().live
            + maps.census(now).unwrap().live;
        assert_eq!(live, self.count());
    }

    fn compare_lists<B: Backend>(&self, run: &Run<B>, states: &Expire<B>, key: u64, now: i64) {
        for window in 0..3 {
            let (at, mut found) = (run.at::<Place>((key, window)), Vec::new());
            let shown = states.lists.peek(at, now, |item| {
                found.push(*item);
                ControlFlow::Continue(())
            });
            shown.unwrap();
            let expected = self.lists.get(&(key, window));
            let expected: Vec<_> = expected.into_iter().flatten().map(|(_, item)| *item).collect();
            assert_eq!(found, expected);
            assert_eq!(states.lists.len(at, now).unwrap(), expected.len() as u64);
            assert_eq!(states.lists.is_empty(at, now).unwrap(), expected.is_empty());
        }
    }
}
