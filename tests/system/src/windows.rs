//! What comes out of windows, computed from the contract alone: row by row, all in memory.

use std::collections::BTreeMap;

use crate::expected::Expected;
use crate::generate::Random;
use crate::rows::Rows;

/// Kinds of windows; times are in seconds.
#[derive(Clone, Copy, Debug)]
pub enum Windows {
    /// Of this length.
    Tumbling(i64),
    /// Of this length, one every so often.
    Sliding(i64, i64),
    /// Of rows less than this apart.
    Session(i64),
}

/// A minute in seconds.
pub const MINUTE: i64 = 60;
/// An hour in seconds.
pub const HOUR: i64 = 3_600;
/// A day in seconds.
pub const DAY: i64 = 86_400;

/// What a job with windows has to find.
#[derive(Debug)]
pub struct Found {
    /// A row for each key and window, under the key fields, `window_start` and the SPECs.
    pub rows: Rows,
    /// How many rows were late.
    pub late: usize,
}

/// The rows of each key and start of a window: the input, and the number of the row in it.
type Held = BTreeMap<(Vec<String>, i64), Vec<(usize, usize)>>;

/// Computes windows over inputs; each has its times in the column `time`.
pub fn windows(
    inputs: &[&Rows],
    key: &[&str],
    specs: &[&str],
    time: &str,
    (kind, lateness): (Windows, i64),
) -> Found {
    let mut late = 0;
    let mut held: Held = BTreeMap::new();
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
            let starts = match kind {
                Windows::Tumbling(size) => aligned(at, size, size, watermark),
                Windows::Sliding(size, slide) => aligned(at, size, slide, watermark),
                Windows::Session(gap) if at + gap <= watermark => Vec::new(),
                Windows::Session(_) => vec![at],
            };
            late += usize::from(starts.is_empty());
            for start in starts {
                held.entry((own.clone(), start)).or_default().push((number, row));
            }
        }
    }
    if let Windows::Session(gap) = kind {
        held = sessions(held, gap);
    }
    Found { rows: result(inputs, key, specs, held), late }
}

/// Returns the starts of all windows that hold a time and end behind the watermark.
pub(crate) fn aligned(at: i64, size: i64, slide: i64, watermark: i64) -> Vec<i64> {
    let mut start = at.div_euclid(slide) * slide;
    let mut starts = Vec::new();
    while start + size > at {
        if start + size > watermark {
            starts.push(start);
        }
        start -= slide;
    }
    starts
}

/// Puts the rows of a key together that are less than the gap apart, where none comes later than
/// the lateness allows.
fn sessions(held: Held, gap: i64) -> Held {
    let mut joined: Held = BTreeMap::new();
    let mut current: Option<((Vec<String>, i64), i64)> = None;
    for ((key, at), rows) in held {
        let start = match current.take() {
            Some((session, last)) if session.0 == key && at - last < gap => session,
            _ => (key, at),
        };
        joined.entry(start.clone()).or_default().extend(rows);
        current = Some((start, at));
    }
    joined.values_mut().for_each(|rows| rows.sort_unstable());
    joined
}

fn result(inputs: &[&Rows], key: &[&str], specs: &[&str], held: Held) -> Rows {
    let mut columns: Vec<&str> = inputs[0].columns.iter().map(String::as_str).collect();
    columns.push("window_start");
    let mut key = key.to_vec();
    key.push("window_start");
    let mut job = Expected::new(&columns, &key, specs);
    for ((_, start), rows) in held {
        for (input, row) in rows {
            let mut cells = inputs[input].rows[row].clone();
            cells.push(printed(start));
            job.add(&cells);
        }
    }
    job.result()
}

/// Returns rows in another order, in which no time goes back further than `disorder` seconds.
pub fn disordered(rows: &Rows, time: &str, disorder: i64, random: &mut Random) -> Rows {
    let place = rows.columns.iter().position(|column| column == time).unwrap();
    let mut placed: Vec<_> = rows
        .rows
        .iter()
        .map(|row| (seconds(&row[place]) + random.below(disorder.unsigned_abs() + 1) as i64, row))
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    let rows_of = placed.into_iter().map(|(_, row)| row.clone()).collect();
    Rows { columns: rows.columns.clone(), rows: rows_of }
}

/// Reads `YYYY-MM-DDThh:mm[:ss]`.
pub fn seconds(text: &str) -> i64 {
    let numbers: Vec<i64> = text.split(['-', 'T', ':']).map(|part| part.parse().unwrap()).collect();
    let [year, month, day, hour, minute] = numbers[..5] else { panic!("no time: {text}") };
    let mut days = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum::<i64>();
    days += (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1;
    days * DAY + hour * HOUR + minute * MINUTE + numbers.get(5).copied().unwrap_or(0)
}

/// Writes `YYYY-MM-DDThh:mm:ss`.
pub fn printed(seconds: i64) -> String {
    let (mut days, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (mut year, mut month) = (1970, 1);
    while days < 0 {
        year -= 1;
        days += 365 + i64::from(is_leap(year));
    }
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    let (hour, minute, second) = (clock / HOUR, clock / MINUTE % 60, clock % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}", days + 1)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}
