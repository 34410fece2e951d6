//! A state of a checkpoint that outlives the look that found it.

use std::sync::Arc;

use holdwater::manifest::{OperatorEntry, StateEntry};
use holdwater_processor::failure::Failure;
use holdwater_processor::{Checkpoint, StateReader};

/// Names a state of a checkpoint by its place there.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    checkpoint: Arc<Checkpoint>,
    operator: usize,
    state: usize,
}

impl Source {
    /// Returns all states of a checkpoint.
    pub(crate) fn all(checkpoint: &Arc<Checkpoint>) -> Vec<Self> {
        let operators = checkpoint.manifest.operators.iter().enumerate();
        let states = operators.flat_map(|(operator, entry)| {
            let checkpoint = Arc::clone(checkpoint);
            let source = move |state| Self { checkpoint: Arc::clone(&checkpoint), operator, state };
            (0..entry.states.len()).map(source)
        });
        states.collect()
    }

    /// Returns what the manifest says of its operator.
    pub(crate) fn operator(&self) -> &OperatorEntry {
        &self.checkpoint.manifest.operators[self.operator]
    }

    /// Returns what the manifest says of it.
    pub(crate) fn entry(&self) -> &StateEntry {
        &self.operator().states[self.state]
    }

    /// Returns what it is called: as the state is where no other state is called so, else with its
    /// operator in front.
    pub(crate) fn name(&self) -> String {
        let (operator, name) = (&self.operator().name, &self.entry().name);
        let alike = self.checkpoint.states().filter(|(_, state)| state.name == *name).count();
        if alike > 1 { format!("{operator}/{name}") } else { name.clone() }
    }

    /// Opens it.
    pub(crate) fn reader(&self) -> Result<StateReader<'_>, Failure> {
        StateReader::new(&self.checkpoint, &self.operator().name, self.entry())
    }

    /// Returns how many bytes the parts of a group have.
    pub(crate) fn bytes(&self, group: u16) -> u64 {
        self.entry().parts(group).iter().map(|part| part.length).sum()
    }
}
