//! Checks worlds that are too large for every run of the tests.

use holdwater_models::{Bounds, check};

fn main() {
    let kinds = ["all is visible", "a process is fenced off", "two epochs complete a checkpoint"];
    check(Bounds { processes: 2, records: [1, 1], triggers: 1, ..Bounds::LEAST }, &kinds[..2]);
    check(Bounds { processes: 2, failures: 1, ..Bounds::LEAST }, &kinds);
    check(Bounds { processes: 2, losses: 1, ..Bounds::LEAST }, &kinds);
    check(Bounds { processes: 3, triggers: 1, ..Bounds::LEAST }, &kinds[1..2]);
}
