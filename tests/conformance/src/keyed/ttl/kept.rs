//! An operator of one state that expires, and how long its values live.

use std::marker::PhantomData;
use std::time::Duration;

use holdwater::key::At;
use holdwater::state::{Backend, State, States, Visitor};
use holdwater::ttl::{Census, Ttl, When};

use super::kinds::{Kind, Place};

/// How values of a behaviour expire.
pub(in crate::keyed) trait Policy: 'static {
    const TTL: Ttl;
}

macro_rules! policies {
    ($($(#[$doc:meta])* $name:ident = $ttl:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::keyed) struct $name;

        impl Policy for $name {
            const TTL: Ttl = $ttl;
        }
    )+};
}

const HUNDRED: Duration = Duration::from_millis(100);

policies! {
    /// Kept alive by writing, never shown once expired.
    OnWrite = Ttl::processing(HUNDRED);
    /// Kept alive by writing, shown until cleaned up.
    OnWriteShown = Ttl::processing(HUNDRED).shown_until_cleaned_up();
    /// Kept alive by reading as well.
    OnRead = Ttl::processing(HUNDRED).refreshed_on_read();
    /// Kept alive by reading as well, shown until cleaned up.
    OnReadShown = Ttl::processing(HUNDRED).refreshed_on_read().shown_until_cleaned_up();
    /// As long as can be.
    Longest = Ttl::processing(Duration::MAX);
    /// By the watermark.
    ByWatermark = Ttl::event(HUNDRED);
    /// Three times as long.
    Longer = Ttl::processing(Duration::from_millis(300));
}

/// An operator of one state that expires.
pub(in crate::keyed) struct Kept<B: Backend, K: Kind> {
    pub(in crate::keyed) held: K::Held<B>,
    kind: PhantomData<K>,
}

impl<B: Backend, K: Kind> Kept<B, K> {
    pub(in crate::keyed) fn open(store: &mut B, name: &str, ttl: Ttl) -> Result<Self, B::Error> {
        Ok(Self { held: K::open(store, name, ttl)?, kind: PhantomData })
    }

    pub(in crate::keyed) fn write(
        &mut self,
        at: At<'_, Place>,
        number: i64,
        when: impl Into<When>,
    ) {
        K::write(&mut self.held, at, number, when.into());
    }

    pub(in crate::keyed) fn read(&mut self, at: At<'_, Place>, when: impl Into<When>) -> Vec<i64> {
        K::read(&mut self.held, at, when.into())
    }

    pub(in crate::keyed) fn remove(&mut self, at: At<'_, Place>) {
        K::remove(&mut self.held, at);
    }

    pub(in crate::keyed) fn census(&mut self, when: impl Into<When>) -> Census {
        K::census(&mut self.held, when.into())
    }

    /// Sweeps a step at a time until nothing is left to be done; returns how many steps it took.
    pub(in crate::keyed) fn sweep(&mut self, now: i64) -> usize {
        let mut sweeps = Sweep { now, done: 0, rows: 0 };
        let Ok(()) = K::visit(&mut self.held, &mut sweeps);
        sweeps.done
    }

    /// Returns how many keys have a row, live or not.
    pub(in crate::keyed) fn rows(&mut self) -> u64 {
        let mut sweeps = Sweep { now: i64::MIN, done: 0, rows: 0 };
        let Ok(()) = K::visit(&mut self.held, &mut sweeps);
        sweeps.rows
    }
}

impl<B: Backend, K: Kind> States for Kept<B, K> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        K::visit(&mut self.held, visitor)
    }
}

struct Sweep {
    now: i64,
    done: usize,
    rows: u64,
}

impl<E: holdwater::error::StateError> Visitor<E> for Sweep {
    type Stop = std::convert::Infallible;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), Self::Stop> {
        while state.sweep(self.now, 1).unwrap() == 1 {
            self.done += 1;
        }
        self.rows += state.rows();
        Ok(())
    }
}
