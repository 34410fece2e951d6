//! Each bug that takes a rival is found.

#![cfg(holdwater_planted)]

use holdwater::planted::plant;
use holdwater_models::{Bounds, Protocol};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

#[test]
fn each_bug_that_takes_a_rival_is_found() {
    let bounds = Bounds { processes: 2, ..Bounds::LEAST };
    let promises = Protocol(bounds).properties().into_iter();
    let promises: Vec<_> = promises
        .filter(|property| matches!(property.expectation, Expectation::Always))
        .map(|property| property.name)
        .collect();
    for bug in [23, 61, 62, 64] {
        plant(bug);
        let broken = HasDiscoveries::AnyFailures;
        let checker = Protocol(bounds).checker().threads(2).finish_when(broken).spawn_bfs().join();
        let found: Vec<_> =
            checker.discoveries().into_keys().filter(|name| promises.contains(name)).collect();
        println!("P{bug}: after {} worlds: {found:?}", checker.unique_state_count());
        assert!(!found.is_empty(), "P{bug} is not found");
    }
}
