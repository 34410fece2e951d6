//! Writes a snapshot file part by part, as a stream and without an allocator.

use core::fmt;

#[cfg(feature = "alloc")]
use super::inspect::{Inspector, Mismatch};
use super::{PartEntry, TableHead, shape_code, table};
use crate::codec::{EncodeError, Write};
use crate::error::StateError;
use crate::key::KeyGroup;
use crate::page::{Checksum, FileHeader, FileKind, PageWriter, Seal, SectionKind};
#[cfg(feature = "alloc")]
use crate::state::Locator;
use crate::state::{
    Description, Frozen, Moment, Name, Output, OutputFailed, RowWriter, SaveError, Shape,
};

const ROW_BUFFER_LEN: usize = 1024;

/// Writes one snapshot file.
#[derive(Debug)]
pub struct SnapshotWriter<'b, W: Write, C> {
    pages: PageWriter<'b, W, C>,
    header: FileHeader,
    moment: Moment,
    /// The state whose rows were inspected last, by number.
    #[cfg(feature = "alloc")]
    inspector: Option<(u16, Inspector)>,
}

impl<'b, W: Write, C: Checksum> SnapshotWriter<'b, W, C> {
    /// Writes the header and the table of `states` to `out`. `buffer` holds one block.
    ///
    /// # Panics
    ///
    /// If the header is not that of a snapshot, or the buffer not as long as its blocks.
    pub fn new<'d>(
        header: FileHeader,
        head: TableHead<'_>,
        states: impl ExactSizeIterator<Item = &'d Description>,
        out: W,
        buffer: &'b mut [u8],
        checksum: C,
    ) -> Result<Self, W::Error> {
        let count = states.len();
        let mut writer = Self::begin(header, head, count, out, buffer, checksum)?;
        states.into_iter().try_for_each(|state| writer.entry(state))?;
        Ok(writer)
    }

    /// Writes the header, and the head of the table of `states` states; their entries follow.
    pub(super) fn begin(
        header: FileHeader,
        head: TableHead<'_>,
        states: usize,
        out: W,
        buffer: &'b mut [u8],
        checksum: C,
    ) -> Result<Self, W::Error> {
        assert_eq!(header.kind, FileKind::Snapshot, "a snapshot has a snapshot's header");
        let mut pages = PageWriter::new(&header, out, buffer, checksum)?;
        pages.begin(SectionKind::Table)?;
        table::write_head(head, states, &mut pages)?;
        Ok(Self {
            pages,
            header,
            moment: head.moment,
            #[cfg(feature = "alloc")]
            inspector: None,
        })
    }

    /// Writes the entry of the next state into the table.
    pub(super) fn entry(&mut self, state: &Description) -> Result<(), W::Error> {
        table::write_entry(state, self.moment, &mut self.pages)
    }

    /// Writes what `frozen` has to write of `group`, for the state of number `state` in the table.
    ///
    /// Returns no entry where its shape is empty or unchanged.
    pub fn part<E: StateError>(
        &mut self,
        state: u16,
        description: &Description,
        frozen: &dyn Frozen<Error = E>,
        group: KeyGroup,
        base: u64,
    ) -> Result<Option<PartEntry>, WriteError<W::Error, E>> {
        let shape = frozen.shape(group);
        let base = match shape {
            Shape::Empty | Shape::Unchanged => return Ok(None),
            Shape::Full => 0,
            Shape::Delta => base,
        };
        let offset = self.pages.begin(SectionKind::Part).map_err(WriteError::Output)?;
        let head = [
            &state.to_le_bytes()[..],
            &group.index().to_le_bytes(),
            &[shape_code(shape), 0, 0, 0],
            &self.header.epoch.to_le_bytes(),
            &self.header.checkpoint.to_le_bytes(),
            &base.to_le_bytes(),
        ];
        for field in head {
            self.pages.write(field).map_err(WriteError::Output)?;
        }
        let mut out = PartOutput {
            pages: &mut self.pages,
            failed: None,
            #[cfg(feature = "alloc")]
            inspector: inspector_of(&mut self.inspector, state, description),
        };
        let written = save(description, frozen, group, shape == Shape::Full, &mut out);
        let failed = out.failed;
        let (rows, digest, locator) =
            written.map_err(|error| WriteError::of(description, error, failed))?;
        // What a delta puts says nothing of what the group holds.
        let digest = if shape == Shape::Full { digest } else { 0 };
        self.pages.write(&rows.to_le_bytes()).map_err(WriteError::Output)?;
        self.pages.write(&digest.to_le_bytes()).map_err(WriteError::Output)?;
        let length = self.pages.end().map_err(WriteError::Output)? - offset;
        #[cfg(not(feature = "alloc"))]
        let () = locator;
        #[cfg(feature = "alloc")]
        if let Some(locator) = locator {
            self.pages.begin(SectionKind::Locator).map_err(WriteError::Output)?;
            let first = super::PART_HEAD_LEN as u64;
            locator.write(first, &mut self.pages).map_err(WriteError::Output)?;
            self.pages.end().map_err(WriteError::Output)?;
        }
        let group = group.index();
        Ok(Some(PartEntry { state, group, shape, base, offset, length, rows, digest }))
    }

    /// Writes the index and seals the file; returns its seal and the output.
    pub fn finish(mut self, parts: &[PartEntry]) -> Result<(Seal, W), W::Error> {
        let index = self.pages.begin(SectionKind::Index)?;
        self.pages.write(&(parts.len() as u32).to_le_bytes())?;
        for part in parts {
            self.pages.write(&part.encode())?;
        }
        self.pages.finish(index)
    }
}

/// Why a part could not be written. The file is to be abandoned.
#[derive(Debug)]
pub enum WriteError<O, E> {
    /// The output failed.
    Output(O),
    /// The state could not be read.
    State(E),
    /// A type does not write what its schema says.
    #[cfg(feature = "alloc")]
    Schema(Name, Mismatch),
    /// A type of the state cannot be encoded.
    Type(Name, EncodeError<OutputFailed>),
}

/// Why rows were not taken.
enum Failed<O> {
    Output(O),
    #[cfg(feature = "alloc")]
    Schema(Mismatch),
}

impl<O, E> WriteError<O, E> {
    fn of(description: &Description, error: SaveError<E>, failed: Option<Failed<O>>) -> Self {
        match (error, failed) {
            (SaveError::State(error), _) => Self::State(error),
            (SaveError::Row(_), Some(Failed::Output(failed))) => Self::Output(failed),
            #[cfg(feature = "alloc")]
            (SaveError::Row(_), Some(Failed::Schema(mismatch))) => {
                Self::Schema(description.name, mismatch)
            }
            (SaveError::Row(error), None) => Self::Type(description.name, error),
        }
    }
}

impl<O: fmt::Display, E: fmt::Display> fmt::Display for WriteError<O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(error) => error.fmt(f),
            Self::State(error) => error.fmt(f),
            #[cfg(feature = "alloc")]
            Self::Schema(name, mismatch) => write!(f, "state {name}: {mismatch}"),
            Self::Type(name, error) => write!(f, "state {name}: {error}"),
        }
    }
}

impl<O, E> core::error::Error for WriteError<O, E>
where
    O: core::error::Error + 'static,
    E: core::error::Error + 'static,
{
}

/// Where the rows of a part lie, if that is to be written.
#[cfg(feature = "alloc")]
type Located = Option<Locator>;
#[cfg(not(feature = "alloc"))]
type Located = ();

fn save<E: StateError>(
    description: &Description,
    frozen: &dyn Frozen<Error = E>,
    group: KeyGroup,
    is_full: bool,
    out: &mut dyn Output,
) -> Result<(u64, u128, Located), SaveError<E>> {
    let mut buffer = [0; ROW_BUFFER_LEN];
    let mut rows = RowWriter::new(description, out, &mut buffer);
    #[cfg(not(feature = "alloc"))]
    let _ = is_full;
    #[cfg(feature = "alloc")]
    if let Some(seed) = frozen.locator_seed().filter(|_| is_full) {
        rows.locate(Locator::new(seed));
    }
    frozen.save(group, &mut rows)?;
    #[cfg(feature = "alloc")]
    let located = rows.take_locator();
    #[cfg(not(feature = "alloc"))]
    let located = ();
    let (rows, digest) = rows.finish()?;
    Ok((rows, digest, located))
}

/// Hands rows to the pages, and keeps their error: rows cannot carry one of any type.
struct PartOutput<'p, 'b, W: Write, C> {
    pages: &'p mut PageWriter<'b, W, C>,
    failed: Option<Failed<W::Error>>,
    #[cfg(feature = "alloc")]
    inspector: Option<&'p mut Inspector>,
}

impl<W: Write, C: Checksum> Output for PartOutput<'_, '_, W, C> {
    fn append(&mut self, bytes: &[u8]) -> Result<(), OutputFailed> {
        #[cfg(feature = "alloc")]
        if let Some(inspector) = &mut self.inspector {
            inspector.inspect(bytes).map_err(|mismatch| {
                self.failed = Some(Failed::Schema(mismatch));
                OutputFailed
            })?;
        }
        self.pages.write(bytes).map_err(|error| {
            self.failed = Some(Failed::Output(error));
            OutputFailed
        })
    }
}

/// Returns the inspector of a state, whose parts follow one another.
#[cfg(feature = "alloc")]
fn inspector_of<'i>(
    last: &'i mut Option<(u16, Inspector)>,
    state: u16,
    description: &Description,
) -> Option<&'i mut Inspector> {
    if last.as_ref().is_none_or(|(number, _)| *number != state) {
        // A schema that is beyond the limits is refused where it is read.
        *last = Inspector::new(description).ok().map(|inspector| (state, inspector));
    }
    last.as_mut().map(|(_, inspector)| inspector)
}
