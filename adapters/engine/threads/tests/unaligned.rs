//! Barriers that overtake: a checkpoint is complete while channels are full, and what was in flight
//! takes effect once.

#![allow(clippy::unwrap_used)]

mod world;

use holdwater::barrier::{Barriers, Guarantee};
use holdwater::manifest::CheckpointKind;
use holdwater_bytes::{Bytes, Ordered};
use holdwater_memory::Memory;
use holdwater_threads::{
    BarriersRefused, Completed, Ended, EngineError, Operator, Outputs, Subtask, run,
};
use std::time::Duration;
use world::{Broken, Count, Deed, Figure, Manner, Outside, Row, Rows, Shared, Witness};
use world::{counting, every, figures, job, rows, sorted};

fn passing_on(
    shared: &Shared,
) -> impl Fn(Subtask) -> Result<Count<Bytes<Ordered>>, Broken> + use<> {
    let shared = shared.clone();
    move |subtask| {
        let mut count = Count::new(Bytes::in_memory(subtask.groups), &shared);
        count.pass_on = true;
        Ok(count)
    }
}

fn passed_on(inputs: &[&[Row]]) -> Vec<Figure> {
    let all = inputs.iter().copied().flatten();
    sorted(all.map(|(key, value)| (*key, 1, *value, 0)).collect())
}

/// Runs a job whose sink writes nothing before its first checkpoint is complete or given up, and
/// that fails once one is complete; then again, at another parallelism, to its end.
fn blocked_and_cut_off(first: Barriers, then: Barriers) -> (Witness, Vec<Figure>, Vec<Row>) {
    let (left, right) = (rows(1, 3_000), rows(2, 3_000));
    let (memory, outside) = (Memory::default(), Outside::default());
    let mut blocked = None;
    for (barriers, parallelism) in [(first, 2), (then, 3)] {
        let shared = Shared::default();
        let is_first = blocked.is_none();
        let manner = if is_first { Manner::FailLater(2_500) } else { Manner::Plain };
        let sources = [&left, &right].map(|rows| Rows::new(rows, manner, &shared));
        // The channels alone hold more.
        let mut checkpoints = every(200, &memory);
        if is_first && barriers == Barriers::Aligned {
            checkpoints.timeout = Duration::from_millis(300);
        }
        let make = passing_on(&shared);
        let mut job = job(sources.into(), make, &outside, Some(checkpoints), parallelism);
        job.options.barriers = barriers;
        job.sink.blocked = is_first.then(|| (u64::from(parallelism), shared.clone()));
        let mut witness = Witness { shared: shared.clone(), ..Witness::default() };
        let ended = run(job, &mut witness);
        assert_eq!(ended.is_err(), is_first, "{ended:?}");
        assert_eq!(witness.restored.is_some(), !is_first);
        blocked.get_or_insert(witness);
    }
    (blocked.unwrap(), sorted(outside.rows()), [&left[..], &right[..]].concat())
}

#[test]
fn unaligned_checkpoints_are_complete_while_the_sink_is_blocked_and_aligned_ones_are_not() {
    for barriers in [Barriers::Unaligned, Barriers::Within(20)] {
        for then in [Barriers::Aligned, Barriers::Unaligned] {
            let (witness, output, input) = blocked_and_cut_off(barriers, then);
            assert!(witness.aborted.is_empty(), "{barriers:?}: {:?}", witness.aborted);
            let completed = &witness.completed[0];
            assert!(completed.phases.in_flight > 0, "{completed:?}");
            assert_eq!(output, passed_on(&[&input]), "{barriers:?}, then {then:?}");
        }
    }
    let (witness, output, input) = blocked_and_cut_off(Barriers::Aligned, Barriers::Unaligned);
    assert!(!witness.aborted.is_empty(), "it is given up");
    assert_eq!(output, passed_on(&[&input]));
}

/// Runs a job that is stopped after its first checkpoints again and again, until it ends.
#[test]
fn a_job_whose_barriers_change_with_each_start_counts_every_row_once() {
    let (left, right) = (rows(1, 40_000), rows(2, 40_000));
    let (memory, outside) = (Memory::default(), Outside::default());
    let modes = [Barriers::Unaligned, Barriers::Aligned, Barriers::Within(1)];
    for (start, barriers) in modes.into_iter().cycle().enumerate() {
        let shared = Shared::default();
        let sources = [&left, &right].map(|rows| Rows::new(rows, Manner::Plain, &shared));
        let checkpoints = Some(every(3_000, &memory));
        let parallelism = 1 + (start % 3) as u16;
        let mut job = job(sources.into(), counting(&shared), &outside, checkpoints, parallelism);
        job.options.barriers = barriers;
        let mut witness = Witness::default();
        if start < 5 {
            let stop = job.options.stop.clone();
            witness.after = Some((2, Deed::new(move || stop.stop())));
        }
        let ended = run(job, &mut witness).unwrap().ended;
        if ended == Ended::Finished {
            break;
        }
    }
    assert_eq!(sorted(outside.rows()), figures(&[&left, &right]));
}

#[test]
fn a_savepoint_holds_nothing_in_flight_and_is_taken_while_others_overtake() {
    let (left, memory) = (rows(1, 20_000), Memory::default());
    let (shared, outside) = (Shared::default(), Outside::default());
    let sources = vec![Rows::new(&left, Manner::Plain, &shared)];
    let mut job = job(sources, passing_on(&shared), &outside, Some(every(1_000, &memory)), 2);
    job.options.barriers = Barriers::Unaligned;
    let savepoints = job.options.savepoints.clone();
    let after = Some((1, Deed::new(move || savepoints.ask())));
    let mut witness = Witness { after, ..Witness::default() };
    run(job, &mut witness).unwrap();
    let is_savepoint = |completed: &&Completed| completed.kind == CheckpointKind::Savepoint;
    let savepoint = witness.completed.iter().find(is_savepoint).unwrap();
    assert_eq!(savepoint.phases.in_flight, 0);
    assert_eq!(sorted(outside.rows()), passed_on(&[&left]));
}

#[test]
fn barriers_that_overtake_need_exactly_once_and_a_way_to_store_records() {
    let (left, shared, outside) = (rows(1, 10), Shared::default(), Outside::default());
    let sources = || vec![Rows::new(&left, Manner::Plain, &shared)];
    let checkpoints = || Some(every(5, &Memory::default()));
    let mut at_least = job(sources(), counting(&shared), &outside, checkpoints(), 1);
    at_least.options.guarantee = Guarantee::AtLeastOnce;
    at_least.options.barriers = Barriers::Unaligned;
    let refused = run(at_least, &mut ()).unwrap_err();
    assert!(matches!(refused, EngineError::Barriers(BarriersRefused::AtLeastOnce)), "{refused}");

    let make = |subtask: Subtask| Ok::<_, Broken>(Unstored(counting(&shared)(subtask)?));
    let mut unstored = job(sources(), make, &outside, checkpoints(), 1);
    unstored.options.barriers = Barriers::Within(1_000);
    let refused = run(unstored, &mut ()).unwrap_err();
    assert!(matches!(refused, EngineError::Barriers(BarriersRefused::NotStored)), "{refused}");
}

/// Counts, and does not say how records are stored.
struct Unstored(Count<Bytes<Ordered>>);

impl Operator for Unstored {
    type Batch = Vec<Row>;
    type Output = Vec<Figure>;
    type States = <Count<Bytes<Ordered>> as Operator>::States;
    type Error = Broken;

    fn process(
        &mut self,
        source: usize,
        batch: Vec<Row>,
        outputs: &mut Outputs<Vec<Figure>>,
    ) -> Result<(), Broken> {
        self.0.process(source, batch, outputs)
    }

    fn finish(&mut self, outputs: &mut Outputs<Vec<Figure>>) -> Result<(), Broken> {
        self.0.finish(outputs)
    }

    fn states(&mut self) -> &mut Self::States {
        self.0.states()
    }
}
