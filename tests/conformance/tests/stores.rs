//! What the stores must do together.

use std::path::Path;

use holdwater::key::KeyGroups;
use holdwater::state::Backend;
use holdwater_bytes::Bytes;
use holdwater_conformance::keyed::{MODES, Run, agree, agree_over_time, move_over};
use holdwater_fixed::Fixed;
use holdwater_heap::Heap;
use holdwater_mmap::Mmap;

fn fixed(groups: KeyGroups) -> Fixed<512> {
    Fixed::new(groups).expect("16 groups at most")
}

/// With tails that are sealed after a few rows.
fn mmap(groups: KeyGroups) -> Mmap {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
    Mmap::new(groups, directory).with_segment_bytes(4096)
}

fn agree_in_every_mode<A: Backend, B: Backend>(a: fn(KeyGroups) -> A, b: fn(KeyGroups) -> B) {
    MODES.into_iter().for_each(|mode| agree(&Run::new(a, mode), &Run::new(b, mode)));
}

fn agree_over_time_in_every_mode<A: Backend, B: Backend>(
    a: fn(KeyGroups) -> A,
    b: fn(KeyGroups) -> B,
) {
    MODES.into_iter().for_each(|mode| agree_over_time(&Run::new(a, mode), &Run::new(b, mode)));
}

fn move_both_ways<A: Backend, B: Backend>(a: fn(KeyGroups) -> A, b: fn(KeyGroups) -> B) {
    for mode in MODES {
        move_over(&Run::new(a, mode), &Run::new(b, mode));
        move_over(&Run::new(b, mode), &Run::new(a, mode));
    }
}

#[test]
fn bytes_and_fixed_hold_equal_content_after_any_tape() {
    agree_in_every_mode(Bytes::in_memory, fixed);
}

#[test]
fn bytes_and_heap_hold_equal_content_after_any_tape() {
    agree_in_every_mode(Bytes::in_memory, Heap::new);
}

#[test]
fn bytes_and_mmap_hold_equal_content_after_any_tape() {
    agree_in_every_mode(Bytes::in_memory, mmap);
}

#[test]
fn bytes_and_fixed_hold_equal_content_after_any_tape_with_times() {
    agree_over_time_in_every_mode(Bytes::in_memory, fixed);
}

#[test]
fn bytes_and_heap_hold_equal_content_after_any_tape_with_times() {
    agree_over_time_in_every_mode(Bytes::in_memory, Heap::new);
}

#[test]
fn bytes_and_mmap_hold_equal_content_after_any_tape_with_times() {
    agree_over_time_in_every_mode(Bytes::in_memory, mmap);
}

#[test]
fn checkpoints_move_between_bytes_and_fixed() {
    move_both_ways(Bytes::in_memory, fixed);
}

#[test]
fn checkpoints_move_between_bytes_and_heap() {
    move_both_ways(Bytes::in_memory, Heap::new);
}

#[test]
fn checkpoints_move_between_fixed_and_heap() {
    move_both_ways(fixed, Heap::new);
}

#[test]
fn checkpoints_move_between_bytes_and_mmap() {
    move_both_ways(Bytes::in_memory, mmap);
}

#[test]
fn checkpoints_move_between_fixed_and_mmap() {
    move_both_ways(fixed, mmap);
}

#[test]
fn checkpoints_move_between_heap_and_mmap() {
    move_both_ways(Heap::new, mmap);
}
