//! What the store promises beside the conformance suite: its files, its clean-up, its figures.
#![cfg(feature = "rocksdb")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use holdwater::key::KeyGroups;
use holdwater::snapshot::freeze;
use holdwater::state::{Backend, Cut, Descriptor, State, Value};
use holdwater::ttl::Ttl;
use holdwater_conformance::keyed::{Sole, contents};
use holdwater_rocksdb::{Memory, RocksDbOptions};

const KEYS: u64 = 300;

fn groups() -> KeyGroups {
    KeyGroups::all(4)
}

fn options(directory: &Path) -> RocksDbOptions {
    RocksDbOptions::new(directory).with_memory(Memory::new(16 << 20))
}

/// Returns how many databases there are.
fn databases(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().join("db").exists()).count()
}

#[test]
fn a_database_is_gone_once_its_store_states_and_snapshots_are() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory.path().join("made when needed"));
    let store = options.open(groups()).unwrap();
    let other = options.open(groups()).unwrap();
    assert_eq!(databases(options.directory()), 2);
    drop(other);
    let mut value = Sole(store.states().value(Descriptor::<u64, u64>::new("value")).unwrap());
    value.put(groups().locate::<u64>(1), 1).unwrap();
    let cut = Cut { checkpoint: 1, base: None, now: 0, watermark: 0 };
    let frozen = freeze(&mut value, groups(), cut).unwrap();
    drop((store, value));
    assert_eq!(databases(options.directory()), 1);
    assert_eq!(contents(&frozen).rows(), 1);
    drop(frozen);
    assert_eq!(databases(options.directory()), 0);
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_is_in_use_stays() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let store = options.open(groups()).unwrap();
    let left = directory.path().join("holdwater-rocksdb-left");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("IN_USE"), "").unwrap();
    fs::write(left.join("000012.sst"), "rows").unwrap();
    let foreign = directory.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    drop(RocksDbOptions::new(directory.path()));
    assert!(!left.exists() && foreign.exists());
    assert_eq!(databases(directory.path()), 1);
    let mut value = store.states().value(Descriptor::<u64, u64>::new("value")).unwrap();
    value.put(groups().locate::<u64>(1), 1).unwrap();
}

#[test]
fn a_compaction_leaves_out_what_has_expired_unless_a_snapshot_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = options(directory.path()).open(groups()).unwrap();
    let ttl = Ttl::processing(Duration::from_millis(1000));
    let value = ttl.value(&mut store.states(), Descriptor::<u64, u64>::new("value"));
    let mut value = Sole(value.unwrap());
    for key in 0..KEYS {
        value.put(groups().locate::<u64>(key), key, key as i64).unwrap();
    }
    let stored = || {
        store.compact().unwrap();
        let keys = store.property("value", "rocksdb.estimate-num-keys");
        keys[0].parse::<u64>().unwrap()
    };
    assert_eq!(stored(), KEYS);
    // Told what time it is, and to look at nothing.
    value.sweep(1000 + 99, 0).unwrap();
    assert_eq!(stored(), KEYS - 100);
    let cut = Cut { checkpoint: 1, base: None, now: 1000 + 149, watermark: 0 };
    let frozen = freeze(&mut value, groups(), cut).unwrap();
    value.sweep(1000 + 199, 0).unwrap();
    assert_eq!(stored(), KEYS - 100);
    assert_eq!(contents(&frozen).rows(), KEYS - 150);
    drop(frozen);
    value.sweep(1000 + 199, 0).unwrap();
    assert_eq!(stored(), KEYS - 200);
    for key in 0..KEYS {
        let found = value.get(groups().locate::<u64>(key), 1000).unwrap();
        assert_eq!(found.as_deref().copied(), (key >= 200).then_some(key));
    }
}

#[test]
fn what_rocksdb_counts_is_shown_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let silent = options(directory.path()).open(groups()).unwrap();
    assert_eq!(silent.statistics(), None);
    let store = options(directory.path()).with_statistics().open(groups()).unwrap();
    let mut value = store.states().value(Descriptor::<u64, u64>::new("value")).unwrap();
    for key in 0..KEYS {
        value.put(groups().locate::<u64>(key), key).unwrap();
    }
    assert!(store.metrics().buffers > 0 && store.metrics().memory >= store.metrics().buffers);
    assert_eq!(store.metrics().files, 0);
    assert!(value.bytes() > 0);
    store.compact().unwrap();
    assert!(store.metrics().files > 0 && value.bytes() >= store.metrics().files);
    let counted = store.statistics().unwrap();
    assert!(counted.contains("rocksdb.number.keys.written COUNT : 300"), "{counted}");
    assert_eq!(store.property("no such state", "rocksdb.stats").len(), 0);
    assert_eq!(store.property("value", "no such property").len(), 0);
}
