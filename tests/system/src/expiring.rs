//! What comes out of windows whose content expires, computed from the contract alone: row by row.

use std::collections::BTreeMap;

use crate::expected::Expected;
use crate::rows::Rows;
use crate::windows::{Found, Windows, aligned, printed, seconds};

/// A row: the input, and its number in it.
type Row = (usize, usize);

/// What is held of a key in a window.
#[derive(Clone, Debug)]
struct Held {
    /// Where the window ends.
    end: i64,
    /// The latest time of the key.
    stamp: i64,
    /// The rows since the key was new, or had expired.
    rows: Vec<Row>,
    /// All rows with their times.
    items: Vec<(i64, Row)>,
}

/// By key and start of the window.
type Windowed = BTreeMap<(Vec<String>, i64), Held>;

/// Computes windows over inputs as [`windows`](crate::windows::windows) does, where what is held of
/// a key expires `ttl` seconds after its latest row, and the values of distinct and collect each by
/// itself. The inputs have no key in common, and in sessions no late rows.
pub fn expiring(
    inputs: &[&Rows],
    key: &[&str],
    specs: &[&str],
    time: &str,
    (kind, lateness, ttl): (Windows, i64, i64),
) -> Found {
    let (mut late, mut held, mut reached) = (0, Windowed::new(), i64::MIN);
    for (number, input) in inputs.iter().enumerate() {
        let place = |name: &str| input.columns.iter().position(|column| column == name).unwrap();
        let (times, keys): (_, Vec<_>) =
            (place(time), key.iter().map(|name| place(name)).collect());
        let mut highest = None;
        for (row, cells) in input.rows.iter().enumerate() {
            let at = seconds(&cells[times]);
            let watermark = highest.map_or(i64::MIN, |highest: i64| highest - lateness);
            highest = highest.max(Some(at));
            let own: Vec<_> = keys.iter().map(|place| cells[*place].clone()).collect();
            let found = match kind {
                Windows::Tumbling(size) => ends(aligned(at, size, size, watermark), size),
                Windows::Sliding(size, slide) => ends(aligned(at, size, slide, watermark), size),
                Windows::Session(gap) => {
                    assert!(at + gap > watermark, "a late row");
                    vec![join(&mut held, &own, (at, gap), watermark, ttl)]
                }
            };
            late += usize::from(found.is_empty());
            for (start, end) in found {
                let entry = held.entry((own.clone(), start));
                let new = Held { end, stamp: at, rows: Vec::new(), items: Vec::new() };
                let held = entry.or_insert(new);
                if held.stamp + ttl <= watermark {
                    (held.stamp, held.rows) = (at, Vec::new());
                }
                held.stamp = held.stamp.max(at);
                held.rows.push((number, row));
                held.items.push((at, (number, row)));
            }
        }
        reached = reached.max(highest.map_or(i64::MIN, |highest| highest - lateness));
    }
    Found { rows: result(inputs, key, specs, held, (reached, ttl)), late }
}

fn ends(starts: Vec<i64>, size: i64) -> Vec<(i64, i64)> {
    starts.into_iter().map(|start| (start, start + size)).collect()
}

/// Joins the sessions of a key that a row at this time is in; returns where it begins and ends.
fn join(
    held: &mut Windowed,
    key: &[String],
    (at, gap): (i64, i64),
    watermark: i64,
    ttl: i64,
) -> (i64, i64) {
    let range = (key.to_vec(), i64::MIN)..(key.to_vec(), at + gap);
    let starts: Vec<_> = held
        .range(range)
        .filter(|((_, start), session)| at < session.end && *start < at + gap)
        .map(|((_, start), _)| *start)
        .collect();
    let mut joined = Held { end: at + gap, stamp: at, rows: Vec::new(), items: Vec::new() };
    for start in &starts {
        let session = held.remove(&(key.to_vec(), *start)).unwrap();
        if session.stamp + ttl > watermark {
            joined.stamp = joined.stamp.max(session.stamp);
            joined.rows.extend(session.rows);
        }
        joined.items.extend(session.items);
        joined.end = joined.end.max(session.end);
    }
    joined.rows.sort_unstable();
    joined.items.sort_unstable_by_key(|(_, row)| *row);
    let (start, end) = (starts.first().copied().unwrap_or(at).min(at), joined.end);
    held.insert((key.to_vec(), start), joined);
    (start, end)
}

/// Judges what is held at the last moment of its window, or where the inputs ended.
fn result(
    inputs: &[&Rows],
    key: &[&str],
    specs: &[&str],
    held: Windowed,
    (reached, ttl): (i64, i64),
) -> Rows {
    let mut columns: Vec<&str> = inputs[0].columns.iter().map(String::as_str).collect();
    columns.push("window_start");
    let key: Vec<&str> = key.iter().copied().chain(["window_start"]).collect();
    let (of_items, of_keys): (Vec<&str>, Vec<&str>) = specs
        .iter()
        .partition(|spec| spec.starts_with("distinct:") || spec.starts_with("collect:"));
    let mut keys = Expected::new(&columns, &key, &of_keys);
    let mut items = Expected::new(&columns, &key, &of_items);
    for ((_, start), held) in held {
        let lives = |stamp: i64| match reached < held.end {
            true => stamp + ttl > reached,
            false => stamp + ttl >= held.end,
        };
        let row = |(input, row): Row| {
            let mut cells: Vec<String> = inputs[input].rows[row].clone();
            cells.push(printed(start));
            cells
        };
        if lives(held.stamp) {
            held.rows.iter().for_each(|place| keys.add(&row(*place)));
            let live = held.items.iter().filter(|(time, _)| lives(*time));
            live.for_each(|(_, place)| items.add(&row(*place)));
        }
    }
    beside(keys.result(), &items.result(), &key, specs)
}

/// Puts the columns of `items` beside those of `keys`, in the order of the SPECs; a key without
/// items has empty ones.
fn beside(keys: Rows, items: &Rows, key: &[&str], specs: &[&str]) -> Rows {
    let width = key.len();
    let found: BTreeMap<_, _> = items.rows.iter().map(|row| (&row[..width], row)).collect();
    let cell = |row: &Vec<String>, spec: &str| {
        let place = |rows: &Rows| rows.columns.iter().position(|column| column == spec);
        match (place(&keys), place(items)) {
            (Some(place), _) => row[place].clone(),
            (None, Some(place)) => {
                found.get(&row[..width]).map(|row| row[place].clone()).unwrap_or_default()
            }
            (None, None) => panic!("no column {spec}"),
        }
    };
    let rows = keys.rows.iter().map(|row| {
        let cells = specs.iter().map(|spec| cell(row, spec));
        row[..width].iter().cloned().chain(cells).collect()
    });
    let columns = key.iter().chain(specs).map(ToString::to_string).collect();
    Rows { columns, rows: rows.collect() }
}
