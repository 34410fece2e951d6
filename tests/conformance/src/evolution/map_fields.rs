//! The fields of maps: their types evolve as those of keys do, and nothing moves.

use core::fmt::Debug;

use holdwater::checkpoint::LoadFailure;
use holdwater::key::Key;
use holdwater::state::{Backend, Descriptor, Map, State};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::erased::{AnyState, Erased, Task};
use super::job::{Job, Open, Refused};
use super::{Make, at, refused};

/// 123: a field is found by what it is, not by how wide it was.
pub fn fields_of_maps_become_wider<B: Backend + 'static>(make: Make<B>) {
    found::<B, u8, u64>(make, |field| (field, u64::from(field)));
    found::<B, (u8, i8), (u16, i64)>(make, |field| ((field, -1), (field.into(), -1)));
}

/// 123: an added field is the same in all of them.
pub fn fields_of_maps_get_a_field<B: Backend + 'static>(make: Make<B>) {
    found::<B, Leg, Longer>(make, |field| {
        let to = field.to_string();
        (Leg { from: field, to: to.clone() }, Longer { to, by: None, from: field.into() })
    });
}

/// 123: text in a newtype or not.
pub fn fields_of_maps_in_text_stay_as_they_are<B: Backend + 'static>(make: Make<B>) {
    found::<B, String, Name>(make, |field| (field.to_string(), Name(field.to_string())));
}

/// 123, 125: two of them could become one.
pub fn a_map_field_without_one_of_its_fields_is_refused<B: Backend + 'static>(make: Make<B>) {
    let legs = |field| Leg { from: field, to: "x".into() };
    let job = written(make, legs, false);
    assert_eq!(
        never::<B, Leg, Shorter>(&job, legs),
        "to: two keys would become one, keep all fields and variants of what is a key"
    );
}

/// 125, 129: before any row is read.
pub fn a_map_field_of_another_type_is_refused<B: Backend + 'static>(make: Make<B>) {
    let job = written::<B, u32>(make, u32::from, false);
    let narrower = never::<B, u32, u16>(&job, u32::from);
    assert_eq!(narrower, "what is stored as u32 cannot become u16");
    let text = never::<B, u32, String>(&job, u32::from);
    assert_eq!(text, "what is stored as u32 cannot become String");
}

/// 123, 125: nor two variants of it one.
pub fn a_map_field_whose_variants_become_one_is_refused<B: Backend + 'static>(make: Make<B>) {
    let sides = |field| if field % 2 == 0 { Side::Left } else { Side::Right };
    let job = written::<B, Side>(make, sides, false);
    assert_eq!(
        never::<B, Side, Aside>(&job, sides),
        "Right: two keys would become one, keep all fields and variants of what is a key"
    );
}

/// 125: what only the fields can tell is refused where it is found.
pub fn map_fields_that_become_one_are_refused<B: Backend + 'static>(make: Make<B>) {
    let names = |field| (["sfo", "SFO"][usize::from(field % 2)].to_owned(), 1u8);
    let job = written::<B, (String, u8)>(make, names, false);
    let folded = |store: &mut B| maps(store, |_| (Folded("sfo".into()), 1_u16));
    let failure = refused(job.restore(&folded, 2)).failure;
    let LoadFailure::Refused { section, error, .. } = failure else { panic!("{failure}") };
    assert!(section.starts_with("part of state map, key group "), "{section}");
    assert!(error.to_string().starts_with("two keys would become one"), "{error}");
}

/// Stores the old form of some fields, and finds the new one.
fn found<B, O, N>(make: Make<B>, field: fn(u8) -> (O, N))
where
    B: Backend + 'static,
    O: Key + Debug,
    N: Key + Debug,
{
    let open = |store: &mut B| maps(store, move |number| field(number).1);
    for deltas in [false, true] {
        restored(&written::<B, O>(make, move |number| field(number).0, deltas), &open, deltas);
    }
}

/// Finds the fields, and again from the checkpoint that this takes.
fn restored<B: Backend>(job: &Job<B, One<B>>, open: &Open<'_, B, One<B>>, deltas: bool) {
    let check = |job: &mut Job<B, One<B>>| {
        (0..KEYS).for_each(|key| job.owner(at(key).group()).task.check(key, deltas));
    };
    let (mut later, restored) = job.restore(open, 3).unwrap();
    assert!(!restored.full, "no key moves");
    check(&mut later);
    later.checkpoint().unwrap();
    assert!(restored.rows == KEYS);
    let (mut last, _) = later.restore(open, 2).unwrap();
    check(&mut last);
}

fn written<B, F>(
    make: Make<B>,
    field: impl Fn(u8) -> F + Copy + 'static,
    deltas: bool,
) -> Job<B, One<B>>
where
    B: Backend + 'static,
    F: Key + Debug,
{
    let mut job = Job::begin(make, &|store| maps(store, field), 2);
    (0..KEYS).for_each(|key| job.owner(at(key).group()).task.fill(key));
    job.checkpoint().unwrap();
    if deltas {
        (0..KEYS).for_each(|key| job.owner(at(key).group()).task.change(key));
        job.checkpoint().unwrap();
    }
    job
}

/// Returns why a field of the old type is never read as one of the new.
fn never<B: Backend + 'static, O: Key + Debug, N: Key>(
    job: &Job<B, One<B>>,
    field: fn(u8) -> O,
) -> String {
    let own = Descriptor::<u64, (N, u64)>::new("map").describe_map().unwrap();
    let open = |store: &mut B| {
        let says = Some(own.clone());
        maps(store, field).map(|erased| Erased { says, ..erased })
    };
    let Refused { failure, rows } = *refused(job.restore(&open, 2));
    let LoadFailure::OtherType { state, mismatch, .. } = failure else { panic!("{failure}") };
    assert_eq!((&*state, mismatch.piece, rows), ("map", "field", 0));
    mismatch.incompatible.to_string()
}

/// A task with a map, and some fields in it under each key.
trait Fields: Task {
    fn fill(&mut self, key: u64);

    /// Removes a field, so that a delta has to.
    fn change(&mut self, key: u64);

    fn check(&mut self, key: u64, changed: bool);
}

/// A task with a map, whatever the type of its fields.
type One<B> = Erased<dyn Fields<Error = <B as Backend>::Error>>;

struct Maps<S, F> {
    state: S,
    /// The field of a number.
    field: Box<dyn Fn(u8) -> F>,
}

/// Opens a map whose fields have numbers.
fn maps<B, F>(store: &mut B, field: impl Fn(u8) -> F + 'static) -> Result<One<B>, B::Error>
where
    B: Backend + 'static,
    F: Key + Debug,
{
    let state = store.map::<u64, F, u64>(Descriptor::new("map"))?;
    let task: Box<dyn Fields<Error = B::Error>> = Box::new(Maps { state, field: Box::new(field) });
    Ok(task.into())
}

impl<S: State, F> Task for Maps<S, F> {
    type Error = S::Error;

    fn states(&mut self) -> Vec<&mut dyn AnyState<Error = S::Error>> {
        vec![&mut self.state]
    }
}

impl<S: Map<u64, F, u64>, F: Key + Debug> Fields for Maps<S, F> {
    fn fill(&mut self, key: u64) {
        for number in 0..FIELDS {
            self.state.put(at(key), (self.field)(number).view(), number.into()).unwrap();
        }
    }

    fn change(&mut self, key: u64) {
        assert!(self.state.remove(at(key), (self.field)(1).view()).unwrap());
    }

    fn check(&mut self, key: u64, changed: bool) {
        for number in 0..FIELDS {
            let field = (self.field)(number);
            let value = self.state.get(at(key), field.view()).unwrap().map(|value| *value);
            let expected = (!changed || number != 1).then_some(u64::from(number));
            assert_eq!(value, expected, "{field:?}");
        }
        assert_eq!(self.state.len(at(key)).unwrap(), u64::from(FIELDS) - u64::from(changed));
    }
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
