//! Runs a job again from its newest checkpoint when a part of it fails, in the same process.

use std::thread;
use std::time::{Duration, Instant};

use holdwater::sink::Sink;
use holdwater::storage::Storage;

use crate::error::EngineError;
use crate::job::{Job, run};
use crate::observer::{Event, Observer};
use crate::operator::{Operator, Subtask};
use crate::options::Stop;
use crate::source::RoutedSource;
use crate::summary::Summary;

/// How often a job is run again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Restarts {
    /// How many runs in a row may fail without a checkpoint, before the job does.
    pub attempts: u32,
    /// How long to wait before each.
    pub delay: Duration,
}

/// Runs a job to its end, as [`run`](crate::run) does; when a part of it fails, `make` makes the
/// job again, and it goes on from its newest checkpoint.
///
/// The whole job is restored, each time in a new epoch: what the failed run left behind takes no
/// effect. A failure that would come again, such as a checkpoint that does not fit the job, ends
/// it, and so does one of a job without checkpoints, whose results could not be taken back.
///
/// # Panics
///
/// As [`run`](crate::run) does.
pub fn run_again<S, O, F, K, B>(
    mut make: impl FnMut() -> Job<S, F, K, B>,
    restarts: Restarts,
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
    let (mut failures, mut is_first) = (0, true);
    loop {
        let mut job = make();
        let stop = job.options.stop.clone();
        let has_checkpoints = job.checkpoints.is_some();
        if let Some(checkpoints) = job.checkpoints.as_mut().filter(|_| !is_first) {
            checkpoints.go_on();
        }
        is_first = false;
        let mut progress = Progress { observer: &mut *observer, is_made: false };
        let error = match run(job, &mut progress) {
            Ok(summary) => return Ok(summary),
            Err(error) => error,
        };
        failures = if progress.is_made { 1 } else { failures + 1 };
        let may_pass = error.may_pass() && has_checkpoints && !stop.is_stopped();
        if !may_pass || failures > restarts.attempts {
            return Err(error);
        }
        observer.observe(&Event::Restarting { error: &error, failures });
        if !wait(restarts.delay, &stop) {
            return Err(error);
        }
    }
}

/// Waits; returns false if the job is stopped meanwhile.
fn wait(delay: Duration, stop: &Stop) -> bool {
    let until = Instant::now() + delay;
    while !stop.is_stopped() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(TICK));
    }
    false
}

/// Notices whether a run has completed a checkpoint.
struct Progress<'o> {
    observer: &'o mut dyn Observer,
    is_made: bool,
}

impl Observer for Progress<'_> {
    fn observe(&mut self, event: &Event<'_>) {
        self.is_made |= matches!(event, Event::Completed(..));
        self.observer.observe(event);
    }
}

/// How often the stop switch is looked at.
const TICK: Duration = Duration::from_millis(20);
