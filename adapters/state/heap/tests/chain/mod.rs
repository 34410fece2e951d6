//! Checkpoints of one state: saved as files, restored from chains of parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdwater::error::StateError;
use holdwater::key::KeyGroups;
use holdwater::page::{BlockSize, FileHeader, FileKind, Portable};
use holdwater::snapshot::{FrozenStates, GroupReport, PartEntry, Portion, Snapshot, freeze};
use holdwater::state::{Cut, State, States, Visitor};

/// An operator with one state.
pub(crate) struct One<'s, S>(pub(crate) &'s mut S);

impl<S: State> States for One<'_, S> {
    type Error = S::Error;

    fn each<V: Visitor<S::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(self.0)
    }
}

/// A file, and one of its parts.
pub(crate) type Link = (Arc<Vec<u8>>, PartEntry);

/// A saved checkpoint: of each group, the parts that make it up.
#[derive(Clone, Default)]
pub(crate) struct Checkpoint {
    pub(crate) id: u64,
    pub(crate) chains: BTreeMap<u16, Vec<Link>>,
}

/// Freezes `state`.
pub(crate) fn freeze_state<S: State>(
    state: &mut S,
    checkpoint: u64,
    base: Option<u64>,
) -> FrozenStates<S::Error> {
    let groups = state.groups();
    let cut = Cut { checkpoint, base, now: 0, watermark: 0 };
    freeze(&mut One(state), groups, cut).unwrap()
}

/// Writes what is frozen to a file.
pub(crate) fn save<E: StateError>(
    frozen: &FrozenStates<E>,
    base: Option<&Checkpoint>,
) -> Checkpoint {
    let id = frozen.cut().checkpoint;
    let header = FileHeader {
        kind: FileKind::Snapshot,
        block: BlockSize::SMALL,
        job: 1,
        checkpoint: id,
        epoch: 1,
        attempt: 0,
        part: 0,
    };
    let mut buffer = vec![0; header.block.bytes()];
    let saved =
        frozen.save(Portion::All, header, "test", Vec::new(), &mut buffer, Portable).unwrap();
    let file = Arc::new(saved.out);
    let mut chains = BTreeMap::new();
    for (group, report) in &saved.states[0].groups {
        let before = || base.and_then(|base| base.chains.get(group)).cloned().unwrap_or_default();
        let chain = match report {
            GroupReport::Empty => Vec::new(),
            GroupReport::Unchanged => before(),
            GroupReport::Part(part) => {
                let is_delta = part.base != 0;
                assert!(!is_delta || Some(part.base) == base.map(|base| base.id));
                let mut chain = if is_delta { before() } else { Vec::new() };
                chain.push((file.clone(), *part));
                chain
            }
        };
        chains.insert(*group, chain);
    }
    Checkpoint { id, chains }
}

/// Loads a checkpoint into an empty state.
pub(crate) fn load<S: State>(checkpoint: &Checkpoint, state: &mut S) {
    for (file, part) in checkpoint.chains.values().flatten() {
        let mut snapshot = Snapshot::open(&file[..], Portable).unwrap();
        snapshot.load(*part, state).unwrap();
    }
    state.loaded(checkpoint.id);
}

/// Returns the content digest of each group: of what a full checkpoint of `state` holds.
pub(crate) fn digests<S: State>(state: &mut S) -> BTreeMap<u16, (u64, u128)> {
    let full = save(&freeze_state(state, u64::MAX, None), None);
    state.aborted(u64::MAX);
    let parts = full.chains.into_iter();
    parts
        .flat_map(|(group, chain)| chain.first().map(|(_, part)| (group, (part.rows, part.digest))))
        .collect()
}

/// All of seven groups: few, so that they grow.
pub(crate) const fn groups() -> KeyGroups {
    KeyGroups::all(7)
}
