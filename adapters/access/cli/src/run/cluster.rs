//! A job on timely: all of it in the first process, its workers alone in every other.

use std::path::Path;
use std::sync::Arc;

use holdwater::sink::Sink;
use holdwater_any::{self as any, Stores};
use holdwater_threads::{
    self as threads, Checkpoints, Ended, EngineError, Job, Operator, Options, Subtask, Summary,
};
use holdwater_timely::{self as timely, Cluster, ClusterError, Part};

use super::batch::RowBatch;
use super::failures;
use super::operator::{self, ResultRow};
use super::plan::Plan;
use super::report::Report;
use super::source::RowSource;
use crate::failure::Failure;
use crate::place::Place;

/// What operators are called in checkpoints.
pub(super) const OPERATOR: &str = "aggregate";

/// Runs a job on what was chosen: threads, where there is no cluster.
pub(super) fn run<O, F, K>(
    cluster: Option<Cluster>,
    identity: u128,
    job: Job<RowSource, F, K, Place>,
    report: &mut Report,
) -> Result<Summary, EngineError>
where
    O: Operator<Batch = RowBatch, Output = Vec<ResultRow>>,
    F: Fn(Subtask) -> Result<O, O::Error> + Send + Sync + 'static,
    K: Sink<Batch = Vec<ResultRow>> + Send,
{
    match cluster {
        None => threads::run(job, report),
        Some(cluster) => timely::run(cluster, identity, job, report),
    }
}

/// The workers of another process than the first, which wait for their store.
pub(super) struct Follower<'r> {
    pub(super) cluster: Cluster,
    pub(super) plan: &'r Arc<Plan>,
    pub(super) checkpoints: Option<Checkpoints<Place>>,
    pub(super) options: Options,
    pub(super) directory: Option<&'r Path>,
}

impl any::Job for Follower<'_> {
    type Output = Result<Option<Ended>, Failure>;

    fn run<S: Stores>(self, stores: S) -> Self::Output {
        let Self { cluster, plan, checkpoints, options, directory } = self;
        let name = OPERATOR.to_owned();
        let (identity, windowed) = (plan.identity, plan.windows.is_some());
        let plan = Arc::clone(plan);
        let ended = if windowed {
            let operator = operator::in_windows(stores, plan);
            timely::follow(cluster, Part { identity, name, operator, checkpoints, options })
        } else {
            let operator = operator::without_windows(stores, plan);
            timely::follow(cluster, Part { identity, name, operator, checkpoints, options })
        };
        unless_interrupted(ended).map_err(|error| failures::of_engine(error, directory))
    }
}

/// Takes a stop before all processes were there for what it is: no failure, and nothing to tell.
pub(super) fn unless_interrupted<T>(
    ended: Result<T, EngineError>,
) -> Result<Option<T>, EngineError> {
    match ended {
        Err(EngineError::Workers { error }) => match error.downcast_ref() {
            Some(ClusterError::Interrupted) => Ok(None),
            _ => Err(EngineError::Workers { error }),
        },
        ended => ended.map(Some),
    }
}

/// States whether each worker can have a key group.
pub(super) fn check(cluster: &Cluster, key_groups: u16) -> Result<(), Failure> {
    let workers = cluster.workers();
    if workers > usize::from(key_groups) {
        return Err(Failure::Usage(format!(
            "{workers} workers are more than the {key_groups} key groups; lower -w or -n, or start \
             a new job with more --key-groups"
        )));
    }
    Ok(())
}
