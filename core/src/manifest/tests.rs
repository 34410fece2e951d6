use super::*;
use crate::error::{Fault, Malformed};
use crate::page::{HEADER_LEN, RestoreBudget, SEAL_LEN};
use crate::state::TimeDomain;
use core::ops::Range;
use proptest::prelude::*;
use std::string::ToString;
use std::vec;

const fn id(checkpoint: u64, epoch: u64) -> CheckpointId {
    CheckpointId { checkpoint, epoch }
}

fn part(file: ObjectId, offset: u64, shape: PartShape) -> Part {
    let written = id(file.checkpoint, file.epoch);
    Part { file, offset, length: 100, state: 1, shape, rows: 5, written }
}

fn operator(name: &str, parallelism: u16, states: Vec<StateEntry>) -> OperatorEntry {
    OperatorEntry { name: name.to_string(), parallelism, states, natives: vec![] }
}

/// A native part of groups that no chain of the manifest has.
fn native(groups: Range<u16>) -> NativePart {
    let (old, new) = (ObjectId::data(7, 1, 0, 3), ObjectId::data(9, 2, 1, 0));
    let file = |name: &str, file| NativeFile { name: name.to_string(), file };
    let files = vec![file("000007.sst", old), file("CURRENT", new)];
    let keys = groups.clone().map(u64::from).collect();
    let states = vec![NativeState { name: "seen".to_string(), keys }];
    NativePart { store: "rocksdb".to_string(), groups, files, states }
}

/// A manifest with one of everything but native parts: checkpoint 9 of epoch 2, on a full one of
/// epoch 1.
fn manifest() -> Manifest {
    let (old, new) = (ObjectId::data(7, 1, 0, 3), ObjectId::data(9, 2, 1, 0));
    let full = part(old, 64, PartShape::Full { digest: 77 });
    let delta = part(new, 128, PartShape::Delta { base: id(7, 1) });
    let schema = StateSchema {
        kind: 3,
        encoding: Encoding::Postcard,
        expiry: None,
        key: vec![1],
        window: vec![],
        field: vec![2, 3],
        value: vec![4],
    };
    let chains = vec![
        Chain { group: 0, parts: vec![full, delta] },
        Chain { group: 127, parts: vec![Part { offset: 300, ..delta }] },
    ];
    let moment = Moment { now: 1_700_000_000_001, watermark: i64::MIN };
    let seen = StateEntry { name: "seen".to_string(), schema: schema.clone(), moment, chains };
    let expiry = Some(Expiry { domain: TimeDomain::Event, duration_ms: i64::MAX });
    let schema = StateSchema { expiry, ..schema };
    let sum = StateEntry { name: "sum".to_string(), schema, moment, chains: vec![] };
    let operator = operator("totals", 4, vec![seen, sum]);
    Manifest {
        job: 0x1234,
        id: id(9, 2),
        kind: CheckpointKind::Checkpoint,
        created_ms: 1_700_000_000_000,
        signature: b"keys=origin".to_vec(),
        parent: Some(id(7, 1)),
        origin: Origin::Restored(id(7, 1)),
        depth: 1,
        key_groups: 128,
        hash_function: 1,
        files: [(old, 5), (new, 6)].map(|(id, hash)| FileEntry { id, length: 4096, hash }).to_vec(),
        operators: vec![operator],
        sources: vec![SourceEntry { name: "input".to_string(), position: vec![9; 9] }],
        sinks: vec![SinkEntry {
            name: "output".to_string(),
            transactions: vec![vec![1], vec![]],
            committed: vec![8],
        }],
        counters: vec![("bad rows".to_string(), 3), ("late rows".to_string(), 0)],
    }
}

fn body(manifest: &Manifest) -> Vec<u8> {
    encode::to_bytes(|out| manifest.encode(out))
}

fn decode_changed(change: impl FnOnce(&mut Manifest)) -> Result<Manifest, Fault> {
    let mut manifest = manifest();
    change(&mut manifest);
    Manifest::decode(manifest.job, manifest.id, &body(&manifest)).map_err(|error| error.fault)
}

#[test]
fn a_checkpoint_is_named_by_its_number_and_its_epoch() {
    let id = id(7, 2);
    assert_eq!(id.to_string(), "7.e2");
    assert_eq!("7.e2".parse(), Ok(id));
    for name in ["", "7", "07.e2", "7.e2.draft", "e2.claim", "m7.e2"] {
        assert!(name.parse::<CheckpointId>().is_err(), "{name}");
    }
}

#[test]
fn a_manifest_reads_back() {
    assert_eq!(decode_changed(|_| ()), Ok(manifest()));
    for origin in [Origin::Fresh, Origin::Imported { job: u128::MAX, id: id(1, 1) }] {
        assert_eq!(decode_changed(|manifest| manifest.origin = origin).unwrap().origin, origin);
    }
    let file = manifest().to_file();
    assert_eq!(Manifest::from_file(id(9, 2), &file), Ok(manifest()));
}

#[test]
fn native_parts_read_back_and_a_group_has_one_place() {
    let with = |groups: &[(u16, u16)]| {
        let natives: Vec<_> = groups.iter().map(|(start, end)| native(*start..*end)).collect();
        let decoded = decode_changed(|m| m.operators[0].natives = natives.clone());
        decoded.map(|decoded| assert_eq!(decoded.operators[0].natives, natives))
    };
    assert_eq!(with(&[(1, 2), (2, 100), (100, 127)]), Ok(()));
    assert_eq!(with(&[(0, 2)]), Err(Fault::Duplicate));
    assert_eq!(with(&[(1, 128)]), Err(Fault::Duplicate));
    assert_eq!(with(&[(1, 9), (8, 10)]), Err(Fault::Duplicate));
    assert_eq!(with(&[(1, 9), (7, 10)]), Err(Fault::Range));
    assert_eq!(with(&[(8, 10), (1, 8)]), Err(Fault::Range));
    assert_eq!(with(&[(1, 1)]), Err(Fault::Range));
    assert_eq!(with(&[(1, 129)]), Err(Fault::Range));
    let mut twice = native(1..3);
    twice.files.swap(0, 1);
    assert_eq!(decode_changed(|m| m.operators[0].natives = vec![twice]), Err(Fault::Range));
    let mut files = manifest();
    files.operators[0].natives = vec![native(1..3)];
    assert_eq!(files.native_files(), BTreeSet::from([7, 9].map(|n| files.files[n / 8].id)));
    let body = body(&files);
    for end in 0..body.len() {
        let cut = Manifest::decode(1, id(9, 2), &body[..end]);
        // Without its native parts it is another manifest.
        assert!(cut.is_err() || cut == Ok(Manifest { job: 1, ..manifest() }), "{end}");
    }
}

#[test]
fn a_manifest_longer_than_a_block_reads_back() {
    let mut large = manifest();
    large.signature = vec![7; 200_000];
    assert_eq!(Manifest::from_file(large.id, &large.to_file()), Ok(large));
}

#[test]
fn every_truncation_of_a_body_is_refused() {
    let body = body(&manifest());
    for end in 0..body.len() {
        assert!(Manifest::decode(1, id(9, 2), &body[..end]).is_err(), "{end}");
    }
    let longer = [&body[..], &[0]].concat();
    let trailing = Malformed::new(Fault::Trailing, body.len() as u64);
    assert_eq!(Manifest::decode(1, id(9, 2), &longer), Err(trailing));
}

#[test]
fn every_changed_byte_and_every_truncation_of_a_file_is_found() {
    let file = manifest().to_file();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(Manifest::from_file(id(9, 2), &changed).is_err(), "byte {at}");
        assert!(Manifest::from_file(id(9, 2), &file[..at]).is_err(), "length {at}");
    }
}

#[test]
fn a_file_under_the_name_of_another_is_refused() {
    let file = manifest().to_file();
    let identity = Malformed::new(Fault::Identity, 0);
    assert_eq!(Manifest::from_file(id(9, 3), &file), Err(identity));
    assert_eq!(Manifest::from_file(id(8, 2), &file), Err(identity));
    assert_eq!(Manifest::from_file(id(0, 2), &claim_file(1, 2)), Err(identity));
    assert_eq!(decode_record(3, &record_file(1, 2, &Origin::Fresh)), Err(identity));
}

#[test]
fn a_record_reads_back_and_a_claim_has_no_body() {
    for origin in
        [Origin::Fresh, Origin::Restored(id(300, 7)), Origin::Imported { job: 5, id: id(1, 2) }]
    {
        assert_eq!(decode_record(8, &record_file(1, 8, &origin)), Ok(origin));
    }
    assert_eq!(claim_file(1, 8).len(), HEADER_LEN + crate::page::BLOCK_HEAD_LEN + SEAL_LEN);
}

#[test]
fn entries_out_of_order_and_repeated_ones_are_refused() {
    type Edit = fn(&mut Manifest);
    let edits: [(Edit, Fault); 9] = [
        (|m| m.operators[0].states.swap(0, 1), Fault::Range),
        (|m| m.operators[0].states[1].name = "seen".to_string(), Fault::Duplicate),
        (|m| m.operators[0].states[0].chains.swap(0, 1), Fault::Range),
        (|m| m.operators[0].states[0].chains[1].group = 0, Fault::Duplicate),
        (|m| m.operators[0].states[0].chains[0].parts.swap(0, 1), Fault::Range),
        (|m| m.operators.push(m.operators[0].clone()), Fault::Duplicate),
        (|m| m.files.push(m.files[1]), Fault::Duplicate),
        (|m| m.counters.swap(0, 1), Fault::Range),
        (|m| m.counters[1].0 = "bad rows".to_string(), Fault::Duplicate),
    ];
    for (index, (edit, fault)) in edits.into_iter().enumerate() {
        assert_eq!(decode_changed(edit), Err(fault), "edit {index}");
    }
}

#[test]
fn what_cannot_be_true_is_refused() {
    fn chain(manifest: &mut Manifest) -> &mut Chain {
        &mut manifest.operators[0].states[0].chains[0]
    }
    type Edit = fn(&mut Manifest);
    let edits: [Edit; 9] = [
        |m| m.key_groups = 127,
        |m| m.key_groups = 0,
        |m| m.key_groups = 32_769,
        |m| m.operators[0].parallelism = 129,
        |m| m.operators[0].parallelism = 0,
        |m| chain(m).parts.clear(),
        |m| chain(m).parts[1].shape = PartShape::Full { digest: 1 },
        |m| chain(m).parts[0].length = 4033,
        |m| chain(m).parts[1].shape = PartShape::Delta { base: id(9, 1) },
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        assert_eq!(decode_changed(edit), Err(Fault::Range), "edit {index}");
    }
    assert_eq!(decode_changed(|m| m.id = id(8, 2)), Err(Fault::Range));
}

#[test]
fn a_job_may_have_more_inputs_than_key_groups() {
    let mut manifest = manifest();
    manifest.operators.push(operator("inputs", 200, vec![]));
    assert_eq!(Manifest::from_file(manifest.id, &manifest.to_file()), Ok(manifest));
}

#[test]
fn the_name_of_a_type_makes_no_other_schema() {
    use crate::schema::StoredSchema;
    let integer = StoredSchema::of::<u64>().unwrap();
    let schema = |value: &StoredSchema| StateSchema {
        value: value.bytes().to_vec(),
        ..manifest().operators[0].states[0].schema.clone()
    };
    let total = schema(&integer.named("Total").unwrap());
    assert_ne!(total, schema(&integer.named("Sum").unwrap()));
    assert!(total.is_same(&schema(&integer.named("Sum").unwrap())));
    assert!(!total.is_same(&schema(&StoredSchema::of::<i64>().unwrap())));
    let lasting = |domain, duration_ms| {
        let expiry = Some(Expiry { domain, duration_ms });
        StateSchema { expiry, ..total.clone() }
    };
    let by_watermark = lasting(TimeDomain::Event, 1);
    assert!(!total.is_same(&by_watermark));
    assert!(!by_watermark.is_same(&lasting(TimeDomain::Processing, 1)));
    assert!(by_watermark.is_same(&lasting(TimeDomain::Event, 2)));
}

#[test]
fn a_count_beyond_the_bytes_makes_nothing() {
    // A signature of no bytes, then 2^28 - 1 files.
    let bytes = [0, 1, 0, 0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0x7f];
    let end = Malformed::new(Fault::End, 8);
    assert_eq!(Manifest::decode(1, id(1, 1), &bytes), Err(end));
}

proptest! {
    #[test]
    fn any_bytes_give_an_error_or_the_one_manifest_they_encode(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = body(&manifest());
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if changes.len() > 4 {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Ok(decoded) = Manifest::decode(1, id(9, 2), &bytes) {
            prop_assert_eq!(body(&decoded), bytes);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::decode(1, id(9, 2), &bytes);
        let _ = Manifest::from_file(id(9, 2), &bytes);
        let _ = decode_record(1, &bytes);
    }
}

#[test]
fn what_many_entries_take_is_refused_before_it_is_allocated() {
    // A transaction without bytes is one byte in the file and 24 in memory.
    let many =
        |count| decode_changed(|manifest| manifest.sinks[0].transactions = vec![vec![]; count]);
    assert!(many(2_000).is_ok());
    assert_eq!(many(1_000_000), Err(Fault::Budget));
}

#[test]
fn a_manifest_is_read_within_the_budget_that_is_given() {
    let file = manifest().to_file();
    let within = |memory| {
        let budget = RestoreBudget { memory, ..RestoreBudget::of_manifest(0) };
        Manifest::from_file_within(id(9, 2), &file, budget).map_err(|error| error.fault)
    };
    assert_eq!(within(64 * 1024), Ok(manifest()));
    for memory in 0..1_000 {
        assert_eq!(within(memory), Err(Fault::Budget), "{memory}");
    }
}
