//! Keys, also in windows: those that may belong to other key groups than they did are assigned
//! anew, by every task reading all groups and keeping its own.

use holdwater::checkpoint::LoadFailure;
use holdwater::key::{At, In, Key, KeyGroups};
use holdwater::state::{
    Backend, Descriptor, Kind, List, Map, State, States, TimeDomain, Timers, Value, Visitor,
};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::Make;
use super::job::{GROUPS, Job, Refused};
use super::says::SaysOfItself;
use crate::keyed::{Sole, entries, items};

/// 127: the digest of an integer does not depend on its width, so each task reads its own groups.
pub fn keys_that_become_wider_stay_in_their_groups<B: Backend>(make: Make<B>) {
    all_move::<B, u32, u64>(
        make,
        |key| (key as u32 * 1000, u64::from(key as u32 * 1000)),
        Moves::No,
    );
    moves::<B, i8, i64>(make, |key| (-(key as i8), -(key as i64)), Moves::No);
}

/// 127: nor on whether there is room for a sign.
pub fn keys_that_become_wider_and_signed_stay_in_their_groups<B: Backend>(make: Make<B>) {
    moves::<B, u16, i64>(make, |key| (key as u16, key as i64), Moves::No);
}

/// 127: an integer of two words has another digest.
pub fn keys_that_become_wider_than_a_word_move<B: Backend>(make: Make<B>) {
    all_move::<B, u64, u128>(make, |key| (key, u128::from(key)), Moves::Yes);
}

/// 127: a newtype is what it holds.
pub fn keys_in_a_newtype_stay_in_their_groups<B: Backend>(make: Make<B>) {
    moves::<B, String, Name>(make, |key| (key.to_string(), Name(key.to_string())), Moves::No);
    moves::<B, u32, Id>(make, |key| (key as u32, Id(key)), Moves::No);
}

/// 127: what is digested has another order.
pub fn keys_whose_fields_are_reordered_move<B: Backend>(make: Make<B>) {
    let keys = |key: u64| {
        let (from, to) = (key.to_string(), key as u16);
        (Route { from: from.clone(), to }, Reordered { to, from })
    };
    moves::<B, Route, Reordered>(make, keys, Moves::Yes);
}

/// 127: an added field is the same in every key.
pub fn keys_that_get_a_field_move<B: Backend>(make: Make<B>) {
    let keys = |key: u64| {
        let (from, to) = (key.to_string(), key as u16);
        (Route { from: from.clone(), to }, Longer { from, to: to.into(), by: None })
    };
    moves::<B, Route, Longer>(make, keys, Moves::Yes);
}

/// 127: a pair is digested as it is encoded.
pub fn keys_of_two_parts_that_become_wider_move<B: Backend>(make: Make<B>) {
    let keys = |key: u64| ((key as u8, -(key as i16)), (key, -(key as i64)));
    moves::<B, (u8, i16), (u64, i64)>(make, keys, Moves::Yes);
}

/// 128: a window does not decide where its key belongs.
pub fn windows_that_become_wider_are_found<B: Backend>(make: Make<B>) {
    let keys = |key: u64| {
        let window = key as u8 % 3;
        (In { key: key / 3, window }, In { key: key / 3, window: u64::from(window) })
    };
    moves::<B, In<u64, u8>, In<u64, u64>>(make, keys, Moves::Yes);
}

/// 127, 128: key and window at once.
pub fn keys_in_windows_that_become_wider_are_found<B: Backend>(make: Make<B>) {
    let keys = |key: u64| {
        let window = -(key as i16 % 3);
        let wide = In { key: u128::from(key / 3), window: window.into() };
        (In { key: key / 3, window }, wide)
    };
    all_move::<B, In<u64, i16>, In<u128, i64>>(make, keys, Moves::Yes);
}

/// 127: a variant has another number.
pub fn keys_with_variants_that_are_reordered_move<B: Backend>(make: Make<B>) {
    let keys = |key: u64| match key % 2 {
        0 => (Place::At(key as u16), Moved::At(key as u32)),
        _ => (Place::On { line: key as u8 }, Moved::On { line: key as u8 }),
    };
    moves::<B, Place, Moved>(make, keys, Moves::Yes);
}

/// 127: two keys could become one.
pub fn a_key_without_one_of_its_fields_is_refused<B: Backend>(make: Make<B>) {
    let mismatch = never::<B, Route, Shorter>(make, Route { from: "a".into(), to: 1 });
    assert_eq!(
        mismatch,
        "from: two keys would become one, keep all fields and variants of what is a key"
    );
}

/// 127, 129: before any row is read.
pub fn a_key_of_another_type_is_refused<B: Backend>(make: Make<B>) {
    let text = never::<B, u64, String>(make, 7);
    assert_eq!(text, "what is stored as u64 cannot become String");
    let narrower = never::<B, u64, u32>(make, 7);
    assert_eq!(narrower, "what is stored as u64 cannot become u32");
    let window = never::<B, In<u64, u8>, In<u64, char>>(make, In { key: 1, window: 2 });
    assert_eq!(window, "window: what is stored as u8 cannot become char");
}

/// 127: nor two variants of it one.
pub fn a_key_whose_variants_become_one_is_refused<B: Backend>(make: Make<B>) {
    let words = "Right: two keys would become one, keep all fields and variants of what is a key";
    assert_eq!(never::<B, Side, Aside>(make, Side::Left), words);
    assert_eq!(never::<B, Side, Lefty>(make, Side::Left), words);
}

/// 127: what only the keys can tell is refused where it is found.
pub fn keys_that_become_one_are_refused<B: Backend>(make: Make<B>) {
    let mut job = Job::begin(make, Values::<B, (String, u8)>::open, 2);
    for (number, name) in (0..).zip(["sfo", "SFO"]) {
        let key = (name.to_owned(), 1);
        job.owner::<(String, u8)>(key.view()).0.put(located(&key), number).unwrap();
    }
    job.checkpoint().unwrap();
    let Refused { failure, .. } = *refused(job.restore(Values::<B, (Folded, u16)>::open, 1));
    let LoadFailure::Refused { section, error, .. } = failure else { panic!("{failure}") };
    assert!(section.starts_with("part of state values, key group "), "{section}");
    assert!(error.to_string().starts_with("two keys would become one"), "{error}");
}

/// 127: a record goes to one task, which has the rows of its key in all states.
pub fn states_of_one_operator_keep_to_one_type_of_keys<B: Backend>(make: Make<B>) {
    let mut job = Job::begin(make, Two::<B, u64, u64>::open, 2);
    job.checkpoint().unwrap();
    let Refused { failure, rows } = *refused(job.restore(Two::<B, u64, u128>::open, 2));
    let LoadFailure::OtherKeys { states, .. } = failure else { panic!("{failure}") };
    assert_eq!((states, rows), (["one".to_owned(), "other".to_owned()], 0));
    assert!(job.restore(Two::<B, u128, u128>::open, 2).is_ok());
    let mut apart = Job::begin(make, Two::<B, u64, String>::open, 2);
    apart.checkpoint().unwrap();
    assert!(apart.restore(Two::<B, u128, String>::open, 2).is_ok(), "they never were of one type");
}

/// Whether keys are assigned to groups anew.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Moves {
    No,
    Yes,
}

/// Stores values under the old form of some keys, and finds them under the new one.
fn moves<B, O, N>(make: Make<B>, key: fn(u64) -> (O, N), moves: Moves)
where
    B: Backend,
    O: Key,
    N: Key,
{
    restore::<B, O, N, Values<B, O>, Values<B, N>>(make, key, moves);
}

/// Does so with rows of every kind.
fn all_move<B, O, N>(make: Make<B>, key: fn(u64) -> (O, N), moves: Moves)
where
    B: Backend,
    O: Key,
    N: Key,
{
    restore::<B, O, N, All<B, O>, All<B, N>>(make, key, moves);
}

fn restore<B, O, N, S, T>(make: Make<B>, key: fn(u64) -> (O, N), moves: Moves)
where
    B: Backend,
    O: Key,
    N: Key,
    S: Rows<B, O>,
    T: Rows<B, N>,
{
    for deltas in [false, true] {
        let mut job = Job::begin(make, S::open, 2);
        let fill = |job: &mut Job<B, S>, number| {
            let key = key(number).0;
            job.owner::<O>(key.view()).fill(located(&key), number);
        };
        let fill_later = |job: &mut Job<B, T>, number| {
            let key = key(number).1;
            job.owner::<N>(key.view()).fill(located(&key), number);
        };
        let check = |job: &mut Job<B, T>, number| {
            let key = key(number).1;
            job.owner::<N>(key.view()).check(located(&key), number, deltas && number < 4);
        };
        (0..KEYS / 2).for_each(|number| fill(&mut job, number));
        job.checkpoint().unwrap();
        if deltas {
            for number in 0..4 {
                let key = key(number).0;
                job.owner::<O>(key.view()).change(located(&key));
            }
            (KEYS / 2..KEYS).for_each(|number| fill(&mut job, number));
            job.checkpoint().unwrap();
        }
        let keys = if deltas { KEYS } else { KEYS / 2 };
        let (mut later, restored) = job.restore(T::open, 3).unwrap();
        assert_eq!(restored.full, moves == Moves::Yes);
        (0..keys).for_each(|number| check(&mut later, number));
        (keys..keys + 4).for_each(|number| fill_later(&mut later, number));
        later.checkpoint().unwrap();
        assert!(moves == Moves::No || later.is_full() && later.manifest().depth == 0);
        (keys + 4..keys + 6).for_each(|number| fill_later(&mut later, number));
        later.checkpoint().unwrap();
        let (mut last, restored) = later.restore(T::open, 5).unwrap();
        assert!(!restored.full, "keys are assigned anew once");
        (0..keys + 6).for_each(|number| check(&mut last, number));
        let values: u64 = last.tasks.iter().map(Rows::values).sum();
        assert_eq!(values, keys + 6 - if deltas { 4 } else { 0 }, "no key is in two tasks");
    }
}

/// Returns why a key of the old type is never read as one of the new.
fn never<B: Backend, O: Key, N: Key>(make: Make<B>, key: O) -> String {
    let mut job = Job::begin(make, Values::<B, O>::open, 2);
    let at = located(&key);
    job.owner::<O>(key.view()).0.put(at, 1).unwrap();
    job.checkpoint().unwrap();
    let open = |store: &mut B| {
        let own = Descriptor::<N, u64>::new("values").describe(Kind::Value).unwrap();
        Ok(Sole(SaysOfItself(Values::<B, O>::open(store)?.0, own)))
    };
    let Refused { failure, rows } = *refused(job.restore(open, 2));
    let LoadFailure::OtherType { state, mismatch, .. } = failure else { panic!("{failure}") };
    assert_eq!((&*state, mismatch.piece, rows), ("values", "key", 0));
    mismatch.incompatible.to_string()
}

fn refused<T, E>(outcome: Result<T, E>) -> E {
    match outcome {
        Ok(_) => panic!("it is restored"),
        Err(refused) => refused,
    }
}

fn located<K: Key>(key: &K) -> At<'_, K> {
    KeyGroups::all(GROUPS).locate(key.view())
}

/// The states of an operator, and rows in them.
trait Rows<B: Backend, K: Key>: States<Error = B::Error> + Sized {
    fn open(store: &mut B) -> Result<Self, B::Error>;

    fn fill(&mut self, at: At<'_, K>, number: u64);

    /// Changes rows, so that a delta has to.
    fn change(&mut self, at: At<'_, K>);

    fn check(&mut self, at: At<'_, K>, number: u64, changed: bool);

    /// Returns how many values there are.
    fn values(&self) -> u64;
}

/// An operator with values alone.
struct Values<B: Backend, K: Key>(B::Value<K, u64>);

impl<B: Backend, K: Key> Rows<B, K> for Values<B, K> {
    fn open(store: &mut B) -> Result<Self, B::Error> {
        Ok(Self(store.value(Descriptor::new("values"))?))
    }

    fn fill(&mut self, at: At<'_, K>, number: u64) {
        self.0.put(at, number).unwrap();
    }

    fn change(&mut self, at: At<'_, K>) {
        self.0.remove(at).unwrap();
    }

    fn check(&mut self, at: At<'_, K>, number: u64, changed: bool) {
        let value = self.0.get(at).unwrap().map(|value| *value);
        assert_eq!(value, (!changed).then_some(number), "{number}");
    }

    fn values(&self) -> u64 {
        self.0.rows()
    }
}

impl<B: Backend, K: Key> States for Values<B, K> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.0)
    }
}

/// An operator with a state of every kind.
struct All<B: Backend, K: Key> {
    values: Values<B, K>,
    lists: B::List<K, String>,
    maps: B::Map<K, String, u64>,
    timers: B::Timers<K>,
}

impl<B: Backend, K: Key> Rows<B, K> for All<B, K> {
    fn open(store: &mut B) -> Result<Self, B::Error> {
        Ok(Self {
            values: Values::open(store)?,
            lists: store.list(Descriptor::new("lists"))?,
            maps: store.map(Descriptor::new("maps"))?,
            timers: store.timers(Descriptor::new("timers"), TimeDomain::Event)?,
        })
    }

    fn fill(&mut self, at: At<'_, K>, number: u64) {
        self.values.fill(at, number);
        self.lists.push(at, number.to_string()).unwrap();
        self.maps.put(at, "a", number).unwrap();
        self.maps.put(at, "b", 1).unwrap();
        self.timers.register(at, -(number as i64)).unwrap();
    }

    fn change(&mut self, at: At<'_, K>) {
        self.values.change(at);
        self.lists.push(at, "more".into()).unwrap();
        self.maps.remove(at, "b").unwrap();
        self.timers.register(at, 1000).unwrap();
    }

    fn check(&mut self, at: At<'_, K>, number: u64, changed: bool) {
        self.values.check(at, number, changed);
        let (list, map) = (items(&self.lists, at), entries(&self.maps, at));
        assert_eq!((&*list[0], list.len()), (&*number.to_string(), 1 + usize::from(changed)));
        assert_eq!((map["a"], map.len()), (number, 2 - usize::from(changed)));
        // Deleting one tells that it was there, and is undone.
        assert!(self.timers.delete(at, -(number as i64)).unwrap());
        assert!(self.timers.register(at, -(number as i64)).unwrap());
        assert_eq!(self.timers.delete(at, 1000).unwrap(), changed);
        if changed {
            self.timers.register(at, 1000).unwrap();
        }
    }

    fn values(&self) -> u64 {
        self.values.values()
    }
}

impl<B: Backend, K: Key> States for All<B, K> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.values.each(visitor)?;
        visitor.state(&mut self.lists)?;
        visitor.state(&mut self.maps)?;
        visitor.state(&mut self.timers)
    }
}

/// An operator with two states, the second by windows.
struct Two<B: Backend, K: Key, L: Key>(B::Value<K, u64>, B::List<In<L, u8>, u64>);

impl<B: Backend, K: Key, L: Key> Two<B, K, L> {
    fn open(store: &mut B) -> Result<Self, B::Error> {
        let mut two =
            Self(store.value(Descriptor::new("one"))?, store.list(Descriptor::new("other"))?);
        two.0.clear()?;
        Ok(two)
    }
}

impl<B: Backend, K: Key, L: Key> States for Two<B, K, L> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.0)?;
        visitor.state(&mut self.1)
    }
}

macro_rules! keys {
    ($($item:item => $key:ty $(: $inner:ty)?;)*) => {
        $(
            #[derive(Clone, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
            $item
            holdwater::key!($key $(: $inner)?);
        )*
    };
}

keys! {
    struct Name(String); => Name;
    struct Id(u64); => Id: u64;
    struct Route { from: String, to: u16 } => Route;
    struct Reordered { to: u16, from: String } => Reordered;
    struct Longer { from: String, to: u32, by: Option<String> } => Longer;
    struct Shorter { to: u16 } => Shorter;
    enum Place { At(u16), On { line: u8 } } => Place;
    enum Moved { New, On { line: u8 }, At(u32) } => Moved;
    enum Side { Left, Right } => Side;
    enum Aside { #[serde(alias = "Left", alias = "Right")] Any } => Aside;
    enum Lefty { New, #[serde(alias = "Right")] Left } => Lefty;
    #[serde(from = "String")]
    struct Folded(String); => Folded;
}

impl From<String> for Folded {
    fn from(name: String) -> Self {
        Self(name.to_lowercase())
    }
}

const KEYS: u64 = 24;
