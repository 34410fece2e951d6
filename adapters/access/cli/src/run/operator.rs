//! What each subtask does: adds rows to its states, and shows what they come to.

use std::sync::Arc;

use holdwater::state::{Backend, States};
use holdwater::timer::Sweep;
use holdwater::window::Window;
use holdwater_any::Stores;
use holdwater_threads::{Operator, Outputs, Subtask};
use serde::{Deserialize, Serialize};

use super::batch::RowBatch;
use super::failures::of_state;
use super::plan::{Plan, WindowPlan};
use super::states::{self, Aggregates};
use super::windowed::WindowedAggregates;
use crate::accumulators::Answer;
use crate::event_time::Clocks;
use crate::failure::Failure;
use crate::fields::Fields;

/// One row of the result: a key, its window if there are any, and what each SPEC comes to for it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ResultRow {
    #[serde(with = "crate::fields::sent")]
    pub(super) key: Fields,
    pub(super) window: Option<Window>,
    pub(super) answers: Box<[Answer<'static>]>,
}

/// Returns what makes the operator of a subtask, where results are shown at the end.
pub(super) fn without_windows<S: Stores>(
    stores: S,
    plan: Arc<Plan>,
) -> impl Fn(Subtask) -> Result<Aggregate<S::Store>, Failure> + Send + Sync + 'static {
    move |subtask| {
        let recent = plan.recent_max(subtask.subtasks);
        Aggregate::open(&mut open(&stores, subtask)?, Arc::clone(&plan), recent)
    }
}

/// Returns what makes the operator of a subtask, where each window is shown once it has closed.
pub(super) fn in_windows<S: Stores>(
    stores: S,
    plan: Arc<Plan>,
) -> impl Fn(Subtask) -> Result<WindowedAggregate<S::Store>, Failure> + Send + Sync + 'static {
    move |subtask| WindowedAggregate::open(&mut open(&stores, subtask)?, Arc::clone(&plan))
}

fn open<S: Stores>(stores: &S, subtask: Subtask) -> Result<S::Store, Failure> {
    stores.open(subtask.groups).map_err(|error| of_state(&error))
}

/// Aggregates the rows of the keys of one subtask; the results are shown at the end.
#[derive(Debug)]
pub(super) struct Aggregate<B: Backend> {
    states: Aggregates<B>,
    plan: Arc<Plan>,
    /// The time of processing.
    now: i64,
}

impl<B: Backend> Aggregate<B> {
    /// Opens the states of the plan on `backend`; the values of `recent` keys may lie beside them.
    pub(super) fn open(backend: &mut B, plan: Arc<Plan>, recent: usize) -> Result<Self, Failure> {
        let states = Aggregates::open(backend, &plan.specs, &plan.key_schema, plan.ttl, recent);
        Ok(Self { states: states.map_err(|error| of_state(&error))?, plan, now: i64::MIN })
    }
}

impl<B: Backend + 'static> Operator for Aggregate<B> {
    type Batch = RowBatch;
    type Output = Vec<ResultRow>;
    type States = Aggregates<B>;
    type Error = Failure;

    fn tick(&mut self, now: i64) {
        self.now = now;
    }

    fn process(
        &mut self,
        source: usize,
        batch: RowBatch,
        _: &mut Outputs<Self::Output>,
    ) -> Result<(), Failure> {
        let added = self.states.add(&batch, source, self.now, &self.plan.specs);
        added.map_err(|error| error.of_input(&self.plan.inputs[source]))
    }

    fn settle(&mut self, _: &mut Outputs<Self::Output>) -> Result<(), Failure> {
        self.states.write_back().map_err(|error| of_state(&error))
    }

    fn finish(&mut self, outputs: &mut Outputs<Self::Output>) -> Result<(), Failure> {
        self.settle(outputs)?;
        let mut rows = Vec::new();
        let shown = self.states.results(self.now, |key, answers| {
            rows.push(ResultRow { key, window: None, answers });
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
        sweep(&mut self.states, now)
    }
}

/// Aggregates the rows of the keys of one subtask in windows; each is shown once it has closed.
#[derive(Debug)]
pub(super) struct WindowedAggregate<B: Backend> {
    states: WindowedAggregates<B>,
    clocks: Clocks,
    /// The watermark up to which all windows have been shown: what has expired by it does not count
    /// for any other.
    closed: i64,
    plan: Arc<Plan>,
}

impl<B: Backend> WindowedAggregate<B> {
    /// Opens the states of the plan on `backend`.
    ///
    /// # Panics
    ///
    /// If the plan has no windows.
    pub(super) fn open(backend: &mut B, plan: Arc<Plan>) -> Result<Self, Failure> {
        let Plan { specs, key_schema, inputs, ttl, windows, .. } = &*plan;
        let Some(WindowPlan { assigner, key_schema: windowed, .. }) = windows else {
            panic!("the plan of windows has some");
        };
        let keys = (key_schema, windowed);
        let states = WindowedAggregates::open(backend, specs, *assigner, keys, *ttl);
        let (clocks, closed) = (Clocks::new(inputs.len()), i64::MIN);
        Ok(Self { states: states.map_err(|error| of_state(&error))?, clocks, closed, plan })
    }

    /// Shows the windows that are due at `watermark`, some at most; returns whether there are more.
    fn close(
        &mut self,
        watermark: i64,
        outputs: &mut Outputs<Vec<ResultRow>>,
    ) -> Result<bool, Failure> {
        let (mut rows, mut sweep) = (Vec::new(), Sweep::new(watermark, RESULTS_MAX));
        let reached = self.clocks.closed();
        let closed = self.states.close(&mut sweep, reached, |row| rows.push(row));
        closed.map_err(|error| of_state(&error))?;
        if !rows.is_empty() {
            outputs.emit(rows);
        }
        self.states.is_cut(&sweep).map_err(|error| of_state(&error))
    }
}

impl<B: Backend + 'static> Operator for WindowedAggregate<B> {
    type Batch = RowBatch;
    type Output = Vec<ResultRow>;
    type States = WindowedAggregates<B>;
    type Error = Failure;

    fn process(
        &mut self,
        source: usize,
        batch: RowBatch,
        _: &mut Outputs<Self::Output>,
    ) -> Result<(), Failure> {
        let added = self.states.add(&batch, source, &self.plan.specs);
        added.map_err(|error| error.of_input(&self.plan.inputs[source]))?;
        if let Some(progress) = batch.progress() {
            self.clocks.advance(source, progress);
        }
        Ok(())
    }

    /// All windows that are due are shown before a barrier, so that those behind it end later.
    fn settle(&mut self, outputs: &mut Outputs<Self::Output>) -> Result<(), Failure> {
        while self.work(outputs)? {}
        Ok(())
    }

    fn work(&mut self, outputs: &mut Outputs<Self::Output>) -> Result<bool, Failure> {
        let watermark = self.clocks.closed();
        let has_more = self.close(watermark, outputs)?;
        if !has_more {
            self.closed = watermark;
        }
        Ok(has_more)
    }

    fn finish(&mut self, outputs: &mut Outputs<Self::Output>) -> Result<(), Failure> {
        while self.close(i64::MAX, outputs)? {}
        Ok(())
    }

    fn states(&mut self) -> &mut WindowedAggregates<B> {
        &mut self.states
    }

    fn sweep(&mut self, _: i64) -> Result<(), Failure> {
        sweep(&mut self.states, self.closed)
    }

    fn watermark(&self) -> i64 {
        self.closed
    }
}

fn sweep<S: States>(states: &mut S, now: i64) -> Result<(), Failure> {
    let swept = states.each(&mut states::Sweep { now, steps: SWEEP_STEPS });
    swept.map_err(|error| of_state(&error))
}

/// How many results go to the sink at once, and how many windows are closed before the next batch:
/// some milliseconds.
const RESULTS_MAX: usize = 1024;

const SWEEP_STEPS: usize = 4;
