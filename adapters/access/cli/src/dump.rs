//! `holdwater dump`: the rows of a state of a checkpoint, from its files alone.

mod write;

use std::io::{self, Write};

use self::write::Printer;
use crate::arguments::{Dump, Format};
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
    let format = if dump.json { Format::Jsonl } else { dump.format };
    let Some(cells) = &dump.key else {
        let rows = state.rows()?;
        let mut printer = Printer::new(format, &columns, dump.stored, out)?;
        for row in rows {
            printer.row(row?)?;
        }
        return Ok(printer.finish()?);
    };
    let rows = state.key(&columns.key_of(state.key_schema(), cells)?)?;
    if rows.is_empty() {
        return Err(no_such_key(state.name(), cells).into());
    }
    let mut printer = Printer::new(format, &columns, dump.stored, out)?;
    rows.into_iter().try_for_each(|row| printer.row(row))?;
    Ok(printer.finish()?)
}

/// Says that a state has nothing of a key.
pub(crate) fn no_such_key(state: &str, key: &[String]) -> Failure {
    Failure::Data(format!("state {state} has no key {}", quoted(&key.join(","))))
}

/// How often a directory is looked at whose job removes faster than it is read.
const ROUNDS_MAX: usize = 10;
