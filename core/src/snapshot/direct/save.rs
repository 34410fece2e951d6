use core::fmt;

use super::{Owner, WorkspaceLent};
use crate::codec::Write;
use crate::error::StateError;
use crate::page::{BlockSize, Checksum, FileHeader, Seal};
use crate::snapshot::{PartEntry, SnapshotWriter, TableHead, WriteError};
use crate::state::{Cut, State, States, Visitor};

/// Freezes all `states`, one after the other, and writes them to `out` as one snapshot file.
///
/// Its blocks have 512 bytes, whatever `header` says. Nothing may change in between, which one
/// thread sees to. `cut` has no base: every part is full. After an error the file is to be
/// abandoned; the states are as they were.
pub fn save_states<S: States, W: Write, C: Checksum>(
    states: &mut S,
    owner: &Owner<'_>,
    cut: &Cut,
    header: FileHeader,
    out: W,
    workspace: WorkspaceLent<'_>,
    checksum: C,
) -> Result<(Seal, W), SaveStatesError<W::Error, S::Error>>
where
    S::Error: StateError,
{
    let mut count = CountStates(0);
    let Ok(()) = states.each(&mut count);
    let WorkspaceLent { block, parts, .. } = workspace;
    let header = FileHeader { job: owner.job, block: BlockSize::SMALL, ..header };
    let Owner { operator, groups, .. } = *owner;
    let head = TableHead { operator, groups: groups.total(), moment: cut.moment() };
    let mut writer = SnapshotWriter::begin(header, head, count.0, out, block, checksum)
        .map_err(WriteError::Output)?;
    states.each(&mut WriteEntries { writer: &mut writer }).map_err(WriteError::Output)?;
    let cut = Cut { base: None, ..*cut };
    let mut save = SaveParts { writer: &mut writer, cut, parts, used: 0, state: 0 };
    states.each(&mut save)?;
    let SaveParts { parts, used, .. } = save;
    Ok(writer.finish(parts.get(..used).unwrap_or_default()).map_err(WriteError::Output)?)
}

/// Why states were not saved. The file is to be abandoned.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no allocator to box it with")]
pub enum SaveStatesError<O, E> {
    /// The workspace has no room for another part.
    Parts {
        /// How many it has room for.
        room: usize,
    },
    /// The file could not be written, or a state not be read.
    Write(WriteError<O, E>),
}

impl<O, E> From<WriteError<O, E>> for SaveStatesError<O, E> {
    fn from(error: WriteError<O, E>) -> Self {
        Self::Write(error)
    }
}

impl<O: fmt::Display, E: fmt::Display> fmt::Display for SaveStatesError<O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parts { room } => {
                write!(f, "more than {room} parts: give the workspace more PARTS")
            }
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl<O, E> core::error::Error for SaveStatesError<O, E>
where
    O: core::error::Error + 'static,
    E: core::error::Error + 'static,
{
}

/// Counts the states.
struct CountStates(usize);

impl<E: StateError> Visitor<E> for CountStates {
    type Stop = core::convert::Infallible;

    fn state<S: State<Error = E>>(&mut self, _: &mut S) -> Result<(), Self::Stop> {
        self.0 += 1;
        Ok(())
    }
}

/// Writes the entry of each state into the table.
struct WriteEntries<'s, 'b, W: Write, C> {
    writer: &'s mut SnapshotWriter<'b, W, C>,
}

impl<W: Write, C: Checksum, E: StateError> Visitor<E> for WriteEntries<'_, '_, W, C> {
    type Stop = W::Error;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), W::Error> {
        self.writer.entry(state.description())
    }
}

/// Freezes each state and writes its parts; only one state is frozen at a time.
struct SaveParts<'s, 'b, 'p, W: Write, C> {
    writer: &'s mut SnapshotWriter<'b, W, C>,
    cut: Cut,
    parts: &'p mut [PartEntry],
    used: usize,
    state: u16,
}

impl<W: Write, C: Checksum, E: StateError> Visitor<E> for SaveParts<'_, '_, '_, W, C> {
    type Stop = SaveStatesError<W::Error, E>;

    // The stack holds the copy of one state at a time.
    #[inline(never)]
    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop> {
        let room = self.parts.len();
        let frozen = state.freeze(&self.cut).map_err(WriteError::State)?;
        for group in state.groups().iter() {
            let part = self.writer.part(self.state, state.description(), &frozen, group, 0)?;
            if let Some(part) = part {
                let place = self.parts.get_mut(self.used);
                *place.ok_or(SaveStatesError::Parts { room })? = part;
                self.used += 1;
            }
        }
        self.state += 1;
        Ok(())
    }
}
