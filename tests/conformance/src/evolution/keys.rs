//! Keys, also in windows: those that may belong to other key groups than they did are assigned
//! anew, by every task reading all groups and keeping its own.

mod rows;

use holdwater::checkpoint::LoadFailure;
use holdwater::key::{At, In, Key, KeyGroup, KeyGroups};
use holdwater::state::{Backend, Descriptor, Kind, State};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use self::rows::{Many, all, values};
use super::erased::{AnyState, Erased, Task};
use super::job::{GROUPS, Job, Open, Refused};
use super::{Make, refused};

/// 127: the digest of an integer does not depend on its width, so each task reads its own groups.
pub fn keys_that_become_wider_stay_in_their_groups<B: Backend + 'static>(make: Make<B>) {
    all_move::<B, u32, u64>(
        make,
        |key| (key as u32 * 1000, u64::from(key as u32 * 1000)),
        Moves::No,
    );
    moves::<B, i8, i64>(make, |key| (-(key as i8), -(key as i64)), Moves::No);
}

/// 127: nor on whether there is room for a sign.
pub fn keys_that_become_wider_and_signed_stay_in_their_groups<B: Backend + 'static>(make: Make<B>) {
    moves::<B, u16, i64>(make, |key| (key as u16, key as i64), Moves::No);
}

/// 127: an integer of two words has another digest.
pub fn keys_that_become_wider_than_a_word_move<B: Backend + 'static>(make: Make<B>) {
    all_move::<B, u64, u128>(make, |key| (key, u128::from(key)), Moves::Yes);
}

/// 127: a newtype is what it holds.
pub fn keys_in_a_newtype_stay_in_their_groups<B: Backend + 'static>(make: Make<B>) {
    moves::<B, String, Name>(make, |key| (key.to_string(), Name(key.to_string())), Moves::No);
    moves::<B, u32, Id>(make, |key| (key as u32, Id(key)), Moves::No);
}

/// 127: what is digested has another order.
pub fn keys_whose_fields_are_reordered_move<B: Backend + 'static>(make: Make<B>) {
    let keys = |key: u64| {
        let (from, to) = (key.to_string(), key as u16);
        (Route { from: from.clone(), to }, Reordered { to, from })
    };
    moves::<B, Route, Reordered>(make, keys, Moves::Yes);
}

/// 127: an added field is the same in every key.
pub fn keys_that_get_a_field_move<B: Backend + 'static>(make: Make<B>) {
    let keys = |key: u64| {
        let (from, to) = (key.to_string(), key as u16);
        (Route { from: from.clone(), to }, Longer { from, to: to.into(), by: None })
    };
    moves::<B, Route, Longer>(make, keys, Moves::Yes);
}

/// 127: a pair is digested as it is encoded.
pub fn keys_of_two_parts_that_become_wider_move<B: Backend + 'static>(make: Make<B>) {
    let keys = |key: u64| ((key as u8, -(key as i16)), (key, -(key as i64)));
    moves::<B, (u8, i16), (u64, i64)>(make, keys, Moves::Yes);
}

/// 128: a window does not decide where its key belongs.
pub fn windows_that_become_wider_are_found<B: Backend + 'static>(make: Make<B>) {
    let keys = |key: u64| {
        let window = key as u8 % 3;
        (In { key: key / 3, window }, In { key: key / 3, window: u64::from(window) })
    };
    moves::<B, In<u64, u8>, In<u64, u64>>(make, keys, Moves::Yes);
}

/// 127, 128: key and window at once.
pub fn keys_in_windows_that_become_wider_are_found<B: Backend + 'static>(make: Make<B>) {
    let keys = |key: u64| {
        let window = -(key as i16 % 3);
        let wide = In { key: u128::from(key / 3), window: window.into() };
        (In { key: key / 3, window }, wide)
    };
    all_move::<B, In<u64, i16>, In<u128, i64>>(make, keys, Moves::Yes);
}

/// 127: a variant has another number.
pub fn keys_with_variants_that_are_reordered_move<B: Backend + 'static>(make: Make<B>) {
    let keys = |key: u64| match key % 2 {
        0 => (Place::At(key as u16), Moved::At(key as u32)),
        _ => (Place::On { line: key as u8 }, Moved::On { line: key as u8 }),
    };
    moves::<B, Place, Moved>(make, keys, Moves::Yes);
}

/// 127: two keys could become one.
pub fn a_key_without_one_of_its_fields_is_refused<B: Backend + 'static>(make: Make<B>) {
    let mismatch = never::<B, Route, Shorter>(make, Route { from: "a".into(), to: 1 });
    assert_eq!(
        mismatch,
        "from: two keys would become one, keep all fields and variants of what is a key"
    );
}

/// 127, 129: before any row is read.
pub fn a_key_of_another_type_is_refused<B: Backend + 'static>(make: Make<B>) {
    let text = never::<B, u64, String>(make, 7);
    assert_eq!(text, "what is stored as u64 cannot become String");
    let narrower = never::<B, u64, u32>(make, 7);
    assert_eq!(narrower, "what is stored as u64 cannot become u32");
    let window = never::<B, In<u64, u8>, In<u64, char>>(make, In { key: 1, window: 2 });
    assert_eq!(window, "window: what is stored as u8 cannot become char");
}

/// 127: nor two variants of it one.
pub fn a_key_whose_variants_become_one_is_refused<B: Backend + 'static>(make: Make<B>) {
    let words = "Right: two keys would become one, keep all fields and variants of what is a key";
    assert_eq!(never::<B, Side, Aside>(make, Side::Left), words);
    assert_eq!(never::<B, Side, Lefty>(make, Side::Left), words);
}

/// 127: what only the keys can tell is refused where it is found.
pub fn keys_that_become_one_are_refused<B: Backend + 'static>(make: Make<B>) {
    let key = |number: u64| (["sfo", "SFO"][number as usize].to_owned(), 1);
    let mut job = Job::begin(make, &|store| values::<B, (String, u8)>(store, key), 2);
    for number in 0..2 {
        job.owner(group(key(number))).task.fill(number);
    }
    job.checkpoint().unwrap();
    let folded = |_| (Folded("sfo".into()), 1);
    let open = |store: &mut B| values::<B, (Folded, u16)>(store, folded);
    let Refused { failure, .. } = *refused(job.restore(&open, 1));
    let LoadFailure::Refused { section, error, .. } = failure else { panic!("{failure}") };
    assert!(section.starts_with("part of state values, key group "), "{section}");
    assert!(error.to_string().starts_with("two keys would become one"), "{error}");
}

/// 127: a record goes to one task, which has the rows of its key in all states.
pub fn states_of_one_operator_keep_to_one_type_of_keys<B: Backend + 'static>(make: Make<B>) {
    let mut job = Job::begin(make, &two::<B, u64, u64>, 2);
    job.checkpoint().unwrap();
    let Refused { failure, rows } = *refused(job.restore(&two::<B, u64, u128>, 2));
    let LoadFailure::OtherKeys { states, .. } = failure else { panic!("{failure}") };
    assert_eq!((states, rows), (["one".to_owned(), "other".to_owned()], 0));
    assert!(job.restore(&two::<B, u128, u128>, 2).is_ok());
    let mut apart = Job::begin(make, &two::<B, u64, String>, 2);
    apart.checkpoint().unwrap();
    assert!(apart.restore(&two::<B, u128, String>, 2).is_ok(), "they never were of one type");
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
    B: Backend + 'static,
    O: Key,
    N: Key,
{
    restore(
        make,
        (&|store| values(store, move |number| key(number).0), &|number| group(key(number).0)),
        (&|store| values(store, move |number| key(number).1), &|number| group(key(number).1)),
        moves,
    );
}

/// Does so with rows of every kind.
fn all_move<B, O, N>(make: Make<B>, key: fn(u64) -> (O, N), moves: Moves)
where
    B: Backend + 'static,
    O: Key,
    N: Key,
{
    restore(
        make,
        (&|store| all(store, move |number| key(number).0), &|number| group(key(number).0)),
        (&|store| all(store, move |number| key(number).1), &|number| group(key(number).1)),
        moves,
    );
}

/// Opens states of one form of keys, and tells which group the key of a number belongs to.
type Form<'f, B> = (&'f Open<'f, B, Many<B>>, &'f dyn Fn(u64) -> KeyGroup);

fn restore<B: Backend>(make: Make<B>, old: Form<'_, B>, new: Form<'_, B>, moves: Moves) {
    for deltas in [false, true] {
        let mut job = Job::begin(make, old.0, 2);
        (0..KEYS / 2).for_each(|number| job.owner(old.1(number)).task.fill(number));
        job.checkpoint().unwrap();
        if deltas {
            (0..4).for_each(|number| job.owner(old.1(number)).task.change(number));
            (KEYS / 2..KEYS).for_each(|number| job.owner(old.1(number)).task.fill(number));
            job.checkpoint().unwrap();
        }
        let check = |job: &mut Job<B, Many<B>>, number| {
            job.owner(new.1(number)).task.check(number, deltas && number < 4);
        };
        let keys = if deltas { KEYS } else { KEYS / 2 };
        let (mut later, restored) = job.restore(new.0, 3).unwrap();
        assert_eq!(restored.full, moves == Moves::Yes);
        (0..keys).for_each(|number| check(&mut later, number));
        (keys..keys + 4).for_each(|number| later.owner(new.1(number)).task.fill(number));
        later.checkpoint().unwrap();
        assert!(moves == Moves::No || later.is_full() && later.manifest().depth == 0);
        (keys + 4..keys + 6).for_each(|number| later.owner(new.1(number)).task.fill(number));
        later.checkpoint().unwrap();
        let (mut last, restored) = later.restore(new.0, 5).unwrap();
        assert!(!restored.full, "keys are assigned anew once");
        (0..keys + 6).for_each(|number| check(&mut last, number));
        let values: u64 = last.tasks.iter().map(|task| task.task.values()).sum();
        assert_eq!(values, keys + 6 - if deltas { 4 } else { 0 }, "no key is in two tasks");
    }
}

/// Returns why a key of the old type is never read as one of the new.
fn never<B: Backend + 'static, O: Key, N: Key>(make: Make<B>, key: O) -> String {
    let open = |store: &mut B| {
        let key = key.clone();
        values(store, move |_| key.clone())
    };
    let mut job = Job::begin(make, &open, 2);
    job.owner(group(key.clone())).task.fill(1);
    job.checkpoint().unwrap();
    let own = Descriptor::<N, u64>::new("values").describe(Kind::Value).unwrap();
    let says = |store: &mut B| {
        let says = Some(own.clone());
        open(store).map(|erased| Erased { says, ..erased })
    };
    let Refused { failure, rows } = *refused(job.restore(&says, 2));
    let LoadFailure::OtherType { state, mismatch, .. } = failure else { panic!("{failure}") };
    assert_eq!((&*state, mismatch.piece, rows), ("values", "key", 0));
    mismatch.incompatible.to_string()
}

fn group<K: Key>(key: K) -> KeyGroup {
    located(&key).group()
}

fn located<K: Key>(key: &K) -> At<'_, K> {
    KeyGroups::all(GROUPS).locate(key.view())
}

/// An operator with two states, the second by windows.
struct Two<S, T>(S, T);

impl<S: State, T: State<Error = S::Error>> Task for Two<S, T> {
    type Error = S::Error;

    fn states(&mut self) -> Vec<&mut dyn AnyState<Error = S::Error>> {
        vec![&mut self.0, &mut self.1]
    }
}

/// Opens two states.
fn two<B, K, L>(store: &mut B) -> Result<Erased<dyn Task<Error = B::Error>>, B::Error>
where
    B: Backend + 'static,
    K: Key,
    L: Key,
{
    let one = store.value::<K, u64>(Descriptor::new("one"))?;
    let other = store.list::<In<L, u8>, u64>(Descriptor::new("other"))?;
    let task: Box<dyn Task<Error = B::Error>> = Box::new(Two(one, other));
    Ok(task.into())
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
