use super::*;
use crate::random::{Chance, Random};

const SOME: ObjectId = ObjectId::data(1, 1, 0, 0);

/// Writes `content` without syncing anything.
fn written(disk: &mut Disk, id: ObjectId, content: &[u8]) -> Handle {
    let mut file = disk.create(id).unwrap();
    disk.write(&mut file, content).unwrap();
    file
}

fn draft_and_manifest() -> (ObjectId, ObjectId) {
    (ObjectId::draft(1, 1), ObjectId::manifest(1, 1))
}

#[test]
fn the_disk_is_a_storage() {
    holdwater_conformance::storage::check(Disk::new);
}

#[test]
fn a_power_loss_takes_a_file_that_was_synced_but_whose_name_was_not() {
    let mut disk = Disk::new();
    let file = written(&mut disk, SOME, b"content");
    disk.sync(file).unwrap();
    assert_eq!(disk.durable_content(SOME), None);
    disk.lose_power(Persistence::Nothing, &mut Random::new(1));
    assert_eq!(disk.content(SOME), None);
}

#[test]
fn a_power_loss_empties_a_file_whose_name_was_synced_but_whose_content_was_not() {
    let mut disk = Disk::new();
    written(&mut disk, SOME, b"content");
    disk.sync_area(Area::Data).unwrap();
    let mut zeros = disk.clone();
    disk.lose_power(Persistence::Nothing, &mut Random::new(1));
    assert_eq!(disk.content(SOME), Some(&b""[..]));
    zeros.lose_power(Persistence::SizeBeforeData, &mut Random::new(1));
    assert_eq!(zeros.content(SOME), Some(&[0; 7][..]));
}

#[test]
fn nothing_that_was_synced_with_its_name_is_ever_lost() {
    for how in Persistence::ALL {
        let mut disk = Disk::new();
        let file = written(&mut disk, SOME, &[7; 3 * SECTOR_BYTES]);
        disk.sync(file).unwrap();
        disk.sync_area(Area::Data).unwrap();
        assert!(disk.is_settled());
        assert_eq!(disk.durable_content(SOME), disk.content(SOME));
        disk.lose_power(how, &mut Random::new(1));
        assert_eq!(disk.content(SOME), Some(&[7; 3 * SECTOR_BYTES][..]));
    }
}

#[test]
fn a_removed_file_may_come_back_with_its_content_until_the_removal_is_synced() {
    let mut disk = Disk::new();
    let file = written(&mut disk, SOME, b"content");
    disk.sync(file).unwrap();
    disk.sync_area(Area::Data).unwrap();
    disk.remove(SOME).unwrap();
    assert_eq!(disk.durable_names(Area::Data).count(), 0, "it may go");
    let mut lost = disk.clone();
    lost.lose_power(Persistence::Nothing, &mut Random::new(1));
    assert_eq!(lost.content(SOME), Some(&b"content"[..]));
    disk.sync_area(Area::Data).unwrap();
    disk.lose_power(Persistence::Nothing, &mut Random::new(1));
    assert_eq!(disk.content(SOME), None);
}

#[test]
fn any_subset_of_the_changes_of_names_may_survive() {
    let (draft, manifest) = draft_and_manifest();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let mut disk = Disk::new();
        let file = written(&mut disk, draft, b"manifest");
        disk.sync(file).unwrap();
        disk.publish(draft, manifest).unwrap();
        disk.lose_power(Persistence::Subset, &mut Random::new(seed));
        let names: Vec<_> = disk.names(Area::Manifests).collect();
        assert!(names.iter().all(|id| disk.content(*id) == Some(b"manifest")));
        seen.insert(names);
    }
    assert_eq!(seen.len(), 3, "none, the draft, the manifest: {seen:?}");
}

#[test]
fn a_rename_may_be_durable_before_the_content() {
    let (draft, manifest) = draft_and_manifest();
    for how in [Persistence::SizeBeforeData, Persistence::DataBeforeSize] {
        let mut disk = Disk::new();
        written(&mut disk, draft, b"manifest");
        disk.publish(draft, manifest).unwrap();
        disk.lose_power(how, &mut Random::new(1));
        let content = disk.content(manifest).unwrap();
        assert_ne!(content, b"manifest");
    }
}

#[test]
fn a_prefix_keeps_what_was_done_first() {
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let mut disk = Disk::new();
        let mut file = written(&mut disk, SOME, b"1");
        disk.write(&mut file, b"2").unwrap();
        let other = ObjectId::claim(1);
        written(&mut disk, other, b"3");
        disk.lose_power(Persistence::Prefix, &mut Random::new(seed));
        let length = disk.content(SOME).map(<[u8]>::len);
        let later = disk.content(other).map(<[u8]>::len);
        assert!(later.is_none() || length == Some(2), "the later survived, the earlier did not");
        lengths.insert((length, later));
    }
    assert_eq!(lengths.len(), 6, "one for each moment: {lengths:?}");
}

#[test]
fn sectors_are_kept_lost_torn_or_turned_to_garbage() {
    let bytes: Vec<u8> = (0..4 * SECTOR_BYTES).map(|at| 1 + (at / SECTOR_BYTES) as u8).collect();
    let (mut kept, mut zeros, mut mixed) = (0, 0, 0);
    for seed in 0..200 {
        let mut disk = Disk::new();
        written(&mut disk, SOME, &bytes);
        disk.sync_area(Area::Data).unwrap();
        disk.lose_power(Persistence::Garbage, &mut Random::new(seed));
        for (after, before) in
            disk.content(SOME).unwrap().chunks(SECTOR_BYTES).zip(bytes.chunks(SECTOR_BYTES))
        {
            match after {
                after if after == before => kept += 1,
                after if after.iter().all(|byte| *byte == 0) => zeros += 1,
                _ => mixed += 1,
            }
        }
    }
    assert!(kept > 50 && zeros > 50 && mixed > 50, "{kept} {zeros} {mixed}");
}

#[test]
fn after_a_failed_sync_no_sync_makes_the_content_durable() {
    let faults = Faults::NONE.with(Fault::Sync, Chance::one_in(1));
    let mut complete = 0;
    for seed in 0..50 {
        let mut medium = Medium::new(Disk::new(), Random::new(seed));
        medium.faults = faults;
        let file = written(&mut medium.disk, SOME, &[7; 4 * SECTOR_BYTES]);
        assert!(matches!(medium.sync(file), Err(Failure::NotDone(Broken(Fault::Sync)))));
        medium.disk.sync(file).unwrap();
        medium.disk.sync_area(Area::Data).unwrap();
        let content = medium.disk.content(SOME);
        assert_eq!(content, Some(&[7; 4 * SECTOR_BYTES][..]), "still in memory");
        medium.lose_power(Persistence::Nothing);
        complete += usize::from(medium.disk.content(SOME) == Some(&[7; 4 * SECTOR_BYTES][..]));
    }
    assert!(complete < 25, "{complete} of 50 were complete");
}

#[test]
fn a_step_of_unknown_outcome_took_effect_in_some_runs() {
    let (draft, manifest) = draft_and_manifest();
    let faults = Faults::NONE.with(Fault::Publish, Chance::one_in(1));
    let published = (0..50).filter(|seed| {
        let mut medium = Medium::new(Disk::new(), Random::new(*seed));
        medium.faults = faults;
        written(&mut medium.disk, draft, b"manifest");
        assert!(matches!(medium.publish(draft, manifest), Err(Failure::Unknown(_))));
        medium.disk.content(manifest).is_some()
    });
    assert!((10..40).contains(&published.count()));
}
