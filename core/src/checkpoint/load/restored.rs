//! How a checkpoint is read, and what comes of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::FileDamage;

/// What is done about damage in a checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RestorePolicy {
    /// The job fails.
    Fail,
    /// The newest intact checkpoint before it is restored; somebody is told.
    PreviousCheckpoint,
    /// What is intact is restored, and damaged key groups are left out; somebody is told of each.
    /// Their keys begin anew: for jobs that would rather lose a part than stand still.
    SkipGroup,
}

/// How a checkpoint is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// What is done about damage.
    pub policy: RestorePolicy,
    /// Whether every file is read whole before anything else happens, also by stores that could
    /// take files as they lie: after a start that has come to nothing, maybe for damage that was
    /// found only in use.
    pub whole: bool,
}

/// Reads no more at once than the store needs.
impl From<RestorePolicy> for Reading {
    fn from(policy: RestorePolicy) -> Self {
        Self { policy, whole: false }
    }
}

/// What was loaded into states.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Restored {
    /// How many keys the states hold.
    pub rows: u64,
    /// What was left out, by [`RestorePolicy::SkipGroup`].
    pub skipped: Vec<SkippedGroup>,
    /// The next checkpoint must be full: groups were left out, or keys assigned to groups anew.
    pub full: bool,
}

impl Restored {
    /// Adds what another task of the operator loaded.
    pub fn add(&mut self, other: Self) {
        let Self { rows, skipped, full } = other;
        self.rows += rows;
        self.full |= full;
        for group in skipped {
            // Tasks that assign keys anew read the same groups.
            if !self.skipped.contains(&group) {
                self.skipped.push(group);
            }
        }
    }
}

/// A key group of a state, or what a task had of it, that is damaged in the checkpoint and empty in
/// the job.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SkippedGroup {
    /// The operator.
    pub operator: String,
    /// The state.
    pub state: String,
    /// The key group; of operator state the task.
    pub group: u16,
    /// Whether the state belongs to keys.
    pub is_keyed: bool,
    /// What is damaged.
    pub damage: FileDamage,
}

impl fmt::Display for SkippedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, state, group, is_keyed, damage } = self;
        let whose = if *is_keyed { "key group" } else { "what was of task" };
        write!(f, "state {state} of operator {operator} lost {whose} {group}: {damage}")
    }
}
