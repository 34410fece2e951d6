//! What of a job stays the same, whatever it is restored from.

use holdwater::key::GROUPS_MAX;
use holdwater::manifest::Manifest;
use holdwater::rescale::{self, Misfit};

use crate::error::EngineError;
use crate::options::{Checkpoints, KEY_GROUPS, Options};

/// All of a job but its ends.
pub(crate) struct Plan<F, B> {
    pub(crate) name: String,
    pub(crate) operator: F,
    pub(crate) checkpoints: Option<Checkpoints<B>>,
    pub(crate) options: Options,
    pub(crate) inputs: usize,
}

impl<F, B> Plan<F, B> {
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
