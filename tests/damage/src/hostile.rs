//! What is done to any bytes that claim to be a file: they are decoded, loaded, and what comes of
//! it is written again. Nothing panics, and memory is bounded.

use std::collections::BTreeMap;

use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::page::{BlockSize, FileHeader, HEADER_LEN, Portable, RestoreBudget};
use holdwater::snapshot::{PartEntry, Portion, Snapshot, freeze};
use holdwater::state::{Backend, Cut, Descriptor, Kind, Shape, State, States, TimeDomain, Visitor};
use holdwater_heap::{Heap, HeapError};

/// Decodes a manifest; what is decoded is encoded, and decoded again.
pub fn manifest(bytes: &[u8]) {
    let Some(header) = header(bytes) else { return };
    let id = CheckpointId { checkpoint: header.checkpoint, epoch: header.epoch };
    let Ok(manifest) = Manifest::from_file(id, bytes) else { return };
    let again = Manifest::from_file(id, &manifest.to_file());
    assert_eq!(again, Ok(manifest), "what was decoded is encoded as it was");
}

/// Returns the most memory that [`manifest`] may take.
pub const fn manifest_memory(length: usize) -> usize {
    // Both manifests, and the file between them with the block that it is written through.
    let once = RestoreBudget::of_manifest(length as u64).memory as usize;
    2 * once + 2 * length + BlockSize::HOST.bytes() * 2
}

/// Opens a snapshot, shows every row, and loads every part into states of some types.
///
/// What a part gives is saved again, and must have the digest that the part has.
pub fn snapshot(bytes: &[u8]) {
    let Ok(mut snapshot) = Snapshot::open(bytes, Portable) else { return };
    let _ = snapshot.verify_hash();
    let Ok(parts) = snapshot.parts() else { return };
    let groups = KeyGroups::all(snapshot.table().groups.min(GROUPS_MAX));
    for part in parts.into_iter().take(PARTS_MAX) {
        let _ = snapshot.rows::<HeapError>(part, |_| Ok(()));
        let kind = snapshot.table().states.get(usize::from(part.state)).map(|state| state.kind);
        if part.group >= groups.total() {
            continue;
        }
        let mut heap = Heap::new(groups).with_budget(STATE_BYTES_MAX);
        match kind {
            Some(Kind::Value) => {
                let numbers = heap.value(Descriptor::<u64, u64>::new("numbers"));
                load(&mut snapshot, part, numbers.expect("a state opens"));
                let texts =
                    heap.value(Descriptor::<String, BTreeMap<u8, Option<String>>>::new("texts"));
                load(&mut snapshot, part, texts.expect("a state opens"));
            }
            Some(Kind::List) => {
                let texts = heap.list(Descriptor::<u64, String>::new("texts"));
                load(&mut snapshot, part, texts.expect("a state opens"));
                let pairs = heap.list(Descriptor::<(u8, bool), (i16, char)>::new("pairs"));
                load(&mut snapshot, part, pairs.expect("a state opens"));
            }
            Some(Kind::Map) => {
                let texts = heap.map(Descriptor::<u64, (u32, Option<String>)>::new("texts"));
                load(&mut snapshot, part, texts.expect("a state opens"));
                let units = heap.map(Descriptor::<u8, (String, ())>::new("units"));
                load(&mut snapshot, part, units.expect("a state opens"));
            }
            Some(Kind::Timers | Kind::ProcessingTimers) => {
                let timers = heap.timers(Descriptor::<u64, ()>::new("timers"), TimeDomain::Event);
                load(&mut snapshot, part, timers.expect("a state opens"));
            }
            _ => {}
        }
    }
}

/// Returns the most memory that [`snapshot`] may take.
pub const fn snapshot_memory(length: usize) -> usize {
    // Values take more than their encoding, which is what a state counts: an empty text one byte
    // and 24, a segment of rows that is divided as much again.
    RestoreBudget::of_snapshot(length as u64).memory as usize + 64 * length + STATE_TABLES
}

fn load<S: State<Error = HeapError>>(
    snapshot: &mut Snapshot<&[u8], Portable>,
    part: PartEntry,
    mut state: S,
) {
    let same = snapshot.table().states[usize::from(part.state)].is_written_by(state.description());
    if snapshot.load(part, &mut state).is_err() {
        return;
    }
    assert!(state.rows() <= part.rows || part.shape == Shape::Delta);
    if part.shape == Shape::Full && same {
        assert_eq!(digest(state), Some(part.digest), "what was loaded is saved as it was");
    }
}

/// Saves a state with rows in one group, and returns the content digest of that.
fn digest<S: State<Error = HeapError>>(state: S) -> Option<u128> {
    let (groups, mut states) = (state.groups(), One(state));
    let cut = Cut { checkpoint: 1, base: None, now: 0, watermark: 0 };
    let frozen = freeze(&mut states, groups, cut).expect("the heap freezes");
    let header = FileHeader {
        kind: holdwater::page::FileKind::Snapshot,
        block: BlockSize::SMALL,
        job: 0,
        checkpoint: 1,
        epoch: 1,
        attempt: 0,
        part: 0,
    };
    let mut buffer = vec![0; BlockSize::SMALL.bytes()];
    let saved = frozen
        .save(Portion::All, header, "one", Vec::new(), &mut buffer, Portable)
        .expect("it is saved");
    let mut snapshot = Snapshot::open(&saved.out[..], Portable).expect("it is opened");
    let parts = snapshot.parts().expect("it has an index");
    assert!(parts.len() <= 1, "rows lie in the group that they were loaded into");
    // A group without rows writes no part, and the sum over no rows is none.
    Some(parts.first().map_or(0, |part| part.digest))
}

struct One<S>(S);

impl<S: State> States for One<S> {
    type Error = S::Error;

    fn each<V: Visitor<S::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.0)
    }
}

fn header(bytes: &[u8]) -> Option<FileHeader> {
    FileHeader::decode(bytes.first_chunk::<HEADER_LEN>()?, &Portable).ok()
}

/// A group takes memory of its own: enough of them, and small inputs stay fast.
const GROUPS_MAX: u16 = 64;
const PARTS_MAX: usize = 64;
/// What a state may take, as it counts itself.
const STATE_BYTES_MAX: u64 = 1 << 20;
/// What empty states take, and a first segment in every group.
const STATE_TABLES: usize = 1 << 20;
