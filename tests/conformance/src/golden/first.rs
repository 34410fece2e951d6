//! What version 0.1.0 wrote: these types and values are never changed.

use core::ops::ControlFlow;
use core::time::Duration;
use std::collections::BTreeMap;

use holdwater::checkpoint::{Config, Solo, SoloJob};
use holdwater::key::{At, In, Key, KeyGroups};
use holdwater::operator::{Broadcast, Split, Task, Union};
use holdwater::schema::{Opaque, Versioned};
use holdwater::state::{
    Backend, Descriptor, List, Map, States, TimeDomain, Timers, Value, Visitor,
};
use holdwater::ttl::{ExpiringList, ExpiringMap, ExpiringValue, Ttl};
use holdwater_memory::Memory;
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use crate::keyed::{entries, items};

/// The version that wrote it.
pub const VERSION: &str = "0.1.0";
pub(super) const OPERATOR: &str = "every";
pub(super) const GROUPS: u16 = 6;

/// A state of every kind, in every encoding, with keys of every sort.
pub(super) struct Every<B: Backend> {
    numbers: B::Value<u64, (i32, bool)>,
    notes: B::Value<Place, Note>,
    trees: B::Value<u64, Opaque<Tree>>,
    lists: B::List<In<u64, i64>, String>,
    maps: B::Map<u64, u32, Option<Vec<u8>>>,
    ordered: B::OrderedMap<String, i16, f64>,
    event: B::Timers<u64>,
    processing: B::Timers<u64>,
    fresh: ExpiringValue<B, u64, u32>,
    fresh_items: ExpiringList<B, u64, String>,
    fresh_fields: ExpiringMap<B, u64, u8, i64>,
    split: Split<B::List<u16, u32>, u32>,
    union: Union<B::List<u16, String>, String>,
    broadcast: Broadcast<B::Map<u16, String, i64>, String, i64>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
struct Place {
    name: String,
    row: u8,
}

holdwater::key!(Place);

#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
struct Note {
    sort: Sort,
    tags: BTreeMap<String, u16>,
    grid: [[i8; 2]; 2],
    big: i128,
    initial: char,
    bytes: Vec<u8>,
    nothing: (),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
enum Sort {
    Plain,
    Pair(u8, Option<f32>),
    Named { id: u64 },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Tree(u64, Vec<Self>);

impl Versioned for Tree {
    const NAME: &'static str = "Tree";
    const VERSION: u32 = 1;
}

impl<B: Backend> Every<B> {
    pub(super) fn open(
        make: fn(KeyGroups) -> B,
        groups: KeyGroups,
        task: Task,
    ) -> Result<Self, B::Error> {
        let (store, lone) = (&mut make(groups), &mut make(KeyGroups::all(1)));
        let (event, processing) = (Ttl::event(HOUR), Ttl::processing(HOUR));
        Ok(Self {
            numbers: store.value(Descriptor::new("numbers"))?,
            notes: store.value(Descriptor::new("notes"))?,
            trees: store.value(Descriptor::new("trees"))?,
            lists: store.list(Descriptor::new("lists"))?,
            maps: store.map(Descriptor::new("maps"))?,
            ordered: store.ordered_map(Descriptor::new("ordered"))?,
            event: store.timers(Descriptor::new("event"), TimeDomain::Event)?,
            processing: store.timers(Descriptor::new("processing"), TimeDomain::Processing)?,
            fresh: event.value(store, Descriptor::new("fresh"))?,
            fresh_items: processing.list(store, Descriptor::new("fresh_items"))?,
            fresh_fields: event.map(store, Descriptor::new("fresh_fields"))?,
            split: Split::open(lone, Descriptor::new("split"), task)?,
            union: Union::open(lone, Descriptor::new("union"), task)?,
            broadcast: Broadcast::open(lone, Descriptor::new("broadcast"), task)?,
        })
    }

    /// Does for a key what comes before the first checkpoint.
    fn fill(&mut self, key: u64) -> Result<(), B::Error> {
        let (at, text, window) = (located(&key), key.to_string(), In { key, window: -1000 });
        self.numbers.put(at, (key as i32 - 3, key.is_multiple_of(2)))?;
        self.notes.put(located(&place(key)), note(key))?;
        self.trees.put(at, Opaque(tree(key)))?;
        self.lists.push(located(&window), format!("item {key}"))?;
        self.lists.push(located(&window), String::new())?;
        self.maps.put(at, 1, None)?;
        self.maps.put(at, 300, Some(vec![key as u8; 3]))?;
        self.ordered.put(located(&text), -2, 0.5)?;
        self.ordered.put(located(&text), 3, f64::NEG_INFINITY)?;
        self.event.register(at, -(key as i64))?;
        self.event.register(at, i64::MAX)?;
        self.processing.register(at, 1_700_000_000_000)?;
        self.fresh.put(at, key as u32, 1000)?;
        self.fresh_items.push(at, "old".into(), 1000)?;
        self.fresh_fields.put(at, 1, -1, 1000)?;
        Ok(())
    }

    /// Does for a key what comes between the first and the second.
    fn change(&mut self, key: u64) -> Result<(), B::Error> {
        let (at, text) = (located(&key), key.to_string());
        self.numbers.remove(at)?;
        self.notes.put(located(&place(key)), note(key + 100))?;
        self.trees.put(at, Opaque(tree(key + 1)))?;
        self.lists.push(located(&In { key, window: -1000 }), "appended".into())?;
        self.lists.push(located(&In { key, window: 0 }), "another window".into())?;
        self.maps.remove(at, 1)?;
        self.maps.put(at, 2, Some(Vec::new()))?;
        self.ordered.put(located(&text), 3, 1.0)?;
        self.event.delete(at, i64::MAX)?;
        self.processing.register(at, 0)?;
        self.fresh.put(at, 7, 2000)?;
        self.fresh_items.push(at, "new".into(), 2000)?;
        self.fresh_fields.remove(at, 1, 2000)?;
        Ok(())
    }

    /// Checks what belongs to the key of a number, also in windows.
    fn check(&mut self, key: u64, changed: bool) -> Result<(), B::Error> {
        let at = located(&key);
        let number = self.numbers.get(at)?.map(|value| *value);
        assert_eq!(number, (!changed).then_some((key as i32 - 3, key.is_multiple_of(2))));
        let stored = Opaque(tree(key + u64::from(changed)));
        assert_eq!(self.trees.get(at)?.as_deref(), Some(&stored));
        let (appended, another) = if changed { (3, 1) } else { (2, 0) };
        let list = [format!("item {key}"), String::new(), "appended".into()];
        assert_eq!(items(&self.lists, located(&In { key, window: -1000 })), list[..appended]);
        let later = items(&self.lists, located(&In { key, window: 0 }));
        assert_eq!(later, ["another window"][..another]);
        let field = if changed { (2, Some(Vec::new())) } else { (1, None) };
        let map = BTreeMap::from([(300, Some(vec![key as u8; 3])), field]);
        assert_eq!(entries(&self.maps, at), map);
        // Deleting a timer tells whether it was there.
        assert!(self.event.delete(at, -(key as i64))?);
        assert_eq!(self.event.delete(at, i64::MAX)?, !changed);
        assert!(self.processing.delete(at, 1_700_000_000_000)?);
        assert_eq!(self.processing.delete(at, 0)?, changed);
        Ok(())
    }

    /// Checks what expires: what was stored at 1000 lives an hour, to the millisecond.
    fn check_expiring(&mut self, key: u64, changed: bool) -> Result<(), B::Error> {
        let (at, over) = (located(&key), HOUR.as_millis() as i64 + 1000);
        let fresh = self.fresh.get(at, over - 1)?.map(|value| *value);
        assert_eq!(fresh, Some(if changed { 7 } else { key as u32 }));
        let field = self.fresh_fields.get(at, 1, over - 1)?.map(|value| *value);
        assert_eq!(field, (!changed).then_some(-1));
        let items = if changed { 2 } else { 1 };
        assert_eq!(self.fresh_items.len(at, over - 1)?, items);
        assert_eq!(self.fresh_items.len(at, over)?, items - 1);
        assert_eq!(self.fresh.get(at, over)?.is_some(), changed);
        assert!(self.fresh_fields.get(at, 1, over)?.is_none());
        Ok(())
    }
}

impl<B: Backend> States for Every<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.numbers)?;
        visitor.state(&mut self.notes)?;
        visitor.state(&mut self.trees)?;
        visitor.state(&mut self.lists)?;
        visitor.state(&mut self.maps)?;
        visitor.state(&mut self.ordered)?;
        visitor.state(&mut self.event)?;
        visitor.state(&mut self.processing)?;
        visitor.state(&mut self.fresh)?;
        visitor.state(&mut self.fresh_items)?;
        visitor.state(&mut self.fresh_fields)?;
        visitor.state(&mut self.split)?;
        visitor.state(&mut self.union)?;
        visitor.state(&mut self.broadcast)
    }
}

/// Takes both checkpoints, and returns the directory of the job.
pub(super) fn write<B: Backend>(make: fn(KeyGroups) -> B) -> Memory {
    let storage = Memory::default();
    let mut states = Every::open(make, KeyGroups::all(GROUPS), Task::new(0, 1)).unwrap();
    let job = SoloJob {
        id: 0x601d,
        operator: OPERATOR.to_owned(),
        key_groups: GROUPS,
        config: Config { retain: 2, full_every: 10 },
    };
    let mut solo = Solo::open(storage.clone(), job, &mut states).unwrap();
    (0..KEYS).for_each(|key| states.fill(key).unwrap());
    states.split.set([1, 2, 3, 4]).unwrap();
    states.union.push("seen".into()).unwrap();
    states.broadcast.put("rule", -1).unwrap();
    solo.checkpoint(&mut states, &[1], 2000).unwrap();
    (0..CHANGED).for_each(|key| states.change(key).unwrap());
    states.split.push(5).unwrap();
    states.broadcast.put("another", 1).unwrap();
    solo.checkpoint(&mut states, &[2], 3000).unwrap();
    storage
}

/// Checks what the tasks of a job have restored of the first or the second checkpoint.
pub(super) fn check<B: Backend>(tasks: &mut [Every<B>], stage: usize) {
    let count = tasks.len() as u16;
    let owner = |group| usize::from(KeyGroups::owner(group, GROUPS, count));
    for key in 0..KEYS {
        let changed = stage == 1 && key < CHANGED;
        let task = &mut tasks[owner(located(&key).group())];
        task.check(key, changed).unwrap();
        task.check_expiring(key, changed).unwrap();
        let (place, text) = (place(key), key.to_string());
        let notes = &tasks[owner(located(&place).group())].notes;
        let noted = note(if changed { key + 100 } else { key });
        assert_eq!(notes.get(located(&place)).unwrap().as_deref(), Some(&noted));
        let ordered = &tasks[owner(located(&text).group())].ordered;
        let last = if changed { 1.0 } else { f64::NEG_INFINITY };
        let fields = BTreeMap::from([(-2, 0.5), (3, last)]);
        assert_eq!(entries(ordered, located(&text)), fields);
    }
    let mut split = Vec::new();
    for task in tasks {
        let gather = |item: &u32| {
            split.push(*item);
            ControlFlow::Continue(())
        };
        task.split.items(gather).unwrap();
        assert_eq!(task.union.len().unwrap(), 1);
        assert_eq!(task.broadcast.len().unwrap(), 1 + stage as u64);
        assert_eq!(task.broadcast.get("rule").unwrap().map(|value| *value), Some(-1));
    }
    split.sort_unstable();
    assert_eq!(split, [1, 2, 3, 4, 5][..4 + stage]);
}

fn located<K: Key>(key: &K) -> At<'_, K> {
    KeyGroups::all(GROUPS).locate(key.view())
}

fn place(key: u64) -> Place {
    Place { name: "seat".into(), row: key as u8 }
}

fn note(number: u64) -> Note {
    let sort = match number % 3 {
        0 => Sort::Plain,
        1 => Sort::Pair(1, Some(0.25)),
        _ => Sort::Named { id: number },
    };
    Note {
        sort,
        tags: BTreeMap::from([("a".into(), 300), (number.to_string(), 0)]),
        grid: [[-1, 1], [i8::MIN, i8::MAX]],
        big: -(i128::from(number) << 70),
        initial: '\u{1f30a}',
        bytes: vec![0xff; number as usize % 5],
        nothing: (),
    }
}

fn tree(number: u64) -> Tree {
    Tree(number, vec![Tree(300, Vec::new()), Tree(0, vec![Tree(1, Vec::new())])])
}

const KEYS: u64 = 10;
/// How many of them change after the first checkpoint.
const CHANGED: u64 = 4;
const HOUR: Duration = Duration::from_secs(3600);
