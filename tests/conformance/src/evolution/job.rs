//! The tasks of one operator, and their checkpoints, over several versions of its types.

use core::fmt;

use holdwater::checkpoint::{
    Abort, Command, Config, Coordinator, Job as Shape, LoadFailure, OperatorShape, Performer,
    Recovered, RestorePolicy, Restored, Target, TaskId, load, save,
};
use holdwater::error::StateError;
use holdwater::key::{HASH_FUNCTION, KeyGroup, KeyGroups};
use holdwater::manifest::{CheckpointKind, Manifest, PartShape};
use holdwater::snapshot::freeze;
use holdwater::state::{Backend, Cut, State, States, Visitor};
use holdwater::storage::Storage;
use holdwater_memory::Memory;

/// Makes a store of some groups.
pub type Make<B> = fn(KeyGroups) -> B;

/// Opens the states of a task.
pub(super) type Open<'o, B, S> = dyn Fn(&mut B) -> Result<S, <B as Backend>::Error> + 'o;

/// The tasks of a job of one operator.
pub(super) struct Job<B: Backend, S> {
    make: Make<B>,
    pub(super) tasks: Vec<S>,
    storage: Memory,
    performer: Performer<Memory>,
    coordinator: Coordinator,
    epoch: u64,
    /// The time of processing and the watermark of the next checkpoint.
    time: (i64, i64),
}

/// The job as it was restored, or why not.
type Outcome<B, S> = Result<(Job<B, S>, Restored), Box<Refused<<B as Backend>::Error>>>;

/// A checkpoint that states of other types do not take.
pub(super) struct Refused<E: StateError> {
    pub(super) failure: LoadFailure<<Memory as Storage>::Error, E>,
    /// How many rows were loaded when that was settled.
    pub(super) rows: u64,
}

impl<E: StateError> fmt::Debug for Refused<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.failure)
    }
}

impl<B: Backend, S: States<Error = B::Error>> Job<B, S> {
    /// Begins a job of `tasks` tasks.
    pub(super) fn begin(make: Make<B>, open: &Open<'_, B, S>, tasks: u16) -> Self {
        let recovered = Recovered::from(1, None);
        let storage = Memory::default();
        Self {
            make,
            tasks: open_all(make, open, tasks),
            performer: Performer::new(storage.clone()),
            storage,
            coordinator: coordinator(tasks, recovered),
            epoch: 1,
            time: (0, 0),
        }
    }

    /// Returns the groups of task `index`.
    pub(super) fn share(&self, index: usize) -> KeyGroups {
        KeyGroups::share(GROUPS, self.tasks.len() as u16, index as u16)
    }

    /// Returns the task that has the rows of a key group.
    pub(super) fn owner(&mut self, group: KeyGroup) -> &mut S {
        let owner = KeyGroups::owner(group, GROUPS, self.tasks.len() as u16);
        &mut self.tasks[usize::from(owner)]
    }

    /// Sets the time of later checkpoints by both clocks, that of processing first.
    pub(super) const fn set_time(&mut self, now: i64, watermark: i64) {
        self.time = (now, watermark);
    }

    /// Takes a checkpoint, or says why a task declined it.
    pub(super) fn checkpoint(&mut self) -> Result<(), String> {
        self.coordinator.trigger(CheckpointKind::Checkpoint, 0).unwrap();
        let Some(Command::Barrier(barrier)) = self.coordinator.poll() else { panic!("a barrier") };
        let base = barrier.base.map(|base| base.checkpoint);
        let (now, watermark) = self.time;
        let cut = Cut { checkpoint: barrier.id.checkpoint, base, now, watermark };
        for index in 0..self.tasks.len() {
            let (groups, number) = (self.share(index), index as u32);
            let frozen = freeze(&mut self.tasks[index], groups, cut).unwrap();
            let target = Target { job: 1, operator: OPERATOR, barrier: &barrier, part: number };
            let task = TaskId { operator: 0, index: index as u16 };
            match save(&mut self.storage, target, &frozen, &|| true) {
                Ok(report) => self.coordinator.ack(task, barrier.id, report),
                Err(failure) => {
                    self.coordinator.decline(task, barrier.id, failure.to_string());
                    break;
                }
            }
        }
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
                Command::Aborted(_, Abort::Declined { reason, .. }) => return Err(reason),
                Command::Warn(warning) => panic!("{warning}"),
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }

    /// Goes on from the newest checkpoint with `tasks` tasks, whose states may be of other types.
    pub(super) fn restore(&self, open: &Open<'_, B, S>, tasks: u16) -> Outcome<B, S> {
        let manifest = self.manifest().clone();
        let storage = &self.storage;
        let mut restored = Restored::default();
        let mut opened = open_all(self.make, open, tasks);
        for (index, states) in (0..).zip(&mut opened) {
            let (groups, policy) = (KeyGroups::share(GROUPS, tasks, index), RestorePolicy::Fail);
            match load(&manifest, OPERATOR, groups, storage, policy, states) {
                Ok(loaded) => restored.add(loaded),
                Err(failure) => {
                    let mut rows = Rows(0);
                    let Ok(()) = states.each(&mut rows);
                    return Err(Box::new(Refused { failure, rows: rows.0 }));
                }
            }
        }
        let epoch = self.epoch + 1;
        let recovered = Recovered { full: restored.full, ..Recovered::from(epoch, Some(manifest)) };
        let job = Self {
            make: self.make,
            tasks: opened,
            storage: storage.clone(),
            performer: Performer::new(storage.clone()),
            coordinator: coordinator(tasks, recovered),
            epoch,
            time: self.time,
        };
        Ok((job, restored))
    }

    /// Returns what the newest checkpoint consists of.
    pub(super) fn manifest(&self) -> &Manifest {
        self.coordinator.newest().expect("a checkpoint")
    }

    /// Returns whether all of the newest checkpoint was written for it.
    pub(super) fn is_full(&self) -> bool {
        let states = self.manifest().operators.iter().flat_map(|operator| &operator.states);
        let mut chains = states.flat_map(|state| &state.chains);
        chains.all(|chain| match chain.parts.as_slice() {
            [part] => {
                part.written == self.manifest().id && matches!(part.shape, PartShape::Full { .. })
            }
            _ => false,
        })
    }
}

fn open_all<B: Backend, S>(make: Make<B>, open: &Open<'_, B, S>, tasks: u16) -> Vec<S> {
    let share = |index| KeyGroups::share(GROUPS, tasks, index);
    (0..tasks).map(|index| open(&mut make(share(index))).unwrap()).collect()
}

fn coordinator(tasks: u16, recovered: Recovered) -> Coordinator {
    let shape = Shape {
        id: 1,
        signature: Vec::new(),
        key_groups: GROUPS,
        hash_function: HASH_FUNCTION,
        operators: vec![OperatorShape { name: OPERATOR.to_owned(), parallelism: tasks }],
    };
    Coordinator::new(Config { retain: 1, full_every: 10 }, shape, recovered)
}

/// Counts the keys that have a row.
struct Rows(u64);

impl<E: StateError> Visitor<E> for Rows {
    type Stop = core::convert::Infallible;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop> {
        self.0 += state.rows();
        Ok(())
    }
}

/// How many key groups the job has.
pub(super) const GROUPS: u16 = 16;
/// The name of the operator.
const OPERATOR: &str = "operator";
