//! Jobs of two inputs, run to their end, cut off, and resumed.

#![allow(clippy::unwrap_used)]

mod world;

use holdwater_memory::Memory;
use holdwater_threads::{Ended, EngineError, run};
use world::{
    Broken, Manner, Outside, Random, Rows, Shared, Witness, counting, every, figures, job, rows,
    sorted,
};

#[test]
fn a_job_without_checkpoints_gives_what_its_inputs_hold() {
    let (left, right, shared) = (rows(1, 5_000), rows(2, 3_000), Shared::default());
    for parallelism in [1, 3] {
        let outside = Outside::default();
        let sources = [&left, &right].map(|rows| Rows::new(rows, Manner::Plain, &shared));
        let checkpoints = None::<holdwater_threads::Checkpoints<Memory>>;
        let job = job(sources.into(), counting(&shared), &outside, checkpoints, parallelism);
        let summary = run(job, &mut ()).unwrap();
        assert_eq!((summary.ended, summary.rows), (Ended::Finished, 8_000));
        assert_eq!(sorted(outside.rows()), figures(&[&left, &right]));
        assert_eq!(summary.counters, [("rows".to_owned(), 8_000)]);
    }
}

#[test]
fn a_job_cut_off_at_any_row_and_resumed_at_any_parallelism_gives_the_same() {
    let (left, right) = (rows(1, 6_000), rows(2, 4_000));
    let expected = figures(&[&left, &right]);
    let mut resumed = 0;
    for seed in 0..30 {
        let mut random = Random(seed);
        let (memory, outside) = (Memory::default(), Outside::default());
        loop {
            let shared = Shared::default();
            let mut sources = [&left, &right].map(|rows| Rows::new(rows, Manner::Plain, &shared));
            if random.below(4) > 0 {
                let source = &mut sources[random.below(2) as usize];
                source.manner = Manner::FailAt(random.below(source.rows.len() as u64) as usize);
            }
            let checkpoints = every(1 + random.below(2_000), &memory);
            let parallelism = 1 + random.below(4) as u16;
            let job =
                job(sources.into(), counting(&shared), &outside, Some(checkpoints), parallelism);
            let mut witness = Witness::default();
            let ended = run(job, &mut witness);
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
    assert!(resumed > 30, "{resumed} runs went on from a checkpoint");
}
