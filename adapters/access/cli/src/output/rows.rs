//! Rows as CSV, as JSON lines or as a table.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use crate::accumulators::Answer;
use crate::arguments::Format;
use crate::table::Table;

/// Writes rows in a format.
#[derive(Debug)]
pub(crate) enum Rows<W: Write> {
    Csv {
        writer: Box<csv::Writer<W>>,
        cell: String,
    },
    /// Each column's name comes as the JSON text that stands before its value.
    Jsonl {
        writer: BufWriter<W>,
        names: Vec<String>,
    },
    Table(Table, BufWriter<W>),
}

impl<W: Write> Rows<W> {
    /// Writes rows of these columns to `sink`.
    pub(crate) fn new(format: Format, columns: &[String], sink: W) -> Self {
        match format {
            Format::Csv => {
                let builder = &mut csv::WriterBuilder::new();
                let writer = builder.buffer_capacity(BUFFER_BYTES).from_writer(sink);
                Self::Csv { writer: Box::new(writer), cell: String::new() }
            }
            Format::Jsonl => Self::jsonl(columns, sink),
        }
    }

    /// Aligns rows of these columns.
    pub(crate) fn table(columns: &[String], sink: W) -> Self {
        Self::Table(Table::new(columns.len()), buffered(sink))
    }

    /// Writes the names of the columns, where the format has a header.
    pub(crate) fn header(&mut self, columns: &[String]) -> io::Result<()> {
        if matches!(self, Self::Jsonl { .. }) {
            return Ok(());
        }
        let names: Vec<_> = columns.iter().map(|name| Answer::Text(name.as_str().into())).collect();
        self.row(&names)
    }

    fn jsonl(columns: &[String], sink: W) -> Self {
        let names = columns.iter().enumerate().map(|(index, name)| {
            let before = if index == 0 { '{' } else { ',' };
            format!("{before}{}:", serde_json::Value::from(name.as_str()))
        });
        Self::Jsonl { writer: buffered(sink), names: names.collect() }
    }

    /// Writes a row.
    pub(crate) fn row(&mut self, cells: &[Answer<'_>]) -> io::Result<()> {
        match self {
            Self::Csv { writer, cell: text } => {
                for cell in cells {
                    text.clear();
                    write!(text, "{cell}").map_err(io::Error::other)?;
                    writer.write_field(&text)?;
                }
                writer.write_record(None::<&[u8]>)?;
                Ok(())
            }
            Self::Jsonl { writer, names } => {
                for (name, cell) in names.iter().zip(cells) {
                    writer.write_all(name.as_bytes())?;
                    write_json(cell, writer)?;
                }
                writer.write_all(b"}\n")
            }
            Self::Table(table, writer) => table.row(cells, writer),
        }
    }

    /// Writes what is left, and returns what it was written to.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Csv { writer, .. } => {
                writer.into_inner().map_err(csv::IntoInnerError::into_error)
            }
            Self::Jsonl { writer, .. } => unbuffered(writer),
            Self::Table(table, mut writer) => {
                table.finish(&mut writer)?;
                unbuffered(writer)
            }
        }
    }
}

fn buffered<W: Write>(sink: W) -> BufWriter<W> {
    BufWriter::with_capacity(BUFFER_BYTES, sink)
}

fn unbuffered<W: Write>(writer: BufWriter<W>) -> io::Result<W> {
    writer.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Writes an answer as a JSON value; floats that JSON does not know are strings.
fn write_json(answer: &Answer<'_>, out: &mut impl Write) -> io::Result<()> {
    match answer {
        Answer::Nothing => out.write_all(b"null"),
        Answer::Float(number) if !number.is_finite() => write!(out, "\"{number:?}\""),
        Answer::Integer(_) | Answer::Float(_) => write!(out, "{answer}"),
        Answer::Text(text) => Ok(serde_json::to_writer(out, text.as_ref())?),
    }
}

const BUFFER_BYTES: usize = 256 << 10;
