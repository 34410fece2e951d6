//! A job, and how it is run from its first thread to its last.

use holdwater::sink::Sink;
use holdwater::storage::Storage;

use crate::error::EngineError;
use crate::fleet::Crew;
use crate::observer::Observer;
use crate::operator::{Operator, Subtask};
use crate::options::{Checkpoints, Options};
use crate::plan::Plan;
use crate::source::{Input, RoutedSource};
use crate::summary::Summary;

/// What is done with which records, and where the results go.
#[derive(Debug)]
pub struct Job<S, F, K, B> {
    /// The inputs: a thread each. At resume they are matched by their order.
    pub inputs: Vec<Input<S>>,
    /// What the operator is called in checkpoints; neither `sources` nor `sink`.
    pub name: String,
    /// Makes the operator of a subtask, in the thread of the subtask.
    pub operator: F,
    /// Where results go.
    pub sink: K,
    /// What the sink is called in checkpoints.
    pub sink_name: String,
    /// Where and when checkpoints are taken, if at all.
    pub checkpoints: Option<Checkpoints<B>>,
    /// How it is run.
    pub options: Options,
}

/// Runs a job to its end: of its inputs, or by [`Stop`](crate::Stop).
///
/// At the end of the inputs a last checkpoint is taken before operators give what is left, so that
/// the same job started again gives the same results. If any thread fails or panics, the job ends
/// with the first error; a source that waits for records then is left to itself.
///
/// # Panics
///
/// If the job has no input, no subtask, or an operator named as the engine's own are.
pub fn run<S, O, F, K, B>(
    job: Job<S, F, K, B>,
    observer: &mut dyn Observer,
) -> Result<Summary, EngineError>
where
    S: RoutedSource,
    O: Operator<Batch = S::Records, Output = K::Batch>,
    F: Fn(Subtask) -> Result<O, O::Error> + Sync,
    K: Sink + Send,
    K::Batch: Send + 'static,
    B: Storage + Clone + Send + Sync,
{
    let in_flight = O::in_flight();
    let (plan, inputs, end, operator) = Plan::new(job, in_flight.map(|codecs| codecs.results))?;
    std::thread::scope(|scope| {
        // Subtasks end once nobody is left who could tell them anything; then they are waited for.
        let mut connected = None;
        let mut start = |begin| {
            let started = Crew::start(&plan, scope, &operator, begin).wait_until_ready();
            if let Ok((fleet, _)) = &started {
                let live = &plan.options.live;
                connected = Some(live.connect(fleet.key_groups, &fleet.notices));
            }
            started
        };
        plan.run(scope, inputs, end, &mut start, observer)
    })
}
