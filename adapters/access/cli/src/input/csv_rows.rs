//! Rows of CSV, RFC 4180.

mod plain;

use std::borrow::Cow;
use std::io;

use csv_core::{ReadRecordResult, Reader};
use xxhash_rust::xxh3::xxh3_64;

use self::plain::PlainRows;
use super::stream::Stream;
use super::{ReadError, Step};
use crate::failure::quoted;
use crate::fields::Fields;
use crate::record::{BadRow, Record};
use crate::selection::Selection;

/// Reads rows of CSV behind their header.
pub(super) struct CsvRows {
    row: Row,
    plain: PlainRows,
    /// How many cells the header has.
    width: usize,
    /// Where each column of the selection stands.
    cells: Vec<usize>,
    /// A hash of the header's names.
    header: u64,
}

/// One row as it is parsed: its cells one after the other, and where each ends.
struct Row {
    parser: Reader,
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    line: u64,
}

enum Found {
    Row,
    /// The input ends inside a quoted cell.
    Unclosed,
}

impl CsvRows {
    /// Reads the header and finds the columns of the selection in it.
    pub(super) fn open(
        stream: &mut Stream,
        line: &mut u64,
        selection: &Selection,
    ) -> Result<Self, ReadError> {
        if !skip_empty_lines(stream, line)? {
            return Err(data("is empty; it needs a header, a first line of column names"));
        }
        let mut row = Row::new();
        let names = match row.read(stream, line)? {
            Found::Row => row.cells(),
            Found::Unclosed => None,
        };
        let names: Vec<&str> = names
            .ok_or_else(|| data("has a header that is not CSV in UTF-8; convert it to that"))?
            .collect();
        let cells = selection
            .columns()
            .iter()
            .map(|column| find(&column.name, &names))
            .collect::<Result<_, _>>()?;
        let header = xxh3_64(Fields::new(names.iter().copied()).view().as_bytes());
        Ok(Self { width: names.len(), cells, header, row, plain: PlainRows::default() })
    }

    /// Returns what stands for the header in the hash of a position.
    pub(super) const fn header(&self) -> u64 {
        self.header
    }

    /// Forgets what was read, to go on elsewhere.
    pub(super) fn restart(&mut self) {
        self.row = Row::new();
        self.plain.clear();
    }

    pub(super) fn next(
        &mut self,
        stream: &mut Stream,
        line: &mut u64,
        record: &mut Record,
    ) -> Result<Step, ReadError> {
        if !skip_empty_lines(stream, line)? {
            return Ok(Step::End);
        }
        if let Some(row) = self.plain.next(stream, self.width) {
            record.fill(*line, row.text, self.cells.iter().map(|cell| row.cell(*cell)));
            stream.consume(row.text.len() + 1);
            *line += u64::from(stream.last() == Some(b'\n'));
            return Ok(Step::Record);
        }
        let found = self.row.read(stream, line)?;
        record.begin(self.row.line, self.cells.len());
        Ok(match found {
            Found::Unclosed => Step::Bad(BadRow("a quoted cell is never closed".to_owned())),
            Found::Row => match self.fill(record) {
                Ok(()) => Step::Record,
                Err(bad) => Step::Bad(bad),
            },
        })
    }

    fn fill(&self, record: &mut Record) -> Result<(), BadRow> {
        let row = &self.row;
        if row.ends_len != self.width {
            let (found, width) = (row.ends_len, self.width);
            let cells = if found == 1 { "cell" } else { "cells" };
            return Err(BadRow(format!("{found} {cells} where the header has {width}")));
        }
        let text = row.text().ok_or_else(BadRow::not_utf8)?;
        for (column, cell) in self.cells.iter().enumerate() {
            record.set(column, &text[row.start(*cell)..row.ends[*cell]]);
        }
        Ok(())
    }
}

impl Row {
    fn new() -> Self {
        let mut parser = Reader::new();
        // The parser drops a byte order mark before its first row: a cell in the middle of the
        // input may begin with one and keeps it.
        parser.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            parser,
            text: vec![0; 1 << 10],
            text_len: 0,
            ends: vec![0; 32],
            ends_len: 0,
            line: 0,
        }
    }

    /// Parses the row that begins with the next byte; it ends with LF, CR LF, CR or the input.
    fn read(&mut self, stream: &mut Stream, line: &mut u64) -> Result<Found, ReadError> {
        self.line = *line;
        self.parser.set_line(*line);
        (self.text_len, self.ends_len) = (0, 0);
        let start = stream.offset();
        loop {
            let ended = stream.unread().is_empty() && !stream.refill()?;
            // At the end a line feed completes every row but one inside a quoted cell.
            let (complete, parsed) = self.parse(if ended { b"\n" } else { stream.unread() });
            if ended {
                return Ok(if complete { Found::Row } else { Found::Unclosed });
            }
            stream.consume(parsed);
            if complete {
                *line = self.parser.line();
                return Ok(Found::Row);
            }
            if stream.offset() - start > super::RECORD_BYTES_MAX {
                return Err(ReadError::TooLong { line: self.line });
            }
        }
    }

    /// Parses bytes until the row is complete or they end; returns whether it is, and how many.
    fn parse(&mut self, input: &[u8]) -> (bool, usize) {
        let mut parsed = 0;
        while parsed < input.len() {
            let (result, read, written, ended) = self.parser.read_record(
                &input[parsed..],
                &mut self.text[self.text_len..],
                &mut self.ends[self.ends_len..],
            );
            parsed += read;
            self.text_len += written;
            self.ends_len += ended;
            match result {
                ReadRecordResult::Record => return (true, parsed),
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
            }
        }
        (false, parsed)
    }

    /// Returns all cells one after the other, or `None` where one of them is not UTF-8.
    fn text(&self) -> Option<&str> {
        let text = str::from_utf8(&self.text[..self.text_len]).ok()?;
        // A character must not be put together from the cells on both sides of a comma.
        let mut ends = self.ends[..self.ends_len].iter();
        (text.is_ascii() || ends.all(|end| text.is_char_boundary(*end))).then_some(text)
    }

    fn cells(&self) -> Option<impl Iterator<Item = &str>> {
        let text = self.text()?;
        Some((0..self.ends_len).map(move |cell| &text[self.start(cell)..self.ends[cell]]))
    }

    fn start(&self, cell: usize) -> usize {
        cell.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// Consumes line ends, since empty lines are no rows; returns false at the end of the input.
fn skip_empty_lines(stream: &mut Stream, line: &mut u64) -> io::Result<bool> {
    loop {
        let unread = stream.unread();
        let ends = unread.iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
        let (mut count, mut lines) = (0, 0);
        for end in ends {
            count += 1;
            lines += u64::from(*end == b'\n');
        }
        let more = count < unread.len();
        stream.consume(count);
        *line += lines;
        if more {
            return Ok(true);
        }
        if !stream.refill()? {
            return Ok(false);
        }
    }
}

fn find(name: &str, names: &[&str]) -> Result<usize, ReadError> {
    let mut places = (0..names.len()).filter(|place| names[*place] == name);
    let Some(place) = places.next() else {
        let shown: Vec<_> = names.iter().take(NAMES_SHOWN).map(|name| shown(name)).collect();
        let shown = shown.join(", ");
        let more = match names.len().saturating_sub(NAMES_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Err(data(format!("has no column {name}; it has {shown}{more}")));
    };
    if places.next().is_some() {
        return Err(data(format!("has two columns called {name}; rename one of them")));
    }
    Ok(place)
}

/// Returns a name as a message shows it: in quotes where one would not see how it ends.
fn shown(name: &str) -> Cow<'_, str> {
    if name.is_empty() || name.trim() != name { quoted(name).into() } else { name.into() }
}

fn data(text: impl Into<String>) -> ReadError {
    ReadError::Data(text.into())
}

/// How many columns a message lists.
const NAMES_SHOWN: usize = 30;
