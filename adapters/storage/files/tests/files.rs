//! What only a directory can show; what every storage must do is in the conformance tests.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use holdwater::storage::{Area, Failure, ObjectId, Storage};
use holdwater_files::{Files, FilesError, LockError, Step};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::thread;
use tempfile::TempDir;

#[test]
fn files_are_a_storage() {
    let mut places = Vec::new();
    let mut make = || {
        places.push(TempDir::new().unwrap());
        Files::open(places.last().unwrap().path()).unwrap()
    };
    holdwater_conformance::storage::check(&mut make);
    holdwater_conformance::storage::check_clones(make);
}

#[test]
fn opening_makes_the_directory_its_parents_and_its_areas() {
    let place = TempDir::new().unwrap();
    let directory = place.path().join("a/b/checkpoints");
    let files = Files::open(&directory).unwrap();
    assert_eq!(files.directory(), directory);
    for area in Area::ALL {
        assert!(directory.join(area.name()).is_dir());
    }
    drop(Files::open(&directory).unwrap());
}

#[test]
fn a_handle_opened_later_sees_all_that_was_stored() {
    let place = TempDir::new().unwrap();
    let ids = [ObjectId::claim(1), ObjectId::data(1, 1, 0, 0), ObjectId::manifest(1, 1)];
    let mut files = Files::open(place.path()).unwrap();
    for id in ids {
        store(&mut files, id, id.to_string().as_bytes());
    }
    drop(files);
    for mut files in
        [Files::open(place.path()), Files::open_existing(place.path())].map(Result::unwrap)
    {
        for id in ids {
            assert_eq!(names(&mut files, id.area()), [id]);
            assert_eq!(content(&mut files, id), id.to_string().as_bytes());
        }
    }
}

#[test]
fn a_draft_that_was_left_behind_is_listed_and_can_be_swept() {
    let place = TempDir::new().unwrap();
    let draft = ObjectId::draft(4, 2);
    let mut files = Files::open(place.path()).unwrap();
    let mut file = files.create(draft).unwrap();
    files.write(&mut file, b"half a mani").unwrap();
    drop((file, files));

    let mut files = Files::open(place.path()).unwrap();
    assert_eq!(names(&mut files, Area::Manifests), [draft]);
    files.remove(draft).unwrap();
    assert_eq!(names(&mut files, Area::Manifests), []);
}

#[test]
fn foreign_names_are_passed_over() {
    let place = TempDir::new().unwrap();
    let mut files = Files::open(place.path()).unwrap();
    let id = ObjectId::manifest(1, 1);
    store(&mut files, id, b"");
    for name in ["m1.e1~", ".m1.e1.swp", "M1.e1", "m01.e1", "notes.txt"] {
        fs::write(place.path().join("manifests").join(name), b"").unwrap();
    }
    assert_eq!(names(&mut files, Area::Manifests), [id]);
}

#[test]
fn only_its_owner_may_read_what_is_stored() {
    let place = TempDir::new().unwrap();
    let directory = place.path().join("checkpoints");
    let mut files = Files::open(&directory).unwrap();
    store(&mut files, ObjectId::claim(1), b"");
    let _lock = files.lock().unwrap();
    let mode = |name| fs::metadata(directory.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("data"), 0o700);
    assert_eq!(mode("epochs/e1.claim"), 0o600);
    assert_eq!(mode("LOCK"), 0o600);
}

#[test]
fn links_are_not_followed() {
    let place = TempDir::new().unwrap();
    let directory = place.path().join("checkpoints");
    let mut files = Files::open(&directory).unwrap();
    let secret = place.path().join("secret");
    fs::write(&secret, b"of another user").unwrap();
    let id = ObjectId::data(1, 1, 0, 0);
    symlink(&secret, directory.join("data/d1.e1.a0.p0")).unwrap();

    assert_eq!(not_done(files.read(id, 0, &mut [0; 8])).step, Step::Open);
    assert_eq!(not_done(files.length(id)).step, Step::Open);
    assert!(matches!(files.create(id), Err(Failure::Exists(_))));
    files.remove(id).unwrap();
    assert_eq!(fs::read(&secret).unwrap(), b"of another user");

    fs::remove_dir(directory.join("data")).unwrap();
    symlink(place.path(), directory.join("data")).unwrap();
    assert_eq!(Files::open(&directory).unwrap_err().step, Step::Open);
}

#[test]
fn only_regular_files_are_opened() {
    let place = TempDir::new().unwrap();
    let mut files = Files::open(place.path()).unwrap();
    let id = ObjectId::data(1, 1, 0, 0);
    let path = place.path().join("data/d1.e1.a0.p0");
    fs::create_dir(&path).unwrap();
    let error = not_done(files.read(id, 0, &mut [0; 8]));
    assert_eq!(error.to_string(), format!("cannot open {}: not a regular file", path.display()));

    // A pipe that nobody writes to must not make the reader wait.
    fs::remove_dir(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert_eq!(not_done(files.read(id, 0, &mut [0; 8])).to_string(), error.to_string());
}

#[test]
fn a_reader_creates_nothing() {
    let place = TempDir::new().unwrap();
    let absent = place.path().join("absent");
    assert_eq!(Files::open_existing(&absent).unwrap_err().source.kind(), ErrorKind::NotFound);
    assert!(!absent.exists());

    let error = Files::open_existing(place.path()).unwrap_err();
    assert_eq!((error.step, error.path), (Step::Open, place.path().join("manifests")));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn an_area_lost_in_copying_has_no_objects() {
    let place = TempDir::new().unwrap();
    drop(Files::open(place.path()).unwrap());
    fs::remove_dir(place.path().join("data")).unwrap();
    let mut files = Files::open_existing(place.path()).unwrap();
    let id = ObjectId::data(1, 1, 0, 0);
    assert_eq!(names(&mut files, Area::Data), []);
    assert!(matches!(files.length(id), Err(Failure::Missing(_))));
    assert_eq!(not_done(files.create(id)).step, Step::Create);
    files.remove(id).unwrap();
}

#[test]
fn an_error_is_one_line_that_names_the_step_the_file_and_the_cause() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Files::open(file.join("checkpoints")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot create {}/checkpoints: Not a directory (os error 20)", file.display())
    );

    let directory = place.path().join("checkpoints");
    let mut files = Files::open(&directory).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    let failure = files.create(ObjectId::claim(1)).unwrap_err();
    assert_eq!(
        failure.to_string(),
        format!(
            "cannot create {}/epochs/e1.claim: No such file or directory (os error 2)",
            directory.display()
        )
    );
}

#[test]
fn clones_work_side_by_side_in_several_threads() {
    let place = TempDir::new().unwrap();
    let mut files = Files::open(place.path()).unwrap();
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    thread::scope(|scope| {
        for part in 0..4 {
            let (mut files, bytes) = (files.clone(), &bytes);
            scope.spawn(move || {
                let id = ObjectId::data(1, 1, 0, part);
                store(&mut files, id, bytes);
                let mut piece = [0; 999];
                let mut read = Vec::new();
                loop {
                    match files.read(id, read.len() as u64, &mut piece).unwrap() {
                        0 => break,
                        filled => read.extend_from_slice(&piece[..filled]),
                    }
                }
                assert!(read == *bytes);
            });
        }
    });
    assert_eq!(names(&mut files, Area::Data).len(), 4);
}

#[test]
fn a_second_lock_is_refused_until_the_first_is_dropped() {
    let place = TempDir::new().unwrap();
    let (one, other) = (Files::open(place.path()).unwrap(), Files::open(place.path()).unwrap());
    let lock = one.lock().unwrap();
    for files in [&one, &other] {
        let error = files.lock().unwrap_err();
        assert!(matches!(&error, LockError::Busy { directory } if directory == place.path()));
        assert_eq!(
            error.to_string(),
            format!(
                "{} is in use by another process: stop it or choose another directory",
                place.path().display()
            )
        );
    }
    drop(lock);
    drop(other.lock().unwrap());
}

#[test]
fn readers_need_no_lock() {
    let place = TempDir::new().unwrap();
    let mut files = Files::open(place.path()).unwrap();
    let _lock = files.lock().unwrap();
    store(&mut files, ObjectId::claim(1), b"");
    let mut reader = Files::open_existing(place.path()).unwrap();
    assert_eq!(names(&mut reader, Area::Epochs), [ObjectId::claim(1)]);
}

/// Writes an object whole and makes it and its name durable.
fn store(files: &mut Files, id: ObjectId, content: &[u8]) {
    let mut file = files.create(id).unwrap();
    files.write(&mut file, content).unwrap();
    files.sync(file).unwrap();
    files.sync_area(id.area()).unwrap();
}

fn content(files: &mut Files, id: ObjectId) -> Vec<u8> {
    let mut content = vec![0; files.length(id).unwrap().try_into().unwrap()];
    assert_eq!(files.read(id, 0, &mut content).unwrap(), content.len());
    content
}

fn names(files: &mut Files, area: Area) -> Vec<ObjectId> {
    let mut names = Vec::new();
    files.list(area, &mut |id| names.push(id)).unwrap();
    names.sort_unstable();
    names
}

fn not_done<T>(outcome: Result<T, Failure<FilesError>>) -> FilesError {
    match outcome {
        Err(Failure::NotDone(error)) => error,
        Err(failure) => panic!("{failure}"),
        Ok(_) => panic!("it was done"),
    }
}
