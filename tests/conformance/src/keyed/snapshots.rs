//! Checkpoints of keyed state.

use std::collections::BTreeMap;

use holdwater::snapshot::{FrozenStates, Portion};
use holdwater::state::{
    Backend, Change, Descriptor, Form, Frozen, LoadError, Map, Op, State, Value,
};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::all::{change, fill, filled};
use super::checkpoints::{shown, written};
use super::read::{entries, items, value, values};
use super::{All, Run, Sole, contents};

/// 76: a state without rows writes nothing, and restoring nothing is fine.
pub fn a_state_without_rows_writes_nothing<B: Backend>(run: &Run<B>) {
    let mut states = run.open(All::open);
    let frozen = states.freeze();
    assert!(!frozen.has_parts(Portion::All));
    assert!(contents(&frozen).groups.values().all(|content| *content == (0, 0)));
    states.turn();
    states.turn();
    assert_eq!(values(&states.texts), BTreeMap::new());
}

/// 77: what was restored and not accessed is in the next checkpoints, each time.
pub fn what_was_not_accessed_is_in_the_next_checkpoints<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let frozen = states.freeze_on(None);
    states.turn();
    states.turn();
    let last = states.checkpoints().last().unwrap();
    let mut restored = states.restored(last);
    assert_eq!(contents(&states.freeze_other(&mut restored)), contents(&frozen));
    assert_eq!(value(&restored.texts, run.at(1)), Some("one".into()));
}

/// 12, 78, 87, 88: a frozen state does not see later writes, of any kind, in place or not.
pub fn a_frozen_state_does_not_see_later_writes<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let frozen = states.freeze_on(None);
    let before = contents(&frozen);
    change(run, &mut states);
    assert_eq!(contents(&frozen), before);
    change(run, &mut states);
    states.save(&frozen);
    assert_eq!(contents(&frozen), before);
    let mut restored = states.restored(frozen.cut().checkpoint);
    assert_eq!(contents(&states.freeze_other(&mut restored)), before);
    assert_eq!(value(&restored.texts, run.at(1)), Some("one".into()));
    assert_eq!(items(&restored.numbers, run.at::<u64>(1).within(1)), [1, 2]);
    assert_eq!(entries(&restored.amounts, run.at(1)).len(), 2);
}

/// 10, 79: two checkpoints in flight, the later one written first, restore each its own moment.
pub fn each_checkpoint_restores_its_own_moment<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let first = states.freeze();
    change(run, &mut states);
    let second = states.freeze();
    change(run, &mut states);
    states.texts.put(run.at(1), "last".into()).unwrap();
    states.save(&second);
    states.save(&first);
    let mut contents_of = |frozen: &FrozenStates<B::Error>| {
        let mut restored = states.restored(frozen.cut().checkpoint);
        let text = value(&restored.texts, run.at(1));
        (contents(&states.freeze_other(&mut restored)), text)
    };
    assert_eq!(contents_of(&first), (contents(&first), Some("one".into())));
    assert_eq!(contents_of(&second), (contents(&second), Some("one!".into())));
    assert_eq!(value(&states.texts, run.at(1)), Some("last".into()));
}

/// 82: what was frozen can be written when the state and its store are gone.
pub fn a_frozen_state_outlives_its_store<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let frozen = states.freeze_on(None);
    let before = contents(&frozen);
    drop(states);
    assert_eq!(contents(&frozen), before);
    assert!(before.rows() > 0);
}

/// 80, 81: what was frozen and dropped unwritten leaves the state as it was.
pub fn dropping_what_was_frozen_changes_nothing<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    drop(states.freeze());
    change(run, &mut states);
    let dropped = states.freeze();
    change(run, &mut states);
    states.abort(dropped.cut().checkpoint);
    drop(dropped);
    states.turn();
    assert_eq!(value(&states.texts, run.at(1)), Some("one!!".into()));
}

/// 88: the digest of what is frozen depends on the content, not on how it came about.
pub fn the_digest_depends_on_the_content_alone<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let filled_once = contents(&states.freeze_on(None));
    let mut others = run.open(All::open);
    for key in (3..60).rev() {
        others.texts.put(run.at(key), "gone".into()).unwrap();
        others.amounts.put(run.at(key), "gone", 1).unwrap();
    }
    others.turn();
    others.texts.clear().unwrap();
    others.amounts.clear().unwrap();
    fill(run, &mut others);
    others.turn();
    assert_eq!(contents(&others.freeze_on(None)), filled_once);
    others.texts.put(run.at(2), "Two".into()).unwrap();
    assert_ne!(contents(&others.freeze_on(None)), filled_once);
}

/// 7, 43: what is frozen shows the rows of one key, found by its encoding; none for another.
pub fn a_frozen_state_is_read_by_encoded_key<B: Backend>(run: &Run<B>) {
    let mut state =
        run.open(|store| Ok(Sole(store.map(Descriptor::<String, (u8, String)>::new("map"))?)));
    for key in ["a", "aa", "b"] {
        for field in 0..3 {
            state.put(run.at(key), field, format!("{key}{field}")).unwrap();
        }
    }
    state.turn();
    state.remove(run.at("aa"), 2).unwrap();
    let mut live = |key: &str, bytes: &[u8]| {
        shown(&mut *state, run.at::<String>(key).group(), Some(bytes), 0)[0]
    };
    let b = live("b", b"\x01b");
    assert_eq!((b.0, live("a", b"\x01a\x00"), live("a", b"")), (3, (0, 0), (0, 0)));
    let frozen = state.freeze();
    let (description, map) = frozen.states().next().unwrap();
    let get = |key: &str, bytes: &[u8]| {
        written(description, |rows| map.get(run.at::<String>(key).group(), bytes, rows).unwrap())
    };
    let a = get("a", b"\x01a");
    assert_eq!((a.0, get("aa", b"\x02aa").0, get("b", b"\x01b").0), (3, 2, 3));
    assert_ne!(a.1, get("b", b"\x01b").1);
    assert_eq!(get("b", b"\x01b"), b, "as it was shown before it was frozen");
    for (key, bytes) in [("a", &b"\x01"[..]), ("c", b"\x01c"), ("a", b"\x01a\x00"), ("a", b"")] {
        assert_eq!(get(key, bytes), (0, 0), "{bytes:?}");
    }
    let group = run.at::<String>("b").group();
    let sum = ["a", "aa", "b"].into_iter().filter(|key| run.at::<String>(key).group() == group);
    let sum = sum.map(|key| get(key, format!("{}{key}", char::from(key.len() as u8)).as_bytes()));
    let sum =
        sum.fold((0, 0u128), |(rows, digest), one| (rows + one.0, digest.wrapping_add(one.1)));
    assert_eq!(written(description, |rows| map.scan(group, rows).unwrap()), sum);
}

/// 7: what is shown of states as they are is what a checkpoint of that moment has, and showing it
/// changes nothing.
pub fn what_is_shown_is_what_would_be_frozen<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    for _ in 0..2 {
        states.turn();
        change(run, &mut states);
        let groups: Vec<_> = run.groups().iter().collect();
        let mut live = |group: &_| shown(&mut *states, *group, None, 0);
        let before: Vec<_> = groups.iter().map(&mut live).collect();
        assert_eq!(groups.iter().map(live).collect::<Vec<_>>(), before);
        let frozen = states.freeze();
        for (group, before) in groups.iter().zip(before) {
            let scan = |(description, state): (&_, &dyn Frozen<Error = _>)| {
                written(description, |rows| state.scan(*group, rows).unwrap())
            };
            assert_eq!(frozen.states().map(scan).collect::<Vec<_>>(), before);
        }
    }
}

/// 99: a changed byte of any part is found when the part is loaded, or before a checkpoint stands
/// on it, and names its place.
pub fn a_changed_byte_is_found<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    change(run, &mut states);
    states.turn();
    let last = states.checkpoints().last().unwrap();
    let parts: Vec<_> = states.checkpoints().parts_written(last).collect();
    assert!(!parts.is_empty());
    for part in parts {
        for at in part.offset..part.offset + part.length {
            let mut checkpoints = states.checkpoints().clone();
            checkpoints.damage(last, at);
            let mut restored = states.empty();
            let refused = match checkpoints.try_load(last, &mut restored) {
                Err(refused) => refused,
                // What is read where it lies is checked to its end before the next checkpoint.
                Ok(()) => states.freeze_other(&mut restored).verify().unwrap_err().to_string(),
            };
            let part = part.offset..=part.offset + part.length;
            let mut places = refused.split([' ', ':']).filter_map(|word| word.parse().ok());
            let is_named = places.any(|place| part.contains(&place));
            // What no row is looked for in is known by the hash of the file alone.
            assert!(is_named || refused.starts_with("file: "), "byte {at}: {refused}");
        }
    }
}

/// 100: a key, field or timer that a full part holds twice is refused.
pub fn what_a_full_part_holds_twice_is_refused<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let (text, key) = (*b"\x01x", [1]);
    let refused = [
        twice(&mut states.texts, &[&key[..], &text].concat()),
        twice(&mut states.amounts, &[&key[..], &[1], &text, &[2]].concat()),
        twice(&mut states.timers, &[&1u64.to_le_bytes()[..], &[1], &[9; 8]].concat()),
    ];
    assert_eq!(refused, [true; 3]);
}

/// 85: rows of an older type are read by the schema they were written with, and the next
/// checkpoint is written with the new one.
pub fn rows_of_an_older_type_are_read_and_written_anew<B: Backend>(run: &Run<B>) {
    let mut older =
        run.open(|store| Ok(Sole(store.value(Descriptor::<u64, Older>::new("value"))?)));
    for key in 0..20 {
        older.put(run.at(key), Older { count: key as u32, dropped: "x".into() }).unwrap();
    }
    older.turn();
    let last = older.checkpoints().last().unwrap();
    let mut newer =
        run.open(|store| Ok(Sole(store.value(Descriptor::<u64, Newer>::new("value"))?)));
    older.checkpoints().load(last, &mut *newer);
    let expected = |key| Newer { note: None, count: key };
    assert_eq!(value(&newer.0, run.at(7)), Some(expected(7)));
    newer.put(run.at(100), expected(100)).unwrap();
    newer.turn();
    newer.turn();
    assert_eq!(value(&newer.0, run.at(19)), Some(expected(19)));
    assert_eq!(value(&newer.0, run.at(100)), Some(expected(100)));
    assert_eq!(newer.rows(), 21);
}

/// The value of a state as it was.

#[derive(Clone, Debug, Deserialize, Schema, Serialize)]
struct Older {
    count: u32,
    dropped: String,
}

/// The value of a state as it is.

#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
struct Newer {
    #[serde(default)]
    note: Option<String>,
    count: u64,
}

/// Loads a row of a full part twice; returns whether only the first time was accepted.
fn twice<S: State>(state: &mut S, row: &[u8]) -> bool {
    state.clear().unwrap();
    let form = Form { fresh: true, ..Form::own(state.description().encoding) };
    let group = state.groups().locate::<u64>(1).group();
    let change = Change { op: Op::Put, row };
    state.load(group, change, &form).unwrap();
    matches!(state.load(group, change, &form), Err(LoadError::Malformed(_)))
}
