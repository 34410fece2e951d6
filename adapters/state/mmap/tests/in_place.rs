//! What is restored is read in the files of the checkpoint, where it lies.

#![allow(clippy::unwrap_used)]

mod place;

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use holdwater::checkpoint::{Config, Solo, SoloError, SoloJob};
use holdwater::error::{ErrorKind, StateError};
use holdwater::key::KeyGroups;
use holdwater::state::{Backend, Descriptor, List, Map, State, Value};
use holdwater::ttl::Ttl;
use holdwater_conformance::keyed::Sole;
use holdwater_files::Files;
use holdwater_mmap::{Mmap, MmapError, MmapList, MmapMap, MmapValue};
use tempfile::TempDir;

use place::directory;

const GROUPS: u16 = 8;
const ROWS: u64 = 2000;

fn groups() -> KeyGroups {
    KeyGroups::all(GROUPS)
}

fn store() -> Mmap {
    Mmap::new(groups(), directory())
}

fn job() -> SoloJob {
    let config = Config { retain: 2, full_every: 4 };
    SoloJob { id: 1, operator: "job".into(), key_groups: GROUPS, config }
}

fn text(key: u64, round: u64) -> String {
    format!("{key} in round {round} ").repeat(8)
}

fn texts(store: &mut Mmap) -> Sole<MmapValue<u64, String>> {
    Sole(store.value(Descriptor::new("texts")).unwrap())
}

fn open<S: holdwater::state::States<Error = MmapError>>(
    directory: &TempDir,
    states: &mut S,
) -> Solo<Files> {
    Solo::open(Files::open(directory.path()).unwrap(), job(), states).unwrap()
}

/// Returns a directory with a checkpoint of `ROWS` texts.
fn checkpoint() -> TempDir {
    let directory = tempfile::tempdir_in(directory()).unwrap();
    let mut state = texts(&mut store());
    let mut solo = open(&directory, &mut state);
    for key in 0..ROWS {
        state.put(groups().locate::<u64>(key), text(key, 0)).unwrap();
    }
    solo.checkpoint(&mut state, b"", 0).unwrap();
    directory
}

/// Returns the file with the rows of a checkpoint that is the only one.
fn rows_file(directory: &TempDir) -> PathBuf {
    let mut files = fs::read_dir(directory.path().join("data")).unwrap();
    files.next().unwrap().unwrap().path()
}

/// Changes one byte of a file.
fn damage(path: &PathBuf, at: u64) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
}

#[test]
fn rows_are_read_and_changed_without_having_been_loaded() {
    let directory = checkpoint();
    for round in 1..9 {
        let mut store = store();
        let mut state = texts(&mut store);
        let mut solo = open(&directory, &mut state);
        // A bit for each row, and what changed since the full checkpoint.
        assert!(store.memory() < 300_000, "{} bytes in round {round}", store.memory());
        assert_eq!(state.rows(), ROWS);
        let newest = |key| if key % 7 == 3 { round - 1 } else { 0 };
        for key in 0..ROWS {
            let value = state.get(groups().locate::<u64>(key)).unwrap();
            assert_eq!(value.as_deref(), Some(&text(key, newest(key))), "{key} in round {round}");
        }
        for key in (0..ROWS).filter(|key| key % 7 == 3) {
            state.put(groups().locate::<u64>(key), text(key, round)).unwrap();
        }
        assert_eq!(state.rows(), ROWS);
        solo.checkpoint(&mut state, b"", 0).unwrap();
    }
}

#[test]
fn lists_and_maps_are_read_and_changed_without_having_been_loaded() {
    let directory = tempfile::tempdir_in(directory()).unwrap();
    for round in 0..6 {
        let mut store = store();
        let mut list: Sole<MmapList<u64, u64>> = Sole(store.list(Descriptor::new("list")).unwrap());
        let mut solo = open(&directory, &mut list);
        for key in 0..300u64 {
            let at = groups().locate::<u64>(key);
            let mut found = Vec::new();
            let visited = list.items(at, |item| {
                found.push(*item);
                std::ops::ControlFlow::Continue(())
            });
            visited.unwrap();
            let rounds = (0..round).filter(|round| key % (round + 1) == 0);
            let expected: Vec<u64> = rounds.flat_map(|round| round * 10..round * 10 + 5).collect();
            assert_eq!((found, list.len(at).unwrap()), (expected.clone(), expected.len() as u64));
            if key % (round + 1) == 0 {
                (round * 10..round * 10 + 5).for_each(|item| list.push(at, item).unwrap());
            }
        }
        solo.checkpoint(&mut list, b"", 0).unwrap();
    }
    let directory = tempfile::tempdir_in(place::directory()).unwrap();
    for round in 0..6 {
        let mut store = store();
        let mut map: Sole<MmapMap<u64, u64, u64>> =
            Sole(store.map(Descriptor::new("map")).unwrap());
        let mut solo = open(&directory, &mut map);
        for key in 0..50u64 {
            let at = groups().locate::<u64>(key);
            assert_eq!(map.len(at).unwrap(), if round > 0 { 60 } else { 0 });
            for field in 0..60 {
                let before = map.get(at, field).unwrap().as_deref().copied();
                // Of some keys some fields are changed in each round.
                let changes = key % 3 == 0 && field % 2 == 1;
                let expected = key + if changes { round } else { 1 };
                assert_eq!(before, (round > 0).then_some(expected));
                if round == 0 || changes {
                    map.update(at, field, || key, |value| *value += 1).unwrap();
                }
            }
        }
        solo.checkpoint(&mut map, b"", 0).unwrap();
    }
}

#[test]
fn what_has_expired_in_a_file_is_left_out_and_swept() {
    let directory = tempfile::tempdir_in(directory()).unwrap();
    let ttl = Ttl::processing(Duration::from_millis(1000));
    let descriptor = || Descriptor::<u64, u64>::new("value");
    let mut state = Sole(ttl.value(&mut store(), descriptor()).unwrap());
    let mut solo = open(&directory, &mut state);
    for key in 0..ROWS {
        state.put(groups().locate::<u64>(key), key, key as i64).unwrap();
    }
    solo.checkpoint(&mut state, b"", 0).unwrap();
    let mut state = Sole(ttl.value(&mut store(), descriptor()).unwrap());
    open(&directory, &mut state);
    let mut steps = 0;
    while state.0.sweep(1000 + 99, 1).unwrap() > 0 {
        steps += 1;
        assert!(steps < 1000, "a sweep ends");
    }
    assert_eq!(state.rows(), ROWS - 100);
    for key in 0..ROWS {
        let value = state.get(groups().locate::<u64>(key), 500).unwrap();
        assert_eq!(value.as_deref().copied(), (key >= 100).then_some(key));
    }
}

#[test]
fn a_file_of_which_little_is_left_is_let_go() {
    let directory = checkpoint();
    let mut store = store().with_segment_bytes(1 << 18);
    let mut state = texts(&mut store);
    open(&directory, &mut state);
    let before = state.bytes();
    assert!(before > ROWS * 100, "{before}");
    for round in 1..20 {
        for key in (0..ROWS).filter(|key| key % 5 > 0) {
            state.put(groups().locate::<u64>(key), text(key, round)).unwrap();
        }
        while state.sweep(0, 10).unwrap() > 0 {}
    }
    // The rows, and up to as many that are not used any more.
    assert!(state.bytes() < 3 * before, "{before}, {}", state.bytes());
    for key in 0..ROWS {
        let value = state.get(groups().locate::<u64>(key)).unwrap();
        assert_eq!(value.as_deref(), Some(&text(key, if key % 5 > 0 { 19 } else { 0 })));
    }
}

#[test]
fn damage_is_an_error_of_the_rows_it_hit_and_of_the_next_checkpoint() {
    for maps in [true, false] {
        let directory = checkpoint();
        let path = rows_file(&directory);
        let length = fs::metadata(&path).unwrap().len();
        let mut restored = 0;
        // Rows of the first part, and far behind: where those of some group lie.
        for at in [70_000, length / 2, length - length / 8] {
            damage(&path, at);
            let store = store();
            let mut store = if maps { store } else { store.with_positional_reads() };
            let mut state = texts(&mut store);
            let opened = Solo::open(Files::open(directory.path()).unwrap(), job(), &mut state);
            // The head of a locator is read at once: then the checkpoint is not restored.
            let Some(mut solo) = opened.ok().filter(|solo| solo.position().is_some()) else {
                damage(&path, at);
                continue;
            };
            restored += 1;
            let mut refused = 0;
            for key in 0..ROWS {
                match state.get(groups().locate::<u64>(key)) {
                    Ok(value) => assert_eq!(value.as_deref(), Some(&text(key, 0))),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Corrupt);
                        refused += 1;
                    }
                }
            }
            assert!((1..ROWS / 2).contains(&refused), "{refused} rows for byte {at}");
            match solo.checkpoint(&mut state, b"", 0) {
                Err(SoloError::State(error)) => assert_eq!(error.kind(), ErrorKind::Corrupt),
                other => panic!("{other:?}"),
            }
            damage(&path, at);
        }
        assert!(restored > 0, "rows were damaged");
    }
}
