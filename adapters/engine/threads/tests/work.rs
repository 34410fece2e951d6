//! What operators do between batches, and what sources know of each other and tell at their end.

#![allow(clippy::unwrap_used)]

mod world;

use holdwater_bytes::Bytes;
use holdwater_memory::Memory;
use holdwater_threads::{Checkpoints, Subtask, run};
use world::{
    Broken, Count, Manner, Outside, Rows, Shared, Witness, Works, counting, every, figures, job,
    rows, sorted,
};

#[test]
fn an_operator_works_on_while_no_record_comes() {
    let (left, right) = (rows(1, 3_000), rows(2, 50));
    let (shared, outside) = (Shared::default(), Outside::default());
    // The right input waits until all that the left one left to be done is done.
    let all = left.len() as u64;
    let sources = vec![
        Rows::new(&left, Manner::Plain, &shared),
        Rows::new(&right, Manner::Delayed(all), &shared),
    ];
    let make = |subtask: Subtask| {
        let mut count = Count::new(Bytes::in_memory(subtask.groups), &shared);
        count.works = Works::Rows;
        Ok::<_, Broken>(count)
    };
    let checkpoints = None::<Checkpoints<Memory>>;
    run(job(sources, make, &outside, checkpoints, 2), &mut ()).unwrap();
    assert_eq!(sorted(outside.rows()), figures(&[&left, &right]));
}

#[test]
fn a_barrier_passes_while_an_operator_is_at_work() {
    let (left, memory) = (rows(1, 3_000), Memory::default());
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = vec![Rows::new(&left, Manner::UntilComplete, &shared)];
    let make = |subtask: Subtask| {
        let mut count = Count::new(Bytes::in_memory(subtask.groups), &shared);
        count.works = Works::UntilComplete;
        Ok::<_, Broken>(count)
    };
    let mut witness = Witness { shared: shared.clone(), ..Witness::default() };
    run(job(sources, make, &outside, Some(every(500, &memory)), 2), &mut witness).unwrap();
    assert!(!witness.completed.is_empty());
    assert_eq!(sorted(outside.rows()), figures(&[&left]));
}

#[test]
fn each_source_is_told_where_all_inputs_stood_before_it_resumes() {
    let (left, right) = (rows(1, 2_000), rows(2, 1_000));
    let (memory, outside, shared) = (Memory::default(), Outside::default(), Shared::default());
    for _ in 0..2 {
        let sources = [&left, &right].map(|rows| Rows::new(rows, Manner::Plain, &shared));
        let checkpoints = Some(every(5_000, &memory));
        run(job(sources.into(), counting(&shared), &outside, checkpoints, 2), &mut ()).unwrap();
    }
    let ends = [2_000u64, 1_000].map(|end| end.to_le_bytes().to_vec()).to_vec();
    assert_eq!(
        *shared.restored.lock().unwrap(),
        [ends.clone(), ends],
        "nothing at the first start"
    );
}

#[test]
fn the_last_checkpoint_holds_an_end_that_a_source_noticed_behind_its_last_row() {
    let (left, memory) = (rows(1, 2_000), Memory::default());
    let mut ends = Vec::new();
    for checkpoints in [2, 0] {
        let (shared, outside) = (Shared::default(), Outside::default());
        let sources = vec![Rows::new(&left, Manner::LateEnd, &shared)];
        let job = job(sources, counting(&shared), &outside, Some(every(2_000, &memory)), 2);
        let summary = run(job, &mut ()).unwrap();
        assert_eq!(summary.checkpoints, checkpoints);
        assert_eq!(sorted(outside.rows()), figures(&[&left]));
        ends.push(summary.positions);
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0][0].as_ref().map(Vec::len), Some(9));
}
