//! What each process knows of the job.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use holdwater::key::KeyGroups;
use holdwater_threads::ends::Signal;
use holdwater_threads::{Checkpoints, EngineError, Options, Subtask};

use crate::error::ClusterError;
use crate::wire::Verdict;

/// The part of a job that every process has: what its workers do, and where its checkpoints are.
#[derive(Debug)]
pub struct Part<F, B> {
    /// What tells the job from others: a process that has another is sent away.
    pub identity: u128,
    /// What the operator is called in checkpoints.
    pub name: String,
    /// Makes the operator of a worker, in its thread.
    pub operator: F,
    /// Where checkpoints are: the same place for every process.
    pub checkpoints: Option<Checkpoints<B>>,
    /// How it is run.
    pub options: Options,
}

/// What the threads of one process share.
pub(crate) struct Shared<F, B> {
    pub(crate) part: Part<F, B>,
    pub(crate) workers: usize,
    /// How many workers each process has.
    pub(crate) threads: usize,
    pub(crate) process: usize,
    /// Where the thread that runs the job hears of failures.
    pub(crate) alarm: Sender<Signal>,
    /// Why a worker of this process failed, until it is told.
    failure: Mutex<Option<EngineError>>,
    /// The job is over: connections may end.
    pub(crate) over: Arc<AtomicBool>,
    verdict: Mutex<Option<Verdict>>,
    /// The newest beat that a worker of this process has heard.
    pub(crate) heard: AtomicU64,
    /// Every worker has loaded its states.
    pub(crate) is_running: AtomicBool,
}

impl<F, B> Shared<F, B> {
    pub(crate) fn new(
        part: Part<F, B>,
        (workers, threads, process): (usize, usize, usize),
        alarm: Sender<Signal>,
    ) -> Self {
        Self {
            part,
            workers,
            threads,
            process,
            alarm,
            failure: Mutex::new(None),
            over: Arc::default(),
            verdict: Mutex::new(None),
            heard: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
        }
    }

    /// Returns the subtask that a worker runs.
    pub(crate) fn subtask(&self, worker: usize, key_groups: u16) -> Subtask {
        let (index, subtasks) = (worker as u16, self.workers as u16);
        Subtask { index, subtasks, groups: KeyGroups::share(key_groups, subtasks, index) }
    }

    /// Returns the process of a worker.
    pub(crate) const fn process_of(&self, worker: usize) -> usize {
        worker / self.threads
    }

    /// Keeps why a worker of this process failed; the first reason counts.
    pub(crate) fn keep(&self, error: EngineError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Returns why a worker of this process failed.
    pub(crate) fn take_failure(&self) -> Option<EngineError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns why a worker failed, of whichever process.
    pub(crate) fn failure(&self, worker: usize, why: String) -> EngineError {
        let process = self.process_of(worker);
        let own = if process == self.process { self.take_failure() } else { None };
        own.unwrap_or_else(|| failed(ClusterError::Failed { process, why }))
    }

    /// Takes note of how the job ended.
    pub(crate) fn end(&self, verdict: Verdict) {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(verdict);
        self.over.store(true, Ordering::Release);
    }

    /// Returns how the job ended, once.
    pub(crate) fn take_verdict(&self) -> Option<Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells the thread that runs the job.
    pub(crate) fn alarm(&self, error: EngineError) {
        // Nobody listens any more once the job is over.
        let _ = self.alarm.send(Signal::Failed(error));
    }
}

pub(crate) fn failed(error: ClusterError) -> EngineError {
    EngineError::Workers { error: Box::new(error) }
}

/// Returns what a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
