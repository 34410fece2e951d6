//! The fields of maps: their types evolve as those of keys do, and nothing moves.

use core::fmt::Debug;

use holdwater::checkpoint::LoadFailure;
use holdwater::key::{Key, KeyGroups};
use holdwater::state::{Backend, Descriptor, Map};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::Make;
use super::job::{GROUPS, Job, Refused};
use super::says::SaysOfItself;
use crate::keyed::Sole;

/// 123: a field is found by what it is, not by how wide it was.
pub fn fields_of_maps_become_wider<B: Backend>(make: Make<B>) {
    found::<B, u8, u64>(make, |field| (field, u64::from(field)));
    found::<B, (u8, i8), (u16, i64)>(make, |field| ((field, -1), (field.into(), -1)));
}

/// 123: an added field is the same in all of them.
pub fn fields_of_maps_get_a_field<B: Backend>(make: Make<B>) {
    found::<B, Leg, Longer>(make, |field| {
        let to = field.to_string();
        (Leg { from: field, to: to.clone() }, Longer { to, by: None, from: field.into() })
    });
}

/// 123: text in a newtype or not.
pub fn fields_of_maps_in_text_stay_as_they_are<B: Backend>(make: Make<B>) {
    found::<B, String, Name>(make, |field| (field.to_string(), Name(field.to_string())));
}

/// 123, 125: two of them could become one.
pub fn a_map_field_without_one_of_its_fields_is_refused<B: Backend>(make: Make<B>) {
    let job = written::<B, Leg>(make, |field| Leg { from: field, to: "x".into() }, false);
    assert_eq!(
        never::<B, Leg, Shorter>(&job),
        "to: two keys would become one, keep all fields and variants of what is a key"
    );
}

/// 125, 129: before any row is read.
pub fn a_map_field_of_another_type_is_refused<B: Backend>(make: Make<B>) {
    let job = written::<B, u32>(make, u32::from, false);
    assert_eq!(never::<B, u32, u16>(&job), "what is stored as u32 cannot become u16");
    assert_eq!(never::<B, u32, String>(&job), "what is stored as u32 cannot become String");
}

/// 123, 125: nor two variants of it one.
pub fn a_map_field_whose_variants_become_one_is_refused<B: Backend>(make: Make<B>) {
    let sides = |field| if field % 2 == 0 { Side::Left } else { Side::Right };
    let job = written::<B, Side>(make, sides, false);
    assert_eq!(
        never::<B, Side, Aside>(&job),
        "Right: two keys would become one, keep all fields and variants of what is a key"
    );
}

/// 125: what only the fields can tell is refused where it is found.
pub fn map_fields_that_become_one_are_refused<B: Backend>(make: Make<B>) {
    let names = |field| (["sfo", "SFO"][usize::from(field % 2)].to_owned(), 1u8);
    let job = written::<B, (String, u8)>(make, names, false);
    let failure = refused(job.restore(open::<B, (Folded, u16)>, 2)).failure;
    let LoadFailure::Refused { section, error, .. } = failure else { panic!("{failure}") };
    assert!(section.starts_with("part of state map, key group "), "{section}");
    assert!(error.to_string().starts_with("two keys would become one"), "{error}");
}

/// Stores the old form of some fields, and finds the new one.
fn found<B, O, N>(make: Make<B>, field: fn(u8) -> (O, N))
where
    B: Backend,
    O: Key,
    N: Key + Debug,
{
    for deltas in [false, true] {
        let job = written::<B, O>(make, |number| field(number).0, deltas);
        let (mut later, restored) = job.restore(open::<B, N>, 3).unwrap();
        assert!(!restored.full, "no key moves");
        let check = |job: &mut Job<B, One<B, N>>| {
            for key in 0..KEYS {
                let at = KeyGroups::all(GROUPS).locate::<u64>(key);
                let own = job.owner::<u64>(key);
                for number in 0..FIELDS {
                    let value = own.get(at, field(number).1.view()).unwrap().map(|value| *value);
                    let expected = (!deltas || number != 1).then_some(u64::from(number));
                    assert_eq!(value, expected, "{:?}", field(number).1);
                }
                let gone = u64::from(deltas);
                assert_eq!(own.len(at).unwrap(), u64::from(FIELDS) - gone);
            }
        };
        check(&mut later);
        later.checkpoint().unwrap();
        assert!(restored.rows == KEYS);
        let (mut last, _) = later.restore(open::<B, N>, 2).unwrap();
        check(&mut last);
    }
}

fn written<B, F>(make: Make<B>, field: impl Fn(u8) -> F, deltas: bool) -> Job<B, One<B, F>>
where
    B: Backend,
    F: Key,
{
    let mut job = Job::begin(make, open::<B, F>, 2);
    for key in 0..KEYS {
        let at = KeyGroups::all(GROUPS).locate::<u64>(key);
        for number in 0..FIELDS {
            job.owner::<u64>(key).put(at, field(number).view(), number.into()).unwrap();
        }
    }
    job.checkpoint().unwrap();
    if deltas {
        for key in 0..KEYS {
            let at = KeyGroups::all(GROUPS).locate::<u64>(key);
            assert!(job.owner::<u64>(key).remove(at, field(1).view()).unwrap());
        }
        job.checkpoint().unwrap();
    }
    job
}

/// Returns why a field of the old type is never read as one of the new.
fn never<B: Backend, O: Key, N: Key>(job: &Job<B, One<B, O>>) -> String {
    let open = |store: &mut B| {
        let own = Descriptor::<u64, (N, u64)>::new("map").describe_map().unwrap();
        Ok(Sole(SaysOfItself(open::<B, O>(store)?.0, own)))
    };
    let Refused { failure, rows } = *refused(job.restore(open, 2));
    let LoadFailure::OtherType { state, mismatch, .. } = failure else { panic!("{failure}") };
    assert_eq!((&*state, mismatch.piece, rows), ("map", "field", 0));
    mismatch.incompatible.to_string()
}

fn refused<T, E>(outcome: Result<T, E>) -> E {
    match outcome {
        Ok(_) => panic!("it is restored"),
        Err(refused) => refused,
    }
}

type One<B, F> = Sole<<B as Backend>::Map<u64, F, u64>>;

fn open<B: Backend, F: Key>(store: &mut B) -> Result<One<B, F>, B::Error> {
    Ok(Sole(store.map(Descriptor::new("map"))?))
}

macro_rules! keys {
    ($($item:item => $key:ty;)*) => {
        $(
            #[derive(Clone, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
            $item
            holdwater::key!($key);
        )*
    };
}

keys! {
    struct Name(String); => Name;
    struct Leg { from: u8, to: String } => Leg;
    struct Longer { to: String, by: Option<u8>, from: u32 } => Longer;
    struct Shorter { from: u8 } => Shorter;
    enum Side { Left, Right } => Side;
    enum Aside { #[serde(alias = "Left", alias = "Right")] Any } => Aside;
    #[serde(from = "String")]
    struct Folded(String); => Folded;
}

impl From<String> for Folded {
    fn from(name: String) -> Self {
        Self(name.to_lowercase())
    }
}

const KEYS: u64 = 6;
const FIELDS: u8 = 5;
