//! Whether the states of an operator fit a checkpoint, settled before any row of it is read.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use super::{FileDamage, LoadFailure};
use crate::error::StateError;
use crate::manifest::{Manifest, OperatorEntry, StateEntry, StateSchema};
use crate::rescale::{self, KeyChange};
use crate::schema::{Schema, StoredSchema};
use crate::snapshot::Restamp;
use crate::state::{Description, Fit, Schemas, State, States, Visitor};

/// How the states of an operator fit a checkpoint.
pub(super) struct Fits {
    /// By name of the state, whether its rows are written as they were.
    same: BTreeMap<String, bool>,
    /// Keys may belong to other groups than they did.
    pub(super) regroup: bool,
}

impl Fits {
    /// Refuses what can never be loaded.
    pub(super) fn of<S: States, M>(
        manifest: &Manifest,
        operator: &OperatorEntry,
        states: &mut S,
    ) -> Result<Self, LoadFailure<M, S::Error>>
    where
        S::Error: StateError,
    {
        let mut descriptions = Descriptions(Vec::new());
        let Ok(()) = states.each(&mut descriptions);
        let (mut fits, mut keys) = (Self { same: BTreeMap::new(), regroup: false }, Vec::new());
        for description in &descriptions.0 {
            if let Some(entry) = operator.state(description.name.as_str()) {
                let damaged = |malformed| {
                    let section = alloc::format!("schemas of state {}", entry.name);
                    let (file, malformed) = (manifest.id.manifest(), Some(malformed));
                    LoadFailure::Damaged(FileDamage { file, section, malformed })
                };
                let stored = entry.schema.stored().map_err(damaged)?;
                let own = description.expiry();
                let restamp = Restamp::of(entry.schema.expiry, entry.moment, own);
                let lacks_time = restamp.as_ref().is_some_and(Restamp::lacks_time);
                if lacks_time && !entry.chains.is_empty() {
                    let (operator, state) = (operator.name.clone(), entry.name.clone());
                    return Err(LoadFailure::NoWatermark { operator, state });
                }
                let value = restamp.as_ref().map(|restamp| restamp.value(stored.value));
                let value = value.transpose().map_err(damaged)?;
                let stays = value.is_none();
                let value = value.as_ref().map_or(stored.value, StoredSchema::view);
                fits.add(operator, (entry, stays), description, &Schemas { value, ..stored })?;
                keys.push((description, stored.key));
            }
        }
        let forgotten = operator.states.iter().find(|state| !fits.same.contains_key(&state.name));
        if let Some(state) = forgotten {
            let (operator, state) = (operator.name.clone(), state.name.clone());
            return Err(LoadFailure::NoSuchState { operator, state });
        }
        if fits.regroup {
            agree(operator, &keys)?;
        }
        Ok(fits)
    }

    /// Returns whether a delta may stand on the rows of the state in the checkpoint.
    pub(super) fn is_base(&self, state: &str) -> bool {
        !self.regroup && self.same.get(state).is_none_or(|same| *same)
    }
}

impl Fits {
    fn add<M, E>(
        &mut self,
        operator: &OperatorEntry,
        (entry, stays): (&StateEntry, bool),
        description: &Description,
        stored: &Schemas<'_>,
    ) -> Result<(), LoadFailure<M, E>> {
        let place = || (operator.name.clone(), entry.name.clone());
        let kind = description.kind;
        if entry.schema.kind != kind.code() {
            let (operator, state) = place();
            return Err(LoadFailure::OtherKind { operator, state, kind });
        }
        let fit = description.fit(stored).map_err(|mismatch| {
            let ((operator, state), mismatch) = (place(), Box::new(mismatch));
            LoadFailure::OtherType { operator, state, mismatch }
        })?;
        let same = stays && StateSchema::from(description).is_same(&entry.schema);
        self.same.insert(entry.name.clone(), same);
        self.regroup |= fit == Fit::Moves && kind.is_keyed();
        Ok(())
    }
}

/// Checks that states whose keys were routed alike still are.
fn agree<M, E>(
    operator: &OperatorEntry,
    states: &[(&Description, Schema<'_>)],
) -> Result<(), LoadFailure<M, E>> {
    let keyed = || states.iter().filter(|(description, _)| description.kind.is_keyed());
    let own: Vec<StoredSchema> =
        keyed().map(|(description, _)| StoredSchema::from(&description.key)).collect();
    let keys: Vec<_> = keyed()
        .zip(&own)
        .map(|((_, stored), own)| KeyChange { stored: *stored, own: own.view() })
        .collect();
    rescale::keys_agree(&keys).map_err(|places| LoadFailure::OtherKeys {
        operator: operator.name.clone(),
        states: places.map(|place| {
            let state = keyed().nth(place);
            state.map(|(description, _)| description.name.as_str().into()).unwrap_or_default()
        }),
    })
}

/// Gathers what the states of an operator are.
struct Descriptions(Vec<Description>);

impl<E: StateError> Visitor<E> for Descriptions {
    type Stop = Infallible;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Infallible> {
        self.0.push(state.description().clone());
        Ok(())
    }
}
