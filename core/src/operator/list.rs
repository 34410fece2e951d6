//! Lists of an operator: split among its tasks, or restored by each of them as a whole.

use core::marker::PhantomData;
use core::ops::ControlFlow;

use super::{FrozenTask, LONE, Task, assert_lone, check_row};
use crate::key::{At, Key, KeyGroup, KeyGroups};
use crate::schema::Data;
use crate::state::{
    Backend, Change, Cut, Description, Descriptor, Division, Form, Kind, List, LoadError, Moment,
    RowWriter, SaveError, State,
};

macro_rules! list {
    ($(#[$attribute:meta])* $name:ident, $kind:expr, $divide:ident) => {
        $(#[$attribute])*
        #[derive(Debug)]
        pub struct $name<L, V> {
            list: TaskList<L>,
            items: PhantomData<fn() -> V>,
        }

        impl<L: List<u16, V>, V: Data> $name<L, V> {
            /// Opens the list that `task` has, on a store of one key group.
            ///
            /// # Panics
            ///
            /// If the store has another number of key groups.
            pub fn open<B: Backend<List<u16, V> = L, Error = L::Error>>(
                lone: &mut B,
                descriptor: Descriptor<'_, u16, V>,
                task: Task,
            ) -> Result<Self, B::Error> {
                assert_lone(lone.groups());
                let list = TaskList::new(lone.list(descriptor)?, task, $kind);
                Ok(Self { list, items: PhantomData })
            }

            /// Appends `item`, without reading the list.
            pub fn push(&mut self, item: V) -> Result<(), L::Error> {
                self.list.state.push(place(&self.list.task.index), item)
            }

            /// Replaces the items of this task.
            pub fn set(&mut self, items: impl IntoIterator<Item = V>) -> Result<(), L::Error> {
                self.list.state.set(place(&self.list.task.index), items)
            }

            /// Visits the items of this task, oldest first.
            pub fn items(
                &self,
                visit: impl FnMut(&V) -> ControlFlow<()>,
            ) -> Result<(), L::Error> {
                self.list.state.items(place(&self.list.task.index), visit)
            }

            /// Returns how many items this task has.
            pub fn len(&self) -> Result<u64, L::Error> {
                self.list.state.len(place(&self.list.task.index))
            }

            /// Returns whether this task has no item.
            pub fn is_empty(&self) -> Result<bool, L::Error> {
                self.list.state.is_empty(place(&self.list.task.index))
            }
        }

        impl<L: List<u16, V>, V: Data> State for $name<L, V> {
            type Error = L::Error;
            type Frozen = FrozenTask<L::Frozen>;

            fn description(&self) -> &Description {
                &self.list.description
            }

            fn groups(&self) -> KeyGroups {
                self.list.task.share()
            }

            fn freeze(&mut self, cut: &Cut) -> Result<Self::Frozen, L::Error> {
                Ok(FrozenTask::new(self.list.state.freeze(cut)?, false))
            }

            fn completed(&mut self, checkpoint: u64) {
                self.list.state.completed(checkpoint);
            }

            fn aborted(&mut self, checkpoint: u64) {
                self.list.state.aborted(checkpoint);
            }

            fn load(
                &mut self,
                group: KeyGroup,
                change: Change<'_>,
                form: &Form<'_>,
            ) -> Result<(), LoadError<L::Error>> {
                check_row(change.row, form, group.index())?;
                self.list.state.load(LONE, change, form)
            }

            fn divide(&mut self, division: &mut Division) -> Result<(), L::Error> {
                self.list.$divide::<V>(division)
            }

            fn loaded(&mut self, checkpoint: u64) {
                if self.list.is_own {
                    self.list.state.loaded(checkpoint);
                }
            }

            fn clear(&mut self) -> Result<(), L::Error> {
                self.list.state.clear()
            }

            fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, L::Error> {
                self.list.state.sweep(now, steps)
            }

            fn show(
                &self,
                _: KeyGroup,
                key: Option<&[u8]>,
                moment: Moment,
                out: &mut RowWriter<'_>,
            ) -> Result<(), SaveError<L::Error>> {
                self.list.state.show(LONE, key, moment, out)
            }

            fn bytes(&self) -> u64 {
                self.list.state.bytes()
            }

            fn rows(&self) -> u64 {
                self.list.state.rows()
            }
        }
    };
}

list! {
    /// A list whose items are divided among the tasks: when their number changes, each task gets an
    /// even share of all items, in their order. None is lost and none is doubled.
    ///
    /// For work that any task can do: partitions to read, files to copy.
    Split, Kind::Split, split
}

list! {
    /// A list of which each task, when it is restored, gets the items of all tasks, in the order of
    /// the tasks.
    ///
    /// For what each task decides for itself from all that is known. It is to drop what is not its
    /// own ([`set`](Self::set)) before the next checkpoint, or the list grows with each restore.
    Union, Kind::Union, unite
}

/// A list of one task, under the number of the task.
#[derive(Debug)]
struct TaskList<L> {
    state: L,
    description: Description,
    task: Task,
    /// What is held is what this task wrote, and no other.
    is_own: bool,
}

impl<L> TaskList<L> {
    fn new(state: L, task: Task, kind: Kind) -> Self
    where
        L: State,
    {
        let description = Description { kind, ..state.description().clone() };
        Self { state, description, task, is_own: true }
    }

    /// Keeps the share of this task.
    fn split<V: Data>(&mut self, division: &mut Division) -> Result<(), L::Error>
    where
        L: List<u16, V>,
    {
        self.is_own = division.tasks == self.task.tasks;
        if self.is_own {
            return Ok(());
        }
        let mut all = 0;
        for task in 0..division.tasks {
            all += self.state.len(place(&task))?;
        }
        let (first, end) = division.share(all, self.task.index, self.task.tasks);
        self.keep(division.tasks, first, end)
    }

    /// Keeps the items of all tasks.
    fn unite<V: Data>(&mut self, division: &mut Division) -> Result<(), L::Error>
    where
        L: List<u16, V>,
    {
        self.is_own = false;
        self.keep(division.tasks, 0, u64::MAX)
    }

    /// Keeps the items with ranks in `first..end`, counted over the lists of all `tasks` in turn.
    fn keep<V: Data>(&mut self, tasks: u16, first: u64, end: u64) -> Result<(), L::Error>
    where
        L: List<u16, V>,
    {
        let (mut kept, mut rank) = (alloc::vec::Vec::new(), 0u64);
        for task in 0..tasks {
            self.state.items(place(&task), |item| {
                if (first..end).contains(&rank) {
                    kept.push(item.clone());
                }
                rank += 1;
                ControlFlow::Continue(())
            })?;
        }
        self.state.clear()?;
        self.state.set(place(&self.task.index), kept)
    }
}

/// Returns where the list of a task lies.
fn place(task: &u16) -> At<'_, u16> {
    KeyGroups::all(1).locate::<u16>(task.view())
}
