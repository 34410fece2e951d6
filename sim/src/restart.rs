//! A start of the job, from the claim of an epoch to the moment its tasks run.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;

use holdwater::checkpoint::{Recovered, Recovery, RecoveryCommand, RecoveryError, Start};
use holdwater::key::KeyGroups;
use holdwater::manifest::{Manifest, PartShape, SinkEntry};
use holdwater::sink;
use holdwater::storage::{ObjectId, Reply, Request};

use crate::check;
use crate::in_flight;
use crate::job::Job;
use crate::load::{self, Begun};
use crate::marks::Mark;
use crate::model::Model;
use crate::output::{OutputKind, Row};
use crate::random::Stream;
use crate::setting::{Setting, Stop};
use crate::site::Asker;
use crate::source;
use crate::upload::JOB;

/// A start of the job under way.
#[derive(Debug)]
pub struct Restart {
    recovery: Recovery,
    /// How many tasks it will have.
    parallelism: u16,
    /// The checkpoint that is being read, and the files that are still to be read.
    reading: Option<Reading>,
    loaded: Option<Loaded>,
    /// A newer checkpoint was passed over.
    skipped: bool,
    /// What no restore may change.
    intact: check::restore::Intact,
}

#[derive(Debug)]
struct Reading {
    manifest: Box<Manifest>,
    left: VecDeque<ObjectId>,
    contents: BTreeMap<ObjectId, Vec<u8>>,
}

/// What the tasks and the sink begin with.
#[derive(Debug, Default)]
struct Loaded {
    positions: Vec<u32>,
    tasks: Vec<Begun>,
    /// The results in flight to the sink.
    in_flight: Vec<Row>,
    /// Those, and what comes of the records in flight to the tasks.
    to_come: Vec<Row>,
}

impl Restart {
    /// Begins a start of the job.
    pub fn new(setting: &mut Setting) -> Self {
        let shape = setting.config.shape;
        let most = shape.tasks_max.min(shape.groups);
        let parallelism = setting.random.between(Stream::Schedule, 1, u32::from(most)) as u16;
        setting.say(&[20], format_args!("the job starts with {parallelism} tasks"));
        setting.witness.begin();
        Self {
            recovery: Recovery::new(JOB, Start::Resume),
            parallelism,
            reading: None,
            loaded: None,
            skipped: false,
            intact: check::restore::Intact::of(setting.disk()),
        }
    }

    /// Takes one step. Returns the job once it runs.
    pub fn step(&mut self, setting: &mut Setting) -> Result<Option<Job>, Stop> {
        if let Some(reading) = self.reading.take() {
            self.read(reading, setting)?;
            return Ok(None);
        }
        match self.recovery.poll() {
            None => Err(check::protocol("the recovery asks for nothing, and is not done").into()),
            Some(RecoveryCommand::Storage(request)) => {
                let reply = setting.perform(Asker::Recovery, &request)?;
                self.recovery.reply(reply);
                Ok(None)
            }
            Some(RecoveryCommand::Warn(warning)) => {
                setting.say(&[21], format_args!("warning: {warning}"));
                self.skipped |= matches!(warning, holdwater::checkpoint::Warning::Skipped(_));
                Ok(None)
            }
            Some(RecoveryCommand::Restore(manifest)) => {
                setting.say(&[22], format_args!("checkpoint {} is offered", manifest.id));
                check::durability::offered(setting, manifest.id)?;
                let left = manifest.files.iter().map(|file| file.id).collect();
                self.reading = Some(Reading { manifest, left, contents: BTreeMap::new() });
                Ok(None)
            }
            Some(RecoveryCommand::Failed(error)) => Err(failed(&error, setting)),
            Some(RecoveryCommand::Done(recovered)) => self.start(*recovered, setting).map(Some),
        }
    }

    /// Reads the next file of the offered checkpoint, or loads all that were read.
    fn read(&mut self, mut reading: Reading, setting: &mut Setting) -> Result<(), Stop> {
        let Some(id) = reading.left.pop_front() else { return self.load(&reading, setting) };
        match setting.perform(Asker::Recovery, &Request::Read(id))? {
            Reply::Content(bytes) => {
                reading.contents.insert(id, bytes);
                self.reading = Some(reading);
            }
            // The medium may do better another time, or the checkpoint be given up for an older.
            Reply::NotDone if setting.random.below(Stream::Schedule, 2) == 0 => {
                setting.marks.reach(Mark::RecoveryFailed);
                return Err(Stop::Exit);
            }
            reply => self.damaged(format!("{id}: {reply:?}"), setting),
        }
        Ok(())
    }

    fn load(&mut self, reading: &Reading, setting: &mut Setting) -> Result<(), Stop> {
        let Reading { manifest, contents, .. } = reading;
        let files = contents.iter().map(|(id, bytes)| (*id, bytes.as_slice()));
        let storage = load::storage(files).map_err(check::protocol)?;
        let (mut tasks, mut model) = (Vec::new(), Model::default());
        for index in 0..self.parallelism {
            let groups = KeyGroups::share(manifest.key_groups, self.parallelism, index);
            match load::load(manifest, &storage, groups) {
                Ok(begun) => {
                    model.join(begun.totals.read(groups).map_err(check::protocol)?);
                    tasks.push(begun);
                }
                Err(why) => {
                    self.damaged(why, setting);
                    return Ok(());
                }
            }
        }
        let in_flight = match in_flight::to_sink(manifest, &storage) {
            Ok(in_flight) => in_flight,
            Err(why) => {
                self.damaged(why, setting);
                return Ok(());
            }
        };
        let records = tasks.iter().flat_map(|begun| &begun.in_flight);
        let mut to_come = check::cut::replay(setting, records, &mut model);
        to_come.extend(&in_flight);
        if !to_come.is_empty() {
            setting.marks.reach(Mark::InFlightRestored);
            if manifest.operator(load::OPERATOR).map(|operator| operator.parallelism)
                != Some(self.parallelism)
            {
                setting.marks.reach(Mark::InFlightRescaled);
            }
        }
        let positions = source::positions(&manifest.sources)
            .ok_or_else(|| check::protocol("a source does not know its position"))?;
        check::cut::restored(setting, manifest.id, &positions, &model)?;
        // An output that has given away what it committed cannot go back.
        if self.skipped && setting.config.shape.output == OutputKind::Given {
            setting.marks.reach(Mark::BeyondRefused);
            return Err(Stop::Exit);
        }
        check::durability::chosen(setting, manifest.id);
        self.loaded = Some(Loaded { positions, tasks, in_flight, to_come });
        self.recovery.restored();
        Ok(())
    }

    fn damaged(&mut self, why: String, setting: &mut Setting) {
        setting.say(&[23], format_args!("the checkpoint is damaged: {why}"));
        self.recovery.damaged(why);
    }

    /// The record is durable: outputs are brought to the checkpoint, and tasks run.
    fn start(&mut self, recovered: Recovered, setting: &mut Setting) -> Result<Job, Stop> {
        self.intact.check(setting.disk())?;
        check::claims::recorded(setting.disk(), &recovered)?;
        check::leak::removed_for_certain(setting)?;
        check::durability::recovered(setting, &recovered)?;
        let restored = recovered.restored.as_ref();
        mark(restored, self.parallelism, recovered.epoch, setting);
        let entry = restored.and_then(|manifest| manifest.sinks.first().cloned());
        let nothing = SinkEntry { name: String::new(), transactions: vec![], committed: vec![] };
        let committed = setting.output.committed_names().count();
        let dangling = setting.output.dangling().count();
        // Nobody else runs the job here: tests/models has rivals.
        let (entry, alone) = (entry.unwrap_or(nothing), || Ok::<_, Infallible>(()));
        let outcome = sink::restore(&mut setting.output, &entry, false, false, alone);
        check::output::committed(setting)?;
        if outcome.is_err() {
            setting.marks.reach(Mark::RecoveryFailed);
            return Err(Stop::Exit);
        }
        let newly = setting.output.committed_names().count().saturating_sub(committed);
        if newly > 0 {
            setting.marks.reach(Mark::CommittedOnRestore);
        }
        if dangling > newly {
            setting.marks.reach(Mark::AbortedOnRestore);
        }
        let groups = setting.config.shape.groups;
        let Loaded { positions, tasks, in_flight, to_come } = match self.loaded.take() {
            Some(loaded) => loaded,
            None => Loaded { tasks: fresh(groups, self.parallelism)?, ..Loaded::default() },
        };
        check::output::resumed(setting, &positions, to_come)?;
        setting.say(&[24], format_args!("epoch {} runs", recovered.epoch));
        Ok(Job::start(setting, recovered, &positions, tasks, in_flight))
    }
}

/// Returns tasks that begin with nothing.
fn fresh(total: u16, tasks: u16) -> Result<Vec<Begun>, Stop> {
    let share = |index| KeyGroups::share(total, tasks, index);
    let open =
        |groups| load::open(groups).map(|totals| Begun { groups, totals, in_flight: Vec::new() });
    let tasks: Result<Vec<_>, _> = (0..tasks).map(share).map(open).collect();
    Ok(tasks.map_err(check::protocol)?)
}

fn failed(error: &RecoveryError, setting: &mut Setting) -> Stop {
    setting.say(&[25], format_args!("the recovery fails: {error}"));
    if setting.witness.is_disturbed() {
        setting.marks.reach(Mark::RecoveryFailed);
        Stop::Exit
    } else {
        check::durability::unrecovered(error).into()
    }
}

fn mark(restored: Option<&Manifest>, parallelism: u16, epoch: u64, setting: &mut Setting) {
    let Some(manifest) = restored else {
        if epoch > 1 {
            setting.marks.reach(Mark::FreshAgain);
        }
        return;
    };
    let Some(operator) = manifest.operator(load::OPERATOR) else { return };
    if operator.parallelism != parallelism {
        setting.marks.reach(Mark::Rescaled);
    }
    let chains = operator.states.iter().flat_map(|state| &state.chains);
    let mut parts = chains.flat_map(|chain| &chain.parts);
    if parts.any(|part| matches!(part.shape, PartShape::Delta { .. })) {
        setting.marks.reach(Mark::DeltaRestored);
    }
    if manifest.files.iter().any(|file| file.id.checkpoint != manifest.id.checkpoint) {
        setting.marks.reach(Mark::SharedFileKept);
    }
}
