//! Operator state: what belongs to an operator and to no key, such as how far its inputs were read
//! or the rules that it applies to every record.
//!
//! Each task has its own copy of each state. When the number of tasks changes, a [`Split`] list is
//! divided anew, of a [`Union`] list each task gets the items of all, and a [`Broadcast`] map is
//! the same everywhere. They are held by the stores of keyed state, in one of a single key group,
//! so freezing them copies nothing and what did not change is not written again.
//!
//! ```
//! use holdwater::operator::{Split, Task};
//! use holdwater::state::{Backend, Descriptor};
//!
//! /// `lone` holds one key group: `KeyGroups::all(1)`.
//! fn claim<B: Backend>(lone: &mut B, task: Task) -> Result<u64, B::Error> {
//!     let mut ranges = Split::open(lone, Descriptor::<u16, (u64, u64)>::new("ranges"), task)?;
//!     ranges.push((0, 1000))?;
//!     ranges.len()
//! }
//! ```
//!
//! In files the part of a task stands where that of a key group stands for keyed state, and its
//! number is the key of the rows (docs/format.md 5.6).

mod broadcast;
mod frozen;
#[cfg(feature = "alloc")]
mod in_flight;
mod list;

pub use broadcast::Broadcast;
pub use frozen::FrozenTask;
#[cfg(feature = "alloc")]
pub use in_flight::{FrozenInFlight, IN_FLIGHT, InFlightCodec, InFlightState};
pub use list::{Split, Union};

use crate::codec::Reader;
use crate::key::{KeyGroup, KeyGroups};
use crate::state::{Form, LoadError};

/// One task of an operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Task {
    index: u16,
    tasks: u16,
}

impl Task {
    /// Names task `index` of `tasks`.
    ///
    /// # Panics
    ///
    /// If there is no such task, or if there are more than a job has key groups at most.
    pub const fn new(index: u16, tasks: u16) -> Self {
        assert!(index < tasks, "a task is one of its operator's");
        // Checks the number of tasks.
        let _ = KeyGroups::all(tasks);
        Self { index, tasks }
    }

    /// Returns its number.
    pub const fn index(self) -> u16 {
        self.index
    }

    /// Returns how many there are.
    pub const fn tasks(self) -> u16 {
        self.tasks
    }

    /// Returns the one part that is its own among those of all tasks.
    const fn share(self) -> KeyGroups {
        KeyGroups::share(self.tasks, self.tasks, self.index)
    }
}

/// The group that holds everything in a store of one.
const LONE: KeyGroup = KeyGroup::new(0);

/// Checks that a store is one of a single key group.
fn assert_lone(groups: KeyGroups) {
    assert!(groups == KeyGroups::all(1), "operator state is held by a store of one key group");
}

/// Checks that a row is that of task `index`, whose number is its key.
fn check_row<E>(row: &[u8], form: &Form<'_>, index: u16) -> Result<(), LoadError<E>> {
    use crate::error::{Fault, Malformed};
    let key: u16 = form.key(&mut Reader::new(row))?;
    if key == index { Ok(()) } else { Err(Malformed::new(Fault::Identity, 0).into()) }
}
