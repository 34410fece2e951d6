//! An ordered map per key: what it does beyond a map.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, ControlFlow, RangeBounds};

use holdwater::key::{At, In, Key, OrderedKey};
use holdwater::schema::Data;
use holdwater::state::{Backend, Loan, Map, OrderedMap, State};
use postcard_schema_ng::Schema;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde::{Deserialize, Serialize};

use super::portability::take;
use super::read::entries;
use super::{Checkpoints, Maps, Ordered, Plain, Run, Sole};

/// Opens an ordered map.
macro_rules! open {
    ($run:expr, $key:ty, $field:ty, $value:ty) => {
        $run.open(|store| Ok(Sole(Ordered::open::<B, $key, $field, $value>(store)?)))
    };
}

/// Returns what lies in a range, which is the same both ways.
fn within<'f, K: Key, F: OrderedKey + PartialEq + Debug, V: Data + PartialEq + Debug>(
    state: &impl OrderedMap<K, F, V>,
    at: At<'_, K>,
    range: impl RangeBounds<F::View<'f>>,
) -> Vec<(F, V)> {
    let (mut found, mut back) = (Vec::new(), Vec::new());
    let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
    let visited = state.range(at, bounds, |field, value| {
        found.push((field.clone(), value.clone()));
        ControlFlow::Continue(())
    });
    visited.unwrap();
    let visited = state.range_back(at, bounds, |field, value| {
        back.push((field.clone(), value.clone()));
        ControlFlow::Continue(())
    });
    visited.unwrap();
    back.reverse();
    assert_eq!(found, back);
    found
}

/// Returns the fields in a range.
fn fields<'f, K: Key, F: OrderedKey + PartialEq + Debug, V: Data + PartialEq + Debug>(
    state: &impl OrderedMap<K, F, V>,
    at: At<'_, K>,
    range: impl RangeBounds<F::View<'f>>,
) -> Vec<F> {
    within(state, at, range).into_iter().map(|(field, _)| field).collect()
}

/// o1: entries come in the order of their fields, however they were put and dropped.
pub fn entries_come_in_their_order<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, i32, String);
    let at = run.at(1);
    let scattered = |n: i32| (n * 37) % 300 - 150;
    for n in 0..300 {
        state.put(at, scattered(n), n.to_string()).unwrap();
        if n % 100 == 0 {
            state.turn();
        }
    }
    for n in (0..300).step_by(3) {
        assert!(state.remove(at, scattered(n)).unwrap());
    }
    state.turn();
    let mut seen = Vec::new();
    let visited = state.entries(at, |field, value| {
        assert_eq!(*field, scattered(value.parse().unwrap()));
        seen.push(*field);
        ControlFlow::Continue(())
    });
    visited.unwrap();
    let mut expected: Vec<_> = (0..300).filter(|n| n % 3 != 0).map(scattered).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    assert_eq!(fields(&state.0, at, ..), expected);
}

/// o2: a range holds the fields between its bounds, both ways; one that ends before it starts, or
/// lies where no field is, is empty.
pub fn a_range_holds_what_lies_between_its_bounds<B: Backend>(run: &Run<B>) {
    use Bound::{Excluded, Included, Unbounded};
    let mut state = open!(run, u64, i64, u8);
    let at = run.at(1);
    assert_eq!(fields(&state.0, at, ..), []);
    for field in [-20, -10, 0, 10, 20] {
        state.put(at, field, 1).unwrap();
    }
    state.turn();
    let expected = [
        ((Unbounded, Unbounded), vec![-20, -10, 0, 10, 20]),
        ((Included(-10), Unbounded), vec![-10, 0, 10, 20]),
        ((Excluded(-10), Unbounded), vec![0, 10, 20]),
        ((Unbounded, Included(0)), vec![-20, -10, 0]),
        ((Unbounded, Excluded(0)), vec![-20, -10]),
        ((Included(-10), Excluded(20)), vec![-10, 0, 10]),
        ((Excluded(-20), Included(10)), vec![-10, 0, 10]),
        ((Included(-15), Included(15)), vec![-10, 0, 10]),
        ((Included(0), Included(0)), vec![0]),
        ((Included(0), Excluded(0)), vec![]),
        ((Excluded(0), Excluded(0)), vec![]),
        ((Excluded(1), Excluded(9)), vec![]),
        ((Included(10), Included(-10)), vec![]),
        ((Included(i64::MIN), Excluded(i64::MAX)), vec![-20, -10, 0, 10, 20]),
    ];
    for (range, expected) in expected {
        assert_eq!(fields(&state.0, at, range), expected, "{range:?}");
    }
    assert_eq!(fields(&state.0, at, 0..20), [0, 10]);
    assert_eq!(fields(&state.0, at, ..=-10), [-20, -10]);
    assert_eq!(fields(&state.0, run.at(2), ..), []);
}

/// o3: a visit of a range ends where it is told to, both ways.
pub fn a_range_ends_early<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, u16, u64);
    let at = run.at(1);
    for field in 0..200 {
        state.put(at, field, 1).unwrap();
    }
    state.turn();
    let mut seen = Vec::new();
    let mut three = |field: &u16, _: &u64| {
        seen.push(*field);
        if seen.len() % 3 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    state.range(at, 100..150, &mut three).unwrap();
    state.range_back(at, 100..150, &mut three).unwrap();
    assert_eq!(seen, [100, 101, 102, 149, 148, 147]);
}

/// o4: the first and the last field are found, of none, of one and of many, also when those before
/// were dropped.
pub fn the_first_and_the_last_field_are_found<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, u64, String, u64);
    let at = run.at(1);
    let name = |n: u64| format!("{n:03}");
    assert_eq!((state.first(at).unwrap(), state.last(at).unwrap()), (None, None));
    for n in 100..300 {
        state.put(at, &name(n), n).unwrap();
    }
    state.turn();
    for n in 100..299 {
        assert_eq!(state.first(at).unwrap(), Some((name(n), n)));
        assert_eq!(state.last(at).unwrap(), Some((name(299), 299)));
        assert!(state.remove(at, &name(n)).unwrap());
        if n % 60 == 0 {
            state.turn();
        }
    }
    assert_eq!(state.first(at).unwrap(), state.last(at).unwrap());
    state.remove(at, &name(299)).unwrap();
    state.turn();
    assert_eq!((state.first(at).unwrap(), state.rows()), (None, 0));
}

/// o5: a range never holds fields of another key or window, wherever in the order they lie.
pub fn ranges_of_keys_and_windows_are_apart<B: Backend>(run: &Run<B>) {
    let mut state = open!(run, In<String, u8>, String, u8);
    let names = ["", "\0", "\0\0", "a", "a\0", "a\0b", "ab", "\u{10ffff}"];
    let places = ["", "a", "a\0", "b"].into_iter().flat_map(|key| [(key, 0), (key, 1), (key, 255)]);
    for (number, (key, window)) in places.clone().enumerate() {
        for name in names {
            state.put(run.at::<String>(key).within(window), name, number as u8).unwrap();
        }
    }
    state.turn();
    state.remove_all(run.at::<String>("a").within(1)).unwrap();
    state.turn();
    for (number, (key, window)) in places.enumerate() {
        let at = run.at::<String>(key).within(window);
        let found = within(&state.0, at, ..);
        assert!(found.iter().all(|(_, value)| usize::from(*value) == number));
        let found: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        if (key, window) == ("a", 1) {
            assert_eq!(found, [""; 0]);
            continue;
        }
        assert_eq!(found, names);
        assert_eq!(fields(&state.0, at, "a".."ab"), ["a", "a\0", "a\0b"]);
        assert_eq!(fields(&state.0, at, ..="\0"), ["", "\0"]);
    }
}

/// A type of one's own, ordered by what is named first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
struct Version {
    stage: char,
    numbers: (u8, i8),
    name: String,
}
holdwater::key!(Version);
holdwater::ordered_key!(Version { numbers: (u8, i8), stage: char, name: String });

/// o6: fields of every type are in their order.
pub fn fields_of_every_type_are_in_their_order<B: Backend>(run: &Run<B>) {
    in_order::<B, u8>(run, [0, 1, 127, 128, 255], u8::view);
    in_order::<B, u16>(run, [0, 1, 255, 256, u16::MAX], u16::view);
    in_order::<B, u64>(run, [0, 255, 256, 1 << 32, u64::MAX], u64::view);
    in_order::<B, u128>(run, [0, 1, 1 << 64, (1 << 64) + 1, u128::MAX], u128::view);
    in_order::<B, i8>(run, [-128, -1, 0, 1, 127], i8::view);
    in_order::<B, i32>(run, [i32::MIN, -256, -1, 255, 256], i32::view);
    in_order::<B, i64>(run, [i64::MIN, -1, 0, 1, i64::MAX], i64::view);
    in_order::<B, i128>(run, [i128::MIN, -(1 << 64), -1, 1 << 64, i128::MAX], i128::view);
    in_order::<B, bool>(run, [false, true], bool::view);
    in_order::<B, char>(run, ['\0', 'A', 'a', '\u{100}', '\u{10ffff}'], char::view);
    in_order::<B, ()>(run, [()], <()>::view);
    in_order::<B, [u8; 3]>(run, [[0, 0, 0], [0, 0, 255], [0, 1, 0], [1, 0, 0]], Key::view);
    let texts = ["", "\0", "B", "a", "aa", "b"].map(String::from);
    in_order::<B, String>(run, texts, String::view);
    let text = String::from;
    let pairs = [(text(""), -1), (text(""), 0), (text("\0"), -5), (text("a"), -1), (text("aa"), 0)];
    in_order::<B, (String, i16)>(run, pairs, Key::view);
    let triples = [(0, true, 'b'), (1, false, 'a'), (1, false, 'b'), (1, true, 'a')];
    in_order::<B, (u32, bool, char)>(run, triples, Key::view);
    let version = |numbers, stage, name: &str| Version { stage, numbers, name: name.into() };
    let versions = [
        version((0, -1), 'z', "z"),
        version((0, 1), 'a', ""),
        version((1, 0), 'a', "a"),
        version((1, 0), 'b', ""),
        version((1, 0), 'b', "a"),
    ];
    in_order::<B, Version>(run, versions, Version::view);
}

/// Puts ascending fields from the last to the first.
fn in_order<B: Backend, F: OrderedKey + Debug>(
    run: &Run<B>,
    ascending: impl IntoIterator<Item = F>,
    view: impl Fn(&F) -> F::View<'_>,
) {
    let ascending: Vec<F> = ascending.into_iter().collect();
    let mut state = run.open(|store| Ok(Sole(Ordered::open::<B, u64, F, u64>(store)?)));
    let at = run.at(1);
    for (number, field) in ascending.iter().enumerate().rev() {
        state.put(at, view(field), number as u64).unwrap();
    }
    state.turn();
    assert_eq!(fields(&state.0, at, ..), ascending);
    for (start, from) in ascending.iter().enumerate() {
        assert_eq!(*state.get(at, view(from)).unwrap().unwrap(), start as u64);
        for (end, to) in ascending.iter().enumerate() {
            let expected = ascending.get(start..end).unwrap_or_default();
            assert_eq!(fields(&state.0, at, view(from)..view(to)), expected);
        }
    }
}

/// o7: in a checkpoint an ordered map is a map: either restores what the other saved, and goes on.
pub fn a_map_restores_what_an_ordered_one_saved<B: Backend>(run: &Run<B>) {
    let (store, at) = (|| run.store(run.groups()), run.at(1));
    let mut checkpoints = Checkpoints::default();
    let mut ordered = Sole(Ordered::open::<B, u64, i32, String>(&mut store()).unwrap());
    for field in -50..50 {
        ordered.put(at, field, field.to_string()).unwrap();
    }
    let saved = take(run, &mut ordered, &mut checkpoints);
    let mut plain = Sole(Plain::open::<B, u64, i32, String>(&mut store()).unwrap());
    checkpoints.load(saved, &mut plain);
    for field in -50..0 {
        assert!(plain.remove(at, field).unwrap());
    }
    plain.put(at, -100, "new".into()).unwrap();
    let saved = take(run, &mut plain, &mut checkpoints);
    let mut again = Sole(Ordered::open::<B, u64, i32, String>(&mut store()).unwrap());
    checkpoints.load(saved, &mut again);
    let expected: Vec<_> = [-100].into_iter().chain(0..50).collect();
    assert_eq!(fields(&again.0, at, ..), expected);
    assert_eq!(again.get(at, 7).unwrap().map(Loan::into_owned), Some("7".into()));
    again.put(at, 7, "seven".into()).unwrap();
    let saved = take(run, &mut again, &mut checkpoints);
    let mut plain = Sole(Plain::open::<B, u64, i32, String>(&mut store()).unwrap());
    checkpoints.load(saved, &mut plain);
    assert_eq!(entries(&plain.0, at), within(&again.0, at, ..).into_iter().collect());
}

#[derive(Clone, Debug)]
enum Step {
    Put(u64, String, u8),
    Remove(u64, String),
    RemoveAll(u64),
    Turn,
}

fn name() -> impl Strategy<Value = String> {
    "[\0ab]{0,3}"
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0u64..3;
    prop_oneof![
        8 => (key(), name(), any::<u8>()).prop_map(|(key, name, new)| Step::Put(key, name, new)),
        4 => (key(), name()).prop_map(|(key, name)| Step::Remove(key, name)),
        1 => key().prop_map(Step::RemoveAll),
        1 => Just(Step::Turn),
    ]
}

fn bound() -> impl Strategy<Value = Bound<String>> {
    prop_oneof![
        name().prop_map(Bound::Included),
        name().prop_map(Bound::Excluded),
        Just(Bound::Unbounded),
    ]
}

/// o8: whatever is put, dropped, frozen and restored, every range is that of a tree.
pub fn any_changes_agree_with_a_tree<B: Backend>(run: &Run<B>) {
    let rng_seed = RngSeed::Fixed(run.mode() as u64);
    let config = Config { cases: 48, failure_persistence: None, rng_seed, ..Config::default() };
    let tapes = (vec(step(), 0..60), vec((bound(), bound()), 8));
    let tested = TestRunner::new(config).run(&tapes, |(steps, ranges)| {
        let mut state = open!(run, u64, String, u8);
        let mut truth = BTreeMap::<(u64, String), u8>::new();
        for step in steps {
            match step {
                Step::Put(key, name, value) => {
                    let new = state.put(run.at(key), &name, value).unwrap();
                    assert_eq!(new, truth.insert((key, name), value).is_none());
                }
                Step::Remove(key, name) => {
                    let found = state.remove(run.at(key), &name).unwrap();
                    assert_eq!(found, truth.remove(&(key, name)).is_some());
                }
                Step::RemoveAll(key) => {
                    state.remove_all(run.at(key)).unwrap();
                    truth.retain(|(other, _), _| *other != key);
                }
                Step::Turn => state.turn(),
            }
        }
        for (key, (start, end)) in [0, 1, 2].into_iter().cycle().zip(&ranges) {
            let range = (start.as_ref().map(String::as_str), end.as_ref().map(String::as_str));
            let of_key = truth.iter().filter(|((other, _), _)| *other == key);
            let lies_within = |name: &String| RangeBounds::<str>::contains(&range, name.as_str());
            let expected: Vec<_> = of_key
                .filter(|((_, name), _)| lies_within(name))
                .map(|((_, name), value)| (name.clone(), *value))
                .collect();
            assert_eq!(within(&state.0, run.at(key), range), expected);
        }
        Ok(())
    });
    tested.unwrap_or_else(|failure| panic!("{failure}"));
}
