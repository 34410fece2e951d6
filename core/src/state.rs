//! The states an operator declares, and what a store must do to hold them.
//!
//! A [`Backend`] opens states; the operator owns them. Access is typed and static; the place is an
//! argument ([`At`](crate::key::At)). Everything generic code needs is on the base traits, since a
//! trait that only some stores implement could not be named for states that are themselves generic.
//!
//! | kind | holds for each key |
//! |---|---|
//! | [`Value`] | one value |
//! | [`List`] | items, in the order in which they came |
//! | [`Map`] | a value for each field |
//! | [`OrderedMap`] | the same, visited in the order of the fields |
//! | [`Reducing`] | a value that each addition is reduced into |
//! | [`Aggregating`] | an accumulator, whose input and output are of other types |
//! | [`Timers`] | times at which to be called |
//!
//! Each has a page with a program that runs; docs/state.md says which is for what. What belongs to
//! an operator and to no key stands in [`operator`](crate::operator), times to live in
//! [`ttl`](crate::ttl), windows in [`window`](crate::window). [`states!`](crate::states!) declares
//! the states of an operator.

mod accumulate;
mod describe;
mod division;
mod expiry;
#[cfg(feature = "alloc")]
mod fit;
mod join;
mod list;
mod loan;
#[cfg(feature = "alloc")]
mod locator;
mod map;
mod native;
mod ordered;
mod piece;
mod rows;
mod states;
mod timers;
mod types;
mod value;
mod writer;

pub use accumulate::{Aggregate, Aggregating, Reducing};
pub use describe::{
    Describe, Description, Descriptor, Kind, NAME_BYTES_MAX, Name, STATES_MAX, TypeSchema,
};
pub use division::Division;
pub use expiry::{Cutoff, Expiry, Judge, Life, Moment, Passes, Stamped};
#[cfg(feature = "alloc")]
pub use fit::{Fit, Schemas, TypeMismatch};
pub use list::List;
pub use loan::{Fate, Loan};
#[cfg(feature = "alloc")]
pub use locator::Locator;
pub use map::Map;
pub use native::{KeptFile, Native, Unfetched};
#[cfg(feature = "alloc")]
pub use native::{NativeFrozen, NativeSnapshot};
pub use ordered::OrderedMap;
pub use piece::{Piece, Raw};
pub use rows::{Change, Form, ITEMS_MAX, Op, Shape};
pub use states::{States, Visitor};
pub use timers::{TimeDomain, Timer, Timers};
pub use types::Types;
pub use value::Value;
pub use writer::{Output, OutputFailed, ROW_BUFFER_MIN, RowWriter, SaveError};

use core::fmt;

use crate::error::{ErrorKind, Malformed, StateError};
use crate::key::{Key, KeyGroup, KeyGroups, OrderedKey};
use crate::schema::{Data, DecodeError, Refusal};

/// A kind of store: opens states, and decides how they are held.
pub trait Backend {
    /// Why an access can fail.
    type Error: StateError;
    /// One value per key.
    type Value<K: Key, V: Data>: Value<K, V, Error = Self::Error>;
    /// A growing list of items per key.
    type List<K: Key, V: Data>: List<K, V, Error = Self::Error>;
    /// A map of fields per key.
    type Map<K: Key, F: Key, V: Data>: Map<K, F, V, Error = Self::Error>;
    /// A map of fields per key, in their order.
    type OrderedMap<K: Key, F: OrderedKey, V: Data>: OrderedMap<K, F, V, Error = Self::Error>;
    /// Timers per key.
    type Timers<K: Key>: Timers<K, Error = Self::Error>;

    /// Returns the groups whose state the store holds.
    fn groups(&self) -> KeyGroups;

    /// Opens a value. A name opened before with another kind or type is an error.
    fn value<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<Self::Value<K, V>, Self::Error>;

    /// Opens a list.
    fn list<K: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, V>,
    ) -> Result<Self::List<K, V>, Self::Error>;

    /// Opens a map.
    fn map<K: Key, F: Key, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<Self::Map<K, F, V>, Self::Error>;

    /// Opens an ordered map.
    fn ordered_map<K: Key, F: OrderedKey, V: Data>(
        &mut self,
        descriptor: Descriptor<'_, K, (F, V)>,
    ) -> Result<Self::OrderedMap<K, F, V>, Self::Error>;

    /// Opens timers.
    fn timers<K: Key>(
        &mut self,
        descriptor: Descriptor<'_, K, ()>,
        domain: TimeDomain,
    ) -> Result<Self::Timers<K>, Self::Error>;
}

/// The moment at which states are frozen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The checkpoint that the freeze is for; higher than any before it.
    pub checkpoint: u64,
    /// The completed checkpoint that a delta stands on; `None` asks for everything.
    pub base: Option<u64>,
    /// The time of processing, in milliseconds since 1970 UTC.
    pub now: i64,
    /// The watermark, in milliseconds since 1970 UTC.
    pub watermark: i64,
}

impl Cut {
    /// Returns when it is, by both clocks.
    pub const fn moment(&self) -> Moment {
        Moment { now: self.now, watermark: self.watermark }
    }
}

/// What all states have in common: they are described, frozen, saved, loaded and swept.
pub trait State {
    /// Why an access can fail.
    type Error: StateError;
    /// The state as it was at one moment.
    type Frozen: Frozen<Error = Self::Error>;

    /// Returns name, kind and schemas.
    fn description(&self) -> &Description;

    /// Returns the groups whose rows the state holds.
    fn groups(&self) -> KeyGroups;

    /// Returns the state as it is now, for a checkpoint: all of it, or what changed since the base.
    ///
    /// Its cost is bounded by configuration, not by the size of the state: the store copies later,
    /// on write, or not at all. A base that the store does not know (it was not told
    /// [`completed`](Self::completed), or was loaded anew) yields everything.
    ///
    /// What a freeze took stays with the store until the checkpoint is completed: every later delta
    /// contains it, also after an abort and on an unknown outcome.
    fn freeze(&mut self, cut: &Cut) -> Result<Self::Frozen, Self::Error>;

    /// Takes note that `checkpoint` is complete, and may be the base of later freezes.
    fn completed(&mut self, checkpoint: u64);

    /// Takes note that `checkpoint` will never be complete. Calling it is optional.
    fn aborted(&mut self, checkpoint: u64);

    /// Applies one row of a part, in the order in which the part holds them.
    ///
    /// A key that does not belong to `group` is refused. After an error the state is to be
    /// [`clear`](Self::clear)ed or dropped: it may hold part of what was loaded.
    fn load(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<Self::Error>>;

    /// Takes a full part of `group`, which has no row yet, as it lies in a file: to be read there
    /// from now on, instead of [`load`](Self::load)ing its rows. Returns whether it was taken; if
    /// not, the rows are to be loaded.
    ///
    /// The rows are as the types of today write them, and the part has been found where the
    /// checkpoint says it is. What a store does not check at once, it checks before it reads it,
    /// and all of it before a checkpoint may stand on it: saving fails where there is damage.
    fn adopt(
        &mut self,
        group: KeyGroup,
        part: &PlacedPart<'_>,
    ) -> Result<bool, LoadError<Self::Error>> {
        let _ = (group, part);
        Ok(false)
    }

    /// Takes over, while it is empty, the rows that a store of the same kind left in files: those
    /// of the groups that both have. Returns whether it could; not every store keeps such files.
    fn attach(&mut self, native: &mut dyn Native) -> Result<bool, Self::Error> {
        let _ = native;
        Ok(false)
    }

    /// Settles what of the rows loaded so far stays with this task. What belongs to keys does: it
    /// was loaded by key group. Operator state moves when the number of tasks has changed.
    fn divide(&mut self, division: &mut Division) -> Result<(), Self::Error> {
        let _ = division;
        Ok(())
    }

    /// Takes note that the rows loaded so far are those of the completed `checkpoint`, the base of
    /// the next delta.
    fn loaded(&mut self, checkpoint: u64);

    /// Drops every row.
    fn clear(&mut self) -> Result<(), Self::Error>;

    /// Does up to `steps` steps of the store's own clean-up: what expired by `now`, copies that a
    /// snapshot has let go. Returns how many were done; fewer than asked means there is no more.
    ///
    /// `now` is a time by the clock that the rows expire by. A step looks at a bounded number of
    /// rows, items or fields, so that called again and again it finds all that expired.
    fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, Self::Error>;

    /// Writes what the state holds of `group` now, as in a full part, without what has expired by
    /// `moment`: the rows of the key with that encoding, or those of all keys. It writes nothing of
    /// a group that another task owns.
    ///
    /// It is for those who ask a running job, and changes nothing. One key costs an access, of
    /// timers a look at all of the group; all keys cost a look at each of their rows.
    fn show(
        &self,
        group: KeyGroup,
        key: Option<&[u8]>,
        moment: Moment,
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Self::Error>>;

    /// Returns how many bytes the state takes, copies held for a snapshot included.
    fn bytes(&self) -> u64;

    /// Returns how many keys have a row, also one that expired and was not cleaned up yet.
    fn rows(&self) -> u64;
}

/// A state as it was at one moment, free to be saved by another thread while the owner writes on.
pub trait Frozen: Send + Sync + 'static {
    /// Why an access can fail.
    type Error: StateError;

    /// Returns what [`save`](Self::save) writes of `group`.
    fn shape(&self, group: KeyGroup) -> Shape;

    /// Writes the rows of `group`: all of them, or the changes since the base, as its shape says.
    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Self::Error>>;

    /// Writes all rows of the key with that encoding, as in a full part; none if there is no such.
    fn get(
        &self,
        group: KeyGroup,
        key: &[u8],
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Self::Error>>;

    /// Checks all that a checkpoint stands on of what was taken as it lies ([`State::adopt`]) and
    /// not checked yet: called once before anything is saved, beside the job.
    fn verify(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Returns what to hash keys with if full parts are to say where the rows of each key lie, so
    /// that a store can read them there ([`State::adopt`]); while a part is written, each of its
    /// rows takes 16 bytes.
    fn locator_seed(&self) -> Option<u64> {
        None
    }

    /// Writes all rows of `group`, as in a full part, whatever the shape.
    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Self::Error>>;

    /// Returns the files that hold the same rows, if the store keeps such and is to save them.
    #[cfg(feature = "alloc")]
    fn native(&self) -> Option<NativeFrozen<'_>> {
        None
    }
}

/// A part where it lies.
#[derive(Clone, Copy, Debug)]
pub struct PlacedPart<'f> {
    /// The file, as its storage hands it out: of a directory a `std::fs::File`, open for reading.
    pub file: &'f dyn core::any::Any,
    /// The name of the file, for messages.
    pub name: &'f str,
    /// The hash of the whole file, by its seal.
    pub hash: u128,
    /// The offset of its first block.
    pub offset: u64,
    /// The length of its blocks.
    pub length: u64,
    /// How many values, items and fields it has.
    pub rows: u64,
    /// The sum of their digests.
    pub digest: u128,
}

/// Why a row cannot be loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LoadError<E> {
    /// The row is not one of this state; the offset counts from the start of the row.
    Malformed(Malformed),
    /// The row was written by a type that this one cannot read.
    Evolution(DecodeError),
    /// The store cannot take the row.
    State(E),
}

impl<E> From<Malformed> for LoadError<E> {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl<E> From<DecodeError> for LoadError<E> {
    fn from(error: DecodeError) -> Self {
        match error.refusal {
            Refusal::Malformed(fault) => Self::Malformed(Malformed::new(fault, error.offset)),
            _ => Self::Evolution(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Evolution(error) => error.fmt(f),
            Self::State(error) => error.fmt(f),
        }
    }
}

impl<E: StateError> core::error::Error for LoadError<E> {}

impl<E: StateError> StateError for LoadError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed(_) => ErrorKind::Corrupt,
            Self::Evolution(_) => ErrorKind::Mismatch,
            Self::State(error) => error.kind(),
        }
    }
}
