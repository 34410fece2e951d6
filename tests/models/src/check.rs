//! Checks every run within some bounds.

use stateright::{Checker, Expectation, Model};

use crate::world::{Bounds, Protocol};

/// Checks every run, and that there is one of each of `kinds`; tells how many worlds there are.
///
/// # Panics
///
/// With the shortest run that breaks a promise, if there is one.
pub fn check(bounds: Bounds, kinds: &[&str]) {
    let checker = Protocol(bounds).checker().threads(2).spawn_bfs().join();
    let (worlds, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{worlds} worlds, up to {depth} deeds deep: {bounds:?}");
    for property in Protocol(bounds).properties() {
        match property.expectation {
            Expectation::Sometimes if !kinds.contains(&property.name) => {}
            Expectation::Sometimes => drop(checker.assert_any_discovery(property.name)),
            _ => checker.assert_no_discovery(property.name),
        }
    }
}
