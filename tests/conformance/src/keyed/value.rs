//! One value per key.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use holdwater::key::{In, KeyGroup};
use holdwater::state::{Backend, Descriptor, State, Value};

use super::read::{rows, value, values};
use super::{Alike, Pair, Run, Sole};

/// Opens a value state; the types follow from its use.
macro_rules! open {
    ($run:expr, $key:ty, $value:ty) => {
        $run.open(|store| Ok(Sole(store.value(Descriptor::<$key, $value>::new("value"))?)))
    };
}

/// 1: what is written under a key is read under that key, also in turns.
pub fn keys_do_not_see_each_other<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, String);
    let (one, two) = (run.at(1), run.at(2));
    state.put(one, "1".into()).unwrap();
    assert_eq!(value(&state.0, two), None);
    state.turn();
    state.put(two, "2".into()).unwrap();
    assert_eq!(value(&state.0, one), Some("1".into()));
    state.put(one, "u1".into()).unwrap();
    state.turn();
    assert_eq!(value(&state.0, two), Some("2".into()));
    state.put(two, "u2".into()).unwrap();
    state.turn();
    assert_eq!(value(&state.0, one), Some("u1".into()));
    assert_eq!(value(&state.0, two), Some("u2".into()));
}

/// 1: keys of every kind are told apart.
pub fn keys_of_any_type_are_told_apart<B: Backend>(run: &Run<B>) {
    let mut texts = open!(run, String, u8);
    let mut pairs = open!(run, (i8, char), u8);
    let mut unit = open!(run, (), u8);
    let names = ["", "a", "aa", "ab", "b", "a\0", "\u{10ffff}"];
    for (number, name) in names.into_iter().enumerate() {
        texts.put(run.at(name), number as u8).unwrap();
        pairs.put(run.at((-1, 'x')), 1).unwrap();
        pairs.put(run.at((1, 'x')), 2).unwrap();
        unit.put(run.at(()), number as u8).unwrap();
    }
    texts.turn();
    pairs.turn();
    unit.turn();
    for (number, name) in names.into_iter().enumerate() {
        assert_eq!(value(&texts.0, run.at(name)), Some(number as u8));
    }
    assert_eq!(value(&pairs.0, run.at((-1, 'x'))), Some(1));
    assert_eq!(value(&pairs.0, run.at((1, 'x'))), Some(2));
    assert_eq!(value(&unit.0, run.at(())), Some(6));
}

/// 1: keys whose digests are equal are told apart.
pub fn keys_of_one_digest_are_told_apart<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, Alike, u32);
    for number in 0..40 {
        state.put(run.at(Alike(number)), number).unwrap();
    }
    state.turn();
    for number in (0..40).step_by(3) {
        state.remove(run.at(Alike(number))).unwrap();
        state.update(run.at(Alike(number + 1)), || 0, |value| *value += 100).unwrap();
    }
    state.turn();
    for number in 0..40 {
        let expected = [None, Some(number + 100), Some(number)][number as usize % 3];
        assert_eq!(value(&state.0, run.at(Alike(number))), expected);
    }
    assert_eq!(rows(&state.0), 27);
}

/// 2: a key without a value has none.
pub fn an_absent_value_is_none<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    assert_eq!(value(&state.0, run.at(7)), None);
    state.put(run.at(8), 1).unwrap();
    state.turn();
    assert_eq!(value(&state.0, run.at(7)), None);
}

/// 3: what an update starts from is made anew for each key.
pub fn each_update_starts_from_a_default_of_its_own<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, Vec<u64>);
    for key in [1, 2] {
        state.update(run.at(key), Vec::new, |list| list.push(key)).unwrap();
    }
    state.turn();
    state.update(run.at(1), Vec::new, |list| list.push(10)).unwrap();
    state.turn();
    assert_eq!(value(&state.0, run.at(1)), Some(vec![1, 10]));
    assert_eq!(value(&state.0, run.at(2)), Some(vec![2]));
}

/// 3: an update edits what is there, calls the default only for a new key, and returns what the
/// edit returns.
pub fn an_update_edits_what_is_there<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    let add = |sum: &mut i64| {
        *sum += 5;
        *sum
    };
    assert_eq!(state.update(run.at(1), || 100, add).unwrap(), 105);
    state.turn();
    let init = || panic!("there is a value");
    assert_eq!(state.update(run.at(1), init, add).unwrap(), 110);
    assert_eq!(value(&state.0, run.at(1)), Some(110));
}

/// 31: what an edit changed before it failed stays; the failure is the caller's.
pub fn an_edit_that_fails_keeps_what_it_changed<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    let edit = |value: &mut i64| {
        *value += 1;
        Err::<(), _>("no")
    };
    assert_eq!(state.update(run.at(1), || 1, edit).unwrap(), Err("no"));
    state.turn();
    assert_eq!(value(&state.0, run.at(1)), Some(2));
}

/// 1: a batch of updates is the same as one after the other, also of one key.
pub fn a_batch_updates_in_order<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, Vec<u64>);
    let places = [3, 1, 3, 2, 3].map(|key| run.at(key));
    for _ in 0..2 {
        let edit = |index, list: &mut Vec<u64>| list.push(index as u64);
        state.update_batch(&places, |_| Vec::new(), edit).unwrap();
        state.turn();
    }
    assert_eq!(value(&state.0, run.at(3)), Some(vec![0, 2, 4, 0, 2, 4]));
    assert_eq!(value(&state.0, run.at(1)), Some(vec![1, 1]));
    assert_eq!(rows(&state.0), 3);
}

/// 4, 6: a value that was removed is absent, and takes no row.
pub fn a_removed_value_is_absent_and_takes_no_row<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    state.put(run.at(1), 1).unwrap();
    state.put(run.at(2), 2).unwrap();
    state.turn();
    state.remove(run.at(1)).unwrap();
    assert_eq!((value(&state.0, run.at(1)), rows(&state.0)), (None, 1));
    state.turn();
    assert_eq!((value(&state.0, run.at(1)), rows(&state.0)), (None, 1));
    state.remove(run.at(2)).unwrap();
    state.turn();
    assert_eq!(rows(&state.0), 0);
    state.put(run.at(1), 3).unwrap();
    state.turn();
    assert_eq!((value(&state.0, run.at(1)), rows(&state.0)), (Some(3), 1));
}

/// 6: removing what is absent changes nothing.
pub fn removing_an_absent_value_is_done<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i64);
    state.remove(run.at(1)).unwrap();
    state.put(run.at(2), 2).unwrap();
    state.turn();
    state.remove(run.at(1)).unwrap();
    state.turn();
    assert_eq!((value(&state.0, run.at(2)), rows(&state.0)), (Some(2), 1));
}

/// 5, 42: a value of none is a value, and survives a restore.
pub fn a_value_of_none_is_not_an_absent_one<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, Option<String>);
    state.put(run.at(1), None).unwrap();
    state.turn();
    assert_eq!(value(&state.0, run.at(1)), Some(None));
    assert_eq!(value(&state.0, run.at(2)), None);
}

/// 9: states of one store, with the same keys, are apart.
pub fn states_of_one_store_do_not_collide<B: Backend>(run: &Run<B>) {
    let mut states = run.open(|store| {
        let first = store.value(Descriptor::<u64, i64>::new("first"))?;
        Ok(Pair(first, store.value(Descriptor::<u64, String>::new("second"))?))
    });
    states.0.put(run.at(1), 5).unwrap();
    assert_eq!(value(&states.1, run.at(1)), None);
    states.turn();
    states.1.put(run.at(1), "five".into()).unwrap();
    states.turn();
    states.0.remove(run.at(1)).unwrap();
    states.turn();
    assert_eq!(value(&states.0, run.at(1)), None);
    assert_eq!(value(&states.1, run.at(1)), Some("five".into()));
}

/// 1: a value is as long as it likes, also longer than a block of a file.
pub fn long_values_are_kept_whole<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, String, String);
    let long = |n: usize| "0123456789".repeat(n);
    let key = long(80);
    for n in [0, 50, 500, 5000] {
        state.put(run.at("x"), long(n)).unwrap();
        state.put(run.at(key.as_str()), long(n + 1)).unwrap();
        state.turn();
        assert_eq!(value(&state.0, run.at("x")), Some(long(n)));
        assert_eq!(value(&state.0, run.at(key.as_str())), Some(long(n + 1)));
    }
}

/// 55: visiting the groups shows each key once, with its value.
pub fn visiting_shows_each_key_once<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u64);
    for key in 0..300 {
        state.put(run.at(key), key * 2).unwrap();
    }
    state.turn();
    for key in (0..300).step_by(3) {
        state.remove(run.at(key)).unwrap();
    }
    state.turn();
    let expected: BTreeMap<u64, u64> =
        (0..300).filter(|key| key % 3 != 0).map(|key| (key, key * 2)).collect();
    assert_eq!(values(&state.0), expected);
    assert_eq!(rows(&state.0), 200);
}

/// 55: a visit shows the keys of its group, and ends where it is told to.
pub fn a_visit_shows_one_group_and_ends_early<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u64);
    for key in 0..100 {
        state.put(run.at(key), key).unwrap();
    }
    state.turn();
    let group = KeyGroup::new(3);
    let mut seen = 0;
    let visited = state.visit(group, |key, _| {
        assert_eq!(run.at::<u64>(*key).group(), group);
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    visited.unwrap();
    assert_eq!(seen, 2);
}

/// 54, 59: the windows of a key are apart, and each takes a row.
pub fn windows_of_a_key_are_apart<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, In<String, i64>, i64);
    let at = |key, window| run.at::<String>(key).within(window);
    for (sum, (key, window)) in [("a", 1), ("a", 2), ("b", 1), ("a", -1)].into_iter().enumerate() {
        state.put(at(key, window), sum as i64).unwrap();
    }
    state.turn();
    state.remove(at("a", 2)).unwrap();
    state.turn();
    assert_eq!(value(&state.0, at("a", 1)), Some(0));
    assert_eq!(value(&state.0, at("a", 2)), None);
    assert_eq!(value(&state.0, at("b", 1)), Some(2));
    assert_eq!(value(&state.0, at("a", -1)), Some(3));
    assert_eq!(rows(&state.0), 3);
}

/// 57, 58: keys can be gathered and then changed, each of them once.
pub fn keys_can_be_gathered_and_then_changed<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u64);
    for key in 0..50 {
        state.put(run.at(key), 0).unwrap();
    }
    state.turn();
    for (key, _) in values(&state.0) {
        state.remove(run.at(key)).unwrap();
        if key % 2 == 0 {
            state.update(run.at(key), || 7, |value| *value += key).unwrap();
        }
        state.put(run.at(key + 1000), 1).unwrap();
    }
    state.turn();
    assert_eq!(rows(&state.0), 75);
    assert_eq!(value(&state.0, run.at(48)), Some(55));
    assert_eq!(value(&state.0, run.at(1049)), Some(1));
}

/// 65: a state that was cleared is empty, however often, and can be used again.
pub fn a_cleared_state_is_empty<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, String);
    state.put(run.at(1), "one".into()).unwrap();
    state.put(run.at(2), "two".into()).unwrap();
    state.turn();
    state.clear().unwrap();
    state.clear().unwrap();
    assert_eq!((rows(&state.0), values(&state.0).len()), (0, 0));
    state.turn();
    state.put(run.at(2), "again".into()).unwrap();
    state.turn();
    assert_eq!(values(&state.0), BTreeMap::from([(2, "again".into())]));
}
