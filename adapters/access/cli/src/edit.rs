//! `holdwater edit`: rows put and removed, as a savepoint.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use holdwater_processor::datum::{Datum, Names};
use holdwater_processor::edit::Edits;
use holdwater_processor::row::Row;
use holdwater_processor::{Checkpoint, StateReader};

use crate::arguments::{Edit, WINDOW_START, parse_key};
use crate::failure::{Failure, quoted};
use crate::savepoint::{open, told};
use crate::shown::{Columns, is_of_a_spec, window_start};
use crate::timestamp::parse_timestamp;

/// Writes a checkpoint with rows of one state put and removed to a place where nothing is yet.
pub fn edit(edit: &Edit, out: &mut impl Write) -> Result<(), Failure> {
    let checkpoint = Arc::new(open(&edit.checkpoint)?);
    let mut edits = edits(edit, &checkpoint)?;
    if let Some(query) = &edit.delete_from {
        crate::sql::remove(&mut edits, &checkpoint, query)?;
    }
    if let Some(query) = &edit.set_from {
        crate::sql::put(&mut edits, &checkpoint, query)?;
    }
    let saved = checkpoint.edit(&edits, &edit.out)?;
    told(saved, &edit.out, out)
}

fn edits<'c>(edit: &Edit, checkpoint: &'c Checkpoint) -> Result<Edits<'c>, Failure> {
    let state = checkpoint.state(&edit.state)?;
    let (columns, edits) = (Columns::of(&state), Edits::new(state.clone())?);
    let mut edits = within(edits, edit.memory_limit);
    let window = edit.window.as_deref();
    for key in &edit.delete {
        let key = columns.key_of(state.key_schema(), key, "--delete")?;
        let window = window.map(|window| window_of(&state, &columns, &key, window)).transpose()?;
        edits.remove(&key, window.as_ref())?;
    }
    for (key, value) in &edit.set {
        let named = quoted(&key.join(","));
        let key = columns.key_of(state.key_schema(), key, "--set")?;
        let window = match (window, columns.window) {
            (Some(window), _) => Some(window_of(&state, &columns, &key, window)?),
            (None, None) => None,
            (None, Some(_)) => {
                let text = format!("state {} has windows; give --window START", state.name());
                return Err(Failure::Usage(text));
            }
        };
        let held = state.held_from_json(value, names_of(&state));
        let held = held.map_err(|unfit| Failure::Usage(format!("--set {named}: {unfit}")))?;
        edits.put(&Row { key, window, held })?;
    }
    if let Some(path) = &edit.from {
        put_lines(&mut edits, path)?;
    }
    Ok(edits)
}

/// Sets how much memory rows may take.
pub(crate) fn within(edits: Edits<'_>, limit: Option<u64>) -> Edits<'_> {
    match limit {
        Some(limit) => edits.within(usize::try_from(limit).unwrap_or(usize::MAX)),
        None => edits,
    }
}

/// Puts the rows of a file of JSON lines.
pub(crate) fn put_lines(edits: &mut Edits<'_>, path: &Path) -> Result<(), Failure> {
    let unread = |source| Failure::io(format!("cannot read {}", path.display()), source);
    let file = BufReader::new(File::open(path).map_err(unread)?);
    for (number, line) in (1..).zip(file.lines()) {
        let line = line.map_err(unread)?;
        if line.trim().is_empty() {
            continue;
        }
        let row = edits.state().row_from_json(&line, names_of(edits.state()));
        let row = row.map_err(|unfit| {
            let hint = if edits.state().window_schema().is_some() { STORED } else { "" };
            Failure::Data(format!("{}, line {number}: {unfit}{hint}", path.display()))
        })?;
        edits.put(&row).map_err(|failure| at_line(failure, path, number))?;
    }
    Ok(())
}

/// Says in which line of a file a row was refused.
pub(crate) fn at_line(failure: Failure, path: &Path, number: u64) -> Failure {
    match failure {
        Failure::Data(text) | Failure::Usage(text) => {
            Failure::Data(format!("{}, line {number}: {text}", path.display()))
        }
        failure => failure,
    }
}

/// Returns whether the names of variants may be left out: where they were when rows were printed.
pub(crate) fn names_of(state: &StateReader<'_>) -> Names {
    if is_of_a_spec(state.value_schema()) { Names::Inferred } else { Names::Given }
}

/// Reads which window of a key is meant: START of one that is there, START/END, or as it is stored.
fn window_of(
    state: &StateReader<'_>,
    columns: &Columns,
    key: &Datum,
    text: &str,
) -> Result<Datum, Failure> {
    let usage = |said: String| Failure::Usage(format!("--window {}: {said}", quoted(text)));
    let Some(schema) = state.window_schema() else {
        return Err(usage(format!("state {} has no windows; leave it away", state.name())));
    };
    if columns.window != Some(WINDOW_START) {
        return Datum::from_cell(schema, text).map_err(|unfit| usage(unfit.to_string()));
    }
    let time = |text: &str| {
        parse_timestamp(text).ok_or_else(|| {
            usage(format!("{} is no time; give one such as 2001-01-03T12:00", quoted(text)))
        })
    };
    if let Some((start, end)) = text.split_once('/') {
        let window = format!("{{\"start\":{},\"end\":{}}}", time(start)?, time(end)?);
        return Datum::from_json(schema, &window).map_err(|unfit| usage(unfit.to_string()));
    }
    let start = time(text)?;
    let windows = state.key(key)?.into_iter().filter_map(|row| row.window);
    let begins = |window: &Datum| window_start(window).is_some_and(|time| time.0 == start);
    windows.into_iter().find(begins).ok_or_else(|| {
        let key = key.cell();
        Failure::Data(format!(
            "no window of key {key} begins at {text}; give --window START/END to put one there"
        ))
    })
}

/// Takes `KEY=VALUE` apart: the key as in a CSV line, in which quotes may hold the sign.
pub(crate) fn parse_set(text: &str) -> Result<(Box<[String]>, String), String> {
    let mut is_quoted = false;
    let sign = text.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == b'=' && !is_quoted
    });
    let expected = "expected KEY=VALUE, such as ATL=7, the value as JSON";
    let (key, value) = text.split_at(sign.ok_or(expected)?);
    Ok((parse_key(key)?, value[1..].to_owned()))
}

/// What writes rows as they are read here.
const STORED: &str = "; holdwater dump --stored writes rows as they are read here";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_the_first_sign_outside_of_quotes() {
        let set = |text| parse_set(text).map(|(key, value)| (key.to_vec(), value));
        let fields = |fields: &[&str]| fields.iter().map(|&field| field.to_owned()).collect();
        assert_eq!(set("ATL=7"), Ok((fields(&["ATL"]), "7".to_owned())));
        assert_eq!(set("a,b=\"x=y\""), Ok((fields(&["a", "b"]), "\"x=y\"".to_owned())));
        assert_eq!(set("\"a=b\",c=[]"), Ok((fields(&["a=b", "c"]), "[]".to_owned())));
        assert!(set("ATL").is_err());
    }
}
