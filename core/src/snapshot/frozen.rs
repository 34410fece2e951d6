//! All states of an operator as they were at one moment, free to be saved by another thread.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::{PartEntry, SnapshotWriter, TableHead, WriteError};
use crate::codec::Write;
use crate::error::StateError;
use crate::key::{KeyGroup, KeyGroups};
use crate::page::{Checksum, FileHeader, Seal};
use crate::state::{
    Cut, Description, Frozen, Kind, Moment, NativeFrozen, Shape, State, States, Visitor,
};

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

/// Which of the states of an operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Portion {
    /// All of them.
    All,
    /// Those of which other tasks have equal copies, for a file that is dropped if one does.
    Copies,
    /// All but those.
    Own,
    /// Of those, the ones that no files of a store hold.
    Rest,
}

/// The states of one operator, frozen.
pub struct FrozenStates<E> {
    groups: KeyGroups,
    cut: Cut,
    states: Vec<FrozenState<E>>,
}

struct FrozenState<E> {
    description: Description,
    /// The groups that it has parts of, or the one of the task.
    groups: KeyGroups,
    frozen: Box<dyn Frozen<Error = E>>,
}

impl<E: StateError> FrozenState<E> {
    fn is_in(&self, portion: Portion) -> bool {
        let is_copy = self.description.kind == Kind::Broadcast && self.groups.total() > 1;
        match portion {
            Portion::All => true,
            Portion::Copies => is_copy,
            Portion::Own => !is_copy,
            Portion::Rest => !is_copy && self.native().is_none(),
        }
    }

    /// Returns the files that hold its rows: those of keys alone, whose groups tell where they are.
    fn native(&self) -> Option<NativeFrozen<'_>> {
        self.frozen.native().filter(|_| self.description.kind.is_keyed())
    }
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
    /// When it was frozen.
    pub moment: Moment,
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
    /// Adds states that were frozen for the same checkpoint, as what was in flight is.
    ///
    /// # Panics
    ///
    /// If they were frozen for another.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        assert_eq!(self.cut.checkpoint, other.cut.checkpoint, "both are of one checkpoint");
        self.states.extend(other.states);
        self
    }

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
        self.states.iter().map(|state| (&state.description, &*state.frozen))
    }

    /// Checks all that a checkpoint of these states stands on and that was not checked yet: files
    /// that a store reads where they lie.
    pub fn verify(&self) -> Result<(), E> {
        self.states.iter().try_for_each(|state| state.frozen.verify())
    }

    /// Returns the states whose rows a store holds in files that are to be saved as they are.
    pub fn natives(&self) -> impl Iterator<Item = (&Description, NativeFrozen<'_>)> {
        self.states.iter().filter_map(|state| Some((&state.description, state.native()?)))
    }

    /// Returns whether any group has something to write. If not, no file is needed.
    pub fn has_parts(&self, portion: Portion) -> bool {
        self.portion(portion).any(|(_, FrozenState { groups, frozen, .. })| {
            groups.iter().any(|group| matches!(frozen.shape(group), Shape::Full | Shape::Delta))
        })
    }

    /// Returns the report of a checkpoint that needs no file.
    ///
    /// # Panics
    ///
    /// If a group has something to write.
    pub fn report_without_parts(&self, portion: Portion) -> Vec<StateReport> {
        assert!(!self.has_parts(portion), "what changed is written");
        self.portion(portion)
            .map(|(_, FrozenState { description, groups, frozen })| {
                let groups = groups.iter();
                let groups = groups.map(|group| (group.index(), report(frozen.shape(group), None)));
                let (description, moment) = (description.clone(), self.cut.moment());
                StateReport { description, moment, groups: groups.collect() }
            })
            .collect()
    }

    /// Writes a snapshot file of a `portion`: state by state, group by group, in one pass.
    ///
    /// `buffer` holds one block. After an error the file is to be abandoned.
    pub fn save<W: Write, C: Checksum>(
        &self,
        portion: Portion,
        header: FileHeader,
        operator: &str,
        out: W,
        buffer: &mut [u8],
        checksum: C,
    ) -> Result<Saved<W>, WriteError<W::Error, E>> {
        let (groups, moment) = (self.groups.total(), self.cut.moment());
        let head = TableHead { operator, groups, moment };
        let table = self.states.iter().map(|state| &state.description);
        let mut writer = SnapshotWriter::new(header, head, table, out, buffer, checksum)
            .map_err(WriteError::Output)?;
        let (mut parts, mut states) = (Vec::new(), Vec::new());
        let base = self.cut.base.unwrap_or(0);
        for (number, FrozenState { description, groups: owned, frozen }) in self.portion(portion) {
            let mut groups = Vec::with_capacity(owned.count());
            for group in owned.iter() {
                // Equal copies are equal to the byte.
                let place =
                    if description.kind == Kind::Broadcast { KeyGroup::new(0) } else { group };
                let part = writer.part(number, description, &**frozen, place, base)?;
                parts.extend(part);
                groups.push((group.index(), report(frozen.shape(group), part)));
            }
            let (description, moment) = (description.clone(), self.cut.moment());
            states.push(StateReport { description, moment, groups });
        }
        let (seal, out) = writer.finish(&parts).map_err(WriteError::Output)?;
        Ok(Saved { seal, states, out })
    }

    /// Returns the states of a portion with their numbers in the table.
    fn portion(&self, portion: Portion) -> impl Iterator<Item = (u16, &FrozenState<E>)> {
        (0..).zip(&self.states).filter(move |(_, state)| state.is_in(portion))
    }
}

impl<E: StateError> Visitor<E> for FrozenStates<E> {
    type Stop = E;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), E> {
        let frozen = Box::new(state.freeze(&self.cut)?);
        let (description, groups) = (state.description().clone(), state.groups());
        self.states.push(FrozenState { description, groups, frozen });
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
