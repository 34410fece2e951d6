//! Opening states, and whose keys they take.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use holdwater::error::{ErrorKind, StateError};
use holdwater::key::{KeyGroup, KeyGroups};
use holdwater::schema::{Leaf, StoredSchema};
use holdwater::state::{Backend, Change, Descriptor, Form, List, LoadError, Map, Op, State, Value};
use postcard_schema_ng::Schema;
use postcard_schema_ng::schema::DataModelType;
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::checkpoints::{shown, written};
use super::read::{value, values};
use super::{All, Run, Sole};

/// 53: a name is opened once: with another kind, another type, or again, it is refused as a
/// mismatch, and the store goes on.
pub fn a_name_is_opened_once<B: Backend>(run: &Run<B>) {
    let mut store = run.store(run.groups());
    let mut first = store.value(Descriptor::<u64, i64>::new("name")).unwrap();
    let refused = [
        store.list(Descriptor::<u64, i64>::new("name")).err(),
        store.map(Descriptor::<u64, (u64, i64)>::new("name")).err(),
        store.value(Descriptor::<u64, String>::new("name")).err(),
        store.value(Descriptor::<u32, i64>::new("name")).err(),
        store.value(Descriptor::<u64, i64>::new("name")).err(),
    ];
    for error in refused {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Mismatch));
    }
    let other = store.value(Descriptor::<u64, i64>::new("name2")).unwrap();
    first.put(run.at(1), 1).unwrap();
    assert_eq!((value(&first, run.at(1)), value(&other, run.at(1))), (Some(1), None));
}

/// 53: a name that is empty or too long, a type that differs between targets, and elements that
/// take no bytes, which no budget of a restore could grant, are refused.
pub fn a_state_that_cannot_be_stored_is_refused<B: Backend>(run: &Run<B>) {
    let mut store = run.store(run.groups());
    let long = "x".repeat(1000);
    let refused = [
        store.value(Descriptor::<u64, i64>::new("")).err(),
        store.value(Descriptor::<u64, i64>::new(&long)).err(),
        store.value(Descriptor::<u64, Width>::new("width")).err(),
        store.list(Descriptor::<u64, ()>::new("units")).err(),
        store.map(Descriptor::<u64, (u64, Vec<()>)>::new("units")).err(),
    ];
    for error in refused {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Mismatch));
    }
}

/// 53: a state tells what it was opened as.
pub fn a_state_describes_itself<B: Backend>(run: &Run<B>) {
    let states = run.open(All::open);
    let names = [
        states.texts.description().name,
        states.numbers.description().name,
        states.amounts.description().name,
        states.timers.description().name,
    ];
    assert_eq!(names.map(|name| name.to_string()), ["texts", "numbers", "amounts", "timers"]);
    assert_eq!(states.texts.groups(), run.groups());
}

/// 52: a key of another task is a fault of the job: the access names group and range, and panics.
pub fn a_key_of_another_task_is_refused<B: Backend>(run: &Run<B>) {
    let groups = KeyGroups::share(run.groups().total(), 2, 0);
    let mut store = run.store(groups);
    let mut value = store.value(Descriptor::<u64, i64>::new("value")).unwrap();
    let mut list = store.list(Descriptor::<u64, i64>::new("list")).unwrap();
    let mut map = store.map(Descriptor::<u64, (u64, i64)>::new("map")).unwrap();
    let foreign = (0..).find(|key| !groups.contains(run.at::<u64>(*key).group())).unwrap();
    let at = run.at(foreign);
    let refused = [
        catch_unwind(AssertUnwindSafe(|| drop(value.put(at, 1)))),
        catch_unwind(AssertUnwindSafe(|| drop(value.get(at).map(drop)))),
        catch_unwind(AssertUnwindSafe(|| drop(list.push(at, 1)))),
        catch_unwind(AssertUnwindSafe(|| drop(map.put(at, 1, 1)))),
    ];
    for refused in refused {
        let panic = refused.unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        let named = format!("key group {} is not one of 0..8", at.group());
        assert!(message.contains(&named), "{message}");
    }
}

/// 52: a row that does not belong to its part's group, or whose group is another task's, is not
/// loaded.
pub fn a_row_of_another_group_is_not_loaded<B: Backend>(run: &Run<B>) {
    let groups = KeyGroups::share(run.groups().total(), 2, 0);
    let mut store = run.store(groups);
    let mut state = store.value(Descriptor::<u64, u64>::new("value")).unwrap();
    let own = (0..).find(|key| groups.contains(run.at::<u64>(*key).group())).unwrap();
    let foreign = (0..).find(|key| !groups.contains(run.at::<u64>(*key).group())).unwrap();
    let mut load = |key: u64, group: KeyGroup| {
        let row = [key.to_le_bytes(), 5u64.to_le_bytes()].concat();
        let form = Form::own(state.description().encoding);
        state.load(group, Change { op: Op::Put, row: &row }, &form)
    };
    let group = |key: u64| run.at::<u64>(key).group();
    load(own, group(own)).unwrap();
    let other = groups.iter().find(|other| *other != group(own)).unwrap();
    for refused in [load(own, other), load(foreign, group(foreign)), load(foreign, other)] {
        assert!(matches!(refused, Err(LoadError::Malformed(_))), "{refused:?}");
    }
}

/// 64: a type that serializes itself is stored as it does, and read back so.
pub fn a_type_that_serializes_itself_is_stored_so<B: Backend>(run: &Run<B>) {
    let mut state =
        run.open(|store| Ok(Sole(store.value(Descriptor::<u64, Masked>::new("masked"))?)));
    state.put(run.at(1), Masked(7)).unwrap();
    state.turn();
    assert_eq!(value(&state.0, run.at(1)), Some(Masked(7)));
}

/// 63, 64: keys and values whose shape is known at run time only are stored by their schema.
pub fn types_made_at_run_time_are_stored_by_their_schema<B: Backend>(run: &Run<B>) {
    let mut state = run.open(|store| {
        let text = StoredSchema::leaf(Leaf::String);
        let pair = StoredSchema::fields([("first", &text), ("second", &text)]).unwrap();
        let triple = StoredSchema::fields([("a", &text), ("b", &text), ("c", &text)]).unwrap();
        let descriptor = Descriptor::<Texts, Texts>::new("texts");
        Ok(Sole(store.value(descriptor.key_schema(pair).value_schema(triple))?))
    });
    let texts = |texts: &[&str]| Texts(texts.iter().copied().map(String::from).collect());
    let keys = [texts(&["a", ""]), texts(&["", "a"]), texts(&["aa", "b"])];
    for (number, key) in keys.iter().enumerate() {
        let number = number.to_string();
        state.put(run.at(key), texts(&[&number, "x", ""])).unwrap();
        state.turn();
    }
    state.update(run.at(&keys[1]), || texts(&[]), |value| value.0[2].push('!')).unwrap();
    state.turn();
    assert_eq!(value(&state.0, run.at(&keys[0])), Some(texts(&["0", "x", ""])));
    assert_eq!(value(&state.0, run.at(&keys[1])), Some(texts(&["1", "x", "!"])));
    assert_eq!(values(&state.0).into_keys().collect::<BTreeSet<_>>(), keys.clone().into());
    let encoded: [&[u8]; 3] = [b"\x01a\x00", b"\x00\x01a", b"\x02aa\x01b"];
    for (key, bytes) in keys.iter().zip(encoded) {
        let group = run.at::<Texts>(key).group();
        let live = shown(&mut *state, group, Some(bytes), 0);
        let frozen = state.freeze();
        let (description, rows) = frozen.states().next().unwrap();
        let found = written(description, |out| rows.get(group, bytes, out).unwrap());
        assert_eq!((found.0, live), (1, vec![found]));
    }
}

/// A struct of texts, as many as its schema says.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Texts(Vec<String>);

holdwater::key!(Texts);

impl Schema for Texts {
    const SCHEMA: &'static DataModelType = <Vec<String>>::SCHEMA;
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|text| tuple.serialize_element(text))?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

/// A number that is stored with its bits turned over.
#[derive(Clone, Debug, PartialEq)]
struct Masked(u32);

impl Schema for Masked {
    const SCHEMA: &'static DataModelType = u32::SCHEMA;
}

impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (!self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Masked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(|bits| Self(!bits))
    }
}

/// A number that is as wide as the target's addresses.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Width(u64);

impl Schema for Width {
    const SCHEMA: &'static DataModelType = &DataModelType::Usize;
}
