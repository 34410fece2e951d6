//! What of a job stays the same, whatever it is restored from.

use holdwater::key::GROUPS_MAX;
use holdwater::manifest::Manifest;
use holdwater::rescale::{self, Misfit};

use crate::error::EngineError;
use crate::job::Job;
use crate::options::{Checkpoints, KEY_GROUPS, Options};
use crate::place::{SINK_NAME, SOURCES_NAME};
use crate::source::Input;

/// All of a job but its ends.
pub(crate) struct Plan<B> {
    pub(crate) name: String,
    pub(crate) checkpoints: Option<Checkpoints<B>>,
    pub(crate) options: Options,
    pub(crate) inputs: usize,
}

impl<B> Plan<B> {
    /// Takes a job apart: its plan, its inputs, its sink and the name of that, its operator.
    pub(crate) fn new<S, F, K>(job: Job<S, F, K, B>) -> (Self, Vec<Input<S>>, K, String, F) {
        let Job { inputs, name, operator, sink, sink_name, checkpoints, options } = job;
        assert!(!inputs.is_empty() && inputs.len() <= usize::from(u16::MAX), "1 to 65535 inputs");
        assert!(options.parallelism > 0, "one subtask at least");
        assert!(name != SOURCES_NAME && name != SINK_NAME, "an operator is not named {name}");
        let plan = Self { name, checkpoints, options, inputs: inputs.len() };
        (plan, inputs, sink, sink_name, operator)
    }

    /// Returns the number of key groups, if the job can go on from the checkpoint.
    pub(crate) fn fit(&self, manifest: &Manifest) -> Result<u16, EngineError> {
        let Options { key_groups, parallelism, .. } = self.options;
        rescale::positions(manifest, self.inputs)
            .and_then(|_| rescale::groups(manifest, key_groups, parallelism))
            .map_err(|misfit| EngineError::Misfit { id: Some(manifest.id), misfit })
    }

    /// Returns the number of key groups of a job that begins.
    pub(crate) fn key_groups(&self) -> Result<u16, EngineError> {
        let Options { key_groups, parallelism, .. } = self.options;
        let key_groups = key_groups.unwrap_or(KEY_GROUPS);
        assert!((1..=GROUPS_MAX).contains(&key_groups), "1 to {GROUPS_MAX} key groups");
        if parallelism > key_groups {
            let misfit = Misfit::Parallelism { key_groups, parallelism };
            return Err(EngineError::Misfit { id: None, misfit });
        }
        Ok(key_groups)
    }
}
