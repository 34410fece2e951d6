//! What the store promises beside the models: the budget, the shape of checkpoints, refusals.

#![allow(clippy::unwrap_used)]

mod chain;

use std::ops::ControlFlow;
use std::thread;

use holdwater::codec::Encoding;
use holdwater::error::{ErrorKind, Fault, Malformed, StateError};
use holdwater::key::{In, Key, KeyGroup, KeyGroups};
use holdwater::state::{
    Backend, Change, Descriptor, Form, List, LoadError, Map, Op, Shape, State, TimeDomain, Timers,
    Value,
};
use holdwater_heap::{Heap, HeapError, HeapMap, HeapTimers, HeapValue};

use chain::{Checkpoint, digests, freeze_state, groups, load, save};

fn numbers() -> HeapValue<u64, u64> {
    Heap::new(groups()).value(Descriptor::new("numbers")).unwrap()
}

fn fill(state: &mut HeapValue<u64, u64>, keys: core::ops::Range<u64>, value: u64) {
    for key in keys {
        state.put(groups().locate::<u64>(key), value).unwrap();
    }
}

/// Takes back all that no snapshot holds.
fn settle<S: State>(state: &mut S) {
    while state.sweep(0, 100).unwrap() > 0 {}
}

#[test]
fn a_frozen_state_does_not_see_later_writes() {
    let mut state = numbers();
    fill(&mut state, 0..5000, 1);
    let expected = digests(&mut state);
    let frozen = freeze_state(&mut state, 1, None);
    fill(&mut state, 0..2500, 2);
    fill(&mut state, 5000..20_000, 3);
    for key in 2500..3000 {
        state.remove(groups().locate::<u64>(key)).unwrap();
    }
    let mut restored = numbers();
    load(&save(&frozen, None), &mut restored);
    assert_eq!(digests(&mut restored), expected);
    assert_eq!(restored.rows(), 5000);
}

#[test]
fn a_checkpoint_is_saved_on_another_thread_while_the_owner_writes() {
    let mut state = numbers();
    fill(&mut state, 0..50_000, 0);
    let mut base: Option<Checkpoint> = None;
    for round in 1..=10 {
        fill(&mut state, round * 1000..round * 2000, round);
        let expected = digests(&mut state);
        let frozen = freeze_state(&mut state, round, base.as_ref().map(|base| base.id));
        let before = base.clone();
        let saving = thread::spawn(move || save(&frozen, before.as_ref()));
        let mut key = round;
        while !saving.is_finished() {
            key = (key * 31 + 7) % 60_000;
            state.put(groups().locate::<u64>(key), u64::MAX - round).unwrap();
            state.remove(groups().locate::<u64>((key * 3) % 60_000)).unwrap();
        }
        let checkpoint = saving.join().unwrap();
        state.completed(round);
        let mut restored = numbers();
        load(&checkpoint, &mut restored);
        assert_eq!(digests(&mut restored), expected, "round {round}");
        base = Some(checkpoint);
    }
}

#[test]
fn the_shape_tells_what_changed_since_the_base() {
    let mut state = numbers();
    let group = groups().locate::<u64>(7).group();
    let shape = |state: &mut HeapValue<u64, u64>, id, base| {
        freeze_state(state, id, base).states().next().unwrap().1.shape(group)
    };
    assert_eq!(shape(&mut state, 1, None), Shape::Empty);
    fill(&mut state, 7..8, 1);
    assert_eq!(shape(&mut state, 2, None), Shape::Full);
    assert_eq!(shape(&mut state, 3, Some(2)), Shape::Full, "not known to be complete");
    state.completed(2);
    assert_eq!(shape(&mut state, 4, Some(2)), Shape::Unchanged);
    fill(&mut state, 7..8, 2);
    assert_eq!(shape(&mut state, 5, Some(2)), Shape::Delta);
    state.aborted(5);
    assert_eq!(shape(&mut state, 6, Some(2)), Shape::Delta, "what was aborted is still to be told");
    state.completed(6);
    assert_eq!(shape(&mut state, 7, Some(2)), Shape::Full, "no base any more");
    assert_eq!(shape(&mut state, 8, Some(6)), Shape::Unchanged);
    state.remove(groups().locate::<u64>(7)).unwrap();
    assert_eq!(shape(&mut state, 9, Some(6)), Shape::Empty);
    fill(&mut state, 7..8, 3);
    assert_eq!(shape(&mut state, 10, Some(6)), Shape::Full, "nothing of the base is left");
    state.clear().unwrap();
    fill(&mut state, 7..8, 3);
    assert_eq!(shape(&mut state, 11, Some(6)), Shape::Full, "cleared");
}

#[test]
fn the_first_write_after_a_freeze_copies_one_segment() {
    let groups = KeyGroups::all(1);
    let mut state: HeapValue<u64, u64> =
        Heap::new(groups).value(Descriptor::new("numbers")).unwrap();
    for key in 0..100_000 {
        state.put(groups.locate::<u64>(key), 0).unwrap();
    }
    let before = state.bytes();
    let frozen = freeze_state(&mut state, 1, None);
    assert_eq!(state.bytes(), before);
    state.put(groups.locate::<u64>(1), 1).unwrap();
    assert!(state.bytes() - before < 16 * 1024 + 100_000 / 200 * 32, "{}", state.bytes() - before);
    drop(frozen);
    // What was copied into is kept, until two snapshots needed none.
    drop((freeze_state(&mut state, 2, None), freeze_state(&mut state, 3, None)));
    settle(&mut state);
    assert!(state.bytes() <= before, "all is taken back");
}

/// Returns by how many bytes the first of three writes after a freeze lets a state grow, and the
/// three of them.
fn growth_after_a_freeze<S: State>(state: &mut S, mut write: impl FnMut(&mut S)) -> [u64; 2] {
    let before = state.bytes();
    let frozen = freeze_state(state, 1, None);
    assert_eq!(state.bytes(), before, "a freeze copies nothing");
    write(state);
    let first = state.bytes() - before;
    write(state);
    write(state);
    let all = state.bytes() - before;
    drop(frozen);
    [first, all]
}

#[test]
fn the_first_touch_of_many_entries_after_a_freeze_copies_a_few() {
    let at = groups().locate::<u32>(1);
    let map = |entries: u32| {
        let mut map = Heap::new(groups()).map::<u32, u32, u64>(Descriptor::new("map")).unwrap();
        (0..entries).for_each(|field| assert!(map.put(at, field, 0).unwrap()));
        growth_after_a_freeze(&mut map, |map| assert!(!map.put(at, entries / 3, 1).unwrap()))
    };
    let ordered = |entries: u32| {
        let descriptor = Descriptor::<u32, (u32, u64)>::new("ordered");
        let mut map = Heap::new(groups()).ordered_map(descriptor).unwrap();
        (0..entries).for_each(|field| assert!(map.put(at, field, 0).unwrap()));
        growth_after_a_freeze(&mut map, |map| assert!(!map.put(at, entries / 3, 1).unwrap()))
    };
    let list = |items: u32| {
        let mut list = Heap::new(groups()).list::<u32, u32>(Descriptor::new("list")).unwrap();
        list.set(at, 0..items).unwrap();
        growth_after_a_freeze(&mut list, |list| list.push(at, 7).unwrap())
    };
    let sizes = [1000, 200_000];
    for [few, many] in [sizes.map(map), sizes.map(ordered), sizes.map(list)] {
        let [first, all] = many;
        assert!(first < 32 * 1024, "a piece at each level: {first} bytes");
        assert!(all - first < 1024, "and later ones nothing: {all} bytes");
        // As much as of a thousand entries, but for the levels.
        assert!(first < 8 * few[0], "{many:?} for {few:?}");
    }
}

#[test]
fn memory_is_given_back_when_the_snapshot_the_rows_and_the_state_go() {
    give_and_take(Descriptor::new("texts"), 100);
    // What copies of rows own is not counted, as it is not of their keys.
    give_and_take(Descriptor::new("texts").in_place(), 0);
}

/// Fills, freezes, changes and empties a state of texts, and looks at what is counted.
fn give_and_take(descriptor: Descriptor<'_, String, String>, copied: u64) {
    let mut heap = Heap::new(groups());
    let empty = heap.bytes();
    let mut texts = heap.value(descriptor).unwrap();
    let at = |key: u32| key.to_string();
    let base = heap.bytes();
    for key in 0..20_000 {
        texts.put(groups().locate::<String>(&at(key)), "x".repeat(100)).unwrap();
    }
    let full = heap.bytes();
    assert!(full - base > 20_000 * (100 + 5), "what texts own is counted");
    let frozen = freeze_state(&mut texts, 1, None);
    for key in 0..20_000 {
        let at = at(key);
        texts.update(groups().locate::<String>(&at), String::new, |text| text.push('y')).unwrap();
    }
    assert!(heap.bytes() > full + 20_000 * copied, "so are copies held for a snapshot");
    drop(frozen);
    drop((freeze_state(&mut texts, 2, None), freeze_state(&mut texts, 3, None)));
    settle(&mut texts);
    assert!(heap.bytes() < full + 20_000 * 4, "{} {full}", heap.bytes());
    for key in 0..20_000 {
        texts.remove(groups().locate::<String>(&at(key))).unwrap();
    }
    (1..4).for_each(|id| texts.aborted(id));
    settle(&mut texts);
    assert!(heap.bytes() - base < 200_000, "{}", heap.bytes() - base);
    drop(texts);
    assert_eq!(heap.bytes(), empty);
}

#[test]
fn a_full_store_refuses_before_it_changes_anything_and_lets_rows_go() {
    let mut heap = Heap::new(groups()).with_budget(100_000);
    let mut lists = heap.list::<u32, String>(Descriptor::new("lists")).unwrap();
    let mut maps = heap.map::<u32, u32, u64>(Descriptor::new("maps")).unwrap();
    let mut timers = heap.timers::<u32>(Descriptor::new("timers"), TimeDomain::Event).unwrap();
    let mut numbers = heap.value::<u32, u64>(Descriptor::new("numbers")).unwrap();
    let at = |key| groups().locate::<u32>(key);
    numbers.put(at(1), 1).unwrap();
    timers.register(at(1), 5).unwrap();
    maps.put(at(1), 1, 1).unwrap();
    let mut pushed = 0u64;
    let error = loop {
        match lists.push(at(1), "item".repeat(50)) {
            Ok(()) => pushed += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(
        error.to_string(),
        format!(
            "state lists takes {} bytes, all states {} where 100000 are allowed: raise the memory \
             limit or remove rows",
            lists.bytes(),
            heap.bytes()
        )
    );
    assert_eq!(lists.len(at(1)).unwrap(), pushed);
    let full =
        |result: Result<(), HeapError>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Full);
    full(lists.set(at(2), ["x".to_owned()]));
    full(lists.merge(at(2), &[at(1)]));
    full(maps.put(at(1), 2, 1).map(|_| ()));
    full(timers.register(at(1), 6).map(|_| ()));
    full(numbers.put(at(2), 1));
    // In place, a value of fixed width needs no memory.
    numbers.update(at(1), || 0, |value| *value += 1).unwrap();
    let frozen = freeze_state(&mut numbers, 1, None);
    full(numbers.put(at(1), 1));
    assert_eq!(*numbers.get(at(1)).unwrap().unwrap(), 2);
    drop(frozen);
    assert_eq!(lists.len(at(1)).unwrap(), pushed);
    assert!(maps.remove(at(1), 1).unwrap());
    assert_eq!(timers.take(5).unwrap().unwrap().key, 1);
    lists.remove(at(1)).unwrap();
    numbers.put(at(2), 1).unwrap();
}

#[test]
fn a_state_is_opened_once() {
    let mut heap = Heap::new(groups());
    let _first = heap.value::<u32, u64>(Descriptor::new("sum")).unwrap();
    let again = heap.value::<u32, u64>(Descriptor::new("sum")).unwrap_err();
    assert_eq!(again, HeapError::Open { state: "sum".into() });
    let other = heap.value::<u32, u32>(Descriptor::new("sum")).unwrap_err();
    assert_eq!(other, HeapError::Mismatch { state: "sum".into() });
    let other = heap.list::<u32, u64>(Descriptor::new("sum")).unwrap_err();
    assert_eq!((other.kind(), again.kind()), (ErrorKind::Mismatch, ErrorKind::Mismatch));
}

/// Returns why a row was refused.
fn refused(result: Result<(), LoadError<HeapError>>) -> Fault {
    match result {
        Err(LoadError::Malformed(Malformed { fault, .. })) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_of_another_group_duplicates_and_strange_operations_are_refused() {
    let mut heap = Heap::new(groups());
    let mut value = heap.value::<u8, u8>(Descriptor::new("value")).unwrap();
    let mut list = heap.list::<u8, u8>(Descriptor::new("list")).unwrap();
    let mut map = heap.map::<u8, u8, u8>(Descriptor::new("map")).unwrap();
    let mut timers = heap.timers::<u8>(Descriptor::new("timers"), TimeDomain::Event).unwrap();
    let home = groups().locate::<u8>(7).group();
    let other = KeyGroup::new((home.index() + 1) % 7);
    let full = Form { fresh: true, ..Form::own(Encoding::Fixed) };
    let mut try_all = |group, op, row: [&[u8]; 4]| {
        [
            value.load(group, Change { op, row: row[0] }, &full),
            list.load(group, Change { op, row: row[1] }, &full),
            map.load(group, Change { op, row: row[2] }, &full),
            timers.load(group, Change { op, row: row[3] }, &full),
        ]
    };
    let timer = [7, 1, 9, 0, 0, 0, 0, 0, 0, 0];
    let put: [&[u8]; 4] = [&[7, 1], &[7, 2, 1, 1], &[7, 1, 3, 4], &timer];
    for result in try_all(other, Op::Put, put) {
        assert_eq!(refused(result), Fault::Identity);
    }
    for result in try_all(KeyGroup::new(9), Op::Put, put) {
        assert_eq!(refused(result), Fault::Identity, "a group of another task");
    }
    for result in try_all(home, Op::Put, put) {
        result.unwrap();
    }
    let [again_value, again_list, again_map, again_timers] = try_all(home, Op::Put, put);
    assert_eq!(refused(again_value), Fault::Duplicate);
    again_list.unwrap();
    assert_eq!(refused(again_map), Fault::Duplicate);
    assert_eq!(refused(again_timers), Fault::Duplicate);
    for result in try_all(home, Op::Put, [&[]; 4]) {
        assert_eq!(refused(result), Fault::End);
    }
    for result in try_all(home, Op::Remove, [&[7, 0, 0, 0]; 4]) {
        assert_eq!(refused(result), Fault::Trailing);
    }
    let [value_clear, list_clear, ..] = try_all(home, Op::Clear, [&[7]; 4]);
    assert_eq!((refused(value_clear), refused(list_clear)), (Fault::Range, Fault::Range));
    let [value_keep, list_keep, map_keep, timers_keep] = try_all(home, Op::Keep, [&[7, 200, 1]; 4]);
    for keep in [value_keep, list_keep, map_keep, timers_keep] {
        assert_eq!(refused(keep), Fault::Range);
    }
}

/// A key all of which have one digest.
#[derive(
    Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, postcard_schema_ng::Schema,
)]
struct Clash(u32);

impl Key for Clash {
    type View<'k> = u32;

    fn view(&self) -> u32 {
        self.0
    }

    fn own(view: u32) -> Self {
        Self(view)
    }

    fn is(&self, view: u32) -> bool {
        self.0 == view
    }

    fn digest(_: u32) -> u64 {
        42
    }
}

#[test]
fn a_hundred_thousand_keys_of_one_digest_are_written_frozen_and_restored() {
    let open = || Heap::new(groups()).value::<Clash, u64>(Descriptor::new("clashes")).unwrap();
    let at = |key| groups().locate::<Clash>(key);
    let mut state = open();
    for key in 0..100_000 {
        state.put(at(key), u64::from(key)).unwrap();
    }
    let frozen = freeze_state(&mut state, 1, None);
    for key in (0..100_000).step_by(10) {
        state.remove(at(key)).unwrap();
    }
    let mut restored = open();
    load(&save(&frozen, None), &mut restored);
    assert_eq!((state.rows(), restored.rows()), (90_000, 100_000));
    for key in (0..100_000).step_by(97) {
        assert_eq!(*restored.get(at(key)).unwrap().unwrap(), u64::from(key));
        assert_eq!(state.get(at(key)).unwrap().is_some(), key % 10 != 0);
    }
    // A directory that doubles for each would have taken all memory.
    assert!(restored.bytes() < 100_000 * 100, "{}", restored.bytes());
}

#[test]
fn a_hundred_thousand_fields_of_one_digest_are_written_frozen_and_restored() {
    let open = || -> HeapMap<u32, Clash, u64> {
        Heap::new(groups()).map(Descriptor::new("clashes")).unwrap()
    };
    let at = groups().locate::<u32>(1);
    let mut state = open();
    for field in 0..100_000 {
        assert!(state.put(at, field, u64::from(field)).unwrap());
    }
    let mut restored = open();
    load(&save(&freeze_state(&mut state, 1, None), None), &mut restored);
    assert_eq!(restored.len(at).unwrap(), 100_000);
    assert!(restored.remove(at, 99_999).unwrap());
    assert_eq!(*restored.get(at, 7).unwrap().unwrap(), 7);
}

/// Puts and removes fields after freezes that nobody holds any longer.
fn bytes_after_puts_and_removals_between_freezes<M: Map<u32, String, u64>>(mut map: M) {
    let at = groups().locate::<u32>(1);
    for field in 0..10 {
        map.put(at, &field.to_string(), 0).unwrap();
    }
    let mut bytes = Vec::new();
    for id in 1..=20 {
        drop(freeze_state(&mut map, id, None));
        let held = freeze_state(&mut map, 100 + id, None);
        map.put(at, "new", 0).unwrap();
        assert!(map.remove(at, "new").unwrap());
        drop(held);
        map.aborted(id);
        map.aborted(100 + id);
        settle(&mut map);
        bytes.push(map.bytes());
    }
    assert!(bytes[19] <= bytes[3], "{bytes:?}");
}

#[test]
fn copies_of_a_map_are_counted_as_large_as_they_are() {
    let mut heap = Heap::new(groups());
    let map = heap.map::<u32, String, u64>(Descriptor::new("map")).unwrap();
    bytes_after_puts_and_removals_between_freezes(map);
    let ordered = heap.ordered_map::<u32, String, u64>(Descriptor::new("ordered")).unwrap();
    bytes_after_puts_and_removals_between_freezes(ordered);
}

#[test]
fn a_list_of_a_million_items_grows_between_freezes_and_is_dropped() {
    let mut heap = Heap::new(groups());
    let mut list = heap.list::<u32, u32>(Descriptor::new("list")).unwrap();
    let at = groups().locate::<u32>(1);
    list.set(at, 0..1_000_000).unwrap();
    let before = list.bytes();
    for id in 1..=1000 {
        let frozen = freeze_state(&mut list, id, Some(id - 1));
        list.push(at, 1_000_000 + id as u32).unwrap();
        if id == 500 {
            drop(frozen);
        }
        list.completed(id);
    }
    settle(&mut list);
    assert!(list.bytes() - before < 100_000, "a push copies no list: {}", list.bytes() - before);
    let mut next = 0;
    list.items(at, |item| {
        assert_eq!(*item, if next < 1_000_000 { next } else { next + 1 });
        next += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(next, 1_001_000);
    let delta = freeze_state(&mut list, 1001, Some(999));
    assert_eq!(delta.states().next().unwrap().1.shape(at.group()), Shape::Full);
    list.completed(1001);
    list.push(at, 0).unwrap();
    let delta = freeze_state(&mut list, 1002, Some(1001));
    let rows = save(&delta, Some(&Checkpoint { id: 1001, ..Checkpoint::default() }));
    assert_eq!(rows.chains[&at.group().index()][0].1.rows, 1, "only what was pushed");
    let mut restored = Heap::new(groups()).list::<u32, u32>(Descriptor::new("list")).unwrap();
    load(&save(&freeze_state(&mut list, 1003, None), None), &mut restored);
    assert_eq!(restored.len(at).unwrap(), 1_001_001);
    assert_eq!(digests(&mut restored), digests(&mut list));
    list.remove(at).unwrap();
}

#[test]
fn a_frozen_state_is_read_by_encoded_key() {
    let mut state = numbers();
    fill(&mut state, 0..1000, 5);
    let frozen = freeze_state(&mut state, 1, None);
    let (description, frozen) = frozen.states().next().unwrap();
    let read = |group: KeyGroup, key: &[u8]| {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 256]);
        let mut out = holdwater::state::RowWriter::new(description, &mut bytes, &mut buffer);
        frozen.get(group, key, &mut out).unwrap();
        out.finish().unwrap().0
    };
    let key = 77u64;
    let group = groups().locate::<u64>(key).group();
    assert_eq!(read(group, &key.to_le_bytes()), 1);
    assert_eq!(read(group, &5000u64.to_le_bytes()), 0);
    assert_eq!(read(group, &key.to_le_bytes()[..7]), 0);
    assert_eq!(read(KeyGroup::new((group.index() + 1) % 7), &key.to_le_bytes()), 0);
    assert_eq!(read(KeyGroup::new(9), &key.to_le_bytes()), 0);
}

#[test]
fn timers_take_the_same_bytes_whichever_way_they_came() {
    let mut timers: HeapTimers<String> =
        Heap::new(groups()).timers(Descriptor::new("timers"), TimeDomain::Event).unwrap();
    let at = |key: &'static str| groups().locate::<String>(key);
    timers.register(at("one"), 1).unwrap();
    timers.register(at("several"), 1).unwrap();
    let before = timers.bytes();
    for _ in 0..3 {
        (2..40).for_each(|time| assert!(timers.register(at("several"), time).unwrap()));
        assert!(timers.bytes() > before);
        (1..40).for_each(|time| assert!(timers.delete(at("several"), time).unwrap()));
        assert!(timers.register(at("several"), 1).unwrap());
        assert_eq!(timers.bytes(), before);
    }
}

#[test]
fn what_moves_to_another_window_takes_the_same_bytes() {
    let mut heap = Heap::new(groups());
    let mut list = heap.list::<In<u64, u8>, String>(Descriptor::new("list")).unwrap();
    let mut map = heap.map::<In<u64, u8>, u32, String>(Descriptor::new("map")).unwrap();
    let at = |window| groups().locate::<u64>(1).within(window);
    for number in 0..100 {
        list.push(at(0), "text".into()).unwrap();
        map.put(at(0), number, "text".into()).unwrap();
    }
    let before = (list.bytes(), map.bytes());
    for window in 0..10 {
        list.merge(at(window + 1), &[at(window)]).unwrap();
        map.merge(at(window + 1), &[at(window)], |_, _| panic!("no field is in both")).unwrap();
        assert_eq!((list.bytes(), map.bytes()), before);
    }
    assert_eq!((list.len(at(10)), map.len(at(10))), (Ok(100), Ok(100)));
}
