//! Brings what the sources read into the dataflow, at the first worker: slice by slice.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread::Thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use holdwater_threads::EngineError;
use holdwater_threads::ends::{Downstream, Input, Inputs, Message, Notice, Signal};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::core::input::Handle;

use crate::gather::{Hall, Mark};
use crate::wire::{Load, Parcel, Verdict};

/// What the thread that runs the job tells the first worker.
pub(crate) enum Control<R, T> {
    /// Have all workers load; then these are the ends of the job.
    Load(Load, Box<Inputs<(u16, R)>>, Sender<Message<T>>),
    /// Tell all workers that the job is over.
    Over(Verdict),
    /// Every worker has loaded.
    Running,
}

/// The way of one source to the first worker.
#[derive(Debug)]
pub(crate) struct ToPump<R> {
    pub(crate) channel: Sender<Message<(u16, R)>>,
    /// The first worker, which may be parked.
    pub(crate) worker: Thread,
}

impl<R: Send + 'static> Downstream<R> for ToPump<R> {
    fn send(&mut self, subtask: u16, records: R) -> bool {
        let sent = self.channel.send(Message::Batch((subtask, records))).is_ok();
        self.worker.unpark();
        sent
    }

    fn mark(&mut self, mark: holdwater_threads::ends::Mark) {
        use holdwater_threads::ends::Mark;
        // A worker that is gone is noticed by the next batch.
        let _ = self.channel.send(match mark {
            Mark::Barrier(barrier) => Message::Barrier(barrier),
            Mark::End => Message::End,
        });
        self.worker.unpark();
    }
}

/// Each record with the worker it is for.
pub(crate) type Addressed<R> = Vec<(u64, Parcel<R>)>;

/// The beginning of the dataflow.
pub(crate) struct Pump<R: Clone + 'static, T> {
    input: Option<Handle<u64, CapacityContainerBuilder<Addressed<R>>>>,
    hall: Rc<RefCell<Hall<T>>>,
    probe: ProbeHandle<u64>,
    control: Receiver<Control<R, T>>,
    inputs: Option<Inputs<(u16, R)>>,
    workers: u64,
    /// Something was sent in the slice that is open.
    is_filled: bool,
}

impl<R: Clone + 'static, T> Pump<R, T> {
    pub(crate) fn new(
        input: Handle<u64, CapacityContainerBuilder<Addressed<R>>>,
        hall: Rc<RefCell<Hall<T>>>,
        probe: ProbeHandle<u64>,
        control: Receiver<Control<R, T>>,
    ) -> Self {
        let workers = hall.borrow().workers as u64;
        Self { input: Some(input), hall, probe, control, inputs: None, workers, is_filled: false }
    }

    /// Takes in what is there, within bounds; returns whether there may be more.
    pub(crate) fn turn(&mut self) -> bool {
        while let Ok(control) = self.control.try_recv() {
            self.heed(control);
        }
        self.beat();
        let mut is_more = false;
        for _ in 0..TURN {
            if self.is_behind() {
                break;
            }
            is_more = self.take();
            if !is_more {
                break;
            }
        }
        // timely passes on what was sent once its slice is closed.
        if self.is_filled {
            self.close_slice();
        }
        is_more
    }

    /// Returns a worker that has answered nothing for too long, once.
    pub(crate) fn silent(&mut self) -> Option<usize> {
        let watch = &mut self.hall.borrow_mut().watch;
        watch.silent().inspect(|_| watch.disarm())
    }

    fn heed(&mut self, control: Control<R, T>) {
        match control {
            Control::Load(load, inputs, results) => {
                let mut hall = self.hall.borrow_mut();
                hall.results = Some(results);
                hall.watch.disarm();
                drop(hall);
                self.inputs = Some(*inputs);
                self.tell(&Parcel::Load(load));
            }
            Control::Over(verdict) => {
                self.inputs = None;
                self.tell(&Parcel::Over(verdict));
                self.hall.borrow_mut().results = None;
                // Dropped: the input is closed.
                self.input = None;
            }
            Control::Running => {
                self.tell(&Parcel::Running);
                self.hall.borrow_mut().watch.arm();
            }
        }
    }

    /// Sends a beat if one is due.
    fn beat(&mut self) {
        let due = self.hall.borrow_mut().watch.beat(Instant::now());
        if let Some(beat) = due {
            self.tell(&Parcel::Beat(beat));
        }
    }

    /// Returns whether the workers, or the sink, are to catch up before more is read.
    fn is_behind(&self) -> bool {
        let Some(input) = &self.input else { return true };
        let oldest = input.time().saturating_sub(SLICES);
        self.probe.less_than(&oldest) || self.hall.borrow().backlog > BACKLOG
    }

    /// Takes in one message; returns whether there may be more.
    fn take(&mut self) -> bool {
        let Some(inputs) = &mut self.inputs else { return false };
        match inputs.next(false) {
            Ok(Input::Batch(source, (worker, records))) => {
                self.send(u64::from(worker), Parcel::Records(source as u32, records));
            }
            Ok(Input::Checkpoint(barrier, _)) => {
                self.tell(&Parcel::Barrier(barrier));
                self.mark(Mark::Barrier(barrier));
            }
            Ok(Input::Ended | Input::Flush) => {
                self.inputs = None;
                self.tell(&Parcel::Finish);
                self.mark(Mark::End);
            }
            Ok(Input::Gone) => self.inputs = None,
            Ok(Input::Logged(..) | Input::Overtake(_) | Input::Notice(Notice::Begun(..))) => {
                panic!("barriers are aligned on this engine")
            }
            Ok(Input::Notice(Notice::Aborted(id))) => self.tell(&Parcel::Aborted(id)),
            Ok(Input::Notice(Notice::Completed(id))) => self.tell(&Parcel::Completed(id)),
            // Nobody asks: its states lie with workers, which may be those of other processes.
            Ok(Input::Notice(Notice::Asked(_))) => {}
            Ok(Input::Nothing) => return false,
            Err(error) => {
                self.inputs = None;
                let failed = Signal::Failed(EngineError::Barrier(error));
                // Nobody listens any more once the job is over.
                let _ = self.hall.borrow().signals.send(failed);
            }
        }
        true
    }

    /// Closes the slice with a mark behind it.
    fn mark(&mut self, mark: Mark) {
        if let Some(input) = &self.input {
            self.hall.borrow_mut().marks.insert(*input.time(), mark);
        }
        self.close_slice();
    }

    fn close_slice(&mut self) {
        self.is_filled = false;
        if let Some(input) = &mut self.input {
            let next = input.time() + 1;
            input.advance_to(next);
        }
    }

    fn tell(&mut self, parcel: &Parcel<R>) {
        for worker in 0..self.workers {
            self.send(worker, parcel.clone());
        }
    }

    fn send(&mut self, worker: u64, parcel: Parcel<R>) {
        if let Some(input) = &mut self.input {
            input.send((worker, parcel));
            self.is_filled = true;
        }
    }
}

/// How many messages make up a slice at most: enough that progress is a small part of the work.
const TURN: usize = 32;

/// How many slices may be open: timely's own queues have no bound.
const SLICES: u64 = 3;

/// How many results may wait for the sink before no more is read.
const BACKLOG: usize = 64;
