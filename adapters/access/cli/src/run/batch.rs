//! Rows on their way from an input to the subtask that owns their keys.

use holdwater::key::{At, Key, KeyGroups};
use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Number};
use crate::event_time::{Moment, Progress};
use crate::fields::{Fields, FieldsView};
use crate::record::Record;
use crate::selection::Selection;
use crate::spec::Spec;

/// Some rows of one input, in its order: their keys, and a cell for each SPEC that reads a column.
///
/// All text lies in one piece, so that a batch of any number of rows is three allocations.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct RowBatch {
    rows: Vec<Head>,
    /// How many cells each row has.
    width: usize,
    cells: Vec<Slot>,
    text: Vec<u8>,
    /// How much of the text is that of cells.
    cell_bytes: usize,
    /// With windows, when each row was.
    moments: Vec<Moment>,
    /// With windows, how far the input has come behind the last row.
    progress: Option<Progress>,
}

/// How large a batch is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    rows: usize,
    cells: usize,
    text: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Head {
    line: u64,
    digest: u64,
    key: (u32, u32),
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Slot {
    Nothing,
    Number(Number),
    Text(u32, u32),
}

impl RowBatch {
    /// Makes a batch with room for what one of that size holds, and for some more.
    pub(super) fn with_room(size: Size) -> Self {
        let room = |length| length + length / 8;
        Self {
            rows: Vec::with_capacity(room(size.rows)),
            cells: Vec::with_capacity(room(size.cells)),
            text: Vec::with_capacity(room(size.text)),
            ..Self::default()
        }
    }

    /// Returns how large it is.
    pub(super) const fn size(&self) -> Size {
        Size { rows: self.rows.len(), cells: self.cells.len(), text: self.text.len() }
    }

    /// Returns whether there is nothing to be told.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.progress.is_none()
    }

    /// Returns how many bytes the keys and cells take.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.cells.len() * size_of::<Slot>()
    }

    /// Returns how many bytes of text the cells hold.
    pub(super) const fn cell_bytes(&self) -> usize {
        self.cell_bytes
    }

    /// Appends a record, whose key has `digest`.
    pub(super) fn push(
        &mut self,
        record: &Record,
        digest: u64,
        selection: &Selection,
        specs: &[Spec],
    ) {
        let before = self.cells.len();
        let key = self.keep(record.key().as_bytes());
        self.rows.push(Head { line: record.line(), digest, key });
        for (spec, column) in specs.iter().zip(selection.specs()) {
            let Some(column) = column else { continue };
            let cell = match spec {
                Spec::Last(_) | Spec::Distinct(_) | Spec::Collect(_) => {
                    record.text(*column).map(Cell::Text)
                }
                _ => record.cell(*column),
            };
            let slot = match cell {
                None => Slot::Nothing,
                Some(Cell::Number(number)) => Slot::Number(number),
                Some(Cell::Text(text)) => {
                    self.cell_bytes += text.len();
                    let (start, end) = self.keep(text.as_bytes());
                    Slot::Text(start, end)
                }
            };
            self.cells.push(slot);
        }
        self.width = self.cells.len() - before;
    }

    /// Adds when the record was that was appended last.
    pub(super) fn push_moment(&mut self, moment: Moment) {
        self.moments.push(moment);
    }

    /// Tells how far the input has come.
    pub(super) fn set_progress(&mut self, progress: Progress) {
        self.progress = Some(progress);
    }

    /// Returns how far the input has come, with windows.
    pub(super) fn progress(&self) -> Option<Progress> {
        self.progress
    }

    /// Returns when a row was, with windows.
    pub(super) fn moment(&self, row: usize) -> Moment {
        self.moments[row]
    }

    /// Shows where the state of each row's key lives, without hashing a key again.
    pub(super) fn places(&self, groups: KeyGroups) -> impl Iterator<Item = At<'_, Fields>> {
        self.rows.iter().map(move |head| {
            let view = FieldsView::trusted(self.kept(head.key));
            groups.place::<Fields>(view, head.digest)
        })
    }

    /// Returns the line on which a row begins in its input.
    pub(super) fn line(&self, row: usize) -> u64 {
        self.rows[row].line
    }

    /// Returns a cell of a row, by its number among them, or `None` where there is no value.
    pub(super) fn cell(&self, row: usize, cell: usize) -> Option<Cell<'_>> {
        match self.cells[row * self.width + cell] {
            Slot::Nothing => None,
            Slot::Number(number) => Some(Cell::Number(number)),
            Slot::Text(start, end) => {
                let text = std::str::from_utf8(self.kept((start, end)));
                Some(Cell::Text(text.expect("a cell was text when it was kept")))
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> (u32, u32) {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        let place = |at: usize| u32::try_from(at).expect("a batch ends long before 4 GiB");
        (place(start), place(self.text.len()))
    }

    fn kept(&self, (start, end): (u32, u32)) -> &[u8] {
        &self.text[start as usize..end as usize]
    }
}

/// Returns the digest of a record's key: the one hash of the record.
pub(super) fn digest(record: &Record) -> u64 {
    <Fields as Key>::digest(record.key())
}
