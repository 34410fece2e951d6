//! `holdwater get`: what a state of a checkpoint holds of one key, from its files or a server.

use std::io::Write;

use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::row::{Held, Row};

use crate::arguments::{Get, WINDOW_START};
use crate::checkpoint::Checkpoint;
use crate::dump::no_such_key;
use crate::failure::{Failure, quoted};
use crate::savepoint::warn;
use crate::serve;
use crate::shown::{Columns, window_start};
use crate::terminal::shown;
use crate::timestamp::parse_timestamp;

/// Prints what a state holds of a key: a line for each of its windows.
///
/// Only the parts of the key's group are read. Where they are damaged or gone, the newest
/// checkpoint that is intact as a whole is looked for.
pub fn get(get: &Get, out: &mut impl Write) -> Result<(), Failure> {
    if is_server(&get.checkpoint) {
        let found = serve::get(get)?;
        return shown(out.write_all(found.as_bytes()).and_then(|()| out.flush()));
    }
    let of_servers = [("--live", get.live), ("--token-file", get.token_file.is_some())];
    if let Some((flag, _)) = of_servers.iter().find(|(_, is_given)| *is_given) {
        let why = format!("{flag} is for a server; give its URL, http://HOST:PORT");
        return Err(Failure::Usage(why));
    }
    let found = match lines(get, &Checkpoint::open_unread(&get.checkpoint)?) {
        Err(Failure::Corrupt(_) | Failure::Missing(_)) => {
            let checkpoint = Checkpoint::open(&get.checkpoint)?;
            warn(&checkpoint);
            lines(get, &checkpoint)?
        }
        found => found?,
    };
    shown(out.write_all(found.as_bytes()).and_then(|()| out.flush()))
}

/// Returns whether a server is meant: files have no such names.
fn is_server(checkpoint: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| checkpoint.starts_with(scheme))
}

fn lines(get: &Get, checkpoint: &Checkpoint) -> Result<String, Failure> {
    let state = checkpoint.state(&get.state)?;
    let columns = Columns::of(&state);
    let mut rows = state.key(&columns.key_of(state.key_schema(), &get.key, "--key")?)?;
    if rows.is_empty() {
        return Err(no_such_key(state.name(), &get.key));
    }
    if let Some(window) = &get.window {
        within(&mut rows, window, &columns, get)?;
    }
    let mut lines = String::new();
    for mut row in rows {
        if let Some(key) = &get.map_key {
            let Some(held) = field(&state, row.held, key)? else { continue };
            row.held = held;
        }
        columns.write_json(row, &mut lines);
        lines.push('\n');
    }
    match &get.map_key {
        Some(key) if lines.is_empty() => {
            let (state, key) = (state.name(), quoted(key));
            let of = quoted(&get.key.join(","));
            Err(Failure::Data(format!("state {state} holds nothing under {key} of key {of}")))
        }
        _ => Ok(lines),
    }
}

/// Keeps the rows of the window that begins at a time.
fn within(rows: &mut Vec<Row>, window: &str, columns: &Columns, get: &Get) -> Result<(), Failure> {
    if columns.window != Some(WINDOW_START) {
        let text = format!("state {} has no windows of time; leave --window away", get.state);
        return Err(Failure::Usage(text));
    }
    let start = parse_timestamp(window).ok_or_else(|| {
        let window = quoted(window);
        Failure::Usage(format!("--window {window} is no time; give one such as 2001-01-03T12:00"))
    })?;
    let begins = |row: &Row| row.window.as_ref().and_then(window_start).map(|time| time.0);
    rows.retain(|row| begins(row) == Some(start));
    if rows.is_empty() {
        let (state, key) = (&get.state, quoted(&get.key.join(",")));
        let text = format!("state {state} has no window of key {key} that begins at {window}");
        return Err(Failure::Data(text));
    }
    Ok(())
}

/// Takes out of a map what it holds under `key`; of a set the member.
fn field(state: &StateReader<'_>, held: Held, key: &str) -> Result<Option<Held>, Failure> {
    let (Some(schema), Held::Fields(_) | Held::Members(_)) = (state.field_schema(), &held) else {
        let text = format!("state {} is no map; leave --map-key away", state.name());
        return Err(Failure::Usage(text));
    };
    let key = Datum::from_cell(schema, key)
        .map_err(|unfit| Failure::Usage(format!("--map-key: {unfit}")))?;
    Ok(held.under(&key))
}
