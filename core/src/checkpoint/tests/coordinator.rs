use std::collections::BTreeSet;
use std::string::ToString;
use std::vec::Vec;

use super::disk::{Disk, Fault};
use super::job::{
    Engine, GROUPS, TASKS, assert_no_leak, job, read_manifest, recover, report, schema, task,
};
use crate::barrier::Barrier;
use crate::checkpoint::*;
use crate::manifest::{CheckpointId, CheckpointKind, PartShape};
use crate::state::Moment;
use crate::storage::{Area, ObjectId, Reply};

const CONFIG: Config = Config { retain: 2, full_every: 3 };

const fn id(checkpoint: u64, epoch: u64) -> CheckpointId {
    CheckpointId { checkpoint, epoch }
}

fn started() -> Engine {
    let recovering = recover(Disk::default(), Start::Resume);
    let mut disk = recovering.disk;
    disk.steps = 0;
    Engine::new(disk, CONFIG, recovering.outcome.unwrap())
}

fn after(checkpoints: u64) -> Engine {
    let mut engine = started();
    (0..checkpoints).for_each(|_| engine.checkpoint());
    engine
}

/// Triggers a checkpoint and returns its barrier; no task has acknowledged it.
fn triggered(engine: &mut Engine) -> Barrier {
    engine.coordinator.trigger(CheckpointKind::Checkpoint, 0).unwrap();
    match engine.coordinator.poll() {
        Some(Command::Barrier(barrier)) => barrier,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_checkpoint_is_published_step_by_step() {
    let mut engine = started();
    let barrier = triggered(&mut engine);
    for task in TASKS {
        assert_eq!(engine.coordinator.poll(), None, "{task} has not acknowledged");
        engine.coordinator.ack(task, barrier.id, report(&barrier, task));
    }
    let (draft, manifest) = (barrier.id.draft(), barrier.id.manifest());
    let mut requests = Vec::new();
    while let Some(command) = engine.coordinator.poll() {
        match command {
            Command::Storage(Request::Write(id, bytes)) => {
                assert!(!bytes.is_empty());
                requests.push(Request::Write(id, Vec::new()));
                engine.coordinator.reply(Reply::Done);
            }
            Command::Storage(request) => {
                let reply = match request {
                    Request::List(_) => Reply::Listed(Vec::from([ObjectId::claim(1)])),
                    _ => Reply::Done,
                };
                requests.push(request);
                engine.coordinator.reply(reply);
            }
            Command::Completed(id) => {
                assert_eq!(id, barrier.id);
                assert_eq!(requests.len(), 7, "told when it is durable and nobody took over");
            }
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        Request::SyncArea(Area::Data),
        Request::Create(draft),
        Request::Write(draft, Vec::new()),
        Request::Sync(draft),
        Request::Publish { draft, id: manifest },
        Request::SyncArea(Area::Manifests),
        Request::List(Area::Epochs),
        // Nothing is to be removed.
        Request::List(Area::Data),
    ];
    assert_eq!(requests, expected);
    assert!(engine.coordinator.is_idle());
}

#[test]
fn a_delta_extends_the_chain_of_its_base_and_a_full_part_replaces_it() {
    let mut engine = after(3);
    let manifest = read_manifest(engine.disk(), id(3, 1));
    assert_eq!((manifest.depth, manifest.parent), (2, Some(id(2, 1))));
    let state = manifest.operator("totals").unwrap().state("sum").unwrap();
    let written = |group| state.parts(group).iter().map(|part| part.written).collect::<Vec<_>>();
    assert_eq!(written(0), [id(1, 1), id(2, 1), id(3, 1)]);
    assert_eq!(written(1), [id(1, 1)], "unchanged since");
    assert_eq!(manifest.files.len(), 6);
    assert_eq!(state.moment, Moment { now: 999, watermark: 1499 }, "the earliest of both tasks");
    // Sources and sinks in order, counters summed.
    assert_eq!(manifest.sources[0].position, 3u64.to_le_bytes());
    assert_eq!(manifest.sinks.len(), 1);
    assert_eq!(manifest.counters, [("bad rows".to_string(), 1), ("rows".to_string(), 12)]);
    // Every third is full, and shares no file.
    engine.checkpoint();
    let full = read_manifest(engine.disk(), id(4, 1));
    assert_eq!((full.depth, full.files.len()), (0, 2));
    assert!(full.file_ids().is_disjoint(&manifest.file_ids()));
    assert_no_leak(&mut engine);
}

#[test]
fn retention_is_kept_and_nothing_leaks() {
    let mut engine = started();
    for number in 1..=12 {
        engine.checkpoint();
        assert_eq!(engine.completed().last(), Some(&id(number, 1)));
        let retained: Vec<_> = engine.coordinator.retention().checkpoints().collect();
        assert!(retained.len() <= 3, "{retained:?}");
        assert!(retained.contains(&id(number, 1)));
        assert_no_leak(&mut engine);
        // What was removed stays removed.
        let mut crashed = engine.disk().clone();
        crashed.crash();
        assert_eq!(crashed.names(), engine.disk().names());
    }
    assert_eq!(engine.halted(), None);
}

#[test]
fn late_repeated_and_foreign_acknowledgements_change_nothing() {
    let mut engine = after(1);
    let barrier = triggered(&mut engine);
    let first = TASKS[0];
    for _ in 0..4 {
        engine.coordinator.ack(first, barrier.id, report(&barrier, first));
    }
    for task in TASKS {
        engine.coordinator.ack(task, id(1, 1), report(&barrier, task));
        engine.coordinator.ack(task, id(2, 7), report(&barrier, task));
        engine.coordinator.decline(task, id(1, 1), "late".to_string());
    }
    engine.coordinator.ack(task(1, 2), barrier.id, Report::default());
    engine.coordinator.ack(task(3, 0), barrier.id, Report::default());
    assert_eq!(engine.coordinator.poll(), None);
    assert_eq!(engine.coordinator.under_way(), Some(barrier.id));
    for task in &TASKS[1..] {
        engine.coordinator.ack(*task, barrier.id, report(&barrier, *task));
    }
    assert_eq!(engine.coordinator.poll(), Some(Command::Storage(Request::SyncArea(Area::Data))));
}

#[test]
fn a_declined_checkpoint_is_given_up_and_the_next_stands_on_the_last_complete_one() {
    let mut engine = after(1);
    let barrier = triggered(&mut engine);
    engine.coordinator.ack(TASKS[1], barrier.id, report(&barrier, TASKS[1]));
    engine.coordinator.decline(TASKS[2], barrier.id, "full".to_string());
    engine.disk().put(barrier.file(0, 0), Vec::new());
    engine.run();
    let why = Abort::Declined { task: TASKS[2], reason: "full".to_string() };
    assert_eq!(engine.told.last(), Some(&Command::Aborted(barrier.id, why)));
    assert!(!engine.disk().contains(barrier.file(0, 0)), "its files are swept");
    let next = triggered(&mut engine);
    assert_eq!((next.id, next.base), (id(3, 1), Some(id(1, 1))));
}

#[test]
fn a_checkpoint_whose_tasks_take_too_long_is_given_up_and_a_late_answer_changes_nothing() {
    let mut engine = after(1);
    let barrier = triggered(&mut engine);
    for task in [TASKS[0], TASKS[2]] {
        engine.coordinator.ack(task, barrier.id, report(&barrier, task));
    }
    engine.coordinator.expire(id(9, 1));
    assert_eq!(engine.coordinator.under_way(), Some(barrier.id), "another's time is not its own");
    engine.coordinator.expire(barrier.id);
    engine.run();
    let why = Abort::TimedOut { task: TASKS[1], tasks: 2 };
    assert_eq!(why.to_string(), "2 tasks did not answer in time, task 0 of operator 1 among them");
    assert_eq!(engine.told.last(), Some(&Command::Aborted(barrier.id, why)));
    for task in TASKS {
        engine.coordinator.ack(task, barrier.id, report(&barrier, task));
    }
    engine.run();
    assert_eq!(engine.coordinator.newest().map(|newest| newest.id), Some(id(1, 1)));
    // What all have answered is published, however long that takes.
    let next = triggered(&mut engine);
    TASKS.into_iter().for_each(|task| engine.coordinator.ack(task, next.id, report(&next, task)));
    engine.coordinator.expire(next.id);
    engine.run();
    assert_eq!(engine.coordinator.newest().map(|newest| newest.id), Some(next.id));
}

#[test]
fn one_checkpoint_is_under_way_at_a_time() {
    let mut engine = after(1);
    let barrier = triggered(&mut engine);
    let trigger =
        |engine: &mut Engine| engine.coordinator.trigger(CheckpointKind::Checkpoint, 0).err();
    assert_eq!(trigger(&mut engine), Some(Refused::Busy));
    engine.carry_out(Command::Barrier(barrier));
    assert_eq!(trigger(&mut engine), Some(Refused::Busy), "it is being published");
    // During the clean-up the next may begin; it is published when that has ended.
    let mut triggered = false;
    while let Some(command) = engine.coordinator.poll() {
        let is_complete = matches!(command, Command::Completed(_));
        engine.carry_out(command);
        if is_complete && !triggered {
            triggered = true;
            assert_eq!(trigger(&mut engine), None);
        }
    }
    assert_eq!(engine.completed(), [id(1, 1), id(2, 1), id(3, 1)]);
    assert_no_leak(&mut engine);
}

#[test]
fn a_savepoint_is_full_and_stays() {
    let mut engine = after(1);
    engine.coordinator.trigger(CheckpointKind::Savepoint, 0).unwrap();
    engine.run();
    for _ in 0..9 {
        engine.checkpoint();
    }
    let savepoint = read_manifest(engine.disk(), id(2, 1));
    assert_eq!((savepoint.kind, savepoint.depth), (CheckpointKind::Savepoint, 0));
    assert!(savepoint.files.iter().all(|file| file.id.checkpoint == 2));
    assert_no_leak(&mut engine);
}

#[test]
fn a_newer_claim_halts_silently_and_removes_nothing() {
    let mut engine = after(2);
    engine.disk().put(ObjectId::claim(2), Vec::new());
    let before: BTreeSet<_> = engine.disk().names().into_iter().collect();
    engine.checkpoint();
    assert_eq!(engine.halted(), Some(&Halt::Fenced { epoch: 2 }));
    assert_eq!(engine.completed(), [id(1, 1), id(2, 1)]);
    assert!(before.is_subset(&engine.disk().names().into_iter().collect()));
    let trigger = engine.coordinator.trigger(CheckpointKind::Checkpoint, 0);
    assert_eq!(trigger, Err(Refused::Halted));
}

#[test]
fn a_name_that_is_taken_halts() {
    for taken in [id(2, 1).manifest(), id(2, 1).draft()] {
        let mut engine = after(1);
        engine.disk().put(taken, Vec::new());
        engine.checkpoint();
        assert_eq!(engine.halted(), Some(&Halt::Rival(taken)));
    }
}

#[test]
fn a_failed_task_halts() {
    let mut engine = after(1);
    triggered(&mut engine);
    engine.coordinator.task_failed(TASKS[1]);
    engine.run();
    assert_eq!(engine.halted(), Some(&Halt::Task(TASKS[1])));
}

/// Runs four checkpoints with a fault at each step in turn. Returns how many steps there were.
fn with_fault(fault: Fault, check: impl Fn(usize, &mut Engine)) -> usize {
    for step in 1.. {
        let mut engine = started();
        engine.disk().fault = Some((step, fault));
        for _ in 0..4 {
            if engine.halted().is_none() {
                engine.checkpoint();
            }
        }
        if engine.disk().steps < step {
            return step;
        }
        // I-20: whatever is complete and retained is whole.
        let retained: Vec<_> = engine.coordinator.retention().checkpoints().collect();
        for id in retained {
            // Removed, but not known to be so, or not durably: it still counts.
            let is_uncertain = |told: &Command| matches!(told, Command::Warn(_) | Command::Halt(_));
            if !engine.disk().contains(id.manifest()) {
                assert!(engine.told.iter().any(is_uncertain), "step {step}: {id}");
                continue;
            }
            let manifest = read_manifest(engine.disk(), id);
            assert_eq!(super::job::damage(engine.disk(), &manifest), None, "step {step}: {id}");
        }
        check(step, &mut engine);
    }
    0
}

#[test]
fn a_step_that_is_not_done_costs_one_checkpoint_at_most() {
    let steps = with_fault(Fault::NotDone, |step, engine| {
        let completed = engine.completed();
        match engine.halted() {
            // Published, and not known to stay; or not known whether a newer epoch was begun.
            Some(Halt::Unknown(Request::SyncArea(Area::Manifests) | Request::List(_))) => {}
            None => {
                assert!(completed.len() >= 3, "step {step}: {completed:?}");
                engine.disk().fault = None;
                engine.checkpoint();
                engine.checkpoint();
                assert_no_leak(engine);
            }
            other => panic!("step {step}: {other:?}"),
        }
    });
    assert!(steps > 60, "{steps}");
}

#[test]
fn nothing_is_removed_after_an_unknown_publication() {
    for fault in [Fault::UnknownYes, Fault::UnknownNo] {
        with_fault(fault, |step, engine| {
            let Some(halt) = engine.halted().cloned() else { return };
            let Halt::Unknown(request) = &halt else { panic!("step {step}: {halt:?}") };
            let is_publication = matches!(
                request,
                Request::SyncArea(_) | Request::Publish { .. } | Request::List(Area::Epochs)
            );
            assert!(is_publication, "step {step}: {request:?}");
            assert!(matches!(engine.told.last(), Some(Command::Halt(_))));
            // The checkpoint may be there, and then it is whole.
            let number = engine.completed().len() as u64 + 1;
            let aborted = engine.told.iter().filter(|told| matches!(told, Command::Aborted(..)));
            let last = id(number + aborted.count() as u64, 1);
            if engine.disk().contains(last.manifest()) {
                let manifest = read_manifest(engine.disk(), last);
                assert_eq!(super::job::damage(engine.disk(), &manifest), None, "step {step}");
            }
        });
    }
}

#[test]
fn what_is_complete_is_durable_when_it_is_told() {
    let mut engine = started();
    for _ in 0..5 {
        engine.coordinator.trigger(CheckpointKind::Checkpoint, 0).unwrap();
        while let Some(command) = engine.coordinator.poll() {
            if let Command::Completed(id) = command {
                assert!(engine.disk().durably_contains(id.manifest()));
                for file in read_manifest(engine.disk(), id).files {
                    assert!(engine.disk().durably_contains(file.id));
                }
            }
            engine.carry_out(command);
        }
    }
}

/// Takes a second checkpoint whose reports were changed, and returns why it was given up.
fn refusal(change: impl Fn(TaskId, &Barrier, &mut Report)) -> RefusalFault {
    let mut engine = after(1);
    let barrier = triggered(&mut engine);
    for task in TASKS {
        let mut report = report(&barrier, task);
        change(task, &barrier, &mut report);
        engine.coordinator.ack(task, barrier.id, report);
    }
    match engine.coordinator.poll() {
        Some(Command::Aborted(id, Abort::Refused(refusal))) => {
            assert_eq!(id, barrier.id);
            assert_eq!((&*refusal.operator, &*refusal.state), ("totals", "sum"));
            refusal.fault
        }
        other => panic!("{other:?}"),
    }
}

fn of_task(report: &mut Report) -> Option<&mut StateChange> {
    report.states.first_mut()
}

fn part(report: &mut Report) -> Option<&mut crate::manifest::Part> {
    match of_task(report)?.groups.first_mut() {
        Some((_, GroupChange::Part(part))) => Some(part),
        _ => None,
    }
}

#[test]
fn reports_that_make_no_checkpoint_are_refused() {
    let last = GROUPS - 1;
    assert_eq!(
        refusal(|task, _, report| {
            if task.index == 1 {
                of_task(report).unwrap().groups.pop();
            }
        }),
        RefusalFault::Group(last)
    );
    assert_eq!(
        refusal(|task, _, report| {
            if task.index == 1 {
                of_task(report).unwrap().groups[0].0 = 0;
            }
        }),
        RefusalFault::Group(0)
    );
    assert_eq!(
        refusal(|task, _, report| {
            if task.index == 1 {
                of_task(report).unwrap().schema.value.push(9);
            }
        }),
        RefusalFault::Schema
    );
    assert_eq!(
        refusal(|_, _, report| report.states.iter_mut().for_each(|state| state.schema.kind = 2)),
        RefusalFault::Schema
    );
    assert_eq!(
        refusal(|_, _, report| {
            if let Some(part) = part(report) {
                part.shape = PartShape::Delta { base: id(1, 9) };
            }
        }),
        RefusalFault::Base(0)
    );
    let old = ObjectId::data(1, 1, 0, 0);
    assert_eq!(
        refusal(|_, _, report| {
            if let Some(part) = part(report) {
                part.file = old;
            }
        }),
        RefusalFault::File(old)
    );
    let own = ObjectId::data(2, 1, 0, 0);
    assert_eq!(
        refusal(|_, _, report| {
            if let Some(part) = part(report) {
                part.length = 101;
            }
        }),
        RefusalFault::File(own)
    );
    assert_eq!(
        refusal(|_, _, report| {
            if let Some(part) = part(report) {
                part.written = id(1, 1);
            }
        }),
        RefusalFault::File(own)
    );
}

#[test]
fn a_report_repeats_what_a_snapshot_says_of_its_parts() {
    use crate::manifest::{FileEntry, Part, StateSchema};
    use crate::snapshot;
    use crate::state::{Descriptor, Kind, Shape};

    let barrier = Barrier { id: id(4, 1), kind: CheckpointKind::Checkpoint, base: Some(id(3, 1)) };
    let description = Descriptor::<u64, i64>::new("sum").describe(Kind::Value).unwrap();
    let saved = |shape| snapshot::PartEntry {
        state: 6,
        group: 1,
        shape,
        base: if shape == Shape::Delta { 3 } else { 0 },
        offset: 64,
        length: 50,
        rows: 2,
        digest: 9,
    };
    let groups = Vec::from([
        (0, snapshot::GroupReport::Unchanged),
        (1, snapshot::GroupReport::Part(saved(Shape::Delta))),
        (2, snapshot::GroupReport::Part(saved(Shape::Full))),
        (3, snapshot::GroupReport::Empty),
    ]);
    let file = FileEntry { id: barrier.file(0, 1), length: 200, hash: 8 };
    let moment = Moment { now: 4, watermark: 2 };
    let states = [snapshot::StateReport { description: description.clone(), moment, groups }];
    let mut report = Report::default();
    report.add_states(&barrier, Some(file), &states);
    let part = |shape| {
        let (offset, length, written) = (64, 50, barrier.id);
        GroupChange::Part(Part { file: file.id, offset, length, state: 6, shape, rows: 2, written })
    };
    assert_eq!(report.files, [file]);
    let [state] = &report.states[..] else { panic!("one state") };
    assert_eq!((&*state.name, &state.schema), ("sum", &StateSchema::from(&description)));
    let expected = [
        (0, GroupChange::Unchanged),
        (1, part(PartShape::Delta { base: id(3, 1) })),
        (2, part(PartShape::Full { digest: 9 })),
        (3, GroupChange::Empty),
    ];
    assert_eq!(state.groups, expected);
}

#[test]
fn a_full_checkpoint_takes_nothing_from_a_base() {
    let mut engine = started();
    let barrier = triggered(&mut engine);
    for task in TASKS {
        let mut report = report(&barrier, task);
        if let Some(state) = of_task(&mut report) {
            state.groups[0].1 = GroupChange::Unchanged;
        }
        engine.coordinator.ack(task, barrier.id, report);
    }
    let Some(Command::Aborted(_, Abort::Refused(refusal))) = engine.coordinator.poll() else {
        panic!("it is refused")
    };
    assert_eq!(refusal.fault, RefusalFault::Base(0));
}

#[test]
fn a_group_without_rows_has_no_chain_and_may_come_back_as_a_delta() {
    let mut engine = started();
    for number in 1..=3 {
        let barrier = triggered(&mut engine);
        for task in TASKS {
            let mut report = report(&barrier, task);
            if let Some(state) = of_task(&mut report).filter(|_| number < 3 && task.index == 0) {
                state.groups[0].1 = GroupChange::Empty;
            }
            for file in &report.files {
                engine.disk().put(file.id, std::vec![7; 100]);
            }
            engine.coordinator.ack(task, barrier.id, report);
        }
        engine.run();
        let manifest = read_manifest(engine.disk(), barrier.id);
        let state = manifest.operator("totals").unwrap().state("sum").unwrap();
        assert_eq!(state.parts(0).len(), usize::from(number == 3));
        assert_eq!(state.schema, schema());
    }
    assert_eq!(job().operators.len(), 3);
}
