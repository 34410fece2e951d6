//! What every store must do for the state of operators.
//!
//! A store's tests are one line: `operator!(Heap::new);`. Each behaviour is shown on tasks that
//! take checkpoints through the coordinator, and are restored from its manifests; the numbers are
//! those of docs/conformance.md.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fleet;

use core::ops::ControlFlow;
use std::collections::{BTreeMap, BTreeSet};

use holdwater::checkpoint::Warning;
use holdwater::error::{ErrorKind, StateError};
use holdwater::key::KeyGroups;
use holdwater::manifest::PartShape;
use holdwater::operator::Task;
use holdwater::state::{Backend, Kind, Value};

pub use fleet::{Fleet, Make, Shared};

/// Makes a test of each behaviour of operator state on a store.
#[macro_export]
macro_rules! operator {
    ($make:expr) => {
        $crate::operator! { @tests $make;
            operator_state_is_empty_until_something_is_stored,
            a_name_is_opened_as_one_kind,
            an_operator_without_state_writes_nothing,
            a_broadcast_map_alone_is_checkpointed,
            every_kind_is_restored_at_the_same_parallelism,
            a_checkpoint_does_not_see_later_changes,
            split_items_stay_where_they_are_at_the_same_parallelism,
            split_items_are_divided_evenly_and_none_is_lost_or_doubled,
            items_left_over_go_round_over_the_lists_of_an_operator,
            each_task_gets_the_items_of_all_of_a_union_list,
            each_task_gets_a_copy_of_a_broadcast_map,
            kinds_of_one_operator_are_divided_independently,
            equal_copies_of_a_broadcast_map_are_stored_once,
            copies_that_differ_are_stored_each_and_reported,
            what_did_not_change_is_not_written_again,
            deltas_of_lists_are_divided_like_full_ones;
        }
    };
    (@tests $make:expr; $($name:ident),+;) => {
        fn store(
            groups: $crate::holdwater::key::KeyGroups,
        ) -> impl $crate::holdwater::state::Backend {
            ($make)(groups)
        }

        $(
            #[test]
            fn $name() {
                $crate::operator::$name(store);
            }
        )+
    };
}

/// 181: reading what nothing was stored in shows nothing.
pub fn operator_state_is_empty_until_something_is_stored<B: Backend>(make: Make<B>) {
    let fleet = Fleet::begin(make, 1);
    let task = &fleet.tasks()[0];
    assert_eq!(task.ranges(), Vec::<u32>::new());
    assert!(task.ranges.is_empty().unwrap() && task.seen.is_empty().unwrap());
    assert!(task.rules.is_empty().unwrap() && task.rules.get("a").unwrap().is_none());
    assert_eq!(task.rules(), BTreeMap::new());
}

/// 182: a name stands for one state of one kind.
pub fn a_name_is_opened_as_one_kind<B: Backend>(make: Make<B>) {
    use holdwater::operator::{Split, Union};
    use holdwater::state::Descriptor;
    let mut lone = make(KeyGroups::all(1));
    let task = Task::new(0, 1);
    let first = Split::open(&mut lone, Descriptor::<u16, u32>::new("ranges"), task).unwrap();
    let second = Union::open(&mut lone, Descriptor::<u16, u32>::new("ranges"), task);
    assert_eq!(second.err().map(|error| error.kind()), Some(ErrorKind::Mismatch));
    drop(first);
    // In the checkpoint of another kind: refused before a row is read.
    let mut fleet = Fleet::begin(make, 2);
    fleet.each(|index, task| task.ranges.push(index.into()).unwrap());
    fleet.checkpoint();
    let manifest = fleet.manifest().clone();
    assert!(fleet.restores_as(&manifest, Kind::Union).unwrap_err().contains("is a union list now"));
    fleet.restores_as(&manifest, Kind::Split).unwrap();
}

/// 183: no state, no file.
pub fn an_operator_without_state_writes_nothing<B: Backend>(make: Make<B>) {
    let mut fleet = Fleet::begin(make, 3);
    fleet.checkpoint();
    assert!(fleet.manifest().files.is_empty());
    fleet.restore(2);
    assert!(fleet.tasks().iter().all(|task| task.ranges().is_empty()));
}

/// 184: a broadcast map needs no list beside it.
pub fn a_broadcast_map_alone_is_checkpointed<B: Backend>(make: Make<B>) {
    let mut fleet = Fleet::begin(make, 2);
    fleet.each(|_, task| _ = task.rules.put("a", 1).unwrap());
    fleet.checkpoint();
    fleet.restore(2);
    let rules = BTreeMap::from([("a".to_owned(), 1)]);
    assert!(fleet.tasks().iter().all(|task| task.rules() == rules));
}

/// 185: split, union, broadcast and empty ones, before and after a restore.
pub fn every_kind_is_restored_at_the_same_parallelism<B: Backend>(make: Make<B>) {
    let mut fleet = filled(make, 3);
    fleet.checkpoint();
    fleet.restore(3);
    for (index, task) in fleet.tasks().iter().enumerate() {
        let index = index as u32;
        assert_eq!(task.ranges(), [index * 10, index * 10 + 1]);
        assert_eq!(task.files(), Vec::<String>::new());
        assert_eq!(task.seen(), [0, 1, 2]);
        assert_eq!(task.rules(), rules());
    }
}

/// 186, 187: what is frozen stays as it was; dropping it changes nothing.
pub fn a_checkpoint_does_not_see_later_changes<B: Backend>(make: Make<B>) {
    let mut fleet = filled(make, 2);
    let frozen = fleet.freeze();
    fleet.each(|_, task| {
        task.ranges.push(99).unwrap();
        task.seen.set([]).unwrap();
        task.rules.remove_all().unwrap();
    });
    fleet.complete(frozen);
    fleet.restore(2);
    assert_eq!(fleet.tasks()[1].ranges(), [10, 11]);
    assert_eq!(fleet.tasks()[1].rules(), rules());
    drop(fleet.freeze());
    fleet.restore(1);
    assert_eq!(fleet.tasks()[0].ranges(), [0, 1, 10, 11]);
}

/// 189: without a change of tasks nothing moves.
pub fn split_items_stay_where_they_are_at_the_same_parallelism<B: Backend>(make: Make<B>) {
    let mut fleet = Fleet::begin(make, 3);
    fleet.each(|index, task| {
        let items = (0..u32::from(index) * 5).map(|item| u32::from(index) * 100 + item);
        task.ranges.set(items).unwrap();
    });
    fleet.checkpoint();
    fleet.restore(3);
    let lens: Vec<_> = fleet.tasks().iter().map(|task| task.ranges.len().unwrap()).collect();
    assert_eq!(lens, [0, 5, 10]);
    assert_eq!(fleet.tasks()[1].ranges(), [100, 101, 102, 103, 104]);
}

/// 189: each task gets an even share of all items, in their order.
pub fn split_items_are_divided_evenly_and_none_is_lost_or_doubled<B: Backend>(make: Make<B>) {
    for (before, after) in [(1, 3), (3, 1), (2, 3), (5, 2), (4, 8)] {
        let mut fleet = Fleet::begin(make, before);
        fleet.each(|index, task| {
            let index = u32::from(index);
            task.ranges.set((0..index * 2 + 1).map(|item| index * 100 + item)).unwrap();
        });
        let all: Vec<_> = fleet.tasks().iter().flat_map(Shared::ranges).collect();
        fleet.checkpoint();
        fleet.restore(after);
        let shares: Vec<_> = fleet.tasks().iter().map(Shared::ranges).collect();
        let lens = shares.iter().map(Vec::len);
        assert!(lens.clone().max().unwrap() - lens.min().unwrap() <= 1, "{before} to {after}");
        assert_eq!(shares.concat(), all, "{before} to {after}");
    }
}

/// 189: no task gets what is left over of all lists.
pub fn items_left_over_go_round_over_the_lists_of_an_operator<B: Backend>(make: Make<B>) {
    let mut fleet = Fleet::begin(make, 1);
    fleet.each(|_, task| {
        task.ranges.set([1]).unwrap();
        task.files.set(["a".to_owned()]).unwrap();
    });
    fleet.checkpoint();
    fleet.restore(2);
    let lens = |task: &Shared<B>| (task.ranges().len(), task.files().len());
    assert_eq!(fleet.tasks().iter().map(lens).collect::<Vec<_>>(), [(1, 0), (0, 1)]);
}

/// 190: in the order of the tasks.
pub fn each_task_gets_the_items_of_all_of_a_union_list<B: Backend>(make: Make<B>) {
    for after in [1, 2, 3, 5] {
        let mut fleet = filled(make, 3);
        fleet.checkpoint();
        fleet.restore(after);
        assert!(fleet.tasks().iter().all(|task| task.seen() == [0, 1, 2]), "to {after}");
        // Each keeps what is its own; the next restore sees no more than that.
        fleet.each(|index, task| task.seen.set([u32::from(index)]).unwrap());
        fleet.checkpoint();
        fleet.restore(2);
        let expected: Vec<_> = (0..u32::from(after)).collect();
        assert!(fleet.tasks().iter().all(|task| task.seen() == expected), "from {after}");
    }
}

/// 191: also of more tasks than there were.
pub fn each_task_gets_a_copy_of_a_broadcast_map<B: Backend>(make: Make<B>) {
    for after in [1, 2, 3, 7] {
        let mut fleet = filled(make, 3);
        fleet.checkpoint();
        fleet.restore(after);
        assert!(fleet.tasks().iter().all(|task| task.rules() == rules()), "to {after}");
    }
}

/// 192: keyed state beside them, too.
pub fn kinds_of_one_operator_are_divided_independently<B: Backend>(make: Make<B>) {
    let mut fleet = filled(make, 2);
    let groups = KeyGroups::all(fleet::GROUPS);
    for key in 0..20u64 {
        fleet.own(key).sums.put(groups.locate::<u64>(key), key as i64).unwrap();
    }
    fleet.checkpoint();
    fleet.restore(3);
    for key in 0..20u64 {
        let held = fleet.own(key).sums.get(groups.locate::<u64>(key)).unwrap().map(|sum| *sum);
        assert_eq!(held, Some(key as i64));
    }
    let shares: Vec<_> = fleet.tasks().iter().map(Shared::ranges).collect();
    assert_eq!(shares, [vec![0, 1], vec![10], vec![11]]);
    assert!(fleet.tasks().iter().all(|task| task.seen() == [0, 1] && task.rules() == rules()));
}

/// 193: the chains of all tasks name one part.
pub fn equal_copies_of_a_broadcast_map_are_stored_once<B: Backend>(make: Make<B>) {
    let mut fleet = Fleet::begin(make, 4);
    fleet.each(|_, task| _ = task.rules.put("a", 1).unwrap());
    assert_eq!(fleet.checkpoint(), []);
    let manifest = fleet.manifest().clone();
    let state = manifest.operator(fleet::OPERATOR).unwrap().state("rules").unwrap();
    assert_eq!((state.copies(), state.chains.len()), (1, 4));
    assert_eq!(manifest.files.len(), 1);
    // What the other tasks wrote is cleaned up.
    assert_eq!(fleet.data_files(), manifest.file_ids());
    fleet.checkpoint();
    assert_eq!(fleet.manifest().files.len(), 1, "unchanged copies are named again");
}

/// 193: a task that missed a change is told of, and keeps its own copy.
pub fn copies_that_differ_are_stored_each_and_reported<B: Backend>(make: Make<B>) {
    let mut fleet = filled(make, 3);
    fleet.each(|index, task| {
        if index == 1 {
            task.rules.remove("a").unwrap();
        }
    });
    let (operator, state) = (fleet::OPERATOR.to_owned(), "rules".to_owned());
    assert_eq!(fleet.checkpoint(), [Warning::UnlikeCopies { operator, state, copies: 2 }]);
    fleet.restore(3);
    let lens: Vec<_> = fleet.tasks().iter().map(|task| task.rules.len().unwrap()).collect();
    assert_eq!(lens, [2, 1, 2]);
}

/// 193: freezing takes no copy, and the delta is what changed.
pub fn what_did_not_change_is_not_written_again<B: Backend>(make: Make<B>) {
    let mut fleet = filled(make, 2);
    fleet.checkpoint();
    let first: BTreeSet<_> = fleet.data_files();
    fleet.checkpoint();
    assert_eq!(fleet.data_files(), first);
    fleet.restore(2);
    fleet.each(|_, task| task.seen.set([]).unwrap());
    fleet.checkpoint();
    let manifest = fleet.manifest();
    let operator = manifest.operator(fleet::OPERATOR).unwrap();
    assert!(operator.state("seen").unwrap().chains.is_empty());
    for name in ["ranges", "rules"] {
        let state = operator.state(name).unwrap();
        let parts = state.chains.iter().flat_map(|chain| &chain.parts);
        assert!(parts.into_iter().all(|part| first.contains(&part.file)), "{name}");
    }
}

/// 189: a chain of parts is divided as its content is.
pub fn deltas_of_lists_are_divided_like_full_ones<B: Backend>(make: Make<B>) {
    let mut fleet = filled(make, 2);
    fleet.checkpoint();
    fleet.each(|index, task| task.ranges.push(u32::from(index) * 10 + 2).unwrap());
    fleet.checkpoint();
    fleet.each(|index, task| {
        if index == 1 {
            task.ranges.set([7]).unwrap();
        }
    });
    fleet.checkpoint();
    fleet.restore(3);
    let shares: Vec<_> = fleet.tasks().iter().map(Shared::ranges).collect();
    assert_eq!(shares, [vec![0, 1], vec![2], vec![7]]);
    // What moved is written whole: no delta stands on what another task wrote.
    fleet.each(|_, task| task.ranges.push(50).unwrap());
    fleet.checkpoint();
    let operator = fleet.manifest().operator(fleet::OPERATOR).unwrap();
    let chains = &operator.state("ranges").unwrap().chains;
    assert!(chains.iter().all(|chain| {
        chain.parts.len() == 1 && matches!(chain.parts[0].shape, PartShape::Full { .. })
    }));
    fleet.restore(1);
    assert_eq!(fleet.tasks()[0].ranges(), [0, 1, 50, 2, 50, 7, 50]);
}

/// Tasks with something of every kind but `files`.
fn filled<B: Backend>(make: Make<B>, tasks: u16) -> Fleet<B> {
    let mut fleet = Fleet::begin(make, tasks);
    fleet.each(|index, task| {
        let index = u32::from(index);
        task.ranges.push(index * 10).unwrap();
        task.ranges.push(index * 10 + 1).unwrap();
        task.seen.push(index).unwrap();
        task.rules.put("a", 1).unwrap();
        task.rules.put("b", 1).unwrap();
        task.rules.update("b", || 0, |rule| *rule += 1).unwrap();
    });
    fleet
}

fn rules() -> BTreeMap<String, i64> {
    BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)])
}

/// Gathers what a visit shows.
fn gather<T: Clone>(found: &mut Vec<T>, item: &T) -> ControlFlow<()> {
    found.push(item.clone());
    ControlFlow::Continue(())
}
