//! One start of the job: coordinator, sources, tasks and sink, until they end or crash.

mod flow;
mod messages;

use std::collections::BTreeSet;

use holdwater::checkpoint::{self, Command, Coordinator, OperatorShape, Recovered, TaskId};
use holdwater::key::{HASH_FUNCTION, KeyGroups};
use holdwater::manifest::{CheckpointId, CheckpointKind};
use holdwater::operator;
use holdwater::storage::Request;

use crate::channel::{Channel, Delivery, Element};
use crate::check;
use crate::in_flight;
use crate::load::{Begun, OPERATOR};
use crate::marks::Mark;
use crate::model::Model;
use crate::network::Letter;
use crate::output::Row;
use crate::random::Stream;
use crate::scheduler::{Actor, Scheduler};
use crate::setting::{Setting, Stop};
use crate::sink::Sink;
use crate::site::Asker;
use crate::source::Source;
use crate::task::{Task, TaskError};
use crate::upload::JOB;

/// One start of the job.
#[derive(Debug)]
pub struct Job {
    epoch: u64,
    coordinator: Coordinator,
    /// What the coordinator asks for next.
    next: Option<Command>,
    sources: Vec<Source>,
    tasks: Vec<Task>,
    sink: Sink,
    /// From each source to each task: `records[task][source]`.
    records: Vec<Vec<Channel<Element>>>,
    /// From each task to the sink.
    results: Vec<Channel<Delivery>>,
    scheduler: Scheduler,
    /// When the clock strikes next.
    due: u64,
    /// When the checkpoint under way was triggered.
    since: u64,
    /// The newest checkpoint that was triggered while no record was processed.
    begun_stalled: Option<CheckpointId>,
    /// Who acknowledged the checkpoint under way.
    acks: BTreeSet<(CheckpointId, TaskId)>,
    /// How many checkpoints were completed since all sources had been read.
    completed_at_end: u32,
}

impl Job {
    /// Starts the job where it was recovered, with what each task begins with, and the results that
    /// were in flight to the sink.
    pub fn start(
        setting: &Setting,
        recovered: Recovered,
        positions: &[u32],
        tasks: Vec<Begun>,
        in_flight: Vec<Row>,
    ) -> Self {
        let shape = setting.config.shape;
        let (epoch, parallelism) = (recovered.epoch, tasks.len());
        let told = recovered.restored.as_ref().map_or(0, |restored| restored.id.checkpoint);
        let sources: Vec<_> = (0..shape.sources)
            .map(|index| Source::new(index, epoch, positions.get(index).copied().unwrap_or(0)))
            .collect();
        let inputs = (sources.len(), shape.barriers);
        let tasks = (0..).zip(tasks).map(|(index, begun)| {
            let task = operator::Task::new(index, parallelism as u16);
            Task::new(task, (epoch, told), inputs, begun)
        });
        let records = (0..parallelism)
            .map(|_| sources.iter().map(|_| Channel::new(shape.capacity)).collect())
            .collect();
        let of_sink = (KeyGroups::all(shape.groups), shape.barriers);
        let config = checkpoint::Config { retain: shape.retain, full_every: shape.full_every };
        let operator = |name: &str, parallelism: usize| OperatorShape {
            name: name.to_owned(),
            parallelism: parallelism as u16,
        };
        let job = checkpoint::Job {
            id: JOB,
            signature: b"simulated".to_vec(),
            key_groups: shape.groups,
            hash_function: HASH_FUNCTION,
            operators: vec![
                operator("logs", sources.len()),
                operator(OPERATOR, parallelism),
                operator(in_flight::SINK, 1),
            ],
        };
        Self {
            epoch,
            coordinator: Coordinator::new(config, job, recovered),
            next: None,
            tasks: tasks.collect(),
            sink: Sink::new(epoch, parallelism, of_sink, in_flight),
            sources,
            records,
            results: (0..parallelism).map(|_| Channel::new(shape.capacity)).collect(),
            scheduler: Scheduler::new(setting.config.mode),
            due: setting.step,
            since: 0,
            begun_stalled: None,
            acks: BTreeSet::new(),
            completed_at_end: 0,
        }
    }

    /// Takes one step of somebody who can. Returns whether the job has ended.
    pub fn step(&mut self, setting: &mut Setting) -> Result<bool, Stop> {
        let ready = self.ready(setting);
        let actor = match ready.as_slice() {
            // Nothing happens but that time passes.
            [] => Actor::Clock,
            ready => self.scheduler.choose(ready, &mut setting.random),
        };
        match actor {
            Actor::Clock => {
                self.clock(setting);
                self.tick(setting)?;
            }
            Actor::Coordinator => self.command(setting)?,
            Actor::Network => self.deliver(setting)?,
            Actor::Source(index) => self.read(index, setting),
            Actor::Task(index) => self.process(index, setting)?,
            Actor::Upload(index) => self.upload(index, setting)?,
            Actor::Sink => self.write(setting)?,
        }
        if self.next.is_none() {
            self.next = self.coordinator.poll();
        }
        Ok(self.has_ended(setting))
    }

    /// Has more checkpoints taken before the job ends.
    pub const fn go_on(&mut self) {
        self.completed_at_end = 0;
    }

    /// Returns the state of all tasks.
    pub fn state(&self) -> Result<Model, String> {
        let mut model = Model::default();
        for task in &self.tasks {
            let (totals, groups) = task.state();
            model.join(totals.read(groups).map_err(|error| error.to_string())?);
        }
        Ok(model)
    }

    /// Returns everyone who can take a step.
    fn ready(&self, setting: &Setting) -> Vec<Actor> {
        let mut ready = Vec::with_capacity(16);
        if self.next.is_some() {
            ready.push(Actor::Coordinator);
        }
        if setting.step >= self.due {
            ready.push(Actor::Clock);
        }
        if !setting.network.is_empty() {
            ready.push(Actor::Network);
        }
        for index in 0..self.sources.len() {
            if self.can_read(index, setting) {
                ready.push(Actor::Source(index));
            }
        }
        for (index, task) in self.tasks.iter().enumerate() {
            let is_busy = self.can_work(index, setting) || task.has_rows();
            if is_busy || self.inputs_of(index, setting).next().is_some() {
                ready.push(Actor::Task(index));
            }
            if !task.uploads.is_empty() {
                ready.push(Actor::Upload(index));
            }
        }
        if self.sink.has_backlog() && !setting.is_stalled()
            || self.inputs_of_sink(setting).next().is_some()
        {
            ready.push(Actor::Sink);
        }
        if !self.sink.uploads.is_empty() {
            ready.push(Actor::Upload(self.tasks.len()));
        }
        ready
    }

    /// Returns whether a source can send its next record, or its end.
    fn can_read(&self, index: usize, setting: &Setting) -> bool {
        let source = &self.sources[index];
        match setting.logs[index].get(source.position() as usize) {
            Some(record) => !self.records[self.owner(record.key, setting)][index].is_full(),
            None => setting.config.shape.early_end && index > 0 && !source.ended,
        }
    }

    /// Returns the task that has the key.
    fn owner(&self, key: u64, setting: &Setting) -> usize {
        let groups = setting.config.shape.groups;
        let group = KeyGroups::all(groups).locate::<u64>(key).group();
        usize::from(KeyGroups::owner(group, groups, self.tasks.len() as u16))
    }

    /// A source reads its next record, or finds that there is none.
    fn read(&mut self, index: usize, setting: &mut Setting) {
        let position = self.sources[index].position();
        let Some(record) = setting.logs[index].get(position as usize) else {
            // The first source never ends: with it the job would.
            self.sources[index].ended = true;
            setting.marks.reach(Mark::EarlyEnd);
            setting.say(&[7, index as u64], format_args!("source {index} ends"));
            self.records.iter_mut().for_each(|inputs| inputs[index].send(Element::End));
            return;
        };
        let owner = self.owner(record.key, setting);
        self.records[owner][index].send(Element::Record(position));
        self.sources[index].advance();
        setting.say(&[1, index as u64], format_args!("source {index} reads {position}"));
    }

    /// The time has come to take a checkpoint, or to give one up.
    fn clock(&mut self, setting: &mut Setting) {
        let pause = setting.config.shape.pause;
        self.due = setting.step + u64::from(setting.random.between(Stream::Schedule, 1, pause));
        let patience = if setting.network.faults.impatient { 2 * pause } else { 400 + 20 * pause };
        match self.coordinator.under_way() {
            None => {
                if let Ok(id) = self.coordinator.trigger(CheckpointKind::Checkpoint, setting.step) {
                    self.since = setting.step;
                    self.begun_stalled = setting.is_stalled().then_some(id);
                    setting.say(&[4, id.checkpoint], format_args!("checkpoint {id} is triggered"));
                }
            }
            Some(id) if setting.step >= self.since + u64::from(patience) => {
                // Only one whose acknowledgements are still awaited is given up.
                self.coordinator.expire(id);
                if self.coordinator.under_way().is_none() {
                    setting.marks.reach(Mark::TimedOut);
                    setting.say(&[5], format_args!("checkpoint {id} takes too long"));
                }
            }
            Some(_) => {}
        }
    }

    /// Does what the coordinator asks for.
    fn command(&mut self, setting: &mut Setting) -> Result<(), Stop> {
        let Some(command) = self.next.take() else { return Ok(()) };
        match command {
            Command::Storage(request) => self.storage(&request, setting)?,
            Command::Barrier(barrier) => {
                for source in 0..self.sources.len() {
                    setting.send(Letter::Trigger(source, barrier));
                }
                if in_flight::is_listed(setting.config.shape.barriers) {
                    self.notify(setting, |task| Letter::Announced(task, barrier));
                }
                if setting.config.shape.full_every > 1 && barrier.base.is_none() {
                    setting.marks.reach(Mark::FullAgain);
                }
            }
            Command::Completed(id) => {
                setting.say(&[6, id.checkpoint], format_args!("CHECKPOINT {id} IS COMPLETE"));
                setting.marks.reach(Mark::Completed);
                if setting.is_stalled() && self.begun_stalled == Some(id) {
                    setting.marks.reach(Mark::CompletedStalled);
                }
                check::completed(setting, id)?;
                // A file that is still being written for another may be left behind.
                if self.is_read(setting) && self.uploads().all(|upload| upload.barrier().id == id) {
                    self.completed_at_end += 1;
                }
                self.notify(setting, |task| Letter::Completed(task, id));
            }
            Command::Aborted(id, why) => {
                setting.marks.reach(Mark::Aborted);
                self.completed_at_end = 0;
                setting.say(&[8, id.checkpoint], format_args!("checkpoint {id} is aborted: {why}"));
                if matches!(why, checkpoint::Abort::Refused(_)) {
                    return Err(check::protocol(why).into());
                }
                self.notify(setting, |task| Letter::Aborted(task, id));
            }
            Command::Halt(why) => {
                setting.marks.reach(Mark::Halted);
                setting.say(&[9], format_args!("the job halts: {why}"));
                return Err(Stop::Exit);
            }
            Command::Warn(warning) => setting.say(&[10], format_args!("warning: {warning}")),
        }
        Ok(())
    }

    fn storage(&mut self, request: &Request, setting: &mut Setting) -> Result<(), Stop> {
        let reply = setting.perform(Asker::Coordinator, request)?;
        self.coordinator.reply(reply);
        Ok(())
    }

    /// Returns whether all sources have been read and everything has arrived.
    fn is_read(&self, setting: &Setting) -> bool {
        let read =
            |source: &Source| setting.logs[source.index()].len() == source.position() as usize;
        self.sources.iter().all(read)
            && self.records.iter().flatten().all(Channel::is_empty)
            && self.results.iter().all(Channel::is_empty)
            && !self.tasks.iter().any(|task| task.has_rows() || task.has_backlog())
            && !self.sink.has_backlog()
    }

    /// Returns whether everything was read, committed and cleaned up.
    fn has_ended(&self, setting: &Setting) -> bool {
        // What could not be removed is tried again behind the next checkpoint.
        self.completed_at_end >= 3
            && self.is_read(setting)
            && self.coordinator.is_idle()
            && self.next.is_none()
            && setting.network.is_empty()
            && self.uploads().next().is_none()
            && self.sink.is_resolved()
    }
}

/// The one task of the sink.
const SINK: TaskId = TaskId { operator: 2, index: 0 };

fn failed(error: TaskError) -> Stop {
    match error {
        TaskError::Barrier(error) => check::protocol(error).into(),
        TaskError::State(error) => check::protocol(error).into(),
    }
}
