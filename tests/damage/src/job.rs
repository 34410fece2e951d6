//! A job with a state of each kind, which leaves full and delta checkpoints of two epochs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZero;
use std::ops::ControlFlow;

use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::sink::{CutBack, Sink, Source};
use holdwater::state::{List, Map, Value};
use holdwater_files::Files;
use holdwater_heap::{Heap, HeapError};
use holdwater_threads::{
    Checkpoints, Ended, Every, Input, Job, Operator, Options, Outputs, Route, Routed, RoutedSource,
    Subtask, run,
};

use crate::directory::Directory;

/// How many key groups the job has.
pub const KEY_GROUPS: u16 = 4;
/// What the operator is called.
pub const OPERATOR: &str = "notes";
/// The number of the job.
pub const JOB: u128 = 77;
/// What makes it the same job.
pub const SIGNATURE: &[u8] = b"notes";

holdwater::states! {
    /// A state of each kind.
    pub struct Notes<B> {
        /// In the fixed-width encoding.
        count: Value<u64, u64>,
        history: List<u64, String>,
        latest: Map<u64, u32, Option<String>>,
    }
}

/// All that the states hold: counts, lists and maps.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Content {
    /// Counts by key.
    pub count: BTreeMap<u64, u64>,
    /// Lists by key.
    pub history: BTreeMap<u64, Vec<String>>,
    /// Maps by key.
    pub latest: BTreeMap<u64, BTreeMap<u32, Option<String>>>,
}

impl Notes<Heap> {
    /// Opens the states, empty, for some groups of the job.
    pub fn empty(groups: KeyGroups) -> Self {
        Self::open(&mut Heap::new(groups)).expect("the states open")
    }

    /// Adds all that the states of `groups` hold to `content`.
    pub fn read(&self, groups: KeyGroups, content: &mut Content) {
        for group in groups.iter() {
            let go_on = ControlFlow::Continue(());
            let Content { count, history, latest } = content;
            self.count
                .visit(group, |key, value| {
                    assert_eq!(count.insert(*key, *value), None);
                    go_on
                })
                .expect("the heap is read");
            self.history
                .keys(group, |key| {
                    let items = history.entry(*key).or_default();
                    let at = groups.locate::<u64>(*key);
                    self.history
                        .items(at, |item| {
                            items.push(item.clone());
                            go_on
                        })
                        .expect("the heap is read");
                    go_on
                })
                .expect("the heap is read");
            self.latest
                .keys(group, |key| {
                    let fields = latest.entry(*key).or_default();
                    let at = groups.locate::<u64>(*key);
                    self.latest
                        .entries(at, |field, value| {
                            fields.insert(*field, value.clone());
                            go_on
                        })
                        .expect("the heap is read");
                    go_on
                })
                .expect("the heap is read");
        }
    }

    fn process(&mut self, groups: KeyGroups, row: u64) -> Result<(), HeapError> {
        let key = key_of(row);
        let at = groups.locate::<u64>(key);
        self.count.update(at, || 0, |count| *count += 1)?;
        match row % 5 {
            4 => self.history.remove(at)?,
            _ => self.history.push(at, format!("row {row}"))?,
        }
        let text = row.is_multiple_of(2).then(|| key.to_string());
        match row % 7 {
            6 => self.latest.remove(at, (row % 3) as u32)?,
            _ => self.latest.put(at, (row % 4) as u32, text)?,
        };
        Ok(())
    }
}

const fn key_of(row: u64) -> u64 {
    row * row % 11
}

/// Runs the job: in one epoch up to a full checkpoint and deltas, then in another. Returns the
/// directory that it leaves, with three checkpoints; `seed` tells jobs apart.
pub fn directory(job: u128, seed: u64) -> Directory {
    let place = tempfile::tempdir().expect("a directory is made");
    let mut storage = Files::open(place.path()).expect("the directory is opened");
    for rows in [24, 40] {
        let job = Job {
            inputs: vec![Input { name: "rows".to_owned(), source: Rows::new(seed, rows) }],
            name: OPERATOR.to_owned(),
            operator: Taking::new,
            sink: Nowhere,
            sink_name: "nowhere".to_owned(),
            checkpoints: Some(Checkpoints {
                every: Every::Rows(PACE),
                retain: NonZero::new(3).expect("not zero"),
                full_every: NonZero::new(3).expect("not zero"),
                ..Checkpoints::new(storage.clone(), job, SIGNATURE.to_vec())
            }),
            options: Options { parallelism: 2, key_groups: Some(KEY_GROUPS), ..Options::default() },
        };
        let summary = run(job, &mut ()).expect("the job runs");
        assert_eq!(summary.ended, Ended::Finished);
    }
    Directory::copy_of(&mut storage)
}

/// Reads numbers, and waits for a barrier after some.
struct Rows {
    seed: u64,
    next: u64,
    end: u64,
    route: Option<Route>,
    passed: std::cell::Cell<u64>,
}

impl Rows {
    const fn new(seed: u64, end: u64) -> Self {
        Self { seed, next: 0, end, route: None, passed: std::cell::Cell::new(0) }
    }
}

impl Source for Rows {
    type Batch = Routed<Vec<u64>>;
    type Error = Infallible;

    fn next(&mut self) -> Result<Option<Self::Batch>, Infallible> {
        if self.next == self.end {
            return Ok(None);
        }
        if self.next >= self.passed.get() + PACE {
            std::thread::yield_now();
            return Ok(Some(Routed { rows: 0, batches: Vec::new() }));
        }
        let row = self.next + self.seed;
        self.next += 1;
        let route = self.route.expect("the route is told first");
        let subtask = route.subtask::<u64>(key_of(row));
        Ok(Some(Routed { rows: 1, batches: vec![(subtask, vec![row])] }))
    }

    fn position(&self) -> Vec<u8> {
        self.passed.set(self.next);
        self.next.to_le_bytes().to_vec()
    }

    fn resume(&mut self, position: &[u8]) -> Result<(), Infallible> {
        self.next = u64::from_le_bytes(position.try_into().expect("eight bytes"));
        self.passed.set(self.next);
        Ok(())
    }
}

impl RoutedSource for Rows {
    type Records = Vec<u64>;

    fn route(&mut self, route: Route) {
        self.route = Some(route);
    }
}

/// Takes notes of rows.
struct Taking {
    groups: KeyGroups,
    notes: Notes<Heap>,
}

impl Taking {
    fn new(subtask: Subtask) -> Result<Self, HeapError> {
        let groups = subtask.groups;
        Ok(Self { groups, notes: Notes::open(&mut Heap::new(groups))? })
    }
}

impl Operator for Taking {
    type Batch = Vec<u64>;
    type Output = ();
    type States = Notes<Heap>;
    type Error = HeapError;

    fn process(&mut self, _: usize, batch: Vec<u64>, _: &mut Outputs<()>) -> Result<(), HeapError> {
        batch.into_iter().try_for_each(|row| self.notes.process(self.groups, row))
    }

    fn finish(&mut self, _: &mut Outputs<()>) -> Result<(), HeapError> {
        Ok(())
    }

    fn states(&mut self) -> &mut Notes<Heap> {
        &mut self.notes
    }

    fn counters(&self) -> Vec<(String, u64)> {
        vec![("rows".to_owned(), 1)]
    }
}

/// Takes nothing.
struct Nowhere;

impl Sink for Nowhere {
    type Batch = ();
    type Error = Infallible;

    fn write(&mut self, (): &()) -> Result<(), Infallible> {
        Ok(())
    }

    fn prepare(&mut self, id: CheckpointId) -> Result<Vec<u8>, Infallible> {
        Ok(id.to_string().into_bytes())
    }

    fn commit(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn abort(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, Infallible> {
        Ok(Vec::new())
    }

    fn committed(&self) -> Vec<u8> {
        Vec::new()
    }

    fn cut_back(&mut self, _: &SinkEntry) -> Result<CutBack, Infallible> {
        Ok(CutBack::Done)
    }
}

/// How many rows there are between two checkpoints.
const PACE: u64 = 8;
