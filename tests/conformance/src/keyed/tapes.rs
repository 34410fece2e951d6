//! Any changes in any order.

use holdwater::state::Backend;

use super::{Run, play, tape};

/// 8, 88: whatever is changed, frozen, saved, completed, aborted or restored, every read agrees
/// with the truth, and what is frozen stays as it was.
pub fn any_tape_agrees_with_the_truth<B: Backend>(run: &Run<B>) {
    tape::each(64, run.mode() as u64, |tape| drop(play(run, tape)));
}
