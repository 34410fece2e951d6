//! Loads what a checkpoint holds into the states of one subtask, and says how the job ends if that
//! cannot be done.

use std::error::Error;

use holdwater::checkpoint::{FileDamage, LoadFailure, Reading, Restored, load};
use holdwater::error::StateError;
use holdwater::key::KeyGroups;
use holdwater::manifest::Manifest;
use holdwater::rescale::Misfit;
use holdwater::state::{LoadError, States};
use holdwater::storage::Storage;

use crate::error::EngineError;

/// Why states cannot be loaded.
#[derive(Debug)]
pub enum LoadFailed {
    /// The checkpoint is damaged: an older one may do.
    Damaged(FileDamage),
    /// No checkpoint will do.
    Failed(EngineError),
}

/// Loads the rows of `groups` into all `states` of an operator, which are empty, as a subtask of a
/// job does ([`load`]).
pub fn load_states<B: Storage + Clone, S: States>(
    manifest: &Manifest,
    operator: &str,
    groups: KeyGroups,
    storage: &B,
    reading: impl Into<Reading>,
    states: &mut S,
) -> Result<Restored, LoadFailed> {
    load(manifest, operator, groups, storage, reading, states).map_err(|failure| {
        let id = manifest.id;
        LoadFailed::Failed(match failure {
            LoadFailure::Damaged(damage) => return LoadFailed::Damaged(damage),
            LoadFailure::KeyGroups { stored, asked } => {
                EngineError::Misfit { id: Some(id), misfit: Misfit::KeyGroups { stored, asked } }
            }
            LoadFailure::NoSuchOperator { operator: name } => {
                EngineError::NoSuchOperator { name, id }
            }
            LoadFailure::NoWatermark { operator, state } => {
                EngineError::NoWatermark { operator, state, id }
            }
            LoadFailure::NoSuchState { operator, state } => {
                EngineError::NoSuchState { operator, state, id }
            }
            LoadFailure::NotSettled(error) => EngineError::Store { error: Box::new(error) },
            LoadFailure::OtherKind { operator, state, kind } => {
                EngineError::OtherKind { operator, state, kind }
            }
            LoadFailure::OtherKeys { operator, states } => {
                EngineError::OtherKeys { operator, states }
            }
            LoadFailure::OtherType { operator, state, mismatch } => {
                EngineError::OtherType { operator, state, mismatch }
            }
            LoadFailure::OtherStore { operator, state, store, evolves } => {
                EngineError::OtherStore { operator, state, store, evolves }
            }
            LoadFailure::Refused { file, section, error } => {
                let kind = error.kind();
                let error: Box<dyn Error + Send + Sync> = match error {
                    // The error as it is: whoever chose the store knows it.
                    LoadError::State(error) => Box::new(error),
                    error => Box::new(error),
                };
                EngineError::NotLoaded { file, section, kind, error }
            }
            LoadFailure::Unread { file, failure } => {
                EngineError::Unread { file, error: Box::new(failure) }
            }
        })
    })
}
