//! Values, items and fields that expire: every kind of state, the clock being an argument.

mod elements;
mod kept;
mod kinds;
mod tape;
mod truth;

pub use elements::{
    fields_expire_one_by_one, items_expire_one_by_one, what_has_expired_does_not_count,
    what_has_expired_does_not_join,
};
pub(super) use kept::{Kept, OnWrite, Policy};
pub(super) use kinds::{Kind, Lists, Maps, Means, OrderedMaps, Place, Sums, TextLists, Values};

use holdwater::key::At;
use holdwater::state::Backend;
use holdwater::ttl::{Census, When};

use self::kept::{ByWatermark, Longer, Longest, OnRead, OnReadShown, OnWriteShown};
use super::{Run, Stage, checkpoints};

/// Shows a behaviour on each kind of state.
macro_rules! each_kind {
    ($behaviour:ident($run:expr)) => {
        $behaviour::<B, Values>($run);
        $behaviour::<B, Lists>($run);
        $behaviour::<B, TextLists>($run);
        $behaviour::<B, Maps>($run);
        $behaviour::<B, OrderedMaps>($run);
        $behaviour::<B, Sums>($run);
        $behaviour::<B, Means>($run);
    };
}

pub(super) use each_kind;

/// One state on a store, and the time.
struct Line<'r, B: Backend, K: Kind> {
    run: &'r Run<B>,
    states: Stage<B, Kept<B, K>>,
    now: i64,
}

impl<'r, B: Backend, K: Kind> Line<'r, B, K> {
    fn new<P: Policy>(run: &'r Run<B>) -> Self {
        let states = run.open(|store| Kept::open(store, "kept", P::TTL));
        Self { run, states, now: 0 }
    }

    /// Takes a checkpoint, goes on as the mode says, and then it is `now`.
    fn turn(&mut self, now: i64) {
        self.states.turn();
        self.now = now;
        self.states.set_time(now);
    }

    fn write(&mut self, number: i64) {
        let at = place(self.run, 1, 0);
        self.states.write(at, number, self.now);
    }

    fn read(&mut self) -> Vec<i64> {
        let at = place(self.run, 1, 0);
        self.states.read(at, self.now)
    }

    /// Returns whether whoever asks the state as it is sees something.
    fn is_shown(&mut self) -> bool {
        let group = place(self.run, 1, 0).group();
        checkpoints::shown(&mut *self.states, group, None, self.now) != [(0, 0)]
    }

    fn is_clean(&mut self) -> bool {
        self.states.rows() == 0 && self.states.census(i64::MIN) == Census::default()
    }
}

fn place<B: Backend>(run: &Run<B>, key: u64, window: u8) -> At<'static, Place> {
    run.at::<Place>((key, window))
}

/// 139: what was never written is not there.
pub fn what_was_never_written_is_not_there<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut line = Line::<B, K>::new::<OnRead>(run);
        assert_eq!(line.read(), []);
        line.turn(50);
        assert_eq!(line.read(), []);
        assert!(line.is_clean());
    }
    each_kind!(shown(run));
}

/// 140: what was dropped is not there, however long it would have lived.
pub fn what_was_dropped_is_not_there<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut line = Line::<B, K>::new::<OnWrite>(run);
        line.write(1);
        line.turn(50);
        line.states.remove(place(run, 1, 0));
        assert_eq!(line.read(), []);
        line.turn(60);
        assert_eq!(line.read(), []);
        assert!(line.is_clean());
    }
    each_kind!(shown(run));
}

/// 141, 158: what is kept alive by writing expires the time to live after the last write, is not
/// built on, and is gone once it was looked for.
pub fn what_was_written_lives_for_its_time<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut line = Line::<B, K>::new::<OnWrite>(run);
        line.write(1);
        line.turn(20);
        assert_eq!(line.read(), K::after(&[1]));
        line.turn(50);
        line.write(2);
        line.turn(120);
        assert_eq!(line.read(), K::after(&[1, 2]));
        line.turn(149);
        assert!(line.is_shown());
        assert_eq!(line.read(), K::after(&[1, 2]));
        line.turn(170);
        assert!(!line.is_shown());
        line.write(3);
        line.turn(220);
        assert_eq!(line.read(), K::after(&[3]));
        line.turn(300);
        assert_eq!(line.read(), []);
        assert!(line.is_clean());
    }
    each_kind!(shown(run));
}

/// 142: where it is asked for, what has expired is shown until it is cleaned up: to the read that
/// does so.
pub fn what_has_expired_is_shown_once_where_asked_for<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut line = Line::<B, K>::new::<OnWriteShown>(run);
        line.write(1);
        line.turn(99);
        line.now = 120;
        assert_eq!(line.read(), K::after(&[1]));
        assert_eq!(line.read(), []);
        assert!(line.is_clean());
        line.write(5);
        line.turn(121);
        line.now = 400;
        line.write(6);
        assert_eq!(line.read(), K::after(&[6]), "it is shown, but not built on");
    }
    each_kind!(shown(run));
}

/// 143: what is kept alive by reading expires the time to live after the last read.
pub fn what_was_read_lives_for_its_time<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut line = Line::<B, K>::new::<OnRead>(run);
        line.write(1);
        for now in [50, 120, 219] {
            line.turn(now);
            assert_eq!(line.read(), K::after(&[1]), "{now}");
        }
        line.turn(319);
        assert_eq!(line.read(), []);
        assert!(line.is_clean());
    }
    each_kind!(shown(run));
}

/// 144: both: kept alive by reading, and shown until cleaned up.
pub fn what_was_read_is_shown_once_where_asked_for<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut line = Line::<B, K>::new::<OnReadShown>(run);
        line.write(1);
        for now in [50, 120] {
            line.turn(now);
            assert_eq!(line.read(), K::after(&[1]));
        }
        line.turn(200);
        line.now = 250;
        assert_eq!(line.read(), K::after(&[1]));
        assert_eq!(line.read(), []);
    }
    each_kind!(shown(run));
}

/// 145: the longest time to live never overflows into the past.
pub fn the_longest_time_to_live_does_not_overflow<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut line = Line::<B, K>::new::<Longest>(run);
        line.turn(10);
        line.write(1);
        for now in [50, i64::MAX - 1, i64::MAX] {
            line.turn(now);
            assert_eq!(line.read(), K::after(&[1]));
            line.states.sweep(now);
            assert_eq!(line.states.census(now), line.states.census(0));
        }
    }
    each_kind!(shown(run));
}

/// 147: keys expire each by itself, also where they expire from checkpoints alone.
pub fn keys_expire_each_by_itself<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        expire_apart::<B, K>(run, [place(run, 1, 0), place(run, 2, 0), place(run, 3, 0)]);
    }
    each_kind!(shown(run));
}

/// 148: the windows of a key expire each by itself.
pub fn windows_expire_each_by_itself<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        expire_apart::<B, K>(run, [place(run, 1, 1), place(run, 1, 2), place(run, 1, 3)]);
    }
    each_kind!(shown(run));
}

fn expire_apart<B: Backend, K: Kind>(run: &Run<B>, [first, second, third]: [At<'_, Place>; 3]) {
    for looks_at_all in [true, false] {
        let mut line = Line::<B, K>::new::<OnWrite>(run);
        line.states.write(first, 1, 0);
        line.turn(50);
        line.states.write(second, 2, 50);
        line.turn(90);
        line.states.write(first, 3, 90);
        line.states.write(third, 4, 90);
        line.turn(160);
        let after_one = K::after(&[1, 3]);
        if looks_at_all {
            assert_eq!(line.states.read(second, 160), []);
        }
        assert_eq!(line.states.read(first, 160), after_one);
        line.turn(189);
        assert_eq!(line.states.read(first, 189), after_one);
        assert_eq!(line.states.read(third, 189), K::after(&[4]));
        line.turn(190);
        line.turn(191);
        for at in [first, second, third] {
            assert_eq!(line.states.read(at, 191), []);
        }
        assert!(line.is_clean());
    }
}

/// 149: two states of one store expire each by its own time to live.
pub fn states_expire_each_by_its_own_time<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut states: Stage<B, Two<B, K>> = run.open(|store| {
            let short = Kept::open(store, "short", OnWrite::TTL)?;
            Ok(Two { short, long: Kept::open(store, "long", Longer::TTL)? })
        });
        let at = place(run, 1, 0);
        states.short.write(at, 1, 0);
        states.long.write(at, 2, 0);
        states.turn();
        states.set_time(120);
        states.turn();
        assert_eq!(states.short.read(at, 120), []);
        assert_eq!(states.long.read(at, 120), K::after(&[2]));
        states.short.write(at, 3, 120);
        states.short.sweep(300);
        states.long.sweep(300);
        assert_eq!((states.short.rows(), states.long.rows()), (0, 0));
    }
    each_kind!(shown(run));
}

struct Two<B: Backend, K: Kind> {
    short: Kept<B, K>,
    long: Kept<B, K>,
}

impl<B: Backend, K: Kind> holdwater::state::States for Two<B, K> {
    type Error = B::Error;

    fn each<V: holdwater::state::Visitor<B::Error>>(
        &mut self,
        visitor: &mut V,
    ) -> Result<(), V::Stop> {
        self.short.each(visitor)?;
        self.long.each(visitor)
    }
}

/// 11, 150: what expires goes through checkpoints like anything else; restored, it expires when it
/// would have.
pub fn stamps_come_from_the_checkpoint<B: Backend>(run: &Run<B>) {
    fn shown<B: Backend, K: Kind>(run: &Run<B>) {
        let mut line = Line::<B, K>::new::<OnWrite>(run);
        line.write(1);
        line.turn(20);
        line.turn(40);
        let older = line.states.checkpoints().last().unwrap();
        line.write(2);
        line.turn(60);
        let at = place(run, 1, 0);
        let mut restored = line.states.restored(older);
        assert_eq!(restored.read(at, 70), K::after(&[1]));
        assert_eq!(restored.read(at, 99), K::after(&[1]));
        assert_eq!(restored.read(at, 100), []);
        assert_eq!(line.states.read(at, 139), K::after(&[1, 2]));
    }
    each_kind!(shown(run));
}

/// 162: by event time, what a record meets follows from the records of its input: not from sweeps,
/// nor from how keys are spread over tasks.
pub fn event_time_is_the_same_in_every_replay<B: Backend>(run: &Run<B>) {
    let records = |tasks: u16, sweeps: bool| {
        let mut states: Vec<_> = (0..tasks)
            .map(|index| {
                let groups = holdwater::key::KeyGroups::share(16, tasks, index);
                Kept::<B, Sums>::open(&mut run.store(groups), "sums", ByWatermark::TTL).unwrap()
            })
            .collect();
        let (mut highest, mut random, mut met) = (0, 7u64, Vec::new());
        for number in 0..400i64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (key, time) = (random >> 60, number * 9 - (random >> 40) as i64 % 60);
            let (watermark, at) = (highest - 30, place(run, key, 0));
            let owner = holdwater::key::KeyGroups::owner(at.group(), 16, tasks);
            let state = &mut states[usize::from(owner)];
            state.write(at, 1, When::event(time, watermark));
            met.push(state.read(at, When::event(time, watermark)));
            highest = highest.max(time);
            if sweeps && random % 5 == 0 {
                states.iter_mut().for_each(|state| _ = state.sweep(watermark));
            }
        }
        met
    };
    let plain = records(1, false);
    assert!(plain.iter().any(|sum| *sum > vec![3]) && plain[100..].contains(&vec![1]));
    for (tasks, sweeps) in [(1, true), (3, false), (4, true)] {
        assert_eq!(records(tasks, sweeps), plain);
    }
}

/// 88, 162: whatever is accessed, swept, frozen and restored, at whatever times, every read agrees
/// with the truth.
pub fn any_tape_with_times_agrees_with_the_truth<B: Backend>(run: &Run<B>) {
    tape::each(run);
}

/// 162: plays any tape with times to two stores: at every checkpoint what lives has equal digests.
pub(super) fn agree<A: Backend, B: Backend>(left: &Run<A>, right: &Run<B>) {
    tape::agree(left, right);
}
