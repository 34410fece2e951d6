//! Result rows as the lines of an output.

use std::io;

use crate::accumulators::Answer;
use crate::arguments::Format;
use crate::output::Rows;
use crate::run::operator::ResultRow;
use crate::table::Table;
use crate::timestamp::Timestamp;

/// Writes rows of windows in one format.
#[derive(Debug)]
pub(super) struct Lines {
    /// None is a table for a person.
    format: Option<Format>,
    table: Table,
    columns: Vec<String>,
    /// How many columns stand before those of the SPECs.
    front: usize,
    /// For each SPEC of the output, the place of its answer in a row.
    order: Vec<usize>,
}

impl Lines {
    /// Writes rows of these columns, of which the last `specs` are those of the SPECs.
    pub(super) fn new(format: Option<Format>, columns: &[String], specs: usize) -> Self {
        let (columns, front) = (columns.to_vec(), columns.len() - specs);
        let table = Table::new(columns.len());
        Self { format, table, columns, front, order: (0..specs).collect() }
    }

    /// Returns the names of the format and of the SPECs, in the order of the output.
    pub(super) fn shape(&self) -> (bool, &[String]) {
        (self.format == Some(Format::Jsonl), &self.columns[self.front..])
    }

    /// Goes on in an output whose SPECs stand in this order; returns false if they are others.
    pub(super) fn reorder(&mut self, specs: &[String]) -> bool {
        let own = &self.columns[self.front..];
        let place = |spec: &String| own.iter().position(|own| own == spec);
        let Some(places) = specs.iter().map(place).collect::<Option<Vec<_>>>() else {
            return false;
        };
        if places.len() != own.len() {
            return false;
        }
        self.order = places.iter().map(|place| self.order[*place]).collect();
        self.columns.truncate(self.front);
        self.columns.extend_from_slice(specs);
        true
    }

    /// Returns what an output begins with. A table has its header before its first rows.
    pub(super) fn header(&self) -> io::Result<Vec<u8>> {
        let Some(format) = self.format else { return Ok(Vec::new()) };
        let mut rows = Rows::new(format, &self.columns, Vec::new());
        rows.header(&self.columns)?;
        rows.finish()
    }

    /// Takes the rows, ordered by the end of their window, by its start, then by their key.
    pub(super) fn encode(&mut self, rows: &mut Vec<ResultRow>) -> io::Result<Vec<u8>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        rows.sort_unstable_by(|a, b| {
            let ends = |row: &ResultRow| row.window.map(|window| (window.end, window.start));
            ends(a).cmp(&ends(b)).then_with(|| a.key.view().iter().cmp(b.key.view().iter()))
        });
        let Self { format, table, columns, order, .. } = self;
        let mut text = Vec::new();
        if format.is_none() && table.is_empty() {
            let names: Vec<_> =
                columns.iter().map(|name| Answer::Text(name.as_str().into())).collect();
            table.row(&names, &mut text)?;
        }
        let mut lines = format.map(|format| Rows::new(format, columns, Vec::new()));
        let mut cells = Vec::with_capacity(columns.len());
        for row in rows.drain(..) {
            cells.extend(row.key.view().iter().map(|field| Answer::Text(field.to_owned().into())));
            let start = row.window.map_or(0, |window| window.start);
            cells.push(Answer::Text(Timestamp(start).to_string().into()));
            cells.extend(order.iter().map(|place| row.answers[*place].clone()));
            match &mut lines {
                Some(lines) => lines.row(&cells)?,
                None => table.row(&cells, &mut text)?,
            }
            cells.clear();
        }
        lines.map_or(Ok(text), Rows::finish)
    }

    /// Returns the rows of a table that are held back.
    pub(super) fn release(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        if !self.table.is_empty() {
            self.table.release(&mut text)?;
        }
        Ok(text)
    }
}
