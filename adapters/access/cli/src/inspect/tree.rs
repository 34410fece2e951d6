//! A checkpoint for a person: a tree, with bars for what is large.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use holdwater::manifest::{Manifest, OperatorEntry, StateEntry, StateSchema};
use holdwater::schema::Schema;
use holdwater::state::{Expiry, Kind, TimeDomain};
use holdwater::ttl::stamped_schema;
use indicatif::HumanCount;

use super::measure::{Size, Spread, largest};
use crate::duration::{age_in_words, duration_in_words, now_ms};
use crate::failure::quoted;
use crate::list::kind;
use crate::signature::{job_in_words, position_of};
use crate::size::size_in_words;
use crate::terminal::Paint;

/// Writes the tree of a checkpoint.
pub(super) fn write(
    manifest: &Manifest,
    directory: &Path,
    paint: Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    head(manifest, directory, paint, out)?;
    for operator in &manifest.operators {
        writeln!(out)?;
        self::operator(operator, manifest.key_groups, paint, out)?;
    }
    writeln!(out)?;
    files(manifest, paint, out)?;
    totals(manifest, out)
}

fn head(
    manifest: &Manifest,
    directory: &Path,
    paint: Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    let Manifest { id, created_ms, depth, parent, origin, job, signature, .. } = manifest;
    let title = format!("checkpoint {id}");
    writeln!(out, "{} in {}", paint.title(&title), directory.display())?;
    let mut line = |name: &str, text: String| writeln!(out, "  {name:<9} {text}");
    line("taken", format!("{} ago", age_in_words(now_ms().saturating_sub(*created_ms))))?;
    let since = match depth {
        0 => String::new(),
        1 => ", the first after a full one".to_owned(),
        depth => format!(", number {depth} after a full one"),
    };
    line("kind", format!("{}{since}", kind(manifest)))?;
    let parent = parent.map_or("no parent".to_owned(), |parent| format!("parent {parent}"));
    line("lineage", format!("{parent}; epoch {} started from {origin}", id.epoch))?;
    line("job", job_in_words(signature))?;
    line("job id", format!("{job:032x}"))?;
    for source in &manifest.sources {
        let read = match position_of(&source.position, signature) {
            Some(position) => {
                let (rows, bytes) = (HumanCount(position.rows), size_in_words(position.bytes));
                format!("{rows} rows, {bytes} read")
            }
            None => format!("a position of {} bytes", source.position.len()),
        };
        line("input", format!("{}: {read}", plain(&source.name)))?;
    }
    for (name, count) in &manifest.counters {
        line("counter", format!("{}: {}", plain(name), HumanCount(*count)))?;
    }
    Ok(())
}

fn operator(
    operator: &OperatorEntry,
    key_groups: u16,
    paint: Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    let title = format!("operator {}", plain(&operator.name));
    let tasks = if operator.parallelism == 1 { "task" } else { "tasks" };
    let parallelism = operator.parallelism;
    if operator.states.is_empty() {
        return writeln!(out, "{}: {parallelism} {tasks}, no state", paint.title(&title));
    }
    writeln!(out, "{}: {parallelism} {tasks}, {key_groups} key groups", paint.title(&title))?;
    let sizes: Vec<_> = operator.states.iter().map(Size::of_state).collect();
    let most = sizes.iter().map(|size| size.bytes).max().unwrap_or(0);
    let width = operator.states.iter().map(|state| plain(&state.name).chars().count()).max();
    let width = width.unwrap_or(0).min(NAME_WIDTH);
    for (state, size) in operator.states.iter().zip(&sizes) {
        let (name, bytes) = (plain(&state.name), size_in_words(size.bytes));
        writeln!(out, "  {name:<width$}  {bytes:>9}  {}", bar(size.bytes, most))?;
    }
    for (state, size) in operator.states.iter().zip(&sizes) {
        writeln!(out)?;
        let is_keyed = Kind::from_code(state.schema.kind).is_none_or(Kind::is_keyed);
        let groups = if is_keyed { (key_groups, "group") } else { (parallelism, "task") };
        match native_keys(operator, &state.name).filter(|_| state.chains.is_empty()) {
            Some(keys) => native_state(state, keys, paint, out)?,
            None => self::state(state, size, groups, paint, out)?,
        }
    }
    for native in &operator.natives {
        let (store, files) = (plain(&native.store), counted(native.files.len() as u64, "file"));
        let (first, last) = (native.groups.start, native.groups.end - 1);
        writeln!(out, "  key groups {first} to {last} are in {files} of the store {store}")?;
    }
    Ok(())
}

/// Returns how many keys of a state are in files of a store, if any can be.
pub(super) fn native_keys(operator: &OperatorEntry, state: &str) -> Option<u64> {
    let states = operator.natives.iter().flat_map(|native| &native.states);
    let keys = states.filter(|native| native.name == state).map(|native| &native.keys);
    keys.map(|keys| keys.iter().sum::<u64>()).reduce(|sum, keys| sum + keys)
}

fn native_state(
    state: &StateEntry,
    keys: u64,
    paint: Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    let title = format!("state {}", plain(&state.name));
    let kind = kind_in_words(state.schema.kind);
    writeln!(out, "  {}: {kind}, {}", paint.title(&title), schema_in_words(&state.schema))?;
    writeln!(out, "    {} in files of a store, which alone reads them", counted(keys, "key"))
}

fn state(
    state: &StateEntry,
    size: &Size,
    (groups, group): (u16, &str),
    paint: Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    let title = format!("state {}", plain(&state.name));
    let kind = kind_in_words(state.schema.kind);
    writeln!(out, "  {}: {kind}, {}", paint.title(&title), schema_in_words(&state.schema))?;
    if state.chains.is_empty() {
        return writeln!(out, "    no rows");
    }
    let rows = rows_in_words(size);
    let (parts, files) = (counted(size.parts, "part"), counted(size.files.len() as u64, "file"));
    let (held, bytes) = (state.chains.len(), size_in_words(size.bytes));
    writeln!(out, "    {rows} in {held} of {groups} {group}s; {bytes} in {parts} of {files}")?;
    let spread = Spread::of(state.chains.iter().map(|chain| Size::of_chain(chain).bytes), groups);
    writeln!(
        out,
        "    per {group}: min {}, median {}, max {}, which is {:.1} times the mean",
        size_in_words(spread.min),
        size_in_words(spread.median),
        size_in_words(spread.max),
        spread.skew
    )?;
    for (number, size) in largest(state, LARGEST) {
        let (bytes, bar) = (size_in_words(size.bytes), bar(size.bytes, spread.max));
        writeln!(
            out,
            "    {group} {number:>5}  {bytes:>9}  {bar:<BAR_WIDTH$}  {}",
            rows_in_words(&size)
        )?;
    }
    match state.chains.len().saturating_sub(LARGEST) {
        0 => Ok(()),
        others => writeln!(out, "    and {others} smaller; --json shows all"),
    }
}

fn files(manifest: &Manifest, paint: Paint, out: &mut impl Write) -> io::Result<()> {
    let mut files: Vec<_> = manifest.files.iter().collect();
    files.sort_by_key(|file| std::cmp::Reverse((file.length, file.id)));
    let most = files.first().map_or(0, |file| file.length);
    writeln!(out, "{}", paint.title("files"))?;
    for file in files.iter().take(FILES) {
        let (name, bytes) = (file.id.to_string(), size_in_words(file.length));
        writeln!(out, "  {name:<18}  {bytes:>9}  {}", bar(file.length, most))?;
    }
    match files.len().saturating_sub(FILES) {
        0 => Ok(()),
        others => writeln!(out, "  and {others} smaller; --json shows all"),
    }
}

fn totals(manifest: &Manifest, out: &mut impl Write) -> io::Result<()> {
    let id = manifest.id;
    let (mut bytes, mut own, mut writers) = (0, 0, BTreeSet::new());
    for file in &manifest.files {
        bytes += file.length;
        writers.insert((file.id.epoch, file.id.checkpoint));
        if (file.id.checkpoint, file.id.epoch) == (id.checkpoint, id.epoch) {
            own += file.length;
        }
    }
    let states: usize = manifest.operators.iter().map(|operator| operator.states.len()).sum();
    writeln!(
        out,
        "in all: {}, {} of {}; {} were written for this checkpoint",
        counted(states as u64, "state"),
        counted(manifest.files.len() as u64, "file"),
        size_in_words(bytes),
        size_in_words(own)
    )
}

/// Returns the word for a kind of state.
pub(super) fn kind_in_words(kind: u8) -> String {
    Kind::from_code(kind).map_or_else(|| format!("kind {kind}"), |kind| kind.to_string())
}

/// Writes what a state maps to what, and for how long if not for ever:
/// `{ origin: String } -> u64, for 7d by the clock`.
pub(super) fn schema_in_words(schema: &StateSchema) -> String {
    let words = |bytes: &[u8]| match Schema::parse(bytes) {
        Ok(schema) => plain(&schema.to_string()),
        Err(_) => "?".to_owned(),
    };
    let mut text = words(&schema.key);
    let stamped = Schema::parse(&schema.value).ok().filter(|_| schema.expiry.is_some());
    let value = match stamped.and_then(stamped_schema) {
        Some(value) => plain(&value.to_string()),
        None => words(&schema.value),
    };
    match Kind::from_code(schema.kind).map(Kind::rows) {
        Some(Kind::List) => text.push_str(&format!(" -> [{value}]")),
        Some(Kind::Map) if value == "()" => {
            text.push_str(&format!(" -> set of {}", words(&schema.field)));
        }
        Some(Kind::Map) => text.push_str(&format!(" -> {} -> {value}", words(&schema.field))),
        Some(Kind::Timers) => text.push_str(" -> times"),
        _ => text.push_str(&format!(" -> {value}")),
    }
    if let Some(Expiry { domain, duration_ms }) = schema.expiry {
        let clock = match domain {
            TimeDomain::Event => "event time",
            TimeDomain::Processing => "the clock",
        };
        text.push_str(&format!(", for {} by {clock}", duration_in_words(duration_ms)));
    }
    text
}

fn rows_in_words(size: &Size) -> String {
    let most = if size.has_deltas { "at most " } else { "" };
    let rows = if size.rows == 1 { "row" } else { "rows" };
    format!("{most}{} {rows}", HumanCount(size.rows))
}

fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

/// Draws how large something is against the largest of its kind.
fn bar(size: u64, most: u64) -> String {
    if most == 0 {
        return String::new();
    }
    let width = (size as f64 / most as f64 * BAR_WIDTH as f64).round() as usize;
    "#".repeat(width.max(usize::from(size > 0)))
}

/// Leaves out what could do something to a terminal: names come from files.
fn plain(text: &str) -> String {
    if text.chars().any(char::is_control) { quoted(text) } else { text.to_owned() }
}

/// How many key groups of each state are shown.
const LARGEST: usize = 3;
/// How many files are shown.
const FILES: usize = 8;
/// How wide the bar of the largest is.
const BAR_WIDTH: usize = 24;
/// The width that names of states are aligned to at most.
const NAME_WIDTH: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_gone() {
        assert_eq!(bar(0, 0), "");
        assert_eq!(bar(0, 9), "");
        assert_eq!(bar(1, 1_000_000), "#");
        assert_eq!(bar(500, 1_000).len(), BAR_WIDTH / 2);
        assert_eq!(bar(1_000, 1_000).len(), BAR_WIDTH);
    }

    #[test]
    fn names_from_files_do_nothing_to_a_terminal() {
        assert_eq!(plain("count"), "count");
        assert_eq!(plain("a\u{1b}[2J"), "\"a\\u{1b}[2J\"");
    }
}
