//! What a task reports of its part of a checkpoint.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::barrier::Barrier;
use crate::error::StateError;
use crate::manifest::{
    FileEntry, NativePart, Part, PartShape, SinkEntry, SourceEntry, StateSchema,
};
use crate::snapshot::{self, FrozenStates};
use crate::state::{Moment, Shape};

/// Names a task of the job.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct TaskId {
    /// The place of its operator in the job.
    pub operator: u16,
    /// Its place among the tasks of the operator.
    pub index: u16,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of operator {}", self.index, self.operator)
    }
}

/// What a task adds to a checkpoint. It is sent once every file in it is durable, never before.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Report {
    /// The files it wrote.
    pub files: Vec<FileEntry>,
    /// All states of its operator.
    pub states: Vec<StateChange>,
    /// The files of a store that hold rows of them: those it wrote, and those of the base.
    pub natives: Vec<NativePart>,
    /// The inputs it reads.
    pub sources: Vec<SourceEntry>,
    /// The outputs it writes.
    pub sinks: Vec<SinkEntry>,
    /// What it counted; equal names are summed over all tasks.
    pub counters: Vec<(String, u64)>,
}

/// What became of a state in the groups of one task.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StateChange {
    /// The name of the state.
    pub name: String,
    /// What it holds.
    pub schema: StateSchema,
    /// When the task froze it.
    pub moment: Moment,
    /// Every group of the task, once each.
    pub groups: Vec<(u16, GroupChange)>,
}

/// What became of one group of a state.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum GroupChange {
    /// It has no row.
    Empty,
    /// A native part has it.
    Native,
    /// It was written: all of it, or what changed since the base of the barrier.
    Part(Part),
    /// It is as the base has it.
    Unchanged,
}

impl Report {
    /// Adds what was saved for `barrier`, and the file it was saved to.
    pub fn add_states(
        &mut self,
        barrier: &Barrier,
        file: Option<FileEntry>,
        states: &[snapshot::StateReport],
    ) {
        self.files.extend(file);
        self.states.extend(states.iter().map(|state| {
            StateChange {
                name: state.description.name.to_string(),
                schema: StateSchema::from(&state.description),
                moment: state.moment,
                groups: state
                    .groups
                    .iter()
                    .map(|(group, report)| (*group, change(barrier, file, report)))
                    .collect(),
            }
        }));
    }
}

impl Report {
    /// Adds the states whose rows are in native parts.
    pub(super) fn add_native_states<E: StateError>(&mut self, frozen: &FrozenStates<E>) {
        let groups = frozen.groups();
        self.states.extend(frozen.natives().map(|(description, _)| StateChange {
            name: description.name.to_string(),
            schema: StateSchema::from(description),
            moment: frozen.cut().moment(),
            groups: groups.iter().map(|group| (group.index(), GroupChange::Native)).collect(),
        }));
    }
}

fn change(
    barrier: &Barrier,
    file: Option<FileEntry>,
    report: &snapshot::GroupReport,
) -> GroupChange {
    let snapshot::GroupReport::Part(part) = report else {
        return match report {
            snapshot::GroupReport::Unchanged => GroupChange::Unchanged,
            _ => GroupChange::Empty,
        };
    };
    let Some(file) = file else { panic!("a part lies in a file") };
    let shape = match (part.shape, barrier.base) {
        (Shape::Delta, Some(base)) => PartShape::Delta { base },
        (Shape::Delta, None) => panic!("a delta was saved though the barrier names no base"),
        _ => PartShape::Full { digest: part.digest },
    };
    GroupChange::Part(Part {
        file: file.id,
        offset: part.offset,
        length: part.length,
        state: part.state,
        shape,
        rows: part.rows,
        written: barrier.id,
    })
}
