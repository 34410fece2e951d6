//! `holdwater import`: a state whose rows come from a file, as a savepoint.

use std::io::Write;
use std::path::Path;

use holdwater::schema::Kind;
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::edit::Edits;
use holdwater_processor::row::Row;

use crate::arguments::{FileFormat, Import};
use crate::edit::{at_line, names_of, put_lines, within};
use crate::failure::{Failure, quoted};
use crate::savepoint::{open, told};
use crate::shown::Columns;

/// Writes a checkpoint in which the rows of one state are those of a file to a place where nothing
/// is yet.
pub fn import(import: &Import, out: &mut impl Write) -> Result<(), Failure> {
    let checkpoint = open(&import.like)?;
    let edits = Edits::replacing(checkpoint.state(&import.state)?)?;
    let mut edits = within(edits, import.memory_limit);
    match import.format.unwrap_or_else(|| FileFormat::of(&import.rows)) {
        FileFormat::Csv => put_records(&mut edits, &import.rows)?,
        FileFormat::Jsonl => put_lines(&mut edits, &import.rows)?,
        FileFormat::Parquet => put_parquet(&mut edits, &import.rows)?,
    }
    let saved = checkpoint.edit(&edits, &import.out)?;
    told(saved, &import.out, out)
}

/// Puts the rows of a Parquet file.
#[cfg(feature = "sql")]
fn put_parquet(edits: &mut Edits<'_>, path: &Path) -> Result<(), Failure> {
    let state = edits.state().clone();
    holdwater_table::read_parquet(&state, path, |row| edits.put(row))
}

/// Says that this build reads no Parquet.
#[cfg(not(feature = "sql"))]
fn put_parquet(_: &mut Edits<'_>, _: &Path) -> Result<(), Failure> {
    Err(crate::sql::unbuilt("Parquet"))
}

/// Puts the rows of a CSV file, whose columns are those of a dump.
fn put_records(edits: &mut Edits<'_>, path: &Path) -> Result<(), Failure> {
    let unread = |error: csv::Error| {
        let line = error.position().map_or(0, csv::Position::line);
        match error.into_kind() {
            csv::ErrorKind::Io(source) => {
                Failure::io(format!("cannot read {}", path.display()), source)
            }
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => Failure::Data(format!(
                "{}, line {line}: {len} cells, not {expected_len}",
                path.display()
            )),
            _ => Failure::Data(format!("{}, line {line}: no CSV in UTF-8", path.display())),
        }
    };
    let columns = Columns::of(edits.state());
    let window = edits.state().window_schema().map(|_| "window");
    let wanted: Vec<&str> =
        columns.key.iter().map(String::as_str).chain(window).chain(["value"]).collect();
    let mut reader = csv::Reader::from_path(path).map_err(unread)?;
    let header = reader.headers().map_err(unread)?.clone();
    if header.iter().ne(wanted.iter().copied()) {
        return Err(Failure::Data(format!(
            "{}: the columns are {}, not {}",
            path.display(),
            quoted(&header.iter().collect::<Vec<_>>().join(",")),
            quoted(&wanted.join(","))
        )));
    }
    for record in reader.records() {
        let record = record.map_err(unread)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells: Vec<&str> = record.iter().collect();
        let row = row(edits.state(), &wanted, &cells);
        row.and_then(|row| edits.put(&row)).map_err(|failure| at_line(failure, path, line))?;
    }
    Ok(())
}

/// Reads a row from its cells.
fn row(state: &StateReader<'_>, names: &[&str], cells: &[&str]) -> Result<Row, Failure> {
    let mut cells = names.iter().zip(cells);
    let mut cell = |schema| {
        let (name, cell) = cells.next().unwrap_or((&"value", &""));
        let read = Datum::from_cell(schema, cell);
        read.map_err(|unfit| Failure::Data(format!("{name}: {unfit}")))
    };
    let key = match state.key_schema().kind() {
        Kind::Struct(members) => {
            let fields = members
                .map(|member| Ok((Datum::Text(member.name.to_owned()), cell(member.schema)?)));
            Datum::Pairs(fields.collect::<Result<_, Failure>>()?)
        }
        _ => cell(state.key_schema())?,
    };
    let window = state.window_schema().map(&mut cell).transpose()?;
    let (name, value) = cells.next().unwrap_or((&"value", &""));
    let held = state.held_from_cell(value, names_of(state));
    let held = held.map_err(|unfit| Failure::Data(format!("{name}: {unfit}")))?;
    Ok(Row { key, window, held })
}
