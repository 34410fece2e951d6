//! Crash points: each step of storage of a run, and what may be left of it, one after the other.
//!
//! Chance hardly ever crashes a job just there. So a run is taken that does everything once, and is
//! repeated with a power loss before each of its steps, under each persistence; and, if asked to,
//! with another one before each of the steps that follow.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use holdwater::barrier::Barriers;

use crate::check::Violation;
use crate::config::{Config, Crashes, Shape};
use crate::disk::{Fault, Faults, Persistence};
use crate::marks::{Mark, Marks};
use crate::output::OutputKind;
use crate::random::{Chance, Random, Stream};
use crate::scheduler::Mode;
use crate::site::Site;
use crate::story::Story;
use crate::world::{Outcome, World};

/// One crash in one schedule, or two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Point {
    /// The schedule.
    pub schedule: usize,
    /// The step of storage before which power is lost.
    pub step: u64,
    /// What is left.
    pub persistence: Persistence,
    /// Which of the ways in which that may turn out.
    pub sample: u64,
    /// How many steps of storage follow until power is lost again, if it is.
    pub again: Option<u64>,
}

/// Writes `schedule:step:persistence:sample`, all as numbers, and `:again` where there is a second
/// crash.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedule, step, persistence, sample, again } = self;
        write!(f, "{schedule}:{step}:{}:{sample}", *persistence as usize)?;
        again.map_or(Ok(()), |again| write!(f, ":{again}"))
    }
}

/// A text that names no point.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoPoint;

impl fmt::Display for NoPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a point is schedule:step:persistence:sample[:again], as a failure prints it")
    }
}

impl Error for NoPoint {}

impl FromStr for Point {
    type Err = NoPoint;

    fn from_str(text: &str) -> Result<Self, NoPoint> {
        let numbers: Result<Vec<u64>, _> = text.split(':').map(str::parse).collect();
        let (schedule, step, persistence, sample, again) = match *numbers.map_err(|_| NoPoint)? {
            [schedule, step, persistence, sample] => (schedule, step, persistence, sample, None),
            [schedule, step, persistence, sample, again] => {
                (schedule, step, persistence, sample, Some(again))
            }
            _ => return Err(NoPoint),
        };
        let schedule = usize::try_from(schedule).map_err(|_| NoPoint)?;
        let persistence = usize::try_from(persistence).ok();
        let persistence = persistence.and_then(|index| Persistence::ALL.get(index).copied());
        if schedule >= SCHEDULES {
            return Err(NoPoint);
        }
        Ok(Self { schedule, step, persistence: persistence.ok_or(NoPoint)?, sample, again })
    }
}

/// What the enumeration has shown.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// How many runs there were.
    pub runs: u64,
    /// How many steps were crashed at.
    pub steps: u64,
    /// What happened.
    pub marks: Marks,
    /// The first run that failed.
    pub failed: Option<(Point, Violation)>,
}

/// How much is enumerated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// How many of the schedules.
    pub schedules: usize,
    /// How often a persistence is tried that leaves something to chance.
    pub samples: u64,
    /// Before how many of the steps that follow a crash there is another one.
    pub again: u64,
}

impl Extent {
    /// Everything, in some 11,000 runs.
    pub const ALL: Self = Self { schedules: SCHEDULES, samples: 6, again: 0 };
    /// What a build without optimization takes a few seconds for.
    pub const SMALL: Self = Self { schedules: 1, samples: 1, again: 0 };
    /// Two crashes: the second up to where the restart has completed a checkpoint and cleaned up.
    pub const TWICE: Self = Self { schedules: SCHEDULES, samples: 1, again: 40 };
}

/// Crashes at every point of every schedule, until one fails.
///
/// `without_sync` is a sync that the code is without; `seen` is told of each run.
pub fn enumerate(
    extent: Extent,
    without_sync: Option<Site>,
    mut seen: impl FnMut(&Points),
) -> Points {
    let mut points = Points::default();
    for schedule in 0..extent.schedules {
        for step in 0.. {
            let mut crashed = false;
            for (persistence, sample) in remains(extent.samples) {
                let mut point = Point { schedule, step, persistence, sample, again: None };
                let mut crash = |point| points.crash(point, without_sync, &mut seen);
                crashed |= crash(point) > 0;
                if !crashed {
                    break;
                }
                for again in 0..extent.again {
                    point.again = Some(again);
                    if crash(point) < 2 {
                        // The run was over before.
                        break;
                    }
                }
                if points.failed.is_some() {
                    return points;
                }
            }
            if !crashed {
                // The schedule has no such step.
                break;
            }
            points.steps += 1;
        }
    }
    points
}

impl Points {
    /// Runs one point, unless one has failed; returns how often power was lost.
    fn crash(
        &mut self,
        point: Point,
        without_sync: Option<Site>,
        seen: &mut impl FnMut(&Self),
    ) -> u64 {
        if self.failed.is_some() {
            return 0;
        }
        let outcome = run(point, without_sync, Story::default());
        self.runs += 1;
        self.marks.add(&outcome.marks);
        seen(self);
        if let Some(violation) = outcome.violation {
            self.failed = Some((point, violation));
        }
        outcome.marks.count(Mark::PowerLoss(point.persistence))
    }
}

/// Runs one point.
pub fn run(point: Point, without_sync: Option<Site>, story: Story) -> Outcome {
    let random = Random::new(point.schedule as u64).with_stream(Stream::Remains, point.sample);
    let mut config = schedule(point.schedule);
    config.without_sync = without_sync;
    config.crashes = Crashes {
        at_step: Some(point.step),
        again: point.again,
        power: Some(true),
        persistence: Some(point.persistence),
        ..config.crashes
    };
    World::new(config, random, story).run()
}

/// Returns every persistence, those that leave something to chance several times.
fn remains(samples: u64) -> impl Iterator<Item = (Persistence, u64)> {
    Persistence::ALL.into_iter().flat_map(move |persistence| {
        let samples = if persistence.is_random() { samples } else { 1 };
        (0..samples).map(move |sample| (persistence, sample))
    })
}

/// Returns a schedule: nothing fails but what is said here, and the job is started twice, so that
/// restore and sweep have their points too.
fn schedule(index: usize) -> Config {
    let shape = Shape {
        sources: 2,
        records: 25,
        keys: 8,
        groups: 4,
        tasks_max: 2,
        capacity: 4,
        retain: 2,
        full_every: 3,
        pause: 20,
        early_end: false,
        output: OutputKind::Given,
        barriers: Barriers::Aligned,
    };
    let (shape, storage, exit_at) = match index {
        0 => (
            Shape { sources: 1, tasks_max: 1, retain: 1, full_every: 1, ..shape },
            Faults::NONE,
            150,
        ),
        1 => (shape, Faults::NONE, 220),
        // Drafts that cannot be written, and files that cannot be synced, are left and removed.
        2 => (shape, Faults::NONE.with(Fault::Full, Chance::one_in(8)), 260),
        _ => {
            let faults = Faults::NONE.with(Fault::Sync, Chance::one_in(8));
            let barriers = Barriers::Unaligned;
            (Shape { retain: 3, output: OutputKind::Log, barriers, ..shape }, faults, 300)
        }
    };
    let mut config = Config::benign(shape);
    config.mode = [Mode::Uniform, Mode::Uniform, Mode::Burst, Mode::Priority][index];
    config.storage = storage;
    config.steps = 3000;
    config.crashes.exit_at = Some(exit_at);
    config
}

/// How many schedules there are.
pub const SCHEDULES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_reads_back_as_it_is_written() {
        for (persistence, sample) in remains(2) {
            for again in [None, Some(7)] {
                let point = Point { schedule: 3, step: 45, persistence, sample, again };
                assert_eq!(point.to_string().parse(), Ok(point));
            }
        }
        for text in ["", "1:2:3", "4:0:0:0", "1:2:7:0", "1:2:3:4:5:6", "1:2:3:4:", "a:2:3:4"] {
            assert_eq!(text.parse::<Point>(), Err(NoPoint), "{text}");
        }
    }
}
