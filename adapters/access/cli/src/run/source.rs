//! Reads an input and sends each row to the subtask that owns its key.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdwater::key::{KeyGroup, KeyGroups};
use holdwater::sink::Source;
use holdwater_threads::{Route, Routed, RoutedSource};

use super::batch::{self, RowBatch, Size};
use super::gauge::Gauge;
use super::plan::{Plan, WindowPlan};
use crate::event_time::{EventPosition, EventTime, closed_at};
use crate::failure::Failure;
use crate::input::Input;
use crate::record::Record;
use crate::signature::{decode_position, malformed_position};

/// One input of a job.
#[derive(Debug)]
pub(super) struct RowSource {
    input: Input,
    plan: Arc<Plan>,
    record: Record,
    route: Route,
    /// How large the last batch of each subtask was.
    sizes: Vec<Size>,
    pace: Option<Pace>,
    gauge: Gauge,
    ended: bool,
    /// With windows, how far the times of the rows have come.
    event_time: Option<EventTime>,
    /// Whether the subtasks were told how far they have come.
    told: bool,
    /// The watermark that windows were closed by in the checkpoint that is restored.
    closed: i64,
}

impl RowSource {
    /// Reads `input`; at most `rate` rows a second, if given.
    pub(super) fn new(input: Input, plan: Arc<Plan>, rate: Option<NonZeroU64>) -> Self {
        let event_time = plan.windows.as_ref().map(WindowPlan::event_time);
        Self {
            gauge: Gauge::new(input.length()),
            input,
            plan,
            record: Record::default(),
            route: Route::new(1, 1),
            sizes: vec![Size::default()],
            pace: rate.map(Pace::new),
            ended: false,
            event_time,
            told: false,
            closed: i64::MIN,
        }
    }

    /// Returns what shows how far the input is read.
    pub(super) fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    /// Adds the record to the batch of the subtask that owns its key, unless it is late; returns
    /// how many bytes it takes.
    fn push(&mut self, batches: &mut [RowBatch]) -> usize {
        let moment = match &mut self.event_time {
            None => None,
            Some(time) => match time.observe(self.record.time(), self.input.rows()) {
                None => return 0,
                moment => moment,
            },
        };
        let Plan { specs, selection, .. } = &*self.plan;
        let digest = batch::digest(&self.record);
        let groups = self.route.groups().total();
        let owner = KeyGroups::owner(KeyGroup::of(digest, groups), groups, self.route.subtasks());
        let batch = &mut batches[usize::from(owner)];
        let before = batch.bytes();
        batch.push(&self.record, digest, selection, specs);
        if let Some(moment) = moment {
            batch.push_moment(moment);
        }
        batch.bytes() - before
    }

    /// Tells each subtask how far event time has come, also those that get no row.
    fn tell(&mut self, rows: usize, batches: &mut [RowBatch]) {
        if let Some(time) = &mut self.event_time
            && (rows > 0 || self.ended || !self.told)
        {
            let progress = time.progress(self.ended);
            batches.iter_mut().for_each(|batch| batch.set_progress(progress));
            self.told = true;
        }
    }
}

impl RoutedSource for RowSource {
    type Records = RowBatch;

    fn route(&mut self, route: Route) {
        self.route = route;
        self.sizes = vec![Size::default(); usize::from(route.subtasks())];
    }

    fn restored(&mut self, positions: &[Vec<u8>]) -> Result<(), Failure> {
        if self.event_time.is_some() {
            let all = positions.iter().map(|position| event_position(position));
            self.closed = closed_at(&all.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(())
    }
}

impl Source for RowSource {
    type Batch = Routed<RowBatch>;
    type Error = Failure;

    fn next(&mut self) -> Result<Option<Routed<RowBatch>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let mut batches: Vec<_> = self.sizes.iter().copied().map(RowBatch::with_room).collect();
        let (mut rows, mut bytes) = (0, 0);
        let rows_max = self.pace.as_ref().map_or(ROWS_MAX, Pace::rows_max);
        while rows < rows_max && bytes < BYTES_MAX {
            // What was read goes out while the input is silent, and so does a barrier.
            if !self.input.wait(if rows == 0 { SILENCE } else { Duration::ZERO }) {
                break;
            }
            if !self.input.next(&mut self.record)? {
                self.ended = true;
                break;
            }
            bytes += self.push(&mut batches);
            rows += 1;
        }
        if let Some(pace) = &mut self.pace {
            pace.wait(rows as u64);
        }
        self.gauge.set(self.input.offset());
        self.tell(rows, &mut batches);
        self.sizes = batches.iter().map(RowBatch::size).collect();
        let batches = (0..).zip(batches).filter(|(_, batch)| !batch.is_empty()).collect();
        Ok(Some(Routed { rows: rows as u64, batches }))
    }

    fn position(&self) -> Vec<u8> {
        let mut position =
            postcard::to_allocvec(&self.input.position()).expect("a position has an encoding");
        if let Some(time) = &self.event_time {
            let time = postcard::to_extend(&time.position(self.ended), position);
            position = time.expect("a position has an encoding");
        }
        position
    }

    fn resume(&mut self, position: &[u8]) -> Result<(), Failure> {
        self.input.resume(&decode_position(position)?.0)?;
        if let Some(time) = &mut self.event_time {
            time.resume(&event_position(position)?, self.closed);
        }
        self.gauge.set(self.input.offset());
        Ok(())
    }
}

/// Reads how far event time had come in an input of a job with windows.
fn event_position(position: &[u8]) -> Result<EventPosition, Failure> {
    decode_position(position)?.1.ok_or_else(malformed_position)
}

/// Holds an input back to so many rows a second.
#[derive(Debug)]
struct Pace {
    rate: u64,
    begun: Instant,
    rows: u64,
}

impl Pace {
    fn new(rate: NonZeroU64) -> Self {
        Self { rate: rate.get(), begun: Instant::now(), rows: 0 }
    }

    /// Returns how many rows are sent at once, so that some go out twenty times a second.
    fn rows_max(&self) -> usize {
        usize::try_from(self.rate / 20).unwrap_or(ROWS_MAX).clamp(1, ROWS_MAX)
    }

    fn wait(&mut self, rows: u64) {
        self.rows += rows;
        let due = Duration::from_secs_f64(self.rows as f64 / self.rate as f64);
        let early = due.saturating_sub(self.begun.elapsed());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
    }
}

/// How many rows are read before they are sent.
const ROWS_MAX: usize = 1024;
/// How many bytes of rows are read before they are sent.
const BYTES_MAX: usize = 64 << 10;
/// How long a silent input is waited for before barriers are looked for.
const SILENCE: Duration = Duration::from_millis(50);
