//! States that are given a time to live, lose it, or have another one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use holdwater::checkpoint::LoadFailure;
use holdwater::state::{Backend, Descriptor, List, Map, States, Value, Visitor};
use holdwater::ttl::{ExpiringList, ExpiringMap, ExpiringValue, Ttl, When};

use super::job::{Job, Refused};
use super::{Make, at};
use crate::keyed::{entries, items};

/// 133: what is given a time to live was accessed last at the checkpoint, for all that is known.
pub fn what_is_given_a_time_to_live_begins_with_the_checkpoint<B: Backend>(make: Make<B>) {
    for (ttl, begin) in [(HUNDRED, 1000), (HUNDRED_BY_WATERMARK, 700)] {
        for deltas in [false, true] {
            let mut job = Job::begin(make, &plain, 2);
            for (key, time) in written(&mut job, deltas) {
                job.owner(at(key).group()).write(key, time);
            }
            job.set_time(1000, 700);
            job.checkpoint().unwrap();
            let (mut later, _) = job.restore(&kept(ttl), 3).unwrap();
            assert_eq!(shown(&mut later, begin + 99), all(|_| true));
            assert_eq!(shown(&mut later, begin + 100), all(|_| false));
            later.set_time(begin + 99, begin + 99);
            later.checkpoint().unwrap();
            assert!(later.is_full(), "no delta stands on rows without stamps");
            let (mut last, _) = later.restore(&kept(ttl), 2).unwrap();
            assert_eq!(shown(&mut last, begin + 99), all(|_| true));
            assert_eq!(shown(&mut last, begin + 100), all(|_| false));
        }
    }
}

/// 133, 151: what loses its time to live is kept for ever, if it lived at the checkpoint.
pub fn what_loses_its_time_to_live_is_kept_if_it_lived<B: Backend>(make: Make<B>) {
    for (ttl, cut) in [(HUNDRED, (150, 0)), (HUNDRED_BY_WATERMARK, (0, 150))] {
        for deltas in [false, true] {
            let job = expiring(make, ttl, deltas, cut);
            let (mut later, _) = job.restore(&plain, 3).unwrap();
            assert_eq!(shown(&mut later, i64::MAX), all(|time| time > 50));
            later.checkpoint().unwrap();
            assert!(later.is_full(), "no delta stands on rows with stamps");
            let (mut last, _) = later.restore(&plain, 2).unwrap();
            assert_eq!(shown(&mut last, i64::MAX), all(|time| time > 50));
        }
    }
}

/// 133: stamps by one clock say nothing to the other.
pub fn what_expires_by_another_clock_begins_with_the_checkpoint<B: Backend>(make: Make<B>) {
    for deltas in [false, true] {
        let job = expiring(make, HUNDRED_BY_WATERMARK, deltas, (9000, 150));
        let (mut later, _) = job.restore(&kept(HUNDRED), 3).unwrap();
        assert_eq!(shown(&mut later, 9099), all(|time| time > 50));
        assert_eq!(shown(&mut later, 9100), all(|_| false));
        later.set_time(9099, 150);
        later.checkpoint().unwrap();
        assert!(later.is_full(), "no delta stands on stamps of another clock");
    }
}

/// 132: a shorter time to live holds at once, for the stamps that are there.
pub fn a_time_to_live_becomes_shorter<B: Backend>(make: Make<B>) {
    let short = Ttl::processing(Duration::from_millis(70));
    for deltas in [false, true] {
        let job = expiring(make, HUNDRED, deltas, (150, 0));
        let (mut later, _) = job.restore(&kept(short), 3).unwrap();
        for now in [150, 180] {
            assert_eq!(shown(&mut later, now), all(|time| time + 70 > now));
        }
        later.set_time(180, 0);
        later.checkpoint().unwrap();
        let (mut last, _) = later.restore(&kept(short), 2).unwrap();
        assert_eq!(shown(&mut last, 180), all(|time| time + 70 > 180));
    }
}

/// 132: a longer one too; but nothing that had expired at the checkpoint comes back.
pub fn a_time_to_live_becomes_longer<B: Backend>(make: Make<B>) {
    let long = Ttl::processing(Duration::from_millis(200));
    for deltas in [false, true] {
        let job = expiring(make, HUNDRED, deltas, (150, 0));
        let (mut later, _) = job.restore(&kept(long), 3).unwrap();
        for now in [150, 260, 280] {
            assert_eq!(shown(&mut later, now), all(|time| time > 50 && time + 200 > now));
        }
        later.set_time(160, 0);
        later.checkpoint().unwrap();
        let (mut last, _) = later.restore(&kept(long), 2).unwrap();
        assert_eq!(shown(&mut last, 160), all(|time| time > 50));
    }
}

/// 133: without a watermark there is no time to begin with; a state without rows needs none.
pub fn a_time_to_live_needs_the_time_of_its_clock<B: Backend>(make: Make<B>) {
    let open = kept(HUNDRED_BY_WATERMARK);
    let mut job = Job::begin(make, &plain, 2);
    job.set_time(1000, i64::MIN);
    job.checkpoint().unwrap();
    assert!(job.restore(&open, 3).is_ok());
    job.owner(at(1).group()).write(1, 0);
    job.checkpoint().unwrap();
    let Err(refused) = job.restore(&open, 3) else { panic!("it is restored") };
    let Refused { failure, rows } = *refused;
    let LoadFailure::NoWatermark { operator, state } = failure else { panic!("{failure}") };
    assert_eq!((&*operator, &*state, rows), ("operator", "values", 0));
}

/// Takes a checkpoint at a cut, one with deltas if asked for, of rows whose stamps are their times.
fn expiring<B: Backend>(
    make: Make<B>,
    ttl: Ttl,
    deltas: bool,
    (now, watermark): (i64, i64),
) -> Job<B, Task<B>> {
    let mut job = Job::begin(make, &kept(ttl), 2);
    for (key, time) in written(&mut job, deltas) {
        job.owner(at(key).group()).write(key, time);
    }
    job.set_time(now, watermark);
    job.checkpoint().unwrap();
    job
}

/// Returns what is to be written, by key and time; with deltas after a checkpoint of a part of it.
fn written<B: Backend>(job: &mut Job<B, Task<B>>, deltas: bool) -> Vec<(u64, i64)> {
    let mut rows: Vec<_> = TIMES.into_iter().flat_map(|time| KEYS.map(|key| (key, time))).collect();
    if deltas {
        // Of keys 1 and 2 all is in the base but their last, of the others nothing.
        for (key, time) in rows.extract_if(.., |(key, time)| *key < 3 && *time < 120) {
            job.owner(at(key).group()).write(key, time);
        }
        job.checkpoint().unwrap();
    }
    rows
}

/// The states of a task, with a time to live or without one.
enum Task<B: Backend> {
    Kept {
        values: ExpiringValue<B, u64, i64>,
        lists: ExpiringList<B, u64, i64>,
        maps: ExpiringMap<B, u64, String, i64>,
    },
    Plain {
        values: B::Value<u64, i64>,
        lists: B::List<u64, i64>,
        maps: B::Map<u64, String, i64>,
    },
}

fn plain<B: Backend>(store: &mut B) -> Result<Task<B>, B::Error> {
    Ok(Task::Plain {
        values: store.value(Descriptor::new("values"))?,
        lists: store.list(Descriptor::new("lists"))?,
        maps: store.map(Descriptor::new("maps"))?,
    })
}

fn kept<B: Backend>(ttl: Ttl) -> impl Fn(&mut B) -> Result<Task<B>, B::Error> {
    move |store| {
        Ok(Task::Kept {
            values: ttl.value(store, Descriptor::new("values"))?,
            lists: ttl.list(store, Descriptor::new("lists"))?,
            maps: ttl.map(store, Descriptor::new("maps"))?,
        })
    }
}

impl<B: Backend> Task<B> {
    /// Writes a value, an item and a field, all of which are the time.
    fn write(&mut self, key: u64, time: i64) {
        let (at, when, field) = (at(key), When::event(time, i64::MIN), time.to_string());
        match self {
            Self::Kept { values, lists, maps } => {
                values.put(at, time, when).unwrap();
                lists.push(at, time, when).unwrap();
                maps.put(at, &field, time, when).unwrap();
            }
            Self::Plain { values, lists, maps } => {
                values.put(at, time).unwrap();
                lists.push(at, time).unwrap();
                maps.put(at, &field, time).unwrap();
            }
        }
    }

    /// Returns what is shown of a key, at a time if it expires.
    fn show(&self, key: u64, now: i64) -> Held {
        let at = at(key);
        match self {
            Self::Kept { values, lists, maps } => {
                let (mut found, mut fields) = (Vec::new(), BTreeMap::new());
                let seen = lists.peek(at, now, |item| {
                    found.push(*item);
                    ControlFlow::Continue(())
                });
                seen.unwrap();
                let seen = maps.peek_entries(at, now, |field: &String, value| {
                    fields.insert(field.clone(), *value);
                    ControlFlow::Continue(())
                });
                seen.unwrap();
                (values.peek(at, now).unwrap().map(|value| *value), found, fields)
            }
            Self::Plain { values, lists, maps } => {
                let value = values.get(at).unwrap().map(|value| *value);
                (value, items(lists, at), entries(maps, at))
            }
        }
    }
}

impl<B: Backend> States for Task<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        match self {
            Self::Kept { values, lists, maps } => {
                visitor.state(values)?;
                visitor.state(lists)?;
                visitor.state(maps)
            }
            Self::Plain { values, lists, maps } => {
                visitor.state(values)?;
                visitor.state(lists)?;
                visitor.state(maps)
            }
        }
    }
}

/// A value, items and fields.
type Held = (Option<i64>, Vec<i64>, BTreeMap<String, i64>);

/// Returns by key what is there of all that was written, if it is what lives.
fn all(lives: impl Fn(i64) -> bool) -> BTreeMap<u64, Held> {
    let live: Vec<_> = TIMES.into_iter().filter(|time| lives(*time)).collect();
    let fields = live.iter().map(|time| (time.to_string(), *time)).collect::<BTreeMap<_, _>>();
    KEYS.map(|key| (key, (live.last().copied(), live.clone(), fields.clone()))).into()
}

/// Returns by key what is shown.
fn shown<B: Backend>(job: &mut Job<B, Task<B>>, now: i64) -> BTreeMap<u64, Held> {
    KEYS.map(|key| (key, job.owner(at(key).group()).show(key, now))).into()
}

const KEYS: [u64; 4] = [1, 2, 3, 4];
/// When something is written, in this order.
const TIMES: [i64; 5] = [10, 50, 40, 80, 120];
const HUNDRED: Ttl = Ttl::processing(Duration::from_millis(100));
const HUNDRED_BY_WATERMARK: Ttl = Ttl::event(Duration::from_millis(100));
