//! One worker: the loop that drives its dataflow.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use holdwater::storage::Storage;
use holdwater_threads::{Operator, Subtask};
use timely::ExchangeData;
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::{Input, Probe};
use timely::worker::Worker;

use crate::dataflow::{Wish, gather, keyed};
use crate::error::ClusterError;
use crate::gather::Hall;
use crate::part::{Shared, failed};
use crate::pump::{Addressed, Control, Pump};
use crate::watch::{Heard, Watch};
use crate::wire::Told;

/// What the first worker has beside what all have.
pub(crate) struct First<R, T> {
    pub(crate) control: Receiver<Control<R, T>>,
    /// Where it says which thread it is.
    pub(crate) here: Sender<std::thread::Thread>,
}

/// Runs one worker until the job is over.
pub(crate) fn work<O, F, B>(
    worker: &mut Worker,
    shared: &Arc<Shared<F, B>>,
    first: Option<First<O::Batch, O::Output>>,
    patience: Duration,
) where
    O: Operator<Batch: ExchangeData + Clone, Output: ExchangeData>,
    F: Fn(Subtask) -> Result<O, O::Error> + Send + Sync + 'static,
    B: Storage + Clone + Send + Sync + 'static,
{
    let index = worker.index();
    let hall = Rc::new(RefCell::new(Hall {
        results: None,
        signals: shared.alarm.clone(),
        marks: BTreeMap::new(),
        watch: Watch::new(shared.workers, patience),
        workers: shared.workers,
        stop: shared.part.options.stop.clone(),
        savepoints: shared.part.options.savepoints.clone(),
        backlog: 0,
    }));
    let (probe, wish) = (ProbeHandle::new(), Rc::new(Wish::default()));
    let input = worker.dataflow::<u64, _, _>(|scope| {
        let (input, parcels) = scope.new_input::<Addressed<O::Batch>>();
        let (results, told) = keyed::<O, F, B>(scope, parcels, index, shared, &wish);
        gather(scope, results.probe_with(&probe), told, &hall, shared);
        input
    });
    let mut post = match first {
        Some(First { control, here }) => {
            // Nobody waits for it if the job has failed meanwhile.
            let _ = here.send(std::thread::current());
            Post::First(Box::new(Pump::new(input, hall, probe, control)))
        }
        None if index == shared.process * shared.threads => {
            drop(input);
            Post::Messenger { heard: Heard::new(patience), wish, is_told: false }
        }
        None => {
            drop(input);
            Post::None
        }
    };
    let mut over = None;
    while worker.has_dataflows() {
        let now = Instant::now();
        let is_more = post.turn(shared, now, patience);
        if shared.over.load(Ordering::Acquire) {
            let since = *over.get_or_insert(now);
            if now.duration_since(since) > GRACE {
                // Of a peer that is gone nothing more comes.
                worker.installed_dataflows().into_iter().for_each(|id| worker.drop_dataflow(id));
                break;
            }
        }
        worker.step_or_park(Some(if is_more { Duration::ZERO } else { TICK }));
    }
}

/// What a worker does beside its share of the keys.
enum Post<R: Clone + 'static, T> {
    /// It brings in what is read, and watches all others.
    First(Box<Pump<R, T>>),
    /// It speaks for its process, and watches the first worker.
    Messenger {
        heard: Heard,
        wish: Rc<Wish>,
        is_told: bool,
    },
    None,
}

impl<R: Clone + 'static, T> Post<R, T> {
    /// Does what is due; returns whether there may be more.
    fn turn<F, B>(&mut self, shared: &Shared<F, B>, now: Instant, patience: Duration) -> bool {
        let is_running = shared.is_running.load(Ordering::Acquire);
        match self {
            Self::First(pump) => {
                if let Some(silent) = pump.silent() {
                    alarm_hung(shared, silent, patience);
                }
                return pump.turn();
            }
            Self::Messenger { heard, wish, is_told } if is_running => {
                if heard.is_silent(now, shared.heard.load(Ordering::Acquire)) {
                    alarm_hung(shared, 0, patience);
                }
                let options = &shared.part.options;
                if options.stop.is_stopped() && !*is_told {
                    *is_told = true;
                    wish.tell(Told::Stop);
                } else if options.savepoints.take() {
                    wish.tell(Told::Savepoint);
                }
            }
            Self::Messenger { .. } | Self::None => {}
        }
        false
    }
}

fn alarm_hung<F, B>(shared: &Shared<F, B>, worker: usize, patience: Duration) {
    let (process, waited_ms) = (shared.process_of(worker), patience.as_millis() as u64);
    shared.alarm(failed(ClusterError::Hung { worker, process, waited_ms }));
}

/// How long a worker that has nothing to do sleeps at most.
const TICK: Duration = Duration::from_millis(20);

/// How long workers wait for each other once the job is over.
const GRACE: Duration = Duration::from_secs(1);
