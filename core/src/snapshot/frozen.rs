//! All states of an operator as they were at one moment, free to be saved by another thread.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::{PartEntry, SnapshotWriter, WriteError};
use crate::codec::Write;
use crate::error::StateError;
use crate::key::KeyGroups;
use crate::page::{Checksum, FileHeader, Seal};
use crate::state::{Cut, Description, Frozen, Shape, State, States, Visitor};

/// Freezes every state of an operator: the synchronous part of a checkpoint.
pub fn freeze<S: States>(
    states: &mut S,
    groups: KeyGroups,
    cut: Cut,
) -> Result<FrozenStates<S::Error>, S::Error> {
    let mut frozen = FrozenStates { groups, cut, states: Vec::new() };
    states.each(&mut frozen)?;
    Ok(frozen)
}

/// The states of one operator, frozen.
pub struct FrozenStates<E> {
    groups: KeyGroups,
    cut: Cut,
    states: Vec<(Description, Box<dyn Frozen<Error = E>>)>,
}

/// A snapshot file that was written.
#[derive(Debug)]
pub struct Saved<W> {
    /// Its length and hash.
    pub seal: Seal,
    /// What it holds.
    pub states: Vec<StateReport>,
    /// What it was written to.
    pub out: W,
}

/// What a snapshot holds of one state.
#[derive(Clone, Debug)]
pub struct StateReport {
    /// Name, kind and types.
    pub description: Description,
    /// The owned groups in order, and what was written of each.
    pub groups: Vec<(u16, GroupReport)>,
}

/// What a snapshot holds of one group of a state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GroupReport {
    /// The group has no row.
    Empty,
    /// The group is as the base has it.
    Unchanged,
    /// The group was written.
    Part(PartEntry),
}

impl<E: StateError> FrozenStates<E> {
    /// Returns the moment of the freeze.
    pub const fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Returns the groups whose rows are held.
    pub const fn groups(&self) -> KeyGroups {
        self.groups
    }

    /// Returns the states with their descriptions.
    pub fn states(&self) -> impl Iterator<Item = (&Description, &dyn Frozen<Error = E>)> {
        self.states.iter().map(|(description, frozen)| (description, &**frozen))
    }

    /// Returns whether any group has something to write. If not, no file is needed.
    pub fn has_parts(&self) -> bool {
        self.states.iter().any(|(_, frozen)| {
            self.groups
                .iter()
                .any(|group| matches!(frozen.shape(group), Shape::Full | Shape::Delta))
        })
    }

    /// Returns the report of a checkpoint that needs no file.
    ///
    /// # Panics
    ///
    /// If a group has something to write.
    pub fn report_without_parts(&self) -> Vec<StateReport> {
        assert!(!self.has_parts(), "what changed is written");
        self.states
            .iter()
            .map(|(description, frozen)| {
                let groups = self.groups.iter();
                let groups = groups.map(|group| (group.index(), report(frozen.shape(group), None)));
                StateReport { description: description.clone(), groups: groups.collect() }
            })
            .collect()
    }

    /// Writes a snapshot file: state by state, group by group, in one pass.
    ///
    /// `buffer` holds one block. After an error the file is to be abandoned.
    pub fn save<W: Write, C: Checksum>(
        &self,
        header: FileHeader,
        operator: &str,
        out: W,
        buffer: &mut [u8],
        checksum: C,
    ) -> Result<Saved<W>, WriteError<W::Error, E>> {
        let descriptions: Vec<&Description> = self.states.iter().map(|state| &state.0).collect();
        let total = self.groups.total();
        let table = descriptions.into_iter();
        let mut writer = SnapshotWriter::new(header, operator, total, table, out, buffer, checksum)
            .map_err(WriteError::Output)?;
        let (mut parts, mut states) = (Vec::new(), Vec::new());
        let base = self.cut.base.unwrap_or(0);
        for (number, (description, frozen)) in self.states.iter().enumerate() {
            let mut groups = Vec::with_capacity(self.groups.count());
            for group in self.groups.iter() {
                let part = writer.part(number as u16, description, &**frozen, group, base)?;
                parts.extend(part);
                groups.push((group.index(), report(frozen.shape(group), part)));
            }
            states.push(StateReport { description: description.clone(), groups });
        }
        let (seal, out) = writer.finish(&parts).map_err(WriteError::Output)?;
        Ok(Saved { seal, states, out })
    }
}

impl<E: StateError> Visitor<E> for FrozenStates<E> {
    type Stop = E;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), E> {
        let frozen = state.freeze(&self.cut)?;
        self.states.push((state.description().clone(), Box::new(frozen)));
        Ok(())
    }
}

impl<E> fmt::Debug for FrozenStates<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenStates").field("cut", &self.cut).finish_non_exhaustive()
    }
}

fn report(shape: Shape, part: Option<PartEntry>) -> GroupReport {
    match (shape, part) {
        (_, Some(part)) => GroupReport::Part(part),
        (Shape::Unchanged, None) => GroupReport::Unchanged,
        (_, None) => GroupReport::Empty,
    }
}
