//! Ordered maps against a tree in memory.

#![allow(clippy::unwrap_used)]

mod place;

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use holdwater::key::{Key, KeyGroups, OrderedKey};
use holdwater::snapshot;
use holdwater::state::{Backend, Cut, Descriptor, Fate, Map, OrderedMap, State};
use holdwater_conformance::keyed::Sole;
use holdwater_mmap::{ByOrder, Mmap, MmapMap};
use proptest::collection::vec;
use proptest::prelude::*;

use place::directory;

type Ordered<F> = Sole<MmapMap<u8, F, u64, ByOrder>>;

#[derive(Clone, Debug)]
enum Step<F> {
    Put(F, u64),
    Remove(F),
    /// Keeps the fields whose value is not divisible by this, and halves those of which half is.
    Retain(u64),
    Range(Bound<F>, Bound<F>),
    Freeze,
    Completed,
    RemoveAll,
    Sweep,
}

fn any_step<F: Clone + std::fmt::Debug + 'static>(
    field: impl Strategy<Value = F> + Clone + 'static,
) -> impl Strategy<Value = Step<F>> {
    let bound = |field: BoxedStrategy<F>| {
        prop_oneof![
            field.clone().prop_map(Bound::Included),
            field.prop_map(Bound::Excluded),
            Just(Bound::Unbounded)
        ]
    };
    let (start, end) = (bound(field.clone().boxed()), bound(field.clone().boxed()));
    prop_oneof![
        12 => (field.clone(), any::<u64>()).prop_map(|(field, value)| Step::Put(field, value)),
        4 => field.prop_map(Step::Remove),
        1 => (2..5u64).prop_map(Step::Retain),
        4 => (start, end).prop_map(|(start, end)| Step::Range(start, end)),
        1 => Just(Step::Freeze),
        1 => Just(Step::Completed),
        1 => Just(Step::Sweep),
        // Rarely, so that maps grow.
        1 => prop_oneof![1 => Just(Step::RemoveAll), 19 => Just(Step::Sweep)],
    ]
}

fn play<F: OrderedKey + Ord + std::fmt::Debug>(steps: &[Step<F>]) {
    let groups = KeyGroups::all(2);
    let mut store = Mmap::new(groups, directory()).with_segment_bytes(2000);
    let mut state: Ordered<F> = Sole(store.ordered_map(Descriptor::new("map")).unwrap());
    let (at, mut truth, mut checkpoint) = (groups.locate::<u8>(7), BTreeMap::new(), 0);
    for step in steps {
        match step {
            Step::Put(field, value) => {
                let new = state.put(at, field.view(), *value).unwrap();
                assert_eq!(new, truth.insert(field.clone(), *value).is_none());
            }
            Step::Remove(field) => {
                let found = state.remove(at, field.view()).unwrap();
                assert_eq!(found, truth.remove(field).is_some());
            }
            Step::Retain(divisor) => {
                let fate = |value: u64| match value {
                    value if value.is_multiple_of(*divisor) => Fate::Dropped,
                    value if value.is_multiple_of(2) => Fate::Changed(value / 2),
                    _ => Fate::Kept,
                };
                state.retain(at, |_, value| fate(*value)).unwrap();
                truth.retain(|_, value| match fate(*value) {
                    Fate::Dropped => false,
                    Fate::Changed(changed) => {
                        *value = changed;
                        true
                    }
                    Fate::Kept => true,
                });
            }
            Step::Range(start, end) => compare(&state, &truth, start, end),
            Step::Freeze => {
                checkpoint += 1;
                let cut = Cut { checkpoint, base: None, now: 0, watermark: 0 };
                snapshot::freeze(&mut state, groups, cut).unwrap();
            }
            Step::Completed => state.completed(checkpoint),
            Step::RemoveAll => {
                state.remove_all(at).unwrap();
                truth.clear();
            }
            Step::Sweep => drop(state.sweep(0, 3).unwrap()),
        }
        assert_eq!(state.len(at).unwrap(), truth.len() as u64);
    }
    compare(&state, &truth, &Bound::Unbounded, &Bound::Unbounded);
}

fn compare<F: OrderedKey + Ord + std::fmt::Debug>(
    state: &Ordered<F>,
    truth: &BTreeMap<F, u64>,
    start: &Bound<F>,
    end: &Bound<F>,
) {
    let at = KeyGroups::all(2).locate::<u8>(7);
    let is_in = |field: &F| {
        let behind = match start {
            Bound::Included(start) => field >= start,
            Bound::Excluded(start) => field > start,
            Bound::Unbounded => true,
        };
        let before = match end {
            Bound::Included(end) => field <= end,
            Bound::Excluded(end) => field < end,
            Bound::Unbounded => true,
        };
        behind && before
    };
    let expected: Vec<_> = truth.iter().filter(|(field, _)| is_in(field)).collect();
    let range = || (start.as_ref().map(Key::view), end.as_ref().map(Key::view));
    let mut found = Vec::new();
    state
        .range(at, range(), |field, value| {
            found.push((field.clone(), *value));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(found.iter().map(|(field, value)| (field, value)).eq(expected.iter().copied()));
    found.clear();
    state
        .range_back(at, range(), |field, value| {
            found.push((field.clone(), *value));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(found.iter().map(|(field, value)| (field, value)).eq(expected.into_iter().rev()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn an_ordered_map_of_text_is_a_tree(
        steps in vec(any_step("(prefix that is long )?[a-c]{0,3}"), 0..300),
    ) {
        play::<String>(&steps);
    }

    #[test]
    fn an_ordered_map_of_numbers_is_a_tree(steps in vec(any_step(-400i32..400), 0..1500)) {
        play::<i32>(&steps);
    }
}
