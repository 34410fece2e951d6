//! Checkpoints of a real job, read by key and in pages while they come and go.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use holdwater::manifest::CheckpointId;
use holdwater::storage::ObjectId;
use holdwater_damage::directory::Directory;
use holdwater_damage::job::{JOB, directory};
use holdwater_processor::Checkpoint;
use holdwater_processor::datum::Datum;
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;
use holdwater_serve::scan::{Position, Room, Wanted};
use holdwater_serve::{Checkpoints, View};
use tempfile::TempDir;

fn path(place: &Path, id: ObjectId) -> PathBuf {
    place.join(id.area().name()).join(id.to_string())
}

/// Writes those objects of a directory that are wanted to the disk.
fn write(place: &TempDir, directory: &Directory, is_wanted: impl Fn(ObjectId) -> bool) {
    for area in ["data", "manifests", "epochs"] {
        fs::create_dir_all(place.path().join(area)).unwrap();
    }
    for (id, bytes) in directory.objects.iter().filter(|(id, _)| is_wanted(**id)) {
        fs::write(path(place.path(), *id), bytes.as_slice()).unwrap();
    }
}

fn place(directory: &Directory) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    write(&place, directory, |_| true);
    place
}

fn serve(place: &TempDir) -> Checkpoints {
    Checkpoints::open(place.path().to_str().unwrap(), Box::new(()), 1 << 20).unwrap()
}

/// Names the checkpoints of a directory, the newest first.
fn ids(directory: &Directory) -> Vec<CheckpointId> {
    let mut ids: Vec<_> =
        directory.objects.keys().filter_map(|id| CheckpointId::of_manifest(*id)).collect();
    ids.sort_by_key(|id| std::cmp::Reverse((id.epoch, id.checkpoint)));
    ids
}

fn rows(checkpoint: &Checkpoint, state: &str) -> Vec<Row> {
    checkpoint.state(state).unwrap().rows().unwrap().map(Result::unwrap).collect()
}

/// Reads a state in pages of `limit` rows.
fn pages(view: &View, state: &str, wanted: &Wanted, limit: usize) -> Vec<Row> {
    let state = view.checkpoint().state(state).unwrap();
    let (mut all, mut from): (_, Option<Position>) = (Vec::new(), None);
    loop {
        let before = all.len();
        let take = |row| {
            all.push(row);
            if all.len() - before == limit { Room::None } else { Room::Left }
        };
        let until = Instant::now() + Duration::from_secs(600);
        let next = view.scan(&state, wanted, from.as_ref(), until, take).unwrap();
        assert!(all.len() - before <= limit);
        let Some(next) = next else { return all };
        from = Some(next.to_string().parse().unwrap());
    }
}

#[test]
fn each_key_has_the_rows_that_the_state_has_and_each_group_is_read_once() {
    let place = place(&directory(JOB, 0));
    let (whole, served) = (Checkpoint::open(place.path().to_str().unwrap()), serve(&place));
    let whole = whole.unwrap();
    for _ in 0..2 {
        for name in ["count", "history", "latest"] {
            for row in rows(&whole, name) {
                let read = |view: &View| {
                    assert_eq!(view.id(), whole.manifest.id);
                    view.key(&view.checkpoint().state(name)?, &row.key)
                };
                assert_eq!(served.read(None, read).unwrap(), [row]);
            }
        }
    }
    let none = |view: &View| view.key(&view.checkpoint().state("count")?, &Datum::Unsigned(1_000));
    assert_eq!(served.read(None, none).unwrap(), []);
    let groups: u64 = whole.states().map(|(_, state)| state.chains.len() as u64).sum();
    assert_eq!(served.usage().misses, groups);
}

#[test]
fn a_new_checkpoint_costs_reading_what_it_has_written_alone() {
    let directory = directory(JOB, 0);
    let (place, mut ids) = (tempfile::tempdir().unwrap(), ids(&directory));
    ids.reverse();
    write(&place, &directory, |id| CheckpointId::of_manifest(id).is_none());
    let (mut served, mut seen, mut is_shared) = (None, BTreeSet::new(), false);
    for id in ids {
        write(&place, &directory, |object| object == id.manifest());
        let served = served.get_or_insert_with(|| serve(&place));
        served.look().unwrap();
        let (view, fresh) = (served.newest().unwrap(), serve(&place).newest().unwrap());
        assert_eq!((view.id(), fresh.id()), (id, id));
        let (before, mut parts, mut new) = (served.usage().parts, 0, 0);
        for (operator, entry) in view.checkpoint().states() {
            let name = format!("{operator}/{}", entry.name);
            let [state, other] =
                [&view, &fresh].map(|view| view.checkpoint().state(&name).unwrap());
            for group in state.groups() {
                let rows = view.group(&state, group).unwrap();
                assert_eq!(*rows, *fresh.group(&other, group).unwrap(), "{name} {group} {id}");
                for part in entry.parts(group) {
                    parts += 1;
                    new += u64::from(seen.insert((part.file, part.offset)));
                }
            }
        }
        assert_eq!(served.usage().parts - before, new, "{id}");
        is_shared |= new > 0 && new < parts;
    }
    assert!(is_shared, "some checkpoint stands on another");
}

#[test]
fn pages_of_any_length_have_all_rows_that_are_wanted() {
    let place = place(&directory(JOB, 0));
    let view = serve(&place).newest().unwrap();
    for name in ["count", "history", "latest"] {
        let all = rows(view.checkpoint(), name);
        assert!(all.len() > 3);
        for limit in [1, 2, 3, 100] {
            assert_eq!(pages(&view, name, &Wanted::default(), limit), all);
        }
        let state = view.checkpoint().state(name).unwrap();
        let cells = |cell: &str| vec![cell.to_owned()];
        let between = Wanted::between(&state, &cells("1"), &cells("9")).unwrap();
        let number = |row: &Row| row.key.whole_number().unwrap();
        let wanted: Vec<_> =
            all.iter().filter(|row| (1..9).contains(&number(row))).cloned().collect();
        assert!(!wanted.is_empty() && wanted.len() < all.len());
        assert_eq!(pages(&view, name, &between, 2), wanted);
        let refused = Wanted::between(&state, &cells("x"), &[]).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
    }
}

#[test]
fn time_that_is_over_ends_a_page_which_goes_on_later() {
    let place = place(&directory(JOB, 0));
    let view = serve(&place).newest().unwrap();
    let state = view.checkpoint().state("count").unwrap();
    let (mut found, mut from, mut rounds) = (Vec::new(), None, 0);
    loop {
        let take = |row| {
            found.push(row);
            Room::Left
        };
        let over = Instant::now();
        from = view.scan(&state, &Wanted::default(), from.as_ref(), over, take).unwrap();
        rounds += 1;
        if from.is_none() {
            break;
        }
    }
    assert!(rounds > 1);
    assert_eq!(found, rows(view.checkpoint(), "count"));
}

#[test]
fn a_checkpoint_becomes_visible_as_a_whole_and_is_read_by_name_as_long_as_it_is_kept() {
    let directory = directory(JOB, 0);
    let [newest, before, ..] = ids(&directory)[..] else { panic!("three checkpoints") };
    let place = tempfile::tempdir().unwrap();
    write(&place, &directory, |id| id != newest.manifest());
    let served = serve(&place);
    assert_eq!(served.newest().unwrap().id(), before);
    write(&place, &directory, |id| id == newest.manifest());
    served.look().unwrap();
    assert_eq!(served.newest().unwrap().id(), newest);
    let id = |view: &View| Ok(view.id());
    assert_eq!(served.read(Some(before), id).unwrap(), before);
    assert_eq!(served.read(Some(newest), id).unwrap(), newest);
    let unknown = CheckpointId { checkpoint: 1_000, epoch: 1 };
    assert!(matches!(served.read(Some(unknown), id), Err(Failure::Missing(_))));
    let seen: Vec<_> = served.seen().into_iter().map(|seen| (seen.id, seen.is_kept)).collect();
    assert_eq!(seen, ids(&directory).into_iter().map(|id| (id, true)).collect::<Vec<_>>());
}

#[test]
fn a_place_without_a_checkpoint_is_served_once_it_has_one() {
    let (directory, place) = (directory(JOB, 0), tempfile::tempdir().unwrap());
    write(&place, &directory, |_| false);
    let served = serve(&place);
    assert!(matches!(served.read(None, |_| Ok(())), Err(Failure::Busy(_))));
    write(&place, &directory, |_| true);
    served.look().unwrap();
    served.read(None, |_| Ok(())).unwrap();
}

#[test]
fn what_is_removed_or_damaged_while_it_is_read_is_read_from_another_checkpoint() {
    let directory = directory(JOB, 0);
    let [newest, before, ..] = ids(&directory)[..] else { panic!("three checkpoints") };
    let read = |view: &View| {
        let state = view.checkpoint().state("count")?;
        state.groups().try_for_each(|group| view.group(&state, group).map(drop))?;
        Ok(view.id())
    };
    let own = |id: &ObjectId| (id.checkpoint, id.epoch) == (newest.checkpoint, newest.epoch);
    let files: Vec<_> = directory.objects.keys().copied().filter(own).collect();
    // Its files alone are gone, then the manifest too; then they are damaged.
    for change in 0..3 {
        let place = place(&directory);
        let served = serve(&place);
        for file in &files {
            let (path, is_manifest) = (path(place.path(), *file), *file == newest.manifest());
            match change {
                0 if is_manifest => {}
                0 | 1 => fs::remove_file(path).unwrap(),
                _ if is_manifest => {}
                _ => {
                    let mut bytes = fs::read(&path).unwrap();
                    let end = bytes.len() - 64;
                    bytes[64..end].fill(0);
                    fs::write(path, bytes).unwrap();
                }
            }
        }
        assert_eq!(served.newest().unwrap().id(), newest);
        assert_eq!(served.read(None, read).unwrap(), before, "{change}");
        assert!(served.read(Some(newest), read).is_err(), "{change}");
    }
    let place = place(&directory);
    let served = serve(&place);
    fs::remove_dir_all(place.path().join("data")).unwrap();
    assert!(served.read(None, read).is_err(), "there is no other");
}
