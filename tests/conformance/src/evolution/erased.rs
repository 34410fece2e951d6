//! States of types that only those who open them know: what saves and loads them is compiled once
//! for a store, and not again for each pair of types.

use core::fmt::Debug;

use holdwater::error::StateError;
use holdwater::key::{KeyGroup, KeyGroups};
use holdwater::schema::Data;
use holdwater::state::{
    Change, Cut, Description, Form, Frozen, LoadError, Moment, RowWriter, SaveError, Shape, State,
    States, Value, Visitor,
};

use super::at;

/// A state of any kind and type: what [`State`] demands.
pub(super) trait AnyState {
    type Error: StateError;

    fn description(&self) -> &Description;
    fn groups(&self) -> KeyGroups;
    fn freeze(&mut self, cut: &Cut) -> Result<AnyFrozen<Self::Error>, Self::Error>;
    fn completed(&mut self, checkpoint: u64);
    fn aborted(&mut self, checkpoint: u64);
    fn load(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<Self::Error>>;
    fn loaded(&mut self, checkpoint: u64);
    fn clear(&mut self) -> Result<(), Self::Error>;
    fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, Self::Error>;
    fn show(
        &self,
        group: KeyGroup,
        key: Option<&[u8]>,
        moment: Moment,
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Self::Error>>;
    fn bytes(&self) -> u64;
    fn rows(&self) -> u64;
}

impl<S: State> AnyState for S {
    type Error = S::Error;

    fn description(&self) -> &Description {
        State::description(self)
    }

    fn groups(&self) -> KeyGroups {
        State::groups(self)
    }

    fn freeze(&mut self, cut: &Cut) -> Result<AnyFrozen<S::Error>, S::Error> {
        Ok(AnyFrozen(Box::new(State::freeze(self, cut)?)))
    }

    fn completed(&mut self, checkpoint: u64) {
        State::completed(self, checkpoint);
    }

    fn aborted(&mut self, checkpoint: u64) {
        State::aborted(self, checkpoint);
    }

    fn load(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<S::Error>> {
        State::load(self, group, change, form)
    }

    fn loaded(&mut self, checkpoint: u64) {
        State::loaded(self, checkpoint);
    }

    fn clear(&mut self) -> Result<(), S::Error> {
        State::clear(self)
    }

    fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, S::Error> {
        State::sweep(self, now, steps)
    }

    fn show(
        &self,
        group: KeyGroup,
        key: Option<&[u8]>,
        moment: Moment,
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<S::Error>> {
        State::show(self, group, key, moment, out)
    }

    fn bytes(&self) -> u64 {
        State::bytes(self)
    }

    fn rows(&self) -> u64 {
        State::rows(self)
    }
}

/// A state that says of itself that it is another, if so told: for restores that end before a row
/// is loaded, so that stores need not be compiled for types that they never hold.
struct Shown<'s, E> {
    state: &'s mut dyn AnyState<Error = E>,
    says: Option<&'s Description>,
}

impl<E: StateError> State for Shown<'_, E> {
    type Error = E;
    type Frozen = AnyFrozen<E>;

    fn description(&self) -> &Description {
        self.says.unwrap_or_else(|| self.state.description())
    }

    fn groups(&self) -> KeyGroups {
        self.state.groups()
    }

    fn freeze(&mut self, cut: &Cut) -> Result<AnyFrozen<E>, E> {
        self.state.freeze(cut)
    }

    fn completed(&mut self, checkpoint: u64) {
        self.state.completed(checkpoint);
    }

    fn aborted(&mut self, checkpoint: u64) {
        self.state.aborted(checkpoint);
    }

    fn load(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<E>> {
        self.state.load(group, change, form)
    }

    fn loaded(&mut self, checkpoint: u64) {
        self.state.loaded(checkpoint);
    }

    fn clear(&mut self) -> Result<(), E> {
        self.state.clear()
    }

    fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, E> {
        self.state.sweep(now, steps)
    }

    fn show(
        &self,
        group: KeyGroup,
        key: Option<&[u8]>,
        moment: Moment,
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<E>> {
        self.state.show(group, key, moment, out)
    }

    fn bytes(&self) -> u64 {
        self.state.bytes()
    }

    fn rows(&self) -> u64 {
        self.state.rows()
    }
}

/// A state as it was at one moment.
pub(super) struct AnyFrozen<E>(Box<dyn Frozen<Error = E>>);

impl<E: StateError> Frozen for AnyFrozen<E> {
    type Error = E;

    fn shape(&self, group: KeyGroup) -> Shape {
        self.0.shape(group)
    }

    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<E>> {
        self.0.save(group, out)
    }

    fn get(
        &self,
        group: KeyGroup,
        key: &[u8],
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<E>> {
        self.0.get(group, key, out)
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<E>> {
        self.0.scan(group, out)
    }
}

/// What a task has.
pub(super) trait Task {
    type Error: StateError;

    fn states(&mut self) -> Vec<&mut dyn AnyState<Error = Self::Error>>;
}

/// The states of a task.
pub(super) struct Erased<T: ?Sized> {
    pub(super) task: Box<T>,
    /// What each says of itself, if not what it is.
    pub(super) says: Option<Description>,
}

impl<T: ?Sized> From<Box<T>> for Erased<T> {
    fn from(task: Box<T>) -> Self {
        Self { task, says: None }
    }
}

impl<T: Task + ?Sized> States for Erased<T> {
    type Error = T::Error;

    fn each<V: Visitor<T::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        let says = self.says.as_ref();
        let mut states = self.task.states().into_iter();
        states.try_for_each(|state| visitor.state(&mut Shown { state, says }))
    }
}

/// A task that keeps one value under any number of keys.
pub(super) trait OneValue: Task {
    fn put(&mut self, key: u64) -> Result<(), Self::Error>;

    fn remove(&mut self, key: u64) -> Result<(), Self::Error>;

    /// Fails unless the value is found under `key`.
    fn check(&self, key: u64);
}

/// A task that keeps `value`, or none where a row is refused before.
pub(super) struct Keeps<S, V> {
    pub(super) state: S,
    pub(super) value: Option<V>,
}

impl<S: State, V> Task for Keeps<S, V> {
    type Error = S::Error;

    fn states(&mut self) -> Vec<&mut dyn AnyState<Error = S::Error>> {
        vec![&mut self.state]
    }
}

impl<S, V> OneValue for Keeps<S, V>
where
    S: Value<u64, V>,
    V: Data + PartialEq + Debug,
{
    fn put(&mut self, key: u64) -> Result<(), S::Error> {
        self.state.put(at(key), self.value.clone().unwrap())
    }

    fn remove(&mut self, key: u64) -> Result<(), S::Error> {
        self.state.remove(at(key))
    }

    fn check(&self, key: u64) {
        let found = self.state.get(at(key)).unwrap();
        assert_eq!(found.as_deref(), self.value.as_ref(), "key {key}");
    }
}
