//! A map per key, ordered or not.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use holdwater::key::In;
use holdwater::state::{Backend, Fate, Loan, Map, State};

use super::read::{entries, map_keys, rows};
use super::{Alike, Maps, Run, Sole};

/// Opens a map state.
macro_rules! open {
    ($run:expr, $key:ty, $field:ty, $value:ty) => {
        $run.open(|store| Ok(Sole(M::open::<B, $key, $field, $value>(store)?)))
    };
}

/// 32: fields are put, read, replaced and dropped, and say whether they were there.
pub fn fields_are_put_read_and_dropped<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, String, i64);
    let at = run.at(1);
    assert!(state.put(at, "a", 1).unwrap());
    assert!(!state.put(at, "a", 2).unwrap());
    assert!(state.put(at, "b", 3).unwrap());
    state.turn();
    assert_eq!(state.get(at, "a").unwrap().map(Loan::into_owned), Some(2));
    assert_eq!(state.get(at, "c").unwrap().map(Loan::into_owned), None);
    assert_eq!(state.get(run.at(2), "a").unwrap().map(Loan::into_owned), None);
    assert!(state.remove(at, "a").unwrap());
    assert!(!state.remove(at, "a").unwrap());
    assert!(!state.remove(run.at(2), "b").unwrap());
    state.turn();
    assert_eq!(entries(&state.0, at), BTreeMap::from([("b".into(), 3)]));
}

/// 33: what is visited, counted and read one by one agrees.
pub fn entries_agree_with_single_reads<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, u32, u64);
    for field in 0..100 {
        state.put(run.at(u64::from(field % 3)), field, u64::from(field) * 7).unwrap();
    }
    state.turn();
    for key in 0..3 {
        let entries = entries(&state.0, run.at(key));
        assert_eq!(entries.keys().map(|field| u64::from(field % 3)).max(), Some(key));
        for (field, value) in entries {
            assert_eq!(*state.get(run.at(key), field).unwrap().unwrap(), value);
        }
    }
}

/// 34: fields and keys that begin like others do not mix.
pub fn fields_that_begin_like_others_do_not_mix<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, String, String, String);
    let names = ["", "1", "11", "111", "1\0", "2"];
    for key in names {
        for field in names {
            state.put(run.at(key), field, format!("{key}/{field}")).unwrap();
        }
    }
    state.turn();
    state.remove(run.at("1"), "1").unwrap();
    state.remove_all(run.at("11")).unwrap();
    state.turn();
    for key in names {
        let expected = |field: &&str| key != "11" && (key, *field) != ("1", "1");
        let expected = names.into_iter().filter(expected);
        let expected: BTreeMap<_, _> =
            expected.map(|field| (field.into(), format!("{key}/{field}"))).collect();
        assert_eq!(entries(&state.0, run.at(key)), expected, "{key}");
    }
}

/// 34: keys and fields whose digests are equal are told apart.
pub fn fields_of_one_digest_are_told_apart<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, Alike, Alike, u32);
    let place = |number: u32| (run.at::<Alike>(Alike(number % 5)), Alike(number / 5));
    for number in 0..60 {
        let (at, field) = place(number);
        assert!(state.put(at, field, number).unwrap());
    }
    state.turn();
    for number in (0..60).step_by(4) {
        let (at, field) = place(number);
        assert!(state.remove(at, field).unwrap());
    }
    state.remove_all(run.at(Alike(3))).unwrap();
    state.turn();
    for number in 0..60 {
        let (at, field) = place(number);
        let left = number % 4 != 0 && number % 5 != 3;
        let found = state.get(at, field).unwrap().map(Loan::into_owned);
        assert_eq!(found, left.then_some(number));
    }
    assert_eq!((rows(&state.0), map_keys(&state.0).len()), (4, 4));
}

/// 37: an update edits the value of one field, and makes it where there is none.
pub fn an_update_edits_one_field<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, String, Vec<u8>);
    let at = run.at(1);
    state.put(at, "other", vec![9]).unwrap();
    for item in 0..3 {
        let edit = |list: &mut Vec<u8>| {
            list.push(item);
            list.len()
        };
        assert_eq!(state.update(at, "list", Vec::new, edit).unwrap(), usize::from(item) + 1);
        state.turn();
    }
    let expected = BTreeMap::from([("list".into(), vec![0, 1, 2]), ("other".into(), vec![9])]);
    assert_eq!(entries(&state.0, at), expected);
}

/// 38: asked one by one, fields stay, change or go; with the last one goes the map.
pub fn fields_stay_change_or_go_one_by_one<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, u64, String);
    let at = run.at(1);
    let mut expected = BTreeMap::new();
    for field in 0..150 {
        state.put(at, field, field.to_string()).unwrap();
        expected.insert(field, field.to_string());
    }
    state.put(run.at(2), 1, "other".into()).unwrap();
    state.turn();
    for (dropped, changed) in [(2, 2), (5, 0), (3, 7)] {
        let fate = |field: &u64, value: &String| match field % 10 {
            rest if rest == dropped => Fate::Dropped,
            rest if rest == changed => Fate::Changed(format!("{value}!")),
            _ => Fate::Kept,
        };
        state.retain(at, fate).unwrap();
        expected.retain(|field, value| {
            let fate = fate(field, value);
            if let Fate::Changed(new) = &fate {
                value.clone_from(new);
            }
            fate != Fate::Dropped
        });
        assert_eq!(entries(&state.0, at), expected);
        state.turn();
        assert_eq!(entries(&state.0, at), expected);
    }
    state.retain(at, |_, _| Fate::Dropped).unwrap();
    state.retain(run.at(3), |_, _| Fate::Dropped).unwrap();
    assert_eq!(state.rows(), 1);
    state.turn();
    assert_eq!((entries(&state.0, at).len(), state.rows()), (0, 1));
}

/// 38: a map of many fields, some dropped and some changed, shows each that is left once.
pub fn a_map_of_many_fields_shows_each_once<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, u64, u64);
    let at = run.at(1);
    let mut expected = BTreeMap::new();
    for field in 0..500 {
        state.put(at, field * 977, field).unwrap();
        expected.insert(field * 977, field);
    }
    state.turn();
    for field in (0..500).filter(|field| field % 5 == 2) {
        state.remove(at, field * 977).unwrap();
        expected.remove(&(field * 977));
        state.put(at, (field + 1) * 977, 0).unwrap();
        expected.insert((field + 1) * 977, 0);
    }
    assert_eq!(entries(&state.0, at), expected);
    state.turn();
    assert_eq!(entries(&state.0, at), expected);
}

/// 40, 41: a map is empty when new and when its last field is dropped, and then takes no row.
pub fn a_map_without_fields_takes_no_row<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, u8, u8);
    let at = run.at(1);
    assert!(state.is_empty(at).unwrap());
    state.put(at, 1, 1).unwrap();
    state.put(at, 2, 2).unwrap();
    assert!(!state.is_empty(at).unwrap());
    assert_eq!(rows(&state.0), 1);
    state.turn();
    state.remove(at, 1).unwrap();
    assert!(!state.is_empty(at).unwrap());
    state.remove(at, 2).unwrap();
    assert!(state.is_empty(at).unwrap());
    assert_eq!((rows(&state.0), map_keys(&state.0).len()), (0, 0));
    state.turn();
    assert!(state.is_empty(at).unwrap());
    assert_eq!(rows(&state.0), 0);
}

/// 42: a field whose value is none is there.
pub fn a_field_of_none_is_not_an_absent_one<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, String, Option<u8>);
    let at = run.at(1);
    state.put(at, "none", None).unwrap();
    state.turn();
    assert_eq!(state.get(at, "none").unwrap().map(Loan::into_owned), Some(None));
    assert_eq!(state.get(at, "other").unwrap().map(Loan::into_owned), None);
    assert_eq!(state.len(at).unwrap(), 1);
}

/// 44: the entries of an absent map are none.
pub fn an_absent_map_has_no_entries<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, u8, u8);
    state.put(run.at(2), 1, 1).unwrap();
    state.turn();
    assert_eq!(entries(&state.0, run.at(1)), BTreeMap::new());
}

/// 45, 46: keys, and keys with windows, are listed once however many fields they have.
pub fn keys_with_a_map_are_listed_once<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, In<u64, i8>, u64, u64);
    for key in 0..20 {
        for field in 0..key % 5 {
            state.put(run.at::<u64>(key).within(-1), field, 0).unwrap();
            state.put(run.at::<u64>(key).within(1), field, 0).unwrap();
        }
    }
    state.turn();
    let mut found = BTreeSet::new();
    for group in run.groups().iter() {
        let visited = state.keys(group, |key| {
            assert!(found.insert((key.key, key.window)), "a key was visited twice");
            ControlFlow::Continue(())
        });
        visited.unwrap();
    }
    let keys = (0..20).filter(|key| key % 5 != 0);
    assert_eq!(found, keys.flat_map(|key| [(key, -1), (key, 1)]).collect());
}

/// 47: dropping a map drops all its fields, and those of no other key or window.
pub fn dropping_a_map_drops_its_fields_alone<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, In<u64, i8>, u64, u64);
    let at = |key, window| run.at::<u64>(key).within(window);
    let places = [(1, 1), (1, 2), (2, 1)];
    for (key, window) in places {
        for field in 0..20 {
            state.put(at(key, window), field, field).unwrap();
        }
    }
    state.turn();
    state.remove_all(at(1, 1)).unwrap();
    state.remove_all(at(3, 1)).unwrap();
    state.turn();
    let lengths = places.map(|(key, window)| state.len(at(key, window)).unwrap());
    assert_eq!(lengths, [0, 20, 20]);
    state.put(at(1, 1), 5, 50).unwrap();
    state.turn();
    assert_eq!(entries(&state.0, at(1, 1)), BTreeMap::from([(5, 50)]));
}

/// 33: a visit of the entries ends where it is told to.
pub fn a_visit_of_entries_ends_early<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, u64, u64);
    for field in 0..10 {
        state.put(run.at(1), field, 1).unwrap();
    }
    state.turn();
    let mut seen = 0;
    let visited = state.entries(run.at(1), |_, value| {
        seen += value;
        if seen == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    visited.unwrap();
    assert_eq!(seen, 4);
}

/// 65: maps that were cleared are gone.
pub fn cleared_maps_are_gone<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, u64, u64, u64);
    for key in 0..10 {
        state.put(run.at(key), key, key).unwrap();
        state.put(run.at(key), key + 1, key).unwrap();
    }
    state.turn();
    state.clear().unwrap();
    assert_eq!((rows(&state.0), map_keys(&state.0)), (0, BTreeSet::new()));
    state.turn();
    assert!(state.put(run.at(1), 1, 1).unwrap());
    state.turn();
    assert_eq!(rows(&state.0), 1);
}

/// 19, 54: the maps of windows join: fields move, and of one that is in several a value is made, in
/// order.
pub fn maps_of_windows_join<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, In<String, u8>, String, String);
    let at = |window| run.at::<String>("key").within(window);
    for (window, fields) in [(1, &["a", "b"][..]), (2, &["b", "c"]), (3, &["c", "a", "d"])] {
        for field in fields {
            state.put(at(window), field, format!("{field}{window}")).unwrap();
        }
    }
    state.turn();
    let append = |old: &mut String, new: String| old.push_str(&new);
    state.merge(at(1), &[at(2), at(1), at(3), at(2)], append).unwrap();
    state.turn();
    let expected = [("a", "a1a3"), ("b", "b1b2"), ("c", "c2c3"), ("d", "d3")];
    let expected = expected.map(|(field, text)| (field.to_owned(), text.to_owned()));
    assert_eq!(entries(&state.0, at(1)), BTreeMap::from(expected.clone()));
    assert_eq!(rows(&state.0), 1);
    // To where nothing is, and on from there.
    state.remove(at(1), "b").unwrap();
    state.merge(at(9), &[at(1)], append).unwrap();
    state.put(at(9), "a", "new".into()).unwrap();
    state.turn();
    state.remove(at(9), "c").unwrap();
    state.turn();
    let moved = [("a", "new"), ("d", "d3")].map(|(field, text)| (field.into(), text.into()));
    assert_eq!(entries(&state.0, at(9)), BTreeMap::from(moved));
    assert_eq!(entries(&state.0, at(1)), BTreeMap::new());
    assert_eq!(map_keys(&state.0), BTreeSet::from([In { key: "key".to_owned(), window: 9 }]));
}

/// 19: large maps join whole, also with what only one of them has seen removed.
pub fn large_maps_join<B: Backend, M: Maps>(run: &Run<B>) {
    let mut state = open!(run, In<u64, u8>, u32, u64);
    let at = |window| run.at::<u64>(7).within(window);
    (0..150).for_each(|field| assert!(state.put(at(1), field, 1).unwrap()));
    state.turn();
    (100..250).for_each(|field| assert!(state.put(at(2), field, 10).unwrap()));
    (0..50).for_each(|field| assert!(state.remove(at(1), field).unwrap()));
    state.merge(at(3), &[at(1), at(2)], |old, new| *old += new).unwrap();
    state.turn();
    let expected = |field| {
        if field < 100 {
            1
        } else if field < 150 {
            11
        } else {
            10
        }
    };
    let expected = (50..250).map(|field| (field, expected(field)));
    assert_eq!(entries(&state.0, at(3)), expected.collect());
    assert_eq!(rows(&state.0), 1);
}
