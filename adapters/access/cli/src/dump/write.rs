//! Rows as JSON lines or as CSV.

use std::io::{self, Write};

use holdwater_processor::row::Row;

use crate::arguments::Format;
use crate::shown::Columns;

/// Prints rows one after the other.
pub(super) enum Printer<'c, W: Write> {
    Csv { writer: Box<csv::Writer<W>>, columns: &'c Columns },
    Jsonl { writer: io::BufWriter<W>, columns: &'c Columns, line: String },
}

impl<'c, W: Write> Printer<'c, W> {
    /// Begins; CSV with its header.
    pub(super) fn new(format: Format, columns: &'c Columns, out: W) -> io::Result<Self> {
        match format {
            Format::Csv => {
                let builder = &mut csv::WriterBuilder::new();
                let mut writer = builder.buffer_capacity(BUFFER_BYTES).from_writer(out);
                let names = columns.key.iter().map(String::as_str).chain(columns.window);
                names.chain(["value"]).try_for_each(|name| writer.write_field(name))?;
                writer.write_record(None::<&[u8]>)?;
                Ok(Self::Csv { writer: Box::new(writer), columns })
            }
            Format::Jsonl => {
                let writer = io::BufWriter::with_capacity(BUFFER_BYTES, out);
                Ok(Self::Jsonl { writer, columns, line: String::new() })
            }
        }
    }

    /// Prints a row: its key, its window, and what the state holds of it.
    pub(super) fn row(&mut self, row: Row) -> io::Result<()> {
        match self {
            Self::Csv { writer, columns } => {
                for part in columns.key_parts(row.key) {
                    writer.write_field(part.cell())?;
                }
                if let Some(window) = row.window {
                    writer.write_field(columns.window(window).cell())?;
                }
                Ok(writer.write_record([columns.value(row.held).cell()])?)
            }
            Self::Jsonl { writer, columns, line } => {
                line.clear();
                columns.write_json(row, line);
                line.push('\n');
                writer.write_all(line.as_bytes())
            }
        }
    }

    /// Writes what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Csv { mut writer, .. } => writer.flush(),
            Self::Jsonl { mut writer, .. } => writer.flush(),
        }
    }
}

const BUFFER_BYTES: usize = 256 << 10;
