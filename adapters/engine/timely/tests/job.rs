//! Jobs on workers of one process: what comes out is what the threads engine gives.

#![allow(clippy::unwrap_used)]

#[path = "../../threads/tests/world/mod.rs"]
mod world;

use std::sync::Arc;

use holdwater_memory::Memory;
use holdwater_threads::{Checkpoints, Ended, EngineError, Subtask, Summary};
use holdwater_timely::{Cluster, run};
use world::{
    Broken, Count, Figure, Manner, Outside, Row, Rows, Shared, Witness, counting, counting_on_heap,
    damage_newest, every, figures, job, rows, sorted,
};

/// The job of a test: its input, its output, and where its checkpoints are.
struct Trial {
    left: Arc<Vec<Row>>,
    right: Arc<Vec<Row>>,
    storage: Memory,
    witness: Witness,
}

impl Trial {
    fn new() -> Self {
        let (left, right) = (rows(1, 6000), rows(2, 4000));
        Self { left, right, storage: Memory::new(1 << 20), witness: Witness::default() }
    }

    fn expected(&self) -> Vec<Figure> {
        figures(&[&self.left, &self.right])
    }

    /// Begins another run with nothing but the checkpoints there are: gives what the operator
    /// counts in, where results go, and the sources.
    fn begin(&mut self, manner: Manner) -> (Shared, Outside, Vec<Rows>) {
        let shared = Shared::default();
        self.witness = Witness { shared: shared.clone(), ..Witness::default() };
        let sources = vec![
            Rows::new(&self.left, manner, &shared),
            Rows::new(&self.right, Manner::Plain, &shared),
        ];
        (shared, Outside::default(), sources)
    }

    /// Runs the job on so many workers, with a source that does as it is told.
    fn run(
        &mut self,
        workers: usize,
        manner: Manner,
    ) -> (Result<Summary, EngineError>, Vec<Figure>) {
        let (shared, outside, sources) = self.begin(manner);
        let checkpoints = Some(every(700, &self.storage));
        let job = job(sources, counting_on_heap(&shared), &outside, checkpoints, 1);
        let ended = run(Cluster::alone(workers), 7, job, &mut self.witness);
        (ended, sorted(outside.rows()))
    }

    /// Runs the job on threads.
    fn run_on_threads(&mut self, manner: Manner) -> (Result<Summary, EngineError>, Vec<Figure>) {
        let (shared, outside, sources) = self.begin(manner);
        let checkpoints = Some(every(700, &self.storage));
        let job = job(sources, counting(&shared), &outside, checkpoints, 2);
        let ended = holdwater_threads::run(job, &mut self.witness);
        (ended, sorted(outside.rows()))
    }
}

#[test]
fn every_number_of_workers_gives_the_same() {
    for workers in [1, 2, 5] {
        let mut trial = Trial::new();
        let (ended, found) = trial.run(workers, Manner::Plain);
        let summary = ended.unwrap();
        assert_eq!(summary.ended, Ended::Finished, "{workers} workers");
        assert_eq!(summary.rows, 10_000);
        assert_eq!(summary.counters, [("rows".to_owned(), 10_000)]);
        assert!(summary.checkpoints > 0);
        assert_eq!(found, trial.expected(), "{workers} workers");
    }
}

#[test]
fn a_job_that_is_cut_off_goes_on_at_any_number_of_workers() {
    let mut trial = Trial::new();
    let mut before = None;
    for (workers, row) in [(3, 1500), (5, 3000), (2, 4500)] {
        let (ended, _) = trial.run(workers, Manner::FailLater(row));
        let error = ended.unwrap_err();
        assert_eq!(error.to_string(), "input left: cable cut");
        let restored = trial.witness.restored.map(|(id, _)| id);
        assert!(restored >= before, "{restored:?} after {before:?}");
        before = Some(trial.witness.completed.last().unwrap().id);
    }
    let (ended, found) = trial.run(4, Manner::Plain);
    assert_eq!(ended.unwrap().restored, before);
    assert_eq!(found, trial.expected());
}

#[test]
fn checkpoints_of_one_engine_are_restored_by_the_other() {
    let mut trial = Trial::new();
    trial.run_on_threads(Manner::FailLater(2000)).0.unwrap_err();
    let of_threads = trial.witness.completed.last().unwrap().id;
    trial.run(3, Manner::FailLater(4000)).0.unwrap_err();
    assert_eq!(trial.witness.restored.unwrap().0, of_threads);
    let of_timely = trial.witness.completed.last().unwrap().id;
    let (ended, found) = trial.run_on_threads(Manner::Plain);
    assert_eq!(ended.unwrap().restored, Some(of_timely));
    assert_eq!(found, trial.expected());
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let mut trial = Trial::new();
    trial.run(2, Manner::FailLater(4000)).0.unwrap_err();
    damage_newest(&mut trial.storage);
    let (ended, found) = trial.run(3, Manner::Plain);
    assert_eq!(ended.unwrap().ended, Ended::Finished);
    assert_eq!(trial.witness.skipped.len(), 1, "{:?}", trial.witness.skipped);
    assert_eq!(found, trial.expected());
}

#[test]
fn results_that_are_passed_on_are_visible_once_whatever_fails() {
    let (input, storage, outside) = (rows(3, 6000), Memory::new(1 << 20), Outside::default());
    let passing = |shared: &Shared| {
        let shared = shared.clone();
        move |subtask: Subtask| {
            let mut count = Count::new(holdwater_heap::Heap::new(subtask.groups), &shared);
            count.pass_on = true;
            Ok::<_, Broken>(count)
        }
    };
    for (workers, manner) in
        [(2, Manner::FailLater(1500)), (3, Manner::FailLater(4000)), (2, Manner::Plain)]
    {
        let shared = Shared::default();
        let mut witness = Witness { shared: shared.clone(), ..Witness::default() };
        let sources = vec![Rows::new(&input, manner, &shared)];
        let checkpoints = Some(every(500, &storage));
        let job = job(sources, passing(&shared), &outside, checkpoints, 1);
        let ended = run(Cluster::alone(workers), 7, job, &mut witness);
        assert_eq!(ended.is_ok(), manner == Manner::Plain, "{ended:?}");
    }
    let expected = input.iter().map(|(key, value)| (*key, 1, *value, 0)).collect();
    assert_eq!(sorted(outside.rows()), sorted(expected));
}

#[test]
fn an_operator_that_fails_or_panics_ends_the_job_with_its_worker() {
    for panics in [false, true] {
        let shared = Shared::default();
        let input = rows(4, 3000);
        let operator = move |subtask: Subtask| {
            let mut count =
                Count::new(holdwater_heap::Heap::new(subtask.groups), &Shared::default());
            count.fail_at = (subtask.index == 1 && !panics).then_some(100);
            assert!(subtask.index != 1 || !panics, "no paper at all");
            Ok::<_, Broken>(count)
        };
        let sources = vec![Rows::new(&input, Manner::Plain, &shared)];
        let job = job(sources, operator, &Outside::default(), None::<Checkpoints<Memory>>, 1);
        let error = run(Cluster::alone(3), 7, job, &mut ()).unwrap_err();
        let said = if panics { "worker 1 panicked: no paper" } else { "subtask 1: out of paper" };
        assert!(error.to_string().starts_with(said), "{error}");
    }
}

#[test]
fn a_job_that_is_stopped_takes_a_last_checkpoint_and_goes_on_later() {
    let mut trial = Trial::new();
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = vec![
        Rows::new(&trial.left, Manner::Silent(2048), &shared),
        Rows::new(&trial.right, Manner::Plain, &shared),
    ];
    // The silent input answers no barrier: the checkpoint before is what is left.
    let mut checkpoints = every(700, &trial.storage);
    checkpoints.stop_within = std::time::Duration::ZERO;
    let job = job(sources, counting_on_heap(&shared), &outside, Some(checkpoints), 1);
    let stop = job.options.stop.clone();
    let after = Some((1, world::Deed::new(move || stop.stop())));
    let mut witness = Witness { after, ..Witness::default() };
    let summary = run(Cluster::alone(2), 7, job, &mut witness).unwrap();
    assert_eq!(summary.ended, Ended::Stopped);
    assert!(outside.rows().is_empty());
    let (ended, found) = trial.run(3, Manner::Plain);
    assert!(ended.unwrap().restored.is_some());
    assert_eq!(found, trial.expected());
}
