//! What each subtask does: adds rows to its states, and shows their results at the end.

use std::sync::Arc;

use holdwater::state::Backend;
use holdwater_threads::{Operator, Outputs};

use super::batch::RowBatch;
use super::failures::of_state;
use super::plan::Plan;
use super::states::{AddError, Aggregates};
use crate::accumulators::Answer;
use crate::failure::Failure;
use crate::fields::Fields;

/// One row of the result: a key, and what each SPEC comes to for it.
pub(super) type ResultRow = (Fields, Box<[Answer<'static>]>);

/// How many results go to the sink at once.
const RESULTS_MAX: usize = 1024;

/// Aggregates the rows of the keys of one subtask.
#[derive(Debug)]
pub(super) struct Aggregate<B: Backend> {
    states: Aggregates<B>,
    plan: Arc<Plan>,
}

impl<B: Backend> Aggregate<B> {
    /// Opens the states of the plan on `backend`.
    pub(super) fn open(backend: &mut B, plan: Arc<Plan>) -> Result<Self, Failure> {
        let states = Aggregates::open(backend, &plan.specs, &plan.key_schema);
        Ok(Self { states: states.map_err(|error| of_state(&error))?, plan })
    }
}

impl<B: Backend + 'static> Operator for Aggregate<B> {
    type Batch = RowBatch;
    type Output = Vec<ResultRow>;
    type States = Aggregates<B>;
    type Error = Failure;

    fn process(
        &mut self,
        source: usize,
        batch: RowBatch,
        _: &mut Outputs<Self::Output>,
    ) -> Result<(), Failure> {
        self.states.add(&batch, &self.plan.specs).map_err(|error| match error {
            AddError::Overflow(..) => {
                Failure::Data(format!("{} {error}", self.plan.inputs[source]))
            }
            AddError::State(error) => of_state(&error),
        })
    }

    fn finish(&mut self, outputs: &mut Outputs<Self::Output>) -> Result<(), Failure> {
        let mut rows = Vec::new();
        let shown = self.states.results(|key, answers| {
            rows.push((key, answers.into()));
            if rows.len() == RESULTS_MAX {
                outputs.emit(std::mem::take(&mut rows));
            }
        });
        shown.map_err(|error| of_state(&error))?;
        if !rows.is_empty() {
            outputs.emit(rows);
        }
        Ok(())
    }

    fn states(&mut self) -> &mut Aggregates<B> {
        &mut self.states
    }

    fn sweep(&mut self, now: i64) -> Result<(), Failure> {
        self.states.sweep(now, SWEEP_STEPS).map_err(|error| of_state(&error))
    }
}

const SWEEP_STEPS: usize = 4;
