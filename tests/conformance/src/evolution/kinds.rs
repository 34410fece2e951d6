//! States of every kind, with values, items and fields of types that change.

use core::fmt::Debug;
use core::ops::ControlFlow;

use holdwater::checkpoint::LoadFailure;
use holdwater::key::{Key, KeyGroups};
use holdwater::operator::{Broadcast, Split, Task as Place, Union};
use holdwater::schema::Data;
use holdwater::state::{Backend, Description, Descriptor, Kind, List, Map, TimeDomain, Timers};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::erased::{AnyState, Erased, Task};
use super::job::{Job, Refused};
use super::{Make, at, refused};
use crate::keyed::{entries, items};

/// 121, 122, 124, 130, 131: whatever holds it.
pub fn states_of_every_kind_evolve<B: Backend + 'static>(make: Make<B>) {
    let old = |store: &mut B| all(store, make, &[1_u8, 2], &Old { a: 7 });
    let evolved = New { b: None, a: 7 };
    let new = |store: &mut B| all(store, make, &[1_u64, 2], &evolved);
    for deltas in [false, true] {
        let mut job = Job::begin(make, &old, 1);
        (0..6).for_each(|key| job.tasks[0].task.fill(key));
        job.tasks[0].task.fill_shared(0);
        job.checkpoint().unwrap();
        if deltas {
            (6..9).for_each(|key| job.tasks[0].task.fill(key));
            job.tasks[0].task.fill_shared(1);
            job.checkpoint().unwrap();
        }
        let check = |job: &mut Job<B, Many<B>>| {
            (0..9).for_each(|key| job.tasks[0].task.check(key, deltas || key < 6));
            job.tasks[0].task.check_shared(1 + usize::from(deltas));
        };
        let (mut later, restored) = job.restore(&new, 1).unwrap();
        assert!(!restored.full, "no key moves");
        check(&mut later);
        later.checkpoint().unwrap();
        let (mut last, _) = later.restore(&new, 1).unwrap();
        check(&mut last);
    }
}

/// 125, 126, 129 to 131, 137: before any row is read, and what is stored stays for those who read
/// it.
pub fn what_does_not_evolve_is_refused_in_states_of_every_kind<B>(make: Make<B>)
where
    B: Backend + 'static,
{
    let old = |store: &mut B| all(store, make, &[1_u8, 2], &Old { a: 7 });
    let described = |which: usize| {
        let (name, kind) = STATES[which];
        match kind.rows() {
            Kind::Map if kind == Kind::Broadcast => {
                let fields = Descriptor::<u16, (String, Old)>::new(name).describe_map();
                fields.map(|description| Description { kind, ..description })
            }
            Kind::Map => Descriptor::<u64, (u8, String)>::new(name).describe_map(),
            Kind::Timers => Descriptor::<String, ()>::new(name).describe(kind),
            Kind::List if !kind.is_keyed() => Descriptor::<u16, String>::new(name).describe(kind),
            kind => Descriptor::<u64, String>::new(name).describe(kind),
        }
    };
    for (which, (name, kind)) in STATES.into_iter().enumerate() {
        let only = |store: &mut B| {
            let mut erased = old(store)?;
            erased.task.show_only(which);
            Ok(erased)
        };
        let mut job = Job::begin(make, &only, 1);
        job.tasks[0].task.fill(1);
        job.tasks[0].task.fill_shared(0);
        job.checkpoint().unwrap();
        let own = described(which).unwrap();
        let says =
            |store: &mut B| only(store).map(|erased| Erased { says: Some(own.clone()), ..erased });
        let Refused { failure, rows } = *refused(job.restore(&says, 1));
        let LoadFailure::OtherType { state, mismatch, .. } = failure else { panic!("{failure}") };
        let piece = match kind {
            Kind::Timers => "key",
            Kind::Broadcast => "field",
            _ => "value",
        };
        assert_eq!((&*state, mismatch.piece, rows), (name, piece, 0));
        let (mut again, _) = job.restore(&only, 1).unwrap();
        assert_eq!(again.tasks[0].task.rows(), 1, "it is there for those who read it");
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
struct Old {
    a: u32,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
struct New {
    b: Option<String>,
    a: u64,
}

/// A task with states of every kind.
trait Kinds: Task {
    /// Stores the value under a key, in every state that has keys.
    fn fill(&mut self, key: u64);

    fn check(&mut self, key: u64, is_there: bool);

    /// Stores the value in the states of the operator, under one of the fields.
    fn fill_shared(&mut self, field: usize);

    /// Checks that the value stands so many times in each.
    fn check_shared(&mut self, times: usize);

    /// Lets the task have one of the states alone.
    fn show_only(&mut self, which: usize);

    /// Returns how many keys have a row in all states that it has.
    fn rows(&mut self) -> u64;
}

type Many<B> = Erased<dyn Kinds<Error = <B as Backend>::Error>>;

struct All<B: Backend, F: Key, V: Data> {
    lists: B::List<u64, V>,
    maps: B::Map<u64, u8, V>,
    ordered: B::OrderedMap<u64, u8, V>,
    timers: B::Timers<u64>,
    split: Split<B::List<u16, V>, V>,
    union: Union<B::List<u16, V>, V>,
    broadcast: Broadcast<B::Map<u16, F, V>, F, V>,
    fields: Vec<F>,
    value: V,
    only: Option<usize>,
}

/// Opens a state of every kind.
fn all<B, F, V>(store: &mut B, make: Make<B>, fields: &[F], value: &V) -> Result<Many<B>, B::Error>
where
    B: Backend + 'static,
    F: Key + Ord,
    V: Data + PartialEq + Debug,
{
    let (lone, place) = (&mut make(KeyGroups::all(1)), Place::new(0, 1));
    let [lists, maps, ordered, timers, split, union, broadcast] = STATES.map(|(name, _)| name);
    let task: Box<dyn Kinds<Error = B::Error>> = Box::new(All::<B, F, V> {
        lists: store.list(Descriptor::new(lists))?,
        maps: store.map(Descriptor::new(maps))?,
        ordered: store.ordered_map(Descriptor::new(ordered))?,
        timers: store.timers(Descriptor::new(timers), TimeDomain::Event)?,
        split: Split::open(lone, Descriptor::new(split), place)?,
        union: Union::open(lone, Descriptor::new(union), place)?,
        broadcast: Broadcast::open(lone, Descriptor::new(broadcast), place)?,
        fields: fields.to_vec(),
        value: value.clone(),
        only: None,
    });
    Ok(task.into())
}

impl<B: Backend, F: Key, V: Data> Task for All<B, F, V> {
    type Error = B::Error;

    fn states(&mut self) -> Vec<&mut dyn AnyState<Error = B::Error>> {
        let Self { lists, maps, ordered, timers, split, union, broadcast, only, .. } = self;
        let all: [&mut dyn AnyState<Error = B::Error>; 7] =
            [lists, maps, ordered, timers, split, union, broadcast];
        let shown = (0..).zip(all).filter(|(which, _)| only.is_none_or(|only| only == *which));
        shown.map(|(_, state)| state).collect()
    }
}

impl<B, F, V> Kinds for All<B, F, V>
where
    B: Backend,
    F: Key + Ord,
    V: Data + PartialEq + Debug,
{
    fn fill(&mut self, key: u64) {
        let at = at(key);
        self.lists.push(at, self.value.clone()).unwrap();
        self.maps.put(at, 1, self.value.clone()).unwrap();
        self.ordered.put(at, 2, self.value.clone()).unwrap();
        self.timers.register(at, key as i64).unwrap();
    }

    fn check(&mut self, key: u64, is_there: bool) {
        let (at, count) = (at(key), usize::from(is_there));
        let value = || std::iter::repeat_n(self.value.clone(), count);
        assert_eq!(items(&self.lists, at), value().collect::<Vec<_>>());
        assert!(entries(&self.maps, at).into_iter().eq(value().map(|value| (1, value))));
        assert!(entries(&self.ordered, at).into_iter().eq(value().map(|value| (2, value))));
        // Deleting one tells that it was there, and is undone.
        assert_eq!(self.timers.delete(at, key as i64).unwrap(), is_there);
        if is_there {
            assert!(self.timers.register(at, key as i64).unwrap());
        }
    }

    fn fill_shared(&mut self, field: usize) {
        self.split.push(self.value.clone()).unwrap();
        self.union.push(self.value.clone()).unwrap();
        self.broadcast.put(self.fields[field].view(), self.value.clone()).unwrap();
    }

    fn check_shared(&mut self, times: usize) {
        let (mut shared, mut fields) = (Vec::new(), Vec::new());
        let mut gather = |value: &V| {
            shared.push(value.clone());
            ControlFlow::Continue(())
        };
        self.split.items(&mut gather).unwrap();
        self.union.items(&mut gather).unwrap();
        let entries = self.broadcast.entries(|field, value| {
            fields.push(field.clone());
            gather(value)
        });
        entries.unwrap();
        fields.sort();
        assert_eq!(shared, vec![self.value.clone(); 3 * times]);
        assert!(fields == self.fields[..times]);
    }

    fn show_only(&mut self, which: usize) {
        self.only = Some(which);
    }

    fn rows(&mut self) -> u64 {
        self.states().iter().map(|state| state.rows()).sum()
    }
}

/// What the states are called, and their kinds.
const STATES: [(&str, Kind); 7] = [
    ("lists", Kind::List),
    ("maps", Kind::Map),
    ("ordered", Kind::Map),
    ("timers", Kind::Timers),
    ("split", Kind::Split),
    ("union", Kind::Union),
    ("broadcast", Kind::Broadcast),
];
