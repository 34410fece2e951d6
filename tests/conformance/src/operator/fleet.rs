//! The tasks of one operator, and their checkpoints.

use core::fmt;
use core::ops::ControlFlow;
use std::collections::{BTreeMap, BTreeSet};

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{
    Command, Config, Coordinator, Job, OperatorShape, Performer, Recovered, RestorePolicy, Target,
    TaskId, Warning, load, save,
};
use holdwater::key::{HASH_FUNCTION, KeyGroup, KeyGroups};
use holdwater::manifest::{CheckpointKind, Manifest};
use holdwater::operator::{Broadcast, Split, Task, Union};
use holdwater::snapshot::{FrozenStates, freeze};
use holdwater::state::{Backend, Cut, Descriptor, Kind, State, States, Visitor};
use holdwater::storage::{Area, ObjectId, Storage};
use holdwater_memory::Memory;

use super::gather;

/// How many key groups the job has.
pub(super) const GROUPS: u16 = 8;
/// The name of the operator.
pub(super) const OPERATOR: &str = "shared";

/// Makes a store.
pub type Make<B> = fn(KeyGroups) -> B;

/// An operator with a state of every kind that belongs to it, and one that belongs to keys.
#[derive(Debug)]
pub struct Shared<B: Backend> {
    /// Divided.
    pub ranges: Split<B::List<u16, u32>, u32>,
    /// Divided, too.
    pub files: Split<B::List<u16, String>, String>,
    /// Known to all.
    pub seen: Union<B::List<u16, u32>, u32>,
    /// The same everywhere.
    pub rules: Broadcast<B::Map<u16, String, i64>, String, i64>,
    /// By key.
    pub sums: B::Value<u64, i64>,
}

impl<B: Backend> Shared<B> {
    fn open(make: Make<B>, task: Task) -> Result<Self, B::Error> {
        let lone = &mut make(KeyGroups::all(1));
        Ok(Self {
            ranges: Split::open(lone, Descriptor::new("ranges"), task)?,
            files: Split::open(lone, Descriptor::new("files"), task)?,
            seen: Union::open(lone, Descriptor::new("seen"), task)?,
            rules: Broadcast::open(lone, Descriptor::new("rules"), task)?,
            sums: make(share(task)).value(Descriptor::new("sums"))?,
        })
    }

    pub(super) fn ranges(&self) -> Vec<u32> {
        let mut found = Vec::new();
        self.ranges.items(|item| gather(&mut found, item)).unwrap();
        found
    }

    pub(super) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.files.items(|item| gather(&mut found, item)).unwrap();
        found
    }

    pub(super) fn seen(&self) -> Vec<u32> {
        let mut found = Vec::new();
        self.seen.items(|item| gather(&mut found, item)).unwrap();
        found
    }

    pub(super) fn rules(&self) -> BTreeMap<String, i64> {
        let mut found = BTreeMap::new();
        self.rules
            .entries(|field, value| {
                found.insert(field.clone(), *value);
                ControlFlow::Continue(())
            })
            .unwrap();
        found
    }
}

impl<B: Backend> States for Shared<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.ranges)?;
        visitor.state(&mut self.files)?;
        visitor.state(&mut self.seen)?;
        visitor.state(&mut self.rules)?;
        visitor.state(&mut self.sums)
    }
}

/// The tasks of a job of one operator.
pub struct Fleet<B: Backend> {
    make: Make<B>,
    tasks: Vec<Shared<B>>,
    performer: Performer<Memory>,
    coordinator: Coordinator,
    epoch: u64,
}

impl<B: Backend> Fleet<B> {
    /// Begins a job of `tasks` tasks.
    pub fn begin(make: Make<B>, tasks: u16) -> Self {
        let recovered = Recovered::from(1, None);
        Self {
            make,
            tasks: open(make, tasks),
            performer: Performer::new(Memory::default()),
            coordinator: coordinator(tasks, recovered),
            epoch: 1,
        }
    }

    /// Returns the tasks.
    pub fn tasks(&self) -> &[Shared<B>] {
        &self.tasks
    }

    /// Does something in each task.
    pub fn each(&mut self, mut change: impl FnMut(u16, &mut Shared<B>)) {
        (0..).zip(&mut self.tasks).for_each(|(index, task)| change(index, task));
    }

    /// Returns the task that owns a key.
    pub fn own(&mut self, key: u64) -> &mut Shared<B> {
        let group: KeyGroup = KeyGroups::all(GROUPS).locate::<u64>(key).group();
        let tasks = self.tasks.len() as u16;
        &mut self.tasks[usize::from(KeyGroups::owner(group, GROUPS, tasks))]
    }

    /// Takes a checkpoint; returns what it warns of.
    pub fn checkpoint(&mut self) -> Vec<Warning> {
        let frozen = self.freeze();
        self.complete(frozen)
    }

    /// Freezes all tasks for a checkpoint.
    pub fn freeze(&mut self) -> (Barrier, Vec<FrozenStates<B::Error>>) {
        if self.coordinator.under_way().is_some() {
            let (task, id) = (TaskId { operator: 0, index: 0 }, self.coordinator.under_way());
            self.coordinator.decline(task, id.expect("one"), "given up".to_owned());
            while self.coordinator.poll().is_some() {}
        }
        self.coordinator.trigger(CheckpointKind::Checkpoint, 0).unwrap();
        let Some(Command::Barrier(barrier)) = self.coordinator.poll() else { panic!("a barrier") };
        let base = barrier.base.map(|base| base.checkpoint);
        let cut = Cut { checkpoint: barrier.id.checkpoint, base, now: 0, watermark: 0 };
        let tasks = self.tasks.len() as u16;
        let frozen = (0..)
            .zip(&mut self.tasks)
            .map(|(index, task)| freeze(task, share(Task::new(index, tasks)), cut).unwrap());
        (barrier, frozen.collect())
    }

    /// Saves what was frozen and completes its checkpoint; returns what it warns of.
    pub fn complete(
        &mut self,
        (barrier, frozen): (Barrier, Vec<FrozenStates<B::Error>>),
    ) -> Vec<Warning> {
        for (index, frozen) in (0..).zip(&frozen) {
            let target =
                Target { job: 1, operator: OPERATOR, barrier: &barrier, part: u32::from(index) };
            let report = save(self.performer.storage(), target, frozen, &|| true).unwrap();
            self.coordinator.ack(TaskId { operator: 0, index }, barrier.id, report);
        }
        let mut warnings = Vec::new();
        while let Some(command) = self.coordinator.poll() {
            match command {
                Command::Storage(request) => {
                    let reply = self.performer.perform(&request);
                    self.coordinator.reply(reply);
                }
                Command::Completed(id) => {
                    for task in &mut self.tasks {
                        task.completed(id.checkpoint);
                    }
                }
                Command::Warn(warning) => warnings.push(warning),
                other => panic!("{other:?}"),
            }
        }
        warnings
    }

    /// Goes on from the newest checkpoint with `tasks` tasks.
    pub fn restore(&mut self, tasks: u16) {
        let manifest = self.manifest().clone();
        self.epoch += 1;
        self.tasks = open(self.make, tasks);
        for (index, states) in (0..).zip(&mut self.tasks) {
            let storage = self.performer.storage().clone();
            let groups = share(Task::new(index, tasks));
            load(&manifest, OPERATOR, groups, &storage, RestorePolicy::Fail, states).unwrap();
        }
        self.coordinator = coordinator(tasks, Recovered::from(self.epoch, Some(manifest)));
    }

    /// Loads the list `ranges` as a list of `kind`, or says what is refused.
    pub fn restores_as(&mut self, manifest: &Manifest, kind: Kind) -> Result<(), String> {
        let lone = &mut (self.make)(KeyGroups::all(1));
        let (task, name) = (Task::new(0, 1), Descriptor::<u16, u32>::new("ranges"));
        let storage = self.performer.storage().clone();
        let (groups, policy) = (KeyGroups::all(GROUPS), RestorePolicy::Fail);
        let mut manifest = manifest.clone();
        manifest.operators[0].states.retain(|state| state.name == "ranges");
        let told = |failure: holdwater::checkpoint::LoadFailure<_, B::Error>| failure.to_string();
        match kind {
            Kind::Union => {
                let mut one = One(Union::open(lone, name, task).unwrap());
                load(&manifest, OPERATOR, groups, &storage, policy, &mut one).map_err(told)?;
            }
            _ => {
                let mut one = One(Split::open(lone, name, task).unwrap());
                load(&manifest, OPERATOR, groups, &storage, policy, &mut one).map_err(told)?;
            }
        }
        Ok(())
    }

    /// Returns what the newest checkpoint consists of.
    pub fn manifest(&self) -> &Manifest {
        self.coordinator.newest().expect("a checkpoint")
    }

    /// Returns the snapshot files that there are.
    pub fn data_files(&mut self) -> BTreeSet<ObjectId> {
        let mut found = BTreeSet::new();
        self.performer.storage().list(Area::Data, &mut |id| _ = found.insert(id)).unwrap();
        found
    }
}

impl<B: Backend> fmt::Debug for Fleet<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

/// The share of the keys that a task owns.
fn share(task: Task) -> KeyGroups {
    KeyGroups::share(GROUPS, task.tasks(), task.index())
}

fn open<B: Backend>(make: Make<B>, tasks: u16) -> Vec<Shared<B>> {
    (0..tasks).map(|index| Shared::open(make, Task::new(index, tasks)).unwrap()).collect()
}

fn coordinator(tasks: u16, recovered: Recovered) -> Coordinator {
    let job = Job {
        id: 1,
        signature: Vec::new(),
        key_groups: GROUPS,
        hash_function: HASH_FUNCTION,
        operators: vec![OperatorShape { name: OPERATOR.to_owned(), parallelism: tasks }],
    };
    Coordinator::new(Config { retain: 1, full_every: 10 }, job, recovered)
}

/// One state alone.
struct One<S>(S);

impl<S: State> States for One<S> {
    type Error = S::Error;

    fn each<V: Visitor<S::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.0)
    }
}
