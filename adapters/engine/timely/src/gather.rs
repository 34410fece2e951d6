//! What all workers give comes together at the first one: results for the sink, in slices, and what
//! they tell the coordinator.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crossbeam_channel::{Sender, TrySendError};
use holdwater::barrier::Barrier;
use holdwater_threads::ends::{Message, Signal};
use holdwater_threads::{EngineError, Savepoints, Stop};

use crate::watch::Watch;
use crate::wire::Told;

/// What lies behind the results of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    Barrier(Barrier),
    End,
}

/// What the two ends of the dataflow at the first worker have in common.
#[derive(Debug)]
pub(crate) struct Hall<T> {
    /// The sink, while a job runs.
    pub(crate) results: Option<Sender<Message<T>>>,
    pub(crate) signals: Sender<Signal>,
    pub(crate) marks: BTreeMap<u64, Mark>,
    pub(crate) watch: Watch,
    pub(crate) workers: usize,
    pub(crate) stop: Stop,
    pub(crate) savepoints: Savepoints,
    /// How many results wait for the sink.
    pub(crate) backlog: usize,
}

/// The end of the dataflow.
pub(crate) struct Gather<T> {
    hall: Rc<RefCell<Hall<T>>>,
    /// Results by slice, with the workers that gave them.
    slices: BTreeMap<u64, Vec<(u64, T)>>,
    queue: VecDeque<Message<T>>,
    /// How many workers have told what they counted.
    counted: usize,
}

impl<T> Gather<T> {
    pub(crate) fn new(hall: Rc<RefCell<Hall<T>>>) -> Self {
        Self { hall, slices: BTreeMap::new(), queue: VecDeque::new(), counted: 0 }
    }

    /// Takes a result of a slice.
    pub(crate) fn result(&mut self, slice: u64, worker: u64, result: T) {
        self.slices.entry(slice).or_default().push((worker, result));
    }

    /// Takes what a worker tells; `failure` says why one failed.
    pub(crate) fn told(
        &mut self,
        worker: usize,
        told: Told,
        failure: impl FnOnce(usize, String) -> EngineError,
    ) {
        let mut hall = self.hall.borrow_mut();
        let signal = match told {
            Told::Alive(beat) => return hall.watch.answered(worker, beat),
            Told::Counted(counted) => {
                self.counted += 1;
                Signal::Counted(counted)
            }
            Told::Damaged(damage) => Signal::Damaged(damage),
            Told::Declined(task, id, why) => Signal::Declined(task, id, why),
            Told::Done(task, id, report, phases) => Signal::Done(task, id, report, phases),
            Told::Failed(why) => Signal::Failed(failure(worker, why)),
            Told::Ready(loaded) => Signal::Ready(loaded),
            Told::Savepoint => return hall.savepoints.ask(),
            Told::Stop => return hall.stop.stop(),
        };
        // Nobody listens any more once the job is over.
        let _ = hall.signals.send(signal);
    }

    /// Passes on what is complete, where `lowest` is the oldest slice that may still get results.
    /// Returns whether the sink has to be waited for.
    pub(crate) fn pass_on(&mut self, lowest: u64) -> bool {
        self.sort(lowest);
        let hall = &mut *self.hall.borrow_mut();
        while let (Some(results), Some(message)) = (&hall.results, self.queue.pop_front()) {
            match results.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    self.queue.push_front(message);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => hall.results = None,
            }
        }
        if hall.results.is_none() {
            self.queue.clear();
        }
        hall.backlog = self.queue.len();
        !self.queue.is_empty()
    }

    /// Puts results and marks in their order, as far as it is known.
    fn sort(&mut self, lowest: u64) {
        let mut hall = self.hall.borrow_mut();
        loop {
            let slice = self.slices.first_key_value().map(|(slice, _)| *slice);
            let mark = hall.marks.first_key_value().map(|(at, mark)| (*at, *mark));
            match (slice, mark) {
                (Some(slice), Some((at, Mark::End))) if slice == at && lowest <= at => break,
                (Some(slice), mark)
                    if slice <= lowest && mark.is_none_or(|(at, _)| slice <= at) =>
                {
                    let mut results = self.slices.remove(&slice).unwrap_or_default();
                    // What is left at the end is given in the order of the workers.
                    results.sort_by_key(|(worker, _)| *worker);
                    self.queue.extend(results.into_iter().map(|(_, all)| Message::Batch(all)));
                }
                (slice, Some((at, mark)))
                    if at < lowest && slice.is_none_or(|slice| slice > at) =>
                {
                    match mark {
                        // First: the job is over once the sink has seen the end.
                        Mark::End if self.counted < hall.workers => break,
                        Mark::End => self.queue.push_back(Message::End),
                        Mark::Barrier(barrier) => self.queue.push_back(Message::Barrier(barrier)),
                    }
                    hall.marks.remove(&at);
                }
                _ => break,
            }
        }
    }
}
