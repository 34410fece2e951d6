//! States of real checkpoints, full and with deltas, read without their types.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use holdwater::checkpoint::RestorePolicy;
use holdwater::page::{Pages, Portable};
use holdwater::storage::ObjectId;
use holdwater_damage::directory::Directory;
use holdwater_damage::job::{Content, JOB, directory};
use holdwater_damage::reseal::reseal;
use holdwater_damage::restore::restore;
use holdwater_processor::Checkpoint;
use holdwater_processor::datum::Datum;
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;
use tempfile::TempDir;

/// Writes a directory to the disk.
fn place(directory: &Directory) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for (id, bytes) in &directory.objects {
        let path = path(place.path(), *id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes.as_slice()).unwrap();
    }
    place
}

fn path(place: &Path, id: ObjectId) -> PathBuf {
    place.join(id.area().name()).join(id.to_string())
}

fn open(place: &TempDir) -> Checkpoint {
    Checkpoint::open(place.path().to_str().unwrap()).unwrap()
}

/// Reads what all states hold, as the types of the job have it.
fn content(checkpoint: &Checkpoint) -> Content {
    let number = |datum: &Datum| u64::try_from(datum.whole_number().unwrap()).unwrap();
    let text = |datum: &Datum| datum.cell();
    let rows = |state: &str| checkpoint.state(state).unwrap().rows().unwrap().map(Result::unwrap);
    let mut content = Content::default();
    for Row { key, held, .. } in rows("count") {
        content.count.insert(number(&key), number(&held.datum()));
    }
    for Row { key, held, .. } in rows("history") {
        let Datum::List(items) = held.datum() else { panic!("a list") };
        content.history.insert(number(&key), items.iter().map(text).collect());
    }
    for Row { key, held, .. } in rows("latest") {
        let Datum::Pairs(pairs) = held.datum() else { panic!("a map") };
        let held = |datum: &Datum| (*datum != Datum::Nothing).then(|| text(datum));
        let pairs = pairs.iter().map(|(field, value)| (number(field) as u32, held(value)));
        content.latest.insert(number(&key), pairs.collect::<BTreeMap<_, _>>());
    }
    content
}

#[test]
fn all_rows_are_what_a_job_would_restore() {
    let directory = directory(JOB, 0);
    let (id, restored) =
        restore(&directory, RestorePolicy::PreviousCheckpoint).result.unwrap().unwrap();
    let place = place(&directory);
    let checkpoint = open(&place);
    assert_eq!(checkpoint.manifest.id, id);
    assert_eq!(content(&checkpoint), restored);
}

#[test]
fn a_key_is_read_from_the_parts_of_its_group_alone() {
    let place = place(&directory(JOB, 0));
    let whole = open(&place);
    let keys = whole.state("count").unwrap().rows().unwrap().map(|row| row.unwrap().key);
    let keys: Vec<_> = keys.collect();
    assert!(keys.len() > 4);
    let (mut far_read, mut refused) = (0, 0);
    for (name, key) in ["count", "history", "latest"]
        .into_iter()
        .flat_map(|name| keys.iter().map(move |key| (name, key)))
    {
        let state = whole.state(name).unwrap();
        let wanted: Vec<_> = state.rows().unwrap().map(Result::unwrap).collect();
        let (own, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|row| row.key == *key);
        let group = state
            .groups()
            .find(|group| state.group(*group).unwrap().iter().any(|row| row.key == *key));
        // Damages all parts but those of the state and the group.
        let kept: Vec<_> =
            group.map(|group| state.entry().parts(group).to_vec()).unwrap_or_default();
        let copy = tempfile::tempdir().unwrap();
        for area in ["data", "manifests", "epochs"] {
            fs::create_dir(copy.path().join(area)).unwrap();
            for entry in fs::read_dir(place.path().join(area)).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), copy.path().join(area).join(entry.file_name())).unwrap();
            }
        }
        let states = whole.states().flat_map(|(_, state)| &state.chains);
        let parts: Vec<_> = states.flat_map(|chain| &chain.parts).collect();
        for part in parts.iter().filter(|part| !kept.contains(part)) {
            if parts.iter().all(|other| other.file != part.file || other.offset >= part.offset) {
                // The first block behind the table of a file tells where that ends.
                continue;
            }
            let path = path(copy.path(), part.file);
            let mut bytes = fs::read(&path).unwrap();
            bytes[(part.offset + part.length / 2) as usize] ^= 0x10;
            fs::write(path, bytes).unwrap();
        }
        let damaged = Checkpoint::open_unread(copy.path().to_str().unwrap()).unwrap();
        assert_eq!(damaged.manifest.id, whole.manifest.id);
        let state = damaged.state(name).unwrap();
        if group.is_some() {
            assert_eq!(state.key(key).unwrap(), own, "{name} {key:?}");
        }
        for other in others.iter().filter(|other| !own.iter().any(|row| row.key == other.key)) {
            let read = state.key(&other.key);
            let is_near = group.is_some_and(|group| {
                let near = whole.state(name).unwrap().group(group).unwrap();
                near.iter().any(|row| row.key == other.key)
            });
            match read {
                Ok(rows) => {
                    assert_eq!(rows, std::slice::from_ref(other));
                    far_read += usize::from(!is_near);
                }
                Err(Failure::Corrupt(_)) => {
                    assert!(!is_near);
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(refused > far_read, "{refused} groups are damaged, {far_read} are not");
}

#[test]
fn a_key_that_is_not_there_has_no_rows() {
    let place = place(&directory(JOB, 0));
    let checkpoint = open(&place);
    let state = checkpoint.state("count").unwrap();
    assert_eq!(state.key(&Datum::Unsigned(1_000)).unwrap(), []);
    let unfit = state.key(&Datum::Text("x".to_owned())).unwrap_err();
    assert_eq!(
        (unfit.exit_code(), unfit.to_string()),
        (2, "the key: expected u64, found \"x\"".to_owned())
    );
    let unknown = checkpoint.state("counts").unwrap_err().to_string();
    assert!(
        unknown.ends_with("has no state \"counts\"; it has count, history, latest"),
        "{unknown}"
    );
}

#[test]
fn whatever_the_bytes_of_files_are_there_are_rows_or_an_error() {
    let place = place(&directory(JOB, 0));
    let (whole, mut read, mut refused) = (open(&place), 0, 0);
    let sound = content(&whole);
    let named = format!("{}@{}", place.path().display(), whole.manifest.id);
    let manifest_path = path(place.path(), whole.manifest.id.manifest());
    for file in &whole.manifest.files {
        let bytes = fs::read(path(place.path(), file.id)).unwrap();
        // One bit of many bytes in turn, under checksums that hold and a manifest that names them.
        for at in (64..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            reseal(&mut changed);
            let Ok(pages) = Pages::open(changed.as_slice(), Portable) else { continue };
            let mut manifest = whole.manifest.clone();
            let entry = manifest.files.iter_mut().find(|entry| entry.id == file.id).unwrap();
            entry.hash = pages.seal().hash;
            fs::write(path(place.path(), file.id), &changed).unwrap();
            fs::write(&manifest_path, manifest.to_file()).unwrap();
            let checkpoint = Checkpoint::open_unread(&named).unwrap();
            for (operator, state) in checkpoint.states() {
                let name = format!("{operator}/{}", state.name);
                match checkpoint.state(&name).and_then(|state| state.rows()) {
                    Err(_) => refused += 1,
                    Ok(rows) => rows.for_each(|row| match row {
                        Ok(_) => read += 1,
                        Err(_) => refused += 1,
                    }),
                }
            }
        }
        fs::write(path(place.path(), file.id), &bytes).unwrap();
        fs::write(&manifest_path, whole.manifest.to_file()).unwrap();
    }
    assert!(read > 0 && refused > 100, "{read} rows, {refused} errors");
    assert_eq!(content(&open(&place)), sound);
}
