//! A record: its key and the cells that a job reads.

use std::fmt;

use crate::cell::{Cell, Number};
use crate::failure::quoted;
use crate::fields::{FieldsView, push_field};
use crate::selection::{Reading, Selection};
use crate::timestamp::parse_timestamp;

/// One record of an input, reduced to what the job reads.
///
/// It is filled again for each row and keeps its memory, so that a row allocates nothing. Cells
/// are addressed by the columns of the [`Selection`] they were read with.
#[derive(Clone, Debug, Default)]
pub struct Record {
    line: u64,
    key: Vec<u8>,
    text: String,
    cells: Vec<Slot>,
    time: i64,
}

/// Why a row is a bad row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BadRow(pub(crate) String);

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    start: usize,
    end: usize,
    /// Whether the row has a cell here, be it an empty one.
    set: bool,
    number: Option<Number>,
}

impl Record {
    /// Returns the line on which the record begins; a header, where there is one, is line 1.
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Returns the key.
    pub fn key(&self) -> FieldsView<'_> {
        FieldsView::trusted(&self.key)
    }

    /// Returns the time, in milliseconds since 1970 UTC, where the selection has a column of times.
    pub const fn time(&self) -> i64 {
        self.time
    }

    /// Returns a cell as written, or `None` where there is no value.
    ///
    /// # Panics
    ///
    /// Panics where the selection has no such column.
    pub fn text(&self, column: usize) -> Option<&str> {
        let slot = &self.cells[column];
        (slot.start < slot.end).then(|| &self.text[slot.start..slot.end])
    }

    /// Returns a cell as its column is read, or `None` where there is no value. In a column that is
    /// read as written, numbers are text too.
    ///
    /// # Panics
    ///
    /// Panics where the selection has no such column.
    pub fn cell(&self, column: usize) -> Option<Cell<'_>> {
        match self.cells[column].number {
            Some(number) => Some(Cell::Number(number)),
            None => self.text(column).map(Cell::Text),
        }
    }

    /// Returns a cell that is a number, or `None` where there is no value. In a column that is read
    /// as numbers that is each cell with a value.
    ///
    /// # Panics
    ///
    /// Panics where the selection has no such column.
    pub fn number(&self, column: usize) -> Option<Number> {
        self.cells[column].number
    }

    /// Empties the record for a row of so many columns that begins on `line`.
    pub(crate) fn begin(&mut self, line: u64, columns: usize) {
        self.line = line;
        self.key.clear();
        self.text.clear();
        self.cells.clear();
        self.cells.resize(columns, Slot::default());
    }

    /// Fills the record with a row that begins on `line` and holds all its cells as they are: from
    /// where in the text to where, in the order of the columns.
    pub(crate) fn fill(
        &mut self,
        line: u64,
        text: &str,
        cells: impl Iterator<Item = (usize, usize)>,
    ) {
        self.begin(line, 0);
        self.text.push_str(text);
        let set = |(start, end)| Slot { start, end, set: true, number: None };
        self.cells.extend(cells.map(set));
    }

    /// Sets the cell of a column; empty text is no value. Returns false where it was set before.
    pub(crate) fn set(&mut self, column: usize, text: &str) -> bool {
        let start = self.text.len();
        self.text.push_str(text);
        let slot = &mut self.cells[column];
        let first = !slot.set;
        *slot = Slot { start, end: self.text.len(), set: true, number: None };
        first
    }

    /// Reads the cells as their columns are read and makes the key, once all cells are set.
    pub(crate) fn finish(&mut self, selection: &Selection) -> Result<(), BadRow> {
        for (column, slot) in selection.columns().iter().zip(&mut self.cells) {
            let text = &self.text[slot.start..slot.end];
            if column.reading == Reading::Text || text.is_empty() {
                continue;
            }
            slot.number = Number::parse(text);
            if slot.number.is_none() && column.reading == Reading::Number {
                return Err(BadRow(format!("{} is {}, not a number", column.name, quoted(text))));
            }
        }
        if let Some(column) = selection.time() {
            let slot = self.cells[column];
            let text = &self.text[slot.start..slot.end];
            self.time = parse_timestamp(text).ok_or_else(|| {
                let name = &selection.columns()[column].name;
                BadRow(format!("{name} is {}, not a time", quoted(text)))
            })?;
        }
        for column in selection.key() {
            let slot = self.cells[*column];
            push_field(&self.text[slot.start..slot.end], &mut self.key);
        }
        Ok(())
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
