use std::boxed::Box;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::disk::{Disk, Fault};
use super::job::{
    Engine, JOB, Recovering, assert_no_leak, damage, read_manifest, recover, recover_steps,
};
use crate::checkpoint::*;
use crate::manifest::{CheckpointId, Manifest, Origin, decode_record};
use crate::storage::{Area, ObjectId, ObjectKind, Reply, Request};

const CONFIG: Config = Config { retain: 2, full_every: 3 };

const fn id(checkpoint: u64, epoch: u64) -> CheckpointId {
    CheckpointId { checkpoint, epoch }
}

/// Starts the job, takes some checkpoints and loses power.
fn run(disk: Disk, start: Start, checkpoints: usize) -> Disk {
    let recovering = recover(disk, start);
    let mut engine = Engine::new(recovering.disk, CONFIG, recovering.outcome.unwrap());
    for _ in 0..checkpoints {
        engine.checkpoint();
        assert_no_leak(&mut engine);
    }
    let mut disk = engine.disk().clone();
    disk.crash();
    disk
}

fn restored(recovering: &Recovering) -> (u64, Origin, u64) {
    let recovered = recovering.outcome.as_ref().unwrap();
    (recovered.epoch, recovered.origin, recovered.next)
}

fn record(disk: &mut Disk, epoch: u64) -> Origin {
    let mut performer = Performer::new(disk.clone());
    match performer.perform(&Request::Read(ObjectId::record(epoch))) {
        Reply::Content(bytes) => decode_record(epoch, &bytes).unwrap(),
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn an_empty_directory_starts_fresh_and_records_it() {
    let mut recovering = recover(Disk::default(), Start::Resume);
    assert_eq!(restored(&recovering), (1, Origin::Fresh, 1));
    let disk = &mut recovering.disk;
    assert!(disk.durably_contains(ObjectId::claim(1)));
    assert!(disk.durably_contains(ObjectId::record(1)));
    assert_eq!(record(disk, 1), Origin::Fresh);
    // Killed before its first checkpoint: fresh again.
    assert_eq!(restored(&recover(recovering.disk, Start::Resume)), (2, Origin::Fresh, 1));
}

#[test]
fn the_newest_complete_checkpoint_is_restored_and_gone_on_from() {
    let disk = run(Disk::default(), Start::Resume, 4);
    let mut recovering = recover(disk, Start::Resume);
    assert_eq!(restored(&recovering), (2, Origin::Restored(id(4, 1)), 5));
    assert_eq!(record(&mut recovering.disk, 2), Origin::Restored(id(4, 1)));
    let disk = run(recovering.disk, Start::Resume, 3);
    let mut engine =
        Engine::new(disk.clone(), CONFIG, recover(disk, Start::Resume).outcome.unwrap());
    // 4 was full, 5 and 6 stand on it, over the restart; 7 is full again.
    let depths = [5, 6, 7].map(|number| {
        let id = id(number, 3);
        engine.disk().contains(id.manifest()).then(|| read_manifest(engine.disk(), id).depth)
    });
    assert_eq!(depths, [None, Some(2), Some(0)]);
    assert_eq!(engine.coordinator.newest().unwrap().id, id(7, 3));
}

#[test]
fn a_checkpoint_whose_name_was_not_synced_stays_once_it_is_gone_on_from() {
    // Killed between publishing and syncing the directory; power is lost only later.
    let mut disk = run(Disk::default(), Start::Resume, 3);
    disk.unsync(id(3, 1).manifest());
    let mut recovering = recover(disk, Start::Resume);
    assert_eq!(restored(&recovering).1, Origin::Restored(id(3, 1)));
    recovering.disk.crash();
    assert_eq!(recover(recovering.disk, Start::Resume).offered, [id(3, 1)]);
}

#[test]
fn a_checkpoint_is_retried_until_one_that_stands_on_it_is_complete() {
    let first = recover(run(Disk::default(), Start::Resume, 1), Start::Resume);
    assert_eq!((&first.offered[..], &first.retried[..]), (&[id(1, 1)][..], &[][..]));
    let second = recover(first.disk, Start::Resume);
    assert_eq!(second.retried, [id(1, 1)]);
    // An epoch that completes one has come to something.
    let third = recover(run(second.disk, Start::Resume, 1), Start::Resume);
    assert_eq!((&third.offered[..], &third.retried[..]), (&[id(2, 4)][..], &[][..]));

    let mut elsewhere = run(Disk::default(), Start::Resume, 1);
    let imported = Manifest { files: Vec::new(), ..read_manifest(&mut elsewhere, id(1, 1)) };
    let import = || Start::Import(Box::new(imported.clone()));
    let first = recover(Disk::default(), import());
    assert_eq!(first.retried, []);
    assert_eq!(recover(first.disk, import()).retried, [id(1, 1)]);
}

#[test]
fn a_damaged_manifest_falls_back_to_the_next_older_one_and_says_so() {
    let mut disk = run(Disk::default(), Start::Resume, 5);
    disk.rot(id(5, 1).manifest());
    let recovering = recover(disk, Start::Resume);
    // Numbers are not used again.
    assert_eq!(restored(&recovering), (2, Origin::Restored(id(4, 1)), 6));
    assert_eq!(recovering.offered, [id(4, 1)]);
    let [Warning::Skipped(skipped)] = &recovering.warnings[..] else {
        panic!("{:?}", recovering.warnings)
    };
    assert_eq!(skipped.id, id(5, 1));
    assert_eq!(recovering.outcome.as_ref().unwrap().skipped.len(), 1);
    // What the damaged one needs stays until a newer one is complete.
    assert!(recovering.disk.contains(ObjectId::data(5, 1, 0, 0)));
    let mut engine = Engine::new(recovering.disk, CONFIG, recovering.outcome.unwrap());
    engine.checkpoint();
    assert_no_leak(&mut engine);
    assert!(!engine.disk().contains(id(5, 1).manifest()));
}

#[test]
fn a_damaged_file_falls_back_to_a_checkpoint_that_does_not_share_it() {
    let mut disk = run(Disk::default(), Start::Resume, 6);
    // 4 is full, 5 and 6 stand on it; 3 shares nothing with them.
    disk.rot(ObjectId::data(4, 1, 0, 1));
    let recovering = recover(disk, Start::Resume);
    assert_eq!(recovering.offered, [id(6, 1), id(5, 1), id(3, 1)]);
    assert_eq!(restored(&recovering), (2, Origin::Restored(id(3, 1)), 7));
    // From then on, 5 and 6 are of a dead lineage, whatever becomes of them.
    let recovering = recover(recovering.disk, Start::Resume);
    assert_eq!(recovering.offered, [id(3, 1)]);
}

#[test]
fn a_record_that_cannot_be_read_ends_the_recovery() {
    let disk = run(run(Disk::default(), Start::Resume, 2), Start::Resume, 1);
    let mut recovery = Recovery::new(JOB, Start::Resume);
    let mut performer = Performer::new(disk);
    let unreadable = Request::Read(ObjectId::record(2));
    let error = loop {
        match recovery.poll() {
            Some(RecoveryCommand::Storage(request)) if request == unreadable => {
                recovery.reply(crate::storage::Reply::NotDone);
            }
            Some(RecoveryCommand::Storage(request)) => recovery.reply(performer.perform(&request)),
            Some(RecoveryCommand::Failed(error)) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error, RecoveryError::Storage(unreadable));
}

#[test]
fn a_directory_with_checkpoints_never_starts_fresh_by_itself() {
    let mut disk = run(Disk::default(), Start::Resume, 2);
    disk.rot(id(1, 1).manifest());
    disk.rot(id(2, 1).manifest());
    let Err(RecoveryError::NoneIntact(skipped)) = recover(disk.clone(), Start::Resume).outcome
    else {
        panic!("no silent fresh start")
    };
    assert_eq!(skipped.iter().map(|skipped| skipped.id).collect::<Vec<_>>(), [id(2, 1), id(1, 1)]);
    // Also if nothing else tells of their epoch.
    disk.rot(ObjectId::record(1));
    let outcome = recover(disk.clone(), Start::Resume).outcome;
    assert!(matches!(outcome, Err(RecoveryError::NoneIntact(_))), "{outcome:?}");
    // Only when asked to.
    assert_eq!(restored(&recover(disk, Start::Fresh)).1, Origin::Fresh);
}

#[test]
fn checkpoints_that_are_gone_are_missed() {
    let mut disk = run(Disk::default(), Start::Resume, 1);
    disk = recover(disk, Start::Resume).disk;
    let mut performer = Performer::new(disk);
    performer.perform(&Request::Remove(id(1, 1).manifest()));
    let outcome = recover(performer.storage().clone(), Start::Resume).outcome;
    assert!(matches!(outcome, Err(RecoveryError::NoneIntact(_))), "{outcome:?}");
}

#[test]
fn a_newer_format_is_an_error_and_no_damage() {
    let mut disk = run(Disk::default(), Start::Resume, 2);
    let mut bytes = read_manifest(&mut disk, id(2, 1)).to_file();
    bytes[8] += 1;
    let covered: [&[u8]; 4] = [&bytes[..60], &[], &[], &[]];
    let crc = crate::page::Checksum::of(&crate::page::Portable, covered);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    disk.put(id(2, 1).manifest(), bytes);
    let outcome = recover(disk, Start::Resume).outcome;
    assert_eq!(outcome.unwrap_err(), RecoveryError::Newer(id(2, 1).manifest()));
}

#[test]
fn a_fresh_start_keeps_older_lineages_and_never_resumes_them() {
    let old = run(Disk::default(), Start::Resume, 3);
    let names = old.names();
    let mut disk = run(old, Start::Fresh, 0);
    // Killed before its first checkpoint: the old ones stay out of it.
    let recovering = recover(disk.clone(), Start::Resume);
    assert_eq!(restored(&recovering), (3, Origin::Fresh, 4));
    disk = recovering.disk;
    let mut engine = Engine::new(disk, CONFIG, recovering.outcome.unwrap());
    for _ in 0..6 {
        engine.checkpoint();
    }
    for name in names {
        assert!(engine.disk().contains(name), "{name} is kept");
    }
    let recovering = recover(engine.disk().clone(), Start::Resume);
    assert_eq!(restored(&recovering).1, Origin::Restored(id(9, 3)));
}

#[test]
fn a_named_checkpoint_counts_until_one_that_descends_from_it_is_complete() {
    let disk = run(Disk::default(), Start::Resume, 3);
    let start = Start::From(id(2, 1));
    let recovering = recover(disk, start.clone());
    assert_eq!(restored(&recovering), (2, Origin::Restored(id(2, 1)), 4));
    // Killed before its first checkpoint: from there again.
    let recovering = recover(recovering.disk, start.clone());
    assert_eq!(restored(&recovering), (3, Origin::Restored(id(2, 1)), 4));
    let disk = run(recovering.disk, start.clone(), 1);
    assert_eq!(restored(&recover(disk.clone(), start)).1, Origin::Restored(id(4, 4)));
    let missing = id(99, 1);
    let outcome = recover(disk, Start::From(missing)).outcome;
    assert_eq!(outcome.unwrap_err(), RecoveryError::Missing(missing));
}

#[test]
fn a_checkpoint_of_another_directory_is_imported_once_and_begins_with_a_full_one() {
    let mut elsewhere = run(Disk::default(), Start::Resume, 2);
    let imported = Box::new(Manifest { job: 5, ..read_manifest(&mut elsewhere, id(2, 1)) });
    let start = Start::Import(imported.clone());
    let mut recovery = Recovery::new(JOB, start.clone());
    let mut performer = Performer::new(run(Disk::default(), Start::Resume, 1));
    let recovered = loop {
        match recovery.poll().unwrap() {
            RecoveryCommand::Storage(request) => recovery.reply(performer.perform(&request)),
            RecoveryCommand::Restore(manifest) => {
                assert_eq!(manifest, imported);
                recovery.restored();
            }
            RecoveryCommand::Done(recovered) => break *recovered,
            other => panic!("{other:?}"),
        }
    };
    let origin = Origin::Imported { job: 5, id: id(2, 1) };
    assert_eq!((recovered.epoch, recovered.origin, recovered.next), (2, origin, 3));
    let mut engine = Engine::new(performer.storage().clone(), CONFIG, recovered);
    engine.checkpoint();
    let first = read_manifest(engine.disk(), id(3, 2));
    assert_eq!((first.depth, first.parent, first.origin), (0, None, origin));
    assert!(first.files.iter().all(|file| file.id.epoch == 2));
    // The same command again goes on from its own.
    let recovering = recover(engine.disk().clone(), start);
    assert_eq!(restored(&recovering).1, Origin::Restored(id(3, 2)));
}

#[test]
fn a_checkpoint_of_another_job_is_not_restored_unless_a_fresh_start_came_between() {
    let mut disk = run(Disk::default(), Start::Resume, 2);
    let foreign = Manifest { job: 5, ..read_manifest(&mut disk, id(2, 1)) };
    disk.put(id(2, 1).manifest(), foreign.to_file());
    let outcome = recover(disk.clone(), Start::Resume).outcome;
    assert_eq!(outcome.unwrap_err(), RecoveryError::OtherJob(Box::new(foreign)));
    let recovering = recover(disk, Start::Fresh);
    let mut engine = Engine::new(recovering.disk, CONFIG, recovering.outcome.unwrap());
    engine.checkpoint();
    let recovering = recover(engine.disk().clone(), Start::Resume);
    assert_eq!(restored(&recovering).1, Origin::Restored(id(3, 2)));
}

#[test]
fn drafts_and_unreferenced_files_of_older_epochs_are_swept() {
    let mut disk = run(Disk::default(), Start::Resume, 2);
    let junk = [id(3, 1).draft(), ObjectId::data(3, 1, 0, 0), ObjectId::data(3, 1, 0, 1)];
    for id in junk {
        disk.put(id, vec![1]);
    }
    let recovering = recover(disk, Start::Resume);
    let mut engine = Engine::new(recovering.disk, CONFIG, recovering.outcome.unwrap());
    assert!(junk.iter().all(|id| !engine.disk().contains(*id)));
    assert_no_leak(&mut engine);
}

#[test]
fn a_claim_that_is_taken_is_passed_and_a_newer_one_fences() {
    let mut recovery = Recovery::new(JOB, Start::Resume);
    let mut performer = Performer::new(Disk::default());
    let mut outcome = None;
    while let Some(command) = recovery.poll() {
        match command {
            RecoveryCommand::Storage(request) => {
                if request == Request::Create(ObjectId::claim(1)) {
                    performer.storage().put(ObjectId::claim(1), Vec::new());
                }
                if request == Request::SyncArea(Area::Epochs) {
                    performer.storage().put(ObjectId::claim(3), Vec::new());
                }
                recovery.reply(performer.perform(&request));
            }
            RecoveryCommand::Failed(error) => outcome = Some(error),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(recovery.epoch(), 2);
    assert_eq!(outcome, Some(RecoveryError::Fenced { epoch: 3 }));
}

#[test]
fn lost_claims_are_made_up_for() {
    let mut disk = run(Disk::default(), Start::Resume, 2);
    disk = run(disk, Start::Resume, 2);
    let mut performer = Performer::new(disk);
    for name in performer.storage().names() {
        if name.area() == Area::Epochs {
            performer.perform(&Request::Remove(name));
        }
    }
    let recovering = recover(performer.storage().clone(), Start::Resume);
    assert_eq!(restored(&recovering), (3, Origin::Restored(id(4, 2)), 5));
}

/// I-15 and F-09: power lost at every step of a recovery, and again in the next.
#[test]
fn a_crash_at_every_step_of_a_recovery_and_of_the_next_changes_nothing() {
    let mut disk = run(Disk::default(), Start::Resume, 5);
    disk.rot(id(5, 1).manifest());
    let mut first = 0;
    while let Err(mut crashed) = recover_steps(disk.clone(), Start::Resume, first) {
        crashed.crash();
        let mut second = 0;
        while let Err(mut again) = recover_steps(crashed.clone(), Start::Resume, second) {
            again.crash();
            let recovering = recover(again, Start::Resume);
            assert_eq!(restored(&recovering).1, Origin::Restored(id(4, 1)), "{first}, {second}");
            second += 1;
        }
        first += 1;
    }
    assert!(first > 15, "{first}");
}

#[test]
fn a_recovery_whose_storage_fails_ends_with_an_error_or_well() {
    let disk = run(Disk::default(), Start::Resume, 4);
    for fault in [Fault::NotDone, Fault::UnknownYes, Fault::UnknownNo] {
        for step in 1..40 {
            let mut disk = disk.clone();
            disk.fault = Some((step, fault));
            let mut recovering = recover(disk, Start::Resume);
            match recovering.outcome {
                Ok(recovered) => {
                    let newest = recovered.restored.unwrap();
                    assert_eq!(damage(&mut recovering.disk, &newest), None);
                    // A manifest that could not be read is reported, not silently passed over.
                    let is_newest = newest.id == id(4, 1);
                    assert!(is_newest || !recovering.warnings.is_empty(), "step {step}");
                }
                Err(RecoveryError::Storage(_)) => {}
                Err(error) => panic!("step {step}: {error}"),
            }
            recovering.disk.crash();
            let outcome = recover(recovering.disk, Start::Resume).outcome;
            assert!(outcome.is_ok(), "step {step}: {outcome:?}");
        }
    }
}

/// Issue 2, "it must show" 4: power lost at every step of five checkpoints with their clean-ups;
/// what was told to be complete, or something newer, is restored, and the job goes on from it.
#[test]
fn a_crash_at_every_step_loses_no_completed_checkpoint() {
    let started = recover(Disk::default(), Start::Resume);
    let recovered = started.outcome.unwrap();
    for limit in 0.. {
        let mut engine = Engine::new(started.disk.clone(), CONFIG, recovered.clone());
        let mut commands = 0;
        for _ in 0..5 {
            engine.coordinator.trigger(crate::manifest::CheckpointKind::Checkpoint, 0).unwrap();
            while commands < limit {
                let Some(command) = engine.coordinator.poll() else { break };
                engine.carry_out(command);
                commands += 1;
            }
            if commands == limit {
                break;
            }
        }
        let newest = engine.completed().last().copied();
        let mut disk = engine.disk().clone();
        disk.crash();
        let recovering = recover(disk, Start::Resume);
        assert!(recovering.warnings.is_empty(), "{limit}: {:?}", recovering.warnings);
        let found = recovering.outcome.as_ref().unwrap().restored.as_ref();
        assert!(found.map(|manifest| manifest.id) >= newest, "{limit}: {newest:?}");
        let next = recovering.outcome.as_ref().unwrap().next;
        let mut again = Engine::new(recovering.disk, CONFIG, recovering.outcome.unwrap());
        again.checkpoint();
        assert_eq!(again.completed(), [id(next, 2)], "{limit}");
        assert_no_leak(&mut again);
        if commands < limit {
            assert!(limit > 50, "{limit}");
            return;
        }
    }
}

#[test]
fn errors_say_what_to_do() {
    let skipped = Skipped { id: id(3, 1), damage: Damage::Unreadable };
    let error = RecoveryError::NoneIntact(vec![skipped]);
    let text = error.to_string();
    assert!(text.contains("start afresh") && text.contains("checkpoint 3.e1"), "{text}");
    let unknown = Halt::Unknown(Request::SyncArea(Area::Manifests)).to_string();
    assert!(unknown.contains("sync the directory manifests"), "{unknown}");
    assert_eq!(ObjectId::claim(1).kind, ObjectKind::Claim);
}

#[test]
fn a_claim_that_shows_to_be_taken_only_when_it_is_synced_makes_way_for_the_next() {
    let mut recovery = Recovery::new(JOB, Start::Resume);
    let mut synced = Vec::new();
    while let Some(RecoveryCommand::Storage(request)) = recovery.poll() {
        recovery.reply(match request {
            Request::List(_) => Reply::Listed(Vec::new()),
            Request::Sync(id) => {
                synced.push(id);
                if synced.len() < 3 { Reply::Exists } else { Reply::Done }
            }
            _ => Reply::Done,
        });
    }
    let claims = [1, 2, 3].map(ObjectId::claim);
    assert_eq!(synced, [claims[0], claims[1], claims[2], ObjectId::record(3)]);
    assert_eq!(recovery.epoch(), 3);
}
