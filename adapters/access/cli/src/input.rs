//! Records from CSV and JSON lines, with positions to resume from.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use crate::arguments::{BadRows, Format};
use crate::failure::Failure;
use crate::record::{BadRow, Record};
use crate::selection::Selection;
use csv_rows::CsvRows;
use stream::{Source, Stream};

mod csv_rows;
mod json_rows;
mod stream;

#[cfg(test)]
mod tests;

/// One input of a job: UTF-8 CSV with a header, or JSON lines.
///
/// A byte order mark at the front is dropped, lines end with LF or CR LF, the last one need not;
/// empty lines are no records. A row with a wrong number of cells, one that is not UTF-8, one with
/// text where the selection needs a number, a line that is no JSON object and one that has a
/// selected member twice are bad rows.
pub struct Input {
    name: String,
    stream: Stream,
    rows: Rows,
    selection: Selection,
    bad_rows: BadRows,
    /// What is counted, but for bytes and hash, which are known only when asked for.
    counted: Position,
}

/// How far an input is read: all before it is in the state, all behind it is not.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Schema, Serialize)]
pub struct Position {
    /// The offset of the next byte.
    pub bytes: u64,
    /// The line of the next byte, from 1.
    pub line: u64,
    /// The rows read, bad ones too.
    pub rows: u64,
    /// The bad rows among them.
    pub bad_rows: u64,
    /// The XXH3-64 of the 64 KiB before the position. Its seed is the XXH3-64 of the CSV header's
    /// names, encoded as a key is, or 0 for JSON lines.
    pub hash: u64,
}

enum Rows {
    Csv(Box<CsvRows>),
    Jsonl,
}

/// What stands next in an input; a record or bad row begins on its record's line.
enum Step {
    Record,
    Bad(BadRow),
    End,
}

/// Why an input cannot be read on, but for its name.
enum ReadError {
    Io(io::Error),
    Data(String),
    TooLong { line: u64 },
}

impl Input {
    /// Opens the file `path`, or standard input for `-`, and reads the header of CSV. Without a
    /// format its ending says it.
    pub fn open(
        path: &Path,
        format: Option<Format>,
        selection: &Selection,
        bad_rows: BadRows,
    ) -> Result<Self, Failure> {
        let format = format.unwrap_or_else(|| Format::of(path));
        let stdin = path == Path::new("-");
        let name = if stdin { "standard input".to_owned() } else { path.display().to_string() };
        let open = || {
            if stdin {
                let stdin = io::stdin().as_fd().try_clone_to_owned()?;
                return Ok(Source::Pipe(File::from(stdin)));
            }
            let file = File::open(path)?;
            let regular = file.metadata()?.is_file();
            Ok(if regular { Source::File(file) } else { Source::Pipe(file) })
        };
        let source = open().map_err(|source| Failure::io(format!("cannot read {name}"), source))?;
        Self::begin(name, Stream::new(source), format, selection, bad_rows)
    }

    /// Reads from anything that can be read once, called `name` in messages.
    pub fn from_reader(
        name: &str,
        reader: Box<dyn Read + Send>,
        format: Format,
        selection: &Selection,
        bad_rows: BadRows,
    ) -> Result<Self, Failure> {
        let stream = Stream::new(Source::Reader(reader));
        Self::begin(name.to_owned(), stream, format, selection, bad_rows)
    }

    fn begin(
        name: String,
        mut stream: Stream,
        format: Format,
        selection: &Selection,
        bad_rows: BadRows,
    ) -> Result<Self, Failure> {
        let mut counted = Position { line: 1, ..Position::default() };
        let mut open = || {
            drop_byte_order_mark(&mut stream)?;
            Ok(match format {
                Format::Jsonl => Rows::Jsonl,
                Format::Csv => {
                    let rows = CsvRows::open(&mut stream, &mut counted.line, selection)?;
                    Rows::Csv(Box::new(rows))
                }
            })
        };
        let rows = open().map_err(|error: ReadError| error.of(&name))?;
        Ok(Self { name, stream, rows, selection: selection.clone(), bad_rows, counted })
    }

    /// Returns the path, or `standard input`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until there is something to be read, or until `patience` is over; returns whether
    /// there is. A file has always something, be it its end; a pipe may be silent for long.
    pub fn wait(&self, patience: Duration) -> bool {
        self.stream.wait(patience)
    }

    /// Reads the next record that is not a bad row into `record`; returns false at the end.
    ///
    /// A bad row is counted, and is a failure where the job does not skip them.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, Failure> {
        loop {
            let line = &mut self.counted.line;
            let step = match &mut self.rows {
                Rows::Csv(rows) => rows.next(&mut self.stream, line, record),
                Rows::Jsonl => json_rows::next(&mut self.stream, line, &self.selection, record),
            };
            let bad = match step.map_err(|error| error.of(&self.name))? {
                Step::End => return Ok(false),
                Step::Bad(bad) => Err(bad),
                Step::Record => record.finish(&self.selection),
            };
            self.counted.rows += 1;
            let Err(bad) = bad else {
                return Ok(true);
            };
            self.counted.bad_rows += 1;
            if self.bad_rows == BadRows::Fail {
                return Err(Failure::Data(format!(
                    "{} line {}: {bad}; correct the row or give --bad-rows skip",
                    self.name,
                    record.line()
                )));
            }
        }
    }

    /// Returns how many rows were read, bad ones too.
    pub const fn rows(&self) -> u64 {
        self.counted.rows
    }

    /// Returns the offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.stream.offset()
    }

    /// Returns the length of a file, as it is now; `None` for what has none.
    pub fn length(&self) -> Option<u64> {
        self.stream.length()
    }

    /// Returns how far the input is read. It costs the hash of 64 KiB.
    pub fn position(&self) -> Position {
        Position {
            bytes: self.stream.offset(),
            hash: self.stream.hash(self.seed()),
            ..self.counted
        }
    }

    /// Goes on where `position` was taken, of this input or one that begins like it. A file is not
    /// read up to there, anything else is read and skipped.
    ///
    /// Call it before the first record is read. A shorter or changed input is a
    /// [`Failure::Changed`].
    pub fn resume(&mut self, position: &Position) -> Result<(), Failure> {
        let cannot = |name: &str, source| Failure::io(format!("cannot read {name}"), source);
        let bytes = position.bytes;
        let reached = self.stream.skip_to(bytes).map_err(|error| cannot(&self.name, error))?;
        if !reached {
            return Err(self.changed(&format!("ends before byte {bytes}")));
        }
        if self.stream.hash(self.seed()) != position.hash {
            return Err(self.changed(&format!("has changed before byte {bytes}")));
        }
        if let Rows::Csv(rows) = &mut self.rows {
            rows.restart();
        }
        self.counted = *position;
        if self.grew_inside_a_row().map_err(|error| cannot(&self.name, error))? {
            return Err(self.changed("has grown inside its last row"));
        }
        Ok(())
    }

    /// Tells whether the row before the position had no line end and now goes on.
    fn grew_inside_a_row(&mut self) -> io::Result<bool> {
        if self.counted.rows == 0 || matches!(self.stream.last(), Some(b'\n' | b'\r')) {
            return Ok(false);
        }
        if self.stream.unread().is_empty() {
            self.stream.refill()?;
        }
        Ok(!matches!(self.stream.unread().first(), None | Some(b'\n' | b'\r')))
    }

    fn seed(&self) -> u64 {
        match &self.rows {
            Rows::Csv(rows) => rows.header(),
            Rows::Jsonl => 0,
        }
    }

    fn changed(&self, how: &str) -> Failure {
        Failure::Changed(format!(
            "{} {how}, up to where the checkpoint has read it; \
             give the input of that checkpoint, or --fresh to start anew",
            self.name
        ))
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input")
            .field("name", &self.name)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl ReadError {
    fn of(self, name: &str) -> Failure {
        match self {
            Self::Io(source) => Failure::io(format!("cannot read {name}"), source),
            Self::Data(text) => Failure::Data(format!("{name} {text}")),
            Self::TooLong { line } => Failure::Data(format!(
                "{name} line {line}: a record of more than {} MiB; close its quotes or split it",
                RECORD_BYTES_MAX >> 20
            )),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl BadRow {
    fn not_utf8() -> Self {
        Self("not UTF-8".to_owned())
    }
}

fn drop_byte_order_mark(stream: &mut Stream) -> io::Result<()> {
    while stream.unread().len() < BYTE_ORDER_MARK.len() && stream.refill()? {}
    if stream.unread().starts_with(BYTE_ORDER_MARK) {
        stream.consume(BYTE_ORDER_MARK.len());
    }
    Ok(())
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bounds the memory that an unclosed quote or a missing line end takes.
const RECORD_BYTES_MAX: u64 = 64 << 20;
