//! Every byte of a checkpoint directory is read by `verify`, and what is wrong is named.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use holdwater::manifest::{CheckpointId, FileEntry, Manifest, NativeFile, NativePart, NativeState};
use holdwater::storage::ObjectId;
use holdwater_cli::arguments::{Arguments, Command};
use holdwater_cli::{run, verify};
use holdwater_damage::reseal::reseal;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

/// Runs a small job, and again on a longer input: a full and an incremental checkpoint. Returns
/// their directory.
fn checkpoints(place: &Path) -> PathBuf {
    let input = place.join("in.csv");
    let directory = place.join("checkpoints");
    let line = format!(
        "holdwater run --input {} --key key --agg count collect:x distinct:x --output {} \
         --checkpoints {} --parallelism 1 --key-groups 2 --progress never",
        input.display(),
        place.join("out.csv").display(),
        directory.display()
    );
    let Ok(Command::Run(job)) = Arguments::read(line.split_whitespace()) else { panic!("{line}") };
    for rows in [12, 14] {
        let rows: String = (0..rows).map(|row| format!("k{},{row}\n", row % 3)).collect();
        fs::write(&input, format!("key,x\n{rows}")).unwrap();
        assert_eq!(run::run(&job).unwrap(), 0);
    }
    directory
}

/// Returns the exit code of `verify --json`, and what it shows.
fn verified(directory: &Path, flags: &[&str]) -> (u8, Value) {
    let directory = directory.to_str().unwrap();
    let line = ["holdwater", "verify", "--json", directory];
    let line = line.iter().chain(flags);
    let Ok(Command::Verify(arguments)) = Arguments::read(line) else { panic!("{flags:?}") };
    let mut out = Vec::new();
    let ended = verify::verify(&arguments, &mut out);
    let code = ended.map_or_else(|failure| failure.exit_code(), |()| 0);
    (code, serde_json::from_slice(&out).unwrap())
}

fn files(directory: &Path) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for area in ["data", "epochs", "manifests"] {
        for entry in fs::read_dir(directory.join(area)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            files.push((format!("{area}/{name}"), directory.join(area).join(&name)));
        }
    }
    files
}

#[test]
fn what_was_written_is_intact_to_its_last_row() {
    let place = tempfile::tempdir().unwrap();
    let directory = checkpoints(place.path());
    let (code, found) = verified(&directory, &["--deep"]);
    assert_eq!(code, 0, "{found}");
    assert!(found["rows"].as_u64().unwrap() > 20, "{found}");
    let checkpoints = found["checkpoints"].as_array().unwrap();
    assert_eq!(checkpoints.len(), 2, "{found}");
    assert!(checkpoints.iter().all(|one| one["usable"] == true));
}

#[test]
fn every_changed_byte_is_named_with_its_file_and_the_unit_it_lies_in() {
    let place = tempfile::tempdir().unwrap();
    let directory = checkpoints(place.path());
    for (name, path) in files(&directory) {
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            let (code, found) = verified(&directory, &[]);
            assert_eq!(code, 3, "{name}, byte {at}");
            let damage = &found["damages"][0];
            assert_eq!(damage["file"], *name, "byte {at}: {found}");
            let offset = damage["offset"].as_u64().unwrap() as usize;
            assert!(offset <= at, "{name}, byte {at}: {damage}");
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(verified(&directory, &[]).0, 0);
}

#[test]
fn a_file_that_was_cut_or_is_missing_or_another_is_named() {
    let place = tempfile::tempdir().unwrap();
    let directory = checkpoints(place.path());
    let all = files(&directory);
    for (name, path) in &all {
        let bytes = fs::read(path).unwrap();
        for length in 1..bytes.len() {
            fs::write(path, &bytes[..length]).unwrap();
            let (code, found) = verified(&directory, &[]);
            assert_eq!(code, 3, "{name}, {length} bytes");
            assert_eq!(found["damages"][0]["file"], **name, "{length} bytes: {found}");
        }
        for (other, content) in &all {
            if other != name {
                fs::copy(content, path).unwrap();
                let (code, found) = verified(&directory, &[]);
                assert_eq!(code, 3, "{other} in the place of {name}");
                assert_eq!(found["damages"][0]["file"], **name, "{other}: {found}");
            }
            fs::write(path, &bytes).unwrap();
        }
        if name.starts_with("data") {
            fs::remove_file(path).unwrap();
            let (code, found) = verified(&directory, &[]);
            assert_eq!((code, &found["damages"][0]["file"]), (3, &Value::from(name.as_str())));
            fs::write(path, &bytes).unwrap();
        }
    }
}

#[test]
fn rows_under_a_sound_seal_that_are_not_what_was_written_are_found_by_decoding_them() {
    let place = tempfile::tempdir().unwrap();
    let directory = checkpoints(place.path());
    let read = |path: &Path| (path.to_owned(), fs::read(path).unwrap());
    let (data, sound) = read(&directory.join("data/d1.e1.a0.p0"));
    let manifests = files(&directory).into_iter().filter(|(name, _)| name.starts_with("man"));
    let manifests: Vec<_> = manifests.map(|(_, path)| read(&path)).collect();
    // The last byte of each block (docs/format.md 3.2) that holds a part, and of its rows, in front
    // of their count and digest (5.2).
    let mut at = 64;
    while at < sound.len() - 40 {
        let length = u32::from_le_bytes([sound[at + 1], sound[at + 2], sound[at + 3], 0]);
        let end = at + 8 + length as usize;
        for changed in [end - 1, end - 26].into_iter().filter(|_| sound[at] == 2) {
            let mut bytes = sound.clone();
            bytes[changed] ^= 1;
            reseal(&mut bytes);
            fs::write(&data, &bytes).unwrap();
            // Both manifests name the file by its hash.
            let [before, after] = [&sound, &bytes].map(|bytes| bytes[bytes.len() - 16..].to_vec());
            for (path, manifest) in &manifests {
                let mut manifest = manifest.clone();
                let places = manifest.windows(16).enumerate().filter(|(_, hash)| *hash == before);
                let places: Vec<_> = places.map(|(place, _)| place).collect();
                places.iter().for_each(|at| manifest[*at..at + 16].copy_from_slice(&after));
                reseal(&mut manifest);
                fs::write(path, manifest).unwrap();
            }
            // Without decoding rows all is sound.
            assert_eq!(verified(&directory, &[]).0, 0, "byte {changed}");
            let (code, found) = verified(&directory, &["--deep"]);
            let damage = &found["damages"][0];
            assert_eq!((code, &damage["file"]), (3, &"data/d1.e1.a0.p0".into()), "byte {changed}");
        }
        at = end;
    }
}

#[test]
fn a_checkpoint_stays_usable_when_only_files_of_others_are_damaged() {
    let place = tempfile::tempdir().unwrap();
    let directory = checkpoints(place.path());
    let (_, before) = verified(&directory, &[]);
    let newest = before["checkpoints"][0]["checkpoint"].as_str().unwrap();
    let manifest = directory.join("manifests").join(format!("m{newest}"));
    fs::write(&manifest, "no manifest").unwrap();
    let (code, found) = verified(&directory, &[]);
    assert_eq!(code, 3);
    let usable: Vec<_> =
        found["checkpoints"].as_array().unwrap().iter().map(|one| &one["usable"]).collect();
    assert_eq!(*usable[0], false);
    assert!(usable[1..].iter().all(|usable| **usable == true), "{found}");
}

#[test]
fn what_a_crash_leaves_behind_is_no_damage() {
    let place = tempfile::tempdir().unwrap();
    let directory = checkpoints(place.path());
    fs::write(directory.join("epochs/e9.claim"), "").unwrap();
    fs::write(directory.join("data/d9.e9.a0.p1"), "half a fi").unwrap();
    fs::write(directory.join("manifests/m9.e9.draft"), "half a dra").unwrap();
    fs::write(directory.join("lock of somebody else"), "").unwrap();
    let (code, found) = verified(&directory, &["--deep"]);
    assert_eq!(code, 0, "{found}");
    assert_eq!(found["epochs_never_ran"], serde_json::json!([9]));
    assert_eq!((&found["unnamed_files"], &found["unnamed_bytes"]), (&2.into(), &19.into()));
}

/// Puts the rows of the newest checkpoint into a file of a store; returns the path of that file.
fn made_native(directory: &Path) -> PathBuf {
    let manifests = fs::read_dir(directory.join("manifests")).unwrap();
    let names = manifests.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let newest = names.filter_map(|name| CheckpointId::of_manifest(name.parse().ok()?)).max();
    let (id, content) = (newest.unwrap(), [7; 300_000]);
    let path = directory.join("manifests").join(id.manifest().to_string());
    let mut manifest = Manifest::from_file(id, &fs::read(&path).unwrap()).unwrap();
    let file = ObjectId::data(id.checkpoint, id.epoch, 0, 1 << 31);
    let data = directory.join("data").join(file.to_string());
    fs::write(&data, content).unwrap();
    let (length, hash) = (content.len() as u64, xxh3_128(&content));
    manifest.files = vec![FileEntry { id: file, length, hash }];
    for operator in manifest.operators.iter_mut().filter(|operator| !operator.states.is_empty()) {
        let states = operator.states.iter_mut().map(|state| {
            state.chains.clear();
            NativeState { name: state.name.clone(), keys: vec![1, 2] }
        });
        operator.natives = vec![NativePart {
            store: "of-rows".to_owned(),
            groups: 0..2,
            states: states.collect(),
            files: vec![NativeFile { name: "rows".to_owned(), file }],
        }];
    }
    fs::write(&path, manifest.to_file()).unwrap();
    data
}

#[test]
fn files_of_a_store_are_verified_and_shown_and_their_rows_refused() {
    let place = tempfile::tempdir().unwrap();
    let directory = checkpoints(place.path());
    let data = made_native(&directory);
    assert_eq!(verified(&directory, &[]).0, 0);
    let shown = |command: &str| {
        let line = format!("holdwater {command} {}", directory.display());
        let mut out = Vec::new();
        let ended = match Arguments::read(line.split_whitespace()).unwrap() {
            Command::Dump(dump) => holdwater_cli::dump::dump(&dump, &mut out),
            Command::Inspect(inspect) => holdwater_cli::inspect::inspect(&inspect, &mut out),
            _ => panic!("{line}"),
        };
        (ended.map_err(|failure| failure.exit_code()), String::from_utf8(out).unwrap())
    };
    let (ended, text) = shown("inspect");
    assert!(ended.is_ok() && text.contains("3 keys in files of a store"), "{text}");
    assert!(text.contains("key groups 0 to 1 are in 1 file of the store of-rows"), "{text}");
    let (ended, text) = shown("inspect --json");
    assert!(ended.is_ok() && text.contains("of-rows"), "{text}");
    assert_eq!(shown("dump --state count").0, Err(3));
    let bytes = fs::read(&data).unwrap();
    for at in [0, 150_000, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&data, changed).unwrap();
        let (code, found) = verified(&directory, &[]);
        assert_eq!(code, 3, "byte {at}: {found}");
        let name = format!("data/{}", data.file_name().unwrap().to_str().unwrap());
        assert_eq!(found["damages"][0]["file"], name, "{found}");
    }
    fs::write(&data, &bytes[1..]).unwrap();
    assert_eq!(verified(&directory, &[]).0, 3);
}
