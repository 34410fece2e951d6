//! What every checkpoint storage must do, one step at a time.
//!
//! Loss and failure are the simulator's part; here every step ends as asked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use core::fmt::Debug;
use holdwater::storage::{Area, Failure, ObjectId, Storage};
use std::collections::BTreeSet;

/// Runs every test of storage, each on an empty place that `make` gives.
pub fn check<S: Storage>(mut make: impl FnMut() -> S) {
    an_object_reads_back_as_it_was_written(&mut make());
    an_empty_object_is_an_object(&mut make());
    a_read_ends_where_the_object_ends(&mut make());
    a_name_is_created_once(&mut make());
    a_missing_object_is_reported_as_missing(&mut make());
    publishing_moves_the_draft_to_its_name(&mut make());
    publishing_never_replaces(&mut make());
    publishing_a_missing_draft_is_refused(&mut make());
    a_removed_object_is_gone(&mut make());
    removing_what_is_absent_is_done(&mut make());
    an_area_lists_its_own_objects(&mut make());
    objects_may_be_written_side_by_side(&mut make());
}

/// Runs every test of storage whose handles are cloned to share one place.
pub fn check_clones<S: Storage + Clone>(mut make: impl FnMut() -> S) {
    a_clone_sees_the_same_objects(make());
    a_clone_cannot_create_what_is_there(make());
}

fn an_object_reads_back_as_it_was_written<S: Storage>(storage: &mut S) {
    let id = ObjectId::data(1, 2, 3, 4);
    let mut file = storage.create(id).unwrap();
    storage.write(&mut file, b"state that ").unwrap();
    storage.write(&mut file, b"").unwrap();
    storage.write(&mut file, b"holds water").unwrap();
    storage.sync(file).unwrap();
    storage.sync_area(Area::Data).unwrap();
    assert_eq!(storage.length(id).unwrap(), 22);
    assert_eq!(content(storage, id), b"state that holds water");
}

fn an_empty_object_is_an_object<S: Storage>(storage: &mut S) {
    let id = ObjectId::claim(1);
    store(storage, id, b"");
    assert_eq!(storage.length(id).unwrap(), 0);
    assert_eq!(content(storage, id), b"");
    assert_eq!(names(storage, Area::Epochs), [id]);
}

fn a_read_ends_where_the_object_ends<S: Storage>(storage: &mut S) {
    let id = ObjectId::data(1, 1, 0, 0);
    store(storage, id, b"0123456789");
    let mut read = |offset, length| {
        let mut buffer = vec![b'#'; length];
        let filled = storage.read(id, offset, &mut buffer).unwrap();
        assert!(buffer[filled..].iter().all(|byte| *byte == b'#'), "written behind the end");
        buffer.truncate(filled);
        buffer
    };
    assert_eq!(read(0, 10), b"0123456789");
    assert_eq!(read(0, 4), b"0123");
    assert_eq!(read(3, 4), b"3456");
    assert_eq!(read(3, 0), b"");
    assert_eq!(read(8, 4), b"89", "a range over the end");
    assert_eq!(read(10, 4), b"", "a range from the end on");
    assert_eq!(read(11, 4), b"", "a range behind the end");
    assert_eq!(read(u64::MAX, 4), b"", "a range behind every end");
    assert_eq!(read(1, 2), b"12", "a range further to the front");
}

fn a_name_is_created_once<S: Storage>(storage: &mut S) {
    let id = ObjectId::claim(7);
    store(storage, id, b"first");
    assert_exists(try_to_store(storage, id, b"second"), id);
    assert_eq!(content(storage, id), b"first");
}

fn a_missing_object_is_reported_as_missing<S: Storage>(storage: &mut S) {
    let id = ObjectId::manifest(1, 1);
    store(storage, ObjectId::manifest(1, 2), b"another");
    assert_missing(storage.length(id), id);
    assert_missing(storage.read(id, 0, &mut [0; 4]), id);
}

fn publishing_moves_the_draft_to_its_name<S: Storage>(storage: &mut S) {
    let (draft, id) = (ObjectId::draft(3, 1), ObjectId::manifest(3, 1));
    store(storage, draft, b"manifest");
    // A reader may have the draft open.
    assert_eq!(content(storage, draft), b"manifest");
    storage.publish(draft, id).unwrap();
    storage.sync_area(Area::Manifests).unwrap();
    assert_eq!(names(storage, Area::Manifests), [id]);
    assert_eq!(content(storage, id), b"manifest");
    assert_missing(storage.read(draft, 0, &mut [0; 4]), draft);
}

fn publishing_never_replaces<S: Storage>(storage: &mut S) {
    let (draft, id) = (ObjectId::draft(3, 1), ObjectId::manifest(3, 1));
    store(storage, id, b"the rival's");
    store(storage, draft, b"ours");
    assert_exists(storage.publish(draft, id), id);
    assert_eq!(content(storage, id), b"the rival's");
    assert_eq!(content(storage, draft), b"ours", "nothing was changed");
}

fn publishing_a_missing_draft_is_refused<S: Storage>(storage: &mut S) {
    let (draft, id) = (ObjectId::draft(3, 1), ObjectId::manifest(3, 1));
    assert_missing(storage.publish(draft, id), draft);
    assert_eq!(names(storage, Area::Manifests), []);
}

fn a_removed_object_is_gone<S: Storage>(storage: &mut S) {
    let (id, other) = (ObjectId::data(1, 1, 0, 0), ObjectId::data(1, 1, 0, 1));
    store(storage, id, b"gone");
    store(storage, other, b"kept");
    assert_eq!(content(storage, id), b"gone");
    storage.remove(id).unwrap();
    storage.sync_area(Area::Data).unwrap();
    assert_missing(storage.read(id, 0, &mut [0; 4]), id);
    assert_missing(storage.length(id), id);
    assert_eq!(names(storage, Area::Data), [other]);
    assert_eq!(content(storage, other), b"kept");
}

fn removing_what_is_absent_is_done<S: Storage>(storage: &mut S) {
    for id in [ObjectId::claim(1), ObjectId::data(1, 1, 0, 0), ObjectId::manifest(1, 1)] {
        storage.remove(id).unwrap();
        storage.remove(id).unwrap();
    }
}

fn an_area_lists_its_own_objects<S: Storage>(storage: &mut S) {
    for area in Area::ALL {
        assert_eq!(names(storage, area), []);
    }
    let ids = [
        ObjectId::claim(2),
        ObjectId::record(2),
        ObjectId::data(1, 2, 0, 1),
        ObjectId::data(1, 2, 1, 0),
        ObjectId::manifest(1, 2),
        ObjectId::draft(2, 2),
    ];
    for id in ids {
        store(storage, id, b"");
    }
    for area in Area::ALL {
        let mut own: Vec<_> = ids.into_iter().filter(|id| id.area() == area).collect();
        own.sort_unstable();
        assert_eq!(names(storage, area), own);
    }
}

fn objects_may_be_written_side_by_side<S: Storage>(storage: &mut S) {
    let ids = [ObjectId::data(1, 1, 0, 0), ObjectId::data(1, 1, 0, 1)];
    let mut files = ids.map(|id| storage.create(id).unwrap());
    for round in [b"a", b"b"] {
        for file in &mut files {
            storage.write(file, round).unwrap();
        }
    }
    for file in files {
        storage.sync(file).unwrap();
    }
    // By turns, so that nothing read stays with the wrong object.
    for offset in [0, 1] {
        for id in ids {
            let mut byte = [0];
            assert_eq!(storage.read(id, offset, &mut byte).unwrap(), 1);
            assert_eq!(u64::from(byte[0] - b'a'), offset);
        }
    }
}

fn a_clone_sees_the_same_objects<S: Storage + Clone>(mut storage: S) {
    let mut clone = storage.clone();
    let id = ObjectId::data(1, 1, 0, 0);
    store(&mut storage, id, b"shared");
    assert_eq!(content(&mut clone, id), b"shared");
    assert_eq!(names(&mut clone, Area::Data), [id]);
    drop(storage);
    assert_eq!(content(&mut clone, id), b"shared");
}

fn a_clone_cannot_create_what_is_there<S: Storage + Clone>(mut storage: S) {
    let mut clone = storage.clone();
    let id = ObjectId::claim(1);
    store(&mut storage, id, b"first");
    assert_exists(try_to_store(&mut clone, id, b"first"), id);
    assert_eq!(content(&mut clone, id), b"first");
}

/// Writes an object whole and makes it and its name durable.
fn store<S: Storage>(storage: &mut S, id: ObjectId, content: &[u8]) {
    let mut file = storage.create(id).unwrap();
    storage.write(&mut file, content).unwrap();
    storage.sync(file).unwrap();
    storage.sync_area(id.area()).unwrap();
}

/// Writes an object whole. Where objects appear as a whole, a name that is taken shows at the end.
fn try_to_store<S: Storage>(
    storage: &mut S,
    id: ObjectId,
    content: &[u8],
) -> Result<(), Failure<S::Error>> {
    let mut file = storage.create(id)?;
    storage.write(&mut file, content)?;
    storage.sync(file)
}

/// Reads an object whole.
fn content<S: Storage>(storage: &mut S, id: ObjectId) -> Vec<u8> {
    let length = storage.length(id).unwrap();
    let mut content = vec![0; length.try_into().unwrap()];
    assert_eq!(storage.read(id, 0, &mut content).unwrap(), content.len());
    content
}

/// Returns the ids in an area in order, each of which must be shown once.
fn names<S: Storage>(storage: &mut S, area: Area) -> Vec<ObjectId> {
    let mut names = BTreeSet::new();
    storage.list(area, &mut |id| assert!(names.insert(id), "{id} is shown twice")).unwrap();
    names.into_iter().collect()
}

fn assert_exists<T: Debug, E: Debug>(outcome: Result<T, Failure<E>>, id: ObjectId) {
    assert!(matches!(outcome, Err(Failure::Exists(there)) if there == id), "{outcome:?}");
}

fn assert_missing<T: Debug, E: Debug>(outcome: Result<T, Failure<E>>, id: ObjectId) {
    assert!(matches!(outcome, Err(Failure::Missing(absent)) if absent == id), "{outcome:?}");
}
