//! What a query comes to, as CSV, as JSON lines, as Parquet or aligned.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use holdwater_processor::datum::Datum;
use holdwater_table::{Batch, ParquetFile, Rows, values};

use crate::accumulators::Answer;
use crate::arguments::{FileFormat, Sql};
use crate::failure::Failure;
use crate::output::{Audience, Sink, failed};
use crate::table::Table;

/// Prints rows one after the other.
pub(super) struct Printer<'o> {
    names: Vec<String>,
    to: To<'o>,
    place: Place,
}

/// Where rows go, for messages, and the path to put a file under at the end.
struct Place {
    name: String,
    path: Option<PathBuf>,
    is_file: bool,
}

enum To<'o> {
    Csv(Box<csv::Writer<Bytes<'o>>>),
    Jsonl(BufWriter<Bytes<'o>>),
    Parquet(Box<ParquetFile>, Bytes<'o>),
    Table(Table, BufWriter<Bytes<'o>>),
}

enum Bytes<'o> {
    File(Sink),
    Out(&'o mut dyn Write),
}

impl<'o> Printer<'o> {
    /// Begins rows of these columns where the command line says.
    pub(super) fn new(sql: &Sql, rows: &Rows, out: &'o mut impl Write) -> Result<Self, Failure> {
        let columns = rows.columns();
        let asked = if sql.json { Some(FileFormat::Jsonl) } else { sql.format };
        let (bytes, name, path, format) = match &sql.output {
            Some(path) => {
                let (sink, to) = Sink::to_file(path)?;
                let format = asked.unwrap_or_else(|| FileFormat::of(path));
                (Bytes::File(sink), path.display().to_string(), to, Some(format))
            }
            None => {
                let format = match (asked, Audience::of_stdout()) {
                    (None, Audience::Person) => None,
                    (asked, _) => Some(asked.unwrap_or(FileFormat::Csv)),
                };
                (Bytes::Out(out), "standard output".to_owned(), None, format)
            }
        };
        let to = match format {
            Some(FileFormat::Csv) => To::Csv(Box::new(csv::Writer::from_writer(bytes))),
            Some(FileFormat::Jsonl) => To::Jsonl(BufWriter::new(bytes)),
            Some(FileFormat::Parquet) => {
                To::Parquet(Box::new(ParquetFile::new(rows.schema())?), bytes)
            }
            None => To::Table(Table::new(columns.len()), BufWriter::new(bytes)),
        };
        let place = Place { name, path, is_file: sql.output.is_some() };
        let mut printer = Self { names: columns, to, place };
        let header = printer.header();
        printer.place.written(header)?;
        Ok(printer)
    }

    /// Prints rows; returns whether somebody reads on.
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<bool, Failure> {
        if let To::Parquet(file, bytes) = &mut self.to {
            let written = bytes.write_all(&file.write(batch)?);
            return self.place.written(written);
        }
        for row in values(batch)? {
            if !self.row(row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn row(&mut self, row: Vec<Datum>) -> Result<bool, Failure> {
        let written = match &mut self.to {
            To::Csv(writer) => {
                writer.write_record(row.iter().map(Datum::cell)).map_err(io::Error::from)
            }
            To::Jsonl(writer) => {
                let name = |name: &String| Datum::Text(name.clone());
                let members = self.names.iter().map(name).zip(row);
                let mut line = String::new();
                Datum::Pairs(members.collect()).write_json(&mut line);
                line.push('\n');
                writer.write_all(line.as_bytes())
            }
            To::Table(table, writer) => aligned(table, &row, writer),
            To::Parquet(..) => Ok(()),
        };
        self.place.written(written)
    }

    /// Writes what is left, and puts a file in its place.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self { to, place, .. } = self;
        let bytes = match to {
            To::Csv(writer) => writer.into_inner().map_err(csv::IntoInnerError::into_error),
            To::Jsonl(writer) => writer.into_inner().map_err(io::IntoInnerError::into_error),
            To::Parquet(file, mut bytes) => {
                let last = file.finish()?;
                bytes.write_all(&last).map(|()| bytes)
            }
            To::Table(table, mut writer) => table
                .finish(&mut writer)
                .and_then(|()| writer.into_inner().map_err(io::IntoInnerError::into_error)),
        };
        let finished = bytes.and_then(|bytes| match bytes {
            Bytes::File(sink) => sink.publish(place.path.as_deref()),
            Bytes::Out(out) => out.flush(),
        });
        place.written(finished).map(|_| ())
    }

    fn header(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Csv(writer) => Ok(writer.write_record(&self.names)?),
            To::Jsonl(_) | To::Parquet(..) => Ok(()),
            To::Table(table, writer) => {
                let names = self.names.iter().map(|name| Answer::Text(name.as_str().into()));
                table.row(&names.collect::<Vec<_>>(), writer)
            }
        }
    }
}

impl Place {
    /// Says whether somebody reads on, unless what was written did not arrive.
    fn written(&self, written: io::Result<()>) -> Result<bool, Failure> {
        match written {
            Ok(()) => Ok(true),
            // Whoever has seen enough, such as `head`, is no failure.
            Err(error) if !self.is_file && error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(failed(&self.name, error)),
        }
    }
}

/// Aligns a row; a text of several lines takes as many.
fn aligned(table: &mut Table, row: &[Datum], out: &mut impl Write) -> io::Result<()> {
    let texts: Vec<String> = row.iter().map(Datum::cell).collect();
    let lines = texts.iter().map(|text| text.lines().count()).max().unwrap_or(1).max(1);
    for line in 0..lines {
        let answer = |(datum, text): (&Datum, &String)| match datum {
            Datum::Signed(number) if line == 0 => Answer::Integer(*number),
            Datum::Unsigned(number) if line == 0 => match i128::try_from(*number) {
                Ok(number) => Answer::Integer(number),
                Err(_) => Answer::Text(text.clone().into()),
            },
            Datum::Float(number) if line == 0 => Answer::Float(*number),
            _ => text
                .lines()
                .nth(line)
                .map_or(Answer::Nothing, |text| Answer::Text(text.to_owned().into())),
        };
        table.row(&row.iter().zip(&texts).map(answer).collect::<Vec<_>>(), out)?;
    }
    Ok(())
}

impl Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(sink) => sink.write(bytes),
            Self::Out(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(sink) => sink.flush(),
            Self::Out(out) => out.flush(),
        }
    }
}
