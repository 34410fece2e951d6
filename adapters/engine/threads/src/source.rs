//! Sources: a thread each, which reads records, sends them to the subtasks that own their keys, and
//! puts barriers between them.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use holdwater::barrier::Barrier;
use holdwater::checkpoint::{Report, TaskId};
use holdwater::key::{Key, KeyGroup, KeyGroups};
use holdwater::manifest::SourceEntry;
use holdwater::sink::Source;

use crate::error::EngineError;
use crate::message::{Message, Order, Signal};
use crate::observer::Phases;
use crate::rows::RowCount;

/// An input of a job.
#[derive(Debug)]
pub struct Input<S> {
    /// What it is called in messages and checkpoints.
    pub name: String,
    /// Where its records come from.
    pub source: S,
}

/// An input of a job, whose batches are addressed to subtasks.
///
/// [`Source::next`] returns records up to wherever it likes, some 1,000 for each subtask being a
/// good size; what [`Source::position`] says afterwards lies behind all of them.
pub trait RoutedSource: Source<Batch = Routed<Self::Records>> + Send + 'static {
    /// Some records for one subtask.
    type Records: Send + 'static;

    /// Takes note of which subtask owns which key. It is called once, before anything else.
    fn route(&mut self, route: Route);

    /// Takes note of where all inputs of the job stood in the checkpoint that is restored, in their
    /// order: for what an input is to know of the others. It is called before
    /// [`resume`](Source::resume).
    fn restored(&mut self, positions: &[Vec<u8>]) -> Result<(), Self::Error> {
        let _ = positions;
        Ok(())
    }
}

/// Records of a source, addressed to subtasks.
#[derive(Clone, Debug)]
pub struct Routed<R> {
    /// How many rows were read for them, also those that yield no record.
    pub rows: u64,
    /// What each subtask gets. No subtask needs to be named, and one may be named several times.
    pub batches: Vec<(u16, R)>,
}

/// Says which subtask owns a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    groups: KeyGroups,
    subtasks: u16,
}

impl Route {
    /// Spreads the keys of a job with `key_groups` groups over `subtasks` subtasks.
    ///
    /// # Panics
    ///
    /// If there are more subtasks than groups, or no subtask.
    pub fn new(key_groups: u16, subtasks: u16) -> Self {
        let groups = KeyGroups::all(key_groups);
        assert!((1..=key_groups).contains(&subtasks), "one to {key_groups} subtasks");
        Self { groups, subtasks }
    }

    /// Returns how many subtasks there are.
    pub const fn subtasks(&self) -> u16 {
        self.subtasks
    }

    /// Returns all key groups of the job.
    pub const fn groups(&self) -> KeyGroups {
        self.groups
    }

    /// Returns the number of the subtask that owns the key.
    #[inline]
    pub fn subtask<K: Key>(&self, key: K::View<'_>) -> u16 {
        let total = self.groups.total();
        KeyGroups::owner(KeyGroup::of(K::digest(key), total), total, self.subtasks)
    }
}

/// Where the records of one source go.
pub trait Downstream<R>: Send + 'static {
    /// Sends records to a subtask; returns false if the job is over.
    fn send(&mut self, subtask: u16, records: R) -> bool;

    /// Puts a mark behind the records, for every subtask.
    fn mark(&mut self, mark: Mark);
}

/// What a source puts behind its records.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// What comes before it belongs to the checkpoint.
    Barrier(Barrier),
    /// Nothing follows.
    End,
}

/// A channel to each subtask.
impl<R: Send + 'static> Downstream<R> for Vec<Sender<Message<R>>> {
    fn send(&mut self, subtask: u16, records: R) -> bool {
        self[usize::from(subtask)].send(Message::Batch(records)).is_ok()
    }

    fn mark(&mut self, mark: Mark) {
        for channel in self {
            // A subtask that is gone is noticed by the next batch.
            let _ = channel.send(match mark {
                Mark::Barrier(barrier) => Message::Barrier(barrier),
                Mark::End => Message::End,
            });
        }
    }
}

/// The thread of one source.
pub(crate) struct SourceThread<S: RoutedSource, D> {
    pub(crate) task: TaskId,
    pub(crate) name: String,
    pub(crate) source: S,
    pub(crate) route: Route,
    /// Where all inputs go on; of none if they begin.
    pub(crate) positions: Arc<[Vec<u8>]>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) subtasks: D,
    pub(crate) rows: RowCount,
    pub(crate) signals: Sender<Signal>,
}

impl<S: RoutedSource, D: Downstream<S::Records>> SourceThread<S, D> {
    /// Reads until it is told to finish, or until nobody is there to be told anything.
    pub(crate) fn run(mut self) -> Result<(), EngineError> {
        self.source.route(self.route);
        if let Some(position) = self.positions.get(usize::from(self.task.index)) {
            let restored = self.source.restored(&self.positions);
            let resumed = restored.and_then(|()| self.source.resume(position));
            resumed.map_err(|error| self.failed(error))?;
        }
        loop {
            match self.orders.try_recv() {
                Ok(Order::Barrier(barrier)) => self.pass(barrier),
                Ok(Order::Drain) => break self.wait(),
                Ok(Order::Finish) => break self.finish(),
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let Some(routed) = self.source.next().map_err(|error| self.failed(error))?
                    else {
                        break self.wait();
                    };
                    if !self.send(routed) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Answers barriers behind the end of the input, until all inputs have ended.
    fn wait(mut self) {
        let position = self.source.position();
        self.signal(Signal::Exhausted(usize::from(self.task.index), position));
        while let Ok(order) = self.orders.recv() {
            match order {
                Order::Barrier(barrier) => self.pass(barrier),
                Order::Drain => {}
                Order::Finish => return self.finish(),
            }
        }
    }

    /// Sends records; returns false if a subtask is gone.
    fn send(&mut self, routed: Routed<S::Records>) -> bool {
        for (subtask, records) in routed.batches {
            if !self.subtasks.send(subtask, records) {
                return false;
            }
        }
        if self.rows.add(routed.rows) {
            self.signal(Signal::Due);
        }
        true
    }

    fn pass(&mut self, barrier: Barrier) {
        let position = self.source.position();
        self.subtasks.mark(Mark::Barrier(barrier));
        let sources = vec![SourceEntry { name: self.name.clone(), position }];
        let report = Report { sources, ..Report::default() };
        self.signal(Signal::Done(self.task, barrier.id, report, Phases::default()));
    }

    fn finish(mut self) {
        self.subtasks.mark(Mark::End);
    }

    fn signal(&self, signal: Signal) {
        // Nobody listens any more once the job has failed.
        let _ = self.signals.send(signal);
    }

    fn failed(&self, error: S::Error) -> EngineError {
        EngineError::Source { name: self.name.clone(), error: Box::new(error) }
    }
}
