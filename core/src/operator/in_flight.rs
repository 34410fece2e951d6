//! Records that were on their way to a task when it took its part of a checkpoint.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;

use super::{Task, check_row};
use crate::codec::{EncodeError, Encoding, Reader, encode};
use crate::error::{Fault, StateError};
use crate::key::{KeyGroup, KeyGroups};
use crate::planted::planted;
use crate::schema::{Data, DecodeError};
use crate::state::{
    Change, Cut, Describe, Description, Descriptor, Form, Frozen, Kind, LoadError, Moment, Op, Raw,
    RowWriter, SaveError, Shape, State,
};

/// How records on their way to a task are stored: what a checkpoint holds of a batch of them.
///
/// ```
/// use holdwater::key::KeyGroups;
/// use holdwater::operator::InFlightCodec;
///
/// /// Amounts by account.
/// struct Transfers(Vec<(u64, i64)>);
///
/// let codec = InFlightCodec::new(
///     |transfers: &Transfers| transfers.0.clone(),
///     |mut stored: Vec<(u64, i64)>, groups: KeyGroups| {
///         stored.retain(|(account, _)| groups.contains(groups.locate::<u64>(*account).group()));
///         (!stored.is_empty()).then_some(Transfers(stored))
///     },
/// );
/// assert!(codec.is_ok());
/// ```
pub struct InFlightCodec<V> {
    description: Description,
    encode: Arc<Encode<V>>,
    decode: Arc<Decode<V>>,
}

type Encode<V> =
    dyn Fn(u16, &V, Encoding) -> Result<Vec<u8>, EncodeError<Infallible>> + Send + Sync;
type Decode<V> =
    dyn Fn(&Form<'_>, &mut Reader<'_>, KeyGroups) -> Result<Decoded<V>, DecodeError> + Send + Sync;
/// The number of the input, and what is kept of the batch.
type Decoded<V> = (u16, Option<V>);

impl<V> InFlightCodec<V> {
    /// Stores what `store` returns of a batch. `restore` returns of that the records of some key
    /// groups, in their order: a task is restored from what was in flight to all tasks. To a sink
    /// every group comes.
    ///
    /// Fails if `S` has no portable schema.
    pub fn new<S: Data>(
        store: impl Fn(&V) -> S + Send + Sync + 'static,
        restore: impl Fn(S, KeyGroups) -> Option<V> + Send + Sync + 'static,
    ) -> Result<Self, Describe> {
        let description = Descriptor::<u16, (u16, S)>::new(IN_FLIGHT);
        let description = Description { kind: Kind::Union, ..description.describe(Kind::List)? };
        let encode = move |input: u16, records: &V, encoding| {
            let mut bytes = Vec::new();
            encode(&(input, store(records)), encoding, &mut bytes)?;
            Ok(bytes)
        };
        let decode = move |form: &Form<'_>, reader: &mut Reader<'_>, groups| {
            let (input, stored) = form.value::<(u16, S)>(reader)?;
            Ok((input, restore(stored, groups)))
        };
        Ok(Self { description, encode: Arc::new(encode), decode: Arc::new(decode) })
    }

    /// Returns how records of an input are stored.
    pub fn encode(&self, input: u16, records: &V) -> Result<Vec<u8>, EncodeError<Infallible>> {
        let input = if planted(37) { input ^ 1 } else { input };
        (self.encode)(input, records, self.description.encoding)
    }
}

impl<V> Clone for InFlightCodec<V> {
    fn clone(&self) -> Self {
        let (encode, decode) = (Arc::clone(&self.encode), Arc::clone(&self.decode));
        Self { description: self.description.clone(), encode, decode }
    }
}

impl<V> fmt::Debug for InFlightCodec<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlightCodec").finish_non_exhaustive()
    }
}

/// What the state is called in checkpoints; no other state of an operator is.
pub const IN_FLIGHT: &str = "in-flight";

/// The records in flight to a task, as a state: those that come before the barriers of a
/// checkpoint, and that the states which are frozen for it do not know (docs/protocol.md 2).
///
/// A union list: a task that is restored looks at the records of all tasks, in their order, and
/// keeps those of its key groups. It lives as long as it takes to save, or to load.
pub struct InFlightState<V, E> {
    codec: InFlightCodec<V>,
    task: Task,
    /// Whose records are kept.
    groups: KeyGroups,
    encoded: Vec<Vec<u8>>,
    loaded: Vec<(u16, V)>,
    error: PhantomData<fn() -> E>,
}

impl<V, E> InFlightState<V, E> {
    /// Makes one to be frozen, of what the codec encoded, or one to load what was in flight to
    /// `groups`.
    pub const fn new(
        codec: InFlightCodec<V>,
        task: Task,
        groups: KeyGroups,
        encoded: Vec<Vec<u8>>,
    ) -> Self {
        Self { codec, task, groups, encoded, loaded: Vec::new(), error: PhantomData }
    }

    /// Returns what was loaded, with the numbers of the inputs: of each input in its order.
    pub fn into_loaded(self) -> Vec<(u16, V)> {
        self.loaded
    }
}

impl<V, E: StateError + 'static> State for InFlightState<V, E> {
    type Error = E;
    type Frozen = FrozenInFlight<E>;

    fn description(&self) -> &Description {
        &self.codec.description
    }

    fn groups(&self) -> KeyGroups {
        self.task.share()
    }

    fn freeze(&mut self, _: &Cut) -> Result<Self::Frozen, E> {
        let encoded = core::mem::take(&mut self.encoded);
        Ok(FrozenInFlight { index: self.task.index(), encoded, error: PhantomData })
    }

    fn completed(&mut self, _: u64) {}

    fn aborted(&mut self, _: u64) {}

    fn load(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<E>> {
        check_row(change.row, form, group.index())?;
        let mut reader = Reader::new(change.row);
        let _: u16 = form.key(&mut reader)?;
        if change.op != Op::Put {
            return Err(reader.fault(Fault::Range).into());
        }
        for _ in 0..form.count(&mut reader)? {
            let all = KeyGroups::all(self.groups.total());
            let groups = if planted(65) { all } else { self.groups };
            let (input, kept) = (self.codec.decode)(form, &mut reader, groups)?;
            self.loaded.extend(kept.map(|records| (input, records)));
        }
        Ok(reader.finish()?)
    }

    fn loaded(&mut self, _: u64) {}

    fn clear(&mut self) -> Result<(), E> {
        self.loaded.clear();
        Ok(())
    }

    fn sweep(&mut self, _: i64, _: usize) -> Result<usize, E> {
        Ok(0)
    }

    fn show(
        &self,
        _: KeyGroup,
        _: Option<&[u8]>,
        _: Moment,
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<E>> {
        write(self.task.index(), &self.encoded, out)
    }

    fn bytes(&self) -> u64 {
        self.encoded.iter().map(|item| item.len() as u64).sum()
    }

    /// None: what is in flight is no row of a state yet.
    fn rows(&self) -> u64 {
        0
    }
}

impl<V, E> fmt::Debug for InFlightState<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlightState").field("task", &self.task).finish_non_exhaustive()
    }
}

/// Writes what is in flight to the task with that number.
fn write<E>(index: u16, encoded: &[Vec<u8>], out: &mut RowWriter<'_>) -> Result<(), SaveError<E>> {
    let items: Vec<_> = encoded.iter().map(|item| Raw(item)).collect();
    Ok(out.items(&index, 0, items.iter())?)
}

/// What was in flight to a task, to be saved.
pub struct FrozenInFlight<E> {
    index: u16,
    encoded: Vec<Vec<u8>>,
    error: PhantomData<fn() -> E>,
}

impl<E: StateError + 'static> Frozen for FrozenInFlight<E> {
    type Error = E;

    fn shape(&self, _: KeyGroup) -> Shape {
        if self.encoded.is_empty() { Shape::Empty } else { Shape::Full }
    }

    fn save(&self, _: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<E>> {
        write(self.index, &self.encoded, out)
    }

    fn get(&self, group: KeyGroup, _: &[u8], out: &mut RowWriter<'_>) -> Result<(), SaveError<E>> {
        self.save(group, out)
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<E>> {
        self.save(group, out)
    }
}

impl<E> fmt::Debug for FrozenInFlight<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenInFlight").field("index", &self.index).finish_non_exhaustive()
    }
}
