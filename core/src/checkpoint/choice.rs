//! Decides which checkpoints are tried at a start: pure arithmetic on what the directory holds.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::lineage::Lineage;
use super::start::{Damage, Start};
use crate::manifest::{CheckpointId, Manifest, Origin};

/// Every manifest of the directory, or what is wrong with it.
pub(super) type Manifests = BTreeMap<CheckpointId, Result<Box<Manifest>, Damage>>;

/// What a job is to go on from.
#[derive(Debug)]
pub(super) enum Choice {
    /// Nothing.
    Fresh,
    /// A checkpoint of another directory.
    Import(Box<Manifest>),
    /// There is no such checkpoint.
    Missing(CheckpointId),
    /// The newest of these that is intact, newest last.
    Offer(Vec<CheckpointId>),
}

impl Choice {
    pub(super) fn new(start: &Start, lineage: &Lineage, manifests: &Manifests) -> Self {
        let living = lineage.living();
        let since = |epoch: u64| {
            let ids = manifests.keys().copied();
            ids.filter(|id| id.epoch >= epoch && living.contains(*id)).collect::<Vec<_>>()
        };
        match start {
            Start::Fresh => Self::Fresh,
            Start::From(id) => match living.started_from(Origin::Restored(*id)).map(since) {
                Some(newer) if !newer.is_empty() => {
                    Self::Offer(core::iter::once(*id).chain(newer).collect())
                }
                _ if manifests.contains_key(id) => Self::Offer(Vec::from([*id])),
                _ => Self::Missing(*id),
            },
            Start::Import(manifest) => {
                let origin = Origin::Imported { job: manifest.job, id: manifest.id };
                match living.started_from(origin).map(since) {
                    Some(newer) if !newer.is_empty() => Self::Offer(newer),
                    _ => Self::Import(manifest.clone()),
                }
            }
            Start::Resume => {
                let mut ids = since(0);
                // Damaged, and of an epoch that nothing else tells of: they may be the newest.
                let damaged = manifests.iter().filter(|(_, manifest)| manifest.is_err());
                ids.extend(damaged.map(|(id, _)| *id).filter(|id| living.is_newer(id.epoch)));
                ids.sort_unstable();
                let is_new = lineage.is_empty() && manifests.is_empty();
                let is_begun = !lineage.is_empty() && !living.stands_on_a_checkpoint();
                if ids.is_empty() && (is_new || is_begun) { Self::Fresh } else { Self::Offer(ids) }
            }
        }
    }
}
