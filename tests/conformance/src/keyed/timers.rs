//! Timers per key.

use std::collections::BTreeSet;

use holdwater::key::In;
use holdwater::state::{Backend, Descriptor, State, TimeDomain, Timers};

use super::{Alike, Run, Sole};

/// Opens timers.
macro_rules! open {
    ($run:expr, $key:ty) => {
        $run.open(|store| {
            let timers = Descriptor::<$key, ()>::new("timers");
            Ok(Sole(store.timers(timers, TimeDomain::Event)?))
        })
    };
}

/// 68, 169: timers come in the order of their times, each once, and none before its time.
pub fn timers_come_in_the_order_of_time<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, u64);
    for time in [5, 3, 9, 1, 7] {
        assert!(timers.register(run.at(time as u64), time).unwrap());
    }
    timers.turn();
    assert_eq!(timers.take(0).unwrap(), None);
    let mut fired = Vec::new();
    while let Some(timer) = timers.take(7).unwrap() {
        assert_eq!(timer.key, timer.time as u64);
        fired.push(timer.time);
        timers.turn();
    }
    assert_eq!(fired, [1, 3, 5, 7]);
    assert_eq!(timers.next().unwrap(), Some(9));
}

/// 67, 172: one key and time is one timer; it can be registered again once it is gone.
pub fn a_timer_is_registered_once<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, String);
    assert!(timers.register(run.at("a"), 5).unwrap());
    assert!(!timers.register(run.at("a"), 5).unwrap());
    timers.turn();
    assert!(!timers.register(run.at("a"), 5).unwrap());
    assert!(timers.register(run.at("b"), 5).unwrap());
    assert!(timers.delete(run.at("a"), 5).unwrap());
    assert!(timers.register(run.at("a"), 5).unwrap());
    timers.turn();
    let keys = [timers.take(5), timers.take(5)].map(|timer| timer.unwrap().unwrap().key);
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(timers.take(i64::MAX).unwrap(), None);
}

/// 69, 171: deleting a timer deletes that one alone; deleting none says so.
pub fn deleting_a_timer_deletes_it_alone<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, u64);
    for time in [1, 2, 3] {
        timers.register(run.at(1), time).unwrap();
        timers.register(run.at(2), time).unwrap();
    }
    timers.turn();
    assert!(!timers.delete(run.at(1), 4).unwrap());
    assert!(!timers.delete(run.at(3), 1).unwrap());
    assert!(timers.delete(run.at(1), 1).unwrap());
    assert!(timers.delete(run.at(2), 2).unwrap());
    timers.turn();
    let mut fired = BTreeSet::new();
    while let Some(timer) = timers.take(10).unwrap() {
        fired.insert((timer.time, timer.key));
    }
    assert_eq!(fired, BTreeSet::from([(1, 2), (2, 1), (3, 1), (3, 2)]));
}

/// 68, 75: times below zero and at both ends are in order.
pub fn times_of_any_sign_are_in_order<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, u8);
    let times = [0, i64::MAX, -1, i64::MIN, 1, -100];
    for time in times {
        timers.register(run.at(1), time).unwrap();
    }
    timers.turn();
    let mut fired = Vec::new();
    while let Some(timer) = timers.take(i64::MAX).unwrap() {
        fired.push(timer.time);
    }
    assert_eq!(fired, [i64::MIN, -100, -1, 0, 1, i64::MAX]);
    assert_eq!(timers.next().unwrap(), None);
}

/// 68: timers of one time come in the order of their encoded keys.
pub fn timers_of_one_time_come_in_the_order_of_encoded_keys<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, String);
    let long: Vec<_> = ('a'..='h').map(|end| format!("{}{end}", "x".repeat(100))).collect();
    let keys = ["bb", "a", "b", ""].into_iter().chain(long.iter().rev().map(String::as_str));
    for key in keys {
        timers.register(run.at(key), 1).unwrap();
    }
    timers.turn();
    let mut fired = Vec::new();
    while let Some(timer) = timers.take(1).unwrap() {
        fired.push(timer.key);
    }
    // A text stands behind its length.
    let expected = ["", "a", "b", "bb"].map(String::from);
    assert_eq!(fired, [&expected[..], &long[..]].concat());
}

/// 67, 68: timers of keys whose digests are equal are told apart.
pub fn timers_of_one_digest_are_told_apart<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, Alike);
    for number in (0..20).rev() {
        assert!(timers.register(run.at(Alike(number)), i64::from(number % 2)).unwrap());
    }
    timers.turn();
    assert!(!timers.delete(run.at(Alike(3)), 0).unwrap());
    assert!(timers.delete(run.at(Alike(3)), 1).unwrap());
    timers.turn();
    let mut fired = Vec::new();
    while let Some(timer) = timers.take(1).unwrap() {
        fired.push(timer.key.0);
    }
    let evens = (0..20).step_by(2);
    assert_eq!(fired, evens.chain([1]).chain((5..20).step_by(2)).collect::<Vec<_>>());
}

/// 169, 171: the windows of a key have timers of their own.
pub fn windows_have_timers_of_their_own<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, In<u64, i64>);
    for window in [10, 20] {
        assert!(timers.register(run.at::<u64>(1).within(window), window).unwrap());
        assert!(timers.register(run.at::<u64>(1).within(window), 30).unwrap());
    }
    timers.turn();
    timers.delete(run.at::<u64>(1).within(10), 30).unwrap();
    timers.turn();
    let mut fired = Vec::new();
    while let Some(timer) = timers.take(100).unwrap() {
        fired.push((timer.time, timer.key.window));
    }
    assert_eq!(fired, [(10, 10), (20, 20), (30, 20)]);
}

/// 70: registering, deleting and firing in between each other keeps the order.
pub fn a_mix_of_changes_keeps_the_order<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, u64);
    let mut expected = BTreeSet::new();
    let mut number = 1u64;
    for step in 0..300 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (time, key) = ((number >> 40) as i64 % 50, number >> 60);
        match (number >> 32) % 4 {
            0 => {
                let found = timers.delete(run.at(key), time).unwrap();
                assert_eq!(found, expected.remove(&(time, key)));
            }
            1 => {
                let timer = timers.take(25).unwrap().map(|timer| (timer.time, timer.key));
                let due = expected.first().copied().filter(|(time, _)| *time <= 25);
                expected.retain(|timer| Some(*timer) != due);
                assert_eq!(timer, due);
            }
            _ => {
                let new = timers.register(run.at(key), time).unwrap();
                assert_eq!(new, expected.insert((time, key)));
            }
        }
        assert_eq!(timers.next().unwrap(), expected.first().map(|(time, _)| *time));
        if step % 100 == 99 {
            timers.turn();
        }
    }
}

/// 65: timers that were cleared do not fire.
pub fn cleared_timers_do_not_fire<B: Backend>(run: &Run<B>) {
    let mut timers = open!(run, u64);
    timers.register(run.at(1), 1).unwrap();
    timers.turn();
    timers.clear().unwrap();
    assert_eq!(timers.next().unwrap(), None);
    timers.turn();
    assert_eq!(timers.take(i64::MAX).unwrap(), None);
    assert!(timers.register(run.at(1), 1).unwrap());
}
