//! A job whose figures are collected.

#![allow(clippy::unwrap_used)]

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdwater_memory::Memory;
use holdwater_threads::{Completed, Event, Instruments, Observer, RestorePhases, run};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use world::{Manner, Outside, Rows, Shared, Witness, counting, every, job, rows};

#[test]
fn what_a_job_tells_is_recorded_and_passed_on() {
    let (input, shared, outside) = (rows(1, 5_000), Shared::default(), Outside::default());
    let recorder = DebuggingRecorder::new();
    let mut observer = Instruments::new(Witness::default());
    let source = Rows::new(&input, Manner::Plain, &shared);
    let checkpoints = Some(every(1_000, &Memory::default()));
    let job = job(vec![source], counting(&shared), &outside, checkpoints, 2);
    let summary = metrics::with_local_recorder(&recorder, || run(job, &mut observer)).unwrap();

    let witness = observer.into_inner();
    assert_eq!(witness.completed.len() as u64, summary.checkpoints);
    assert!(summary.checkpoints > 0);
    let found: BTreeMap<_, _> = recorder
        .snapshotter()
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| (key.key().name().to_owned(), value))
        .collect();
    let seconds = |of: fn(&Completed) -> Duration| -> Vec<f64> {
        witness.completed.iter().map(|completed| of(completed).as_secs_f64()).collect()
    };
    let samples = |name: &str| -> Vec<f64> {
        let DebugValue::Histogram(samples) = &found[name] else { panic!("{name}") };
        samples.iter().map(|sample| sample.into_inner()).collect()
    };
    assert_eq!(samples("holdwater_checkpoint_seconds"), seconds(|completed| completed.duration));
    let pauses = seconds(|completed| completed.phases.pause);
    assert_eq!(samples("holdwater_checkpoint_pause_seconds"), pauses);
    let saved = seconds(|completed| completed.phases.saved);
    assert_eq!(samples("holdwater_checkpoint_save_seconds"), saved);
    assert!(saved.iter().chain(&pauses).all(|seconds| *seconds > 0.0));
    assert_eq!(found["holdwater_checkpoints"], DebugValue::Counter(summary.checkpoints));
    assert_eq!(found["holdwater_rows_read"], DebugValue::Counter(5_000));
    assert!(!found.contains_key("holdwater_checkpoints_aborted"));
}

/// Remembers how long it took to get to the first record.
#[derive(Default)]
struct Restores(Vec<(Duration, RestorePhases, bool)>);

impl Observer for Restores {
    fn observe(&mut self, event: &Event<'_>) {
        if let Event::Running { restored, duration, phases, .. } = event {
            self.0.push((*duration, *phases, restored.is_some()));
        }
    }
}

#[test]
fn the_phases_of_a_restore_are_recorded_and_come_to_all_of_it() {
    let (input, shared, outside) = (rows(1, 2_000), Shared::default(), Outside::default());
    let (recorder, memory) = (DebuggingRecorder::new(), Memory::default());
    let mut observer = Instruments::new(Restores::default());
    for _ in 0..2 {
        let source = Rows::new(&input, Manner::Plain, &shared);
        let checkpoints = Some(every(10_000, &memory));
        let job = job(vec![source], counting(&shared), &outside, checkpoints, 2);
        metrics::with_local_recorder(&recorder, || run(job, &mut observer)).unwrap();
    }
    let Restores(restores) = observer.into_inner();
    assert_eq!(restores.iter().map(|restore| restore.2).collect::<Vec<_>>(), [false, true]);
    for (duration, RestorePhases { chosen, loaded, settled }, _) in &restores {
        assert_eq!(*chosen + *loaded + *settled, *duration);
        assert!(*loaded > Duration::ZERO && *chosen > Duration::ZERO);
    }
    let found: BTreeMap<_, _> = recorder
        .snapshotter()
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, _, _, value)| (key.key().name().to_owned(), value))
        .collect();
    for (number, name) in ["choose", "load", "settle"].into_iter().enumerate() {
        let histogram = &found[&format!("holdwater_restore_{name}_seconds")];
        let DebugValue::Histogram(samples) = histogram else { panic!("{name}") };
        let samples: Vec<_> = samples.iter().map(|sample| sample.into_inner()).collect();
        let told = restores.iter().map(|(_, phases, _)| {
            [phases.chosen, phases.loaded, phases.settled][number].as_secs_f64()
        });
        assert_eq!(samples, told.collect::<Vec<_>>());
    }
}

#[test]
fn what_states_and_key_groups_hold_is_recorded_with_each_checkpoint() {
    let (input, shared, outside) = (rows(1, 5_000), Shared::default(), Outside::default());
    let (recorder, memory) = (DebuggingRecorder::new(), Memory::default());
    let source = Rows::new(&input, Manner::Plain, &shared);
    let job = job(vec![source], counting(&shared), &outside, Some(every(10_000, &memory)), 2);
    metrics::with_local_recorder(&recorder, || run(job, &mut Instruments::new(()))).unwrap();
    let mut sums = BTreeMap::new();
    for (key, _, _, value) in recorder.snapshotter().snapshot().into_vec() {
        let labels: BTreeMap<_, _> = key.key().labels().map(|it| (it.key(), it.value())).collect();
        let (state, DebugValue::Gauge(value)) = (labels.get("state").copied(), value) else {
            continue;
        };
        let name = (key.key().name().to_owned(), state.map(str::to_owned));
        *sums.entry(name).or_insert(0.0) += value.into_inner();
    }
    let sum = |name: &str, state: Option<&str>| sums[&(name.to_owned(), state.map(str::to_owned))];
    let keys = input.iter().map(|row| row.0).collect::<BTreeSet<_>>().len() as f64;
    let seen = input.iter().collect::<BTreeSet<_>>().len() as f64;
    // The last checkpoint, which is the only one, is full.
    assert_eq!(sum("holdwater_state_rows", Some("count")), keys);
    assert_eq!(sum("holdwater_state_rows", Some("most")), keys);
    assert_eq!(sum("holdwater_state_rows", Some("seen")), seen);
    assert_eq!(sum("holdwater_group_rows", None), keys * 2.0 + seen);
    let bytes = ["count", "most", "seen"].map(|state| sum("holdwater_state_bytes", Some(state)));
    assert_eq!(sum("holdwater_group_bytes", None), bytes.iter().sum::<f64>());
    assert_eq!(sum("holdwater_group_written_bytes", None), bytes.iter().sum::<f64>());
}

#[test]
fn a_task_with_several_inputs_tells_how_long_it_waited_for_barriers() {
    let (slow, quick, shared) = (rows(1, 300), rows(2, 3_000), Shared::default());
    let sources = [(&slow, Manner::Plain), (&quick, Manner::Plain)];
    let sources = sources.map(|(rows, manner)| Rows::new(rows, manner, &shared));
    let (outside, mut witness) = (Outside::default(), Witness::default());
    let checkpoints = Some(every(100, &Memory::default()));
    run(job(sources.into(), counting(&shared), &outside, checkpoints, 1), &mut witness).unwrap();
    // Two barriers never come at the same time.
    let waits = witness.completed.iter().map(|completed| completed.phases.aligned);
    assert!(waits.max() > Some(Duration::ZERO));
}
