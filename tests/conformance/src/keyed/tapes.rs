//! Any changes in any order: flink.md 4.7, behaviour 88.

use holdwater::state::Backend;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::{Run, any_tape, play};

/// 8, 88: whatever is changed, frozen, saved, completed, aborted or restored, every read agrees
/// with the truth, and what is frozen stays as it was.
pub fn any_tape_agrees_with_the_truth<B: Backend>(run: &Run<B>) {
    let config = Config {
        cases: 64,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(run.mode() as u64),
        ..Config::default()
    };
    let tested = TestRunner::new(config).run(&any_tape(80), |tape| {
        play(run, &tape);
        Ok(())
    });
    tested.unwrap_or_else(|failure| panic!("{failure}"));
}
