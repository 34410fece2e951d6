//! What the stores must do together.

use holdwater::key::KeyGroups;
use holdwater::state::Backend;
use holdwater_bytes::Bytes;
use holdwater_conformance::keyed::{MODES, Run, agree, move_over};
use holdwater_fixed::Fixed;
use holdwater_heap::Heap;

fn fixed(groups: KeyGroups) -> Fixed<512> {
    Fixed::new(groups).expect("16 groups at most")
}

fn agree_in_every_mode<A: Backend, B: Backend>(a: fn(KeyGroups) -> A, b: fn(KeyGroups) -> B) {
    MODES.into_iter().for_each(|mode| agree(&Run::new(a, mode), &Run::new(b, mode)));
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
