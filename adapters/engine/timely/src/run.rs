//! A job from its first worker to its last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use holdwater::checkpoint::Restored;
use holdwater::sink::Sink;
use holdwater::storage::Storage;
use holdwater_threads::ends::{Begin, Fleet, Inputs, Signal, run_ends};
use holdwater_threads::{
    Ended, EngineError, Job, LoadFailed, Observer, Operator, Options, RoutedSource, Subtask,
    Summary,
};
use timely::ExchangeData;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Hooks, WorkerGuards};
use timely::execute::execute_from;

use crate::cluster::Cluster;
use crate::connect::connect;
use crate::error::ClusterError;
use crate::link::Link;
use crate::part::{Part, Shared, failed, message};
use crate::pump::{Control, ToPump};
use crate::wire::{Load, Verdict};
use crate::worker::{First, work};

/// Runs a job to its end, as [`holdwater_threads::run`] does, on the workers of `cluster`, of which
/// this is the first process. `identity` tells the job from others.
///
/// There are as many subtasks as workers, whatever `job.options` says.
///
/// # Panics
///
/// As [`holdwater_threads::run`] does, and if this is not the first process.
pub fn run<S, O, F, K, B>(
    cluster: Cluster,
    identity: u128,
    job: Job<S, F, K, B>,
    observer: &mut dyn Observer,
) -> Result<Summary, EngineError>
where
    S: RoutedSource<Records: ExchangeData + Clone>,
    O: Operator<Batch = S::Records, Output = K::Batch>,
    F: Fn(Subtask) -> Result<O, O::Error> + Send + Sync + 'static,
    K: Sink<Batch: ExchangeData> + Send,
    B: Storage + Clone + Send + Sync + 'static,
{
    assert!(cluster.is_first(), "the first process has the ends of the job");
    let Job { inputs, name, operator, sink, sink_name, checkpoints, mut options } = job;
    options.parallelism = u16::try_from(cluster.workers()).unwrap_or(u16::MAX);
    let part = Part {
        identity,
        name: name.clone(),
        operator,
        checkpoints: checkpoints.clone(),
        options: options.clone(),
    };
    let (signals, heard) = unbounded();
    let (control, controlled) = unbounded();
    let (here, thread) = bounded(1);
    let first = First { control: controlled, here };
    let patience = cluster.patience;
    let running = start(cluster, part, signals.clone(), Some(first))?;
    // A worker that cannot start has told why.
    let worker = thread.recv().map_err(|_| running.failure(&heard))?;
    let hub =
        Hub { control, worker, signals, heard, options: options.clone(), inputs: inputs.len() };
    let ends = Job { inputs, name, operator: (), sink, sink_name, checkpoints, options };
    let in_flight = O::in_flight().map(|codecs| codecs.results);
    let ended = run_ends(ends, in_flight, &mut |begin| hub.start(begin), observer);
    let (verdict, wait) = match &ended {
        Ok(summary) if summary.ended == Ended::Finished => (Verdict::Finished, patience),
        Ok(_) => (Verdict::Stopped, patience),
        Err(error) => (Verdict::Failed(error.to_string()), FAREWELL.min(patience)),
    };
    hub.tell(Control::Over(verdict));
    running.wait(wait);
    ended
}

/// Runs the workers of another process than the first, until the job is over.
///
/// # Panics
///
/// If this is the first process.
pub fn follow<O, F, B>(cluster: Cluster, part: Part<F, B>) -> Result<Ended, EngineError>
where
    O: Operator<Batch: ExchangeData + Clone, Output: ExchangeData>,
    F: Fn(Subtask) -> Result<O, O::Error> + Send + Sync + 'static,
    B: Storage + Clone + Send + Sync + 'static,
{
    assert!(!cluster.is_first(), "the first process has the ends of the job");
    let (signals, heard) = unbounded();
    let running = start::<O, F, B>(cluster, part, signals, None)?;
    loop {
        match heard.recv_timeout(TICK) {
            Ok(Signal::Failed(error)) => {
                return Err(running.shared.take_failure().unwrap_or(error));
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                if running.ended.try_recv().is_ok() {
                    return running.verdict();
                }
            }
        }
    }
}

/// The workers of this process.
struct Running<F, B> {
    shared: Arc<Shared<F, B>>,
    /// Hears when all have ended.
    ended: Receiver<()>,
}

impl<F, B> Running<F, B> {
    /// Waits until all workers have ended; those that do not are left to themselves.
    fn wait(&self, patience: Duration) {
        let _ = self.ended.recv_timeout(patience);
    }

    /// Returns why there is no worker.
    fn failure(&self, heard: &Receiver<Signal>) -> EngineError {
        match heard.try_iter().find(|signal| matches!(signal, Signal::Failed(_))) {
            Some(Signal::Failed(error)) => error,
            _ => failed(ClusterError::Start("a worker ended at once".to_owned())),
        }
    }

    /// Returns how the job ended.
    fn verdict(&self) -> Result<Ended, EngineError> {
        match (self.shared.take_failure(), self.shared.take_verdict()) {
            (Some(error), _) => Err(error),
            (None, Some(Verdict::Finished)) => Ok(Ended::Finished),
            (None, Some(Verdict::Stopped)) => Ok(Ended::Stopped),
            (None, Some(Verdict::Failed(why))) => {
                Err(failed(ClusterError::Failed { process: 0, why }))
            }
            (None, None) => {
                let why = "its workers have ended".to_owned();
                Err(failed(ClusterError::Gone { process: 0, why }))
            }
        }
    }
}

/// Starts the workers of this process, once it is connected with all others.
fn start<O, F, B>(
    cluster: Cluster,
    part: Part<F, B>,
    alarm: Sender<Signal>,
    first: Option<First<O::Batch, O::Output>>,
) -> Result<Running<F, B>, EngineError>
where
    O: Operator<Batch: ExchangeData + Clone, Output: ExchangeData>,
    F: Fn(Subtask) -> Result<O, O::Error> + Send + Sync + 'static,
    B: Storage + Clone + Send + Sync + 'static,
{
    let shape = (cluster.workers(), cluster.threads, cluster.process);
    let shared = Arc::new(Shared::new(part, shape, alarm));
    let (builders, others) = communication(&cluster, &shared)?;
    let (first, shared_by_all) = (Mutex::new(first), Arc::clone(&shared));
    let patience = cluster.patience;
    let body = move |worker: &mut timely::worker::Worker| {
        let first = match worker.index() {
            0 => first.lock().unwrap_or_else(PoisonError::into_inner).take(),
            _ => None,
        };
        let shared = &shared_by_all;
        // The panic ends here: the worker is gone, and the job is told.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            work::<O, F, B>(worker, shared, first, patience);
        }));
        if let Err(panic) = ended {
            let message = message(&*panic);
            shared.alarm(failed(ClusterError::Panicked { message }));
        }
    };
    let guards = execute_from(builders, others, cluster.worker.clone(), body)
        .map_err(|why| failed(ClusterError::Start(why)))?;
    Ok(Running { shared, ended: join(guards) })
}

/// Waits for the workers in a thread of its own: one that hangs keeps nobody.
fn join(guards: WorkerGuards<()>) -> Receiver<()> {
    let (end, ended) = bounded(1);
    std::thread::spawn(move || {
        drop(guards.join());
        // Nobody waits any more.
        let _ = end.send(());
    });
    ended
}

type Communication = (Vec<AllocatorBuilder>, Box<dyn std::any::Any + Send>);

/// Sets up how workers reach each other.
fn communication<F, B>(
    cluster: &Cluster,
    shared: &Shared<F, B>,
) -> Result<Communication, EngineError> {
    use timely::CommunicationConfig as Config;
    let start = |why| failed(ClusterError::Start(why));
    if cluster.processes() == 1 {
        let config = match (cluster.threads, cluster.zerocopy) {
            (1, _) => Config::Thread,
            (threads, false) => Config::Process(threads),
            (threads, true) => Config::ProcessBinary(threads),
        };
        return config.try_build().map_err(start);
    }
    let part = &shared.part;
    let sockets = connect(cluster, part.identity, &part.options.stop).map_err(failed)?;
    let links = sockets.into_iter().enumerate().map(|(process, socket)| {
        let (alarm, over) = (shared.alarm.clone(), Arc::clone(&shared.over));
        socket.map(|socket| Link { socket, process, alarm, over, zeros: 0 })
    });
    let hooks = Hooks::default();
    let (refill, spill) = (hooks.refill.clone(), hooks.spill.clone());
    let workers = match cluster.zerocopy {
        true => ProcessBuilder::new_bytes_vector(cluster.threads, refill, spill),
        false => ProcessBuilder::new_typed_vector(cluster.threads, refill, spill),
    };
    let (process, threads) = (cluster.process, cluster.threads);
    let (builders, guard) =
        initialize_networking_from_sockets(workers, links.collect(), process, threads, hooks)
            .map_err(|error| start(error.to_string()))?;
    Ok((builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
}

/// What the thread that runs the job knows of the first worker.
struct Hub<R, T> {
    control: Sender<Control<R, T>>,
    worker: Thread,
    signals: Sender<Signal>,
    heard: Receiver<Signal>,
    options: Options,
    inputs: usize,
}

impl<R: Send + 'static, T: Send + 'static> Hub<R, T> {
    fn tell(&self, control: Control<R, T>) {
        // A worker that is gone has told why.
        let _ = self.control.send(control);
        self.worker.unpark();
    }

    /// Has all workers load, and waits until each has answered.
    fn start<B>(&self, begin: Begin<B>) -> Result<(Fleet<ToPump<R>, T>, Restored), LoadFailed> {
        let Begin { epoch, key_groups, from, is_retried: whole } = begin;
        let from = from.map(|(manifest, _)| (manifest.id, manifest.to_file()));
        let capacity = self.options.channel_batches.get();
        let (mut sources, mut channels) = (Vec::new(), Vec::new());
        for _ in 0..self.inputs {
            let (channel, received) = bounded(capacity);
            sources.push(ToPump { channel, worker: self.worker.clone() });
            channels.push(received);
        }
        let (notice, notices) = unbounded();
        let (results, received) = bounded(capacity);
        let inputs = Inputs::new(channels, notices, self.options.guarantee, epoch);
        self.tell(Control::Load(
            Load { epoch, key_groups, whole, from },
            Box::new(inputs),
            results,
        ));
        let restored = self.wait_until_ready()?;
        self.tell(Control::Running);
        let fleet = Fleet {
            epoch,
            key_groups,
            sources,
            results: vec![received],
            notices: vec![notice],
            signals: self.signals.clone(),
            heard: self.heard.clone(),
        };
        Ok((fleet, restored))
    }

    /// Waits for the answer of each worker.
    fn wait_until_ready(&self) -> Result<Restored, LoadFailed> {
        let (mut all, mut damaged) = (Restored::default(), None);
        let mut waited_for = self.options.parallelism;
        while waited_for > 0 {
            match self.heard.recv() {
                Ok(Signal::Ready(loaded)) => all.add(loaded),
                Ok(Signal::Damaged(damage)) => damaged = Some(damage),
                Ok(Signal::Failed(error)) => return Err(LoadFailed::Failed(error)),
                Ok(_) => continue,
                Err(_) => panic!("the hub itself holds a sender"),
            }
            waited_for -= 1;
        }
        damaged.map_or(Ok(all), |damage| Err(LoadFailed::Damaged(damage)))
    }
}

/// How long a job that has failed waits for its workers: they may tell other processes why.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often it is looked whether all workers have ended.
const TICK: Duration = Duration::from_millis(50);
