//! What the states must hold, found without any state: by looking at all readings again for each
//! meter and window.

use core::fmt;

use holdwater::error::StateError;
use holdwater::state::{Backend, Map, State, States, Value, Visitor};
use holdwater::window::Window;

use crate::meters::{LATENESS, RECENT, WINDOW};
use crate::readings::START;
use crate::{GROUPS, Load, METERS, Meter, Meters, reading};

/// What was found to be right.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// How many readings were summed up.
    pub readings: u32,
    /// How many came too late.
    pub late: u32,
    /// How many windows closed.
    pub closed: u32,
    /// How many are open.
    pub open: u32,
    /// How many rows all states have together.
    pub rows: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { readings, late, closed, open, rows } = self;
        write!(
            f,
            "{readings} readings, {late} of them late, {closed} windows closed and {open} open, \
             {rows} rows"
        )
    }
}

/// What was found to be wrong.
#[derive(Clone, Debug)]
pub enum Difference<E> {
    /// A state has another value for a meter, in the window that starts there.
    Value(&'static str, u32, i64),
    /// There are so many rows, and not as many as expected.
    Rows(u64, u64),
    /// The store failed.
    State(E),
}

impl<E> From<E> for Difference<E> {
    fn from(error: E) -> Self {
        Self::State(error)
    }
}

impl<E: fmt::Display> fmt::Display for Difference<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(state, meter, start) => {
                write!(f, "state {state} of meter {meter} is wrong, in the window of {start}")
            }
            Self::Rows(found, expected) => write!(f, "{found} rows, not {expected}"),
            Self::State(error) => error.fmt(f),
        }
    }
}

/// Compares all states with what the first `count` readings come to.
pub fn verify<B: Backend>(
    meters: &mut Meters<B>,
    count: u32,
) -> Result<Tally, Difference<B::Error>> {
    let mut tally = Tally { readings: count, ..Tally::default() };
    let first = START - WINDOW;
    let last = (0..count).map(|number| reading(number).time).max().unwrap_or(START);
    let watermark = last - LATENESS;
    for number in 0..METERS {
        let at = GROUPS.locate::<u32>(number);
        let (mut meter, mut newest) = (Meter::default(), i64::MIN);
        for start in (first..=last).step_by(WINDOW as usize) {
            let window = Window { start, end: start + WINDOW };
            let load = in_window(number, window, count, &mut meter);
            let is_closed = load.readings > 0 && window.end <= watermark;
            let is_open = load.readings > 0 && !is_closed;
            if is_closed {
                newest = start;
                meter.windows += 1;
                meter.total += u64::from(load.total);
            }
            tally.open += u32::from(is_open);
            let found = meters.open.get(at.within(window))?.map(|load| *load);
            if found != is_open.then_some(load) {
                return Err(Difference::Value("open", number, start));
            }
        }
        let oldest = newest.saturating_sub((RECENT - 1) * WINDOW);
        for start in (first..=last).step_by(WINDOW as usize) {
            let window = Window { start, end: start + WINDOW };
            let load = in_window(number, window, count, &mut Meter::default());
            let is_recent = load.readings > 0 && (oldest..=newest).contains(&start);
            let found = meters.recent.get(at, start)?.map(|load| *load);
            if found != is_recent.then_some(load) {
                return Err(Difference::Value("recent", number, start));
            }
        }
        if meters.meters.get(at)?.map(|meter| *meter) != (meter.next > 0).then_some(meter) {
            return Err(Difference::Value("meters", number, newest));
        }
        tally.late += meter.late;
        tally.closed += meter.windows;
        // The fields of a key are one row.
        tally.rows += u64::from(meter.next > 0) + u64::from(meter.windows > 0);
    }
    // Each open window has a timer.
    tally.rows += 2 * u64::from(tally.open);
    let mut rows = Rows(0);
    let Ok(()) = meters.each(&mut rows);
    if rows.0 == tally.rows { Ok(tally) } else { Err(Difference::Rows(rows.0, tally.rows)) }
}

/// Returns what a meter measured in a window; those that came late, and the last, go to `meter`.
fn in_window(number: u32, window: Window, count: u32, meter: &mut Meter) -> Load {
    let (mut load, mut newest) = (Load::default(), i64::MIN);
    for index in 0..count {
        let reading = reading(index);
        if reading.meter == number && (window.start..window.end).contains(&reading.time) {
            meter.next = meter.next.max(index + 1);
            if window.end > newest.saturating_sub(LATENESS) {
                load.add(reading.watts);
            } else {
                meter.late += 1;
            }
        }
        newest = newest.max(reading.time);
    }
    load
}

/// Counts the rows of all states.
struct Rows(u64);

impl<E: StateError> Visitor<E> for Rows {
    type Stop = core::convert::Infallible;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop> {
        self.0 += state.rows();
        Ok(())
    }
}
