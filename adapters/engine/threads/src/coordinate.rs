//! The coordinator's loop: tells the threads what the core's coordinator says, and it what they do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use holdwater::checkpoint::{Command, Report, SkippedGroup, TaskId};
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::storage::Storage;

use crate::error::EngineError;
use crate::message::{Notice, Order, Signal};
use crate::observer::{Event, Observer, Phases};
use crate::options::{Savepoints, Stop};
use crate::place::SOURCES;
use crate::rows::RowCount;
use crate::summary::{Ended, Summary};
use crate::taking::{Last, Taking};

/// A running job, seen from the thread that runs it.
pub(crate) struct Coordination<'a, B: Storage> {
    pub(crate) taking: Option<Taking<B>>,
    pub(crate) sources: Vec<Sender<Order>>,
    /// Of the sink, and of each subtask.
    pub(crate) notices: Vec<Sender<Notice>>,
    /// Subtasks and sink are told of a checkpoint before its barriers come.
    pub(crate) overtakes: bool,
    pub(crate) heard: Receiver<Signal>,
    pub(crate) rows: RowCount,
    pub(crate) stop: &'a Stop,
    pub(crate) savepoints: &'a Savepoints,
    /// The inputs were told to end; the job waits for them until then.
    pub(crate) drained: Option<Instant>,
    pub(crate) observer: &'a mut dyn Observer,
    /// How many inputs have ended.
    pub(crate) exhausted: usize,
    /// How far each input was read, as far as it was told.
    pub(crate) positions: Vec<Option<Vec<u8>>>,
    /// What was left out of the checkpoint that was restored.
    pub(crate) skipped: Vec<SkippedGroup>,
}

/// Why no checkpoint is begun but the last.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Every input has ended.
    Exhausted,
    /// The job was stopped; it waits until then.
    Stopped(Instant),
}

impl<B: Storage> Coordination<'_, B> {
    /// Runs the job until its inputs have ended, or it is stopped.
    pub(crate) fn run(mut self, restored: Option<&Manifest>) -> Result<Summary, EngineError> {
        let mut ending = None;
        loop {
            self.carry_out()?;
            ending = ending.or_else(|| self.ending());
            match (self.last(ending), ending) {
                (Last::Begun, _) => continue,
                (Last::Over, Some(Ending::Exhausted)) => break,
                (Last::Over, Some(Ending::Stopped(_))) => {
                    return Ok(self.summary(Ended::Stopped, restored, None));
                }
                (_, Some(Ending::Stopped(until))) if Instant::now() >= until => {
                    return Ok(self.summary(Ended::Stopped, restored, None));
                }
                _ => {}
            }
            self.listen()?;
        }
        let counters = self.finish()?;
        Ok(self.summary(Ended::Finished, restored, Some(counters)))
    }

    /// Does what the coordinator says.
    fn carry_out(&mut self) -> Result<(), EngineError> {
        let Some(taking) = &mut self.taking else { return Ok(()) };
        while let Some(command) = taking.poll() {
            match command {
                Command::Aborted(id, why) => {
                    let (why, goes_on) = taking.aborted(&why);
                    tell(&self.notices, Notice::Aborted(id));
                    self.observer.observe(&Event::Aborted { id, why: &why });
                    if !goes_on {
                        return Err(EngineError::NoCheckpoint { id, why });
                    }
                }
                Command::Barrier(barrier) => {
                    if self.overtakes {
                        tell(&self.notices, Notice::Begun(barrier, Instant::now()));
                    }
                    tell(&self.sources, Order::Barrier(barrier));
                }
                Command::Completed(id) => {
                    tell(&self.notices, Notice::Completed(id));
                    if let Some(completed) = taking.completed() {
                        let manifest = taking.newest().expect("one has just been completed");
                        self.observer.observe(&Event::Completed(completed, manifest));
                    }
                }
                Command::Halt(halt) => {
                    let error = taking.take_error();
                    return Err(EngineError::Halted { halt, error });
                }
                Command::Storage(request) => taking.perform(&request),
                Command::Warn(warning) => {
                    let error = taking.take_error().map(|error| error.to_string());
                    let error = error.as_deref();
                    self.observer.observe(&Event::Warned { warning: &warning, error });
                }
            }
        }
        Ok(())
    }

    fn ending(&mut self) -> Option<Ending> {
        if self.exhausted == self.sources.len() {
            return Some(Ending::Exhausted);
        }
        if !self.stop.is_stopped() {
            return None;
        }
        let patience = self.taking.as_ref().map_or(Duration::ZERO, Taking::stop_within);
        let until = Instant::now() + patience;
        if !self.stop.is_drained() {
            return Some(Ending::Stopped(until));
        }
        match self.drained {
            None => {
                tell(&self.sources, Order::Drain);
                self.drained = Some(until);
                None
            }
            Some(until) => (Instant::now() >= until).then_some(Ending::Stopped(until)),
        }
    }

    /// Begins a checkpoint if one is due, or if the job ends and its last is to be taken.
    fn last(&mut self, ending: Option<Ending>) -> Last {
        if let Some(taking) = self.taking.as_mut().filter(|_| self.savepoints.take()) {
            taking.ask();
        }
        match (&mut self.taking, ending) {
            (None, None) => Last::Awaited,
            (None, Some(_)) => Last::Over,
            (Some(taking), None) => taking.begin_if_due(&self.rows),
            (Some(taking), Some(_)) => {
                taking.begin_last(self.stop.last(), &self.rows, &self.positions)
            }
        }
    }

    /// Waits for a signal, a while at most.
    fn listen(&mut self) -> Result<(), EngineError> {
        let due = self.taking.as_ref().map_or(TICK, |taking| taking.due_in(TICK));
        match self.heard.recv_timeout(due) {
            Ok(Signal::Declined(task, id, why)) => {
                if let Some(taking) = &mut self.taking {
                    taking.decline(task, id, why);
                }
            }
            Ok(Signal::Done(task, id, report, phases)) => self.done(task, id, report, phases),
            Ok(Signal::Exhausted(source, position)) => {
                self.exhausted += 1;
                self.positions[source] = Some(position);
            }
            Ok(Signal::Failed(error)) => return Err(error),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => {
                self.observer.observe(&Event::Rows(self.rows.get()));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(EngineError::Deserted),
        }
        Ok(())
    }

    fn done(&mut self, task: TaskId, id: CheckpointId, report: Report, phases: Phases) {
        if let (SOURCES, Some(source)) = (task.operator, report.sources.first()) {
            self.positions[usize::from(task.index)] = Some(source.position.clone());
        }
        if let Some(taking) = &mut self.taking {
            taking.ack(task, id, report, phases);
        }
    }

    /// Has the operators give what is left, and waits until all of it is visible. Returns what they
    /// counted in this run.
    fn finish(&mut self) -> Result<Vec<(String, u64)>, EngineError> {
        tell(&self.sources, Order::Finish);
        let mut counters = Vec::new();
        loop {
            match self.heard.recv_timeout(TICK) {
                Ok(Signal::Counted(counted)) => counters.extend(counted),
                Ok(Signal::Failed(error)) => return Err(error),
                Ok(Signal::Finished) => return Ok(counters),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.observer.observe(&Event::Rows(self.rows.get()));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(EngineError::Deserted),
            }
        }
    }

    fn summary(
        self,
        ended: Ended,
        restored: Option<&Manifest>,
        counted: Option<Vec<(String, u64)>>,
    ) -> Summary {
        let taking = self.taking.as_ref();
        let newest = taking.and_then(Taking::newest);
        let before = match &counted {
            Some(_) => restored,
            // Of a job that was stopped, what its newest checkpoint has counts.
            None => newest,
        };
        let mut counters = BTreeMap::<String, u64>::new();
        let before = before.into_iter().flat_map(|manifest| manifest.counters.iter().cloned());
        for (name, count) in before.chain(counted.into_iter().flatten()) {
            *counters.entry(name).or_default() += count;
        }
        Summary {
            ended,
            restored: restored.map(|manifest| manifest.id),
            rows: self.rows.get(),
            checkpoints: taking.map_or(0, Taking::count),
            pause: taking.map_or(Duration::ZERO, Taking::pause),
            newest: newest.map(|manifest| manifest.id),
            counters: counters.into_iter().collect(),
            positions: self.positions,
            skipped: self.skipped,
        }
    }
}

fn tell<M: Clone>(channels: &[Sender<M>], message: M) {
    for channel in channels {
        // A thread that is gone has told why, or is about to.
        let _ = channel.send(message.clone());
    }
}

/// How often the stop switch is looked at, and the observer is told how many rows were read.
const TICK: Duration = Duration::from_millis(100);
