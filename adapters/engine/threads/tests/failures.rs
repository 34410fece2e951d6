//! What fails ends the job, with the first error and without a thread that waits for ever.

#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use holdwater_bytes::Bytes;
use holdwater_memory::Memory;
use holdwater_threads::{Checkpoints, EngineError, Subtask, run};
use world::{Broken, Count, Manner, Outside, Rows, Shared, Witness, counting, every, figures};
use world::{job, rows, sorted};

fn inputs(shared: &Shared, manners: [Manner; 2]) -> Vec<Rows> {
    let rows = rows(1, 50_000);
    manners.into_iter().map(|manner| Rows::new(&rows, manner, shared)).collect()
}

#[test]
fn a_source_that_fails_ends_the_job() {
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = inputs(&shared, [Manner::Plain, Manner::FailAt(20_000)]);
    let job = job(sources, counting(&shared), &outside, None::<Checkpoints<Memory>>, 3);
    let error = run(job, &mut ()).unwrap_err();
    assert_eq!(error.to_string(), "input right: cable cut");
    assert!(matches!(error, EngineError::Source { name, error }
        if name == "right" && error.downcast_ref() == Some(&Broken("cable cut"))));
    assert_eq!(outside.rows(), []);
}

#[test]
fn a_subtask_that_fails_ends_the_job_though_all_channels_are_full() {
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = inputs(&shared, [Manner::Plain, Manner::Plain]);
    let shared_too = shared.clone();
    let make = move |subtask: Subtask| {
        let mut count = Count::new(Bytes::in_memory(subtask.groups), &shared_too);
        count.pass_on = true;
        count.fail_at = (subtask.index == 1).then_some(9_000);
        Ok(count)
    };
    let job = job(sources, make, &outside, Some(every(2_000, &Memory::default())), 3);
    let error = run(job, &mut ()).unwrap_err();
    assert!(
        matches!(&error, EngineError::Operator { subtask: 1, error }
        if error.downcast_ref() == Some(&Broken("out of paper"))),
        "{error}"
    );
}

#[test]
fn an_operator_that_cannot_be_made_ends_the_job() {
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = inputs(&shared, [Manner::Plain, Manner::Plain]);
    let make = |subtask: Subtask| match subtask.index {
        2 => Err(Broken("no place")),
        _ => Ok(Count::new(Bytes::in_memory(subtask.groups), &Shared::default())),
    };
    let job = job(sources, make, &outside, None::<Checkpoints<Memory>>, 4);
    let error = run(job, &mut ()).unwrap_err();
    assert!(matches!(error, EngineError::Operator { subtask: 2, .. }), "{error}");
}

#[test]
fn a_panic_ends_the_job_and_names_its_thread() {
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = inputs(&shared, [Manner::PanicAt(5_000), Manner::Plain]);
    let job = job(sources, counting(&shared), &outside, None::<Checkpoints<Memory>>, 2);
    let error = run(job, &mut ()).unwrap_err();
    assert_eq!(error.to_string(), "input left panicked: cable torn");
}

#[test]
fn a_job_that_failed_does_not_wait_for_an_input_that_is_silent() {
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = inputs(&shared, [Manner::Silent(1_000), Manner::FailAt(1_000)]);
    let job = job(sources, counting(&shared), &outside, None::<Checkpoints<Memory>>, 2);
    let error = run(job, &mut ()).unwrap_err();
    assert_eq!(error.to_string(), "input right: cable cut");
}

#[test]
fn a_checkpoint_that_fails_is_told_and_the_job_goes_on() {
    let (left, shared, outside) = (rows(1, 5_000), Shared::default(), Outside::default());
    let sources = vec![Rows::new(&left, Manner::Plain, &shared)];
    let memory = Memory::new(100);
    let job = job(sources, counting(&shared), &outside, Some(every(500, &memory)), 2);
    let mut witness = Witness::default();
    let summary = run(job, &mut witness).unwrap();
    assert_eq!((summary.checkpoints, summary.newest), (0, None));
    assert!(!witness.aborted.is_empty());
    let told = &witness.aborted[0];
    assert!(told.starts_with("subtask ") && told.contains("take 100: raise"), "{told}");
    assert_eq!(sorted(outside.rows()), figures(&[&left]));
}

#[test]
fn a_checkpoint_that_takes_too_long_is_given_up_and_the_job_goes_on() {
    let (left, right, shared) = (rows(1, 5_000), rows(2, 5_000), Shared::default());
    let (memory, outside) = (Memory::default(), Outside::default());
    let sources = vec![
        Rows::new(&left, Manner::AwaitBarrier(left.len()), &shared),
        Rows::new(&right, Manner::UntilAborted(1_000), &shared),
    ];
    // It is due after the right input has fallen silent, and so waits for its barrier.
    let mut checkpoints = every(2_000, &memory);
    checkpoints.timeout = Duration::from_millis(100);
    let job = job(sources, counting(&shared), &outside, Some(checkpoints), 2);
    let mut witness = Witness { shared: shared.clone(), ..Witness::default() };
    run(job, &mut witness).unwrap();
    let told = &witness.aborted[0];
    // The left one may be slow too, where the machine is.
    assert!(["input 1 took too long", "input 2 took too long"].contains(&&**told), "{told}");
    assert_eq!(sorted(outside.rows()), figures(&[&left, &right]));
}

#[test]
fn more_failed_checkpoints_in_a_row_than_are_borne_end_the_job() {
    let (left, shared, outside) = (rows(1, 50_000), Shared::default(), Outside::default());
    let sources = vec![Rows::new(&left, Manner::Plain, &shared)];
    let mut checkpoints = every(500, &Memory::new(100));
    checkpoints.failures = Some(2);
    let job = job(sources, counting(&shared), &outside, Some(checkpoints), 2);
    let mut witness = Witness::default();
    let error = run(job, &mut witness).unwrap_err();
    assert_eq!(witness.aborted.len(), 3);
    let told = error.to_string();
    assert!(told.starts_with("checkpoint 3.e1 has failed, as too many before it: "), "{told}");
    assert!(told.contains("take 100: raise"), "{told}");
}
