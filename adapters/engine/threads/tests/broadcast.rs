//! A job with an input that goes to every subtask, and with state that belongs to no key: cut off
//! and resumed at other parallelisms.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use holdwater::checkpoint::Warning;
use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, Manifest, SinkEntry};
use holdwater::operator::{Broadcast, Split};
use holdwater::sink::{CutBack, Sink, Source};
use holdwater::state::{Backend, Descriptor, States, Value, Visitor};
use holdwater::storage::{Area, Storage};
use holdwater_heap::Heap;
use holdwater_memory::Memory;
use holdwater_threads::{
    Checkpoints, Event, Every, Input, Job, Observer, Operator, Options, Outputs, Route, Routed,
    RoutedSource, Subtask, run,
};

type Row = (u64, i64);

#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cable cut")
    }
}

impl std::error::Error for Broken {}

/// Sends rows to the owners of their keys, or each to every subtask.
struct Rows {
    rows: Arc<Vec<Row>>,
    next: usize,
    to_all: bool,
    route: Option<Route>,
    /// Fails behind this row, once a checkpoint is complete.
    fails_at: usize,
    completed: Arc<AtomicU64>,
}

impl Source for Rows {
    type Batch = Routed<Vec<Row>>;
    type Error = Broken;

    fn next(&mut self) -> Result<Option<Self::Batch>, Broken> {
        if self.next >= self.fails_at {
            std::thread::yield_now();
            let is_complete = self.completed.load(Ordering::SeqCst) > 0;
            let nothing = Routed { rows: 0, batches: Vec::new() };
            return if is_complete { Err(Broken) } else { Ok(Some(nothing)) };
        }
        let rows = &self.rows[self.next..self.rows.len().min(self.next + 16)];
        if rows.is_empty() {
            return Ok(None);
        }
        self.next += rows.len();
        let route = self.route.unwrap();
        let mut batches = vec![Vec::new(); usize::from(route.subtasks())];
        for row in rows {
            match self.to_all {
                true => batches.iter_mut().for_each(|batch| batch.push(*row)),
                false => batches[usize::from(route.subtask::<u64>(row.0))].push(*row),
            }
        }
        Ok(Some(Routed { rows: rows.len() as u64, batches: (0..).zip(batches).collect() }))
    }

    fn position(&self) -> Vec<u8> {
        (self.next as u64).to_le_bytes().to_vec()
    }

    fn resume(&mut self, position: &[u8]) -> Result<(), Broken> {
        self.next = u64::from_le_bytes(position.try_into().unwrap()) as usize;
        Ok(())
    }
}

impl RoutedSource for Rows {
    type Records = Vec<Row>;

    fn route(&mut self, route: Route) {
        self.route = Some(route);
    }
}

/// Weighs keys by rules that every subtask knows; each rule is also the charge of one subtask.
struct Weigh {
    subtask: Subtask,
    counts: <Heap as Backend>::Value<u64, u64>,
    weights: Broadcast<<Heap as Backend>::Map<u16, u64, i64>, u64, i64>,
    charges: Split<<Heap as Backend>::List<u16, i64>, i64>,
}

impl Weigh {
    fn open(subtask: Subtask) -> Result<Self, <Heap as Backend>::Error> {
        let mut heap = Heap::new(subtask.groups);
        let mut lone = heap.sharing(KeyGroups::all(1));
        let task = subtask.task();
        Ok(Self {
            subtask,
            counts: heap.value(Descriptor::new("counts"))?,
            weights: Broadcast::open(&mut lone, Descriptor::new("weights"), task)?,
            charges: Split::open(&mut lone, Descriptor::new("charges"), task)?,
        })
    }
}

impl States for Weigh {
    type Error = <Heap as Backend>::Error;

    fn each<V: Visitor<Self::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.counts)?;
        visitor.state(&mut self.weights)?;
        visitor.state(&mut self.charges)
    }
}

impl Operator for Weigh {
    type Batch = Vec<Row>;
    type Output = Vec<Row>;
    type States = Self;
    type Error = <Heap as Backend>::Error;

    fn process(
        &mut self,
        source: usize,
        batch: Vec<Row>,
        _: &mut Outputs<Vec<Row>>,
    ) -> Result<(), Self::Error> {
        for (key, value) in batch {
            if source == 0 {
                self.weights.put(key, value)?;
                if value.rem_euclid(i64::from(self.subtask.subtasks)) == self.subtask.index.into() {
                    self.charges.push(value)?;
                }
            } else {
                let at = self.subtask.groups.locate::<u64>(key);
                self.counts.update(at, || 0, |count| *count += 1)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, outputs: &mut Outputs<Vec<Row>>) -> Result<(), Self::Error> {
        let mut rows = Vec::new();
        for group in self.subtask.groups.iter() {
            let mut keys = Vec::new();
            self.counts.visit(group, |key, count| {
                keys.push((*key, *count as i64));
                ControlFlow::Continue(())
            })?;
            for (key, count) in keys {
                let weight = self.weights.get(key % RULES)?.map_or(0, |weight| *weight);
                rows.push((key, count * weight));
            }
        }
        self.charges.items(|charge| {
            rows.push((CHARGE, *charge));
            ControlFlow::Continue(())
        })?;
        outputs.emit(rows);
        Ok(())
    }

    fn states(&mut self) -> &mut Self {
        self
    }
}

/// Shows what it got at the end of the job.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<Row>>>);

impl Sink for Shown {
    type Batch = Vec<Row>;
    type Error = std::convert::Infallible;

    fn write(&mut self, batch: &Vec<Row>) -> Result<(), Self::Error> {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }

    fn prepare(&mut self, _: CheckpointId) -> Result<Vec<u8>, Self::Error> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    fn abort(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, Self::Error> {
        Ok(Vec::new())
    }

    fn committed(&self) -> Vec<u8> {
        Vec::new()
    }

    fn cut_back(&mut self, _: &SinkEntry) -> Result<CutBack, Self::Error> {
        Ok(CutBack::Done)
    }
}

#[derive(Default)]
struct Witness {
    completed: Arc<AtomicU64>,
    unlike: usize,
    resumed: bool,
}

impl Observer for Witness {
    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Completed(..) => _ = self.completed.fetch_add(1, Ordering::SeqCst),
            Event::Running { restored, .. } => self.resumed = restored.is_some(),
            Event::Warned { warning: Warning::UnlikeCopies { .. }, .. } => self.unlike += 1,
            _ => {}
        }
    }
}

#[test]
fn rules_that_go_to_every_subtask_and_charges_that_are_divided_survive_every_change_of_tasks() {
    let rules: Arc<Vec<Row>> = Arc::new((0..2_000).map(|n| (n % RULES, n as i64)).collect());
    let records: Arc<Vec<Row>> = Arc::new((0..4_000).map(|n| (n * 7 % 101, 0)).collect());
    let memory = Memory::default();
    let mut shown = Shown::default();
    for (run_number, parallelism) in [3, 1, 4, 2, 5].into_iter().enumerate() {
        let mut witness = Witness::default();
        shown = Shown::default();
        let source = |rows: &Arc<Vec<Row>>, to_all, fails_at| Rows {
            rows: rows.clone(),
            next: 0,
            to_all,
            route: None,
            fails_at,
            completed: witness.completed.clone(),
        };
        let last = run_number == 4;
        let fails_at = if last { usize::MAX } else { 400 * (run_number + 1) };
        let inputs = [("rules", &rules, true, fails_at), ("records", &records, false, usize::MAX)];
        let checkpoints = Checkpoints {
            every: Every::Rows(150),
            full_every: NonZero::new(4).unwrap(),
            ..Checkpoints::new(memory.clone(), 7, b"weigh".to_vec())
        };
        let job = Job {
            inputs: inputs
                .map(|(name, rows, to_all, fails_at)| Input {
                    name: name.to_owned(),
                    source: source(rows, to_all, fails_at),
                })
                .into(),
            name: "weigh".to_owned(),
            operator: Weigh::open,
            sink: shown.clone(),
            sink_name: "shown".to_owned(),
            checkpoints: Some(Checkpoints { accept_duplicates: true, ..checkpoints }),
            options: Options { parallelism, ..Options::default() },
        };
        assert_eq!(run(job, &mut witness).is_ok(), last, "run {run_number}");
        assert_eq!(witness.resumed, run_number > 0);
        assert_eq!(witness.unlike, 0, "each copy was cut behind the same rule");
    }
    let mut wanted = BTreeMap::new();
    for (key, _) in records.iter() {
        let weight = rules.iter().rev().find(|(rule, _)| *rule == key % RULES).unwrap().1;
        *wanted.entry(*key).or_default() += weight;
    }
    let (charges, weighed): (Vec<Row>, Vec<Row>) =
        shown.0.lock().unwrap().iter().partition(|(key, _)| *key == CHARGE);
    assert_eq!(weighed.into_iter().collect::<BTreeMap<_, i64>>(), wanted);
    let mut charges: Vec<_> = charges.into_iter().map(|(_, charge)| charge).collect();
    charges.sort_unstable();
    assert!(charges.iter().copied().eq(0..2_000), "no charge is lost or doubled");
    // However many subtasks there were, the rules are stored once.
    let mut newest = None;
    memory.clone().list(Area::Manifests, &mut |id| newest = newest.max(Some(id))).unwrap();
    let id = CheckpointId::of_manifest(newest.unwrap()).unwrap();
    let mut bytes = vec![0; memory.clone().length(id.manifest()).unwrap() as usize];
    memory.clone().read(id.manifest(), 0, &mut bytes).unwrap();
    let manifest = Manifest::from_file(id, &bytes).unwrap();
    let weights = manifest.operator("weigh").unwrap().state("weights").unwrap();
    assert_eq!((weights.chains.len(), weights.copies()), (5, 1));
}

/// How many rules there are.
const RULES: u64 = 13;
/// The key under which a charge is shown.
const CHARGE: u64 = u64::MAX;
