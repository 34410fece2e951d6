//! A list per key.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use holdwater::key::In;
use holdwater::state::{Backend, Descriptor, Fate, List, State};

use super::read::{items, list_keys, rows};
use super::spread::{SPREAD, Spread};
use super::{Alike, Run, Sole};

/// Opens a list state.
macro_rules! open {
    ($run:expr, $key:ty, $item:ty) => {
        $run.open(|store| Ok(Sole(store.list(Descriptor::<$key, $item>::new("list"))?)))
    };
}

/// 13: a key without items has an empty list.
pub fn an_absent_list_is_empty<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    assert_eq!(items(&state.0, run.at(1)), []);
    state.push(run.at(2), 2).unwrap();
    state.turn();
    assert_eq!(items(&state.0, run.at(1)), []);
}

/// 14: items stay in the order in which they were pushed, keys apart.
pub fn items_stay_in_their_order<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, String, u64);
    for item in 0..40 {
        state.push(run.at("a"), item).unwrap();
        state.push(run.at("b"), 100 - item).unwrap();
        if item % 15 == 0 {
            state.turn();
        }
    }
    state.turn();
    assert_eq!(items(&state.0, run.at("a")), (0..40).collect::<Vec<_>>());
    assert_eq!(items(&state.0, run.at("b")), (61..=100).rev().collect::<Vec<_>>());
}

/// 14, 92: the one list of a state whose key is nothing.
pub fn the_list_of_no_key_grows_and_is_replaced<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, (), u32);
    for item in 0..150 {
        state.push(run.at(()), item).unwrap();
        if item % 70 == 0 {
            state.turn();
        }
    }
    state.turn();
    assert_eq!(items(&state.0, run.at(())), (0..150).collect::<Vec<_>>());
    state.set(run.at(()), [7, 8]).unwrap();
    state.turn();
    assert_eq!((items(&state.0, run.at(())), rows(&state.0)), (vec![7, 8], 1));
}

/// 14: the lists of keys whose digests are equal are told apart.
pub fn lists_of_one_digest_are_told_apart<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, Alike, u32);
    for item in 0..60 {
        state.push(run.at(Alike(item % 7)), item).unwrap();
    }
    state.turn();
    state.remove(run.at(Alike(2))).unwrap();
    state.set(run.at(Alike(3)), [1]).unwrap();
    state.merge(run.at(Alike(4)), &[run.at(Alike(0)), run.at(Alike(6))]).unwrap();
    state.push(run.at(Alike(5)), 100).unwrap();
    state.turn();
    let of = |key: u32| (0..60).filter(move |item| item % 7 == key);
    assert_eq!(items(&state.0, run.at(Alike(1))), of(1).collect::<Vec<_>>());
    assert_eq!(items(&state.0, run.at(Alike(2))), []);
    assert_eq!(items(&state.0, run.at(Alike(3))), [1]);
    let joined = of(4).chain(of(0)).chain(of(6));
    assert_eq!(items(&state.0, run.at(Alike(4))), joined.collect::<Vec<_>>());
    assert_eq!(items(&state.0, run.at(Alike(5))), of(5).chain([100]).collect::<Vec<_>>());
    assert_eq!((rows(&state.0), list_keys(&state.0).len()), (4, 4));
}

/// 14: setting a list replaces it, by a longer or a shorter one.
pub fn setting_replaces_the_list<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    for list in [vec![17, 42], vec![27, 99, 5], vec![1], vec![1, 1]] {
        state.set(run.at(1), list.clone()).unwrap();
        assert_eq!(items(&state.0, run.at(1)), list);
        state.turn();
        assert_eq!(items(&state.0, run.at(1)), list);
        assert_eq!(rows(&state.0), 1);
    }
}

/// 15: setting a list to nothing drops it.
pub fn setting_to_nothing_drops_the_list<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    state.set(run.at(1), [17, 42]).unwrap();
    state.turn();
    state.set(run.at(1), []).unwrap();
    state.set(run.at(2), []).unwrap();
    assert_eq!(rows(&state.0), 0);
    state.turn();
    assert_eq!((items(&state.0, run.at(1)), rows(&state.0)), (vec![], 0));
}

/// 14: asked one by one, items stay, change or go; those that are left stay in their order.
pub fn items_stay_change_or_go_one_by_one<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u32);
    let mut expected: Vec<u32> = (0..300).collect();
    state.set(run.at(1), expected.iter().copied()).unwrap();
    state.set(run.at(2), [7]).unwrap();
    state.turn();
    let fates: [fn(u32) -> Fate<u32>; 5] = [
        |_| Fate::Kept,
        |item| if item == 299 { Fate::Changed(1000) } else { Fate::Kept },
        |item| if item == 150 { Fate::Dropped } else { Fate::Kept },
        |item| if item % 3 == 0 { Fate::Dropped } else { Fate::Changed(item + 1) },
        |item| if item < 200 { Fate::Dropped } else { Fate::Kept },
    ];
    for fate in fates {
        state.retain(run.at(1), |item| fate(*item)).unwrap();
        expected = (expected.into_iter())
            .filter_map(|item| match fate(item) {
                Fate::Changed(item) => Some(item),
                Fate::Dropped => None,
                Fate::Kept => Some(item),
            })
            .collect();
        assert_eq!(items(&state.0, run.at(1)), expected);
        state.turn();
        state.push(run.at(1), 7000).unwrap();
        expected.push(7000);
        state.turn();
        assert_eq!(items(&state.0, run.at(1)), expected);
    }
    state.retain(run.at(1), |_| Fate::Dropped).unwrap();
    state.retain(run.at(3), |_| Fate::Dropped).unwrap();
    assert_eq!((items(&state.0, run.at(1)), rows(&state.0)), (vec![], 1));
    state.turn();
    assert_eq!((items(&state.0, run.at(2)), rows(&state.0)), (vec![7], 1));
}

/// 14: what is pushed after the last items were dropped follows those that stayed.
pub fn a_list_that_was_cut_grows_on<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u32);
    for length in 1..40 {
        let at = run.at(length.into());
        for item in 0..length {
            state.push(at, item).unwrap();
        }
        state.push(run.at(0), length).unwrap();
        let kept = length * 2 / 3;
        state.retain(at, |item| if *item < kept { Fate::Kept } else { Fate::Dropped }).unwrap();
        state.push(at, 1000).unwrap();
        state.turn();
        state.push(at, 2000).unwrap();
        let expected: Vec<u32> = (0..kept).chain([1000, 2000]).collect();
        assert_eq!(items(&state.0, at), expected);
        // Small stores have no room for all of them.
        state.remove(at).unwrap();
    }
}

/// 18: after every list was dropped no row is left; dropping an absent one is done.
pub fn dropped_lists_leave_no_row<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    for key in 0..20 {
        state.push(run.at(key), 1).unwrap();
        state.push(run.at(key), 2).unwrap();
    }
    assert_eq!(rows(&state.0), 20);
    state.turn();
    for key in 0..30 {
        state.remove(run.at(key)).unwrap();
    }
    assert_eq!((rows(&state.0), list_keys(&state.0).len()), (0, 0));
    state.turn();
    assert_eq!(rows(&state.0), 0);
}

/// 19, 20: lists of windows join in the target, in the order of the sources, which are gone;
/// a key without any stays absent; and clearing afterwards leaves nothing.
pub fn lists_of_windows_join<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, In<String, u8>, i32);
    let at = |key, window| run.at::<String>(key).within(window);
    for Spread { key, windows } in SPREAD {
        for (window, numbers) in windows {
            state.set(at(key, *window), numbers.iter().copied()).unwrap();
        }
    }
    state.turn();
    for Spread { key, .. } in SPREAD {
        state.merge(at(key, 1), &[at(key, 2), at(key, 3)]).unwrap();
    }
    state.turn();
    for Spread { key, windows } in SPREAD {
        let joined: Vec<_> = windows.iter().flat_map(|(_, numbers)| *numbers).copied().collect();
        assert_eq!(items(&state.0, at(key, 1)), joined, "{key}");
        assert_eq!(items(&state.0, at(key, 2)), []);
        assert_eq!(items(&state.0, at(key, 3)), []);
    }
    assert_eq!(rows(&state.0), 4);
    for Spread { key, .. } in SPREAD {
        state.remove(at(key, 1)).unwrap();
    }
    state.turn();
    assert_eq!(rows(&state.0), 0);
}

/// 19: a window that is joined with itself keeps its items.
pub fn a_list_joined_with_itself_stays_as_it_is<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, In<u64, u8>, u64);
    let (at, other) = (run.at::<u64>(1).within(1), run.at::<u64>(1).within(2));
    state.set(at, [1, 2]).unwrap();
    state.set(other, [3]).unwrap();
    state.turn();
    state.merge(at, &[at, other, other]).unwrap();
    state.turn();
    assert_eq!(items(&state.0, at), [1, 2, 3]);
}

/// 19: a list that moves to where nothing is grows there as it did.
pub fn a_list_that_moved_grows_on<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, In<u64, u8>, String);
    let (from, to) = (run.at::<u64>(1).within(1), run.at::<u64>(1).within(2));
    let mut expected = Vec::new();
    for round in 0..4 {
        for item in 0..40 {
            state.push(from, format!("{round}/{item}")).unwrap();
            expected.push(format!("{round}/{item}"));
        }
        state.turn();
        state.merge(to, &[from]).unwrap();
        state.turn();
        assert_eq!(items(&state.0, to), expected);
        assert_eq!(rows(&state.0), 1);
        state.push(to, "here".into()).unwrap();
        expected.push("here".into());
        state.merge(from, &[to]).unwrap();
    }
    state.turn();
    assert_eq!(items(&state.0, from), expected);
}

/// 21: pushing, setting and dropping take effect in the order in which they are called.
pub fn pushes_and_replacements_take_effect_in_order<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u64);
    let at = run.at(1);
    state.push(at, 1).unwrap();
    state.set(at, [2, 3]).unwrap();
    state.push(at, 4).unwrap();
    state.turn();
    state.remove(at).unwrap();
    state.push(at, 5).unwrap();
    state.turn();
    state.push(at, 6).unwrap();
    state.set(at, [7]).unwrap();
    state.push(at, 8).unwrap();
    state.turn();
    assert_eq!(items(&state.0, at), [7, 8]);
}

/// 14: a visit of the items ends where it is told to.
pub fn a_visit_of_items_ends_early<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u64);
    state.set(run.at(1), 0..10).unwrap();
    state.turn();
    let mut seen = Vec::new();
    let visited = state.items(run.at(1), |item| {
        seen.push(*item);
        if *item == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    visited.unwrap();
    assert_eq!(seen, [0, 1, 2, 3]);
}

/// 55, 56: the keys with a list are listed once each, however many items they have; windows too.
pub fn keys_with_a_list_are_listed_once<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, In<u64, u8>, u64);
    for key in 0..30 {
        for item in 0..key % 4 {
            state.push(run.at::<u64>(key).within(1), item).unwrap();
            state.push(run.at::<u64>(key).within(2), item).unwrap();
        }
    }
    state.turn();
    let keys = (0..30).filter(|key| key % 4 != 0);
    let windows = keys.flat_map(|key| [(key, 1), (key, 2)]);
    let found = list_keys_of_windows(&state.0);
    assert_eq!(found, windows.collect());
}

/// 22: a long list reads back whole, also from a file of small blocks.
pub fn a_long_list_is_kept_whole<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, String, String);
    let item = |number: usize| "x".repeat(number);
    for number in 0..300 {
        state.push(run.at("long"), item(number)).unwrap();
    }
    state.turn();
    state.push(run.at("long"), item(3000)).unwrap();
    state.turn();
    let lengths: Vec<_> = items(&state.0, run.at("long")).iter().map(String::len).collect();
    assert_eq!(lengths, (0..300).chain([3000]).collect::<Vec<_>>());
}

/// 65: lists that were cleared are gone.
pub fn cleared_lists_are_gone<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u64);
    state.set(run.at(1), [1, 2]).unwrap();
    state.turn();
    state.clear().unwrap();
    assert_eq!((rows(&state.0), items(&state.0, run.at(1))), (0, vec![]));
    state.turn();
    state.push(run.at(1), 3).unwrap();
    state.turn();
    assert_eq!(items(&state.0, run.at(1)), [3]);
}

fn list_keys_of_windows(state: &impl List<In<u64, u8>, u64>) -> BTreeSet<(u64, u8)> {
    let mut keys = BTreeSet::new();
    for group in state.groups().iter() {
        let visited = state.keys(group, |key| {
            assert!(keys.insert((key.key, key.window)), "a key was visited twice");
            ControlFlow::Continue(())
        });
        visited.unwrap();
    }
    keys
}
