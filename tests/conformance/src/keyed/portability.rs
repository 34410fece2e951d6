//! What stores must do together: equal content for equal changes, and each other's checkpoints.

use std::collections::BTreeMap;

use holdwater::key::KeyGroups;
use holdwater::snapshot;
use holdwater::state::{Backend, Cut, States};

use super::all::{change, filled};
use super::{All, Checkpoints, Contents, Run, contents, play, tape, ttl};

/// 88: plays any tape to two stores: at every checkpoint their contents have equal digests.
pub fn agree<A: Backend, B: Backend>(left: &Run<A>, right: &Run<B>) {
    tape::each(64, left.mode() as u64, |tape| assert_eq!(play(left, tape), play(right, tape)));
}

/// 162: the same of what expires, with times.
pub fn agree_over_time<A: Backend, B: Backend>(left: &Run<A>, right: &Run<B>) {
    ttl::agree(left, right);
}

/// 97: restores the checkpoints of one store, a full one and a delta on it, on another store, which
/// goes on with deltas of its own, and those again on the first, also at another parallelism.
pub fn move_over<A: Backend, B: Backend>(from: &Run<A>, to: &Run<B>) {
    let mut checkpoints = Checkpoints::default();
    let mut first = filled(from);
    take(from, &mut *first, &mut checkpoints);
    change(from, &mut first);
    take(from, &mut *first, &mut checkpoints);
    let mut second = All::open(&mut to.store(to.groups())).unwrap();
    checkpoints.load(checkpoints.last().unwrap(), &mut second);
    change(from, &mut first);
    change(to, &mut second);
    take(to, &mut second, &mut checkpoints);
    let mut third = All::open(&mut from.store(from.groups())).unwrap();
    checkpoints.load(checkpoints.last().unwrap(), &mut third);
    let cut = checkpoints.cut(None);
    let contents_of =
        |states: &mut All<A>| contents(&snapshot::freeze(states, from.groups(), cut).unwrap());
    let moved = contents_of(&mut third);
    assert_eq!(moved, contents_of(&mut first));
    assert!(moved.rows() > 0);
    assert_eq!(divided(from, &checkpoints, 3), moved);
}

/// Restores the newest checkpoint as so many tasks; returns what they hold together.
fn divided<B: Backend>(run: &Run<B>, checkpoints: &Checkpoints, tasks: u16) -> Contents {
    let mut together = Contents { groups: BTreeMap::new() };
    for index in 0..tasks {
        let groups = KeyGroups::share(run.groups().total(), tasks, index);
        let mut states = All::open(&mut run.store(groups)).unwrap();
        checkpoints.load(checkpoints.last().unwrap(), &mut states);
        let cut = Cut { checkpoint: u64::MAX, base: None, now: 0, watermark: 0 };
        let frozen = snapshot::freeze(&mut states, groups, cut).unwrap();
        together.groups.extend(contents(&frozen).groups);
    }
    together
}

/// Takes a checkpoint; returns it.
pub(super) fn take<B: Backend, S: States<Error = B::Error>>(
    run: &Run<B>,
    states: &mut S,
    checkpoints: &mut Checkpoints,
) -> u64 {
    let base = checkpoints.last().filter(|_| run.mode().is_incremental());
    let cut = checkpoints.cut(base);
    checkpoints.save(&snapshot::freeze(states, run.groups(), cut).unwrap());
    checkpoints.complete(states, cut.checkpoint);
    cut.checkpoint
}
