//! Rows under keys of any type, each told by a number.

use holdwater::key::Key;
use holdwater::state::{Backend, Descriptor, List, Map, State, TimeDomain, Timers, Value};

use super::located;
use crate::evolution::erased::{AnyState, Erased, Task};
use crate::keyed::{entries, items};

/// The states of a task, and rows in them: each under the key of a number.
pub(super) trait Rows: Task {
    fn fill(&mut self, number: u64);

    /// Changes rows, so that a delta has to.
    fn change(&mut self, number: u64);

    fn check(&mut self, number: u64, changed: bool);

    /// Returns how many values there are.
    fn values(&self) -> u64;
}

/// A task with rows, whatever the type of their keys.
pub(super) type Many<B> = Erased<dyn Rows<Error = <B as Backend>::Error>>;

/// The key of a number.
type Keyed<K> = Box<dyn Fn(u64) -> K>;

/// An operator with values alone.
struct Values<S, K> {
    state: S,
    key: Keyed<K>,
}

/// Opens values alone.
pub(super) fn values<B, K>(
    store: &mut B,
    key: impl Fn(u64) -> K + 'static,
) -> Result<Many<B>, B::Error>
where
    B: Backend + 'static,
    K: Key,
{
    let state = store.value::<K, u64>(Descriptor::new("values"))?;
    let task: Box<dyn Rows<Error = B::Error>> = Box::new(Values { state, key: Box::new(key) });
    Ok(task.into())
}

impl<S: State, K> Task for Values<S, K> {
    type Error = S::Error;

    fn states(&mut self) -> Vec<&mut dyn AnyState<Error = S::Error>> {
        vec![&mut self.state]
    }
}

impl<S: Value<K, u64>, K: Key> Rows for Values<S, K> {
    fn fill(&mut self, number: u64) {
        self.state.put(located(&(self.key)(number)), number).unwrap();
    }

    fn change(&mut self, number: u64) {
        self.state.remove(located(&(self.key)(number))).unwrap();
    }

    fn check(&mut self, number: u64, changed: bool) {
        let value = self.state.get(located(&(self.key)(number))).unwrap().map(|value| *value);
        assert_eq!(value, (!changed).then_some(number), "{number}");
    }

    fn values(&self) -> u64 {
        self.state.rows()
    }
}

/// An operator with a state of every kind.
struct All<B: Backend, K: Key> {
    values: Values<B::Value<K, u64>, K>,
    lists: B::List<K, String>,
    maps: B::Map<K, String, u64>,
    timers: B::Timers<K>,
}

/// Opens a state of every kind.
pub(super) fn all<B, K>(
    store: &mut B,
    key: impl Fn(u64) -> K + 'static,
) -> Result<Many<B>, B::Error>
where
    B: Backend + 'static,
    K: Key,
{
    let state = store.value::<K, u64>(Descriptor::new("values"))?;
    let task: Box<dyn Rows<Error = B::Error>> = Box::new(All::<B, K> {
        values: Values { state, key: Box::new(key) },
        lists: store.list(Descriptor::new("lists"))?,
        maps: store.map(Descriptor::new("maps"))?,
        timers: store.timers(Descriptor::new("timers"), TimeDomain::Event)?,
    });
    Ok(task.into())
}

impl<B: Backend, K: Key> Task for All<B, K> {
    type Error = B::Error;

    fn states(&mut self) -> Vec<&mut dyn AnyState<Error = B::Error>> {
        vec![&mut self.values.state, &mut self.lists, &mut self.maps, &mut self.timers]
    }
}

impl<B: Backend, K: Key> Rows for All<B, K> {
    fn fill(&mut self, number: u64) {
        self.values.fill(number);
        let key = (self.values.key)(number);
        let at = located(&key);
        self.lists.push(at, number.to_string()).unwrap();
        self.maps.put(at, "a", number).unwrap();
        self.maps.put(at, "b", 1).unwrap();
        self.timers.register(at, -(number as i64)).unwrap();
    }

    fn change(&mut self, number: u64) {
        self.values.change(number);
        let key = (self.values.key)(number);
        let at = located(&key);
        self.lists.push(at, "more".into()).unwrap();
        self.maps.remove(at, "b").unwrap();
        self.timers.register(at, 1000).unwrap();
    }

    fn check(&mut self, number: u64, changed: bool) {
        self.values.check(number, changed);
        let key = (self.values.key)(number);
        let at = located(&key);
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
