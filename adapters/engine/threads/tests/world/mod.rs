//! A small job: counts, maxima and distinct values per key; its source, its operator, its sinks.

#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use holdwater::error::StateError;
use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::operator::InFlightCodec;
use holdwater::sink::{CutBack, Sink, Source};
use holdwater::state::{Backend, Map, Value};
use holdwater::storage::{Area, ObjectId, ObjectKind, Storage};
use holdwater_bytes::{Bytes, Ordered};
use holdwater_heap::Heap;
use holdwater_threads::{
    Checkpoints, Completed, Event, Every, InFlightCodecs, Input, Job, Observer, Operator, Options,
    Outputs, Route, Routed, RoutedSource, Stop, Subtask,
};

/// One record.
pub type Row = (u64, i64);

/// Why a test fails on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Broken(pub &'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Broken {}

/// What threads of a test know of each other.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// How many rows of the first input were processed.
    pub first_processed: Arc<AtomicU64>,
    /// How many checkpoints were given up.
    pub aborted: Arc<AtomicU64>,
    /// How many checkpoints are complete.
    pub completed: Arc<AtomicU64>,
    /// How often states were frozen.
    pub frozen: Arc<AtomicU64>,
    /// Whether the input that is late waits.
    pub late: Arc<AtomicBool>,
    /// What each source was told of all inputs when it was restored.
    pub restored: Arc<Mutex<Vec<Vec<Vec<u8>>>>>,
}

/// What a source does apart from reading.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Manner {
    /// Nothing.
    #[default]
    Plain,
    /// Fails before this row.
    FailAt(usize),
    /// Fails before this row, once a checkpoint is complete.
    FailLater(usize),
    /// Panics before this row.
    PanicAt(usize),
    /// Reads this many rows once the other input is late, then nothing until a barrier has passed.
    AwaitBarrier(usize),
    /// Waits until so many rows of the first input were processed, and lets no barrier pass until
    /// then; then reads one batch, and fails once a checkpoint is complete.
    Delayed(u64),
    /// Notices its end once a barrier has passed behind its last row; its position tells of it.
    LateEnd,
    /// Reads so many rows, and then is silent.
    Silent(usize),
    /// Reads so many rows, and is late until a checkpoint is given up.
    UntilAborted(usize),
    /// Reads its last row once a checkpoint is complete.
    UntilComplete,
    /// Reads so many rows, then nothing until a barrier has passed, and so on.
    Paced(usize),
}

/// Reads rows.
#[derive(Clone, Debug)]
pub struct Rows {
    pub rows: Arc<Vec<Row>>,
    pub next: usize,
    /// Where this run began.
    pub from: usize,
    pub batch: usize,
    pub manner: Manner,
    pub shared: Shared,
    pub route: Option<Route>,
    pub barriers: std::cell::Cell<u64>,
    /// Whether its position tells of its end.
    pub ended: bool,
}

impl Rows {
    pub fn new(rows: &Arc<Vec<Row>>, manner: Manner, shared: &Shared) -> Self {
        let (rows, shared) = (Arc::clone(rows), shared.clone());
        let barriers = std::cell::Cell::new(0);
        let (route, ended) = (None, false);
        Self { rows, next: 0, from: 0, batch: 64, manner, shared, route, barriers, ended }
    }

    /// Returns whether the source may end.
    fn notices_its_end(&mut self) -> bool {
        let late = self.manner == Manner::LateEnd && self.from < self.next;
        let ends = !late || self.barriers.get() > 0;
        self.ended = ends && self.manner == Manner::LateEnd;
        ends
    }

    /// Returns how many rows may be read now.
    fn allowance(&self) -> Result<usize, Broken> {
        let completed = self.shared.completed.load(Ordering::SeqCst);
        Ok(match self.manner {
            Manner::AwaitBarrier(_) if !self.shared.late.load(Ordering::SeqCst) => 0,
            Manner::AwaitBarrier(rows) if self.barriers.get() == 0 => {
                rows.saturating_sub(self.next)
            }
            Manner::Delayed(_) if completed > 0 => return Err(Broken("power cut")),
            Manner::Delayed(rows) => {
                self.shared.late.store(true, Ordering::SeqCst);
                while self.shared.first_processed.load(Ordering::SeqCst) < rows {
                    std::thread::yield_now();
                }
                if self.next > 0 { 0 } else { self.batch }
            }
            Manner::FailAt(row) if self.next >= row => return Err(Broken("cable cut")),
            Manner::PanicAt(row) if self.next >= row => panic!("cable torn"),
            Manner::FailLater(row) if self.next >= row && completed > 0 => {
                return Err(Broken("cable cut"));
            }
            Manner::FailAt(row) | Manner::FailLater(row) | Manner::PanicAt(row) => {
                self.batch.min(row.saturating_sub(self.next))
            }
            Manner::Paced(rows) => {
                let passed = self.barriers.get() as usize;
                self.batch.min((self.from + (passed + 1) * rows).saturating_sub(self.next))
            }
            Manner::UntilComplete if completed == 0 => {
                self.batch.min(self.rows.len() - 1 - self.next)
            }
            Manner::UntilAborted(rows) => {
                while self.next >= rows && self.shared.aborted.load(Ordering::SeqCst) == 0 {
                    self.shared.late.store(true, Ordering::SeqCst);
                    std::thread::yield_now();
                }
                self.batch
            }
            Manner::Silent(rows) => {
                if self.next >= rows {
                    std::thread::park();
                }
                self.batch
            }
            _ => self.batch,
        })
    }
}

impl Source for Rows {
    type Batch = Routed<Vec<Row>>;
    type Error = Broken;

    fn next(&mut self) -> Result<Option<Self::Batch>, Broken> {
        let route = self.route.expect("a source is told its route first");
        let end = self.rows.len().min(self.next + self.allowance()?);
        if self.next == self.rows.len() && self.notices_its_end() {
            return Ok(None);
        }
        if self.next == end {
            std::thread::yield_now();
            return Ok(Some(Routed { rows: 0, batches: Vec::new() }));
        }
        let mut batches = vec![Vec::new(); usize::from(route.subtasks())];
        for row in &self.rows[self.next..end] {
            batches[usize::from(route.subtask::<u64>(row.0))].push(*row);
        }
        let rows = (end - self.next) as u64;
        self.next = end;
        Ok(Some(Routed { rows, batches: (0..).zip(batches).collect() }))
    }

    fn position(&self) -> Vec<u8> {
        self.barriers.set(self.barriers.get() + 1);
        let mut position = (self.next as u64).to_le_bytes().to_vec();
        position.extend(self.ended.then_some(1));
        position
    }

    fn resume(&mut self, position: &[u8]) -> Result<(), Broken> {
        let position = position.first_chunk().ok_or(Broken("no position"))?;
        self.next = u64::from_le_bytes(*position) as usize;
        self.from = self.next;
        if self.next > self.rows.len() { Err(Broken("the input is shorter")) } else { Ok(()) }
    }
}

impl RoutedSource for Rows {
    type Records = Vec<Row>;

    fn route(&mut self, route: Route) {
        self.route = Some(route);
    }

    fn restored(&mut self, positions: &[Vec<u8>]) -> Result<(), Broken> {
        self.shared.restored.lock().unwrap().push(positions.to_vec());
        Ok(())
    }
}

holdwater::states! {
    /// What is held per key.
    pub struct Figures<B> {
        count: Value<u64, u64>,
        most: Value<u64, i64>,
        seen: Map<u64, i64, bool>,
    }
}

/// Count, maximum and number of distinct values of a key.
pub type Figure = (u64, u64, i64, u64);

/// Counts rows; passes each on if asked to.
pub struct Count<B: Backend + 'static> {
    figures: Figures<B>,
    groups: KeyGroups,
    shared: Shared,
    rows: u64,
    left: u64,
    held: Vec<Figure>,
    pub pass_on: bool,
    pub fail_at: Option<u64>,
    /// How much work is left for between batches.
    pub works: Works,
}

/// What an operator leaves to be done between batches.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Works {
    /// Nothing.
    #[default]
    Nothing,
    /// To tell of each row of the first input, one at a time.
    Rows,
    /// To pass rows on, which wait for a barrier.
    UntilBarrier,
    /// Something or other, until a checkpoint is complete.
    UntilComplete,
}

impl<B: Backend + 'static> Count<B> {
    pub fn new(mut backend: B, shared: &Shared) -> Self {
        let groups = backend.groups();
        let figures = Figures::open(&mut backend).expect("the states open");
        let shared = shared.clone();
        let (pass_on, fail_at, works) = (false, None, Works::Nothing);
        let (rows, left, held) = (0, 0, Vec::new());
        Self { figures, groups, shared, rows, left, held, pass_on, fail_at, works }
    }
}

impl<B: Backend + 'static> Operator for Count<B>
where
    B::Error: StateError,
{
    type Batch = Vec<Row>;
    type Output = Vec<Figure>;
    type States = Figures<B>;
    type Error = Broken;

    fn process(
        &mut self,
        source: usize,
        batch: Vec<Row>,
        outputs: &mut Outputs<Vec<Figure>>,
    ) -> Result<(), Broken> {
        let failed = |_| Broken("the store failed");
        for (key, value) in &batch {
            if self.fail_at == Some(self.rows) {
                return Err(Broken("out of paper"));
            }
            let at = self.groups.locate::<u64>(*key);
            self.figures.count.update(at, || 0, |count| *count += 1).map_err(failed)?;
            self.figures
                .most
                .update(at, || i64::MIN, |most| *most = (*most).max(*value))
                .map_err(failed)?;
            self.figures.seen.put(at, *value, true).map_err(failed)?;
            self.rows += 1;
        }
        if source == 0 {
            self.left += batch.len() as u64;
        }
        if self.pass_on {
            self.held.extend(batch.iter().map(|(key, value)| (*key, 1, *value, 0)));
        }
        if self.works != Works::UntilBarrier {
            self.settle(outputs)?;
        }
        Ok(())
    }

    fn settle(&mut self, outputs: &mut Outputs<Vec<Figure>>) -> Result<(), Broken> {
        outputs.emit(std::mem::take(&mut self.held));
        Ok(())
    }

    fn work(&mut self, _: &mut Outputs<Vec<Figure>>) -> Result<bool, Broken> {
        let done = if self.works == Works::Rows { self.left.min(1) } else { self.left };
        self.shared.first_processed.fetch_add(done, Ordering::SeqCst);
        self.left -= done;
        let complete = self.shared.completed.load(Ordering::SeqCst) > 0;
        Ok(match self.works {
            Works::Nothing | Works::UntilBarrier => false,
            Works::Rows => self.left > 0,
            Works::UntilComplete => !complete,
        })
    }

    fn finish(&mut self, outputs: &mut Outputs<Vec<Figure>>) -> Result<(), Broken> {
        if self.pass_on {
            return self.settle(outputs);
        }
        let mut figures = Vec::new();
        for group in self.groups.iter() {
            let mut keys = Vec::new();
            let all = self.figures.count.visit(group, |key, count| {
                keys.push((*key, *count));
                ControlFlow::Continue(())
            });
            all.map_err(|_| Broken("the store failed"))?;
            for (key, count) in keys {
                let at = self.groups.locate::<u64>(key);
                let most = self.figures.most.get(at).unwrap().unwrap().into_owned();
                figures.push((key, count, most, self.figures.seen.len(at).unwrap()));
            }
        }
        outputs.emit(figures);
        Ok(())
    }

    fn in_flight() -> Option<InFlightCodecs<Vec<Row>, Vec<Figure>>> {
        let restore = |mut rows: Vec<Row>, groups: KeyGroups| {
            rows.retain(|(key, _)| groups.contains(groups.locate::<u64>(*key).group()));
            (!rows.is_empty()).then_some(rows)
        };
        let records = InFlightCodec::new(Vec::<Row>::clone, restore).ok()?;
        let results = InFlightCodec::new(Vec::<Figure>::clone, |figures, _| Some(figures)).ok()?;
        Some(InFlightCodecs { records, results })
    }

    fn states(&mut self) -> &mut Figures<B> {
        &mut self.figures
    }

    fn counters(&self) -> Vec<(String, u64)> {
        vec![("rows".to_owned(), self.rows)]
    }

    /// Asked for whenever states are frozen.
    fn watermark(&self) -> i64 {
        self.shared.frozen.fetch_add(1, Ordering::SeqCst);
        i64::MIN
    }
}

/// An output that outlives the job: what a file, or a table of another system, would hold.
#[derive(Clone, Debug, Default)]
pub struct Outside(pub Arc<Mutex<OutsideRows>>);

#[derive(Debug, Default)]
pub struct OutsideRows {
    pub prepared: BTreeMap<String, Vec<Figure>>,
    pub visible: Vec<(String, Vec<Figure>)>,
    pub aborted: Vec<String>,
    pub cannot_cut: bool,
}

impl Outside {
    /// Returns every row that anybody can see, in its order.
    pub fn rows(&self) -> Vec<Figure> {
        let outside = self.0.lock().unwrap();
        outside.visible.iter().flat_map(|(_, rows)| rows.iter().copied()).collect()
    }

    pub fn sink(&self) -> Transactional {
        let (open, blocked) = (Vec::new(), None);
        Transactional { outside: self.clone(), open, prepares_max: u64::MAX, blocked }
    }
}

/// Writes to [`Outside`] in transactions.
#[derive(Debug)]
pub struct Transactional {
    outside: Outside,
    open: Vec<Figure>,
    /// How often it prepares before it fails.
    pub prepares_max: u64,
    /// It writes one batch when so many subtasks have frozen, and no other before the checkpoint is
    /// complete, or given up.
    pub blocked: Option<(u64, Shared)>,
}

impl Transactional {
    fn wait(&mut self) {
        let Some((subtasks, shared)) = &mut self.blocked else { return };
        let ended = || {
            let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
            count(&shared.completed) + count(&shared.aborted) > 0
        };
        while !ended() && shared.frozen.load(Ordering::SeqCst) < *subtasks {
            std::thread::yield_now();
        }
        // Longer than the difference of what two threads take for the same moment.
        std::thread::sleep(std::time::Duration::from_millis(5));
        // From here on for the end alone.
        *subtasks = u64::MAX;
    }
}

impl Sink for Transactional {
    type Batch = Vec<Figure>;
    type Error = Broken;

    fn write(&mut self, batch: &Vec<Figure>) -> Result<(), Broken> {
        if !batch.is_empty() {
            self.wait();
        }
        self.open.extend(batch);
        Ok(())
    }

    fn prepare(&mut self, id: CheckpointId) -> Result<Vec<u8>, Broken> {
        self.prepares_max = self.prepares_max.checked_sub(1).ok_or(Broken("no ink"))?;
        let rows = std::mem::take(&mut self.open);
        self.outside.0.lock().unwrap().prepared.insert(id.to_string(), rows);
        Ok(id.to_string().into_bytes())
    }

    fn commit(&mut self, transaction: &[u8]) -> Result<(), Broken> {
        let name = String::from_utf8(transaction.to_vec()).map_err(|_| Broken("no name"))?;
        let mut outside = self.outside.0.lock().unwrap();
        if let Some(rows) = outside.prepared.remove(&name) {
            outside.visible.push((name, rows));
        }
        Ok(())
    }

    fn abort(&mut self, transaction: &[u8]) -> Result<(), Broken> {
        let name = String::from_utf8(transaction.to_vec()).map_err(|_| Broken("no name"))?;
        let mut outside = self.outside.0.lock().unwrap();
        outside.prepared.remove(&name);
        outside.aborted.push(name);
        Ok(())
    }

    fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, Broken> {
        let outside = self.outside.0.lock().unwrap();
        Ok(outside.prepared.keys().map(|name| name.clone().into_bytes()).collect())
    }

    fn committed(&self) -> Vec<u8> {
        (self.outside.0.lock().unwrap().visible.len() as u64).to_le_bytes().to_vec()
    }

    fn cut_back(&mut self, entry: &SinkEntry) -> Result<CutBack, Broken> {
        let mut outside = self.outside.0.lock().unwrap();
        if outside.cannot_cut {
            return Ok(CutBack::Impossible);
        }
        let committed = match <[u8; 8]>::try_from(entry.committed.as_slice()) {
            Ok(bytes) => u64::from_le_bytes(bytes) as usize,
            Err(_) => 0,
        };
        // Tests that look at the last results alone begin with another output.
        let committed = committed.min(outside.visible.len());
        let mut beyond = outside.visible.split_off(committed);
        beyond.retain(|(name, _)| entry.transactions.iter().any(|own| own == name.as_bytes()));
        outside.visible.extend(beyond);
        Ok(CutBack::Done)
    }
}

/// Something that is done once.
pub struct Deed(Box<dyn Fn()>);

impl Deed {
    pub fn new(deed: impl Fn() + 'static) -> Self {
        Self(Box::new(deed))
    }
}

impl fmt::Debug for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deed")
    }
}

/// Remembers what it was told, and lets sources know.
#[derive(Debug, Default)]
pub struct Witness {
    pub shared: Shared,
    pub completed: Vec<Completed>,
    pub aborted: Vec<String>,
    pub skipped: Vec<String>,
    pub restored: Option<(CheckpointId, u64)>,
    /// Does this after so many checkpoints.
    pub after: Option<(usize, Deed)>,
    /// Stops the job after so many rows.
    pub stop_at: Option<(u64, Stop)>,
}

impl Observer for Witness {
    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Aborted { why, .. } => {
                self.aborted.push((*why).to_owned());
                self.shared.aborted.fetch_add(1, Ordering::SeqCst);
            }
            Event::Completed(completed, _) => {
                self.completed.push(*completed);
                self.shared.completed.fetch_add(1, Ordering::SeqCst);
                if let Some((count, deed)) = &self.after
                    && self.completed.len() == *count
                {
                    deed.0();
                }
            }
            Event::Running { restored, rows, .. } => {
                self.restored = restored.map(|manifest| (manifest.id, *rows));
            }
            Event::Rows(rows) => {
                if let Some((count, stop)) = &self.stop_at
                    && rows == count
                {
                    stop.stop();
                }
            }
            Event::Skipped(skipped) => self.skipped.push(skipped.to_string()),
            Event::SkippedGroup(skipped) => self.skipped.push(skipped.to_string()),
            _ => {}
        }
    }
}

/// Makes operators that count, and hold what they count as bytes.
pub fn counting(
    shared: &Shared,
) -> impl Fn(Subtask) -> Result<Count<Bytes<Ordered>>, Broken> + use<> {
    let shared = shared.clone();
    move |subtask| Ok(Count::new(Bytes::in_memory(subtask.groups), &shared))
}

/// Makes operators that count, and hold what they count on the heap.
pub fn counting_on_heap(
    shared: &Shared,
) -> impl Fn(Subtask) -> Result<Count<Heap>, Broken> + use<> {
    let shared = shared.clone();
    move |subtask| Ok(Count::new(Heap::new(subtask.groups), &shared))
}

/// Puts a job together.
pub fn job<F, B>(
    sources: Vec<Rows>,
    operator: F,
    outside: &Outside,
    checkpoints: Option<Checkpoints<B>>,
    parallelism: u16,
) -> Job<Rows, F, Transactional, B> {
    let names = ["left", "right", "third"];
    let named = names.into_iter().zip(sources);
    Job {
        inputs: named.map(|(name, source)| Input { name: name.to_owned(), source }).collect(),
        name: "count".to_owned(),
        operator,
        sink: outside.sink(),
        sink_name: "outside".to_owned(),
        checkpoints,
        options: Options {
            parallelism,
            channel_batches: NonZero::new(2).unwrap(),
            ..Options::default()
        },
    }
}

/// Takes a checkpoint every so many rows.
pub fn every<B>(rows: u64, storage: &B) -> Checkpoints<B>
where
    B: Clone,
{
    let every = Every::Rows(rows);
    Checkpoints { every, ..Checkpoints::new(storage.clone(), 7, b"count".to_vec()) }
}

/// Returns rows of some keys, the same for the same seed.
pub fn rows(seed: u64, count: usize) -> Arc<Vec<Row>> {
    let mut random = Random(seed);
    Arc::new((0..count).map(|_| (random.below(97), random.below(50) as i64 - 25)).collect())
}

/// Returns what a job over the inputs must give, sorted.
pub fn figures(inputs: &[&[Row]]) -> Vec<Figure> {
    let mut figures = BTreeMap::<u64, (u64, i64, BTreeSet<i64>)>::new();
    for (key, value) in inputs.iter().copied().flatten() {
        let figure = figures.entry(*key).or_insert((0, i64::MIN, BTreeSet::new()));
        figure.0 += 1;
        figure.1 = figure.1.max(*value);
        figure.2.insert(*value);
    }
    figures.into_iter().map(|(key, (n, most, seen))| (key, n, most, seen.len() as u64)).collect()
}

pub fn sorted(mut rows: Vec<Figure>) -> Vec<Figure> {
    rows.sort_unstable();
    rows
}

/// A small generator: the same numbers for the same seed.
pub struct Random(pub u64);

impl Random {
    /// Returns a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Flips a bit of the newest snapshot file.
pub fn damage_newest(storage: &mut impl Storage) -> ObjectId {
    let id = newest(storage);
    let middle = storage.length(id).unwrap() / 2;
    damage(storage, id, middle);
    id
}

/// Flips a bit of a file.
pub fn damage(storage: &mut impl Storage, id: ObjectId, offset: u64) {
    let mut bytes = vec![0; storage.length(id).unwrap() as usize];
    storage.read(id, 0, &mut bytes).unwrap();
    bytes[offset as usize] ^= 4;
    storage.remove(id).unwrap();
    let mut file = storage.create(id).unwrap();
    storage.write(&mut file, &bytes).unwrap();
    storage.sync(file).unwrap();
}

/// Returns the newest snapshot file of a complete checkpoint: a job that failed may leave others.
pub fn newest(storage: &mut impl Storage) -> ObjectId {
    let (mut found, mut complete) = (Vec::new(), None);
    storage.list(Area::Data, &mut |id| found.push(id)).unwrap();
    let mut note = |id: ObjectId| {
        complete = complete.max((id.kind == ObjectKind::Manifest).then_some(id.checkpoint));
    };
    storage.list(Area::Manifests, &mut note).unwrap();
    let files = found.into_iter().filter(|id| Some(id.checkpoint) <= complete);
    files.max_by_key(|id| (id.checkpoint, id.part)).unwrap()
}
