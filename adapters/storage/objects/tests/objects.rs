//! What only an object store can show; what every storage must do is in the conformance tests.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::Arc;
use std::thread;

use holdwater::storage::{Area, Failure, ObjectId, Storage};
use holdwater_objects::{Cause, Objects, Step};
use tempfile::TempDir;

#[test]
fn memory_is_a_storage() {
    let make = || Objects::open("memory:///checkpoints").unwrap();
    holdwater_conformance::storage::check(make);
    holdwater_conformance::storage::check_clones(make);
    // Each of its snapshot files in parts.
    let make = || make().with_part_bytes(3);
    holdwater_conformance::storage::check(make);
    holdwater_conformance::storage::check_clones(make);
}

#[test]
fn a_directory_by_url_is_a_storage() {
    let mut places = Vec::new();
    let mut make = || {
        places.push(TempDir::new().unwrap());
        Objects::open(&url(places.last().unwrap())).unwrap()
    };
    holdwater_conformance::storage::check(&mut make);
    holdwater_conformance::storage::check_clones(&mut make);
    holdwater_conformance::storage::check(|| make().with_part_bytes(3));
}

#[test]
fn objects_have_the_names_of_a_directory_of_checkpoints() {
    let place = TempDir::new().unwrap();
    let mut objects = Objects::open(&url(&place)).unwrap();
    store(&mut objects, ObjectId::claim(1), b"claim");
    store(&mut objects, ObjectId::data(1, 1, 0, 0), b"data");
    store(&mut objects, ObjectId::draft(1, 1), b"manifest");
    objects.publish(ObjectId::draft(1, 1), ObjectId::manifest(1, 1)).unwrap();
    for (name, content) in [
        ("epochs/e1.claim", "claim"),
        ("data/d1.e1.a0.p0", "data"),
        ("manifests/m1.e1", "manifest"),
    ] {
        assert_eq!(fs::read_to_string(place.path().join(name)).unwrap(), content);
    }
}

#[test]
fn foreign_names_are_passed_over() {
    let place = TempDir::new().unwrap();
    let mut objects = Objects::open(&url(&place)).unwrap();
    let id = ObjectId::manifest(1, 1);
    store(&mut objects, id, b"");
    fs::create_dir(place.path().join("manifests/m2.e1")).unwrap();
    for name in ["m1.e1~", "M1.e1", "notes.txt", "m2.e1/m3.e1"] {
        fs::write(place.path().join("manifests").join(name), b"").unwrap();
    }
    assert_eq!(names(&mut objects, Area::Manifests), [id]);
}

#[test]
fn a_draft_never_reaches_the_store() {
    let place = TempDir::new().unwrap();
    let mut objects = Objects::open(&url(&place)).unwrap();
    let draft = ObjectId::draft(1, 1);
    store(&mut objects, draft, b"manifest");
    assert!(!place.path().join("manifests").exists());
    assert!(matches!(objects.create(draft), Err(Failure::Exists(id)) if id == draft));
    // Another process does not see it.
    assert_eq!(names(&mut Objects::open(&url(&place)).unwrap(), Area::Manifests), []);
    objects.remove(draft).unwrap();
    let published = objects.publish(draft, ObjectId::manifest(1, 1));
    assert!(matches!(published, Err(Failure::Missing(id)) if id == draft));
}

#[test]
fn one_of_many_that_create_an_object_at_once_does() {
    let objects = Objects::open("memory:///").unwrap();
    for epoch in 1..=50 {
        let id = ObjectId::claim(epoch);
        let won = thread::scope(|scope| {
            let rivals: Vec<_> = (0..8_u8)
                .map(|rival| {
                    let mut objects = objects.clone();
                    scope.spawn(move || {
                        let mut file = objects.create(id).unwrap();
                        objects.write(&mut file, b"the same bytes").unwrap();
                        match objects.sync(file) {
                            Ok(()) => true,
                            Err(Failure::Exists(_)) => false,
                            Err(failure) => panic!("rival {rival}: {failure}"),
                        }
                    })
                })
                .collect();
            rivals.into_iter().map(|rival| rival.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "epoch {epoch}: {won:?}");
    }
}

#[test]
fn clones_work_side_by_side_in_several_threads() {
    let objects = Objects::open("memory:///").unwrap().with_part_bytes(1 << 16);
    let bytes: Arc<Vec<u8>> = Arc::new((0..3_000_000_u32).map(|n| (n / 7) as u8).collect());
    thread::scope(|scope| {
        for part in 0..4 {
            let (mut objects, bytes) = (objects.clone(), Arc::clone(&bytes));
            scope.spawn(move || {
                let id = ObjectId::data(1, 1, 0, part);
                store(&mut objects, id, &bytes);
                let mut piece = [0; 99_999];
                let mut read = Vec::new();
                loop {
                    match objects.read(id, read.len() as u64, &mut piece).unwrap() {
                        0 => break,
                        filled => read.extend_from_slice(&piece[..filled]),
                    }
                }
                assert!(read == *bytes);
            });
        }
    });
    assert_eq!(names(&mut objects.clone(), Area::Data).len(), 4);
}

#[test]
fn an_error_is_one_line_that_names_the_step_the_object_the_cause_and_what_to_do() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("file");
    fs::write(&file, b"").unwrap();
    let url = format!("file://{}/checkpoints", file.display());
    let error = Objects::open(&url).unwrap_err();
    assert_eq!((error.step, error.cause), (Step::Open, Cause::Unusable));
    assert_eq!(
        error.to_string(),
        format!(
            "cannot open {url}: Not a directory (os error 20); give a URL such as \
             s3://bucket/path, gs://bucket/path or az://container/path"
        )
    );
}

fn url(place: &TempDir) -> String {
    format!("file://{}", place.path().display())
}

/// Writes an object whole, a few bytes at a time and then the rest.
fn store(objects: &mut Objects, id: ObjectId, content: &[u8]) {
    let mut file = objects.create(id).unwrap();
    let (first, rest) = content.split_at(content.len().min(5));
    objects.write(&mut file, first).unwrap();
    objects.write(&mut file, rest).unwrap();
    objects.sync(file).unwrap();
}

fn names(objects: &mut Objects, area: Area) -> Vec<ObjectId> {
    let mut names = Vec::new();
    objects.list(area, &mut |id| names.push(id)).unwrap();
    names.sort_unstable();
    names
}
