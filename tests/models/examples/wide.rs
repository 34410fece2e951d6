//! Checks worlds that are too large for every run of the tests.

use holdwater_models::{Bounds, check};

fn main() {
    let one =
        Bounds { processes: 1, records: [1, 0], triggers: 2, expiries: 0, losses: 0, failures: 0 };
    let kinds = ["all is visible", "a process is fenced off", "two epochs complete a checkpoint"];
    check(Bounds { processes: 2, records: [1, 1], triggers: 1, ..one }, &kinds[..2]);
    check(Bounds { processes: 2, failures: 1, ..one }, &kinds);
    check(Bounds { processes: 2, losses: 1, ..one }, &kinds);
    check(Bounds { processes: 3, triggers: 1, ..one }, &kinds[1..2]);
}
