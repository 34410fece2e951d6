//! What has expired is cleaned up: by sweeps, in snapshots, and after any way of restoring.

use std::collections::BTreeSet;

use holdwater::key::KeyGroups;
use holdwater::state::{Backend, Descriptor, State};
use holdwater::ttl::{Census, ExpiringList, ExpiringMap, ExpiringValue};

use super::checkpoints::written;
use super::ttl::{Kept, Kind, OnWrite, Place, Policy, Sums, Values, each_kind};
use super::ttl::{Lists, Maps, Means, OrderedMaps, TextLists};
use super::{Alike, Checkpoints, Run, contents};

/// Writes under many keys, at times from 0 to 199.
fn filled<B: Backend, K: Kind>(run: &Run<B>, kept: &mut Kept<B, K>) -> Vec<i64> {
    let times: Vec<i64> = (0..100).map(|key| key * 37 % 200).collect();
    for (key, time) in (0..).zip(&times) {
        kept.write(run.at::<Place>((key, (key % 3) as u8)), 1, *time);
    }
    times
}

/// 152, 161: sweeping finds everything that has expired, wherever it is, and nothing that lives.
pub fn a_sweep_finds_what_has_expired<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut kept = run.open(|store| Kept::<B, K>::open(store, "kept", OnWrite::TTL));
        let times = filled(run, &mut kept);
        let values = kept.census(0).live / times.len() as u64;
        for now in [120, 120, 201, 280, 299, 300] {
            kept.set_time(now);
            kept.turn();
            kept.sweep(now);
            let live = times.iter().filter(|time| **time + 100 > now).count() as u64;
            assert_eq!(kept.census(now), Census { live: live * values, expired: 0 });
            assert_eq!(kept.rows(), live);
            assert_eq!(kept.sweep(now), 0, "there is no more");
        }
        kept.turn();
        assert_eq!(kept.rows(), 0);
    }
    each_kind!(shown(run));
}

/// 161: a step of a sweep is bounded: a state of many values takes many of them.
pub fn a_sweep_is_done_in_bounded_steps<B: Backend>(run: &Run<B>) {
    // Long items: a store may keep some KiB of a list together.
    let mut list: ExpiringList<B, u64, [u64; 8]> =
        open(run, |store| OnWrite::TTL.list(store, Descriptor::new("list")));
    let mut map: ExpiringMap<B, u64, u64, u32> =
        open(run, |store| OnWrite::TTL.map(store, Descriptor::new("map")));
    let mut value: ExpiringValue<B, u64, u32> =
        open(run, |store| OnWrite::TTL.value(store, Descriptor::new("value")));
    for number in 0..500 {
        // A few expire before the others, all of which do so at once.
        let time = i64::from(number % 10 != 0) * 50;
        list.push(run.at(1), [number.into(); 8], time).unwrap();
        map.put(run.at(1), number.into(), number, time).unwrap();
        value.put(run.at(number.into()), number, time).unwrap();
    }
    for (now, live) in [(120, 450), (150, 0)] {
        for census in [
            stepwise(&mut list, now, |state| state.census(now).unwrap()),
            stepwise(&mut map, now, |state| state.census(now).unwrap()),
            stepwise(&mut value, now, |state| state.census(now).unwrap()),
        ] {
            assert_eq!(census, Census { live, expired: 0 });
        }
    }
}

/// Opens one state on a store of all groups.
fn open<B: Backend, S>(run: &Run<B>, open: impl FnOnce(&mut B) -> Result<S, B::Error>) -> S {
    open(&mut run.store(run.groups())).unwrap()
}

/// Sweeps step by step; at each only so many values go.
fn stepwise<S: State>(state: &mut S, now: i64, census: impl Fn(&S) -> Census) -> Census {
    let (mut before, mut steps) = (census(state).expired, 0);
    while state.sweep(now, 1).unwrap() == 1 {
        let expired = census(state).expired;
        assert!(before - expired <= VALUES_PER_STEP_MAX, "{} at once", before - expired);
        (before, steps) = (expired, steps + 1);
    }
    assert!(steps >= 2, "{steps} steps");
    census(state)
}

/// 161: rows of keys and fields whose digests are equal are found too.
pub fn a_sweep_finds_keys_of_one_digest<B: Backend>(run: &Run<B>) {
    let mut value: ExpiringValue<B, Alike, u32> =
        open(run, |store| OnWrite::TTL.value(store, Descriptor::new("value")));
    let mut map: ExpiringMap<B, u64, Alike, u32> =
        open(run, |store| OnWrite::TTL.map(store, Descriptor::new("map")));
    for number in 0..500 {
        let time = i64::from(number % 2) * 50;
        value.put(run.at(Alike(number)), number, time).unwrap();
        map.put(run.at(1), Alike(number), number, time).unwrap();
    }
    while value.sweep(120, 1).unwrap() + map.sweep(120, 1).unwrap() > 0 {}
    let half = Census { live: 250, expired: 0 };
    assert_eq!((value.census(120).unwrap(), map.census(120).unwrap()), (half, half));
    assert_eq!((value.rows(), map.rows()), (250, 1));
}

/// 153: what was frozen stays as it was while what has expired since is swept.
pub fn a_sweep_leaves_what_was_frozen_alone<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut kept = run.open(|store| Kept::<B, K>::open(store, "kept", OnWrite::TTL));
        let times = filled(run, &mut kept);
        kept.turn();
        kept.set_time(150);
        let frozen = kept.freeze();
        let before = contents(&frozen);
        for now in [160, 250, 400] {
            kept.sweep(now);
            assert_eq!(contents(&frozen), before, "{now}");
        }
        assert_eq!(kept.rows(), 0);
        kept.save(&frozen);
        let mut restored = kept.restored(frozen.cut().checkpoint);
        assert_eq!(contents(&kept.freeze_other(&mut restored)), before);
        let live = times.iter().filter(|time| **time + 100 > 150).count() as u64;
        restored.sweep(150);
        assert_eq!(restored.rows(), live);
    }
    each_kind!(shown(run));
}

/// 155: after what has expired was swept, checkpoints hold the rest alone: also those of tasks that
/// share its groups anew.
pub fn what_was_swept_is_in_no_checkpoint<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut kept = run.open(|store| Kept::<B, K>::open(store, "kept", OnWrite::TTL));
        let times = filled(run, &mut kept);
        kept.turn();
        kept.set_time(180);
        kept.sweep(180);
        kept.turn();
        let last = kept.checkpoints().last().unwrap();
        let live = times.iter().filter(|time| **time + 100 > 180).count() as u64;
        let mut rows = 0;
        for index in 0..3 {
            let groups = KeyGroups::share(16, 3, index);
            let mut task =
                Kept::<B, K>::open(&mut run.store(groups), "kept", OnWrite::TTL).unwrap();
            kept.checkpoints().load(last, &mut task);
            rows += task.rows();
            task.sweep(280);
            let left = task.census(280);
            assert_eq!(left, Census { live: task.census(0).live, expired: 0 });
        }
        assert_eq!(rows, live, "before anything was swept there");
    }
    each_kind!(shown(run));
}

/// 83, 90, 154: a full part holds what lived at its own cut, though nobody swept; so does what is
/// read of the frozen state, by key and as a whole.
pub fn a_full_part_holds_what_lived_at_the_cut<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut kept = run.open(|store| Kept::<B, K>::open(store, "kept", OnWrite::TTL));
        let times = filled(run, &mut kept);
        let values = kept.census(0).live / times.len() as u64;
        let frozen = [90, 150, 250].map(|now| {
            kept.set_time(now);
            (now, kept.freeze_on(None))
        });
        // In another order than they were taken.
        for (now, frozen) in frozen.iter().rev() {
            let live = |time: i64| time + 100 > *now;
            let count = times.iter().filter(|time| live(**time)).count() as u64;
            assert_eq!(contents(frozen).rows(), count * values);
            let (description, state) = frozen.states().next().unwrap();
            for (key, time) in (0..).zip(&times) {
                let at = run.at::<Place>((key, (key % 3) as u8));
                let mut bytes = Vec::new();
                let encoding = description.encoding;
                holdwater::codec::encode(&at.view(), encoding, &mut bytes).unwrap();
                let read =
                    written(description, |rows| state.get(at.group(), &bytes, rows).unwrap());
                assert_eq!(read.0, if live(*time) { values } else { 0 });
            }
            kept.save(frozen);
            let mut restored = kept.restored(frozen.cut().checkpoint);
            assert_eq!(restored.rows(), count, "what has expired was not written");
        }
    }
    each_kind!(shown(run));
}

/// 161: a group of which all has expired has no part, and none is kept from older checkpoints.
pub fn a_group_that_expired_is_empty<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut kept = run.open(|store| Kept::<B, K>::open(store, "kept", OnWrite::TTL));
        kept.write(run.at::<Place>((1, 0)), 1, 0);
        kept.write(run.at::<Place>((2, 0)), 1, 50);
        kept.turn();
        let groups: BTreeSet<_> =
            [1, 2].map(|key| run.at::<Place>((key, 0)).group().index()).into_iter().collect();
        assert_eq!(groups.len(), 2);
        kept.set_time(120);
        kept.turn();
        let last = kept.checkpoints().last().unwrap();
        let mut restored = kept.restored(last);
        assert_eq!(restored.rows(), 1);
        kept.set_time(200);
        let frozen = kept.freeze();
        assert_eq!(contents(&frozen).rows(), 0);
        assert!(!frozen.has_parts(holdwater::snapshot::Portion::All));
    }
    each_kind!(shown(run));
}

/// 163: what lives and what has expired are counted apart.
pub fn what_lives_and_what_has_expired_are_counted_apart<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut kept = run.open(|store| Kept::<B, K>::open(store, "kept", OnWrite::TTL));
        let times = filled(run, &mut kept);
        let values = kept.census(0).live / times.len() as u64;
        for now in [99, 150, 299, 300] {
            let live = times.iter().filter(|time| **time + 100 > now).count() as u64;
            let expired = times.len() as u64 - live;
            let census = Census { live: live * values, expired: expired * values };
            assert_eq!(kept.census(now), census);
            assert_eq!(kept.rows(), times.len() as u64, "also those that have expired");
        }
    }
    each_kind!(shown(run));
}

/// 92: a clock that goes back brings nothing back that had expired at an earlier checkpoint.
pub fn a_clock_that_goes_back_brings_nothing_back<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut kept = run.open(|store| Kept::<B, K>::open(store, "kept", OnWrite::TTL));
        let (first, second) = (run.at::<Place>((1, 0)), run.at::<Place>((1, 1)));
        kept.write(first, 1, 0);
        kept.write(second, 2, 60);
        kept.set_time(120);
        let mut checkpoints = Checkpoints::default();
        for (now, written) in [(120, None), (50, Some(3)), (130, Some(4))] {
            checkpoints.set_time(now);
            if let Some(number) = written {
                kept.write(second, number, now);
            }
            let cut = checkpoints.cut(checkpoints.last());
            let frozen = holdwater::snapshot::freeze(&mut *kept, run.groups(), cut).unwrap();
            checkpoints.save(&frozen);
            checkpoints.complete(&mut *kept, cut.checkpoint);
            let mut restored = kept.empty();
            checkpoints.load(cut.checkpoint, &mut restored);
            assert_eq!(restored.read(first, 140), []);
            assert!(!restored.read(second, 50).is_empty());
        }
    }
    each_kind!(shown(run));
}

/// The most values that a step of a sweep drops, on any store.
const VALUES_PER_STEP_MAX: u64 = 400;
