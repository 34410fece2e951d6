//! What the stores must do together.

use holdwater::key::KeyGroups;
use holdwater_bytes::{Bytes, Ordered};
use holdwater_conformance::keyed::{MODES, Run, agree, move_over};
use holdwater_fixed::Fixed;

fn bytes(groups: KeyGroups) -> Bytes<Ordered> {
    Bytes::in_memory(groups)
}

fn fixed(groups: KeyGroups) -> Fixed<512> {
    Fixed::new(groups).expect("16 groups at most")
}

#[test]
fn bytes_and_fixed_hold_equal_content_after_any_tape() {
    for mode in MODES {
        agree(&Run::new(bytes, mode), &Run::new(fixed, mode));
    }
}

#[test]
fn checkpoints_move_between_bytes_and_fixed() {
    for mode in MODES {
        move_over(&Run::new(bytes, mode), &Run::new(fixed, mode));
        move_over(&Run::new(fixed, mode), &Run::new(bytes, mode));
    }
}
