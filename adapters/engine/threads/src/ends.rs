//! The ends of a job: its sources, its sink and its coordinator, each on a thread of its own, for
//! engines that run the subtasks in between in another way.
//!
//! ```text
//! sources -- Downstream --> [ subtasks: a Body each ] -- Message --> sink
//!    ^                        ^      |                                ^
//!    +------ Barrier ---------+-- Notice, Signal ---------------------+-- coordinator
//! ```

use std::fmt;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use holdwater::barrier::Barriers;
use holdwater::checkpoint::Restored;
use holdwater::manifest::Manifest;
use holdwater::operator::InFlightCodec;
use holdwater::sink::Sink;
use holdwater::storage::Storage;

pub use crate::body::{Body, FreezeFailed, Restore};
pub use crate::inputs::{Input, Inputs};
pub use crate::message::{Message, Notice, Signal};
pub use crate::place::{KEYED, SINK_NAME, SOURCES_NAME};
pub use crate::snapshot::{Abandoned, SnapshotWriter, Work};
pub use crate::source::{Downstream, Mark};

use crate::error::{BarriersRefused, EngineError};
use crate::job::Job;
use crate::observer::Observer;
use crate::plan::Plan;
use crate::restore::LoadFailed;
use crate::source::RoutedSource;
use crate::summary::Summary;

/// What subtasks begin with.
#[derive(Clone)]
pub struct Begin<B> {
    /// The epoch that was begun; 0 without checkpoints.
    pub epoch: u64,
    /// How many key groups the job has.
    pub key_groups: u16,
    /// What is restored, and where its files are.
    pub from: Option<(Arc<Manifest>, B)>,
    /// An epoch before this one began with the same, and came to nothing: files are read whole.
    pub is_retried: bool,
}

impl<B> fmt::Debug for Begin<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.from.as_ref().map(|(manifest, _)| manifest.id);
        f.debug_struct("Begin").field("epoch", &self.epoch).field("from", &id).finish()
    }
}

/// Subtasks that hold what they were restored from, and wait for records.
#[derive(Debug)]
pub struct Fleet<D, T> {
    /// What they began with.
    pub epoch: u64,
    /// How many key groups the job has.
    pub key_groups: u16,
    /// Of each source, where its records go.
    pub sources: Vec<D>,
    /// Where their results come from.
    pub results: Vec<Receiver<Message<T>>>,
    /// How they are told what became of a checkpoint.
    pub notices: Vec<Sender<Notice>>,
    /// What they tell.
    pub signals: Sender<Signal>,
    /// Where it is heard.
    pub heard: Receiver<Signal>,
}

/// Starts subtasks, and waits until they hold what they begin with.
pub type Starter<'s, D, T, B> =
    &'s mut dyn FnMut(Begin<B>) -> Result<(Fleet<D, T>, Restored), LoadFailed>;

/// Runs the ends of `job`, whose subtasks are started by `start`: once for each checkpoint that is
/// tried, until one is intact. Barriers are aligned; `in_flight` reads results that a checkpoint of
/// another engine holds ([`Operator::in_flight`](crate::Operator::in_flight)).
///
/// # Panics
///
/// As [`run`](crate::run) does.
pub fn run_ends<S, D, K, B>(
    job: Job<S, (), K, B>,
    in_flight: Option<InFlightCodec<K::Batch>>,
    start: Starter<'_, D, K::Batch, B>,
    observer: &mut dyn Observer,
) -> Result<Summary, EngineError>
where
    S: RoutedSource,
    D: Downstream<S::Records>,
    K: Sink + Send,
    K::Batch: Send + 'static,
    B: Storage + Clone + Send + Sync,
{
    if job.options.barriers != Barriers::Aligned {
        return Err(EngineError::Barriers(BarriersRefused::Engine));
    }
    let (plan, inputs, end, ()) = Plan::new(job, in_flight)?;
    std::thread::scope(|scope| plan.run(scope, inputs, end, start, observer))
}
