//! Which checkpoints of a directory are of the living lineage: pure arithmetic on what each epoch
//! was started from.

use alloc::collections::BTreeMap;

use crate::manifest::{CheckpointId, Origin};

/// What each epoch was started from, by its record and by its manifests.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    origins: BTreeMap<u64, Origin>,
}

/// The living lineage, from its first epoch to the newest.
#[derive(Clone, Debug, Default)]
pub struct Living {
    /// The newest checkpoint of each epoch that the next epoch was started from.
    ceilings: BTreeMap<u64, u64>,
    /// The first epoch, and what it was started from if that is known.
    pub(super) root: Option<(u64, Option<Origin>)>,
    /// What each epoch of it was started from.
    origins: BTreeMap<u64, Origin>,
}

impl Lineage {
    /// Knows of no epoch.
    pub const fn new() -> Self {
        Self { origins: BTreeMap::new() }
    }

    /// Takes note of what an epoch was started from.
    pub fn insert(&mut self, epoch: u64, origin: Origin) {
        self.origins.insert(epoch, origin);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Returns whether an epoch was started from that checkpoint, here or in another directory.
    pub(super) fn began_with(&self, id: CheckpointId, job: u128) -> bool {
        let elsewhere = Origin::Imported { job, id };
        self.origins.values().any(|origin| *origin == Origin::Restored(id) || *origin == elsewhere)
    }

    /// Follows the newest epoch to where its lineage began.
    pub fn living(&self) -> Living {
        let mut living = Living::default();
        let Some((&newest, _)) = self.origins.last_key_value() else { return living };
        let (mut epoch, mut ceiling) = (newest, u64::MAX);
        loop {
            living.ceilings.insert(epoch, ceiling);
            let origin = self.origins.get(&epoch).copied();
            if let Some(origin) = origin {
                living.origins.insert(epoch, origin);
            }
            match origin {
                // An epoch is started from an older one; anything else ends the search.
                Some(Origin::Restored(from)) if from.epoch < epoch => {
                    (epoch, ceiling) = (from.epoch, from.checkpoint);
                }
                _ => {
                    living.root = Some((epoch, origin));
                    return living;
                }
            }
        }
    }
}

impl Living {
    /// Returns whether the checkpoint is of the living lineage.
    pub fn contains(&self, id: CheckpointId) -> bool {
        self.ceilings.get(&id.epoch).is_some_and(|ceiling| id.checkpoint <= *ceiling)
    }

    /// Returns whether the epoch is newer than all that are known.
    pub(super) fn is_newer(&self, epoch: u64) -> bool {
        self.ceilings.last_key_value().is_none_or(|(newest, _)| epoch > *newest)
    }

    /// Returns the newest epoch of the lineage that was started from exactly this.
    pub(super) fn started_from(&self, origin: Origin) -> Option<u64> {
        let epochs = self.origins.iter().rev();
        epochs.filter(|(_, other)| **other == origin).map(|(epoch, _)| *epoch).next()
    }

    /// Returns whether the lineage has, or had, a checkpoint to go on from.
    pub(super) fn stands_on_a_checkpoint(&self) -> bool {
        self.origins.values().any(|origin| *origin != Origin::Fresh)
            || matches!(self.root, Some((_, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(checkpoint: u64, epoch: u64) -> CheckpointId {
        CheckpointId { checkpoint, epoch }
    }

    fn lineage(origins: &[(u64, Origin)]) -> Lineage {
        Lineage { origins: origins.iter().copied().collect() }
    }

    #[test]
    fn what_a_later_epoch_did_not_start_from_is_dead() {
        let living = lineage(&[
            (1, Origin::Fresh),
            (2, Origin::Restored(id(5, 1))),
            // 6 and 7 of epoch 2 were damaged.
            (3, Origin::Restored(id(5, 1))),
            (5, Origin::Restored(id(9, 3))),
        ])
        .living();
        for alive in [id(1, 1), id(5, 1), id(8, 3), id(9, 3), id(10, 5), id(99, 5)] {
            assert!(living.contains(alive), "{alive}");
        }
        // Published by epoch 4, which did not live to record anything, among them.
        for dead in [id(6, 1), id(6, 2), id(3, 2), id(10, 3), id(10, 4)] {
            assert!(!living.contains(dead), "{dead}");
        }
        assert_eq!(living.root, Some((1, Some(Origin::Fresh))));
    }

    #[test]
    fn a_fresh_start_and_an_import_end_the_lineage() {
        let imported = Origin::Imported { job: 1, id: id(70, 7) };
        for origin in [Origin::Fresh, imported] {
            let living =
                lineage(&[(1, Origin::Fresh), (2, origin), (3, Origin::Restored(id(4, 2)))])
                    .living();
            assert!(living.contains(id(4, 2)) && !living.contains(id(3, 1)));
            assert_eq!(living.root, Some((2, Some(origin))));
            assert_eq!(living.started_from(origin), Some(2));
            assert!(living.stands_on_a_checkpoint());
        }
        assert!(
            !lineage(&[(1, Origin::Restored(id(1, 0))), (2, Origin::Fresh)])
                .living()
                .stands_on_a_checkpoint()
        );
    }

    #[test]
    fn a_lineage_that_leads_in_a_circle_or_nowhere_ends() {
        let circle = lineage(&[(2, Origin::Restored(id(1, 2)))]).living();
        assert_eq!(circle.root, Some((2, Some(Origin::Restored(id(1, 2))))));
        let gap = lineage(&[(4, Origin::Restored(id(9, 2)))]).living();
        assert_eq!(gap.root, Some((2, None)));
        assert!(gap.contains(id(9, 2)) && !gap.contains(id(9, 1)));
        assert_eq!(Lineage::new().living().root, None);
    }
}
