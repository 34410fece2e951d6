//! Requests fail, before they take effect or after it; what was asked for is done once or not at
//! all, and nobody is told otherwise.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod faulty;
mod job;

use std::time::Duration;

use faulty::{Fault, Faulty};
use holdwater::storage::{Failure, ObjectId, Storage};
use holdwater_objects::{Cause, Objects, ObjectsError, Patience};

/// Asks again and again, without waiting.
const PATIENT: Patience =
    Patience { first: Duration::ZERO, longest: Duration::ZERO, within: Duration::from_secs(600) };

fn objects(store: &Faulty, patience: Patience) -> Objects {
    Objects::on(store.clone(), "path", "memory:///path").unwrap().with_patience(patience)
}

fn store(objects: &mut Objects, id: ObjectId, content: &[u8]) -> Result<(), Failure<ObjectsError>> {
    let mut file = objects.create(id)?;
    objects.write(&mut file, content)?;
    objects.sync(file)
}

/// Reads an object without faults; `None` if there is none.
fn content(store: &Faulty, id: ObjectId) -> Option<Vec<u8>> {
    let mut objects = objects(&store.sound(), Patience::NONE);
    let length = match objects.length(id) {
        Ok(length) => length,
        Err(Failure::Missing(_)) => return None,
        Err(failure) => panic!("{failure}"),
    };
    let mut content = vec![0; length as usize];
    assert_eq!(objects.read(id, 0, &mut content).unwrap(), content.len());
    Some(content)
}

/// Fails the requests that come next, after `sound` ones.
fn script(store: &Faulty, sound: usize, faults: &[Fault]) {
    let sound = std::iter::repeat_n(None, sound);
    store.faults(|state| state.script = sound.chain(faults.iter().copied().map(Some)).collect());
}

const MANIFEST: ObjectId = ObjectId::manifest(1, 1);
const DRAFT: ObjectId = ObjectId::draft(1, 1);

/// Publishes a manifest whose requests fail so.
fn publish(
    faulty: &Faulty,
    patience: Patience,
    faults: &[Fault],
) -> Result<(), Failure<ObjectsError>> {
    let mut objects = objects(faulty, patience);
    store(&mut objects, DRAFT, b"manifest").unwrap();
    script(faulty, 0, faults);
    let published = objects.publish(DRAFT, MANIFEST);
    script(faulty, 0, &[]);
    published
}

#[test]
fn a_lost_reply_neither_fails_a_publication_nor_repeats_it() {
    for patience in [PATIENT, Patience::NONE] {
        let faulty = Faulty::new(0);
        publish(&faulty, patience, &[Fault::Lost]).unwrap();
        assert_eq!(content(&faulty, MANIFEST).unwrap(), b"manifest");
        assert_eq!(faulty.faults(|faults| faults.created.clone()).into_values().max(), Some(1));
    }
}

#[test]
fn a_publication_goes_on_until_the_store_recovers() {
    let faulty = Faulty::new(0);
    let storm =
        [Fault::Status(503), Fault::Vanished, Fault::Status(500), Fault::Unsent, Fault::Lost];
    publish(&faulty, PATIENT, &storm.repeat(20)).unwrap();
    assert_eq!(content(&faulty, MANIFEST).unwrap(), b"manifest");
    assert_eq!(faulty.faults(|faults| faults.created.clone()).into_values().max(), Some(1));
}

#[test]
fn a_rivals_manifest_is_not_taken_for_ones_own_though_its_bytes_are_the_same() {
    for faults in [&[][..], &[Fault::Vanished], &[Fault::Lost], &[Fault::Status(500)]] {
        let faulty = Faulty::new(0);
        publish(&faulty, PATIENT, &[]).unwrap();
        let published = publish(&faulty, PATIENT, faults);
        assert!(matches!(published, Err(Failure::Exists(MANIFEST))), "{faults:?}: {published:?}");
    }
}

#[test]
fn what_had_no_answer_and_is_not_there_is_unknown() {
    let faulty = Faulty::new(0);
    let Err(Failure::Unknown(error)) = publish(&faulty, Patience::NONE, &[Fault::Vanished]) else {
        panic!("it may still be under way");
    };
    assert_eq!(error.cause, Cause::Silent);
    assert_eq!(
        error.to_string(),
        "cannot publish memory:///path/manifests/m1.e1: no answer: timed out; check the endpoint \
         and the network, then try again"
    );
    // Not even looking was possible.
    let faulty = Faulty::new(0);
    let published = publish(&faulty, Patience::NONE, &[Fault::Lost, Fault::Unsent]);
    assert!(matches!(published, Err(Failure::Unknown(_))), "{published:?}");
    assert!(content(&faulty, MANIFEST).is_some());
}

#[test]
fn what_was_refused_or_never_sent_is_not_done() {
    for fault in [Fault::Status(500), Fault::Status(503), Fault::Unsent, Fault::Status(400)] {
        let faulty = Faulty::new(0);
        let published = publish(&faulty, Patience::NONE, &[fault]);
        assert!(matches!(published, Err(Failure::NotDone(_))), "{fault:?}: {published:?}");
        assert_eq!(content(&faulty, MANIFEST), None);
        // The draft is still there, and the next try is as good as the first.
        publish(&faulty, PATIENT, &[]).unwrap();
    }
}

#[test]
fn a_store_that_passes_over_the_condition_is_refused_at_the_claim() {
    let faulty = Faulty::new(0);
    faulty.faults(|faults| faults.blind = true);
    let mut objects = objects(&faulty, PATIENT);
    let claimed = store(&mut objects, ObjectId::claim(1), b"claim");
    let Err(Failure::NotDone(error)) = claimed else { panic!("{claimed:?}") };
    assert_eq!(error.cause, Cause::NoFence);
    assert_eq!(
        error.to_string(),
        "cannot write memory:///path/epochs/e1.claim: it created an object twice, so that two jobs \
         could publish; choose a store that honours If-None-Match"
    );
}

#[test]
fn reads_and_removals_are_repeated_and_what_is_missing_is_told() {
    let faulty = Faulty::new(0);
    let mut patient = objects(&faulty, PATIENT);
    store(&mut patient, MANIFEST, b"manifest").unwrap();
    let storm = [Fault::Status(503), Fault::Vanished, Fault::Unsent, Fault::Lost].repeat(5);
    script(&faulty, 0, &storm);
    let mut buffer = [0; 8];
    assert_eq!(patient.read(MANIFEST, 0, &mut buffer).unwrap(), 8);
    assert_eq!(&buffer, b"manifest");
    script(&faulty, 0, &storm);
    let mut found = Vec::new();
    patient.list(MANIFEST.area(), &mut |id| found.push(id)).unwrap();
    assert_eq!(found, [MANIFEST]);
    script(&faulty, 0, &storm);
    patient.remove(MANIFEST).unwrap();
    assert_eq!(content(&faulty, MANIFEST), None);
    script(&faulty, 0, &storm);
    assert!(matches!(patient.length(MANIFEST), Err(Failure::Missing(MANIFEST))));
}

#[test]
fn an_upload_in_parts_ends_complete_or_given_up_wherever_it_is_cut() {
    let id = ObjectId::data(1, 1, 0, 0);
    let bytes: Vec<u8> = (0..95).collect();
    // Begin, 10 parts, look, complete.
    for cut in 0..13 {
        for fault in [Fault::Status(500), Fault::Vanished, Fault::Unsent, Fault::Lost] {
            let faulty = Faulty::new(0);
            let mut objects = objects(&faulty, Patience::NONE).with_part_bytes(10);
            script(&faulty, cut, &[fault]);
            let stored = store(&mut objects, id, &bytes);
            let told = format!("{fault:?} at {cut}: {stored:?}");
            let open = faulty.faults(|faults| faults.uploads.len());
            match &stored {
                Ok(()) => assert_eq!(content(&faulty, id).as_ref(), Some(&bytes), "{told}"),
                Err(Failure::NotDone(_)) => assert_eq!(content(&faulty, id), None, "{told}"),
                Err(Failure::Unknown(_)) => {
                    assert_eq!((cut, fault), (12, Fault::Vanished), "{told}");
                }
                Err(_) => panic!("{told}"),
            }
            // Only of what nobody knows, and of one whose number was lost, parts may be left.
            let lost = (cut, fault) == (0, Fault::Lost);
            assert!(open == 0 || lost || matches!(stored, Err(Failure::Unknown(_))), "{told}");
        }
    }
}

#[test]
fn an_upload_that_is_dropped_is_given_up() {
    let faulty = Faulty::new(0);
    let mut objects = objects(&faulty, PATIENT).with_part_bytes(10);
    let mut file = objects.create(ObjectId::data(1, 1, 0, 0)).unwrap();
    objects.write(&mut file, &[7; 45]).unwrap();
    assert_eq!(faulty.faults(|faults| faults.uploads.len()), 1);
    drop(file);
    assert_eq!(faulty.faults(|faults| faults.uploads.len()), 0);
}

#[test]
fn a_part_that_fails_is_sent_again_and_the_object_is_what_was_written() {
    for seed in 0..200 {
        let faulty = Faulty::new(seed);
        faulty.faults(|faults| (faults.before, faults.after) = (30, 20));
        let mut objects = objects(&faulty, PATIENT).with_part_bytes(10);
        let bytes: Vec<u8> = (0..seed as u8).collect();
        let id = ObjectId::data(1, 1, 0, 0);
        store(&mut objects, id, &bytes).unwrap();
        assert_eq!(content(&faulty, id).unwrap(), bytes, "seed {seed}");
    }
}
