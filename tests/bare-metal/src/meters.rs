//! The states of the job, and what a reading does to them.

use core::fmt;

use holdwater::key::{In, Key};
use holdwater::state::{Backend, Descriptor, Fate, Map, States, Value, Visitor};
use holdwater::timer::{Sweep, Watermark};
use holdwater::window::{Aligned, AlignedWindows, Closed, Step, Window};
use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use crate::{GROUPS, METERS, Reading, reading};

/// How long a window is, in milliseconds.
pub(crate) const WINDOW: i64 = 30 * 60_000;
/// By how much a reading may be older than the newest one.
pub(crate) const LATENESS: i64 = 5 * 60_000;
/// How many windows of a meter stay after they closed.
pub(crate) const RECENT: i64 = 3;

/// What a meter measured in a window.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Schema, Serialize)]
pub struct Load {
    /// How many readings there were.
    pub readings: u16,
    /// The highest one.
    pub most: u16,
    /// Their sum.
    pub total: u32,
}

impl Load {
    pub(crate) fn add(&mut self, watts: u16) {
        self.readings += 1;
        self.most = self.most.max(watts);
        self.total += u32::from(watts);
    }
}

/// What is known of a meter.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Schema, Serialize)]
pub struct Meter {
    /// The number behind that of its last reading.
    pub next: u32,
    /// How many readings came too late for their window.
    pub late: u32,
    /// How many windows closed.
    pub windows: u32,
    /// The sum of all readings in these.
    pub total: u64,
}

/// Sums up readings per meter and window.
pub struct Meters<B: Backend> {
    windows: AlignedWindows<u32, B>,
    pub(crate) open: B::Value<In<u32, Window>, Load>,
    pub(crate) recent: B::Map<u32, i64, Load>,
    pub(crate) meters: B::Value<u32, Meter>,
    watermark: Watermark,
}

impl<B: Backend> Meters<B> {
    /// Opens the states.
    pub fn open(backend: &mut B) -> Result<Self, B::Error> {
        let Ok(aligned) = Aligned::tumbling(WINDOW) else { unreachable!("a window has a length") };
        Ok(Self {
            windows: AlignedWindows::open(backend, aligned, Descriptor::new("windows"))?,
            open: backend.value(Descriptor::new("open"))?,
            recent: backend.map(Descriptor::new("recent"))?,
            meters: backend.value(Descriptor::new("meters"))?,
            watermark: Watermark::new(LATENESS),
        })
    }

    /// Goes on from states that were restored; returns the number of the next reading.
    ///
    /// The watermark is in no snapshot: it follows from the readings.
    pub fn resume(&mut self) -> Result<u32, B::Error> {
        let mut next = 0;
        for meter in 0..METERS {
            let meter = self.meters.get(GROUPS.locate::<u32>(meter))?;
            next = meter.map_or(next, |meter| meter.next.max(next));
        }
        for number in 0..next {
            self.watermark.observe(reading(number).time);
        }
        Ok(next)
    }

    /// Returns how far time has come.
    pub const fn watermark(&self) -> i64 {
        self.watermark.time()
    }

    /// Takes the reading of that number, and closes the windows that end with it.
    pub fn read(&mut self, number: u32) -> Result<(), B::Error> {
        let Reading { meter, time, watts } = reading(number);
        let (at, open) = (GROUPS.locate::<u32>(meter), &mut self.open);
        let in_time = self.windows.add(at, time, self.watermark.time(), |step| match step {
            Step::Add(window) => {
                open.update(at.within(window), Load::default, |load| load.add(watts))
            }
            Step::Merge { .. } => unreachable!("windows of one size never join"),
        })?;
        self.meters.update(at, Meter::default, |meter| {
            meter.next = number + 1;
            meter.late += u32::from(!in_time);
        })?;
        self.watermark.observe(time);
        let mut sweep = Sweep::new(self.watermark.time(), usize::MAX);
        while let Some(closed) = self.windows.due(&mut sweep)? {
            self.close(&closed)?;
        }
        Ok(())
    }

    fn close(&mut self, closed: &Closed<u32>) -> Result<(), B::Error> {
        let (at, start) = (closed.at(GROUPS), closed.window.start);
        let load = self.open.get(at)?.map(|load| *load).unwrap_or_default();
        self.open.remove(at)?;
        let at = GROUPS.locate::<u32>(closed.key.view());
        let oldest = start - (RECENT - 1) * WINDOW;
        self.recent.retain(
            at,
            |other, _| {
                if *other < oldest { Fate::Dropped } else { Fate::Kept }
            },
        )?;
        self.recent.put(at, start, load)?;
        self.meters.update(at, Meter::default, |meter| {
            meter.windows += 1;
            meter.total += u64::from(load.total);
        })
    }
}

impl<B: Backend> States for Meters<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.windows.each(visitor)?;
        visitor.state(&mut self.open)?;
        visitor.state(&mut self.recent)?;
        visitor.state(&mut self.meters)
    }
}

impl<B: Backend> fmt::Debug for Meters<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").field("watermark", &self.watermark).finish_non_exhaustive()
    }
}
