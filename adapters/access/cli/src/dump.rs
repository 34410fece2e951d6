//! `holdwater dump`: the rows of a state of a checkpoint, from its files alone.

mod write;

use std::io::{self, Write};

use holdwater_processor::StateReader;
use holdwater_processor::row::Row;

use self::write::Printer;
use crate::arguments::{Dump, FileFormat, Format};
use crate::failure::{Failure, quoted};
use crate::savepoint::open;
use crate::shown::Columns;
use crate::terminal::shown;

/// Prints the rows of a state. Only one key group is held in memory at a time.
pub fn dump(dump: &Dump, out: &mut impl Write) -> Result<(), Failure> {
    for _ in 1..ROUNDS_MAX {
        match attempt(dump, out) {
            // A job has removed the checkpoint since it was found; there is a newer one.
            Err(Stop::Failed(Failure::Missing(_))) => {}
            ended => return ended.or_else(Stop::end),
        }
    }
    attempt(dump, out).or_else(Stop::end)
}

/// Why rows are printed no further.
enum Stop {
    Failed(Failure),
    Unwritten(io::Error),
}

impl Stop {
    fn end(self) -> Result<(), Failure> {
        match self {
            Self::Failed(failure) => Err(failure),
            Self::Unwritten(error) => shown(Err(error)),
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

fn attempt(dump: &Dump, out: &mut impl Write) -> Result<(), Stop> {
    let checkpoint = open(&dump.checkpoint)?;
    let state = checkpoint.state(&dump.state)?;
    let columns = Columns::of(&state);
    let rows = rows(dump, &state, &columns)?;
    let format = match dump.format {
        _ if dump.json => Format::Jsonl,
        FileFormat::Csv => Format::Csv,
        FileFormat::Jsonl => Format::Jsonl,
        FileFormat::Parquet => return write_parquet(&state, rows, dump.stored, out),
    };
    let mut printer = Printer::new(format, &columns, dump.stored, out)?;
    for row in rows {
        printer.row(row?)?;
    }
    Ok(printer.finish()?)
}

/// Returns the rows that are asked for.
fn rows<'c>(
    dump: &Dump,
    state: &StateReader<'c>,
    columns: &Columns,
) -> Result<Box<dyn Iterator<Item = Result<Row, Failure>> + 'c>, Failure> {
    let Some(cells) = &dump.key else { return Ok(Box::new(state.rows()?)) };
    let rows = state.key(&columns.key_of(state.key_schema(), cells, "--key")?)?;
    match rows.is_empty() {
        true => Err(no_such_key(state.name(), cells)),
        false => Ok(Box::new(rows.into_iter().map(Ok))),
    }
}

/// Writes rows as a Parquet file.
#[cfg(feature = "sql")]
fn write_parquet(
    state: &StateReader<'_>,
    rows: impl Iterator<Item = Result<Row, Failure>>,
    stored: bool,
    out: &mut impl Write,
) -> Result<(), Stop> {
    let mut file = holdwater_table::ParquetRows::new(state, stored)?;
    for row in rows {
        out.write_all(&file.write(row?)?)?;
    }
    out.write_all(&file.finish()?)?;
    Ok(out.flush()?)
}

/// Says that this build writes no Parquet.
#[cfg(not(feature = "sql"))]
fn write_parquet(
    _: &StateReader<'_>,
    _: impl Iterator<Item = Result<Row, Failure>>,
    _: bool,
    _: &mut impl Write,
) -> Result<(), Stop> {
    Err(crate::sql::unbuilt("Parquet").into())
}

/// Says that a state has nothing of a key.
pub(crate) fn no_such_key(state: &str, key: &[String]) -> Failure {
    Failure::Data(format!("state {state} has no key {}", quoted(&key.join(","))))
}

/// How often a directory is looked at whose job removes faster than it is read.
const ROUNDS_MAX: usize = 10;
