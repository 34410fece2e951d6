//! Unaligned barriers, where no record is processed: a checkpoint is complete all the same.

use holdwater::barrier::Barriers;
use holdwater_sim::config::{Config, Shape};
use holdwater_sim::marks::{Mark, Marks};
use holdwater_sim::output::OutputKind;
use holdwater_sim::random::Random;
use holdwater_sim::story::Story;
use holdwater_sim::world::World;

/// Runs a job that processes nothing for 2,000 steps, while its channels are full, and that is
/// ended from outside in the midst of it.
fn stalled(barriers: Barriers, seed: u64) -> Marks {
    let shape = Shape {
        sources: 2,
        records: 120,
        keys: 16,
        groups: 8,
        tasks_max: 3,
        capacity: 4,
        retain: 2,
        full_every: 2,
        pause: 20,
        early_end: false,
        output: OutputKind::Given,
        barriers,
    };
    let mut config = Config::benign(shape);
    config.stalled = 100..2100;
    config.crashes.exit_at = Some(1500);
    config.steps = 3000;
    let outcome = World::new(config, Random::new(seed), Story::default()).run();
    assert_eq!(outcome.violation, None, "{barriers:?}, seed {seed}");
    outcome.marks
}

#[test]
fn unaligned_checkpoints_are_complete_while_channels_are_blocked_and_aligned_ones_are_not() {
    for seed in 0..20 {
        let aligned = stalled(Barriers::Aligned, seed);
        assert_eq!(aligned.count(Mark::CompletedStalled), 0, "seed {seed}");
        for barriers in [Barriers::Unaligned, Barriers::Within(100)] {
            let marks = stalled(barriers, seed);
            assert!(marks.count(Mark::CompletedStalled) > 0, "{barriers:?}, seed {seed}");
        }
    }
}

#[test]
fn records_in_flight_are_restored_once_at_any_parallelism() {
    let mut all = Marks::default();
    (0..20).for_each(|seed| all.add(&stalled(Barriers::Unaligned, seed)));
    for mark in [Mark::InFlight, Mark::InFlightRestored, Mark::InFlightRescaled] {
        assert!(all.count(mark) > 0, "{mark}");
    }
}
