//! Jobs that go on in the same process when a part of them fails.

#![allow(clippy::unwrap_used)]

mod world;

use std::cell::Cell;
use std::time::Duration;

use holdwater_memory::Memory;
use holdwater_threads::{Ended, EngineError, Event, Observer, Restarts, Start, run_again};
use world::{Manner, Outside, Rows, Shared, counting, every, figures, job, rows, sorted};

const RESTARTS: Restarts = Restarts { attempts: 2, delay: Duration::from_millis(1) };

#[derive(Default)]
struct Witness {
    failures: Vec<u32>,
    restored: usize,
}

impl Observer for Witness {
    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Restarting { failures, .. } => self.failures.push(*failures),
            Event::Running { restored, .. } => self.restored += usize::from(restored.is_some()),
            _ => {}
        }
    }
}

#[test]
fn a_job_whose_parts_fail_goes_on_from_its_checkpoints_and_counts_every_row_once() {
    let (left, memory, outside) = (rows(1, 20_000), Memory::default(), Outside::default());
    let runs = Cell::new(0);
    let make = || {
        let shared = Shared::default();
        let manner = match runs.replace(runs.get() + 1) {
            run @ 0..4 => Manner::FailAt(4_000 * (run + 1)),
            4 => Manner::PanicAt(19_000),
            _ => Manner::Plain,
        };
        let sources = vec![Rows::new(&left, manner, &shared)];
        let mut checkpoints = every(500, &memory);
        checkpoints.start = Start::Fresh;
        let shared = shared.clone();
        let count = move |subtask| counting(&shared)(subtask);
        job(sources, count, &outside, Some(checkpoints), 1 + runs.get() as u16 % 3)
    };
    let mut witness = Witness::default();
    let summary = run_again(make, RESTARTS, &mut witness).unwrap();
    assert_eq!((summary.ended, runs.get()), (Ended::Finished, 6));
    assert_eq!(witness.failures, [1; 5], "each run took a checkpoint");
    assert!(witness.restored >= 4, "{}", witness.restored);
    assert_eq!(summary.counters, [("rows".to_owned(), 20_000)]);
    assert_eq!(sorted(outside.rows()), figures(&[&left]));
}

#[test]
fn a_job_that_fails_again_and_again_without_a_checkpoint_ends_with_its_last_error() {
    let (left, memory, outside) = (rows(1, 5_000), Memory::default(), Outside::default());
    let shared = Shared::default();
    let runs = Cell::new(0);
    let make = || {
        runs.set(runs.get() + 1);
        let sources = vec![Rows::new(&left, Manner::FailAt(64), &shared)];
        job(sources, counting(&shared), &outside, Some(every(1_000, &memory)), 2)
    };
    let mut witness = Witness::default();
    let error = run_again(make, RESTARTS, &mut witness).unwrap_err();
    assert_eq!(error.to_string(), "input left: cable cut");
    assert_eq!((runs.get(), witness.failures.as_slice()), (3, &[1, 2][..]));
}

#[test]
fn what_would_fail_again_is_not_tried_again() {
    let (left, memory, outside) = (rows(1, 2_000), Memory::default(), Outside::default());
    let shared = Shared::default();
    let once = |signature: &[u8], manner| {
        let mut witness = Witness::default();
        let runs = Cell::new(0);
        let make = || {
            runs.set(runs.get() + 1);
            let sources = vec![Rows::new(&left, manner, &shared)];
            let mut checkpoints = every(500, &memory);
            checkpoints.signature = signature.to_vec();
            job(sources, counting(&shared), &outside, Some(checkpoints), 2)
        };
        (run_again(make, RESTARTS, &mut witness), runs.get())
    };
    assert!(once(b"one", Manner::Plain).0.is_ok());
    let (ended, runs) = once(b"two", Manner::Plain);
    assert!(matches!(ended, Err(EngineError::OtherJob { .. })), "{ended:?}");
    assert_eq!(runs, 1);
    // Results of a job without checkpoints cannot be taken back.
    let runs = Cell::new(0);
    let make = || {
        runs.set(runs.get() + 1);
        let sources = vec![Rows::new(&left, Manner::FailAt(64), &shared)];
        job(sources, counting(&shared), &outside, None::<holdwater_threads::Checkpoints<Memory>>, 2)
    };
    assert!(run_again(make, RESTARTS, &mut Witness::default()).is_err());
    assert_eq!(runs.get(), 1);
}
