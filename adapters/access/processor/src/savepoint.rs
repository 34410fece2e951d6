//! Writes savepoints: a checkpoint as a place of its own, every part of it full.

mod held;
mod place;
mod write;

use std::path::Path;

use holdwater::manifest::{CheckpointId, CheckpointKind, Manifest, OperatorEntry, Origin};

use self::place::NewPlace;
use self::write::Writer;
use crate::checkpoint::Checkpoint;
use crate::encoded::{EncodedRows, Parts};
use crate::failure::Failure;
use crate::state::StateReader;

/// A savepoint that was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Savepoint {
    /// Its name, that of the checkpoint it was made of.
    pub id: CheckpointId,
    /// The bytes of its files.
    pub bytes: u64,
}

impl Checkpoint {
    /// Writes the checkpoint as a savepoint to a place where nothing is yet.
    ///
    /// It stands alone: none of its parts is a delta, and no other directory is needed. One key
    /// group is held in memory at a time. The place has a checkpoint once all of it is durable.
    pub fn save(&self, out: &Path) -> Result<Savepoint, Failure> {
        save(self, out, &Shape::of(self), &mut Copy::default())
    }
}

/// What a savepoint is made of, but for its rows.
pub(crate) struct Shape {
    /// The number of key groups.
    pub(crate) key_groups: u16,
    /// The operators: how each is called, and how each of its states is, in the order of the
    /// checkpoint.
    pub(crate) operators: Vec<(String, Vec<String>)>,
}

impl Shape {
    /// Returns that of a copy.
    pub(crate) fn of(checkpoint: &Checkpoint) -> Self {
        let names = |operator: &OperatorEntry| {
            let states = operator.states.iter().map(|state| state.name.clone());
            (operator.name.clone(), states.collect())
        };
        let operators = checkpoint.manifest.operators.iter().map(names).collect();
        Self { key_groups: checkpoint.manifest.key_groups, operators }
    }
}

/// Where the rows of a savepoint come from.
pub(crate) trait Content<'c> {
    /// Begins a state; returns the groups that may have rows, ascending.
    fn begin(&mut self, state: StateReader<'c>) -> Result<Vec<u16>, Failure>;

    /// Takes the rows of one of these groups, in their turn.
    fn rows(&mut self, group: u16) -> Result<EncodedRows, Failure>;
}

/// Writes a savepoint made of a checkpoint.
pub(crate) fn save<'c>(
    checkpoint: &'c Checkpoint,
    out: &Path,
    shape: &Shape,
    content: &mut dyn Content<'c>,
) -> Result<Savepoint, Failure> {
    let place = NewPlace::create(out)?;
    let manifest = &checkpoint.manifest;
    let mut writer = Writer::new(checkpoint, shape, place.files());
    let mut operators = Vec::with_capacity(manifest.operators.len());
    for number in 0..manifest.operators.len() {
        operators.push(writer.operator(number, content)?);
    }
    let files = writer.into_files();
    let bytes = files.iter().map(|file| file.length).sum();
    let made = Manifest {
        kind: CheckpointKind::Savepoint,
        parent: None,
        origin: Origin::Imported { job: manifest.job, id: manifest.id },
        depth: 0,
        key_groups: shape.key_groups,
        files,
        operators,
        ..manifest.clone()
    };
    place.publish(&made)?;
    Ok(Savepoint { id: made.id, bytes })
}

/// The rows as they are.
#[derive(Default)]
pub(crate) struct Copy<'c> {
    open: Option<(StateReader<'c>, Parts<'c>)>,
}

impl<'c> Content<'c> for Copy<'c> {
    fn begin(&mut self, state: StateReader<'c>) -> Result<Vec<u16>, Failure> {
        let chains = &state.entry().chains;
        let parts = state.parts(&chains.iter().collect::<Vec<_>>())?;
        let groups = state.groups().collect();
        self.open = Some((state, parts));
        Ok(groups)
    }

    fn rows(&mut self, group: u16) -> Result<EncodedRows, Failure> {
        let Some((state, parts)) = &mut self.open else { return Ok(EncodedRows::new()) };
        let chains = &state.entry().chains;
        let found = chains.binary_search_by_key(&group, |chain| chain.group);
        match found {
            Ok(place) => state.read(parts, &chains[place]),
            Err(_) => Ok(EncodedRows::new()),
        }
    }
}
