//! Restoring at another parallelism.

use std::collections::{BTreeMap, BTreeSet};

use holdwater::key::{At, Key, KeyGroups};
use holdwater::snapshot;
use holdwater::state::{Backend, List, Map, Timers, Value};

use super::read::{entries, items, value, values};
use super::{All, Checkpoints, Run};

/// 102, 103: each of twice or half as many tasks has the rows of its groups, all and alone.
pub fn tasks_double_and_halve<B: Backend>(run: &Run<B>) {
    rescale(run, 16, &[1, 2, 4, 8, 4, 2, 1, 1]);
}

/// 104: likewise where the groups do not divide evenly.
pub fn tasks_change_to_uneven_shares<B: Backend>(run: &Run<B>) {
    rescale(run, 10, &[3, 5, 3]);
    rescale(run, 13, &[1, 3, 2, 5]);
}

/// 105: likewise step by step through many numbers of tasks, rows dropped before each.
pub fn what_was_dropped_before_a_change_of_tasks_stays_dropped<B: Backend>(run: &Run<B>) {
    rescale(run, 11, &[1, 2, 8, 2, 7, 2, 1, 8, 3, 2]);
}

/// 119: a task that owns other groups than before writes what changed, not everything.
pub fn a_delta_follows_a_change_of_tasks<B: Backend>(run: &Run<B>) {
    let mut checkpoints = Checkpoints::default();
    let all = KeyGroups::all(16);
    let mut job = Job::new(run, all.total(), 1);
    (0..100).for_each(|key| job.write(key));
    job.checkpoint(run, &mut checkpoints);
    for tasks in [3, 2] {
        let mut job = Job::restored(run, all.total(), tasks, &checkpoints);
        let base = checkpoints.last();
        let cut = checkpoints.cut(base);
        for (groups, states) in &mut job.tasks {
            let frozen = snapshot::freeze(states, *groups, cut).unwrap();
            assert!(!frozen.has_parts(snapshot::Portion::All), "{tasks} tasks");
        }
        job.write(1);
        job.checkpoint_on(base, &mut checkpoints);
        let written = checkpoints.parts_written(checkpoints.last().unwrap());
        let groups: BTreeSet<_> = written.map(|part| part.group).collect();
        let group = all.locate::<u64>(1).group().index();
        assert_eq!(groups.into_iter().collect::<Vec<_>>(), [group]);
    }
}

/// 175: after a change of tasks each timer fires once, in one task.
pub fn each_timer_fires_in_one_task<B: Backend>(run: &Run<B>) {
    let mut checkpoints = Checkpoints::default();
    let mut job = Job::new(run, 16, 1);
    (0..100).for_each(|key| job.write(key));
    job.checkpoint(run, &mut checkpoints);
    for tasks in [3, 2] {
        let mut job = Job::restored(run, 16, tasks, &checkpoints);
        let mut fired = BTreeSet::new();
        for (groups, states) in &mut job.tasks {
            while let Some(timer) = states.timers.take(i64::MAX).unwrap() {
                assert!(groups.contains(groups.locate::<u64>(timer.key).group()));
                assert!(fired.insert(timer.key), "a timer fired twice");
            }
        }
        assert_eq!(fired, (0..100).collect());
        job.checkpoint(run, &mut checkpoints);
        let mut job = Job::restored(run, 16, 1, &checkpoints);
        assert_eq!(job.tasks[0].1.timers.take(i64::MAX).unwrap(), None);
        (0..100).for_each(|key| job.write(key));
        job.checkpoint(run, &mut checkpoints);
    }
}

/// The tasks of an operator, each with the states of its groups.
struct Job<B: Backend> {
    total: u16,
    tasks: Vec<(KeyGroups, All<B>)>,
}

impl<B: Backend> Job<B> {
    fn new(run: &Run<B>, total: u16, tasks: u16) -> Self {
        let shares = (0..tasks).map(|task| KeyGroups::share(total, tasks, task));
        let tasks = shares.map(|groups| (groups, All::open(&mut run.store(groups)).unwrap()));
        Self { total, tasks: tasks.collect() }
    }

    fn restored(run: &Run<B>, total: u16, tasks: u16, checkpoints: &Checkpoints) -> Self {
        let mut job = Self::new(run, total, tasks);
        for (_, states) in &mut job.tasks {
            checkpoints.load(checkpoints.last().unwrap(), states);
        }
        job
    }

    fn checkpoint(&mut self, run: &Run<B>, checkpoints: &mut Checkpoints) {
        let base = checkpoints.last().filter(|_| run.mode().is_incremental());
        self.checkpoint_on(base, checkpoints);
    }

    fn checkpoint_on(&mut self, base: Option<u64>, checkpoints: &mut Checkpoints) {
        let cut = checkpoints.cut(base);
        for (groups, states) in &mut self.tasks {
            checkpoints.save(&snapshot::freeze(states, *groups, cut).unwrap());
        }
        for (_, states) in &mut self.tasks {
            checkpoints.complete(states, cut.checkpoint);
        }
    }

    fn task(&mut self, key: u64) -> (At<'static, u64>, &mut All<B>) {
        let at = KeyGroups::all(self.total).locate::<u64>(key.view());
        let owner = KeyGroups::owner(at.group(), self.total, self.tasks.len() as u16);
        (at, &mut self.tasks[usize::from(owner)].1)
    }

    /// Stores rows of every kind.
    fn write(&mut self, key: u64) {
        let (at, states) = self.task(key);
        states.texts.put(at, format!("text {key}")).unwrap();
        states.numbers.push(at.within(7), key as u32).unwrap();
        states.amounts.put(at, "a", key as i64).unwrap();
        states.timers.register(at, key as i64).unwrap();
    }

    fn drop_rows(&mut self, key: u64) {
        let (at, states) = self.task(key);
        states.texts.remove(at).unwrap();
        states.numbers.remove(at.within(7)).unwrap();
        states.amounts.remove_all(at).unwrap();
        states.timers.delete(at, key as i64).unwrap();
    }

    /// Compares the rows of all tasks with the keys and how often each was written.
    fn compare(&mut self, expected: &BTreeMap<u64, usize>) {
        let mut found = BTreeSet::new();
        for (groups, states) in &self.tasks {
            for key in values(&states.texts).into_keys() {
                assert!(groups.contains(groups.locate::<u64>(key).group()), "a foreign key");
                assert!(found.insert(key), "a key in two tasks");
            }
        }
        assert_eq!(found, expected.keys().copied().collect());
        for key in 0..KEYS {
            let (at, states) = self.task(key);
            let times = expected.get(&key).copied().unwrap_or(0);
            assert_eq!(items(&states.numbers, at.within(7)), vec![key as u32; times]);
            assert_eq!(entries(&states.amounts, at).len(), usize::from(times > 0));
            assert_eq!(value(&states.texts, at).is_some(), times > 0);
        }
    }
}

/// Restores at each number of tasks in turn, with rows dropped and written in between.
fn rescale<B: Backend>(run: &Run<B>, total: u16, steps: &[u16]) {
    let mut checkpoints = Checkpoints::default();
    let mut expected: BTreeMap<u64, usize> = (0..KEYS).map(|key| (key, 1)).collect();
    let mut job = Job::new(run, total, steps[0]);
    (0..KEYS).for_each(|key| job.write(key));
    for (step, tasks) in (0u64..).zip(steps) {
        for key in (0..KEYS).filter(|key| key % 7 == step % 7) {
            job.drop_rows(key);
            expected.remove(&key);
        }
        for key in (0..KEYS).filter(|key| key % 11 == step) {
            job.write(key);
            *expected.entry(key).or_insert(0) += 1;
        }
        job.checkpoint(run, &mut checkpoints);
        job = Job::restored(run, total, *tasks, &checkpoints);
        job.compare(&expected);
    }
}

const KEYS: u64 = 60;
