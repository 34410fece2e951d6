//! The search for what has expired: segment by segment, some values at a time.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt::{self, Debug};

use holdwater::key::Key;
use holdwater::state::{Cut, Judge, Passes, Stamped};

use crate::row::Payload;
use crate::table::Table;

/// A search in a table, wherever it remembers how far it has got in a row.
pub(crate) trait Search<T>: Debug + Send + Sync {
    /// Begins anew: what is there now has not been looked at.
    fn reset(&mut self);

    /// Returns how live rows are told from expired ones in what is frozen.
    fn freeze(&mut self, cut: &Cut) -> Judge;

    /// Drops what has expired by `now`, in at most `steps` steps; returns how many it took.
    fn run(&mut self, table: &mut T, now: i64, steps: usize) -> usize;
}

/// Makes the search in a table whose values expire.
pub(crate) fn search<K: Key, P: Payload<K>>(stamped: Stamped) -> Box<dyn Search<Table<K, P>>> {
    Box::new(Progress::<K, P::Position>::new(stamped))
}

/// How far the search has got.
struct Progress<K, P> {
    stamped: Stamped,
    passes: Passes,
    /// The latest time at which the table was frozen: what had expired once stays expired.
    frozen: Option<i64>,
    /// The group that is next, the segment in it, and behind all of them the row in no segment.
    group: usize,
    segment: usize,
    overflow: Option<Box<[u8]>>,
    /// Keys of the last segment whose rows are still to be looked at, and where in the first.
    keys: Vec<K>,
    position: P,
}

impl<K: Key, P: Default> Progress<K, P> {
    fn new(stamped: Stamped) -> Self {
        Self {
            stamped,
            passes: Passes::new(),
            frozen: None,
            group: 0,
            segment: 0,
            overflow: None,
            keys: Vec::new(),
            position: P::default(),
        }
    }

    fn step<R: Payload<K, Position = P>>(&mut self, table: &mut Table<K, R>, now: i64) {
        let judge = self.stamped.at(now);
        let mut left = VALUES_PER_STEP;
        while left > 0 {
            let (stamped, passes) = (self.stamped, &mut self.passes);
            let mut look = Look { stamped, judge, now, passes, seen: 1 };
            if let Some(key) = self.keys.pop() {
                let at = table.groups().locate::<K>(key.view());
                let from = core::mem::take(&mut self.position);
                let next = R::expire(table, at, from, &mut look);
                left = left.saturating_sub(look.seen);
                if let Some(next) = next {
                    self.position = next;
                    self.keys.push(key);
                }
                continue;
            }
            let Some(group) = table.part(self.group) else {
                (self.group, self.segment) = (0, 0);
                self.passes.end(stamped.expiry);
                return;
            };
            let keys = &mut self.keys;
            let mut take = |key: &K, payload: &R| {
                if payload.may_expire(&mut look) {
                    keys.push(key.clone());
                }
            };
            if self.segment < group.segments() {
                group.each_of(self.segment, |row| take(&row.key, &row.payload));
                self.segment += 1;
            } else {
                self.overflow = group.overflow_behind(self.overflow.as_deref(), |row| {
                    take(&row.key, &row.payload);
                });
                if self.overflow.is_none() {
                    (self.group, self.segment) = (self.group + 1, 0);
                }
            }
            left = left.saturating_sub(look.seen);
        }
    }
}

impl<K: Key, P: Payload<K>> Search<Table<K, P>> for Progress<K, P::Position> {
    fn reset(&mut self) {
        *self = Self::new(self.stamped);
    }

    fn freeze(&mut self, cut: &Cut) -> Judge {
        let now = cut.moment().by(self.stamped.expiry.domain);
        let now = self.frozen.map_or(now, |frozen| frozen.max(now));
        self.frozen = Some(now);
        self.stamped.at(now)
    }

    fn run(&mut self, table: &mut Table<K, P>, now: i64, steps: usize) -> usize {
        let mut done = 0;
        while done < steps && self.passes.is_under_way(now) {
            self.step(table, now);
            done += 1;
        }
        done
    }
}

impl<K, P> Debug for Progress<K, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("passes", &self.passes).finish_non_exhaustive()
    }
}

/// A look at some values.
#[derive(Debug)]
pub struct Look<'l> {
    stamped: Stamped,
    judge: Judge,
    now: i64,
    passes: &'l mut Passes,
    /// How many values were looked at.
    seen: usize,
}

impl Look<'_> {
    /// Looks at a value; returns whether it lives.
    pub(crate) fn finds_live<V: Any>(&mut self, value: &V) -> bool {
        self.seen += 1;
        let live = self.judge.is_live(value);
        if live {
            self.passes.meet(self.stamped.expiry.deadline(self.stamped.stamp(value)));
        }
        live
    }

    /// Takes note that something expired was not dropped: it is looked for again later.
    pub(crate) fn put_off(&mut self) {
        self.passes.meet(self.now.checked_add(1));
    }

    pub(crate) const fn judge(&self) -> Judge {
        self.judge
    }
}

/// Some 3 ns each.
const VALUES_PER_STEP: usize = 256;
