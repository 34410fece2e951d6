//! `holdwater sql`: queries over checkpoints.

mod edit;
#[cfg(feature = "sql")]
mod write;

pub(crate) use self::edit::{put, remove};

#[cfg(feature = "sql")]
use std::{path::Path, sync::Arc};

use std::io::Write;

#[cfg(feature = "sql")]
use self::write::Printer;
use crate::arguments::Sql;
#[cfg(feature = "sql")]
use crate::checkpoint::Checkpoint;
use crate::failure::Failure;
#[cfg(feature = "sql")]
use crate::savepoint::{open, warn};

/// Says that this build asks nothing in SQL.
#[cfg(not(feature = "sql"))]
pub fn sql(_: &Sql, _: &mut impl Write) -> Result<(), Failure> {
    Err(unbuilt("SQL"))
}

/// Says that this build lacks what DataFusion and Arrow do.
#[cfg(not(feature = "sql"))]
pub(crate) fn unbuilt(what: &str) -> Failure {
    Failure::Usage(format!("this build has no {what}: build with `--features sql`"))
}

/// Prints what a query over checkpoints comes to.
///
/// Only what the query asks for is read. Where that is damaged or gone, before there is a first
/// row, the newest checkpoints that are intact as a whole are looked for.
#[cfg(feature = "sql")]
pub fn sql(sql: &Sql, out: &mut impl Write) -> Result<(), Failure> {
    let attempt = match begin(sql, Checkpoint::open_unread) {
        Err(Failure::Corrupt(_) | Failure::Missing(_)) => begin(sql, open),
        begun => begun,
    };
    let (first, rows) = attempt?;
    let mut printer = Printer::new(sql, &rows, out)?;
    for batch in first.into_iter().map(Ok).chain(rows) {
        if !printer.batch(&batch?)? {
            return Ok(());
        }
    }
    printer.finish()
}

/// Begins a query; returns what comes first.
#[cfg(feature = "sql")]
fn begin(
    sql: &Sql,
    open: impl Fn(&str) -> Result<Checkpoint, Failure>,
) -> Result<(Option<holdwater_table::Batch>, holdwater_table::Rows), Failure> {
    let (query, arguments) = match sql.checkpoints_and_query.split_last() {
        Some((query, arguments)) if !arguments.is_empty() => (query, arguments),
        _ => return Err(Failure::Usage("give a checkpoint, and a query behind it".to_owned())),
    };
    let mut checkpoints = Vec::with_capacity(arguments.len());
    for (place, argument) in arguments.iter().enumerate() {
        let (name, argument) = named(place, argument);
        checkpoints.push((name, Arc::new(open(argument)?)));
    }
    checkpoints.iter().for_each(|(_, checkpoint)| warn(checkpoint));
    let memory_max = usize::try_from(sql.memory_limit).unwrap_or(usize::MAX);
    let context = holdwater_table::context(checkpoints, memory_max)?;
    let mut rows = holdwater_table::query(&context, query)?;
    Ok((rows.next().transpose()?, rows))
}

/// Takes `NAME=CHECKPOINT` apart; without a name it is a letter.
#[cfg(feature = "sql")]
fn named(place: usize, argument: &str) -> (String, &str) {
    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
            && letters.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
    };
    match argument.split_once('=') {
        Some((name, of)) if is_name(name) && !Path::new(argument).exists() => (name.to_owned(), of),
        _ => {
            let letter = u8::try_from(place).ok().filter(|place| *place < 26);
            let name = letter.map(|place| char::from(b'a' + place).to_string());
            (name.unwrap_or_else(|| format!("c{place}")), argument)
        }
    }
}

#[cfg(all(test, feature = "sql"))]
mod tests {
    use super::named;

    #[test]
    fn a_checkpoint_is_called_as_said_or_by_a_letter() {
        let owned = |(name, of): (&str, &'static str)| (name.to_owned(), of);
        assert_eq!(named(0, "before=dir@7.e2"), owned(("before", "dir@7.e2")));
        assert_eq!(named(1, "dir"), owned(("b", "dir")));
        assert_eq!(named(1, "./x=y"), owned(("b", "./x=y")));
        assert_eq!(named(30, "X=y"), owned(("c30", "X=y")));
    }
}
