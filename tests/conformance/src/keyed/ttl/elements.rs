//! Items of lists and fields of maps expire each by itself; what has expired neither joins nor
//! counts.

use std::ops::ControlFlow;

use holdwater::state::{Backend, Descriptor};
use holdwater::ttl::{Census, ExpiringList, ExpiringMap, When};

use super::kept::{ByWatermark, Kept, OnWrite, Policy};
use super::kinds::{Means, Place, Sums};
use super::place;
use crate::keyed::{Pair, Run, Sole, Stage};

/// 146: windows that join leave behind what has expired, and what they come to lives from then on.
pub fn what_has_expired_does_not_join<B: Backend>(run: &Run<B>) {
    let [at, second, third] = [1, 2, 3].map(|window| place(run, 1, window));
    let mut sums = run.open(|store| Kept::<B, Sums>::open(store, "sums", OnWrite::TTL));
    let mut means = run.open(|store| Kept::<B, Means>::open(store, "means", OnWrite::TTL));
    for (place, number, now) in [(at, 1, 0), (second, 2, 60), (third, 3, 110)] {
        sums.write(place, number, now);
        means.write(place, number, now);
        sums.set_time(now);
        means.set_time(now);
        sums.turn();
        means.turn();
    }
    sums.held.merge(second, &[at, third], 130).unwrap();
    means.held.merge(second, &[at, third], 130).unwrap();
    sums.set_time(130);
    means.set_time(130);
    sums.turn();
    means.turn();
    for (now, sum, mean) in [(229, vec![5], vec![5, 2]), (230, vec![], vec![])] {
        assert_eq!((sums.read(second, now), means.read(second, now)), (sum, mean));
    }
    assert_eq!((sums.rows(), means.rows()), (0, 0));
    join_lists_and_maps(run);
}

/// Items and fields keep their stamps: nobody accessed them.
fn join_lists_and_maps<B: Backend>(run: &Run<B>) {
    let [at, second, third] = [1, 2, 3].map(|window| place(run, 1, window));
    let mut states = run.open(|store| {
        let list: ExpiringList<B, Place, i64> =
            OnWrite::TTL.list(store, Descriptor::new("list"))?;
        let map = OnWrite::TTL.map(store, Descriptor::<Place, (u8, i64)>::new("map"))?;
        Ok(Pair(list, map))
    });
    for (place, number, now) in [(at, 1, 0), (second, 2, 60), (third, 3, 110), (third, 2, 120)] {
        states.0.push(place, number, now).unwrap();
        states.1.put(place, number as u8, number * 10, now).unwrap();
    }
    states.turn();
    states.0.merge(second, &[at, third], 130).unwrap();
    states.1.merge(second, &[at, third], 130, |old, new| *old += new).unwrap();
    states.set_time(130);
    states.turn();
    let mut read = |now: i64| {
        let (mut list, mut map) = (Vec::new(), Vec::new());
        states.0.items(second, now, |item: &i64| push(&mut list, *item)).unwrap();
        let seen = states.1.entries(second, now, |field, value| push(&mut map, (*field, *value)));
        seen.unwrap();
        map.sort_unstable();
        (list, map)
    };
    assert_eq!(read(130), (vec![2, 3, 2], vec![(2, 40), (3, 30)]));
    assert_eq!(read(160), (vec![3, 2], vec![(2, 40), (3, 30)]));
    assert_eq!(read(210), (vec![2], vec![(2, 40)]));
    assert_eq!(read(220), (vec![], vec![]));
}

fn push<T>(gathered: &mut Vec<T>, item: T) -> ControlFlow<()> {
    gathered.push(item);
    ControlFlow::Continue(())
}

/// 156, 160: items expire one by one, those whose stamps are out of order too; those that are left
/// stay in their order.
pub fn items_expire_one_by_one<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, V: holdwater::schema::Data + PartialEq + std::fmt::Debug>(
        run: &Run<B>,
        item: fn(i64) -> V,
    ) {
        let at = place(run, 1, 0);
        let mut state: Stage<B, Sole<ExpiringList<B, Place, V>>> =
            run.open(|store| Ok(Sole(ByWatermark::TTL.list(store, Descriptor::new("list"))?)));
        let times = [300, 100, 250, 120, 310, 90];
        for time in times {
            state.push(at, item(time), When::event(time, 0)).unwrap();
            state.turn();
        }
        for watermark in [150, 190, 200, 219, 220, 349, 350, 399, 400, 410] {
            state.set_time(watermark);
            state.turn();
            let mut read = Vec::new();
            state.items(at, watermark, |item: &V| push(&mut read, item.clone())).unwrap();
            let live = times.into_iter().filter(|time| time + 100 > watermark);
            let live: Vec<V> = live.map(item).collect();
            assert_eq!(read, live, "{watermark}");
            assert_eq!(state.len(at, watermark).unwrap(), live.len() as u64);
            assert_eq!(state.is_empty(at, watermark).unwrap(), live.is_empty());
            let all = state.census(i64::MIN).unwrap();
            assert_eq!(all, Census { live: live.len() as u64, expired: 0 }, "others are gone");
            state.turn();
        }
    }
    shown::<B, i64>(run, |time| time);
    shown::<B, String>(run, |time| "x".repeat(time as usize % 7));
}

/// 157: fields expire one by one, for every way of reading.
pub fn fields_expire_one_by_one<B: Backend>(run: &Run<B>) {
    let at = place(run, 1, 0);
    let mut state = run.open(|store| {
        let map = Descriptor::<Place, (String, Option<i64>)>::new("map");
        Ok(Sole(OnWrite::TTL.map(store, map)?))
    });
    for (field, now) in [("a", 0), ("b", 50), ("c", 60)] {
        state.set_time(now);
        assert!(state.put(at, field, None, now).unwrap());
        state.turn();
    }
    state.set_time(120);
    state.turn();
    assert_eq!(state.peek(at, "a", 120).unwrap().as_deref(), None);
    assert_eq!(state.peek(at, "b", 120).unwrap().as_deref(), Some(&None));
    assert_eq!((state.len(at, 120).unwrap(), state.is_empty(at, 120).unwrap()), (2, false));
    let mut seen = Vec::new();
    state.entries(at, 120, |field, value| push(&mut seen, (field.clone(), *value))).unwrap();
    seen.sort();
    assert_eq!(seen, [("b".to_string(), None), ("c".to_string(), None)]);
    assert!(state.put(at, "a", Some(1), 120).unwrap(), "what has expired is not there");
    assert!(!state.put(at, "b", Some(2), 120).unwrap());
    let start = state.update(at, "c", 170, || Some(9), |value| *value).unwrap();
    assert_eq!(start, Some(9), "it is not built on");
    state.turn();
    assert!(!state.remove(at, "b", 230).unwrap(), "what has expired is not there");
    assert_eq!(state.get(at, "a", 230).unwrap().as_deref(), None);
    assert_eq!(state.get(at, "c", 230).unwrap().as_deref(), Some(&Some(9)));
    assert_eq!(state.census(i64::MIN).unwrap(), Census { live: 1, expired: 0 });
    state.turn();
    assert_eq!(state.get(at, "c", 270).unwrap().as_deref(), None);
}

/// 159: a key of which all has expired is empty, has nothing, and is not listed.
pub fn what_has_expired_does_not_count<B: Backend>(run: &Run<B>) {
    let mut states = run.open(|store| {
        let list: ExpiringList<B, u64, i64> = OnWrite::TTL.list(store, Descriptor::new("list"))?;
        let map: ExpiringMap<B, u64, u64, i64> = OnWrite::TTL.map(store, Descriptor::new("map"))?;
        Ok(Pair(list, map))
    });
    for key in 0..40 {
        states.0.push(run.at(key), 1, key as i64).unwrap();
        states.1.put(run.at(key), key, 1, key as i64).unwrap();
    }
    states.set_time(110);
    states.turn();
    let live = |key: u64| key > 10;
    let (mut lists, mut maps) = (Vec::new(), Vec::new());
    for group in run.groups().iter() {
        states.0.keys(group, 110, |key: &u64| push(&mut lists, *key)).unwrap();
        states.1.keys(group, 110, |key: &u64| push(&mut maps, *key)).unwrap();
    }
    lists.sort_unstable();
    maps.sort_unstable();
    assert_eq!((&lists, &maps), (&(11..40).collect(), &(11..40).collect()));
    for key in 0..50 {
        let (at, is_live) = (run.at(key), live(key) && key < 40);
        assert_eq!(states.0.len(at, 110).unwrap(), u64::from(is_live));
        assert_eq!(states.1.len(at, 110).unwrap(), u64::from(is_live));
        assert_eq!(states.0.is_empty(at, 110).unwrap(), !is_live);
        assert_eq!(states.1.is_empty(at, 110).unwrap(), !is_live);
    }
}
