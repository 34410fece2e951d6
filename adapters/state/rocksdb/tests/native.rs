//! Checkpoints that keep the files of databases as they are.
#![cfg(feature = "rocksdb")]
#![allow(clippy::unwrap_used)]

mod fleet;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

use holdwater::checkpoint::{LoadFailure, RestorePolicy, load};
use holdwater::key::{In, KeyGroups};
use holdwater::manifest::CheckpointKind;
use holdwater::snapshot::freeze;
use holdwater::state::{Backend, Cut, List, Map, OrderedMap, State, Timers, Value};
use holdwater::storage::{ObjectId, Storage};
use holdwater_bytes::Bytes;
use holdwater_conformance::keyed::{All, contents};
use holdwater_files::Files;
use holdwater_fixed::Fixed;
use holdwater_heap::Heap;
use holdwater_mmap::Mmap;
use holdwater_rocksdb::RocksDbError;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::fleet::{Fleet, GROUPS, OPERATOR, copy_of};

const KEYS: u64 = 400;

/// Changes rows of every kind, new ones and old ones, as `round` says.
fn change<B: Backend>(states: &mut All<B>, groups: KeyGroups, key: u64, round: u64) {
    let at = groups.locate::<u64>(key);
    if !(key + round).is_multiple_of(3) {
        states.texts.put(at, format!("{key} in round {round}")).unwrap();
        states.amounts.put(at, "a", (key * round) as i64).unwrap();
        states.amounts.put(at, &format!("in round {round}"), 1).unwrap();
        states.bids.put(at, round as i16, "bid".into()).unwrap();
        states.numbers.push(at.within(1), round as u32).unwrap();
        states.timers.register(at, (key + round) as i64).unwrap();
    } else {
        states.texts.remove(at).unwrap();
        states.amounts.remove(at, "a").unwrap();
        states.bids.remove_all(at).unwrap();
        states.numbers.remove(groups.locate::<In<u64, u8>>((key, 1))).unwrap();
    }
}

/// The same states in memory, never restored.
struct Truth(All<Bytes<holdwater_bytes::Ordered>>);

impl Truth {
    fn new() -> Self {
        Self(All::open(&mut Bytes::in_memory(KeyGroups::all(GROUPS))).unwrap())
    }

    fn change(&mut self, round: u64) {
        (0..KEYS).for_each(|key| change(&mut self.0, KeyGroups::all(GROUPS), key, round));
    }

    fn contents(&mut self) -> BTreeMap<(String, u16), (u64, u128)> {
        let cut = Cut { checkpoint: u64::MAX, base: None, now: 0, watermark: 0 };
        contents(&freeze(&mut self.0, KeyGroups::all(GROUPS), cut).unwrap()).groups
    }

    fn rows(&self) -> [u64; 5] {
        rows(&self.0)
    }
}

fn rows<B: Backend>(states: &All<B>) -> [u64; 5] {
    let All { texts, numbers, amounts, timers, bids } = states;
    [texts.rows(), numbers.rows(), amounts.rows(), timers.rows(), bids.rows()]
}

fn change_all<B: Storage + Clone>(fleet: &mut Fleet<B>, round: u64) {
    for key in 0..KEYS {
        fleet.own(key, |states, groups| change(states, groups, key, round));
    }
}

#[test]
fn a_change_of_tasks_keeps_the_content_and_saves_no_table() {
    let (mut truth, mut fleet) = (Truth::new(), Fleet::begin(1));
    change_all(&mut fleet, 1);
    truth.change(1);
    // Tables that RocksDB has put in order, and will not write anew by itself.
    fleet.stores().for_each(|store| store.compact().unwrap());
    fleet.checkpoint();
    let before = fleet.tables();
    for tasks in [2, 3, 1, 5, 2, 2, 16, 1] {
        fleet.restore(tasks);
        assert_eq!((fleet.contents(), fleet.rows()), (truth.contents(), truth.rows()), "{tasks}");
        fleet.checkpoint();
        assert_eq!(fleet.tables(), before, "restored to {tasks} tasks");
    }
}

#[test]
fn tables_are_not_copied_where_the_storage_hands_out_files() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Files::open(directory.path()).unwrap();
    let mut fleet = Fleet::begin_with(storage, 1);
    change_all(&mut fleet, 1);
    fleet.checkpoint();
    let names = |file: &ObjectId| {
        let path = directory.path().join("data").join(file.to_string());
        std::fs::metadata(path).unwrap().nlink()
    };
    let tables = fleet.tables();
    assert_eq!(tables.iter().map(names).max(), Some(1));
    fleet.restore(3);
    assert_eq!(tables.iter().map(names).min(), Some(1 + 3));
    let mut truth = Truth::new();
    truth.change(1);
    assert_eq!(fleet.contents(), truth.contents());
}

#[test]
fn a_portable_checkpoint_after_files_stands_on_none_of_them() {
    let (mut truth, mut fleet) = (Truth::new(), Fleet::begin(2));
    change_all(&mut fleet, 1);
    fleet.checkpoint();
    fleet.keep_no_files();
    fleet.restore(3);
    change_all(&mut fleet, 2);
    (1..3).for_each(|round| truth.change(round));
    fleet.checkpoint();
    assert!(fleet.manifest().native_files().is_empty());
    change_all(&mut fleet, 3);
    truth.change(3);
    fleet.checkpoint();
    fleet.restore(2);
    assert_eq!((fleet.contents(), fleet.rows()), (truth.contents(), truth.rows()));
}

#[test]
fn what_changes_between_changes_of_tasks_is_kept_and_saved_beside_the_old() {
    let (mut truth, mut fleet) = (Truth::new(), Fleet::begin(1));
    for (round, tasks) in (1..).zip([1, 3, 2, 5]) {
        fleet.restore(tasks);
        change_all(&mut fleet, round);
        truth.change(round);
        let before = fleet.tables();
        fleet.checkpoint();
        assert!(round == 1 || !fleet.tables().is_disjoint(&before));
        assert!(!fleet.tables().is_subset(&before));
        assert_eq!((fleet.contents(), fleet.rows()), (truth.contents(), truth.rows()), "{tasks}");
    }
}

#[test]
fn what_others_took_over_is_left_out_by_compactions() {
    let (mut truth, mut fleet) = (Truth::new(), Fleet::begin(1));
    change_all(&mut fleet, 1);
    truth.change(1);
    fleet.checkpoint();
    fleet.restore(4);
    let whole: Vec<_> = fleet.stores().map(|store| store.metrics().files).collect();
    fleet.stores().for_each(|store| store.compact().unwrap());
    for (store, whole) in fleet.stores().zip(whole) {
        assert!(store.metrics().files < whole * 2 / 3, "{:?} of {whole}", store.metrics());
    }
    assert_eq!(fleet.contents(), truth.contents());
    fleet.checkpoint();
    fleet.restore(1);
    assert_eq!(fleet.stores().next().unwrap().metrics().databases, 4);
    assert_eq!(fleet.contents(), truth.contents());
}

/// What happens to a job between two changes of rows.
#[derive(Clone, Copy, Debug)]
enum Event {
    Checkpoint,
    Compaction,
    Restore(u16),
    Sweep(usize),
}

fn events() -> impl Strategy<Value = (Event, Vec<u64>)> {
    let event = prop_oneof![
        1 => Just(Event::Checkpoint),
        1 => Just(Event::Compaction),
        1 => (1..6u16).prop_map(Event::Restore),
        12 => (1..40usize).prop_map(Event::Sweep),
    ];
    (event, vec(0..KEYS, 0..6))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn databases_that_were_taken_over_become_one_while_rows_change(events in vec(events(), 90)) {
        let (mut truth, mut fleet) = (Truth::new(), Fleet::begin(4));
        change_all(&mut fleet, 1);
        truth.change(1);
        fleet.checkpoint();
        fleet.restore(1);
        let mut merged = fleet.sweep(1);
        for (round, (event, keys)) in (2..).zip(events) {
            match event {
                Event::Checkpoint => fleet.checkpoint(),
                Event::Compaction => fleet.stores().for_each(|store| store.compact().unwrap()),
                Event::Restore(tasks) => {
                    fleet.checkpoint();
                    fleet.restore(tasks);
                }
                Event::Sweep(steps) => merged += fleet.sweep(steps),
            }
            for key in keys {
                fleet.own(key, |states, groups| change(states, groups, key, round));
                change(&mut truth.0, KeyGroups::all(GROUPS), key, round);
            }
        }
        prop_assert!(merged > 0);
        prop_assert_eq!((fleet.contents(), fleet.rows()), (truth.contents(), truth.rows()));
        fleet.checkpoint();
        fleet.restore(2);
        while fleet.sweep(100) > 0 {}
        prop_assert!(fleet.stores().all(|store| store.metrics().databases == 1));
        fleet.stores().for_each(|store| store.compact().unwrap());
        prop_assert_eq!((fleet.contents(), fleet.rows()), (truth.contents(), truth.rows()));
    }
}

#[test]
fn an_aborted_checkpoint_is_no_base_and_a_dropped_one_leaves_no_files() {
    let (mut truth, mut fleet) = (Truth::new(), Fleet::begin(2));
    change_all(&mut fleet, 1);
    fleet.checkpoint();
    change_all(&mut fleet, 2);
    fleet.abort();
    change_all(&mut fleet, 3);
    (1..4).for_each(|round| truth.change(round));
    fleet.checkpoint();
    fleet.restore(3);
    assert_eq!(fleet.contents(), truth.contents());
}

#[test]
fn a_changed_byte_of_a_file_is_found_before_it_is_opened() {
    let mut fleet = Fleet::begin(1);
    change_all(&mut fleet, 1);
    fleet.checkpoint();
    let (manifest, intact) = (fleet.manifest().clone(), fleet.storage());
    for file in &manifest.files {
        let mut storage = copy_of(&intact);
        let mut bytes = vec![0; file.length as usize];
        assert_eq!(storage.read(file.id, 0, &mut bytes).unwrap(), bytes.len());
        let Some(middle) = bytes.len().checked_sub(1).map(|last| last / 2) else { continue };
        bytes[middle] ^= 0x10;
        storage.remove(file.id).unwrap();
        let mut damaged = storage.create(file.id).unwrap();
        storage.write(&mut damaged, &bytes).unwrap();
        storage.sync(damaged).unwrap();
        let (mut states, groups) = (fleet.fresh(), KeyGroups::all(GROUPS));
        let policy = RestorePolicy::PreviousCheckpoint;
        match load(&manifest, OPERATOR, groups, &storage, policy, &mut states) {
            Err(LoadFailure::Damaged(damage)) => assert_eq!(damage.file, file.id),
            other => panic!("{other:?} of {}", file.id),
        }
    }
}

#[test]
fn another_store_says_whose_files_they_are_and_takes_a_savepoint() {
    let (mut truth, mut fleet) = (Truth::new(), Fleet::begin(2));
    change_all(&mut fleet, 1);
    truth.change(1);
    fleet.checkpoint();
    let groups = KeyGroups::all(GROUPS);
    let load = |fleet: &Fleet, states: &mut All<Heap>| {
        let policy = RestorePolicy::Fail;
        let loaded = load(fleet.manifest(), OPERATOR, groups, &fleet.storage(), policy, states);
        loaded.map(|_| ()).map_err(|failure| failure.to_string())
    };
    let open = || All::open(&mut Heap::new(groups)).unwrap();
    let refused = load(&fleet, &mut open()).unwrap_err();
    assert!(refused.contains("files of the store rocksdb"), "{refused}");
    fleet.take(CheckpointKind::Savepoint);
    assert!(fleet.manifest().native_files().is_empty());
    let mut states = open();
    load(&fleet, &mut states).unwrap();
    let cut = Cut { checkpoint: 99, base: None, now: 0, watermark: 0 };
    assert_eq!(contents(&freeze(&mut states, groups, cut).unwrap()).groups, truth.contents());
    // The way back: a portable checkpoint, and files again after it.
    fleet.restore(3);
    assert_eq!(fleet.contents(), truth.contents());
    fleet.checkpoint();
    assert!(!fleet.manifest().native_files().is_empty());
    fleet.restore(2);
    assert_eq!(fleet.contents(), truth.contents());
}

#[test]
fn any_store_restores_a_savepoint_of_files_at_another_parallelism() {
    let (mut truth, mut fleet) = (Truth::new(), Fleet::begin(2));
    for round in 1..4 {
        for key in 0..60 {
            fleet.own(key, |states, groups| change(states, groups, key, round));
            change(&mut truth.0, KeyGroups::all(GROUPS), key, round);
        }
        fleet.checkpoint();
        assert!(!fleet.manifest().native_files().is_empty());
        fleet.restore(3);
    }
    fleet.take(CheckpointKind::Savepoint);
    let wanted = truth.contents();
    assert_eq!(restored(&fleet, Bytes::in_memory), wanted);
    assert_eq!(restored(&fleet, Heap::new), wanted);
    assert_eq!(restored(&fleet, |groups| Mmap::new(groups, std::env::temp_dir())), wanted);
    // Its rows lie on the stack.
    let thread = std::thread::Builder::new().stack_size(32 << 20);
    let fixed = move || restored(&fleet, |groups| Fixed::<512>::new(groups).unwrap());
    assert_eq!(thread.spawn(fixed).unwrap().join().unwrap(), wanted);
}

/// Restores the newest checkpoint in another store, as two tasks; returns what they hold together.
fn restored<B: Backend>(
    fleet: &Fleet,
    open: fn(KeyGroups) -> B,
) -> BTreeMap<(String, u16), (u64, u128)> {
    let mut together = BTreeMap::new();
    for index in 0..2 {
        let groups = KeyGroups::share(GROUPS, 2, index);
        let (mut states, policy) = (All::open(&mut open(groups)).unwrap(), RestorePolicy::Fail);
        load(fleet.manifest(), OPERATOR, groups, &fleet.storage(), policy, &mut states).unwrap();
        let cut = Cut { checkpoint: u64::MAX, base: None, now: 0, watermark: 0 };
        together.extend(contents(&freeze(&mut states, groups, cut).unwrap()).groups);
    }
    together
}

#[test]
fn a_restored_state_goes_on() {
    let mut fleet = Fleet::begin(2);
    change_all(&mut fleet, 1);
    fleet.checkpoint();
    fleet.restore(3);
    let mut seen = 0;
    for key in 0..KEYS {
        fleet.own(key, |states, groups| {
            let at = groups.locate::<u64>(key);
            let was = !(key + 1).is_multiple_of(3);
            assert_eq!(states.texts.get(at).unwrap().is_some(), was);
            assert_eq!(states.numbers.len(at.within(1)).unwrap(), u64::from(was));
            let first = states.bids.range(at, 0..=1, |_, _| {
                seen += 1;
                ControlFlow::Continue(())
            });
            first.unwrap();
        });
    }
    assert_eq!(seen, (0..KEYS).filter(|key| !(key + 1).is_multiple_of(3)).count());
    let error: Result<(), RocksDbError> = fleet.clear();
    error.unwrap();
    assert_eq!(fleet.rows(), [0; 5]);
}
