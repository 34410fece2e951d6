//! Incremental checkpoints of keyed state.

use std::collections::BTreeMap;

use holdwater::state::{
    Backend, Change, Descriptor, Form, List, LoadError, Map, Op, Shape, State, Timers, Value,
};

use super::all::{change, filled};
use super::read::{entries, items, value};
use super::{Run, Sole, contents};

/// 92: a delta holds what an aborted checkpoint had taken.
pub fn a_delta_contains_what_an_aborted_checkpoint_took<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    change(run, &mut states);
    let aborted = states.freeze();
    states.save(&aborted);
    states.abort(aborted.cut().checkpoint);
    states.texts.put(run.at(50), "fifty".into()).unwrap();
    states.turn();
    assert_eq!(value(&states.texts, run.at(1)), Some("one!".into()));
    assert_eq!(value(&states.texts, run.at(50)), Some("fifty".into()));
}

/// 92: a delta on an older base holds what checkpoints of unknown outcome had taken.
pub fn a_delta_contains_what_an_unknown_outcome_took<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    for _ in 0..3 {
        change(run, &mut states);
        let unknown = states.freeze();
        states.save(&unknown);
    }
    states.turn();
    assert_eq!(value(&states.texts, run.at(1)), Some("one!!!".into()));
}

/// 92: a checkpoint that completes after further writes and freezes is a base like any other.
pub fn a_late_completion_is_a_base<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    let first = states.freeze();
    states.save(&first);
    change(run, &mut states);
    let second = states.freeze();
    change(run, &mut states);
    states.complete(first.cut().checkpoint);
    change(run, &mut states);
    let third = states.freeze();
    states.save(&third);
    states.save(&second);
    states.complete(second.cut().checkpoint);
    states.texts.put(run.at(50), "fifty".into()).unwrap();
    states.turn();
    let mut restored = states.restored(third.cut().checkpoint);
    assert_eq!(contents(&states.freeze_other(&mut restored)), contents(&third));
    assert_eq!(value(&states.texts, run.at(1)), Some("one!!!".into()));
}

/// 92: a base that the state was not told to be complete yields everything.
pub fn an_unknown_base_yields_everything<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let unknown = states.freeze().cut().checkpoint;
    for base in [unknown, u64::MAX, 0] {
        let frozen = states.freeze_on(Some(base));
        for (_, state) in frozen.states() {
            for group in run.groups().iter() {
                let shape = state.shape(group);
                assert!(matches!(shape, Shape::Full | Shape::Empty), "{shape:?} on {base}");
            }
        }
        assert!(frozen.has_parts(holdwater::snapshot::Portion::All));
    }
}

/// 92: without a base everything is asked for, whatever was completed.
pub fn no_base_yields_everything<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let frozen = states.freeze_on(None);
    let all = contents(&frozen);
    states.save(&frozen);
    let written = states.checkpoints().parts_written(frozen.cut().checkpoint);
    let sum: u64 =
        written.inspect(|part| assert_eq!(part.shape, Shape::Full)).map(|p| p.rows).sum();
    assert_eq!(sum, all.rows());
}

/// 92, 119: what did not change since the base is not written again, also after a restore.
pub fn what_did_not_change_is_not_written_again<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let frozen = states.freeze();
    assert_eq!(frozen.has_parts(holdwater::snapshot::Portion::All), !run.mode().is_incremental());
    states.texts.put(run.at(1), "changed".into()).unwrap();
    let frozen = states.freeze();
    for (description, state) in frozen.states() {
        for group in run.groups().iter() {
            let changed = description.name.as_str() == "texts" && group == run.at::<u64>(1).group();
            let written = matches!(state.shape(group), Shape::Full | Shape::Delta);
            if run.mode().is_incremental() {
                assert_eq!(written, changed, "{} {group}", description.name);
            } else {
                assert!(written || state.shape(group) == Shape::Empty);
            }
        }
    }
}

/// 92: the chain of a full checkpoint and three deltas restores the last moment, and each before.
pub fn a_chain_of_three_deltas_restores_each_moment<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    let mut moments = Vec::new();
    for number in 0..4 {
        states.turn();
        let checkpoint = states.checkpoints().last().unwrap();
        moments.push((checkpoint, contents(&states.freeze_on(None))));
        change(run, &mut states);
        states.texts.put(run.at(number), format!("{number}")).unwrap();
        states.texts.remove(run.at(number + 1)).unwrap();
    }
    for (checkpoint, moment) in moments {
        let mut restored = states.restored(checkpoint);
        assert_eq!(contents(&states.freeze_other(&mut restored)), moment);
    }
}

/// 92, 105: what was removed since the base stays removed; what was removed and put again is there.
pub fn a_removal_is_in_the_delta<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let at = run.at::<u64>(1);
    states.texts.remove(at).unwrap();
    states.numbers.remove(at.within(1)).unwrap();
    states.amounts.remove(at, "a").unwrap();
    states.amounts.remove_all(run.at(2)).unwrap();
    assert!(states.timers.delete(at, 10).unwrap());
    states.texts.remove(run.at(2)).unwrap();
    states.texts.put(run.at(2), "two again".into()).unwrap();
    states.amounts.put(run.at(2), "z", 26).unwrap();
    states.turn();
    assert_eq!(value(&states.texts, at), None);
    assert_eq!(value(&states.texts, run.at(2)), Some("two again".into()));
    assert_eq!(items(&states.numbers, at.within(1)), []);
    assert_eq!(entries(&states.amounts, at), BTreeMap::from([("b".into(), 2)]));
    assert_eq!(entries(&states.amounts, run.at(2)), BTreeMap::from([("z".into(), 26)]));
    assert_eq!(states.timers.next().unwrap(), Some(20));
}

/// 21, 92: lists that grew, were replaced, or dropped and begun anew since the base.
pub fn changed_lists_are_in_the_delta<B: Backend>(run: &Run<B>) {
    let mut state = run.open(|store| Ok(Sole(store.list(Descriptor::<u64, String>::new("list"))?)));
    let text = |number: u64| format!("item {number}");
    for key in 0..6 {
        state.set(run.at(key), (0..5).map(text)).unwrap();
    }
    state.turn();
    state.push(run.at(0), text(5)).unwrap();
    state.set(run.at(1), [text(9)]).unwrap();
    state.set(run.at(2), (10..20).map(text)).unwrap();
    state.remove(run.at(3)).unwrap();
    state.remove(run.at(4)).unwrap();
    state.push(run.at(4), text(7)).unwrap();
    state.push(run.at(9), text(0)).unwrap();
    state.remove(run.at(9)).unwrap();
    state.turn();
    state.push(run.at(0), text(6)).unwrap();
    state.push(run.at(1), text(8)).unwrap();
    state.turn();
    let texts = |numbers: &[u64]| numbers.iter().copied().map(text).collect::<Vec<_>>();
    assert_eq!(items(&state.0, run.at(0)), texts(&[0, 1, 2, 3, 4, 5, 6]));
    assert_eq!(items(&state.0, run.at(1)), texts(&[9, 8]));
    assert_eq!(items(&state.0, run.at(2)), (10..20).map(text).collect::<Vec<_>>());
    assert_eq!(items(&state.0, run.at(3)), texts(&[]));
    assert_eq!(items(&state.0, run.at(4)), texts(&[7]));
    assert_eq!(items(&state.0, run.at(5)), texts(&[0, 1, 2, 3, 4]));
    assert_eq!(state.rows(), 5);
}

/// 92: a group whose last row was removed is empty in the checkpoint.
pub fn a_group_that_was_emptied_is_empty<B: Backend>(run: &Run<B>) {
    let mut state = run.open(|store| Ok(Sole(store.value(Descriptor::<u64, u64>::new("value"))?)));
    state.put(run.at(1), 1).unwrap();
    state.turn();
    state.remove(run.at(1)).unwrap();
    let frozen = state.freeze();
    assert!(!frozen.has_parts(holdwater::snapshot::Portion::All));
    state.turn();
    assert_eq!((state.rows(), value(&state.0, run.at(1))), (0, None));
    state.put(run.at(1), 2).unwrap();
    state.turn();
    assert_eq!(value(&state.0, run.at(1)), Some(2));
}

/// 92: each operation that a delta can hold is applied, also to what is not there.
pub fn each_operation_of_a_delta_is_applied<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let one = [1];
    apply(&mut states.texts, Op::Put, &[&one[..], b"\x03new"]).unwrap();
    apply(&mut states.texts, Op::Remove, &[&[2]]).unwrap();
    apply(&mut states.texts, Op::Remove, &[&[99]]).unwrap();
    let fixed = [&1u64.to_le_bytes()[..], &[1]].concat();
    apply(&mut states.numbers, Op::Put, &[&fixed, &[1], &7u32.to_le_bytes()]).unwrap();
    apply(&mut states.numbers, Op::Keep, &[&fixed, &[1]]).unwrap();
    apply(&mut states.numbers, Op::Put, &[&fixed, &[1], &8u32.to_le_bytes()]).unwrap();
    apply(&mut states.amounts, Op::Remove, &[&one, &[2], b"\x01a\x01z"]).unwrap();
    apply(&mut states.amounts, Op::Clear, &[&[2]]).unwrap();
    apply(&mut states.amounts, Op::Clear, &[&[99]]).unwrap();
    apply(&mut states.amounts, Op::Put, &[&[2], &[1], b"\x01c\x02"]).unwrap();
    apply(&mut states.timers, Op::Clear, &[&1u64.to_le_bytes()]).unwrap();
    let two = 2u64.to_le_bytes();
    apply(&mut states.timers, Op::Put, &[&two, &[1], &30i64.to_le_bytes()]).unwrap();
    apply(&mut states.timers, Op::Remove, &[&two, &[1], &20i64.to_le_bytes()]).unwrap();
    states.turn();
    assert_eq!(value(&states.texts, run.at(1)), Some("new".into()));
    assert_eq!(value(&states.texts, run.at(2)), None);
    assert_eq!(items(&states.numbers, run.at::<u64>(1).within(1)), [1, 8]);
    assert_eq!(entries(&states.amounts, run.at(1)), BTreeMap::from([("b".into(), 2)]));
    assert_eq!(entries(&states.amounts, run.at(2)), BTreeMap::from([("c".into(), 1)]));
    assert_eq!(states.timers.next().unwrap(), Some(30));
    apply(&mut states.numbers, Op::Keep, &[&fixed, &[0]]).unwrap();
    assert_eq!(items(&states.numbers, run.at::<u64>(1).within(1)), []);
    states.turn();
    assert_eq!(states.numbers.rows(), 2);
}

/// 99, 100: an operation that is none of the kind of state, that keeps more items than there are,
/// or whose row goes on behind its end, is refused.
pub fn an_operation_that_does_not_fit_is_refused<B: Backend>(run: &Run<B>) {
    let mut states = filled(run);
    states.turn();
    let eight = 1u64.to_le_bytes();
    let list = [&eight[..], &[1]].concat();
    let refused = [
        apply(&mut states.texts, Op::Clear, &[&[1]]).is_err(),
        apply(&mut states.texts, Op::Keep, &[&[1], &[1]]).is_err(),
        apply(&mut states.texts, Op::Remove, &[&[1], &[1]]).is_err(),
        apply(&mut states.texts, Op::Put, &[&[1], b"\x01x\x00"]).is_err(),
        apply(&mut states.texts, Op::Put, &[&[1], b"\x02x"]).is_err(),
        apply(&mut states.numbers, Op::Clear, &[&list]).is_err(),
        apply(&mut states.numbers, Op::Keep, &[&list, &[5]]).is_err(),
        apply(&mut states.numbers, Op::Put, &[&list, &[2], &[0; 4]]).is_err(),
        apply(&mut states.amounts, Op::Keep, &[&[1], &[1]]).is_err(),
        apply(&mut states.amounts, Op::Put, &[&[1], &[2], b"\x01c\x02"]).is_err(),
        apply(&mut states.timers, Op::Keep, &[&eight, &[1]]).is_err(),
        apply(&mut states.timers, Op::Put, &[&eight, &[1], &[0; 7]]).is_err(),
    ];
    assert_eq!(refused, [true; 12]);
}

/// Applies a row of the key 1, or of the key that it begins with.
fn apply<S: State>(state: &mut S, op: Op, row: &[&[u8]]) -> Result<(), LoadError<S::Error>> {
    let row = row.concat();
    let key = u64::from(row.first().copied().unwrap_or_default());
    let group = state.groups().locate::<u64>(key).group();
    let form = Form::own(state.description().encoding);
    state.load(group, Change { op, row: &row }, &form)
}
