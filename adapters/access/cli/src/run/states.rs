//! The states of a job without windows: those of its SPECs, each under the key.

#[cfg(test)]
mod tests;

use std::fmt;

use holdwater::error::StateError;
use holdwater::key::{At, KeyGroup, KeyGroups};
use holdwater::schema::StoredSchema;
use holdwater::state::{Backend, Descriptor, State, States, Visitor};
use holdwater::ttl::{Ttl, When};

use super::batch::RowBatch;
use super::columns::{Added, Columns, Joining, Recent, Timing, Values};
use super::failures::AddError;
use crate::accumulators::Answer;
use crate::fields::Fields;
use crate::spec::Spec;

/// The states of a job on one store.
pub(super) struct Aggregates<B: Backend> {
    groups: KeyGroups,
    columns: Columns<B, Fields>,
    /// Which keys there are, where no SPEC has a row for each of them.
    keys: Option<Values<B, Fields, ()>>,
    /// The keys whose values lie beside the states; of none where values expire.
    recent: Option<Recent>,
}

impl<B: Backend> Aggregates<B> {
    /// Opens the states, their keys of the given schema.
    pub(super) fn open(
        backend: &mut B,
        specs: &[Spec],
        key: &StoredSchema,
        ttl: Option<Ttl>,
        recent_max: usize,
    ) -> Result<Self, B::Error> {
        let columns = Columns::open(backend, specs, key, Joining::Never, ttl)?;
        let keys = if columns.have_every_key() {
            None
        } else {
            let keys = Descriptor::new("keys").key_schema(key.clone());
            Some(Values::open(backend, keys, ttl)?)
        };
        let recent = (ttl.is_none() && keys.is_none()).then(|| Recent::new(recent_max));
        Ok(Self { groups: backend.groups(), columns, keys, recent })
    }

    /// Adds the rows of a batch of an input at `now`.
    pub(super) fn add(
        &mut self,
        batch: &RowBatch,
        input: usize,
        now: i64,
        specs: &[Spec],
    ) -> Result<(), AddError<B::Error>> {
        let places: Vec<At<'_, Fields>> = batch.places(self.groups).collect();
        if self.recent.as_ref().is_some_and(|recent| !recent.has_room(places.len())) {
            self.write_back()?;
        }
        let numbers =
            self.recent.as_mut().and_then(|recent| recent.find(&places, batch.cell_bytes()));
        let (row, timing) = (|place| place, Timing::Now(now));
        self.columns.add(Added { places: &places, numbers, row, batch, input, timing }, specs)?;
        if let Some(keys) = &mut self.keys {
            keys.add(&places, now.into())?;
        }
        Ok(())
    }

    /// Brings the values that lie beside the states back into them.
    pub(super) fn write_back(&mut self) -> Result<(), B::Error> {
        let Some(recent) = &mut self.recent else { return Ok(()) };
        let keys = recent.take();
        let places: Vec<At<'_, Fields>> =
            keys.iter().map(|key| self.groups.locate::<Fields>(key.view())).collect();
        self.columns.write_back(&places)
    }

    /// Shows every key of the owned groups that lives at `now` with what each SPEC comes to.
    pub(super) fn results(
        &self,
        now: i64,
        mut show: impl FnMut(Fields, Box<[Answer<'static>]>),
    ) -> Result<(), B::Error> {
        for group in self.groups.iter() {
            for key in self.keys(group, now.into())? {
                let at = self.groups.locate::<Fields>(key.view());
                let answers = self.columns.answers(at, now.into())?;
                show(key, answers);
            }
        }
        Ok(())
    }

    fn keys(&self, group: KeyGroup, when: When) -> Result<Vec<Fields>, B::Error> {
        match &self.keys {
            Some(keys) => keys.keys(group, when),
            None => self.columns.keys(group, when),
        }
    }
}

impl<B: Backend> States for Aggregates<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.columns.each(visitor)?;
        self.keys.as_mut().map_or(Ok(()), |keys| keys.visit(visitor))
    }
}

impl<B: Backend> fmt::Debug for Aggregates<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregates").finish_non_exhaustive()
    }
}

/// Does up to so many steps of clean-up in each state.
pub(super) struct Sweep {
    pub(super) now: i64,
    pub(super) steps: usize,
}

impl<E: StateError> Visitor<E> for Sweep {
    type Stop = E;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), E> {
        state.sweep(self.now, self.steps).map(|_| ())
    }
}
