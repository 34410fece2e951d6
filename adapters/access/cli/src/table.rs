//! Rows aligned in columns, for a person at a terminal.

use std::io::{self, Write};

use crate::accumulators::Answer;

/// Aligns rows as they come: the first ones are held back to see how wide each column is, later
/// ones that are wider stand out.
#[derive(Debug)]
pub(crate) struct Table {
    widths: Vec<usize>,
    held: Option<Vec<Vec<Cell>>>,
}

#[derive(Debug)]
struct Cell {
    text: String,
    number: bool,
}

impl Table {
    pub(crate) fn new(columns: usize) -> Self {
        Self { widths: vec![0; columns], held: Some(Vec::new()) }
    }

    pub(crate) fn row(&mut self, answers: &[Answer<'_>], out: &mut impl Write) -> io::Result<()> {
        let row: Vec<_> = answers.iter().map(shown).collect();
        let Some(held) = &mut self.held else {
            return write_row(&row, &self.widths, out);
        };
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = (*width).max(cell.text.chars().count());
        }
        held.push(row);
        if held.len() >= ROWS_HELD { self.release(out) } else { Ok(()) }
    }

    pub(crate) fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        self.release(out)
    }

    /// Returns whether there was no row yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.as_ref().is_some_and(Vec::is_empty)
    }

    /// Writes the rows that are held back: from here on columns are as wide as they are now.
    pub(crate) fn release(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut rows = self.held.take().unwrap_or_default();
        // A name stands over its numbers as they do: to the right.
        if let Some((header, body)) = rows.split_first_mut() {
            for (index, name) in header.iter_mut().enumerate() {
                let numbers = body.iter().filter(|row| row[index].number).count();
                let texts = body.iter().filter(|row| !row[index].text.is_empty()).count() - numbers;
                name.number = numbers > texts;
            }
        }
        rows.iter().try_for_each(|row| write_row(row, &self.widths, out))
    }
}

/// Shows an answer on one line; control characters of the input never reach the terminal.
fn shown(answer: &Answer<'_>) -> Cell {
    let number = matches!(answer, Answer::Integer(_) | Answer::Float(_));
    let mut text = String::new();
    for character in answer.to_string().chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    Cell { text, number }
}

fn write_row(row: &[Cell], widths: &[usize], out: &mut impl Write) -> io::Result<()> {
    let mut line = String::new();
    for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
        if index > 0 {
            line.push_str("  ");
        }
        let padding = width.saturating_sub(cell.text.chars().count());
        if cell.number {
            line.extend(std::iter::repeat_n(' ', padding));
        }
        line.push_str(&cell.text);
        if !cell.number {
            line.extend(std::iter::repeat_n(' ', padding));
        }
    }
    writeln!(out, "{}", line.trim_end())
}

/// As many rows as a person scrolls through; it bounds the memory a table takes.
const ROWS_HELD: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Answer<'_> {
        Answer::Text(text.into())
    }

    #[test]
    fn numbers_stand_to_the_right_and_text_to_the_left() {
        let mut table = Table::new(3);
        let mut out = Vec::new();
        table.row(&[text("origin"), text("count"), text("max:x")], &mut out).unwrap();
        table.row(&[text("ATL"), Answer::Integer(1234567), Answer::Nothing], &mut out).unwrap();
        table.row(&[text("\u{1b}\n"), Answer::Float(2.0), text("\u{e9}")], &mut out).unwrap();
        table.finish(&mut out).unwrap();
        let lines =
            ["origin      count  max:x", "ATL       1234567", "\\u{1b}\\n      2.0  \u{e9}", ""];
        assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n"));
    }

    #[test]
    fn rows_are_not_held_without_end() {
        let mut table = Table::new(1);
        let mut out = Vec::new();
        table.row(&[text("x")], &mut out).unwrap();
        for number in 1..ROWS_HELD {
            assert!(out.is_empty());
            table.row(&[Answer::Integer(number as i128)], &mut out).unwrap();
        }
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), ROWS_HELD);
        table.row(&[text("wider")], &mut out).unwrap();
        assert!(out.ends_with(b"999\nwider\n"));
    }
}
