//! What is on its way to a task or to the sink, as a checkpoint holds it.

use holdwater::barrier::Barriers;
use holdwater::checkpoint::{self, RestorePolicy};
use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::operator::{InFlightCodec, InFlightState, Task};
use holdwater::snapshot::{FrozenStates, freeze};
use holdwater::state::{Cut, States, Visitor};
use holdwater_memory::Memory;

use crate::load::StoreError;
use crate::output::Row;

/// What the sink is called in checkpoints.
pub const SINK: &str = "out";

/// A record that a task has taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    /// Its place in its source.
    pub offset: u32,
    /// Its key.
    pub key: u64,
}

/// Returns how records are stored.
pub fn records() -> InFlightCodec<Taken> {
    let restore = |(offset, key): (u32, u64), groups: KeyGroups| {
        let is_own = groups.contains(groups.locate::<u64>(key).group());
        is_own.then_some(Taken { offset, key })
    };
    InFlightCodec::new(|taken: &Taken| (taken.offset, taken.key), restore).expect(SCHEMA)
}

/// Returns how results are stored.
pub fn results() -> InFlightCodec<Row> {
    let store = |row: &Row| (row.source as u32, row.offset, row.value);
    let restore = |(source, offset, value): (u32, u32, i64), _: KeyGroups| {
        Some(Row { source: source as usize, offset, value })
    };
    InFlightCodec::new(store, restore).expect(SCHEMA)
}

const SCHEMA: &str = "integers have a schema";

/// Freezes what is in flight to a task, or to the sink, with what was frozen of its states.
pub fn frozen<V>(
    codec: InFlightCodec<V>,
    (task, groups): (Task, KeyGroups),
    log: Vec<Vec<u8>>,
    cut: Cut,
) -> Result<FrozenStates<StoreError>, StoreError> {
    let state = InFlightState::new(codec, task, groups, log);
    freeze(&mut Alone(state), groups, cut)
}

/// Returns the cut of a checkpoint of nothing but what is in flight.
pub const fn cut(id: CheckpointId) -> Cut {
    Cut { checkpoint: id.checkpoint, base: None, now: 0, watermark: 0 }
}

/// What is in flight, and no other state.
struct Alone<V>(InFlightState<V, StoreError>);

impl<V> States for Alone<V> {
    type Error = StoreError;

    fn each<W: Visitor<StoreError>>(&mut self, visitor: &mut W) -> Result<(), W::Stop> {
        visitor.state(&mut self.0)
    }
}

/// The states of a task, and what is in flight to it.
#[derive(Debug)]
pub struct Beside<'s, S, V>(pub &'s mut S, pub InFlightState<V, StoreError>);

impl<S: States<Error = StoreError>, V> States for Beside<'_, S, V> {
    type Error = StoreError;

    fn each<W: Visitor<StoreError>>(&mut self, visitor: &mut W) -> Result<(), W::Stop> {
        self.0.each(visitor)?;
        visitor.state(&mut self.1)
    }
}

/// Loads the results in flight to the sink. On error says what is damaged.
pub fn to_sink(manifest: &Manifest, storage: &Memory) -> Result<Vec<Row>, String> {
    let (groups, policy) = (KeyGroups::all(manifest.key_groups), RestorePolicy::PreviousCheckpoint);
    let state = InFlightState::new(results(), Task::new(0, 1), groups, Vec::new());
    let mut alone = Alone(state);
    checkpoint::load(manifest, SINK, groups, storage, policy, &mut alone)
        .map_err(|failure| failure.to_string())?;
    Ok(alone.0.into_loaded().into_iter().map(|(_, row)| row).collect())
}

/// Returns whether a task's part of each checkpoint lists what is in flight.
pub fn is_listed(barriers: Barriers) -> bool {
    barriers != Barriers::Aligned
}
