//! Rows as JSON lines or as CSV.

use std::io::{self, Write};

use holdwater_processor::row::Row;

use crate::arguments::Format;
use crate::shown::Columns;

/// Prints rows one after the other: as a person reads them, or as they are stored.
pub(super) struct Printer<'c, W: Write> {
    columns: &'c Columns,
    is_stored: bool,
    to: To<W>,
}

enum To<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl { writer: io::BufWriter<W>, line: String },
}

impl<'c, W: Write> Printer<'c, W> {
    /// Begins; CSV with its header.
    pub(super) fn new(
        format: Format,
        columns: &'c Columns,
        is_stored: bool,
        out: W,
    ) -> io::Result<Self> {
        let to = match format {
            Format::Csv => {
                let builder = &mut csv::WriterBuilder::new();
                let mut writer = builder.buffer_capacity(BUFFER_BYTES).from_writer(out);
                let window = columns.window.map(|name| if is_stored { "window" } else { name });
                let names = columns.key.iter().map(String::as_str).chain(window);
                names.chain(["value"]).try_for_each(|name| writer.write_field(name))?;
                writer.write_record(None::<&[u8]>)?;
                To::Csv(Box::new(writer))
            }
            Format::Jsonl => {
                let writer = io::BufWriter::with_capacity(BUFFER_BYTES, out);
                To::Jsonl { writer, line: String::new() }
            }
        };
        Ok(Self { columns, is_stored, to })
    }

    /// Prints a row: its key, its window, and what the state holds of it.
    pub(super) fn row(&mut self, row: Row) -> io::Result<()> {
        let Self { columns, is_stored, to } = self;
        match to {
            To::Csv(writer) => {
                for part in columns.key_parts(row.key) {
                    writer.write_field(part.cell())?;
                }
                if let Some(window) = row.window {
                    let shown = if *is_stored { window } else { columns.window(window) };
                    writer.write_field(shown.cell())?;
                }
                let held = if *is_stored { row.held.stored() } else { columns.value(row.held) };
                Ok(writer.write_record([held.cell()])?)
            }
            To::Jsonl { writer, line } => {
                line.clear();
                match is_stored {
                    true => row.write_json(line),
                    false => columns.write_json(row, line),
                }
                line.push('\n');
                writer.write_all(line.as_bytes())
            }
        }
    }

    /// Writes what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        match self.to {
            To::Csv(mut writer) => writer.flush(),
            To::Jsonl { mut writer, .. } => writer.flush(),
        }
    }
}

const BUFFER_BYTES: usize = 256 << 10;
