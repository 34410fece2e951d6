//! Each planted bug is found: `make planted` builds with them.

#![cfg(holdwater_planted)]

use holdwater_sim::planted::{BUGS, hunt};

#[test]
fn each_planted_bug_is_found() {
    for bug in &BUGS {
        assert!(hunt(bug, 1000).is_some(), "{bug}: not found");
    }
}
