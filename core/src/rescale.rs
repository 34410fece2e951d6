//! What a task reads when a job is restored, at whatever parallelism: pure arithmetic.
//!
//! A job has a fixed number of key groups, and each task owns a contiguous share of them
//! ([`KeyGroups::share`]). A chain of parts belongs to one group, so a task of any parallelism
//! reads the chains of its own groups and no byte of others.

use core::error::Error;
use core::fmt;

use crate::key::{self, HASH_FUNCTION, KeyGroups};
use crate::manifest::{Chain, Manifest, SourceEntry, StateEntry};
use crate::planted::planted;
use crate::schema::{Kind as SchemaKind, Schema};
use crate::state::Kind;

/// Returns the chains that a task reads of a state, ascending by group.
///
/// Of keyed state those of the `groups` it owns; a task that may have to assign keys to groups anew
/// reads [`KeyGroups::all`] and keeps its own. Of operator state, where `groups` is the share of a
/// task among those of today and `tasks` wrote the checkpoint: the list of each task where items
/// may move; of a broadcast map the copy of one of them, counted around.
pub fn chains(state: &StateEntry, groups: KeyGroups, tasks: u16) -> &[Chain] {
    let (index, today) = (groups.first(), groups.total());
    match Kind::from_code(state.schema.kind) {
        Some(Kind::Union) => &state.chains,
        Some(Kind::Split) if today != tasks => &state.chains,
        Some(Kind::Broadcast | Kind::Split) => {
            let copy = index % tasks.max(1);
            let from = state.chains.partition_point(|chain| chain.group < copy);
            let to = state.chains.partition_point(|chain| chain.group <= copy);
            state.chains.get(from..to).unwrap_or_default()
        }
        _ => owned(state, groups),
    }
}

fn owned(state: &StateEntry, groups: KeyGroups) -> &[Chain] {
    let end = groups.end() - u16::from(planted(20) && groups.count() > 1);
    let from = state.chains.partition_point(|chain| chain.group < groups.first());
    let to = state.chains.partition_point(|chain| chain.group < end);
    state.chains.get(from..to).unwrap_or_default()
}

/// The keys of a state, as they were stored and as they are.
#[derive(Clone, Copy, Debug)]
pub struct KeyChange<'s> {
    /// The schema that they were written with.
    pub stored: Schema<'s>,
    /// That of their type today.
    pub own: Schema<'s>,
}

/// Checks, where keys are assigned to groups anew, that states whose keys were assigned alike still
/// are: a record goes to one task, which must have the rows of its key in all of them.
///
/// Returns the places of two that are not.
pub fn keys_agree(states: &[KeyChange<'_>]) -> Result<(), [usize; 2]> {
    let alike = |one, other| !key::may_move(routed(one), routed(other));
    for (place, state) in states.iter().enumerate() {
        // The first that had such keys stands for all of them.
        let first = states.iter().position(|first| alike(first.stored, state.stored));
        let other = first.filter(|first| *first < place);
        if let Some(other) = other
            && states.get(other).is_some_and(|first| !alike(first.own, state.own))
        {
            return Err([other, place]);
        }
    }
    Ok(())
}

/// Returns the part of a key that decides its group: that without the window.
fn routed(schema: Schema<'_>) -> Schema<'_> {
    match schema.kind() {
        SchemaKind::Struct(mut members) if schema.name() == Some("In") => {
            match (members.next(), members.next(), members.next()) {
                (Some(key), Some(window), None) if (key.name, window.name) == ("key", "window") => {
                    key.schema
                }
                _ => schema,
            }
        }
        _ => schema,
    }
}

/// Returns where each of `inputs` inputs goes on: they are matched by their order.
pub fn positions(manifest: &Manifest, inputs: usize) -> Result<&[SourceEntry], Misfit> {
    let stored = manifest.sources.len();
    if stored == inputs { Ok(&manifest.sources) } else { Err(Misfit::Inputs { stored, inputs }) }
}

/// Checks that a job of `parallelism` tasks and `key_groups` groups, if it asks for a number, can
/// go on from the checkpoint, and that keys fall in the same groups. Returns how many there are.
pub fn groups(
    manifest: &Manifest,
    key_groups: Option<u16>,
    parallelism: u16,
) -> Result<u16, Misfit> {
    let stored = manifest.key_groups;
    match key_groups {
        _ if manifest.hash_function != HASH_FUNCTION => {
            Err(Misfit::HashFunction { stored: manifest.hash_function })
        }
        Some(asked) if asked != stored => Err(Misfit::KeyGroups { stored, asked }),
        _ if parallelism > stored => Err(Misfit::Parallelism { key_groups: stored, parallelism }),
        _ => Ok(stored),
    }
}

/// Why a job cannot go on from a checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Misfit {
    /// Its keys were assigned to groups by a function that this program does not know.
    HashFunction {
        /// In the checkpoint.
        stored: u8,
    },
    /// It has another number of inputs.
    Inputs {
        /// In the checkpoint.
        stored: usize,
        /// In the job.
        inputs: usize,
    },
    /// It has another number of key groups.
    KeyGroups {
        /// In the checkpoint.
        stored: u16,
        /// In the job.
        asked: u16,
    },
    /// It has more tasks than there are groups for.
    Parallelism {
        /// How many groups there are.
        key_groups: u16,
        /// How many tasks were asked for.
        parallelism: u16,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HashFunction { stored } => write!(
                f,
                "the checkpoint assigns keys to groups by function {stored}, which is unknown \
                 here: use the version that wrote it"
            ),
            Self::Inputs { stored, inputs } => {
                write!(f, "the checkpoint has {stored} inputs, the job {inputs}: give the same")
            }
            Self::KeyGroups { stored, asked } => {
                write!(f, "the checkpoint has {stored} key groups, not {asked}: reshard it first")
            }
            Self::Parallelism { key_groups, parallelism } => write!(
                f,
                "{parallelism} tasks cannot share {key_groups} key groups: lower the parallelism"
            ),
        }
    }
}

impl Error for Misfit {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Encoding;
    use crate::manifest::{CheckpointId, CheckpointKind, Origin, StateSchema};
    use crate::state::Moment;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn state(groups: &BTreeSet<u16>) -> StateEntry {
        let none = Vec::new;
        let encoding = Encoding::Fixed;
        let (key, window, field, value) = (none(), none(), none(), none());
        let schema = StateSchema { kind: 1, encoding, expiry: None, key, window, field, value };
        let chains = groups.iter().map(|group| Chain { group: *group, parts: Vec::new() });
        let moment = Moment { now: 0, watermark: 0 };
        StateEntry { name: "sum".into(), schema, moment, chains: chains.collect() }
    }

    proptest! {
        /// I-30: each chain has one reader, for every parallelism.
        #[test]
        fn every_chain_is_read_by_the_one_task_that_owns_its_group(
            total in 1..300u16,
            tasks in 1..40u16,
            groups in prop::collection::btree_set(0..300u16, 0..100),
        ) {
            let tasks = tasks.min(total);
            let groups = groups.into_iter().filter(|group| *group < total).collect();
            let state = state(&groups);
            let mut read = Vec::new();
            for index in 0..tasks {
                let share = KeyGroups::share(total, tasks, index);
                for chain in chains(&state, share, tasks) {
                    // Floor(g * tasks / total), computed apart from the shares.
                    prop_assert_eq!(chain.group as u32 * tasks as u32 / total as u32, index as u32);
                    read.push(chain.group);
                }
            }
            prop_assert!(read.iter().eq(groups.iter()));
            prop_assert_eq!(chains(&state, KeyGroups::all(total), tasks).len(), groups.len());
        }
    }

    #[test]
    fn a_job_goes_on_only_with_its_inputs_and_its_key_groups() {
        let source = SourceEntry { name: "a".into(), position: Vec::new() };
        let manifest = Manifest {
            job: 1,
            id: CheckpointId { checkpoint: 1, epoch: 1 },
            kind: CheckpointKind::Checkpoint,
            created_ms: 0,
            signature: Vec::new(),
            parent: None,
            origin: Origin::Fresh,
            depth: 0,
            key_groups: 4,
            hash_function: 1,
            files: Vec::new(),
            operators: Vec::new(),
            sources: Vec::from([source]),
            sinks: Vec::new(),
            counters: Vec::new(),
        };
        assert_eq!(positions(&manifest, 1).map(<[_]>::len), Ok(1));
        assert_eq!(positions(&manifest, 2), Err(Misfit::Inputs { stored: 1, inputs: 2 }));
        assert_eq!(groups(&manifest, None, 4), Ok(4));
        assert_eq!(groups(&manifest, Some(4), 1), Ok(4));
        assert_eq!(groups(&manifest, Some(5), 1), Err(Misfit::KeyGroups { stored: 4, asked: 5 }));
        let crowded = Misfit::Parallelism { key_groups: 4, parallelism: 5 };
        assert_eq!(groups(&manifest, None, 5), Err(crowded));
        let other = Manifest { hash_function: 9, ..manifest };
        assert_eq!(groups(&other, None, 1), Err(Misfit::HashFunction { stored: 9 }));
    }
}
