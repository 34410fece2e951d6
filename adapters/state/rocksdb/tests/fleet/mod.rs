//! The tasks of one operator in RocksDB, and their native checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use holdwater::barrier::Barrier;
use holdwater::checkpoint::{
    Command, Config, Coordinator, Job, OperatorShape, Performer, Recovered, Report, RestorePolicy,
    Target, TaskId, load, save,
};
use holdwater::error::StateError;
use holdwater::key::{HASH_FUNCTION, KeyGroups};
use holdwater::manifest::{CheckpointKind, Manifest};
use holdwater::snapshot::freeze;
use holdwater::state::{Cut, State, States, Visitor};
use holdwater::storage::{Area, ObjectId, Storage};
use holdwater_bytes::{Bytes, BytesError};
use holdwater_conformance::keyed::{All, contents};
use holdwater_memory::Memory as Objects;
use holdwater_rocksdb::{Memory, RocksDb, RocksDbError, RocksDbOptions};
use tempfile::TempDir;

/// How many key groups the job has.
pub(crate) const GROUPS: u16 = 16;
/// The name of the operator.
pub(crate) const OPERATOR: &str = "operator";

/// The states of a task.
pub(crate) type Tables = All<Bytes<RocksDb>>;

/// The tasks of a job of one operator.
pub(crate) struct Fleet<B: Storage = Objects> {
    tasks: Vec<(Tables, RocksDb)>,
    options: RocksDbOptions,
    storage: B,
    performer: Performer<B>,
    coordinator: Coordinator,
    epoch: u64,
    directory: TempDir,
}

impl Fleet {
    /// Begins a job of `tasks` tasks, whose checkpoints are in memory.
    pub(crate) fn begin(tasks: u16) -> Self {
        Self::begin_with(Objects::new(usize::MAX), tasks)
    }
}

impl<B: Storage + Clone> Fleet<B> {
    /// Begins a job of `tasks` tasks.
    pub(crate) fn begin_with(storage: B, tasks: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = options(directory.path()).with_native_checkpoints();
        let recovered = Recovered::from(1, None);
        Self {
            tasks: open(&options, tasks),
            options,
            performer: Performer::new(storage.clone()),
            storage,
            coordinator: coordinator(tasks, recovered),
            epoch: 1,
            directory,
        }
    }

    /// Shows the states of the task that owns a key, and its groups.
    pub(crate) fn own(&mut self, key: u64, change: impl FnOnce(&mut Tables, KeyGroups)) {
        let (tasks, group) = (self.tasks.len() as u16, all().locate::<u64>(key).group());
        let index = KeyGroups::owner(group, GROUPS, tasks);
        change(&mut self.tasks[usize::from(index)].0, KeyGroups::share(GROUPS, tasks, index));
    }

    pub(crate) fn stores(&self) -> impl Iterator<Item = &RocksDb> {
        self.tasks.iter().map(|(_, store)| store)
    }

    /// Does up to `steps` pieces of upkeep in each state; returns how many were done.
    pub(crate) fn sweep(&mut self, steps: usize) -> usize {
        let mut sweep = Sweep { steps, done: 0 };
        self.tasks.iter_mut().for_each(|(states, _)| states.each(&mut sweep).unwrap());
        sweep.done
    }

    /// Returns how many keys the states hold.
    pub(crate) fn rows(&self) -> [u64; 5] {
        let rows = self.tasks.iter().map(|(states, _)| super::rows(states));
        rows.fold([0; 5], |sum, rows| std::array::from_fn(|state| sum[state] + rows[state]))
    }

    /// Drops every row.
    pub(crate) fn clear(&mut self) -> Result<(), RocksDbError> {
        for (states, _) in &mut self.tasks {
            states.clear().map_err(|error| match error {
                BytesError::Store(error) => error,
                other => panic!("{other}"),
            })?;
        }
        Ok(())
    }

    /// Returns the empty states of a task that owns everything.
    pub(crate) fn fresh(&self) -> Tables {
        open(&self.options, 1).pop().unwrap().0
    }

    /// Returns what the states hold.
    pub(crate) fn contents(&mut self) -> BTreeMap<(String, u16), (u64, u128)> {
        let (tasks, mut groups) = (self.tasks.len() as u16, BTreeMap::new());
        let cut = Cut { checkpoint: 1 << 60, base: None, now: 0, watermark: 0 };
        for (index, (states, _)) in (0..).zip(&mut self.tasks) {
            let share = KeyGroups::share(GROUPS, tasks, index);
            let frozen = freeze(states, share, cut).unwrap();
            groups.extend(contents(&frozen).groups);
            states.aborted(1 << 60);
        }
        groups
    }

    /// Takes a checkpoint that succeeds.
    pub(crate) fn checkpoint(&mut self) {
        self.take(CheckpointKind::Checkpoint);
    }

    /// Takes a checkpoint or savepoint that succeeds.
    pub(crate) fn take(&mut self, kind: CheckpointKind) {
        let (barrier, reports) = self.save(kind);
        for (index, report) in (0..).zip(reports) {
            self.coordinator.ack(TaskId { operator: 0, index }, barrier.id, report);
        }
        self.carry_out();
        assert_eq!(self.manifest().id, barrier.id);
    }

    fn carry_out(&mut self) {
        while let Some(command) = self.coordinator.poll() {
            match command {
                Command::Storage(request) => {
                    let reply = self.performer.perform(&request);
                    self.coordinator.reply(reply);
                }
                Command::Completed(id) => self.tell(id.checkpoint, true),
                Command::Aborted(id, _) => self.tell(id.checkpoint, false),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Takes a checkpoint that one task does not take part in.
    pub(crate) fn abort(&mut self) {
        let (barrier, _) = self.save(CheckpointKind::Checkpoint);
        let task = TaskId { operator: 0, index: 0 };
        self.coordinator.decline(task, barrier.id, "given up".to_owned());
        self.carry_out();
    }

    fn tell(&mut self, checkpoint: u64, completed: bool) {
        for (states, _) in &mut self.tasks {
            match completed {
                true => states.completed(checkpoint),
                false => states.aborted(checkpoint),
            }
        }
    }

    fn save(&mut self, kind: CheckpointKind) -> (Barrier, Vec<Report>) {
        self.coordinator.trigger(kind, 0).unwrap();
        let Some(Command::Barrier(barrier)) = self.coordinator.poll() else { panic!("a barrier") };
        let base = barrier.base.map(|base| base.checkpoint);
        let cut = Cut { checkpoint: barrier.id.checkpoint, base, now: 0, watermark: 0 };
        let (tasks, mut reports) = (self.tasks.len() as u16, Vec::new());
        for (index, (states, _)) in (0..).zip(&mut self.tasks) {
            let frozen = freeze(states, KeyGroups::share(GROUPS, tasks, index), cut).unwrap();
            let part = u32::from(index);
            let target = Target { job: 1, operator: OPERATOR, barrier: &barrier, part };
            reports.push(save(&mut self.storage, target, &frozen, &|| true).unwrap());
        }
        (barrier, reports)
    }

    /// Goes on from the newest checkpoint, if there is one, with `tasks` tasks.
    pub(crate) fn restore(&mut self, tasks: u16) {
        let manifest = self.coordinator.newest().cloned();
        self.epoch += 1;
        self.tasks = open(&self.options, tasks);
        if let Some(manifest) = &manifest {
            for (index, (states, _)) in (0..).zip(&mut self.tasks) {
                let (groups, policy) =
                    (KeyGroups::share(GROUPS, tasks, index), RestorePolicy::Fail);
                load(manifest, OPERATOR, groups, &self.storage, policy, states).unwrap();
            }
        }
        self.coordinator = coordinator(tasks, Recovered::from(self.epoch, manifest));
    }

    /// Returns what the newest checkpoint consists of.
    pub(crate) fn manifest(&self) -> &Manifest {
        self.coordinator.newest().expect("a checkpoint")
    }

    /// Returns the tables of the newest checkpoint: the files that hold rows.
    pub(crate) fn tables(&self) -> BTreeSet<ObjectId> {
        let operators = self.coordinator.newest().map(|manifest| &manifest.operators);
        let natives = operators.into_iter().flatten().flat_map(|operator| &operator.natives);
        let files = natives.flat_map(|native| &native.files);
        files.filter(|file| file.name.ends_with(".sst")).map(|file| file.file).collect()
    }

    pub(crate) fn storage(&self) -> B {
        self.storage.clone()
    }

    /// Lets the next tasks take portable checkpoints.
    pub(crate) fn keep_no_files(&mut self) {
        self.options = options(self.directory.path());
    }
}

/// Sweeps each state, at no time in particular.
struct Sweep {
    steps: usize,
    done: usize,
}

impl<E: StateError> Visitor<E> for Sweep {
    type Stop = E;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), E> {
        self.done += state.sweep(0, self.steps)?;
        Ok(())
    }
}

/// Returns a storage of its own with the same files.
pub(crate) fn copy_of(storage: &Objects) -> Objects {
    let (mut from, mut to, mut ids) = (storage.clone(), Objects::new(usize::MAX), Vec::new());
    from.list(Area::Data, &mut |id| ids.push(id)).unwrap();
    for id in ids {
        let mut bytes = vec![0; from.length(id).unwrap() as usize];
        from.read(id, 0, &mut bytes).unwrap();
        let mut file = to.create(id).unwrap();
        to.write(&mut file, &bytes).unwrap();
        to.sync(file).unwrap();
    }
    to
}

fn options(directory: &Path) -> RocksDbOptions {
    RocksDbOptions::new(directory).with_memory(Memory::new(32 << 20))
}

fn all() -> KeyGroups {
    KeyGroups::all(GROUPS)
}

fn open(options: &RocksDbOptions, tasks: u16) -> Vec<(Tables, RocksDb)> {
    let open = |index| {
        let store = options.open(KeyGroups::share(GROUPS, tasks, index)).unwrap();
        (All::open(&mut store.states()).unwrap(), store)
    };
    (0..tasks).map(open).collect()
}

fn coordinator(tasks: u16, recovered: Recovered) -> Coordinator {
    let job = Job {
        id: 1,
        signature: Vec::new(),
        key_groups: GROUPS,
        hash_function: HASH_FUNCTION,
        operators: vec![OperatorShape { name: OPERATOR.to_owned(), parallelism: tasks }],
    };
    Coordinator::new(Config { retain: 1, full_every: 100 }, job, recovered)
}
