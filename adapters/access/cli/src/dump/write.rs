//! Rows as JSON lines or as CSV.

use std::io::{self, Write};

use holdwater::schema::{Kind, Schema};

use crate::arguments::{Format, WINDOW_START};
use crate::timestamp::Timestamp;
use crate::value::Datum;

/// What the parts of a key are called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum KeyColumns {
    /// A struct: its fields.
    Fields(Vec<String>),
    /// Anything else.
    Whole,
}

/// Names the parts of a key.
pub(super) fn key_columns(key: Schema<'_>) -> KeyColumns {
    match key.kind() {
        Kind::Struct(members) => {
            KeyColumns::Fields(members.map(|member| member.name.to_owned()).collect())
        }
        _ => KeyColumns::Whole,
    }
}

impl KeyColumns {
    /// Returns how many there are.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Fields(names) => names.len(),
            Self::Whole => 1,
        }
    }
}

/// The key of a row, part by part, and the start of its window, if it has one.
pub(super) struct RowKey {
    pub(super) parts: Vec<Datum>,
    pub(super) window_start: Option<Timestamp>,
}

/// Prints rows one after the other.
pub(super) enum Printer<'c, W: Write> {
    Csv { writer: Box<csv::Writer<W>> },
    Jsonl { writer: io::BufWriter<W>, columns: &'c KeyColumns, line: String },
}

impl<'c, W: Write> Printer<'c, W> {
    /// Begins; CSV with its header.
    pub(super) fn new(
        format: Format,
        columns: &'c KeyColumns,
        windowed: bool,
        out: W,
    ) -> io::Result<Self> {
        match format {
            Format::Csv => {
                let builder = &mut csv::WriterBuilder::new();
                let mut writer = builder.buffer_capacity(BUFFER_BYTES).from_writer(out);
                match columns {
                    KeyColumns::Fields(names) => {
                        names.iter().try_for_each(|name| writer.write_field(name))?;
                    }
                    KeyColumns::Whole => writer.write_field("key")?,
                }
                if windowed {
                    writer.write_field(WINDOW_START)?;
                }
                writer.write_record(["value"])?;
                Ok(Self::Csv { writer: Box::new(writer) })
            }
            Format::Jsonl => {
                let writer = io::BufWriter::with_capacity(BUFFER_BYTES, out);
                Ok(Self::Jsonl { writer, columns, line: String::new() })
            }
        }
    }

    /// Prints a row: its key, and what the state holds of it.
    pub(super) fn row(&mut self, key: &RowKey, value: &Datum) -> io::Result<()> {
        match self {
            Self::Csv { writer } => {
                for part in &key.parts {
                    writer.write_field(part.cell())?;
                }
                if let Some(start) = key.window_start {
                    writer.write_field(start.to_string())?;
                }
                Ok(writer.write_record([value.cell()])?)
            }
            Self::Jsonl { writer, columns, line } => {
                line.clear();
                line.push_str("{\"key\":");
                match columns {
                    KeyColumns::Fields(names) => {
                        let names = names.iter().map(|name| Datum::Text(name.clone()));
                        let fields = names.zip(key.parts.iter().cloned()).collect();
                        Datum::Pairs(fields).write_json(line);
                    }
                    KeyColumns::Whole => key.parts.iter().for_each(|part| part.write_json(line)),
                }
                if let Some(start) = key.window_start {
                    line.push_str(&format!(",\"{WINDOW_START}\":\"{start}\""));
                }
                line.push_str(",\"value\":");
                value.write_json(line);
                line.push_str("}\n");
                writer.write_all(line.as_bytes())
            }
        }
    }

    /// Writes what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Csv { mut writer } => writer.flush(),
            Self::Jsonl { mut writer, .. } => writer.flush(),
        }
    }
}

const BUFFER_BYTES: usize = 256 << 10;
