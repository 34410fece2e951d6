//! How far event time has come: in each input, and in all together.
//!
//! The watermark `W` of an input is the highest time seen in it, minus the lateness that is allowed
//! for. A row is late by the `W` of its own input before it; windows close by the lowest `W` of the
//! inputs that have not ended. Once all have ended it is the highest of theirs: whichever came to
//! its end first, as many windows are closed in the last checkpoint, and the end of all inputs
//! closes the others behind it.
//!
//! An input that has grown since its end goes on with the `W` that windows were closed by in the
//! meantime, where that is higher than its own.

use holdwater::ttl::When;
use holdwater::window::Assigner;
use serde::{Deserialize, Serialize};

/// When a row was, as its input saw it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Moment {
    /// Its time.
    pub(crate) time: i64,
    /// The watermark of its input before it.
    pub(crate) watermark: i64,
    /// Its number in the input.
    pub(crate) row: u64,
}

impl Moment {
    /// Returns when the row is to what expires by event time.
    pub(crate) const fn when(self) -> When {
        When::event(self.time, self.watermark)
    }
}

/// How far the event time of one input has come, as its subtasks are told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Progress {
    /// Its watermark.
    pub(crate) watermark: i64,
    /// Whether the input has ended.
    pub(crate) ended: bool,
}

/// How far the event time of one input has come, as its position holds it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct EventPosition {
    /// The late rows.
    pub(crate) late_rows: u64,
    /// The highest time seen.
    highest: i64,
    watermark: i64,
    ended: bool,
}

/// The event time of one input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventTime {
    assigner: Assigner,
    lateness: i64,
    highest: i64,
    /// What the watermark was when the input was resumed.
    resumed: i64,
    late_rows: u64,
}

impl EventTime {
    /// Stands before all times.
    pub(crate) const fn new(assigner: Assigner, lateness: i64) -> Self {
        let (highest, resumed) = (i64::MIN, i64::MIN);
        Self { assigner, lateness, highest, resumed, late_rows: 0 }
    }

    /// Takes note of a row; returns its moment, or nothing if it is late: it has no window.
    pub(crate) fn observe(&mut self, time: i64, row: u64) -> Option<Moment> {
        let watermark = self.watermark();
        self.highest = self.highest.max(time);
        if self.assigner.is_late(time, watermark) {
            self.late_rows += 1;
            return None;
        }
        Some(Moment { time, watermark, row })
    }

    /// Returns what the subtasks are to know.
    pub(crate) fn progress(&self, ended: bool) -> Progress {
        Progress { watermark: self.watermark(), ended }
    }

    /// Returns what the position holds.
    pub(crate) fn position(&self, ended: bool) -> EventPosition {
        let Self { highest, late_rows, .. } = *self;
        EventPosition { late_rows, highest, watermark: self.watermark(), ended }
    }

    /// Goes on from a position, where windows were closed up to `closed`.
    pub(crate) fn resume(&mut self, position: &EventPosition, closed: i64) {
        self.highest = position.highest;
        // It never goes back, not with more lateness either.
        self.resumed = position.watermark.max(closed);
        self.late_rows = position.late_rows;
    }

    fn watermark(&self) -> i64 {
        self.resumed.max(self.highest.saturating_sub(self.lateness))
    }
}

/// The event time of all inputs together, as one subtask knows it.
#[derive(Clone, Debug)]
pub(crate) struct Clocks(Vec<Progress>);

impl Clocks {
    /// Knows nothing of so many inputs yet.
    pub(crate) fn new(inputs: usize) -> Self {
        Self(vec![Progress { watermark: i64::MIN, ended: false }; inputs])
    }

    /// Takes note of how far an input has come.
    pub(crate) fn advance(&mut self, input: usize, progress: Progress) {
        self.0[input] = progress;
    }

    /// Returns the watermark that windows are closed by.
    pub(crate) fn closed(&self) -> i64 {
        closed(self.0.iter().copied())
    }
}

/// Returns the watermark that windows were closed by when all inputs of a job stood at `positions`.
pub(crate) fn closed_at(positions: &[EventPosition]) -> i64 {
    let progress = |position: &EventPosition| {
        let EventPosition { watermark, ended, .. } = *position;
        Progress { watermark, ended }
    };
    closed(positions.iter().map(progress))
}

fn closed(inputs: impl Iterator<Item = Progress> + Clone) -> i64 {
    let open = inputs.clone().filter(|input| !input.ended).map(|input| input.watermark).min();
    open.or(inputs.map(|input| input.watermark).max()).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: i64) -> EventTime {
        EventTime::new(Assigner::tumbling(hours * 60).unwrap(), 10)
    }

    fn told(watermark: i64, ended: bool) -> Progress {
        Progress { watermark, ended }
    }

    #[test]
    fn a_row_is_judged_by_the_watermark_before_it() {
        let mut time = hours(1);
        assert_eq!(time.observe(59, 0).map(|moment| moment.watermark), Some(i64::MIN));
        assert_eq!(time.observe(500, 1).map(|moment| moment.watermark), Some(49));
        // Its hour ended at 480, the watermark is 490.
        assert_eq!(time.observe(479, 2), None);
        assert_eq!(time.observe(480, 3), Some(Moment { time: 480, watermark: 490, row: 3 }));
        assert_eq!((time.position(false).late_rows, time.progress(false)), (1, told(490, false)));
    }

    #[test]
    fn a_watermark_that_was_restored_is_the_one_before_and_never_goes_back() {
        let mut time = hours(1);
        time.observe(500, 0);
        time.observe(100, 1);
        let position = time.position(false);
        for (lateness, closed, expected) in
            [(10, i64::MIN, 490), (300, i64::MIN, 490), (0, 0, 500), (10, 495, 495)]
        {
            let mut again = EventTime::new(Assigner::tumbling(60).unwrap(), lateness);
            again.resume(&position, closed);
            assert_eq!(again.progress(false).watermark, expected);
            assert_eq!(again.position(true).late_rows, 1);
        }
    }

    #[test]
    fn windows_close_by_the_lowest_of_the_inputs_that_have_not_ended() {
        let mut clocks = Clocks::new(3);
        assert_eq!(clocks.closed(), i64::MIN);
        clocks.advance(0, told(100, false));
        clocks.advance(1, told(50, false));
        assert_eq!(clocks.closed(), i64::MIN, "the third is not known");
        clocks.advance(2, told(70, false));
        assert_eq!(clocks.closed(), 50);
        clocks.advance(1, told(50, true));
        assert_eq!(clocks.closed(), 70);
    }

    #[test]
    fn the_order_of_their_ends_makes_no_difference() {
        let ends = [(0, told(100, true)), (1, told(50, true)), (2, told(70, true))];
        for first in 0..3 {
            let mut clocks = Clocks::new(3);
            for place in 0..3 {
                let (input, progress) = ends[(first + place) % 3];
                let before = clocks.closed();
                clocks.advance(input, progress);
                assert!(clocks.closed() >= before);
            }
            assert_eq!(clocks.closed(), 100);
        }
    }
}
