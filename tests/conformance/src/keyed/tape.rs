//! Changes of every kind of state, in any order, compared with the truth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;

use holdwater::key::In;
use holdwater::snapshot::FrozenStates;
use holdwater::state::{Backend, List, Map, OrderedMap, State, Timers, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::read::{entries, items, map_keys, values};
use super::{All, Contents, Run, Stage, contents};

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Stores a text.
    Put(u64, String),
    /// Extends a text in place.
    Extend(u64, String),
    /// Drops a text.
    Remove(u64),
    /// Pushes a number to a window.
    Push(u64, u8, u32),
    /// Replaces the numbers of a window.
    Set(u64, u8, Vec<u32>),
    /// Joins windows in one.
    Merge(u64, u8, Vec<u8>),
    /// Stores an amount.
    PutField(u64, String, i64),
    /// Adds to an amount in place.
    AddField(u64, String, i64),
    /// Drops an amount.
    RemoveField(u64, String),
    /// Drops all amounts.
    RemoveFields(u64),
    /// Registers a timer.
    Register(u64, i64),
    /// Deletes a timer.
    Delete(u64, i64),
    /// Takes a timer that is due.
    Take(i64),
    /// Stores a bid.
    Bid(u64, i16, String),
    /// Drops a bid.
    Withdraw(u64, i16),
    /// Drops all bids of a number.
    WithdrawAll(u64),
    /// Clears one of the states.
    Clear(u8),
    /// Freezes, to be saved later.
    Freeze,
    /// Saves what was frozen first, and tells its outcome.
    Save(Outcome),
    /// Goes back to the last completed checkpoint.
    Restore,
}

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It is complete, and the states are told.
    Completed,
    /// It is not, and the states are told.
    Aborted,
    /// The states are not told.
    Unknown,
}

/// Returns a strategy for tapes of up to `steps` steps.
pub fn any_tape(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    let key = || 0u64..6;
    let window = || 0u8..3;
    let name = || prop::sample::select(vec!["", "a", "b", "ab"]).prop_map(String::from);
    let text = || "[a-c]{0,4}";
    let numbers = || vec(any::<u32>(), 0..4);
    let outcome = || {
        let outcomes = vec![Outcome::Completed, Outcome::Aborted, Outcome::Unknown];
        prop::sample::select(outcomes)
    };
    let time = || -3i64..6;
    let price = || prop::sample::select(vec![i16::MIN, -256, -1, 0, 255, 256]);
    let step = prop_oneof![
        4 => (key(), text()).prop_map(|(key, text)| Step::Put(key, text)),
        4 => (key(), text()).prop_map(|(key, text)| Step::Extend(key, text)),
        2 => key().prop_map(Step::Remove),
        6 => (key(), window(), any::<u32>()).prop_map(|(key, at, item)| Step::Push(key, at, item)),
        2 => (key(), window(), numbers()).prop_map(|(key, at, items)| Step::Set(key, at, items)),
        2 => (key(), window(), vec(window(), 0..3)).prop_map(|(k, to, of)| Step::Merge(k, to, of)),
        4 => (key(), name(), any::<i64>()).prop_map(|(key, f, new)| Step::PutField(key, f, new)),
        4 => (key(), name(), any::<i64>()).prop_map(|(key, f, more)| Step::AddField(key, f, more)),
        2 => (key(), name()).prop_map(|(key, field)| Step::RemoveField(key, field)),
        1 => key().prop_map(Step::RemoveFields),
        4 => (key(), time()).prop_map(|(key, time)| Step::Register(key, time)),
        2 => (key(), time()).prop_map(|(key, time)| Step::Delete(key, time)),
        2 => time().prop_map(Step::Take),
        4 => (key(), price(), text()).prop_map(|(key, price, by)| Step::Bid(key, price, by)),
        2 => (key(), price()).prop_map(|(key, price)| Step::Withdraw(key, price)),
        1 => key().prop_map(Step::WithdrawAll),
        1 => (0u8..5).prop_map(Step::Clear),
        4 => Just(Step::Freeze),
        4 => outcome().prop_map(Step::Save),
        1 => Just(Step::Restore),
    ];
    vec(step, 0..steps)
}

/// Calls `test` with so many tapes, the same ones for the same seed; shortens one that fails.
pub(super) fn each(tapes: u32, seed: u64, test: impl Fn(&[Step])) {
    each_of(any_tape(STEPS_MAX), tapes, seed, test);
}

/// Likewise with tapes of any steps.
pub(super) fn each_of<S: Debug>(
    any: impl Strategy<Value = Vec<S>>,
    tapes: u32,
    seed: u64,
    test: impl Fn(&[S]),
) {
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config { cases: tapes, failure_persistence: None, rng_seed, ..Config::default() };
    let tested = TestRunner::new(config).run(&any, |tape| {
        test(&tape);
        Ok(())
    });
    tested.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Plays `tape` to a store, compares every read with the truth, and returns what was frozen.
///
/// What is frozen stays as it was until it is saved, up to three checkpoints at a time; what was
/// saved is restored and compared.
pub fn play<B: Backend>(run: &Run<B>, tape: &[Step]) -> Vec<Contents> {
    let mut player = Player {
        run,
        states: run.open(All::open),
        truth: Truth::default(),
        frozen: VecDeque::new(),
        completed: None,
        saved: Vec::new(),
    };
    for step in tape {
        player.step(step);
        player.truth.compare(run, &player.states);
    }
    while !player.frozen.is_empty() {
        player.save(Outcome::Completed);
    }
    player.saved
}

/// What the states must hold.
#[derive(Clone, Debug, Default)]
struct Truth {
    texts: BTreeMap<u64, String>,
    numbers: BTreeMap<(u64, u8), Vec<u32>>,
    amounts: BTreeMap<u64, BTreeMap<String, i64>>,
    timers: BTreeSet<(i64, u64)>,
    bids: BTreeMap<u64, BTreeMap<i16, String>>,
}

struct Player<'r, B: Backend> {
    run: &'r Run<B>,
    states: Stage<B, All<B>>,
    truth: Truth,
    frozen: VecDeque<Moment<B::Error>>,
    completed: Option<(u64, Truth)>,
    saved: Vec<Contents>,
}

/// What was frozen, and what it must hold.
struct Moment<E> {
    frozen: FrozenStates<E>,
    contents: Contents,
    truth: Truth,
}

impl<B: Backend> Player<'_, B> {
    fn step(&mut self, step: &Step) {
        let (run, states, truth) = (self.run, &mut *self.states, &mut self.truth);
        match step {
            Step::Put(key, text) => {
                states.texts.put(run.at(*key), text.clone()).unwrap();
                truth.texts.insert(*key, text.clone());
            }
            Step::Extend(key, text) => {
                let edit = |old: &mut String| old.push_str(text);
                states.texts.update(run.at(*key), String::new, edit).unwrap();
                edit(truth.texts.entry(*key).or_default());
            }
            Step::Remove(key) => {
                states.texts.remove(run.at(*key)).unwrap();
                truth.texts.remove(key);
            }
            Step::Push(key, window, item) => {
                states.numbers.push(run.at::<u64>(*key).within(*window), *item).unwrap();
                truth.numbers.entry((*key, *window)).or_default().push(*item);
            }
            Step::Set(key, window, items) => {
                let at = run.at::<u64>(*key).within(*window);
                states.numbers.set(at, items.iter().copied()).unwrap();
                truth.numbers.insert((*key, *window), items.clone());
            }
            Step::Merge(key, window, sources) => {
                let at = |window: &u8| run.at::<u64>(*key).within(*window);
                let sources_at: Vec<_> = sources.iter().map(at).collect();
                states.numbers.merge(at(window), &sources_at).unwrap();
                for source in sources.iter().filter(|source| *source != window) {
                    let items = truth.numbers.remove(&(*key, *source)).unwrap_or_default();
                    truth.numbers.entry((*key, *window)).or_default().extend(items);
                }
            }
            Step::Register(key, time) => {
                let new = states.timers.register(run.at(*key), *time).unwrap();
                assert_eq!(new, truth.timers.insert((*time, *key)));
            }
            Step::Delete(key, time) => {
                let found = states.timers.delete(run.at(*key), *time).unwrap();
                assert_eq!(found, truth.timers.remove(&(*time, *key)));
            }
            Step::Take(now) => {
                let due = truth.timers.first().copied().filter(|(time, _)| time <= now);
                truth.timers.retain(|timer| Some(*timer) != due);
                let taken = states.timers.take(*now).unwrap();
                assert_eq!(taken.map(|timer| (timer.time, timer.key)), due);
            }
            Step::Freeze => self.freeze(),
            Step::Save(outcome) => self.save(*outcome),
            Step::Restore => self.restore(),
            step => self.step_fields(step),
        }
    }

    fn step_fields(&mut self, step: &Step) {
        let (run, states, truth) = (self.run, &mut *self.states, &mut self.truth);
        match step {
            Step::PutField(key, field, value) => {
                let new = states.amounts.put(run.at(*key), field, *value).unwrap();
                let old = truth.amounts.entry(*key).or_default().insert(field.clone(), *value);
                assert_eq!(new, old.is_none());
            }
            Step::AddField(key, field, more) => {
                let edit = |value: &mut i64| *value = value.wrapping_add(*more);
                states.amounts.update(run.at(*key), field, || 1, edit).unwrap();
                edit(truth.amounts.entry(*key).or_default().entry(field.clone()).or_insert(1));
            }
            Step::RemoveField(key, field) => {
                let found = states.amounts.remove(run.at(*key), field).unwrap();
                assert_eq!(found, truth.amounts.entry(*key).or_default().remove(field).is_some());
            }
            Step::RemoveFields(key) => {
                states.amounts.remove_all(run.at(*key)).unwrap();
                truth.amounts.remove(key);
            }
            Step::Bid(key, price, by) => {
                let new = states.bids.put(run.at(*key), *price, by.clone()).unwrap();
                let old = truth.bids.entry(*key).or_default().insert(*price, by.clone());
                assert_eq!(new, old.is_none());
            }
            Step::Withdraw(key, price) => {
                let found = states.bids.remove(run.at(*key), *price).unwrap();
                assert_eq!(found, truth.bids.entry(*key).or_default().remove(price).is_some());
            }
            Step::WithdrawAll(key) => {
                states.bids.remove_all(run.at(*key)).unwrap();
                truth.bids.remove(key);
            }
            Step::Clear(0) => {
                states.texts.clear().unwrap();
                truth.texts.clear();
            }
            Step::Clear(1) => {
                states.numbers.clear().unwrap();
                truth.numbers.clear();
            }
            Step::Clear(2) => {
                states.amounts.clear().unwrap();
                truth.amounts.clear();
            }
            Step::Clear(3) => {
                states.bids.clear().unwrap();
                truth.bids.clear();
            }
            _ => {
                states.timers.clear().unwrap();
                truth.timers.clear();
            }
        }
    }

    fn freeze(&mut self) {
        if self.frozen.len() == FROZEN_MAX {
            self.save(Outcome::Unknown);
        }
        let frozen = self.states.freeze();
        let (contents, truth) = (contents(&frozen), self.truth.clone());
        self.frozen.push_back(Moment { frozen, contents, truth });
    }

    /// Saves what was frozen first.
    fn save(&mut self, outcome: Outcome) {
        let Some(moment) = self.frozen.pop_front() else { return };
        assert_eq!(contents(&moment.frozen), moment.contents, "what was frozen has changed");
        self.states.save(&moment.frozen);
        let checkpoint = moment.frozen.cut().checkpoint;
        let mut restored = self.states.restored(checkpoint);
        moment.truth.compare(self.run, &restored);
        assert_eq!(contents(&self.states.freeze_other(&mut restored)), moment.contents);
        self.saved.push(moment.contents);
        match outcome {
            Outcome::Completed => {
                self.states.complete(checkpoint);
                self.completed = Some((checkpoint, moment.truth));
                if self.run.mode().restores() {
                    self.restore();
                }
            }
            Outcome::Aborted => self.states.abort(checkpoint),
            Outcome::Unknown => {}
        }
    }

    fn restore(&mut self) {
        if let Some((checkpoint, truth)) = &self.completed {
            // What was in flight is lost, as after a crash.
            self.frozen.clear();
            *self.states = self.states.restored(*checkpoint);
            self.truth = truth.clone();
        }
    }
}

impl Truth {
    /// Compares all that can be read.
    fn compare<B: Backend>(&self, run: &Run<B>, states: &All<B>) {
        assert_eq!(values(&states.texts), self.texts);
        assert_eq!(states.texts.rows(), self.texts.len() as u64);
        let numbers = self.numbers.iter().filter(|(_, items)| !items.is_empty());
        let keys: BTreeSet<_> = numbers.map(|(key, _)| *key).collect();
        let mut found = BTreeSet::new();
        for group in run.groups().iter() {
            let visited = states.numbers.keys(group, |key| {
                assert!(found.insert((key.key, key.window)), "a key was visited twice");
                std::ops::ControlFlow::Continue(())
            });
            visited.unwrap();
        }
        assert_eq!(found, keys);
        assert_eq!(states.numbers.rows(), keys.len() as u64);
        for ((key, window), expected) in &self.numbers {
            let at = run.at::<In<u64, u8>>((*key, *window));
            assert_eq!(items(&states.numbers, at), *expected);
        }
        let amounts = self.amounts.iter().filter(|(_, entries)| !entries.is_empty());
        let keys: BTreeSet<_> = amounts.map(|(key, _)| *key).collect();
        assert_eq!(map_keys(&states.amounts), keys);
        assert_eq!(states.amounts.rows(), keys.len() as u64);
        for (key, expected) in &self.amounts {
            assert_eq!(entries(&states.amounts, run.at(*key)), *expected);
        }
        let bids = self.bids.iter().filter(|(_, entries)| !entries.is_empty());
        let keys: BTreeSet<_> = bids.map(|(key, _)| *key).collect();
        assert_eq!(map_keys(&states.bids), keys);
        assert_eq!(states.bids.rows(), keys.len() as u64);
        for (key, expected) in &self.bids {
            assert_eq!(entries(&states.bids, run.at(*key)), *expected);
            let first = states.bids.range_back(run.at(*key), ..0, |price, by| {
                assert_eq!(expected.range(..0).next_back(), Some((price, by)));
                std::ops::ControlFlow::Break(())
            });
            first.unwrap();
        }
        let next = self.timers.first().map(|(time, _)| *time);
        assert_eq!(states.timers.next().unwrap(), next);
    }
}

/// How many steps a tape has at most.
const STEPS_MAX: usize = 80;

/// How many checkpoints are in flight at most.
const FROZEN_MAX: usize = 3;
