//! Rows on their way from an input to the subtask that owns their keys.

use holdwater::key::{At, Key, KeyGroups};

use crate::cell::{Cell, Number};
use crate::fields::{Fields, FieldsView};
use crate::record::Record;
use crate::selection::Selection;
use crate::spec::Spec;

/// Some rows of one input, in its order: their keys, and one cell for each SPEC.
///
/// All text lies in one piece, so that a batch of any number of rows is three allocations.
#[derive(Debug, Default)]
pub(super) struct RowBatch {
    rows: Vec<Head>,
    cells: Vec<Slot>,
    text: Vec<u8>,
}

/// One row of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'b> {
    batch: &'b RowBatch,
    head: Head,
    cells: &'b [Slot],
}

#[derive(Clone, Copy, Debug)]
struct Head {
    line: u64,
    digest: u64,
    key: (u32, u32),
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Nothing,
    Number(Number),
    Text(u32, u32),
}

impl RowBatch {
    /// Returns whether there is no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns how many bytes the keys and cells take.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.cells.len() * size_of::<Slot>()
    }

    /// Appends a record, whose key has `digest`.
    pub(super) fn push(
        &mut self,
        record: &Record,
        digest: u64,
        selection: &Selection,
        specs: &[Spec],
    ) {
        let key = self.keep(record.key().as_bytes());
        self.rows.push(Head { line: record.line(), digest, key });
        for (spec, column) in specs.iter().zip(selection.specs()) {
            let cell = match (spec, column) {
                (Spec::Count, _) | (_, None) => None,
                (Spec::Last(_) | Spec::Distinct(_) | Spec::Collect(_), Some(column)) => {
                    record.text(*column).map(Cell::Text)
                }
                (_, Some(column)) => record.cell(*column),
            };
            let slot = match cell {
                None => Slot::Nothing,
                Some(Cell::Number(number)) => Slot::Number(number),
                Some(Cell::Text(text)) => {
                    let (start, end) = self.keep(text.as_bytes());
                    Slot::Text(start, end)
                }
            };
            self.cells.push(slot);
        }
    }

    /// Iterates over the rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let width = self.cells.len().checked_div(self.rows.len()).unwrap_or(0);
        self.rows.iter().enumerate().map(move |(index, head)| Row {
            batch: self,
            head: *head,
            cells: &self.cells[index * width..(index + 1) * width],
        })
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

impl<'b> Row<'b> {
    /// Returns the line on which the row begins in its input.
    pub(super) const fn line(&self) -> u64 {
        self.head.line
    }

    /// Returns where the state of the row's key lives, without hashing the key again.
    pub(super) fn at(&self, groups: KeyGroups) -> At<'b, Fields> {
        let view = FieldsView::trusted(self.batch.kept(self.head.key));
        groups.place::<Fields>(view, self.head.digest)
    }

    /// Returns the cell for the SPEC of that number, or `None` where there is no value.
    pub(super) fn cell(&self, spec: usize) -> Option<Cell<'b>> {
        match self.cells[spec] {
            Slot::Nothing => None,
            Slot::Number(number) => Some(Cell::Number(number)),
            Slot::Text(start, end) => {
                let text = std::str::from_utf8(self.batch.kept((start, end)));
                Some(Cell::Text(text.expect("a cell was text when it was kept")))
            }
        }
    }
}

/// Returns the digest of a record's key: the one hash of the record.
pub(super) fn digest(record: &Record) -> u64 {
    <Fields as Key>::digest(record.key())
}
