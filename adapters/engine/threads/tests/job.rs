//! Jobs of two inputs, run to their end, cut off, and resumed.

#![allow(clippy::unwrap_used)]

mod world;

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use holdwater::key::{Key, KeyGroup};
use holdwater::manifest::CheckpointKind;
use holdwater::storage::{Area, Storage};
use holdwater_files::Files;
use holdwater_memory::Memory;
use holdwater_threads::{Checkpoints, Ended, EngineError, Every, run};
use world::{
    Broken, Deed, Figure, Manner, Outside, Random, Rows, Shared, Witness, counting,
    counting_on_heap, every, figures, job, rows, sorted,
};

#[test]
fn a_job_without_checkpoints_gives_what_its_inputs_hold() {
    let (left, right, shared) = (rows(1, 5_000), rows(2, 3_000), Shared::default());
    for parallelism in [1, 3] {
        let outside = Outside::default();
        let sources = [&left, &right].map(|rows| Rows::new(rows, Manner::Plain, &shared));
        let checkpoints = None::<Checkpoints<Memory>>;
        let job = job(sources.into(), counting(&shared), &outside, checkpoints, parallelism);
        let summary = run(job, &mut ()).unwrap();
        assert_eq!((summary.ended, summary.rows), (Ended::Finished, 8_000));
        assert_eq!(sorted(outside.rows()), figures(&[&left, &right]));
        assert_eq!(summary.counters, [("rows".to_owned(), 8_000)]);
    }
}

#[test]
fn a_job_cut_off_at_any_row_and_resumed_at_any_parallelism_on_any_store_gives_the_same() {
    let (left, right) = (rows(1, 6_000), rows(2, 4_000));
    let expected = figures(&[&left, &right]);
    let mut resumed = 0;
    for seed in 0..15 {
        let mut random = Random(seed);
        let (memory, outside) = (Memory::default(), Outside::default());
        loop {
            let shared = Shared::default();
            let mut sources = [&left, &right].map(|rows| Rows::new(rows, Manner::Plain, &shared));
            if random.below(4) > 0 {
                let source = &mut sources[random.below(2) as usize];
                source.manner = Manner::FailAt(random.below(source.rows.len() as u64) as usize);
            }
            let mut checkpoints = every(1 + random.below(2_000), &memory);
            checkpoints.full_every = NonZero::new(1 + random.below(5) as u32).unwrap();
            let (sources, checkpoints) = (sources.into(), Some(checkpoints));
            let parallelism = 1 + random.below(4) as u16;
            let mut witness = Witness::default();
            let ended = if random.below(2) == 0 {
                let make = counting(&shared);
                run(job(sources, make, &outside, checkpoints, parallelism), &mut witness)
            } else {
                let make = counting_on_heap(&shared);
                run(job(sources, make, &outside, checkpoints, parallelism), &mut witness)
            };
            assert_eq!(witness.skipped, [""; 0]);
            assert_eq!(witness.aborted, [""; 0]);
            resumed += u32::from(witness.restored.is_some());
            match ended {
                Ok(summary) => {
                    assert_eq!(summary.counters, [("rows".to_owned(), 10_000)]);
                    break;
                }
                Err(EngineError::Source { error, .. }) => {
                    assert_eq!(error.downcast_ref(), Some(&Broken("cable cut")));
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        assert_eq!(sorted(outside.rows()), expected, "seed {seed}");
    }
    assert!(resumed > 10, "{resumed} runs went on from a checkpoint");
}

#[test]
fn results_come_in_the_order_of_the_subtasks() {
    let (left, shared, outside) = (rows(1, 2_000), Shared::default(), Outside::default());
    let sources = vec![Rows::new(&left, Manner::Plain, &shared)];
    let checkpoints = None::<Checkpoints<Memory>>;
    run(job(sources, counting(&shared), &outside, checkpoints, 4), &mut ()).unwrap();
    let groups = |(key, ..): &Figure| KeyGroup::of(u64::digest(*key), 128);
    assert!(outside.rows().iter().map(groups).is_sorted());
}

#[test]
fn the_same_job_again_gives_the_same_and_a_grown_input_goes_on() {
    let (whole, memory, shared) = (rows(1, 3_000), Memory::default(), Shared::default());
    let mut first = None;
    // The same file, as it grows.
    for (length, checkpoints, read) in [(2_000, 1, 2_000), (2_000, 0, 0), (3_000, 1, 1_000)] {
        let (input, outside) = (Arc::new(whole[..length].to_vec()), Outside::default());
        let sources = vec![Rows::new(&input, Manner::Plain, &shared)];
        let job = job(sources, counting(&shared), &outside, Some(every(5_000, &memory)), 2);
        let summary = run(job, &mut ()).unwrap();
        assert_eq!((summary.rows, summary.checkpoints), (read, checkpoints));
        assert_eq!(summary.counters, [("rows".to_owned(), length as u64)]);
        assert_eq!(sorted(outside.rows()), figures(&[&input]));
        first.get_or_insert(summary.newest);
    }
    assert!(first.is_some_and(|newest| newest.is_some()));
}

#[test]
fn a_stopped_job_takes_a_last_checkpoint_and_can_be_resumed() {
    let (left, memory) = (rows(1, 100_000), Memory::default());
    let outside = Outside::default();
    let mut runs = 0;
    loop {
        let shared = Shared::default();
        let sources = vec![Rows::new(&left, Manner::Plain, &shared)];
        let checkpoints = every(4_000, &memory);
        let job = job(sources, counting(&shared), &outside, Some(checkpoints), 1 + runs % 3);
        let mut witness = Witness::default();
        if runs < 3 {
            let stop = job.options.stop.clone();
            witness.after = Some((2, Deed::new(move || stop.stop())));
        }
        let summary = run(job, &mut witness).unwrap();
        assert_eq!(summary.checkpoints, witness.completed.len() as u64);
        runs += 1;
        if summary.ended == Ended::Finished {
            break;
        }
        assert_eq!(outside.rows(), [], "nothing is given before the end");
        let position = summary.positions[0].clone().unwrap();
        let position = u64::from_le_bytes(position.try_into().unwrap());
        assert_eq!(summary.counters, [("rows".to_owned(), position)], "of the last checkpoint");
    }
    assert_eq!(runs, 4);
    assert_eq!(sorted(outside.rows()), figures(&[&left]));
}

#[test]
fn a_savepoint_is_taken_of_a_running_job_and_kept() {
    let (left, memory) = (rows(1, 20_000), Memory::default());
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = vec![Rows::new(&left, Manner::Plain, &shared)];
    let mut checkpoints = every(2_000, &memory);
    checkpoints.retain = NonZero::<usize>::MIN;
    let job = job(sources, counting(&shared), &outside, Some(checkpoints), 2);
    let savepoints = job.options.savepoints.clone();
    let after = Some((2, Deed::new(move || savepoints.ask())));
    let mut witness = Witness { after, ..Witness::default() };
    run(job, &mut witness).unwrap();
    let kinds: Vec<_> = witness.completed.iter().map(|completed| completed.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == CheckpointKind::Savepoint).count(), 1);
    let savepoint = witness.completed[2].id;
    assert_eq!(kinds[2], CheckpointKind::Savepoint, "begun at once");
    let mut kept = Vec::new();
    memory.clone().list(Area::Manifests, &mut |id| kept.push(id)).unwrap();
    assert!(kept.contains(&savepoint.manifest()), "{kept:?}");
    assert_eq!(sorted(outside.rows()), figures(&[&left]));
}

#[test]
fn a_suspended_job_goes_on_from_its_savepoint_and_a_drained_one_gives_what_is_left() {
    let (left, right) = (rows(1, 50_000), rows(2, 50_000));
    for drain in [false, true] {
        let (memory, outside) = (Memory::default(), Outside::default());
        let shared = Shared::default();
        let job_of = |outside: &Outside| {
            let sources = [&left, &right].map(|rows| Rows::new(rows, Manner::Plain, &shared));
            let checkpoints = Some(every(10_000, &memory));
            job(sources.into(), counting(&shared), outside, checkpoints, 2)
        };
        let ending = job_of(&outside);
        let stop = ending.options.stop.clone();
        let end = Deed::new(move || if drain { stop.drain() } else { stop.suspend() });
        let mut witness = Witness { after: Some((1, end)), ..Witness::default() };
        let summary = run(ending, &mut witness).unwrap();
        assert_eq!(summary.ended, if drain { Ended::Finished } else { Ended::Stopped });
        assert_eq!(witness.completed.last().unwrap().kind, CheckpointKind::Savepoint);
        let read = summary
            .positions
            .into_iter()
            .map(|position| u64::from_le_bytes(position.unwrap().try_into().unwrap()) as usize);
        let read: Vec<_> = read.collect();
        assert!(read[0] + read[1] < 100_000, "{read:?}");
        // What a drained job gives is what its savepoint covers, and no row more.
        let begun = [left[..read[0]].to_vec(), right[..read[1]].to_vec()].map(Arc::new);
        let given = if drain { figures(&[&begun[0], &begun[1]]) } else { Vec::new() };
        assert_eq!(sorted(outside.rows()), given);

        let outside = Outside::default();
        assert_eq!(run(job_of(&outside), &mut ()).unwrap().ended, Ended::Finished);
        assert_eq!(sorted(outside.rows()), figures(&[&left, &right]));
    }
}

#[test]
fn a_silent_input_does_not_keep_a_job_from_stopping() {
    let (left, right, shared) = (rows(1, 500), rows(2, 500), Shared::default());
    let (memory, outside) = (Memory::default(), Outside::default());
    let sources = vec![
        Rows::new(&left, Manner::Plain, &shared),
        Rows::new(&right, Manner::Silent(100), &shared),
    ];
    let mut checkpoints = every(1_000_000, &memory);
    checkpoints.stop_within = Duration::from_millis(50);
    let job = job(sources, counting(&shared), &outside, Some(checkpoints), 2);
    // All of the left input, and two batches of the right.
    let stop_at = Some((500 + 2 * 64, job.options.stop.clone()));
    let mut witness = Witness { stop_at, ..Witness::default() };
    let summary = run(job, &mut witness).unwrap();
    assert_eq!((summary.ended, summary.newest), (Ended::Stopped, None));
}

#[test]
fn a_checkpoint_falls_due_by_the_clock() {
    let (left, memory, shared) = (rows(1, 1_000), Memory::default(), Shared::default());
    // The right input ends only once a checkpoint is complete.
    let sources = vec![
        Rows::new(&left, Manner::Plain, &shared),
        Rows::new(&left, Manner::UntilComplete, &shared),
    ];
    let mut checkpoints = every(1, &memory);
    checkpoints.every = Every::Interval(Duration::from_millis(5));
    let outside = Outside::default();
    let mut witness = Witness { shared: shared.clone(), ..Witness::default() };
    run(job(sources, counting(&shared), &outside, Some(checkpoints), 2), &mut witness).unwrap();
    assert!(!witness.completed.is_empty());
    assert_eq!(sorted(outside.rows()), figures(&[&left, &left]));
}

#[test]
fn snapshots_may_be_written_before_the_next_record() {
    let (left, memory) = (rows(1, 5_000), Memory::default());
    let (shared, outside) = (Shared::default(), Outside::default());
    for manner in [Manner::FailAt(4_000), Manner::Plain] {
        let sources = vec![Rows::new(&left, manner, &shared)];
        let mut checkpoints = every(500, &memory);
        checkpoints.sync_snapshots = true;
        let job = job(sources, counting(&shared), &outside, Some(checkpoints), 2);
        assert_eq!(run(job, &mut ()).is_ok(), manner == Manner::Plain);
    }
    assert_eq!(sorted(outside.rows()), figures(&[&left]));
}

#[test]
fn a_job_resumes_from_a_directory() {
    let (left, right) = (rows(1, 6_000), rows(2, 4_000));
    let directory = tempfile::tempdir().unwrap();
    let outside = Outside::default();
    let manners = [Manner::FailLater(2_000), Manner::FailLater(5_000), Manner::Plain];
    for (parallelism, manner) in (1..).zip(manners) {
        let shared = Shared::default();
        let files = Files::open(directory.path()).unwrap();
        let sources =
            vec![Rows::new(&left, manner, &shared), Rows::new(&right, Manner::Plain, &shared)];
        let checkpoints = Some(every(1_000, &files));
        let job = job(sources, counting(&shared), &outside, checkpoints, parallelism);
        let mut witness = Witness { shared: shared.clone(), ..Witness::default() };
        let ended = run(job, &mut witness);
        assert_eq!(ended.is_ok(), manner == Manner::Plain, "{ended:?}");
        assert_eq!((witness.aborted, witness.skipped), (Vec::new(), Vec::new()));
        assert_eq!(witness.restored.is_some(), parallelism > 1);
    }
    assert_eq!(sorted(outside.rows()), figures(&[&left, &right]));
}
