//! Sessions: which ones of a key are live, and a timer for each.

use core::fmt;
use core::ops::ControlFlow;

use super::{Closed, Session, Step, Window};
use crate::key::{At, In, Key, KeyGroups};
use crate::state::{Backend, Descriptor, Map, States, TimeDomain, Timers, Visitor};
use crate::timer::Sweep;

/// Which sessions of each key are live: needs no allocator.
///
/// The state of a session is held under the window of its earliest row alone, so that it stays
/// where it is while the session grows, and is told by its start. It moves when sessions join, and
/// when a row comes before all others.
///
/// A timer stays at the time it was registered for; when it fires and the session has grown, it
/// waits for the new end. So a row that prolongs a session changes one number and no timer.
///
/// Cost of a row: the live sessions of its key.
pub struct SessionWindows<K: Key, B: Backend> {
    session: Session,
    groups: KeyGroups,
    timers: B::Timers<In<K, Window>>,
    /// The last row of each live session, by its earliest.
    live: B::Map<K, i64, i64>,
}

impl<K: Key, B: Backend> SessionWindows<K, B> {
    /// Opens the timers of the sessions, and the map of those that are live.
    pub fn open(
        backend: &mut B,
        session: Session,
        windows: Descriptor<'_, In<K, Window>, ()>,
        sessions: Descriptor<'_, K, (i64, i64)>,
    ) -> Result<Self, B::Error> {
        let timers = backend.timers(windows, TimeDomain::Event)?;
        let live = backend.map(sessions)?;
        Ok(Self { session, groups: backend.groups(), timers, live })
    }

    /// Returns the gap.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the groups whose sessions are held.
    pub const fn groups(&self) -> KeyGroups {
        self.groups
    }

    /// As [`Windows::add`](super::Windows::add): joins the sessions that the row connects, then
    /// adds it. A session that ended at `watermark` or before takes no more rows.
    pub fn add<E: From<B::Error>>(
        &mut self,
        at: At<'_, K>,
        time: i64,
        watermark: i64,
        mut step: impl FnMut(Step) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.session.is_late(time, watermark) {
            return Ok(false);
        }
        let row = Row { time, watermark };
        let touched = self.touched(at, row)?;
        let first = touched.map_or(time, |touched| touched.first.min(time));
        let last = touched.map_or(time, |touched| touched.last.max(time));
        let into = self.session.spanning(first, first);
        if touched.is_none_or(|touched| touched.first != first) {
            // First, so that no state is ever without a timer that removes it.
            self.timers.register(at.within(into), self.session.spanning(first, last).end)?;
        }
        while let Some(start) = self.next_to_join(at, row, first)? {
            step(Step::Merge { from: self.session.spanning(start, start), into })?;
            self.live.remove(at, start)?;
        }
        if touched != Some(Touched { first, last, count: 1 }) {
            self.live.put(at, first, last)?;
        }
        step(Step::Add(into))?;
        Ok(true)
    }

    /// As [`Windows::due`](super::Windows::due).
    pub fn due(&mut self, sweep: &mut Sweep) -> Result<Option<Closed<K>>, B::Error> {
        while let Some(timer) = sweep.fire(&mut self.timers)? {
            let In { key, window: namespace } = timer.key;
            let at = self.groups.locate::<K>(key.view());
            let last = self.live.get(at, namespace.start)?.map(|last| *last);
            // One that has joined another leaves its timer behind.
            let Some(last) = last else { continue };
            let window = self.session.spanning(namespace.start, last);
            if window.end > timer.time {
                self.timers.register(at.within(namespace), window.end)?;
                continue;
            }
            self.live.remove(at, namespace.start)?;
            return Ok(Some(Closed { key, namespace, window }));
        }
        Ok(None)
    }

    /// As [`Windows::is_cut`](super::Windows::is_cut).
    pub fn is_cut(&self, sweep: &Sweep) -> Result<bool, B::Error> {
        sweep.is_cut(&self.timers)
    }

    /// Returns what the sessions that `row` belongs to come to.
    fn touched(&self, at: At<'_, K>, row: Row) -> Result<Option<Touched>, B::Error> {
        let mut touched: Option<Touched> = None;
        self.live.entries(at, |first, last| {
            if row.joins(self.session, *first, *last) {
                let other = touched.unwrap_or(Touched { first: *first, last: *last, count: 0 });
                touched = Some(Touched {
                    first: other.first.min(*first),
                    last: other.last.max(*last),
                    count: other.count + 1,
                });
            }
            ControlFlow::Continue(())
        })?;
        Ok(touched)
    }

    /// Returns the start of the earliest session that `row` belongs to, but for the one at `first`.
    fn next_to_join(&self, at: At<'_, K>, row: Row, first: i64) -> Result<Option<i64>, B::Error> {
        let mut next: Option<i64> = None;
        self.live.entries(at, |start, last| {
            if *start != first && row.joins(self.session, *start, *last) {
                next = Some(next.map_or(*start, |next| next.min(*start)));
            }
            ControlFlow::Continue(())
        })?;
        Ok(next)
    }
}

/// When a row was, and how far the time of its input had come.
#[derive(Clone, Copy)]
struct Row {
    time: i64,
    watermark: i64,
}

impl Row {
    /// Returns whether the row belongs to the live session of rows from `first` to `last`.
    fn joins(self, session: Session, first: i64, last: i64) -> bool {
        let is_open = session.spanning(first, last).end > self.watermark;
        is_open && session.touches(self.time, first, last)
    }
}

/// What the sessions come to that a row belongs to.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Touched {
    first: i64,
    last: i64,
    count: u64,
}

impl<K: Key, B: Backend> States for SessionWindows<K, B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        visitor.state(&mut self.timers)?;
        visitor.state(&mut self.live)
    }
}

impl<K: Key, B: Backend> fmt::Debug for SessionWindows<K, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionWindows").field("session", &self.session).finish_non_exhaustive()
    }
}
