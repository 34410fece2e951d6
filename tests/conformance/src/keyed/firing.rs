//! Timers as they fire: a bounded number at once, with records and checkpoints in between.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use holdwater::key::KeyGroup;
use holdwater::state::{Backend, Kind, State, Timers};
use holdwater::timer::{Clock, Sweep};

use super::Run;

holdwater::states! {
    /// An operator with timers of both domains.
    struct Services<B> {
        event: EventTimers<String>,
        processing: ProcessingTimers<String>,
        other: EventTimers<String>,
    }
}

/// 169, 170, 174, 178: timers of one service fire by its own time, and leave those of others alone.
pub fn services_are_independent<B: Backend>(run: &Run<B>) {
    let mut services = run.open(Services::open);
    for (key, time) in [("a", 1), ("b", 2), ("a", 3), ("b", 1)] {
        services.event.register(run.at(key), time).unwrap();
        services.processing.register(run.at(key), time * 10).unwrap();
    }
    services.other.register(run.at("a"), 2).unwrap();
    services.turn();
    assert_eq!(fired(&mut services.event, 2, 9), [(1, "a"), (1, "b"), (2, "b")]);
    services.turn();
    assert_eq!(fired(&mut services.processing, 20, 9), [(10, "a"), (10, "b"), (20, "b")]);
    assert_eq!(fired(&mut services.other, 1, 9), []);
    services.turn();
    assert_eq!(fired(&mut services.other, 2, 9), [(2, "a")]);
    assert_eq!(fired(&mut services.event, 3, 9), [(3, "a")]);
    assert_eq!(fired(&mut services.processing, 29, 9), []);
    assert_eq!(fired(&mut services.processing, 30, 9), [(30, "a")]);
}

/// 53, 174: timers of one time are another kind than those of the other: a checkpoint does not
/// restore them as such.
pub fn timers_of_another_time_are_of_another_kind<B: Backend>(run: &Run<B>) {
    let services = run.open(Services::open);
    assert_eq!(services.event.description().kind, Kind::Timers);
    assert_eq!(services.processing.description().kind, Kind::ProcessingTimers);
    for kind in [Kind::Timers, Kind::ProcessingTimers] {
        assert_eq!(Kind::from_code(kind.code()), Some(kind));
        assert!(kind.is_keyed() && kind.rows() == Kind::Timers);
    }
}

/// 165, 166, 167: the earliest time of all tells when to look again: an earlier timer brings it
/// forward, a later one does not, whether or not others fire.
pub fn the_earliest_time_is_known<B: Backend>(run: &Run<B>) {
    let mut services = run.open(Services::open);
    let timers = &mut services.processing;
    assert_eq!(timers.next().unwrap(), None);
    for (time, next) in [(10, 10), (20, 10), (5, 5), (7, 5)] {
        timers.register(run.at("a"), time).unwrap();
        assert_eq!(timers.next().unwrap(), Some(next));
    }
    services.turn();
    let (timers, mut sweep) = (&mut services.processing, Sweep::new(5, 9));
    assert!(sweep.fire(timers).unwrap().is_some());
    timers.register(run.at("b"), 6).unwrap();
    timers.register(run.at("b"), 30).unwrap();
    assert_eq!(sweep.fire(timers).unwrap(), None);
    assert_eq!(timers.next().unwrap(), Some(6));
}

/// 176: a timer that is registered while others fire, and is due, fires in the same sweep, in its
/// place.
pub fn a_timer_registered_by_another_fires_in_its_place<B: Backend>(run: &Run<B>) {
    let mut services = run.open(Services::open);
    for (key, time) in [("a", 1), ("b", 5), ("c", 9)] {
        services.event.register(run.at(key), time).unwrap();
    }
    services.turn();
    let (mut order, mut sweep) = (Vec::new(), Sweep::new(9, 100));
    while let Some(timer) = sweep.fire(&mut services.event).unwrap() {
        if timer.time == 1 {
            for (key, time) in [("later", 10), ("b", 5), ("a", 5), ("old", -3), ("b", 7)] {
                services.event.register(run.at(key), time).unwrap();
            }
            services.event.delete(run.at("c"), 9).unwrap();
        }
        order.push((timer.time, timer.key));
    }
    let expected = [(1, "a"), (-3, "old"), (5, "a"), (5, "b"), (7, "b")];
    assert_eq!(order, expected.map(|(time, key)| (time, key.to_owned())));
    assert!(!sweep.is_cut(&services.event).unwrap());
    assert_eq!(services.event.next().unwrap(), Some(10));
}

/// 176, 180: a timer that renews itself for a time that is due ends no sweep later than its limit.
pub fn a_timer_that_renews_itself_does_not_hold_the_sweep<B: Backend>(run: &Run<B>) {
    let mut services = run.open(Services::open);
    services.event.register(run.at("again"), 1).unwrap();
    for _ in 0..3 {
        let (mut count, mut sweep) = (0, Sweep::new(5, 7));
        while let Some(timer) = sweep.fire(&mut services.event).unwrap() {
            services.event.register(run.at(timer.key.as_str()), timer.time).unwrap();
            count += 1;
        }
        assert_eq!((count, sweep.left()), (7, 0));
        assert!(sweep.is_cut(&services.event).unwrap());
        services.turn();
    }
}

/// 177, 180: many timers of one time fire a few at once, in order, with checkpoints in between:
/// each once.
pub fn an_interrupted_sweep_goes_on_after_a_checkpoint<B: Backend>(run: &Run<B>) {
    let mut services = run.open(Services::open);
    let keys: Vec<_> = (100..400).map(|key| key.to_string()).collect();
    for key in keys.iter().rev() {
        services.event.register(run.at(key.as_str()), 7).unwrap();
    }
    services.event.register(run.at("later"), 8).unwrap();
    let mut watermark = Clock::new();
    assert!(watermark.advance(7) && !watermark.advance(6));
    let mut order = Vec::new();
    loop {
        let mut sweep = Sweep::new(watermark.time(), 70);
        while let Some(timer) = sweep.fire(&mut services.event).unwrap() {
            order.push(timer.key);
        }
        if !sweep.is_cut(&services.event).unwrap() {
            break;
        }
        assert_eq!(order.len() % 70, 0);
        services.turn();
    }
    assert_eq!(order, keys);
    assert_eq!(services.event.next().unwrap(), Some(8));
}

/// 169, 177: whenever a sweep is interrupted by a failure, what fires after it goes on from the
/// checkpoint.
pub fn a_failure_between_two_sweeps_repeats_what_the_checkpoint_has<B: Backend>(run: &Run<B>) {
    let mut services = run.open(Services::open);
    for time in 0..10 {
        services.event.register(run.at("a"), time).unwrap();
    }
    assert_eq!(fired(&mut services.event, 9, 3), [(0, "a"), (1, "a"), (2, "a")]);
    services.turn();
    let lost = fired(&mut services.event, 9, 4);
    let checkpoint = services.checkpoints().last().unwrap();
    *services = services.restored(checkpoint);
    assert_eq!(fired(&mut services.event, 9, 4), lost);
    assert_eq!(fired(&mut services.event, 9, 4), [(7, "a"), (8, "a"), (9, "a")]);
}

/// 164, 173: a visit shows each timer once, with its key, in the group of the key.
pub fn a_visit_shows_the_timers_of_a_group<B: Backend>(run: &Run<B>) {
    let mut services = run.open(Services::open);
    let mut expected = BTreeSet::new();
    for number in 0..40 {
        let (key, time) = ((number % 8).to_string(), i64::from(number / 4) - 5);
        services.event.register(run.at(key.as_str()), time).unwrap();
        expected.insert((time, key));
    }
    services.turn();
    let gone = (0, "2".to_owned());
    assert_eq!(services.event.delete(run.at("2"), 0).unwrap(), expected.remove(&gone));
    services.turn();
    let mut found = BTreeSet::new();
    for group in run.groups().iter() {
        let visited = services.event.visit(group, |key, time| {
            assert_eq!(run.at::<String>(key).group(), group);
            assert!(found.insert((time, key.clone())), "a timer was visited twice");
            ControlFlow::Continue(())
        });
        visited.unwrap();
    }
    assert_eq!(found, expected);
    let mut count = 0;
    let full = run.at::<String>("1").group();
    let visited = services.event.visit(full, |_, _| {
        count += 1;
        ControlFlow::Break(())
    });
    visited.unwrap();
    assert_eq!(count, 1);
    let foreign = services.event.visit(KeyGroup::new(400), |_, _| panic!("no such group"));
    foreign.unwrap();
}

/// Returns what fires at `time`: `limit` at most.
fn fired(timers: &mut impl Timers<String>, time: i64, limit: usize) -> Vec<(i64, &'static str)> {
    let (mut fired, mut sweep) = (Vec::new(), Sweep::new(time, limit));
    while let Some(timer) = sweep.fire(timers).unwrap() {
        let key = ["a", "b"].into_iter().find(|key| *key == timer.key);
        fired.push((timer.time, key.expect("one of the keys")));
    }
    fired
}
