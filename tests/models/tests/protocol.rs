//! The protocol of checkpoints holds in every run of a small world.

#![cfg(not(holdwater_planted))]

use holdwater_models::{Bounds, check};

#[test]
fn checkpoints_that_take_too_long_and_lost_notices_lose_no_record() {
    check(Bounds { expiries: 1, losses: 1, ..Bounds::LEAST }, &["all is visible"]);
}

#[test]
fn a_publication_that_fails_or_is_not_known_of_loses_no_record() {
    let kinds = ["all is visible", "what nobody was told of is gone on from"];
    check(Bounds { processes: 2, triggers: 1, failures: 1, ..Bounds::LEAST }, &kinds);
}

#[test]
fn a_second_process_takes_over_at_any_moment() {
    let kinds = ["all is visible", "a process is fenced off", "two epochs complete a checkpoint"];
    check(Bounds { processes: 2, ..Bounds::LEAST }, &kinds);
}
