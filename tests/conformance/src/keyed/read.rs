//! What tests read, gathered.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use holdwater::key::{At, Key, KeyGroups};
use holdwater::schema::Data;
use holdwater::state::{List, Loan, Map, State, Value};

/// Returns the value of a key.
pub(super) fn value<K: Key, V: Data>(state: &impl Value<K, V>, at: At<'_, K>) -> Option<V> {
    state.get(at).unwrap().map(Loan::into_owned)
}

/// Returns all keys with their values.
pub(super) fn values<K: Key + Ord, V: Data>(state: &impl Value<K, V>) -> BTreeMap<K, V> {
    let mut values = BTreeMap::new();
    for group in state.groups().iter() {
        let visited = state.visit(group, |key, value| {
            let old = values.insert(key.clone(), value.clone());
            assert!(old.is_none(), "a key was visited twice");
            ControlFlow::Continue(())
        });
        visited.unwrap();
    }
    values
}

/// Returns the items of a key.
pub(crate) fn items<K: Key, V: Data>(state: &impl List<K, V>, at: At<'_, K>) -> Vec<V> {
    let mut items = Vec::new();
    let visited = state.items(at, |item| {
        items.push(item.clone());
        ControlFlow::Continue(())
    });
    visited.unwrap();
    assert_eq!(state.len(at).unwrap(), items.len() as u64);
    assert_eq!(state.is_empty(at).unwrap(), items.is_empty());
    items
}

/// Returns the fields of a key with their values.
pub(crate) fn entries<K: Key, F: Key + Ord, V: Data>(
    state: &impl Map<K, F, V>,
    at: At<'_, K>,
) -> BTreeMap<F, V> {
    let mut entries = BTreeMap::new();
    let visited = state.entries(at, |field, value| {
        let old = entries.insert(field.clone(), value.clone());
        assert!(old.is_none(), "a field was visited twice");
        ControlFlow::Continue(())
    });
    visited.unwrap();
    assert_eq!(state.len(at).unwrap(), entries.len() as u64);
    assert_eq!(state.is_empty(at).unwrap(), entries.is_empty());
    entries
}

/// Returns the keys that have a list.
pub(super) fn list_keys<K: Key + Ord, V: Data>(state: &impl List<K, V>) -> BTreeSet<K> {
    gather(state.groups(), |group, keys| state.keys(group, |key| keys.take(key)).unwrap())
}

/// Returns the keys that have a map.
pub(super) fn map_keys<K: Key + Ord, F: Key, V: Data>(state: &impl Map<K, F, V>) -> BTreeSet<K> {
    gather(state.groups(), |group, keys| state.keys(group, |key| keys.take(key)).unwrap())
}

/// Returns how many keys have a row.
pub(super) fn rows(state: &impl State) -> u64 {
    state.rows()
}

struct Keys<K>(BTreeSet<K>);

impl<K: Key + Ord> Keys<K> {
    fn take(&mut self, key: &K) -> ControlFlow<()> {
        assert!(self.0.insert(key.clone()), "a key was visited twice");
        ControlFlow::Continue(())
    }
}

fn gather<K: Key + Ord>(
    groups: KeyGroups,
    mut of: impl FnMut(holdwater::key::KeyGroup, &mut Keys<K>),
) -> BTreeSet<K> {
    let mut keys = Keys(BTreeSet::new());
    groups.iter().for_each(|group| of(group, &mut keys));
    keys.0
}
