//! Accesses of states that expire, in any order and at any time, compared with the truth.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use holdwater::key::{At, KeyGroup};
use holdwater::snapshot::FrozenStates;
use holdwater::state::{Backend, Descriptor, State, States, TimeDomain, Visitor};
use holdwater::ttl::{Census, ExpiringList, ExpiringMap, ExpiringValue, Ttl, When};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::truth::Truth;
use super::{Place, Policy};
use crate::keyed::{Contents, Outcome, Run, Stage, contents};

/// How long what is accessed lives.
const DURATION: std::time::Duration = std::time::Duration::from_millis(DURATION_MS as u64);
pub(super) const DURATION_MS: i64 = 10;

struct OnWrite;
struct OnRead;
struct EventOnWrite;
struct EventOnRead;

impl Policy for OnWrite {
    const TTL: Ttl = Ttl::processing(DURATION);
}

impl Policy for OnRead {
    const TTL: Ttl = Ttl::processing(DURATION).refreshed_on_read();
}

impl Policy for EventOnWrite {
    const TTL: Ttl = Ttl::event(DURATION);
}

impl Policy for EventOnRead {
    const TTL: Ttl = Ttl::event(DURATION).refreshed_on_read();
}

/// What is done at one time.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Put(u64, i64),
    Update(u64, i64),
    Remove(u64),
    Get(u64),
    Push(u64, u8, u32),
    SetItems(u64, u8, Vec<u32>),
    /// Reads up to so many items.
    Items(u64, u8, usize),
    Merge(u64, u8, Vec<u8>),
    PutField(u64, u8, i64),
    AddField(u64, u8, i64),
    GetField(u64, u8),
    RemoveField(u64, u8),
    Entries(u64),
    RemoveFields(u64),
    Sweep(usize),
    SweepAll,
    Freeze,
    Save(Outcome),
    Restore,
}

/// By how much time goes on before a step, how far off its record is by event time, and the step.
type Timed = (i64, i64, Step);

fn any_tape() -> impl Strategy<Value = Vec<Timed>> {
    let (key, window, field, number) = (|| 0u64..4, || 0u8..3, || 0u8..4, || -9i64..9);
    let outcomes = vec![Outcome::Completed, Outcome::Aborted, Outcome::Unknown];
    let step = prop_oneof![
        4 => (key(), number()).prop_map(|(key, number)| Step::Put(key, number)),
        4 => (key(), number()).prop_map(|(key, number)| Step::Update(key, number)),
        1 => key().prop_map(Step::Remove),
        2 => key().prop_map(Step::Get),
        6 => (key(), window(), 0u32..99).prop_map(|(key, at, item)| Step::Push(key, at, item)),
        1 => (key(), window(), vec(0u32..9, 0..4)).prop_map(|(k, at, n)| Step::SetItems(k, at, n)),
        3 => (key(), window(), 1usize..5).prop_map(|(key, at, most)| Step::Items(key, at, most)),
        1 => (key(), window(), vec(window(), 0..3)).prop_map(|(k, to, of)| Step::Merge(k, to, of)),
        4 => (key(), field(), number()).prop_map(|(key, f, n)| Step::PutField(key, f, n)),
        4 => (key(), field(), number()).prop_map(|(key, f, n)| Step::AddField(key, f, n)),
        2 => (key(), field()).prop_map(|(key, field)| Step::GetField(key, field)),
        1 => (key(), field()).prop_map(|(key, field)| Step::RemoveField(key, field)),
        2 => key().prop_map(Step::Entries),
        1 => key().prop_map(Step::RemoveFields),
        3 => (1usize..3).prop_map(Step::Sweep),
        1 => Just(Step::SweepAll),
        4 => Just(Step::Freeze),
        4 => prop::sample::select(outcomes).prop_map(Step::Save),
        1 => Just(Step::Restore),
    ];
    vec((0i64..5, -12i64..12, step), 0..60)
}

/// Plays many tapes, by both clocks and with either way of staying alive.
pub(super) fn each<B: Backend>(run: &Run<B>) {
    with_tapes(run.mode() as u64, |tape| {
        play::<B, OnWrite>(run, tape);
        play::<B, OnRead>(run, tape);
        play::<B, EventOnWrite>(run, tape);
        play::<B, EventOnRead>(run, tape);
    });
}

/// Plays tapes to two stores: at every checkpoint what lives has equal digests.
pub(super) fn agree<A: Backend, B: Backend>(left: &Run<A>, right: &Run<B>) {
    with_tapes(left.mode() as u64, |tape| {
        assert_eq!(play::<A, OnRead>(left, tape), play::<B, OnRead>(right, tape));
        assert_eq!(play::<A, EventOnWrite>(left, tape), play::<B, EventOnWrite>(right, tape));
    });
}

fn with_tapes(seed: u64, test: impl Fn(&[Timed])) {
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config { cases: 48, failure_persistence: None, rng_seed, ..Config::default() };
    let tested = TestRunner::new(config).run(&any_tape(), |tape| {
        test(&tape);
        Ok(())
    });
    tested.unwrap_or_else(|failure| panic!("{failure}"));
}

/// An operator of states that expire.
pub(super) struct Expire<B: Backend> {
    pub(super) values: ExpiringValue<B, u64, i64>,
    pub(super) lists: ExpiringList<B, Place, u32>,
    pub(super) maps: ExpiringMap<B, u64, u8, i64>,
}

impl<B: Backend> Expire<B> {
    fn open<P: Policy>(store: &mut B) -> Result<Self, B::Error> {
        Ok(Self {
            values: P::TTL.value(store, Descriptor::new("values"))?,
            lists: P::TTL.list(store, Descriptor::new("lists"))?,
            maps: P::TTL.map(store, Descriptor::new("maps"))?,
        })
    }

    /// Sweeps so many steps; returns how many states have more to do.
    fn sweep(&mut self, now: i64, steps: usize) -> usize {
        let done = [
            self.values.sweep(now, steps).unwrap(),
            self.lists.sweep(now, steps).unwrap(),
            self.maps.sweep(now, steps).unwrap(),
        ];
        done.into_iter().filter(|done| *done == steps).count()
    }
}

impl<B: Backend> States for Expire<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.values)?;
        visitor.state(&mut self.lists)?;
        visitor.state(&mut self.maps)
    }
}

fn play<B: Backend, P: Policy>(run: &Run<B>, tape: &[Timed]) -> Vec<Contents> {
    let by_event = P::TTL.expiry().domain == TimeDomain::Event;
    let refreshes = P::TTL == P::TTL.refreshed_on_read();
    let mut player = Player {
        run,
        states: run.open(Expire::open::<P>),
        truth: Truth::new(by_event, refreshes),
        now: 0,
        frozen: VecDeque::new(),
        completed: None,
        saved: Vec::new(),
    };
    for (later, off, step) in tape {
        player.now += later;
        let when = When::event(player.now + if by_event { *off } else { 0 }, player.now);
        player.truth.expire(player.now);
        player.step(step, when);
        player.truth.expire(player.now);
        player.truth.compare(run, &player.states, player.now);
    }
    while !player.frozen.is_empty() {
        player.save(Outcome::Completed);
    }
    player.saved
}

struct Player<'r, B: Backend> {
    run: &'r Run<B>,
    states: Stage<B, Expire<B>>,
    truth: Truth,
    now: i64,
    frozen: VecDeque<Moment<B::Error>>,
    completed: Option<(u64, Truth)>,
    saved: Vec<Contents>,
}

/// What was frozen, when, and what it must hold.
struct Moment<E> {
    frozen: FrozenStates<E>,
    contents: Contents,
    truth: Truth,
    now: i64,
}

impl<B: Backend> Player<'_, B> {
    fn step(&mut self, step: &Step, when: When) {
        match step {
            Step::Sweep(steps) => _ = self.states.sweep(self.now, *steps),
            Step::SweepAll => {
                // What was written too late to live is found when time has gone on.
                self.now += 1;
                self.truth.expire(self.now);
                while self.states.sweep(self.now, 8) > 0 {}
                let Expire { values, lists, maps } = &*self.states;
                let rows = [values.rows(), lists.rows(), maps.rows()];
                assert_eq!(rows, self.truth.rows(), "what is left lives");
                let expired = |census: Result<Census, B::Error>| census.unwrap().expired;
                assert_eq!(expired(values.census(self.now)), 0);
                assert_eq!(expired(lists.census(self.now)), 0);
                assert_eq!(expired(maps.census(self.now)), 0);
            }
            Step::Freeze => self.freeze(),
            Step::Save(outcome) => self.save(*outcome),
            Step::Restore => self.restore(),
            step => {
                access(self.run, &mut self.states, &mut self.truth, step, when);
            }
        }
    }

    fn freeze(&mut self) {
        if self.frozen.len() == FROZEN_MAX {
            self.save(Outcome::Unknown);
        }
        let now = self.now;
        self.states.set_time(now);
        let frozen = self.states.freeze();
        let (contents, truth) = (contents(&frozen), self.truth.clone());
        assert_eq!(contents.rows(), truth.count(), "what is frozen lives");
        self.frozen.push_back(Moment { frozen, contents, truth, now });
    }

    /// Saves what was frozen first.
    fn save(&mut self, outcome: Outcome) {
        let Some(moment) = self.frozen.pop_front() else { return };
        assert_eq!(contents(&moment.frozen), moment.contents, "what was frozen has changed");
        self.states.save(&moment.frozen);
        let checkpoint = moment.frozen.cut().checkpoint;
        let mut restored = self.states.restored(checkpoint);
        moment.truth.compare(self.run, &restored, moment.now);
        self.states.set_time(moment.now);
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
            self.truth.expire(self.now);
        }
    }
}

/// Does a step to the states and to the truth, and compares what they return.
fn access<B: Backend>(
    run: &Run<B>,
    states: &mut Expire<B>,
    truth: &mut Truth,
    step: &Step,
    when: When,
) {
    let Expire { values, lists, maps } = states;
    let place = |key: u64, window: u8| run.at::<Place>((key, window));
    match step {
        Step::Put(key, number) => {
            values.put(run.at(*key), *number, when).unwrap();
            truth.put(*key, *number, when);
        }
        Step::Update(key, number) => {
            let edit = |value: &mut i64| {
                *value = *value * 2 + number;
                *value
            };
            let found = values.update(run.at(*key), when, || 1, edit).unwrap();
            assert_eq!(found, truth.update(*key, when, edit));
        }
        Step::Remove(key) => {
            values.remove(run.at(*key)).unwrap();
            truth.values.remove(key);
        }
        Step::Get(key) => {
            let found = values.get(run.at(*key), when).unwrap().map(|value| *value);
            assert_eq!(found, truth.get(*key, when));
        }
        Step::Push(key, window, item) => {
            lists.push(place(*key, *window), *item, when).unwrap();
            truth.lists.entry((*key, *window)).or_default().push((when.time, *item));
        }
        Step::SetItems(key, window, items) => {
            lists.set(place(*key, *window), items.iter().copied(), when).unwrap();
            let items = items.iter().map(|item| (when.time, *item)).collect();
            truth.lists.insert((*key, *window), items);
        }
        Step::Items(key, window, most) => {
            let mut found = Vec::new();
            let visited = lists.items(place(*key, *window), when, |item| {
                found.push(*item);
                if found.len() < *most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            visited.unwrap();
            assert_eq!(found, truth.items(*key, *window, *most, when));
        }
        Step::Merge(key, window, sources) => {
            let at = |window: &u8| place(*key, *window);
            let sources_at: Vec<_> = sources.iter().map(at).collect();
            lists.merge(at(window), &sources_at, when).unwrap();
            truth.merge(*key, *window, sources);
        }
        step => access_map::<B>(run.at(step_key(step)), maps, truth, step, when),
    }
}

fn access_map<B: Backend>(
    at: At<'_, u64>,
    maps: &mut ExpiringMap<B, u64, u8, i64>,
    truth: &mut Truth,
    step: &Step,
    when: When,
) {
    match step {
        Step::PutField(key, field, number) => {
            let new = maps.put(at, *field, *number, when).unwrap();
            assert_eq!(new, truth.put_field(*key, *field, *number, when));
        }
        Step::AddField(key, field, number) => {
            let edit = |value: &mut i64| {
                *value += number;
                *value
            };
            let found = maps.update(at, *field, when, || 100, edit).unwrap();
            assert_eq!(found, truth.add_field(*key, *field, when, edit));
        }
        Step::GetField(key, field) => {
            let found = maps.get(at, *field, when).unwrap().map(|value| *value);
            assert_eq!(found, truth.get_field(*key, *field, when));
        }
        Step::RemoveField(key, field) => {
            let found = maps.remove(at, *field, when).unwrap();
            let fields = truth.maps.entry(*key).or_default();
            assert_eq!(found, fields.remove(field).is_some());
        }
        Step::Entries(key) => {
            let mut found = BTreeMap::new();
            let visited = maps.entries(at, when, |field, value| {
                found.insert(*field, *value);
                ControlFlow::Continue(())
            });
            visited.unwrap();
            assert_eq!(found, truth.entries(*key, when));
        }
        Step::RemoveFields(key) => {
            maps.remove_all(at).unwrap();
            truth.maps.remove(key);
        }
        other => panic!("{other:?} is no step of a map"),
    }
}

fn step_key(step: &Step) -> u64 {
    match step {
        Step::PutField(key, ..)
        | Step::AddField(key, ..)
        | Step::GetField(key, _)
        | Step::RemoveField(key, _)
        | Step::Entries(key)
        | Step::RemoveFields(key) => *key,
        other => panic!("{other:?} is no step of a map"),
    }
}

/// Returns all groups of a state.
pub(super) fn groups(state: &impl State) -> impl Iterator<Item = KeyGroup> {
    state.groups().iter()
}

/// How many checkpoints are in flight at most.
const FROZEN_MAX: usize = 3;
