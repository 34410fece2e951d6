//! When checkpoints are begun, and when one is given up: arithmetic on times that are arguments.

/// How often checkpoints are taken, and how much failing is borne. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// How long after the begin of one the next is due; `None` where something else says so.
    pub interval: Option<u64>,
    /// How long the job is left in peace after one has ended.
    pub pause: u64,
    /// How long the tasks may take.
    pub timeout: u64,
    /// How many may fail in a row; `None` for any number. With 0 the first failure is too many.
    pub failures: Option<u32>,
}

impl Pace {
    /// Takes checkpoints when asked to, gives tasks ten minutes, and bears every failure.
    pub const fn new() -> Self {
        Self { interval: None, pause: 0, timeout: 600_000, failures: None }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

/// Follows the checkpoints of a job, one at a time, and says when the next is due.
///
/// `now` is a time in milliseconds since any moment, of a clock that never goes back.
///
/// ```
/// use holdwater::checkpoint::{Pace, Schedule};
///
/// let pace = Pace { interval: Some(1_000), pause: 500, failures: Some(1), ..Pace::new() };
/// let mut schedule = Schedule::new(pace, 0);
/// assert!(!schedule.is_due(999) && schedule.is_due(1_000));
/// schedule.begun(1_000);
/// assert!(!schedule.is_due(2_000), "one is under way");
/// schedule.completed(1_900);
/// assert!(!schedule.is_due(2_399) && schedule.is_due(2_400), "the pause");
/// schedule.begun(2_400);
/// assert!(schedule.failed(2_500));
/// schedule.begun(3_400);
/// assert!(!schedule.failed(3_500), "two in a row are too many");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    pace: Pace,
    /// When the last was begun, or the job was.
    begun: u64,
    /// When the last has ended.
    ended: Option<u64>,
    is_under_way: bool,
    failures: u32,
}

impl Schedule {
    /// Begins with a job.
    pub const fn new(pace: Pace, now: u64) -> Self {
        Self { pace, begun: now, ended: None, is_under_way: false, failures: 0 }
    }

    /// Returns whether a checkpoint is due by the interval.
    pub const fn is_due(&self, now: u64) -> bool {
        match self.pace.interval {
            Some(interval) => self.may_begin(now) && now.saturating_sub(self.begun) >= interval,
            None => false,
        }
    }

    /// Returns whether one may be begun: none is under way, and the pause is over.
    pub const fn may_begin(&self, now: u64) -> bool {
        let is_rested = match self.ended {
            Some(ended) => now.saturating_sub(ended) >= self.pace.pause,
            None => true,
        };
        !self.is_under_way && is_rested
    }

    /// Returns how long it is until something is to be done: a checkpoint is due, or one under way
    /// is to be given up. `None` if nothing is waited for.
    pub fn due_in(&self, now: u64) -> Option<u64> {
        let at = if self.is_under_way {
            self.begun.saturating_add(self.pace.timeout)
        } else {
            let due = self.begun.saturating_add(self.pace.interval?);
            due.max(self.ended.map_or(0, |ended| ended.saturating_add(self.pace.pause)))
        };
        Some(at.saturating_sub(now))
    }

    /// Returns whether the tasks have taken too long for the one under way: give it up.
    pub const fn is_overdue(&self, now: u64) -> bool {
        self.is_under_way && now.saturating_sub(self.begun) >= self.pace.timeout
    }

    /// Takes note that one is under way.
    pub const fn begun(&mut self, now: u64) {
        self.begun = now;
        self.is_under_way = true;
    }

    /// Takes note that it is complete.
    pub const fn completed(&mut self, now: u64) {
        self.is_under_way = false;
        self.ended = Some(now);
        self.failures = 0;
    }

    /// Takes note that it was given up; returns whether the job goes on.
    pub const fn failed(&mut self, now: u64) -> bool {
        self.is_under_way = false;
        self.ended = Some(now);
        self.failures = self.failures.saturating_add(1);
        match self.pace.failures {
            Some(borne) => self.failures <= borne,
            None => true,
        }
    }

    /// Waits a whole interval again, as if one were begun now: there is nothing new to take.
    pub const fn postpone(&mut self, now: u64) {
        self.begun = now;
    }

    /// Returns how many have failed since one was complete.
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_an_interval_after_the_begin_of_the_last_and_a_pause_after_its_end() {
        let mut schedule =
            Schedule::new(Pace { interval: Some(100), pause: 30, ..Pace::new() }, 1_000);
        assert_eq!(schedule.due_in(1_040), Some(60));
        assert!(!schedule.is_due(1_099) && schedule.is_due(1_100));
        schedule.begun(1_100);
        assert!(!schedule.is_due(5_000) && !schedule.may_begin(5_000));
        schedule.completed(1_180);
        assert_eq!(schedule.due_in(1_180), Some(30));
        assert!(!schedule.is_due(1_209) && schedule.is_due(1_210));
        schedule.begun(1_210);
        schedule.completed(1_220);
        assert_eq!(schedule.due_in(1_220), Some(90));
        schedule.postpone(1_300);
        assert!(!schedule.is_due(1_399) && schedule.is_due(1_400));
    }

    #[test]
    fn without_an_interval_none_is_due_but_the_pause_is_kept() {
        let mut schedule = Schedule::new(Pace { pause: 30, ..Pace::new() }, 0);
        assert!(!schedule.is_due(u64::MAX) && schedule.may_begin(0));
        assert_eq!(schedule.due_in(0), None);
        schedule.begun(0);
        schedule.completed(10);
        assert!(!schedule.may_begin(39) && schedule.may_begin(40));
    }

    #[test]
    fn one_that_takes_too_long_is_overdue_until_it_has_ended() {
        let mut schedule = Schedule::new(Pace { timeout: 50, ..Pace::new() }, 0);
        assert!(!schedule.is_overdue(1_000));
        schedule.begun(1_000);
        assert_eq!(schedule.due_in(1_020), Some(30));
        assert!(!schedule.is_overdue(1_049) && schedule.is_overdue(1_050));
        assert!(schedule.failed(1_060));
        assert!(!schedule.is_overdue(9_000));
    }

    #[test]
    fn more_failures_in_a_row_than_are_borne_end_the_job() {
        let mut schedule = Schedule::new(Pace { failures: Some(2), ..Pace::new() }, 0);
        let fail = |schedule: &mut Schedule| {
            schedule.begun(0);
            schedule.failed(0)
        };
        assert!(fail(&mut schedule) && fail(&mut schedule));
        schedule.begun(0);
        schedule.completed(0);
        assert_eq!(schedule.failures(), 0, "one that is complete begins the count anew");
        assert!(fail(&mut schedule) && fail(&mut schedule) && !fail(&mut schedule));
    }
}
