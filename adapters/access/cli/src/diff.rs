//! `holdwater diff`: what changed from one checkpoint to another.

use std::collections::BTreeSet;
use std::io::{self, Write};

use holdwater_processor::diff::{Change, Changes};
use holdwater_processor::row::Row;
use holdwater_processor::{Checkpoint, StateReader};
use serde_json::json;

use crate::accumulators::Answer;
use crate::arguments::Diff;
use crate::failure::Failure;
use crate::savepoint::open;
use crate::shown::Columns;
use crate::table::Table;
use crate::terminal::shown;

/// Compares two checkpoints state by state: prints how many rows changed, or which.
pub fn diff(diff: &Diff, out: &mut impl Write) -> Result<(), Failure> {
    let (before, after) = (open(&diff.before)?, open(&diff.after)?);
    let mut states: BTreeSet<(&str, &str)> = names(&before).chain(names(&after)).collect();
    if let Some(name) = &diff.state {
        let found = before.find_state(name).or_else(|_| after.find_state(name));
        let (operator, state) = found?;
        states.retain(|name| *name == (operator, state.name.as_str()));
    }
    let mut tallies = Vec::with_capacity(states.len());
    for (operator, state) in states {
        let name = format!("{operator}/{state}");
        let (before, after) = (find(&before, operator, state)?, find(&after, operator, state)?);
        let Some(columns) = before.as_ref().or(after.as_ref()).map(Columns::of) else { continue };
        let mut changes = Changes::new(before, after)?;
        let mut tally = Tally::default();
        for change in &mut changes {
            let change = change?;
            tally.count(&change);
            if diff.rows
                && let Err(error) = writeln!(out, "{}", line(&name, &columns, change))
            {
                return shown(Err(error));
            }
        }
        tally.same = changes.same();
        tallies.push((name, tally));
    }
    let written = match (diff.rows, diff.json) {
        (true, _) => Ok(()),
        (false, true) => {
            tallies.iter().try_for_each(|(name, tally)| writeln!(out, "{}", tally.object(name)))
        }
        (false, false) => write_table(&tallies, out),
    };
    shown(written.and_then(|()| out.flush()))
}

/// How many rows of a state changed.
#[derive(Debug, Default)]
struct Tally {
    added: u64,
    removed: u64,
    changed: u64,
    same: u64,
}

impl Tally {
    const fn count(&mut self, change: &Change) {
        match change {
            Change::Added(_) => self.added += 1,
            Change::Changed(..) => self.changed += 1,
            Change::Removed(_) => self.removed += 1,
        }
    }

    fn object(&self, name: &str) -> serde_json::Value {
        let Self { added, removed, changed, same } = self;
        json!({
            "state": name, "added": added, "removed": removed, "changed": changed, "same": same,
        })
    }
}

fn names(checkpoint: &Checkpoint) -> impl Iterator<Item = (&str, &str)> {
    checkpoint.states().map(|(operator, state)| (operator, state.name.as_str()))
}

fn find<'c>(
    checkpoint: &'c Checkpoint,
    operator: &str,
    name: &str,
) -> Result<Option<StateReader<'c>>, Failure> {
    let mut states = checkpoint.states();
    let found = states.find(|(of, state)| (*of, state.name.as_str()) == (operator, name));
    found.map(|(operator, state)| StateReader::new(checkpoint, operator, state)).transpose()
}

fn write_table(tallies: &[(String, Tally)], out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(HEADER.len());
    table.row(&HEADER.map(|name| Answer::Text(name.into())), out)?;
    for (name, Tally { added, removed, changed, same }) in tallies {
        let counts = [added, removed, changed, same].map(|count| i128::from(*count));
        let mut row = vec![Answer::Text(name.as_str().into())];
        row.extend(counts.map(Answer::Integer));
        table.row(&row, out)?;
    }
    table.finish(out)
}

/// Writes a change as a JSON object.
fn line(name: &str, columns: &Columns, change: Change) -> String {
    let (word, before, after) = match change {
        Change::Added(row) => ("added", None, Some(row)),
        Change::Changed(before, after) => ("changed", Some(before), Some(after)),
        Change::Removed(row) => ("removed", Some(row), None),
    };
    let mut line = format!("{{\"state\":{},\"change\":\"{word}\",", json!(name));
    if let Some(row) = before.as_ref().or(after.as_ref()) {
        columns.write_key(row, &mut line);
    }
    for (name, row) in [("before", before), ("after", after)] {
        if let Some(Row { held, .. }) = row {
            line.push_str(&format!(",\"{name}\":"));
            columns.value(held).write_json(&mut line);
        }
    }
    line.push('}');
    line
}

const HEADER: [&str; 5] = ["state", "added", "removed", "changed", "same"];
