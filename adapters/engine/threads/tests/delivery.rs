//! How often each record takes effect, in the states and in the output.

#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;
use std::time::Duration;

use holdwater::barrier::Guarantee;
use holdwater_bytes::Bytes;
use holdwater_memory::Memory;
use holdwater_threads::{Ended, EngineError, Subtask, run};
use world::{
    Broken, Count, Deed, Figure, Manner, Outside, Random, Row, Rows, Shared, Witness, Works,
};
use world::{counting, every, figures, job, rows, sorted};

/// Runs a job whose right input is late until it fails, and again to its end. Returns the output.
fn cut_off_while_one_input_is_late(
    guarantee: Guarantee,
    left: &[Row],
    right: &[Row],
) -> Vec<Figure> {
    let (memory, outside) = (Memory::default(), Outside::default());
    let (left, right) = (Arc::new(left.to_vec()), Arc::new(right.to_vec()));
    for first in [true, false] {
        let shared = Shared::default();
        // Exactly once, what follows the barrier of the left input waits for that of the right.
        let late = match guarantee {
            Guarantee::AtLeastOnce => left.len() as u64,
            Guarantee::ExactlyOnce => 1,
        };
        let manners = match first {
            true => [Manner::AwaitBarrier(300), Manner::Delayed(late)],
            false => [Manner::Plain, Manner::Plain],
        };
        let sources =
            vec![Rows::new(&left, manners[0], &shared), Rows::new(&right, manners[1], &shared)];
        let mut checkpoints = every(200, &memory);
        if first {
            // A second checkpoint, before the cut, would hold what the first one let by.
            checkpoints.pause = Duration::from_secs(3_600);
        }
        let mut job = job(sources, counting(&shared), &outside, Some(checkpoints), 2);
        job.options.guarantee = guarantee;
        let mut witness = Witness { shared: shared.clone(), ..Witness::default() };
        let ended = run(job, &mut witness);
        assert_eq!(ended.is_err(), first, "{ended:?}");
        assert_eq!(witness.restored.is_some(), !first);
    }
    sorted(outside.rows())
}

#[test]
fn at_least_once_repeats_what_a_late_input_let_by_and_loses_nothing() {
    let (left, right) = (rows(1, 2_000), rows(2, 1_000));
    let expected = figures(&[&left, &right]);
    let exactly = cut_off_while_one_input_is_late(Guarantee::ExactlyOnce, &left, &right);
    assert_eq!(exactly, expected);
    let at_least = cut_off_while_one_input_is_late(Guarantee::AtLeastOnce, &left, &right);
    let steady = |figures: &[Figure]| -> Vec<_> {
        figures.iter().map(|(key, _, most, seen)| (*key, *most, *seen)).collect()
    };
    assert_eq!(steady(&at_least), steady(&expected), "maxima and distinct values do not repeat");
    let counts = |figures: &[Figure]| figures.iter().map(|figure| figure.1).sum::<u64>();
    assert!(counts(&at_least) > counts(&expected), "what was let by took effect twice");
    for (at_least, expected) in at_least.iter().zip(&expected) {
        assert!(at_least.1 >= expected.1);
    }
}

#[test]
fn each_result_is_visible_exactly_once_however_often_the_job_is_cut_off() {
    let (left, right) = (rows(1, 6_000), rows(2, 4_000));
    let mut expected: Vec<_> = left.iter().chain(&*right).map(|(k, v)| (*k, 1, *v, 0)).collect();
    expected.sort_unstable();
    let mut resumed = 0;
    for seed in 0..15 {
        let mut random = Random(seed);
        let (memory, outside) = (Memory::default(), Outside::default());
        for run_number in 0.. {
            let shared = Shared::default();
            let mut sources = [&left, &right].map(|rows| Rows::new(rows, Manner::Plain, &shared));
            if run_number < 4 {
                let source = &mut sources[random.below(2) as usize];
                source.manner = Manner::FailAt(random.below(source.rows.len() as u64) as usize);
            }
            let make = |subtask: Subtask| {
                let mut count = Count::new(Bytes::in_memory(subtask.groups), &shared);
                count.pass_on = true;
                Ok::<_, Broken>(count)
            };
            let (rows, parallelism) = (300 + random.below(1_500), 1 + random.below(3) as u16);
            let checkpoints = Some(every(rows, &memory));
            let job = job(sources.into(), make, &outside, checkpoints, parallelism);
            let mut witness = Witness::default();
            let ended = run(job, &mut witness);
            resumed += u32::from(witness.restored.is_some());
            if ended.is_ok() {
                break;
            }
        }
        assert_eq!(sorted(outside.rows()), expected, "seed {seed}");
    }
    assert!(resumed > 0, "a run went on from a checkpoint");
}

#[test]
fn results_of_a_checkpoint_that_was_never_complete_are_dropped_at_the_next_start() {
    let (left, outside) = (rows(1, 50_000), Outside::default());
    // No checkpoint is ever complete: no snapshot file fits.
    let memory = Memory::new(0);
    for prepares_max in [2, u64::MAX] {
        let shared = Shared::default();
        let sources = vec![Rows::new(&left, Manner::Plain, &shared)];
        let make = |subtask: Subtask| {
            let mut count = Count::new(Bytes::in_memory(subtask.groups), &shared);
            count.pass_on = true;
            Ok::<_, Broken>(count)
        };
        let mut job = job(sources, make, &outside, Some(every(100, &memory)), 1);
        job.sink.prepares_max = prepares_max;
        let ended = run(job, &mut ());
        if prepares_max == 2 {
            assert!(matches!(ended, Err(EngineError::Sink { .. })), "{ended:?}");
            assert_eq!(outside.rows(), []);
            assert_eq!(outside.0.lock().unwrap().prepared.len(), 2);
        }
    }
    assert_eq!(outside.0.lock().unwrap().aborted.len(), 2);
    let mut expected: Vec<_> = left.iter().map(|(key, value)| (*key, 1, *value, 0)).collect();
    expected.sort_unstable();
    assert_eq!(sorted(outside.rows()), expected);
}

#[test]
fn results_are_visible_as_soon_as_their_checkpoint_is_complete() {
    for works in [Works::Nothing, Works::UntilBarrier] {
        let (left, memory, outside) = (rows(1, 10_000), Memory::default(), Outside::default());
        let shared = Shared::default();
        let sources = vec![Rows::new(&left, Manner::Plain, &shared)];
        let make = |subtask: Subtask| {
            let mut count = Count::new(Bytes::in_memory(subtask.groups), &shared);
            (count.pass_on, count.works) = (true, works);
            Ok::<_, Broken>(count)
        };
        let job = job(sources, make, &outside, Some(every(500, &memory)), 2);
        let stop = job.options.stop.clone();
        let after = Some((3, Deed::new(move || stop.stop())));
        let mut witness = Witness { after, ..Witness::default() };
        let summary = run(job, &mut witness).unwrap();
        assert_eq!(summary.ended, Ended::Stopped);
        // What follows the last checkpoint is not, and comes with the next run.
        let position = summary.positions[0].clone().unwrap();
        let position = u64::from_le_bytes(position.try_into().unwrap());
        assert_eq!(outside.rows().len() as u64, position, "{works:?}");
    }
}

#[test]
fn a_sink_that_cannot_take_back_repeats_nothing_unless_that_is_accepted() {
    let left = rows(1, 3_000);
    let (memory, outside) = (Memory::default(), Outside::default());
    outside.0.lock().unwrap().cannot_cut = true;
    let attempt = |manner, accept_duplicates, damage| {
        let shared = Shared::default();
        let sources = vec![Rows::new(&left, manner, &shared)];
        let make = |subtask: Subtask| {
            let mut count = Count::new(Bytes::in_memory(subtask.groups), &shared);
            count.pass_on = true;
            Ok::<_, Broken>(count)
        };
        let mut checkpoints = every(500, &memory);
        checkpoints.accept_duplicates = accept_duplicates;
        let mut witness = Witness::default();
        let ended = run(job(sources, make, &outside, Some(checkpoints), 2), &mut witness);
        if damage {
            world::damage_newest(&mut memory.clone());
        }
        (ended, witness)
    };
    let (ended, witness) = attempt(Manner::Paced(500), false, true);
    assert!(ended.is_ok() && witness.completed.len() > 2);
    for _ in 0..2 {
        // Also the second time, when nothing is passed over any more.
        let (ended, witness) = attempt(Manner::Plain, false, false);
        assert!(matches!(ended, Err(EngineError::DuplicateOutput)), "{ended:?}");
        assert!(witness.completed.is_empty());
    }
    let (ended, _) = attempt(Manner::Plain, true, false);
    ended.unwrap();
    assert!(outside.rows().len() > left.len());
}
