//! Each kind against a model, under random writes, freezes, outcomes and restores.

#![allow(clippy::unwrap_used)]

mod chain;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::{Bound, ControlFlow};

use holdwater::key::{In, Key};
use holdwater::snapshot::FrozenStates;
use holdwater::state::{
    Backend, Descriptor, List, Map, OrderedMap, State, TimeDomain, Timers, Value,
};
use holdwater_heap::{Heap, HeapError, HeapList, HeapMap, HeapOrderedMap, HeapTimers, HeapValue};
use proptest::prelude::*;

use chain::{Checkpoint, digests, freeze_state, groups, load, save};

/// A kind of state, and what it should do.
trait Subject {
    type State: State<Error = HeapError>;
    type Model: Clone + Debug + Default + PartialEq;

    fn open() -> Self::State;
    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8);
    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8);
    fn read(state: &mut Self::State) -> Self::Model;
}

#[derive(Clone, Debug)]
enum Step {
    Write { first: u32, count: u32, how: u8 },
    Remove { first: u32, count: u32, how: u8 },
    Freeze { full: bool },
    Save(usize),
    Complete(usize),
    Abort(usize),
    Sweep(usize),
    Restore(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let count = || prop_oneof![4 => 1..4u32, 1 => 0..900u32];
    prop_oneof![
        8 => (0..2000u32, count(), any::<u8>())
            .prop_map(|(first, count, how)| Step::Write { first, count, how }),
        4 => (0..2000u32, count(), any::<u8>())
            .prop_map(|(first, count, how)| Step::Remove { first, count, how }),
        4 => any::<u8>().prop_map(|full| Step::Freeze { full: full < 40 }),
        3 => any::<usize>().prop_map(Step::Save),
        2 => any::<usize>().prop_map(Step::Complete),
        1 => any::<usize>().prop_map(Step::Abort),
        1 => (0..50usize).prop_map(Step::Sweep),
        1 => any::<usize>().prop_map(Step::Restore),
    ]
}

struct Taken<M> {
    frozen: FrozenStates<HeapError>,
    base: Option<Checkpoint>,
    model: M,
}

struct Run<S: Subject> {
    state: S::State,
    model: S::Model,
    next: u64,
    taken: Vec<Taken<S::Model>>,
    /// Saved, but neither complete nor aborted.
    saved: Vec<(Checkpoint, S::Model)>,
    completed: Vec<(Checkpoint, S::Model)>,
}

impl<S: Subject> Run<S> {
    fn new() -> Self {
        let (state, model) = (S::open(), S::Model::default());
        Self { state, model, next: 1, taken: vec![], saved: vec![], completed: vec![] }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Write { first, count, how } => {
                for key in first..first + count {
                    S::write(&mut self.state, &mut self.model, key, how);
                }
            }
            Step::Remove { first, count, how } => {
                for key in first..first + count {
                    S::remove(&mut self.state, &mut self.model, key, how);
                }
            }
            Step::Freeze { full } => {
                let base = self.completed.last().filter(|_| !full).map(|(base, _)| base.clone());
                let id = base.as_ref().map(|base| base.id);
                let frozen = freeze_state(&mut self.state, self.next, id);
                self.next += 1;
                self.taken.push(Taken { frozen, base, model: self.model.clone() });
            }
            Step::Save(choice) => {
                if let Some(index) = choice.checked_rem(self.taken.len()) {
                    let taken = self.taken.remove(index);
                    let checkpoint = save(&taken.frozen, taken.base.as_ref());
                    self.saved.push((checkpoint, taken.model));
                }
            }
            Step::Complete(choice) => {
                if let Some(index) = choice.checked_rem(self.saved.len()) {
                    let done = self.saved.remove(index);
                    self.state.completed(done.0.id);
                    // A base is never older than one before it.
                    if self.completed.last().is_none_or(|(last, _)| last.id < done.0.id) {
                        self.completed.push(done);
                    }
                }
            }
            Step::Abort(choice) => {
                if let Some(index) = choice.checked_rem(self.saved.len()) {
                    let (checkpoint, _) = self.saved.remove(index);
                    self.state.aborted(checkpoint.id);
                }
            }
            Step::Sweep(steps) => {
                let done = self.state.sweep(0, steps).unwrap();
                assert!(done <= steps);
            }
            Step::Restore(choice) => {
                if let Some(index) = choice.checked_rem(self.completed.len()) {
                    self.completed.truncate(index + 1);
                    let (checkpoint, model) = self.completed.last().unwrap().clone();
                    (self.state, self.model) = (S::open(), model);
                    load(&checkpoint, &mut self.state);
                    self.taken.clear();
                    self.saved.clear();
                }
            }
        }
    }

    /// Whatever was frozen is restored as it was, from a chain of deltas as from a full part.
    fn finish(mut self) {
        assert_eq!(S::read(&mut self.state), self.model);
        for taken in core::mem::take(&mut self.taken) {
            self.saved.push((save(&taken.frozen, taken.base.as_ref()), taken.model));
        }
        for (checkpoint, model) in self.saved.iter().chain(&self.completed) {
            let mut restored = S::open();
            load(checkpoint, &mut restored);
            assert_eq!(S::read(&mut restored), *model, "checkpoint {}", checkpoint.id);
            for (group, found) in digests(&mut restored) {
                if let [(_, full)] = &checkpoint.chains[&group][..] {
                    assert_eq!((full.rows, full.digest), found);
                }
            }
        }
        drop(self.saved);
        while self.state.sweep(0, 1000).unwrap() > 0 {}
        assert_eq!(S::read(&mut self.state), self.model);
        self.state.clear().unwrap();
        assert_eq!(self.state.rows(), 0);
    }
}

fn run<S: Subject>(steps: Vec<Step>) {
    let mut run = Run::<S>::new();
    for step in steps {
        run.step(step);
    }
    run.finish();
}

struct Numbers;

impl Subject for Numbers {
    type State = HeapValue<u32, u64>;
    type Model = BTreeMap<u32, u64>;

    fn open() -> Self::State {
        Heap::new(groups()).value(Descriptor::new("numbers")).unwrap()
    }

    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let at = groups().locate::<u32>(key);
        if how.is_multiple_of(2) {
            state.put(at, u64::from(how)).unwrap();
            model.insert(key, u64::from(how));
        } else {
            let new = state
                .update(
                    at,
                    || 7,
                    |value| {
                        *value *= 3;
                        *value
                    },
                )
                .unwrap();
            let value = model.entry(key).or_insert(7);
            *value = value.wrapping_mul(3);
            assert_eq!(new, *value);
        }
    }

    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, _: u8) {
        state.remove(groups().locate::<u32>(key)).unwrap();
        model.remove(&key);
    }

    fn read(state: &mut Self::State) -> Self::Model {
        read_value(state, |key| *key)
    }
}

/// Reads a value state by visiting it, and checks that each key is found.
fn read_value<K: Key, V: holdwater::schema::Data + PartialEq + Debug, T: Ord + Debug>(
    state: &HeapValue<K, V>,
    name: impl Fn(&K) -> T,
) -> BTreeMap<T, V> {
    let mut model = BTreeMap::new();
    for group in groups().iter() {
        state
            .visit(group, |key, value| {
                let at = groups().locate::<K>(key.view());
                assert_eq!(at.group(), group);
                assert_eq!(&*state.get(at).unwrap().unwrap(), value);
                assert!(model.insert(name(key), value.clone()).is_none(), "visited twice");
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    assert_eq!(model.len() as u64, state.rows());
    model
}

/// Texts behind handles, or in place.
struct Texts<const IN_PLACE: bool>;

impl<const IN_PLACE: bool> Subject for Texts<IN_PLACE> {
    type State = HeapValue<String, String>;
    type Model = BTreeMap<String, String>;

    fn open() -> Self::State {
        let texts = Descriptor::new("texts");
        Heap::new(groups()).value(if IN_PLACE { texts.in_place() } else { texts }).unwrap()
    }

    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let key = format!("key {key}");
        let at = groups().locate::<String>(&key);
        state.update(at, String::new, |text| text.push(char::from(how % 26 + b'a'))).unwrap();
        model.entry(key).or_default().push(char::from(how % 26 + b'a'));
    }

    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, _: u8) {
        let key = format!("key {key}");
        state.remove(groups().locate::<String>(&key)).unwrap();
        model.remove(&key);
    }

    fn read(state: &mut Self::State) -> Self::Model {
        read_value(state, Clone::clone)
    }
}

struct Windows;

impl Subject for Windows {
    type State = HeapValue<In<u8, i64>, [u64; 20]>;
    type Model = BTreeMap<(u8, i64), [u64; 20]>;

    fn open() -> Self::State {
        Heap::new(groups()).value(Descriptor::new("windows")).unwrap()
    }

    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let (key, window) = ((key % 5) as u8, i64::from(key / 5));
        let at = groups().locate::<u8>(key).within(window);
        state.put(at, [u64::from(how); 20]).unwrap();
        model.insert((key, window), [u64::from(how); 20]);
    }

    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, _: u8) {
        let (key, window) = ((key % 5) as u8, i64::from(key / 5));
        state.remove(groups().locate::<u8>(key).within(window)).unwrap();
        model.remove(&(key, window));
    }

    fn read(state: &mut Self::State) -> Self::Model {
        read_value(state, |at| (at.key, at.window))
    }
}

struct Lists;

impl Subject for Lists {
    type State = HeapList<u32, String>;
    type Model = BTreeMap<u32, Vec<String>>;

    fn open() -> Self::State {
        Heap::new(groups()).list(Descriptor::new("lists")).unwrap()
    }

    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let key = key / 20;
        let at = groups().locate::<u32>(key);
        match how {
            0..16 => {
                let items: Vec<String> = (0..how % 4).map(|item| item.to_string()).collect();
                state.set(at, items.clone()).unwrap();
                model.insert(key, items);
            }
            16..32 => {
                let sources = [key + 1, key + 7, key, key + 1];
                state.merge(at, &sources.map(|key| groups().locate::<u32>(key))).unwrap();
                let moved: Vec<String> = [key + 1, key + 7]
                    .iter()
                    .flat_map(|source| model.remove(source).unwrap_or_default())
                    .collect();
                model.entry(key).or_default().extend(moved);
            }
            _ => {
                state.push(at, how.to_string()).unwrap();
                model.entry(key).or_default().push(how.to_string());
            }
        }
        if model.get(&key).is_some_and(Vec::is_empty) {
            model.remove(&key);
        }
    }

    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, _: u8) {
        state.remove(groups().locate::<u32>(key / 20)).unwrap();
        model.remove(&(key / 20));
    }

    fn read(state: &mut Self::State) -> Self::Model {
        let mut model = BTreeMap::new();
        for group in groups().iter() {
            let mut keys = vec![];
            state
                .keys(group, |key| {
                    keys.push(*key);
                    ControlFlow::Continue(())
                })
                .unwrap();
            for key in keys {
                let (at, mut items) = (groups().locate::<u32>(key), vec![]);
                state
                    .items(at, |item| {
                        items.push(item.clone());
                        ControlFlow::Continue(())
                    })
                    .unwrap();
                assert_eq!(state.len(at).unwrap(), items.len() as u64);
                assert!(model.insert(key, items).is_none(), "visited twice");
            }
        }
        model
    }
}

/// Maps of few and of many fields: a key has three in four of them.
struct Maps;

impl Subject for Maps {
    type State = HeapMap<u32, u32, u64>;
    type Model = BTreeMap<u32, BTreeMap<u32, u64>>;

    fn open() -> Self::State {
        Heap::new(groups()).map(Descriptor::new("maps")).unwrap()
    }

    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let (key, field) = (if key.is_multiple_of(4) { key % 40 } else { 1 }, key);
        let at = groups().locate::<u32>(key);
        let map = model.entry(key).or_default();
        if how.is_multiple_of(2) {
            let new = state.put(at, field, u64::from(how)).unwrap();
            assert_eq!(new, map.insert(field, u64::from(how)).is_none());
        } else {
            state.update(at, field, || 5, |value| *value += 1).unwrap();
            *map.entry(field).or_insert(5) += 1;
        }
    }

    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let (key, field) = (if key.is_multiple_of(4) { key % 40 } else { 1 }, key);
        let at = groups().locate::<u32>(key);
        if how < 8 {
            state.remove_all(at).unwrap();
            model.remove(&key);
        } else if let Some(map) = model.get_mut(&key) {
            let removed = state.remove(at, field).unwrap();
            assert_eq!(removed, map.remove(&field).is_some());
            if map.is_empty() {
                model.remove(&key);
            }
        } else {
            assert!(!state.remove(at, field).unwrap());
        }
    }

    fn read(state: &mut Self::State) -> Self::Model {
        let mut model = BTreeMap::<u32, BTreeMap<u32, u64>>::new();
        for group in groups().iter() {
            let mut keys = vec![];
            state
                .keys(group, |key| {
                    keys.push(*key);
                    ControlFlow::Continue(())
                })
                .unwrap();
            for key in keys {
                let (at, mut map) = (groups().locate::<u32>(key), BTreeMap::new());
                state
                    .entries(at, |field, value| {
                        assert_eq!(*state.get(at, *field).unwrap().unwrap(), *value);
                        assert!(map.insert(*field, *value).is_none(), "visited twice");
                        ControlFlow::Continue(())
                    })
                    .unwrap();
                assert_eq!(state.len(at).unwrap(), map.len() as u64);
                assert!(model.insert(key, map).is_none(), "visited twice");
            }
        }
        model
    }
}

/// Ordered maps of few and of many fields.
struct Prices;

fn price(key: u32) -> (u32, String) {
    (if key.is_multiple_of(4) { key % 40 } else { 1 }, key.wrapping_mul(977).to_string())
}

/// Returns what lies in a range, both ways.
fn in_range(
    state: &HeapOrderedMap<u32, String, String>,
    key: u32,
    range: (Bound<&str>, Bound<&str>),
) -> Vec<(String, String)> {
    let (at, mut found, mut back) = (groups().locate::<u32>(key), vec![], vec![]);
    let pair = |field: &String, value: &String| (field.clone(), value.clone());
    let visited = state.range(at, range, |field, value| {
        found.push(pair(field, value));
        ControlFlow::Continue(())
    });
    visited.unwrap();
    let visited = state.range_back(at, range, |field, value| {
        back.push(pair(field, value));
        ControlFlow::Continue(())
    });
    visited.unwrap();
    back.reverse();
    assert_eq!(found, back);
    found
}

impl Subject for Prices {
    type State = HeapOrderedMap<u32, String, String>;
    type Model = BTreeMap<u32, BTreeMap<String, String>>;

    fn open() -> Self::State {
        Heap::new(groups()).ordered_map(Descriptor::new("prices")).unwrap()
    }

    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let (key, field) = price(key);
        let (at, value) = (groups().locate::<u32>(key), how.to_string());
        let map = model.entry(key).or_default();
        if how.is_multiple_of(2) {
            let new = state.put(at, &field, value.clone()).unwrap();
            assert_eq!(new, map.insert(field, value).is_none());
        } else {
            state.update(at, &field, String::new, |text| text.push('x')).unwrap();
            map.entry(field).or_default().push('x');
        }
    }

    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let (key, field) = price(key);
        let at = groups().locate::<u32>(key);
        if how < 8 {
            state.remove_all(at).unwrap();
            model.remove(&key);
        } else if let Some(map) = model.get_mut(&key) {
            let removed = state.remove(at, &field).unwrap();
            assert_eq!(removed, map.remove(&field).is_some());
            if map.is_empty() {
                model.remove(&key);
            }
        } else {
            assert!(!state.remove(at, &field).unwrap());
        }
    }

    fn read(state: &mut Self::State) -> Self::Model {
        let mut model = BTreeMap::new();
        for group in groups().iter() {
            let mut keys = vec![];
            state
                .keys(group, |key| {
                    keys.push(*key);
                    ControlFlow::Continue(())
                })
                .unwrap();
            for key in keys {
                let at = groups().locate::<u32>(key);
                let all = in_range(state, key, (Bound::Unbounded, Bound::Unbounded));
                assert!(all.is_sorted_by(|(a, _), (b, _)| a < b));
                assert_eq!(state.len(at).unwrap(), all.len() as u64);
                assert_eq!(state.first(at).unwrap().as_ref(), all.first());
                assert_eq!(state.last(at).unwrap().as_ref(), all.last());
                let map: BTreeMap<_, _> = all.into_iter().collect();
                for (start, end) in [("2", "3"), ("150", "97"), ("9", "a"), ("3", "3")] {
                    for range in [
                        (Bound::Included(start), Bound::Excluded(end)),
                        (Bound::Excluded(start), Bound::Included(end)),
                        (Bound::Unbounded, Bound::Included(start)),
                    ] {
                        let expected = map.range::<str, _>(range);
                        let expected = expected.map(|(a, b)| (a.clone(), b.clone()));
                        assert_eq!(in_range(state, key, range), expected.collect::<Vec<_>>());
                    }
                }
                for (field, value) in &map {
                    assert_eq!(&*state.get(at, field).unwrap().unwrap(), value);
                }
                assert!(model.insert(key, map).is_none(), "visited twice");
            }
        }
        model
    }
}

struct Alarms;

impl Subject for Alarms {
    type State = HeapTimers<String>;
    type Model = BTreeSet<(i64, String)>;

    fn open() -> Self::State {
        Heap::new(groups()).timers(Descriptor::new("alarms"), TimeDomain::Event).unwrap()
    }

    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let (name, time) = ((key % 30).to_string(), i64::from(how) - 100 + i64::from(key / 30));
        let new = state.register(groups().locate::<String>(&name), time).unwrap();
        assert_eq!(new, model.insert((time, name)));
    }

    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        let (name, time) = ((key % 30).to_string(), i64::from(how) - 100 + i64::from(key / 30));
        if how.is_multiple_of(3) {
            let taken = state.take(time).unwrap().map(|timer| (timer.time, timer.key));
            // In postcard a shorter text sorts first.
            let order = |(time, name): &&(i64, String)| (*time, name.len(), name.clone());
            let first = model.iter().filter(|timer| timer.0 <= time).min_by_key(order).cloned();
            assert_eq!(taken, first);
            first.map(|first| model.remove(&first));
        } else {
            let removed = state.delete(groups().locate::<String>(&name), time).unwrap();
            assert_eq!(removed, model.remove(&(time, name)));
        }
    }

    fn read(state: &mut Self::State) -> Self::Model {
        // Timers are read by taking them: of a copy, made by a checkpoint.
        let full = save(&freeze_state(state, u64::MAX, None), None);
        state.aborted(u64::MAX);
        let mut copy = Self::open();
        load(&full, &mut copy);
        let mut timers = vec![];
        while let Some(next) = copy.next().unwrap() {
            let timer = copy.take(i64::MAX).unwrap().unwrap();
            assert_eq!(timer.time, next);
            timers.push((timer.time, timer.key));
        }
        assert!(timers.is_sorted_by_key(|(time, key)| (*time, key.len(), key.clone())));
        timers.into_iter().collect()
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

struct Clashes;

impl Subject for Clashes {
    type State = HeapValue<Clash, u64>;
    type Model = BTreeMap<u32, u64>;

    fn open() -> Self::State {
        Heap::new(groups()).value(Descriptor::new("clashes")).unwrap()
    }

    fn write(state: &mut Self::State, model: &mut Self::Model, key: u32, how: u8) {
        state.put(groups().locate::<Clash>(key), u64::from(how)).unwrap();
        model.insert(key, u64::from(how));
    }

    fn remove(state: &mut Self::State, model: &mut Self::Model, key: u32, _: u8) {
        state.remove(groups().locate::<Clash>(key)).unwrap();
        model.remove(&key);
    }

    fn read(state: &mut Self::State) -> Self::Model {
        read_value(state, |key| key.0)
    }
}

macro_rules! follows_its_model {
    ($($name:ident: $subject:ty;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
            $(#[test]
            fn $name(steps in proptest::collection::vec(step(), 0..60)) {
                run::<$subject>(steps);
            })*
        }
    };
}

follows_its_model! {
    values_in_place_follow_their_model: Numbers;
    values_that_own_memory_follow_their_model: Texts<false>;
    values_that_own_memory_in_place_follow_their_model: Texts<true>;
    values_of_windows_follow_their_model: Windows;
    lists_follow_their_model: Lists;
    maps_follow_their_model: Maps;
    ordered_maps_follow_their_model: Prices;
    timers_follow_their_model: Alarms;
    keys_of_one_digest_follow_their_model: Clashes;
}
