//! What windows must hold, from all rows.

use std::collections::BTreeMap;

use holdwater::codec::{Encoding, encode};
use holdwater::key::In;
use holdwater::window::{Assigner, Window};

use super::operator::{Emitted, Row};

/// The windows that are open, with their rows.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    assigner: Assigner,
    open: Vec<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    key: &'static str,
    window: Window,
    rows: Vec<Row>,
}

impl Truth {
    pub(super) const fn new(assigner: Assigner) -> Self {
        Self { assigner, open: Vec::new() }
    }

    /// Adds a row that is not late; returns whether it is not.
    pub(super) fn add(&mut self, row: Row, watermark: i64) -> bool {
        match self.assigner {
            Assigner::Aligned(aligned) => {
                let windows = windows_of(aligned.size(), aligned.slide(), row.time);
                let open = windows.into_iter().filter(|window| window.end > watermark);
                open.map(|window| self.add_to(window, row)).count() > 0
            }
            Assigner::Session(session) => self.add_to_session(session.gap(), row, watermark),
        }
    }

    fn add_to(&mut self, window: Window, row: Row) {
        let is_it = |open: &&mut Open| open.key == row.key && open.window == window;
        match self.open.iter_mut().find(is_it) {
            Some(open) => open.rows.push(row),
            None => self.open.push(Open { key: row.key, window, rows: vec![row] }),
        }
    }

    /// Joins all sessions that have not ended and have a row less than the gap away.
    fn add_to_session(&mut self, gap: i64, row: Row, watermark: i64) -> bool {
        if row.time + gap <= watermark {
            return false;
        }
        let is_near = |other: &Row| (other.time - row.time).abs() < gap;
        let joins = |open: &Open| {
            open.key == row.key && open.window.end > watermark && open.rows.iter().any(is_near)
        };
        let (mut joined, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.open).into_iter().partition(joins);
        joined.sort_by_key(|open| open.window.start);
        let mut rows: Vec<_> = joined.into_iter().flat_map(|open| open.rows).collect();
        rows.push(row);
        self.open = others;
        self.open.push(session(gap, row.key, rows));
        true
    }

    /// Takes out the windows that are due, in the order in which they are.
    pub(super) fn due(&self, watermark: i64) -> Vec<Emitted> {
        let due = self.open.iter().filter(|open| open.window.end <= watermark);
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|open| (open.window.end, self.place(open)));
        due.into_iter().map(Open::emitted).collect()
    }

    /// Takes note that a window was closed.
    pub(super) fn close(&mut self, emitted: &Emitted) {
        let before = self.open.len();
        self.open.retain(|open| open.emitted() != *emitted);
        assert_eq!(self.open.len(), before - 1, "each window is closed once");
    }

    /// Returns the encoded key that the state of a window is held under.
    fn place(&self, open: &Open) -> Vec<u8> {
        let window = match self.assigner {
            Assigner::Aligned(_) => open.window,
            Assigner::Session(session) => session.spanning(open.window.start, open.window.start),
        };
        let mut bytes = Vec::new();
        encode(&In { key: open.key, window }, Encoding::Postcard, &mut bytes).unwrap();
        bytes
    }
}

impl Open {
    fn emitted(&self) -> Emitted {
        let numbers = self.rows.iter().map(|row| row.number).collect();
        Emitted { key: self.key.to_owned(), window: self.window, numbers }
    }
}

/// Returns what all windows come to, numbers in order, of rows none of which is late: sessions by
/// sorting the rows of a key, and cutting where they are the gap apart.
pub(super) fn by_sorting(assigner: Assigner, rows: &[Row]) -> Vec<Emitted> {
    let mut of_key: BTreeMap<_, Vec<Row>> = BTreeMap::new();
    rows.iter().for_each(|row| of_key.entry(row.key).or_default().push(*row));
    let mut open: BTreeMap<_, Vec<Row>> = BTreeMap::new();
    for (key, mut rows) in of_key {
        rows.sort_by_key(|row| row.time);
        match assigner {
            Assigner::Aligned(aligned) => {
                for row in rows {
                    for window in windows_of(aligned.size(), aligned.slide(), row.time) {
                        open.entry((key, window)).or_default().push(row);
                    }
                }
            }
            Assigner::Session(gap) => {
                let sessions = rows.chunk_by(|a, b| b.time - a.time < gap.gap());
                for rows in sessions {
                    let session = session(gap.gap(), key, rows.to_vec());
                    open.insert((key, session.window), session.rows);
                }
            }
        }
    }
    let open = open.into_iter().map(|((key, window), rows)| Open { key, window, rows }.emitted());
    sorted(open.collect())
}

/// Puts windows, and the numbers of each, in order.
pub(super) fn sorted(mut emitted: Vec<Emitted>) -> Vec<Emitted> {
    emitted.iter_mut().for_each(|emitted| emitted.numbers.sort_unstable());
    emitted.sort();
    emitted
}

fn session(gap: i64, key: &'static str, rows: Vec<Row>) -> Open {
    let times = || rows.iter().map(|row| row.time);
    let start = times().min().expect("a session has a row");
    let end = times().max().expect("a session has a row") + gap;
    Open { key, window: Window { start, end }, rows }
}

/// Returns the windows that hold `time`: tries every start from the size before it on.
fn windows_of(size: i64, slide: i64, time: i64) -> Vec<Window> {
    let starts = (time - size + 1..=time).filter(|start| start.rem_euclid(slide) == 0);
    starts.map(|start| Window { start, end: start + size }).collect()
}
