//! A map of an operator that is the same in each of its tasks.

use core::marker::PhantomData;
use core::ops::ControlFlow;

use super::{FrozenTask, LONE, Task, assert_lone, check_row};
use crate::key::{At, Key, KeyGroup, KeyGroups};
use crate::schema::Data;
use crate::state::{
    Backend, Change, Cut, Description, Descriptor, Division, Form, Kind, LoadError, Loan, Map,
    Moment, RowWriter, SaveError, State,
};

/// A map that is the same in each task: each is sent the same changes in the same order.
///
/// A checkpoint stores it once, however many tasks there are. Copies that differ are stored each,
/// and the checkpoint reports it: a task was not sent, or did not apply, what others did.
#[derive(Debug)]
pub struct Broadcast<M, F, V> {
    state: M,
    description: Description,
    task: Task,
    /// What is held is what this task wrote.
    is_own: bool,
    entries: PhantomData<fn() -> (F, V)>,
}

impl<M: Map<u16, F, V>, F: Key, V: Data> Broadcast<M, F, V> {
    /// Opens the map in `task`, on a store of one key group.
    ///
    /// # Panics
    ///
    /// If the store has another number of key groups.
    pub fn open<B: Backend<Map<u16, F, V> = M, Error = M::Error>>(
        lone: &mut B,
        descriptor: Descriptor<'_, u16, (F, V)>,
        task: Task,
    ) -> Result<Self, B::Error> {
        assert_lone(lone.groups());
        let state = lone.map(descriptor)?;
        let description = Description { kind: Kind::Broadcast, ..state.description().clone() };
        Ok(Self { state, description, task, is_own: true, entries: PhantomData })
    }

    /// Returns the value of `field`, if there is one.
    pub fn get(&self, field: F::View<'_>) -> Result<Option<Loan<'_, V>>, M::Error> {
        self.state.get(place(), field)
    }

    /// Stores `value` under `field`; returns whether the field is new.
    pub fn put(&mut self, field: F::View<'_>, value: V) -> Result<bool, M::Error> {
        self.state.put(place(), field, value)
    }

    /// Edits the value of `field`, starting from `init()` where there is none.
    pub fn update<R>(
        &mut self,
        field: F::View<'_>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, M::Error> {
        self.state.update(place(), field, init, edit)
    }

    /// Drops `field`; returns whether it was there.
    pub fn remove(&mut self, field: F::View<'_>) -> Result<bool, M::Error> {
        self.state.remove(place(), field)
    }

    /// Visits the fields, in no particular order.
    pub fn entries(&self, visit: impl FnMut(&F, &V) -> ControlFlow<()>) -> Result<(), M::Error> {
        self.state.entries(place(), visit)
    }

    /// Returns how many fields there are.
    pub fn len(&self) -> Result<u64, M::Error> {
        self.state.len(place())
    }

    /// Returns whether there is no field.
    pub fn is_empty(&self) -> Result<bool, M::Error> {
        self.state.is_empty(place())
    }

    /// Drops all fields.
    pub fn remove_all(&mut self) -> Result<(), M::Error> {
        self.state.remove_all(place())
    }
}

impl<M: Map<u16, F, V>, F: Key, V: Data> State for Broadcast<M, F, V> {
    type Error = M::Error;
    type Frozen = FrozenTask<M::Frozen>;

    fn description(&self) -> &Description {
        &self.description
    }

    fn groups(&self) -> KeyGroups {
        self.task.share()
    }

    fn freeze(&mut self, cut: &Cut) -> Result<Self::Frozen, M::Error> {
        Ok(FrozenTask::new(self.state.freeze(cut)?, true))
    }

    fn completed(&mut self, checkpoint: u64) {
        self.state.completed(checkpoint);
    }

    fn aborted(&mut self, checkpoint: u64) {
        self.state.aborted(checkpoint);
    }

    fn load(
        &mut self,
        _: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<M::Error>> {
        check_row(change.row, form, LONE.index())?;
        self.state.load(LONE, change, form)
    }

    fn divide(&mut self, division: &mut Division) -> Result<(), M::Error> {
        self.is_own = division.tasks == self.task.tasks;
        Ok(())
    }

    fn loaded(&mut self, checkpoint: u64) {
        if self.is_own {
            self.state.loaded(checkpoint);
        }
    }

    fn clear(&mut self) -> Result<(), M::Error> {
        self.state.clear()
    }

    fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, M::Error> {
        self.state.sweep(now, steps)
    }

    fn show(
        &self,
        _: KeyGroup,
        key: Option<&[u8]>,
        moment: Moment,
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<M::Error>> {
        self.state.show(LONE, key, moment, out)
    }

    fn bytes(&self) -> u64 {
        self.state.bytes()
    }

    fn rows(&self) -> u64 {
        self.state.rows()
    }
}

/// Returns where the map lies: under the same key in each task, so that equal copies have equal
/// digests.
fn place() -> At<'static, u16> {
    KeyGroups::all(1).locate::<u16>(LONE.index().view())
}
