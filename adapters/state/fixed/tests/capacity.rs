//! What a store of fixed size refuses, before it changes anything.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use holdwater::error::{ErrorKind, StateError};
use holdwater::key::{At, In, KeyGroup, KeyGroups};
use holdwater::state::{
    Backend, Change, Descriptor, Form, List, LoadError, Map, Op, Reducing, State, TimeDomain,
    Timers, Value,
};
use holdwater_fixed::{Fixed, FixedError, STATES_MAX};

const GROUPS: KeyGroups = KeyGroups::all(4);
const FULL: FixedError = FixedError::Full { rows: 3 };

fn store() -> Fixed<3, 4> {
    Fixed::new(GROUPS).unwrap()
}

fn at(key: u32) -> At<'static, u32> {
    GROUPS.locate::<u32>(key)
}

fn items(list: &impl List<u32, u8>, key: u32) -> Vec<u8> {
    let mut items = Vec::new();
    let visited = list.items(at(key), |item| {
        items.push(*item);
        ControlFlow::Continue(())
    });
    visited.unwrap();
    items
}

#[test]
fn a_full_value_state_takes_no_new_key_and_changes_old_ones() {
    let mut state = store().value(Descriptor::<u32, u64>::new("state")).unwrap();
    for key in 0..3 {
        state.put(at(key), 0).unwrap();
    }
    assert_eq!(state.put(at(3), 1), Err(FULL));
    let init = || panic!("there is no room for it");
    assert_eq!(state.update(at(3), init, |_| panic!("nothing to edit")), Err(FULL));
    assert_eq!(state.rows(), 3);
    state.put(at(0), 5).unwrap();
    state.update(at(0), || 0, |value| *value += 1).unwrap();
    assert_eq!(*state.get(at(0)).unwrap().unwrap(), 6);
    state.remove(at(1)).unwrap();
    state.put(at(3), 1).unwrap();
    assert!(state.get(at(1)).unwrap().is_none());
    assert_eq!(FULL.kind(), ErrorKind::Full);
    assert_eq!(FULL.to_string(), "all 3 rows are taken: remove some, or raise N");
}

#[test]
fn a_full_reducing_state_keeps_what_it_has() {
    let state = store().value(Descriptor::<u32, u64>::new("state")).unwrap();
    let mut sum = Reducing::new(state, |old: &mut u64, new| *old += new);
    for key in 0..3 {
        sum.add(at(key), 1).unwrap();
    }
    assert_eq!(sum.add(at(3), 1), Err(FULL));
    sum.add(at(2), 1).unwrap();
    assert_eq!((sum.get(at(2)), sum.get(at(3))), (Ok(Some(2)), Ok(None)));
}

#[test]
fn a_list_that_does_not_fit_stays_as_it_was() {
    let mut state = store().list(Descriptor::<u32, u8>::new("state")).unwrap();
    state.set(at(1), [1, 2]).unwrap();
    state.push(at(2), 9).unwrap();
    assert_eq!(state.push(at(1), 3), Err(FULL));
    assert_eq!(state.set(at(1), [4, 5, 6]), Err(FULL));
    assert_eq!(state.set(at(1), 0..100), Err(FULL));
    assert_eq!((items(&state, 1), items(&state, 2)), (vec![1, 2], vec![9]));
    state.set(at(1), [7, 8]).unwrap();
    state.merge(at(2), &[at(1)]).unwrap();
    assert_eq!((items(&state, 1), items(&state, 2)), (vec![], vec![9, 7, 8]));
    state.set(at(2), [1, 2, 3]).unwrap();
    assert_eq!(items(&state, 2), [1, 2, 3]);
}

#[test]
fn a_full_map_takes_no_new_field() {
    let mut state = store().map(Descriptor::<u32, (u8, u8)>::new("state")).unwrap();
    for field in 0..3 {
        assert_eq!(state.put(at(1), field, 0), Ok(true));
    }
    assert_eq!(state.put(at(1), 3, 0), Err(FULL));
    let init = || panic!("there is no room for it");
    assert_eq!(state.update(at(2), 0, init, |_| panic!("nothing to edit")), Err(FULL));
    assert_eq!(state.put(at(1), 2, 7), Ok(false));
    assert_eq!((state.len(at(1)), state.len(at(2))), (Ok(3), Ok(0)));
}

#[test]
fn full_timers_take_no_more() {
    let timers = Descriptor::<u32, ()>::new("state");
    let mut state = store().timers(timers, TimeDomain::Processing).unwrap();
    for time in 0..3 {
        assert_eq!(state.register(at(1), time), Ok(true));
    }
    assert_eq!(state.register(at(1), 3), Err(FULL));
    assert_eq!(state.register(at(1), 2), Ok(false));
    assert!(state.take(0).unwrap().is_some());
    assert_eq!(state.register(at(1), 3), Ok(true));
}

#[test]
fn rows_of_a_part_that_do_not_fit_are_refused() {
    let mut state = store().value(Descriptor::<u32, u8>::new("state")).unwrap();
    let form = Form::own(state.description().encoding);
    let mut load = |key: u32| {
        let row = [&key.to_le_bytes()[..], &[1]].concat();
        state.load(at(key).group(), Change { op: Op::Put, row: &row }, &form)
    };
    assert_eq!([0, 1, 2, 3].map(&mut load)[..3], [Ok(()), Ok(()), Ok(())]);
    assert_eq!(load(3), Err(LoadError::State(FULL)));
}

#[test]
fn more_groups_or_states_than_there_is_room_for_are_refused() {
    let refused = Fixed::<3, 4>::new(KeyGroups::all(5)).unwrap_err();
    assert_eq!(refused, FixedError::Groups { owned: 5, limit: 4 });
    assert_eq!(refused.kind(), ErrorKind::Mismatch);
    // A share of many groups is as small as it is.
    let share = KeyGroups::share(1000, 250, 7);
    let mut store = Fixed::<3, 4>::new(share).unwrap();
    let group = KeyGroup::new(share.first());
    let key = (0..).find(|key| share.locate::<u32>(*key).group() == group).unwrap();
    for number in 0..STATES_MAX {
        let name = format!("state {number}");
        let mut state = store.value(Descriptor::<u32, u8>::new(&name)).unwrap();
        state.put(share.locate(key), 1).unwrap();
    }
    let refused = store.value(Descriptor::<u32, u8>::new("one more")).err();
    assert_eq!(refused, Some(FixedError::States { limit: STATES_MAX }));
}

#[test]
fn a_table_of_one_row_holds_one() {
    let mut store = Fixed::<1, 4>::new(GROUPS).unwrap();
    let mut state = store.list(Descriptor::<u32, u8>::new("state")).unwrap();
    state.push(at(1), 1).unwrap();
    assert_eq!(state.push(at(1), 2), Err(FixedError::Full { rows: 1 }));
    state.remove(at(1)).unwrap();
    state.push(at(2), 2).unwrap();
    assert_eq!((items(&state, 1), items(&state, 2)), (vec![], vec![2]));
    assert!(state.bytes() > 0);
}

#[test]
fn maps_of_a_full_state_join_without_room() {
    let mut map = store().map(Descriptor::<In<u32, u8>, (u8, u64)>::new("map")).unwrap();
    for (window, field) in [(1, 1), (2, 1), (2, 2)] {
        map.put(at(0).within(window), field, 5).unwrap();
    }
    map.merge(at(0).within(3), &[at(0).within(2)], |old, new| *old += new).unwrap();
    map.merge(at(0).within(3), &[at(0).within(1)], |old, new| *old += new).unwrap();
    assert_eq!(*map.get(at(0).within(3), 1).unwrap().unwrap(), 10);
    assert_eq!(map.len(at(0).within(3)), Ok(2));
}
