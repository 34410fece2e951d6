//! What RocksDB and the other stores must do together.
#![cfg(feature = "rocksdb")]
#![allow(clippy::unwrap_used)]

mod place;

use holdwater::key::KeyGroups;
use holdwater::state::Backend;
use holdwater_bytes::Bytes;
use holdwater_conformance::golden::golden_checkpoints_are_restored;
use holdwater_conformance::keyed::{MODES, Run, agree, agree_over_time, move_over};
use holdwater_fixed::Fixed;
use holdwater_heap::Heap;
use holdwater_mmap::Mmap;

use crate::place::rocksdb;

fn fixed(groups: KeyGroups) -> Fixed<512> {
    Fixed::new(groups).expect("16 groups at most")
}

/// With tails that are sealed after a few rows.
fn mmap(groups: KeyGroups) -> Mmap {
    Mmap::new(groups, std::env::temp_dir()).with_segment_bytes(4096)
}

fn move_both_ways<B: Backend>(other: fn(KeyGroups) -> B) {
    for mode in MODES {
        move_over(&Run::new(rocksdb, mode), &Run::new(other, mode));
        move_over(&Run::new(other, mode), &Run::new(rocksdb, mode));
    }
}

#[test]
fn bytes_and_rocksdb_hold_equal_content_after_any_tape() {
    for mode in MODES {
        agree(&Run::new(Bytes::in_memory, mode), &Run::new(rocksdb, mode));
    }
}

#[test]
fn bytes_and_rocksdb_hold_equal_content_after_any_tape_with_times() {
    for mode in MODES {
        agree_over_time(&Run::new(Bytes::in_memory, mode), &Run::new(rocksdb, mode));
    }
}

#[test]
fn checkpoints_move_between_bytes_and_rocksdb() {
    move_both_ways(Bytes::in_memory);
}

#[test]
fn checkpoints_move_between_fixed_and_rocksdb() {
    // Its rows lie on the stack.
    let thread = std::thread::Builder::new().stack_size(32 << 20);
    thread.spawn(|| move_both_ways(fixed)).unwrap().join().unwrap();
}

#[test]
fn checkpoints_move_between_heap_and_rocksdb() {
    move_both_ways(Heap::new);
}

#[test]
fn checkpoints_move_between_mmap_and_rocksdb() {
    move_both_ways(mmap);
}

#[test]
fn golden_checkpoints_are_restored_on_rocksdb() {
    golden_checkpoints_are_restored(rocksdb);
}
