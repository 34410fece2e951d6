//! Reads an input and sends each row to the subtask that owns its key.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdwater::key::{KeyGroup, KeyGroups};
use holdwater::sink::Source;
use holdwater_threads::{Route, Routed, RoutedSource};

use super::batch::{self, RowBatch};
use super::gauge::Gauge;
use super::plan::Plan;
use crate::failure::Failure;
use crate::input::{Input, Position};
use crate::record::Record;

/// One input of a job.
#[derive(Debug)]
pub(super) struct RowSource {
    input: Input,
    plan: Arc<Plan>,
    record: Record,
    route: Route,
    pace: Option<Pace>,
    gauge: Gauge,
    ended: bool,
}

impl RowSource {
    /// Reads `input`; at most `rate` rows a second, if given.
    pub(super) fn new(input: Input, plan: Arc<Plan>, rate: Option<NonZeroU64>) -> Self {
        let pace = rate.map(Pace::new);
        let (record, route) = (Record::default(), Route::new(1, 1));
        let gauge = Gauge::new(input.length());
        Self { input, plan, record, route, pace, gauge, ended: false }
    }

    /// Returns what shows how far the input is read.
    pub(super) fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }
}

impl RoutedSource for RowSource {
    type Records = RowBatch;

    fn route(&mut self, route: Route) {
        self.route = route;
    }
}

impl Source for RowSource {
    type Batch = Routed<RowBatch>;
    type Error = Failure;

    fn next(&mut self) -> Result<Option<Routed<RowBatch>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let Plan { specs, selection, .. } = &*self.plan;
        let (groups, subtasks) = (self.route.groups().total(), self.route.subtasks());
        let mut batches: Vec<RowBatch> = (0..subtasks).map(|_| RowBatch::default()).collect();
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
            let digest = batch::digest(&self.record);
            let owner = KeyGroups::owner(KeyGroup::of(digest, groups), groups, subtasks);
            let batch = &mut batches[usize::from(owner)];
            let before = batch.bytes();
            batch.push(&self.record, digest, selection, specs);
            bytes += batch.bytes() - before;
            rows += 1;
        }
        if let Some(pace) = &mut self.pace {
            pace.wait(rows as u64);
        }
        self.gauge.set(self.input.offset());
        let batches = (0..).zip(batches).filter(|(_, batch)| !batch.is_empty()).collect();
        Ok(Some(Routed { rows: rows as u64, batches }))
    }

    fn position(&self) -> Vec<u8> {
        postcard::to_allocvec(&self.input.position()).expect("a position has an encoding")
    }

    fn resume(&mut self, position: &[u8]) -> Result<(), Failure> {
        self.input.resume(&decode_position(position)?)?;
        self.gauge.set(self.input.offset());
        Ok(())
    }
}

/// Reads a position as the checkpoint holds it.
pub(super) fn decode_position(position: &[u8]) -> Result<Position, Failure> {
    postcard::from_bytes(position).map_err(|_| {
        Failure::Corrupt("the position of an input in the checkpoint is malformed".to_owned())
    })
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
