//! Values, items and fields that expire, in memory and in files.

#![allow(clippy::unwrap_used)]

mod place;

use std::time::Duration;

use holdwater::key::KeyGroups;
use holdwater::snapshot;
use holdwater::state::{Cut, Descriptor, State, States};
use holdwater::ttl::Ttl;
use holdwater_conformance::keyed::{Contents, Sole, contents};
use holdwater_mmap::{Mmap, MmapError};

use place::directory;

const KEYS: u64 = 300;

fn groups() -> KeyGroups {
    KeyGroups::all(4)
}

fn stores() -> [Mmap; 2] {
    [1 << 20, 3000].map(|bytes| Mmap::new(groups(), directory()).with_segment_bytes(bytes))
}

fn ttl() -> Ttl {
    Ttl::processing(Duration::from_millis(1000))
}

fn freeze<S: States<Error = MmapError>>(
    states: &mut S,
    checkpoint: u64,
    base: Option<u64>,
    now: i64,
) -> Contents {
    let cut = Cut { checkpoint, base, now, watermark: 0 };
    contents(&snapshot::freeze(states, groups(), cut).unwrap())
}

/// Sweeps until nothing is left to do, a step at a time.
fn sweep<S: State<Error = MmapError>>(state: &mut S, now: i64) {
    let mut steps = 0;
    while state.sweep(now, 1).unwrap() > 0 {
        steps += 1;
        assert!(steps < 1000, "a sweep ends");
    }
}

#[test]
fn expired_values_are_left_out_of_snapshots_and_swept() {
    for mut store in stores() {
        let mut state =
            Sole(ttl().value(&mut store, Descriptor::<u64, u64>::new("value")).unwrap());
        for key in 0..KEYS {
            state.put(groups().locate::<u64>(key), key, key as i64).unwrap();
        }
        assert_eq!(freeze(&mut state, 1, None, 1000).rows(), KEYS - 1);
        assert_eq!(freeze(&mut state, 2, None, 1000 + 99).rows(), KEYS - 100);
        // What had expired once stays expired.
        assert_eq!(freeze(&mut state, 3, None, 0).rows(), KEYS - 100);
        assert_eq!(state.rows(), KEYS);
        sweep(&mut state.0, 1000 + 99);
        assert_eq!(state.rows(), KEYS - 100);
        for key in 0..KEYS {
            let value = state.get(groups().locate::<u64>(key), 500).unwrap();
            assert_eq!(value.as_deref().copied(), (key >= 100).then_some(key));
        }
        sweep(&mut state.0, i64::MAX);
        assert_eq!((state.rows(), freeze(&mut state, 4, None, 0).rows()), (0, 0));
    }
}

#[test]
fn expired_items_leave_the_list_and_those_that_live_keep_their_order() {
    for mut store in stores() {
        let mut state = Sole(ttl().list(&mut store, Descriptor::<u64, u64>::new("list")).unwrap());
        let at = groups().locate::<u64>(1);
        // Every third item is an old one.
        for item in 0..KEYS {
            state.push(at, item, if item % 3 == 0 { 0 } else { 900 }).unwrap();
        }
        state.push(groups().locate::<u64>(2), 7, 0).unwrap();
        let left: Vec<_> = (0..KEYS).filter(|item| item % 3 != 0).collect();
        assert_eq!(freeze(&mut state, 1, None, 1000).rows(), left.len() as u64);
        sweep(&mut state.0, 1000);
        assert_eq!(state.rows(), 1);
        let mut found = Vec::new();
        state
            .items(at, 1000, |item| {
                found.push(*item);
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(found, left);
        assert_eq!(freeze(&mut state, 2, None, 1000).rows(), left.len() as u64);
        sweep(&mut state.0, 1900);
        assert_eq!(state.rows(), 0);
    }
}

#[test]
fn expired_fields_leave_the_map() {
    for mut store in stores() {
        let mut state =
            Sole(ttl().map(&mut store, Descriptor::<u64, (u64, u64)>::new("map")).unwrap());
        // Some maps of many fields, some of few.
        for field in 0..KEYS {
            state.put(groups().locate::<u64>(1), field, field, field as i64).unwrap();
            state.put(groups().locate::<u64>(100 + field), 0, field, field as i64).unwrap();
        }
        assert_eq!(freeze(&mut state, 1, None, 1000 + 199).rows(), 2 * (KEYS - 200));
        sweep(&mut state.0, 1000 + 199);
        assert_eq!(state.rows(), 1 + KEYS - 200);
        for field in 0..KEYS {
            let value = state.get(groups().locate::<u64>(1), field, 500).unwrap();
            assert_eq!(value.as_deref().copied(), (field >= 200).then_some(field));
        }
        assert_eq!(freeze(&mut state, 2, None, 0).rows(), 2 * (KEYS - 200));
    }
}
