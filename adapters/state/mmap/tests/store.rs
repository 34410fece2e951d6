//! What the store promises beside the conformance suite: its budget, its files, its errors.

#![allow(clippy::unwrap_used)]

mod place;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::thread;

use holdwater::error::{ErrorKind, StateError};
use holdwater::key::KeyGroups;
use holdwater::snapshot;
use holdwater::state::{
    Backend, Cut, Descriptor, List, Map, State, States, TimeDomain, Timers, Value,
};
use holdwater_conformance::keyed::{Contents, Sole, contents};
use holdwater_mmap::{Mmap, MmapError, MmapValue};

use place::directory;

fn groups() -> KeyGroups {
    KeyGroups::all(8)
}

fn store() -> Mmap {
    Mmap::new(groups(), directory())
}

fn texts(store: &mut Mmap) -> Sole<MmapValue<u64, String>> {
    Sole(store.value(Descriptor::new("texts")).unwrap())
}

fn text(key: u64, round: u64) -> String {
    format!("{key} in round {round} ").repeat(5)
}

fn freeze<S: States<Error = MmapError>>(
    states: &mut S,
    checkpoint: u64,
    base: Option<u64>,
) -> Contents {
    let cut = Cut { checkpoint, base, now: 0, watermark: 0 };
    contents(&snapshot::freeze(states, groups(), cut).unwrap())
}

#[test]
fn state_larger_than_the_budget_stays_within_it() {
    let mut store = store().with_budget(2 << 20);
    let mut state = texts(&mut store);
    for key in 0..30_000 {
        state.put(groups().locate::<u64>(key), text(key, 0)).unwrap();
        assert!(store.memory() <= 2 << 20, "{} bytes with {key} rows", store.memory());
    }
    // The rows are 2.7 MB and more, the index 0.8 MB.
    assert!(state.bytes() > 3 << 20);
    for key in (0..30_000).rev() {
        let value = state.get(groups().locate::<u64>(key)).unwrap();
        assert_eq!(value.as_deref(), Some(&text(key, 0)), "{key}");
    }
    drop(state);
    assert_eq!(store.memory(), 0);
}

#[test]
fn the_budget_is_for_all_states_and_leaves_each_room() {
    let mut store = store().with_budget(3 << 20);
    let mut state = texts(&mut store);
    let mut sums = store.sharing(groups());
    let mut sums = sums.map::<u64, u64, u64>(Descriptor::new("sums")).unwrap();
    for key in 0..20_000 {
        state.put(groups().locate::<u64>(key), text(key, 0)).unwrap();
    }
    for key in 0..2000 {
        for field in 0..10 {
            sums.put(groups().locate::<u64>(key), field, key * field).unwrap();
            assert!(store.memory() <= 3 << 20, "{} bytes at {key}", store.memory());
        }
    }
    for key in 0..2000 {
        assert_eq!(
            sums.get(groups().locate::<u64>(key), 7).unwrap().map(|sum| *sum),
            Some(key * 7)
        );
        assert_eq!(sums.len(groups().locate::<u64>(key)).unwrap(), 10);
    }
}

#[test]
fn an_index_without_room_is_full_until_rows_are_removed() {
    let mut store = store().with_budget(200_000);
    let mut state = Sole(store.value::<u64, u64>(Descriptor::new("numbers")).unwrap());
    let put =
        |state: &mut Sole<MmapValue<u64, u64>>, key| state.put(groups().locate::<u64>(key), key);
    let full = (0..).find_map(|key| put(&mut state, key).err().map(|error| (key, error)));
    let (rows, error) = full.unwrap();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(rows > 5000, "{rows}");
    assert_eq!(state.rows(), rows);
    assert_eq!(state.get(groups().locate::<u64>(rows)).unwrap().map(|value| *value), None);
    assert_eq!(freeze(&mut state, 1, None).rows(), rows);
    for key in 0..rows {
        let at = groups().locate::<u64>(key);
        assert_eq!(state.get(at).unwrap().map(|value| *value), Some(key));
        state.remove(at).unwrap();
    }
    state.aborted(1);
    while state.sweep(0, 100).unwrap() > 0 {}
    assert_eq!(put(&mut state, rows).err().map(|error| error.kind()), None);
}

#[test]
fn files_do_not_outgrow_the_rows_that_are_there() {
    let mut store = store().with_budget(1 << 20);
    let mut state = texts(&mut store);
    let mut most = 0;
    for round in 0..40 {
        for key in 0..2000 {
            state.put(groups().locate::<u64>(key), text(key, round)).unwrap();
        }
        most = most.max(state.bytes());
    }
    // Each round writes 200 KB.
    assert!(most < 2_000_000, "{most}");
    for key in 0..2000 {
        let value = state.get(groups().locate::<u64>(key)).unwrap();
        assert_eq!(value.as_deref(), Some(&text(key, 39)));
    }
}

#[test]
fn a_frozen_state_is_saved_by_another_thread_while_the_owner_writes() {
    for maps in [true, false] {
        let store = store().with_segment_bytes(40_000);
        let mut store = if maps { store } else { store.with_positional_reads() };
        let mut state = texts(&mut store);
        let fill = |state: &mut Sole<MmapValue<u64, String>>, keys: std::ops::Range<u64>, round| {
            for key in keys {
                state.put(groups().locate::<u64>(key), text(key, round)).unwrap();
            }
        };
        fill(&mut state, 0..3000, 0);
        for round in 1..6 {
            let expected = freeze(&mut state, 2 * round, None);
            let cut = Cut { checkpoint: 2 * round + 1, base: None, now: 0, watermark: 0 };
            let frozen = snapshot::freeze(&mut state, groups(), cut).unwrap();
            let saving = thread::spawn(move || contents(&frozen));
            fill(&mut state, round * 100..round * 300, round);
            for key in 0..round * 50 {
                state.remove(groups().locate::<u64>(key)).unwrap();
            }
            assert_eq!(saving.join().unwrap(), expected);
        }
    }
}

#[test]
fn what_a_snapshot_holds_is_counted_until_it_is_dropped() {
    let mut store = store();
    let mut state = texts(&mut store);
    for key in 0..1000 {
        state.put(groups().locate::<u64>(key), text(key, 0)).unwrap();
    }
    let cut = Cut { checkpoint: 1, base: None, now: 0, watermark: 0 };
    let frozen = snapshot::freeze(&mut state, groups(), cut).unwrap();
    let before = store.memory();
    for key in 0..1000 {
        state.put(groups().locate::<u64>(key), text(key, 1)).unwrap();
    }
    let during = store.memory();
    assert!(during > before + 100_000, "{before}, {during}");
    state.clear().unwrap();
    assert!(store.memory() > 100_000, "{}", store.memory());
    drop(frozen);
    assert!(store.memory() < 100_000, "{}", store.memory());
}

#[test]
fn a_directory_that_takes_no_file_is_an_error_and_the_rows_stay() {
    let nowhere = directory().join("holdwater-mmap-test-nowhere");
    let mut store = Mmap::new(groups(), &nowhere).with_segment_bytes(10_000);
    let mut state = texts(&mut store);
    let put = |state: &mut Sole<MmapValue<u64, String>>, key: u64| {
        state.put(groups().locate::<u64>(key), text(key, 0))
    };
    let failed = (0..).find_map(|key| put(&mut state, key).err().map(|error| (key, error)));
    let (rows, error) = failed.unwrap();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("make a segment"), "{error}");
    for key in 0..rows {
        let value = state.get(groups().locate::<u64>(key)).unwrap();
        assert_eq!(value.as_deref(), Some(&text(key, 0)));
    }
    std::fs::create_dir(&nowhere).unwrap();
    let stored = put(&mut state, rows);
    std::fs::remove_dir(&nowhere).unwrap();
    stored.unwrap();
}

#[test]
fn a_long_list_grows_by_its_items_alone() {
    let mut store = store().with_segment_bytes(100_000);
    let mut state = Sole(store.list::<u64, u64>(Descriptor::new("list")).unwrap());
    let at = groups().locate::<u64>(1);
    for item in 0..100_000 {
        state.push(at, item).unwrap();
    }
    // 8 bytes an item; heads of rows and chunks beside.
    assert!(state.bytes() < 1_300_000, "{}", state.bytes());
    let mut next = 0;
    state
        .items(at, |item| {
            assert_eq!(*item, next);
            next += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((next, state.len(at).unwrap()), (100_000, 100_000));
    assert_eq!(freeze(&mut state, 1, None).rows(), 100_000);
}

#[test]
fn maps_of_many_fields_move_between_memory_and_files() {
    let mut store = store().with_segment_bytes(50_000);
    let mut state = Sole(store.map::<u64, String, u64>(Descriptor::new("map")).unwrap());
    let mut truth = BTreeMap::new();
    for step in 0..30_000u64 {
        let (key, field) = (step % 3, format!("field {}", step * 7919 % 2003));
        let at = groups().locate::<u64>(key);
        if step % 5 == 4 {
            let found = state.remove(at, &field).unwrap();
            assert_eq!(found, truth.remove(&(key, field)).is_some());
        } else {
            let new = state.put(at, &field, step).unwrap();
            assert_eq!(new, truth.insert((key, field), step).is_none());
        }
        if step % 4000 == 0 {
            freeze(&mut state, step + 1, None);
            state.completed(step + 1);
        }
    }
    let mut found = BTreeMap::new();
    for key in 0..3 {
        let visited = state.entries(groups().locate::<u64>(key), |field, value| {
            found.insert((key, field.clone()), *value);
            ControlFlow::Continue(())
        });
        visited.unwrap();
    }
    assert_eq!(found, truth);
}

#[test]
fn timers_that_fired_leave_nothing() {
    let mut store = store().with_segment_bytes(20_000);
    let mut state =
        Sole(store.timers::<u64>(Descriptor::new("timers"), TimeDomain::Event).unwrap());
    for time in 0..5000i64 {
        state.register(groups().locate::<u64>(time as u64 % 700), time).unwrap();
    }
    for expected in 0..5000 {
        assert_eq!(state.take(i64::MAX).unwrap().map(|timer| timer.time), Some(expected));
    }
    assert_eq!((state.take(i64::MAX).unwrap(), state.rows()), (None, 0));
    assert!(state.bytes() < 10_000, "{}", state.bytes());
}

#[test]
fn removed_rows_are_forgotten_once_no_delta_asks_for_them() {
    let mut store = store().with_segment_bytes(1 << 20);
    let mut state = texts(&mut store);
    let put = |state: &mut Sole<MmapValue<u64, String>>, keys: std::ops::Range<u64>| {
        for key in keys {
            state.put(groups().locate::<u64>(key), text(key, 0)).unwrap();
        }
    };
    put(&mut state, 0..100);
    freeze(&mut state, 1, None);
    state.completed(1);
    // As windows do: rows come and go.
    let mut most = 0;
    for round in 1..50u64 {
        put(&mut state, round * 10_000..round * 10_000 + 3000);
        for key in round * 10_000..round * 10_000 + 3000 {
            state.remove(groups().locate::<u64>(key)).unwrap();
        }
        freeze(&mut state, round + 1, Some(round));
        state.completed(round + 1);
        while state.sweep(0, 1000).unwrap() > 0 {}
        most = most.max(store.memory());
    }
    assert_eq!(state.rows(), 100);
    // The tail, and the index of some rounds, not of all 147,000 rows.
    assert!(most < 3 << 20, "{most}");
    assert_eq!(freeze(&mut state, 1000, None).rows(), 100);
}
