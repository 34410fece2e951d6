//! Time to live: values that expire when they were not accessed for some time.
//!
//! [`Ttl`] says for how long, by which clock, what counts as an access and what is shown of what
//! has expired. It opens a state of any kind; each value, item of a list or field of a map then has
//! a stamp, the time of its last access. There is no clock: each access says [`When`] it is.
//!
//! ```
//! use std::ops::ControlFlow;
//! use std::time::Duration;
//!
//! use holdwater::key::KeyGroups;
//! use holdwater::state::{Descriptor, State};
//! use holdwater::ttl::{Ttl, When};
//! use holdwater_heap::Heap;
//!
//! let groups = KeyGroups::all(128);
//! let mut store = Heap::new(groups);
//! let (at, minute) = (groups.locate::<u64>(7), 60_000);
//!
//! // Logins that were not seen for half an hour are over; looking at one keeps it.
//! let half_an_hour = Duration::from_secs(1800);
//! let ttl = Ttl::processing(half_an_hour).refreshed_on_read();
//! let mut logins = ttl.value(&mut store, Descriptor::<u64, String>::new("logins"))?;
//! logins.put(at, "ada".into(), 0)?;
//! assert_eq!(logins.get(at, 20 * minute)?.as_deref(), Some(&"ada".to_string()));
//! assert_eq!(logins.get(at, 40 * minute)?.as_deref(), Some(&"ada".to_string()));
//! assert_eq!(logins.get(at, 70 * minute)?.as_deref(), None);
//!
//! // What nobody asks for any more is found by sweeping, a few rows at a time.
//! logins.put(at, "bob".into(), 70 * minute)?;
//! while logins.sweep(100 * minute, 16)? == 16 {}
//! assert_eq!(logins.rows(), 0);
//!
//! // The readings of the last half hour, by the times of the records themselves: each item of a
//! // list expires by itself, also where records are out of order.
//! let mut readings =
//!     Ttl::event(half_an_hour).list(&mut store, Descriptor::<u64, u32>::new("readings"))?;
//! let mut watermark = i64::MIN;
//! for (time, reading) in [(0, 1), (25, 2), (10, 3), (45, 4)] {
//!     readings.push(at, reading, When::event(time * minute, watermark))?;
//!     watermark = watermark.max((time - 15) * minute);
//! }
//! let mut recent = Vec::new();
//! readings.items(at, watermark, |reading| {
//!     recent.push(*reading);
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(recent, [2, 3, 4]);
//! # Ok::<(), holdwater_heap::HeapError>(())
//! ```
//!
//! # What is promised
//!
//! - What has the stamp s is expired at the time t if s + duration <= t, without overflow. No read
//!   shows it from then on, be it of one value, by iteration, by `len` or by `is_empty`; unless
//!   [`shown_until_cleaned_up`](Ttl::shown_until_cleaned_up) was asked for. No update builds on it,
//!   whatever was asked for.
//! - It goes when it is met by a read, in a full snapshot, and by [`sweep`](State::sweep), in which
//!   each step looks at a bounded number of rows. What was swept is removed by the next delta.
//! - States without a time to live pay nothing.
//!
//! # Event time
//!
//! By event time an access has two times: that of the record, which becomes the stamp, and the
//! watermark, which what is there is judged by. A stamp never goes back, so that records out of
//! order leave the latest. Hand each record the watermark of its own input before it: it follows
//! from the input alone, as do all results then, at any parallelism and however records are put
//! into batches. Sweep with the lowest watermark of all inputs. An input that has ended has no
//! watermark any more; go on with its last.
//!
//! # Across a restore
//!
//! Stamps are of the last access, so the duration may change with the program. A state may also be
//! given a time to live, lose it, or have it by another clock: what had none is stamped with the
//! time of the checkpoint, since nobody accessed it later; what loses it is kept if it lived then.
//! What had expired then never comes back, though it would live longer today.

mod accumulate;
mod expiring;
mod list;
mod map;
mod value;

pub use accumulate::{TtlAggregating, TtlReducing};
#[cfg(feature = "alloc")]
pub(crate) use expiring::with_stamp;
pub use expiring::{Expiring, stamped_schema};
pub use list::TtlList;
pub use map::TtlMap;
pub use value::TtlValue;

use core::ops::ControlFlow;
use core::time::Duration;

use crate::key::{Key, OrderedKey};
use crate::schema::Data;
#[cfg(doc)]
use crate::state::State;
use crate::state::{Backend, Cutoff, Descriptor, Expiry, Stamped, TimeDomain};

use self::expiring::stamped_type;

/// How long values live, what keeps them alive, and what is shown of them afterwards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ttl {
    expiry: Expiry,
    refresh_on_read: bool,
    show_expired: bool,
}

impl Ttl {
    /// Lets values live so long by event time: until the watermark is that far behind them.
    ///
    /// # Panics
    ///
    /// If the duration is less than a millisecond.
    pub const fn event(duration: Duration) -> Self {
        Self::new(TimeDomain::Event, duration)
    }

    /// Lets values live so long by processing time.
    ///
    /// # Panics
    ///
    /// If the duration is less than a millisecond.
    pub const fn processing(duration: Duration) -> Self {
        Self::new(TimeDomain::Processing, duration)
    }

    const fn new(domain: TimeDomain, duration: Duration) -> Self {
        let millis = duration.as_millis();
        assert!(millis > 0, "a time to live is a millisecond or more");
        let duration_ms = if millis > i64::MAX as u128 { i64::MAX } else { millis as i64 };
        Self { expiry: Expiry { domain, duration_ms }, refresh_on_read: false, show_expired: false }
    }

    /// Lets reading keep a value alive as well; else only making and writing it does.
    ///
    /// A read that does so is a write to the store: it is in the next delta.
    #[must_use]
    pub const fn refreshed_on_read(self) -> Self {
        Self { refresh_on_read: true, ..self }
    }

    /// Shows expired values to reads until they are cleaned up; else never.
    ///
    /// The read that meets one shows it a last time.
    #[must_use]
    pub const fn shown_until_cleaned_up(self) -> Self {
        Self { show_expired: true, ..self }
    }

    /// Returns the duration and its clock.
    pub const fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// Opens a value.
    pub fn value<B: Backend, K: Key, V: Data>(
        self,
        backend: &mut B,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<ExpiringValue<B, K, V>, B::Error> {
        Ok(TtlValue::new(
            backend.value(descriptor.stamped(self.stamped::<V>(), stamped_type))?,
            self,
        ))
    }

    /// Opens a list, each item of which expires by itself.
    pub fn list<B: Backend, K: Key, V: Data>(
        self,
        backend: &mut B,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<ExpiringList<B, K, V>, B::Error> {
        Ok(TtlList::new(backend.list(descriptor.stamped(self.stamped::<V>(), stamped_type))?, self))
    }

    /// Opens a map, each field of which expires by itself.
    pub fn map<B: Backend, K: Key, F: Key, V: Data>(
        self,
        backend: &mut B,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<ExpiringMap<B, K, F, V>, B::Error> {
        Ok(TtlMap::new(backend.map(descriptor.stamped(self.stamped::<V>(), stamped_type))?, self))
    }

    /// Opens an ordered map, each field of which expires by itself.
    pub fn ordered_map<B: Backend, K: Key, F: OrderedKey, V: Data>(
        self,
        backend: &mut B,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<ExpiringOrderedMap<B, K, F, V>, B::Error> {
        let descriptor = descriptor.stamped(self.stamped::<V>(), stamped_type);
        Ok(TtlMap::new(backend.ordered_map(descriptor)?, self))
    }

    fn stamped<V: Data>(&self) -> Stamped {
        Stamped::new(self.expiry, Expiring::<V>::stamp_of)
    }

    const fn cutoff(&self, when: When) -> Cutoff {
        self.expiry.cutoff(when.now)
    }

    /// Returns whether what has this stamp is shown to reads.
    const fn shows(&self, stamp: i64, when: When) -> bool {
        self.show_expired || !self.cutoff(when).includes(stamp)
    }

    /// Returns what shows `visit` all that is shown to reads, by its key or field, and passes over
    /// the rest.
    fn showing<N, V>(
        &self,
        when: impl Into<When>,
        mut visit: impl FnMut(&N, &V) -> ControlFlow<()>,
    ) -> impl FnMut(&N, &Expiring<V>) -> ControlFlow<()> {
        let when = when.into();
        move |name, held| match self.shows(held.stamp, when) {
            true => visit(name, &held.value),
            false => ControlFlow::Continue(()),
        }
    }

    /// Returns the stamp of what is there after a read, if it is another one.
    const fn refreshed(&self, stamp: i64, when: When) -> Option<i64> {
        if self.refresh_on_read && stamp < when.time { Some(when.time) } else { None }
    }
}

/// When an access is. A plain number is a time of processing: `state.get(at, now)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct When {
    /// The time of the access, which becomes the stamp, in milliseconds since 1970 UTC.
    pub time: i64,
    /// The time that what is there is judged by.
    pub now: i64,
}

impl When {
    /// Is at the time of a record, with the watermark of its input before it.
    pub const fn event(time: i64, watermark: i64) -> Self {
        Self { time, now: watermark }
    }

    /// Returns the same, with the time of an access that may have been later: for what is made of
    /// two values.
    #[must_use]
    pub fn not_before(self, stamp: i64) -> Self {
        Self { time: self.time.max(stamp), ..self }
    }
}

impl From<i64> for When {
    fn from(now: i64) -> Self {
        Self { time: now, now }
    }
}

/// The values of a store that expire, to be named by who owns one.
pub type ExpiringValue<B, K, V> = TtlValue<<B as Backend>::Value<K, Expiring<V>>>;

/// The lists of a store whose items expire, to be named by who owns one.
pub type ExpiringList<B, K, V> = TtlList<<B as Backend>::List<K, Expiring<V>>>;

/// The maps of a store whose fields expire, to be named by who owns one.
pub type ExpiringMap<B, K, F, V> = TtlMap<<B as Backend>::Map<K, F, Expiring<V>>>;

/// The ordered maps of a store whose fields expire, to be named by who owns one.
pub type ExpiringOrderedMap<B, K, F, V> = TtlMap<<B as Backend>::OrderedMap<K, F, Expiring<V>>>;

/// How much of a state lives, and how much has expired and is still to be cleaned up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Census {
    /// Values, items or fields that live.
    pub live: u64,
    /// Those that have expired.
    pub expired: u64,
}

impl Census {
    fn count(&mut self, is_expired: bool) {
        *(if is_expired { &mut self.expired } else { &mut self.live }) += 1;
    }
}

/// Implements `State` for a state with a time to live by the state that holds its values.
macro_rules! state {
    ($state:ident) => {
        impl<S: crate::state::State> crate::state::State for $state<S> {
            type Error = S::Error;
            type Frozen = S::Frozen;

            fn description(&self) -> &crate::state::Description {
                self.state.description()
            }

            fn groups(&self) -> crate::key::KeyGroups {
                self.state.groups()
            }

            fn freeze(&mut self, cut: &crate::state::Cut) -> Result<S::Frozen, S::Error> {
                self.state.freeze(cut)
            }

            fn completed(&mut self, checkpoint: u64) {
                self.state.completed(checkpoint);
            }

            fn aborted(&mut self, checkpoint: u64) {
                self.state.aborted(checkpoint);
            }

            fn load(
                &mut self,
                group: crate::key::KeyGroup,
                change: crate::state::Change<'_>,
                form: &crate::state::Form<'_>,
            ) -> Result<(), crate::state::LoadError<S::Error>> {
                self.state.load(group, change, form)
            }

            fn adopt(
                &mut self,
                group: crate::key::KeyGroup,
                part: &crate::state::PlacedPart<'_>,
            ) -> Result<bool, crate::state::LoadError<S::Error>> {
                self.state.adopt(group, part)
            }

            fn attach(&mut self, native: &mut dyn crate::state::Native) -> Result<bool, S::Error> {
                self.state.attach(native)
            }

            fn loaded(&mut self, checkpoint: u64) {
                self.state.loaded(checkpoint);
            }

            fn clear(&mut self) -> Result<(), S::Error> {
                self.state.clear()
            }

            fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, S::Error> {
                self.state.sweep(now, steps)
            }

            fn show(
                &self,
                group: crate::key::KeyGroup,
                key: Option<&[u8]>,
                moment: crate::state::Moment,
                out: &mut crate::state::RowWriter<'_>,
            ) -> Result<(), crate::state::SaveError<S::Error>> {
                self.state.show(group, key, moment, out)
            }

            fn bytes(&self) -> u64 {
                self.state.bytes()
            }

            fn rows(&self) -> u64 {
                self.state.rows()
            }
        }
    };
}

use state;
