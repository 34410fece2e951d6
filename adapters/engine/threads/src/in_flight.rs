//! Records and results in flight, as checkpoints hold them and give them back.

use std::convert::Infallible;

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Reading, Report, Restored, Target, save};
use holdwater::error::StateError;
use holdwater::key::KeyGroups;
use holdwater::manifest::Manifest;
use holdwater::operator::{InFlightCodec, InFlightState, Task};
use holdwater::snapshot::{FrozenStates, freeze};
use holdwater::state::{Cut, States, Visitor};
use holdwater::storage::Storage;

use crate::place::SINK_NAME;
use crate::restore::{LoadFailed, load_states};

/// What is in flight to a task, and its states if it has some.
struct Beside<'s, S: States, V>(&'s mut S, InFlightState<V, S::Error>);

impl<S: States, V> States for Beside<'_, S, V>
where
    S::Error: StateError + 'static,
{
    type Error = S::Error;

    fn each<W: Visitor<S::Error>>(&mut self, visitor: &mut W) -> Result<(), W::Stop> {
        self.0.each(visitor)?;
        visitor.state(&mut self.1)
    }
}

/// No state.
struct Nothing;

impl States for Nothing {
    type Error = Infallible;

    fn each<W: Visitor<Infallible>>(&mut self, _: &mut W) -> Result<(), W::Stop> {
        Ok(())
    }
}

/// Batches with the numbers of their inputs.
pub(crate) type InFlightOf<V> = Vec<(u16, V)>;

/// Loads states of a task, and what was in flight to its key groups.
pub(crate) fn load_with<B: Storage + Clone, S: States, V>(
    (manifest, operator): (&Manifest, &str),
    groups: KeyGroups,
    (storage, reading): (&B, Reading),
    states: &mut S,
    codec: Option<InFlightCodec<V>>,
) -> Result<(Restored, InFlightOf<V>), LoadFailed>
where
    S::Error: StateError + 'static,
{
    let Some(codec) = codec else {
        let loaded = load_states(manifest, operator, groups, storage, reading, states)?;
        return Ok((loaded, Vec::new()));
    };
    // Of a union list every task reads all.
    let state = InFlightState::new(codec, Task::new(0, 1), groups, Vec::new());
    let mut beside = Beside(states, state);
    let loaded = load_states(manifest, operator, groups, storage, reading, &mut beside)?;
    Ok((loaded, beside.1.into_loaded()))
}

/// Loads what was in flight to the sink.
pub(crate) fn load_to_sink<B: Storage + Clone, V>(
    manifest: &Manifest,
    from: (&B, Reading),
    codec: Option<InFlightCodec<V>>,
) -> Result<InFlightOf<V>, LoadFailed> {
    let groups = KeyGroups::all(manifest.key_groups);
    let loaded = load_with((manifest, SINK_NAME), groups, from, &mut Nothing, codec)?;
    Ok(loaded.1)
}

/// Freezes what is in flight to a task.
pub(crate) fn frozen<V, E: StateError + 'static>(
    codec: InFlightCodec<V>,
    (task, groups): (Task, KeyGroups),
    log: Vec<Vec<u8>>,
    cut: Cut,
) -> Result<FrozenStates<E>, E> {
    let mut alone = Alone(InFlightState::new(codec, task, groups, log));
    freeze(&mut alone, groups, cut)
}

/// What is in flight to a task.
struct Alone<V, E>(InFlightState<V, E>);

impl<V, E: StateError + 'static> States for Alone<V, E> {
    type Error = E;

    fn each<W: Visitor<E>>(&mut self, visitor: &mut W) -> Result<(), W::Stop> {
        visitor.state(&mut self.0)
    }
}

/// Where the sink writes what is in flight to it.
#[derive(Debug)]
pub(crate) struct SinkFiles<B> {
    pub(crate) job: u128,
    pub(crate) key_groups: u16,
    pub(crate) storage: B,
}

impl<B: Storage> SinkFiles<B> {
    /// Writes results in flight, and makes them durable; says why if that fails.
    pub(crate) fn save<V>(
        &mut self,
        barrier: &Barrier,
        codec: InFlightCodec<V>,
        log: Vec<Vec<u8>>,
    ) -> Result<Report, String> {
        let checkpoint = barrier.id.checkpoint;
        let cut = Cut { checkpoint, base: None, now: i64::MIN, watermark: i64::MIN };
        let whose = (Task::new(0, 1), KeyGroups::all(self.key_groups));
        let Ok(frozen) = frozen::<V, Infallible>(codec, whose, log, cut);
        let target = Target { job: self.job, operator: SINK_NAME, barrier, part: PART };
        save(&mut self.storage, target, &frozen, &|| true).map_err(|failure| failure.to_string())
    }
}

/// The number of the sink's file, beyond those of all subtasks (docs/format.md 5.6).
const PART: u32 = 0xffff;
