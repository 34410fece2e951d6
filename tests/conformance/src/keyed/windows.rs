//! Windows of every kind of state, compared with all rows there were.

mod operator;
mod player;
mod tasks;
mod truth;

use holdwater::state::{Aggregate, Backend, States, Visitor};
use holdwater::timer::Sweep;
use holdwater::window::{Assigner, Window, WindowResult, WindowedAggregate};

use self::operator::{Kept, Row};
use self::player::{Player, tapes};
use self::tasks::Tasks;
use self::truth::{by_sorting, sorted};
use super::{Checkpoints, Run, tape};

/// 179: tumbling windows hold the rows that fall in them, and are closed once, in order.
pub fn tumbling_windows_hold_their_rows<B: Backend>(run: &Run<B>) {
    agree_with_the_truth(run, |store| Kept::open(store, tumbling()));
}

/// 179: so do sliding windows, also of a size that is no multiple of the slide.
pub fn sliding_windows_hold_their_rows<B: Backend>(run: &Run<B>) {
    agree_with_the_truth(run, |store| Kept::open(store, sliding()));
}

/// 179: so do sessions, which join when a row connects them.
pub fn sessions_hold_their_rows<B: Backend>(run: &Run<B>) {
    agree_with_the_truth(run, |store| Kept::open(store, session(7)));
}

/// 179: rows in any order, all within the lateness, make the windows of all rows in order.
pub fn windows_do_not_depend_on_the_order_of_rows<B: Backend>(run: &Run<B>) {
    agree_with_sorted_rows(run, |store| Kept::open(store, tumbling()));
    agree_with_sorted_rows(run, |store| Kept::open(store, sliding()));
    agree_with_sorted_rows(run, |store| Kept::open(store, session(7)));
}

/// 179: a session that rows reach in descending order, and one between two others.
pub fn a_session_begins_at_its_earliest_row<B: Backend>(run: &Run<B>) {
    let mut kept = run.open(|store| Kept::open(store, session(10)));
    let mut add = |time, number| {
        let row = Row { key: "a", time, number };
        assert!(kept.add(run.at("a"), row, i64::MIN).unwrap());
        kept.turn();
    };
    // Exactly the gap apart is not less than it.
    [(50, 1), (60, 2), (70, 3)].into_iter().for_each(|(time, number)| add(time, number));
    [(42, 4), (41, 5), (55, 6)].into_iter().for_each(|(time, number)| add(time, number));
    let mut sweep = Sweep::new(i64::MAX, 100);
    let emitted: Vec<_> = std::iter::from_fn(|| kept.due(&mut sweep)).collect();
    let found = emitted.iter().map(|emitted| (emitted.window, &*emitted.numbers));
    let expected: [(Window, &[u32]); 2] =
        [(Window { start: 41, end: 70 }, &[1, 4, 5, 2, 6]), (Window { start: 70, end: 80 }, &[3])];
    assert!(found.eq(expected), "{emitted:?}");
    assert_eq!(kept.rows(), 0);
}

/// 179: a session that has ended for one input, and not for another, is joined by rows of the
/// latter alone. It joins all that it touches, from the earliest to the latest.
pub fn a_row_joins_the_sessions_that_are_open_to_its_input<B: Backend>(run: &Run<B>) {
    let mut kept = run.open(|store| Kept::open(store, session(10)));
    for (time, watermark, number) in [(0, i64::MIN, 1), (1, 10, 2), (2, 11, 3)] {
        let row = Row { key: "a", time, number };
        assert!(kept.add(run.at("a"), row, watermark).unwrap());
    }
    kept.turn();
    let row = Row { key: "a", time: 5, number: 4 };
    assert!(kept.add(run.at("a"), row, i64::MIN).unwrap());
    kept.turn();
    let mut sweep = Sweep::new(15, 100);
    let emitted = kept.due(&mut sweep).unwrap();
    assert_eq!(emitted.window, Window { start: 0, end: 15 });
    assert_eq!(emitted.numbers, [1, 2, 3, 4]);
    assert_eq!(kept.due(&mut sweep), None);
    assert_eq!(kept.rows(), 0);
}

/// 175, 179: after a change of tasks each window is closed once, with all its rows.
pub fn windows_close_once_at_any_parallelism<B: Backend>(run: &Run<B>) {
    close_at_any_parallelism(run, |store| Kept::open(store, Assigner::sliding(10, 5).unwrap()));
    close_at_any_parallelism(run, |store| Kept::open(store, session(7)));
}

/// 75, 179: rows at both ends of time are in windows that end where time does.
pub fn rows_at_both_ends_of_time_are_in_windows<B: Backend>(run: &Run<B>) {
    ends_of_time(run, |store| Kept::open(store, tumbling()));
    ends_of_time(run, |store| Kept::open(store, session(i64::MAX)));
}

/// 179: an aggregate of each window is given once, and rows that are late are counted.
pub fn an_aggregate_of_each_window_is_given_once<B: Backend>(run: &Run<B>) {
    give_once(run, |store| Sums::open(store, tumbling()), [(0, 10, 7), (10, 20, 4)]);
    give_once(run, |store| Sums::open(store, session(5)), [(3, 9, 3), (9, 20, 8)]);
}

type Open<B, E> = fn(&mut B) -> Result<Kept<B>, E>;

fn agree_with_the_truth<B: Backend>(run: &Run<B>, open: Open<B, B::Error>) {
    for lateness in [0, 15] {
        tape::each_of(tapes(), TAPES, run.mode() as u64, |tape| {
            Player::new(run, open, lateness, false).play(tape);
        });
    }
}

fn agree_with_sorted_rows<B: Backend>(run: &Run<B>, open: Open<B, B::Error>) {
    tape::each_of(tapes(), TAPES, run.mode() as u64, |tape| {
        let player = Player::new(run, open, 40, true);
        let assigner = player.assigner();
        let job = player.play(tape);
        assert_eq!(sorted(job.emitted), by_sorting(assigner, &job.rows));
    });
}

fn close_at_any_parallelism<B: Backend>(run: &Run<B>, open: Open<B, B::Error>) {
    let keys = ["", "a", "b", "c", "d", "e", "f", "g"];
    let rows: Vec<_> = (0..96u32)
        .map(|number| {
            let time = i64::from(number * 37 % 60) + i64::from(number) / 2;
            Row { key: keys[number as usize * 5 % 8], time, number }
        })
        .collect();
    let (mut checkpoints, mut emitted) = (Checkpoints::default(), Vec::new());
    let mut tasks = Tasks::new(run, open, 1);
    for (count, rows) in [3, 1, 5, 2].into_iter().zip(rows.chunks(24)) {
        rows.iter().for_each(|row| tasks.add(*row));
        tasks.save(run, &mut checkpoints);
        tasks = Tasks::new(run, open, count);
        tasks.load(&checkpoints);
    }
    for count in [3, 1, 5, 2] {
        emitted.extend(tasks.sweep(i64::MAX, 4));
        tasks.save(run, &mut checkpoints);
        tasks = Tasks::new(run, open, count);
        tasks.load(&checkpoints);
    }
    emitted.extend(tasks.sweep(i64::MAX, usize::MAX));
    let assigner = open(&mut run.store(run.groups())).unwrap().windows.assigner();
    assert_eq!(sorted(emitted), by_sorting(assigner, &rows));
}

fn ends_of_time<B: Backend>(run: &Run<B>, open: Open<B, B::Error>) {
    let mut kept = run.open(open);
    let times = [i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1];
    for (time, number) in times.into_iter().zip(1..) {
        let row = Row { key: "a", time, number };
        assert!(kept.add(run.at("a"), row, i64::MIN).unwrap());
        kept.turn();
    }
    let mut sweep = Sweep::new(i64::MAX, 100);
    let emitted: Vec<_> = std::iter::from_fn(|| kept.due(&mut sweep)).collect();
    let numbers: Vec<_> = emitted.iter().map(|emitted| &*emitted.numbers).collect();
    assert_eq!(numbers, [&[1, 2][..], &[3, 4][..]], "{emitted:?}");
    assert_eq!(emitted[0].window.start, i64::MIN);
    assert_eq!(emitted[1].window.end, i64::MAX);
    assert_eq!(kept.rows(), 0);
}

fn give_once<B: Backend>(
    run: &Run<B>,
    open: fn(&mut B) -> Result<Sums<B>, B::Error>,
    expected: [(i64, i64, i64); 2],
) {
    let mut sums = run.open(open);
    for (time, amount) in [(3, 1), (4, 2), (9, 4), (13, 1), (15, 3)] {
        assert!(sums.0.add(run.at(1), time, i64::MIN, amount).unwrap());
        sums.turn();
    }
    assert!(!sums.0.add(run.at(1), 2, 10, 100).unwrap());
    assert_eq!(sums.0.late(), 1);
    let mut found = Vec::new();
    let mut sweep = Sweep::new(19, 100);
    while let Some(WindowResult { key, window, output }) = sums.0.due(&mut sweep).unwrap() {
        assert_eq!(key, 1);
        found.push((window.start, window.end, output));
    }
    assert_eq!(found, expected[..1]);
    sums.turn();
    let last = sums.0.due(&mut Sweep::new(20, 100)).unwrap().unwrap();
    assert_eq!((last.window.start, last.window.end, last.output), expected[1]);
    sums.turn();
    assert_eq!(sums.0.due(&mut Sweep::new(i64::MAX, 100)).unwrap(), None);
}

fn tumbling() -> Assigner {
    Assigner::tumbling(10).unwrap()
}

fn sliding() -> Assigner {
    Assigner::sliding(10, 4).unwrap()
}

fn session(gap: i64) -> Assigner {
    Assigner::session(gap).unwrap()
}

/// Sums, in a box: some stores hold them in arrays, too many for a stack.
struct Sums<B: Backend>(Box<WindowedAggregate<u64, B, Sum>>);

impl<B: Backend> Sums<B> {
    fn open(store: &mut B, assigner: Assigner) -> Result<Self, B::Error> {
        Ok(Self(Box::new(WindowedAggregate::open(store, assigner, Sum)?)))
    }
}

impl<B: Backend> States for Sums<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.0.each(visitor)
    }
}

struct Sum;

impl Aggregate for Sum {
    type Input = i64;
    type Accumulator = i64;
    type Output = i64;

    fn start(&self) -> i64 {
        0
    }

    fn add(&self, sum: &mut i64, input: i64) {
        *sum += input;
    }

    fn result(&self, sum: &i64) -> i64 {
        *sum
    }

    fn merge(&self, sum: &mut i64, other: i64) {
        *sum += other;
    }
}

const TAPES: u32 = 24;
