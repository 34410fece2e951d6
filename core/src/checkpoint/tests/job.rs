//! A job of one source, two keyed tasks and one sink, whose state is a number per key group.

use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::disk::Disk;
use crate::barrier::Barrier;
use crate::checkpoint::*;
use crate::codec::Encoding;
use crate::key::KeyGroups;
use crate::manifest::{
    CheckpointId, CheckpointKind, FileEntry, Manifest, Part, PartShape, SinkEntry, SourceEntry,
    StateSchema,
};
use crate::state::Moment;
use crate::storage::{Reply, Storage};

pub(super) const GROUPS: u16 = 4;
pub(super) const JOB: u128 = 77;
const FILE_LENGTH: u64 = 100;

pub(super) fn job() -> Job {
    let operators = [("input", 1), ("totals", 2), ("output", 1)];
    let operators =
        operators.map(|(name, parallelism)| OperatorShape { name: name.to_string(), parallelism });
    Job {
        id: JOB,
        signature: b"same".to_vec(),
        key_groups: GROUPS,
        hash_function: 1,
        operators: operators.to_vec(),
    }
}

pub(super) const fn task(operator: u16, index: u16) -> TaskId {
    TaskId { operator, index }
}

pub(super) const TASKS: [TaskId; 4] = [task(0, 0), task(1, 0), task(1, 1), task(2, 0)];

pub(super) fn schema() -> StateSchema {
    StateSchema {
        kind: 1,
        encoding: Encoding::Fixed,
        expiry: None,
        key: vec![1],
        window: vec![],
        field: vec![],
        value: vec![2],
    }
}

/// Reports what a task would: of its groups the first is written, the others are unchanged; all are
/// written where the barrier asks for everything.
pub(super) fn report(barrier: &Barrier, task: TaskId) -> Report {
    let mut report = Report::default();
    match task.operator {
        0 => {
            let position = barrier.id.checkpoint.to_le_bytes().to_vec();
            report.sources = vec![SourceEntry { name: "a".to_string(), position }];
            report.counters = vec![("bad rows".to_string(), 1), ("rows".to_string(), 10)];
        }
        1 => {
            let file = FileEntry {
                id: barrier.file(0, task.index.into()),
                length: FILE_LENGTH,
                hash: barrier.id.checkpoint.into(),
            };
            let share = KeyGroups::share(GROUPS, 2, task.index);
            let change = |group: u16| {
                let shape = match barrier.base {
                    None => PartShape::Full { digest: 5 },
                    Some(base) => PartShape::Delta { base },
                };
                let (offset, length, written) = (u64::from(group) * 10, 10, barrier.id);
                let part =
                    Part { file: file.id, offset, length, state: 0, shape, rows: 1, written };
                match shape {
                    PartShape::Delta { .. } if group > share.first() => GroupChange::Unchanged,
                    _ => GroupChange::Part(part),
                }
            };
            let groups = share.iter().map(|group| (group.index(), change(group.index())));
            report.files = vec![file];
            let (name, groups) = ("sum".to_string(), groups.collect());
            // Each task by its own clock.
            let now = 1000 - i64::from(task.index);
            let moment = Moment { now, watermark: 500 + now };
            report.states = vec![StateChange { name, schema: schema(), moment, groups }];
            report.counters = vec![("rows".to_string(), 1)];
        }
        _ => {
            let transactions = vec![barrier.id.checkpoint.to_le_bytes().to_vec()];
            report.sinks =
                vec![SinkEntry { name: "out".to_string(), transactions, committed: vec![] }];
        }
    }
    report
}

/// A running job: its tasks write, sync and acknowledge at once.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) performer: Performer<Disk>,
    pub(super) coordinator: Coordinator,
    /// What tasks and users were told.
    pub(super) told: Vec<Command>,
}

impl Engine {
    pub(super) fn new(disk: Disk, config: Config, recovered: Recovered) -> Self {
        let coordinator = Coordinator::new(config, job(), recovered);
        Self { performer: Performer::new(disk), coordinator, told: Vec::new() }
    }

    pub(super) fn disk(&mut self) -> &mut Disk {
        self.performer.storage()
    }

    /// Takes a checkpoint to its end, and all that follows from it.
    pub(super) fn checkpoint(&mut self) {
        self.coordinator.trigger(CheckpointKind::Checkpoint, 0).unwrap();
        self.run();
    }

    /// Carries out commands until there is none.
    pub(super) fn run(&mut self) {
        while let Some(command) = self.coordinator.poll() {
            self.carry_out(command);
        }
    }

    pub(super) fn carry_out(&mut self, command: Command) {
        match command {
            Command::Storage(request) => {
                let reply = self.performer.perform(&request);
                self.coordinator.reply(reply);
            }
            Command::Barrier(barrier) => {
                for task in TASKS {
                    match self.write(&barrier, task) {
                        Ok(report) => self.coordinator.ack(task, barrier.id, report),
                        Err(reason) => self.coordinator.decline(task, barrier.id, reason),
                    }
                }
            }
            told => self.told.push(told),
        }
    }

    fn write(&mut self, barrier: &Barrier, task: TaskId) -> Result<Report, String> {
        let report = report(barrier, task);
        for file in &report.files {
            let disk = self.performer.storage();
            let failed = |error: crate::storage::Failure<_>| error.to_string();
            let mut open = disk.create(file.id).map_err(failed)?;
            disk.write(&mut open, &[7; FILE_LENGTH as usize]).map_err(failed)?;
            disk.sync(open).map_err(failed)?;
        }
        Ok(report)
    }

    pub(super) fn completed(&self) -> Vec<CheckpointId> {
        let completed = |told: &Command| match told {
            Command::Completed(id) => Some(*id),
            _ => None,
        };
        self.told.iter().filter_map(completed).collect()
    }

    pub(super) fn halted(&self) -> Option<&Halt> {
        self.told.iter().find_map(|told| match told {
            Command::Halt(why) => Some(why),
            _ => None,
        })
    }
}

/// How a recovery ended.
#[derive(Debug)]
pub(super) struct Recovering {
    pub(super) disk: Disk,
    pub(super) outcome: Result<Recovered, RecoveryError>,
    pub(super) offered: Vec<CheckpointId>,
    /// Those of them that an epoch has begun with before.
    pub(super) retried: Vec<CheckpointId>,
    pub(super) warnings: Vec<Warning>,
}

/// Recovers; a manifest whose files are not all there, whole, is reported as damaged.
pub(super) fn recover(disk: Disk, start: Start) -> Recovering {
    recover_steps(disk, start, usize::MAX).unwrap_or_else(|_| panic!("it ends"))
}

/// Recovers, unless it takes more than `limit` storage steps: then returns the disk as it is.
pub(super) fn recover_steps(disk: Disk, start: Start, limit: usize) -> Result<Recovering, Disk> {
    let mut recovery = Recovery::new(JOB, start);
    let mut performer = Performer::new(disk);
    let (mut offered, mut retried, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let mut steps = 0;
    let outcome = loop {
        match recovery.poll() {
            Some(RecoveryCommand::Storage(request)) => {
                if steps == limit {
                    return Err(performer.storage().clone());
                }
                steps += 1;
                recovery.reply(performer.perform(&request));
            }
            Some(RecoveryCommand::Restore(manifest)) => {
                offered.push(manifest.id);
                retried.extend(recovery.is_retried().then_some(manifest.id));
                match damage(performer.storage(), &manifest) {
                    None => recovery.restored(),
                    Some(reason) => recovery.damaged(reason),
                }
            }
            Some(RecoveryCommand::Warn(warning)) => warnings.push(warning),
            Some(RecoveryCommand::Done(recovered)) => break Ok(*recovered),
            Some(RecoveryCommand::Failed(error)) => break Err(error),
            None => panic!("a recovery ends with a result"),
        }
    };
    assert!(recovery.poll().is_none());
    Ok(Recovering { disk: performer.storage().clone(), outcome, offered, retried, warnings })
}

pub(super) fn damage(disk: &mut Disk, manifest: &Manifest) -> Option<String> {
    let whole = vec![7; FILE_LENGTH as usize];
    let bad = manifest.files.iter().find(|file| {
        let mut reader = Performer::new(disk.intact());
        reader.perform(&crate::storage::Request::Read(file.id)) != Reply::Content(whole.clone())
    });
    bad.map(|file| std::format!("{} is damaged", file.id))
}

/// I-25: the disk holds the retained manifests and their files, and no more than that.
pub(super) fn assert_no_leak(engine: &mut Engine) {
    let names = engine.disk().names();
    let mut expected = BTreeSet::new();
    let retained: Vec<_> = engine.coordinator.retention().checkpoints().collect();
    for id in retained {
        expected.insert(id.manifest());
        expected.extend(read_manifest(engine.disk(), id).file_ids());
    }
    let found = names.into_iter().filter(|id| id.area() != crate::storage::Area::Epochs);
    assert_eq!(found.collect::<BTreeSet<_>>(), expected);
}

pub(super) fn read_manifest(disk: &mut Disk, id: CheckpointId) -> Manifest {
    let mut performer = Performer::new(disk.intact());
    match performer.perform(&crate::storage::Request::Read(id.manifest())) {
        Reply::Content(bytes) => Manifest::from_file(id, &bytes).unwrap(),
        reply => panic!("{reply:?}"),
    }
}
