//! Frozen states: what a snapshot saves while the owner writes on.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::ControlFlow;

use holdwater::codec::{EncodeError, Encoding, Reader};
use holdwater::key::{Key, KeyGroup, KeyGroups};
use holdwater::schema::StoredSchema;
use holdwater::state::{
    Description, Form, Frozen, Judge, OutputFailed, RowWriter, SaveError, Shape, TypeSchema,
};

use crate::error::HeapError;
use crate::group::{Group, View};
use crate::row::{Payload, Row};
use crate::version::Removed;

/// A heap state as it was at one moment.
///
/// It shares segments with the state, which copies each before it first writes to it.
pub struct HeapFrozen(Box<dyn Frozen<Error = HeapError>>);

impl HeapFrozen {
    pub(crate) fn new<K: Key, P: Payload<K>>(table: FrozenTable<K, P>) -> Self {
        Self(Box::new(table))
    }
}

impl fmt::Debug for HeapFrozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapFrozen").finish_non_exhaustive()
    }
}

impl Frozen for HeapFrozen {
    type Error = HeapError;

    fn shape(&self, group: KeyGroup) -> Shape {
        self.0.shape(group)
    }

    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Self::Error>> {
        self.0.save(group, out)
    }

    fn get(
        &self,
        group: KeyGroup,
        key: &[u8],
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Self::Error>> {
        self.0.get(group, key, out)
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Self::Error>> {
        self.0.scan(group, out)
    }
}

/// The rows of all groups at one moment.
#[derive(Debug)]
pub(crate) struct FrozenTable<K, P> {
    groups: KeyGroups,
    keys: Keys,
    /// The version that a delta stands on; without one, everything is written.
    base: Option<u32>,
    /// Tells what had expired, if values expire.
    judge: Option<Judge>,
    parts: Vec<FrozenGroup<K, P>>,
}

/// The rows of one group at one moment.
#[derive(Debug)]
pub(crate) struct FrozenGroup<K, P> {
    view: View<K, P>,
    removed: Removed<K>,
    rows: usize,
    born: u32,
    changed: u32,
}

impl<K: Key, P: Payload<K>> FrozenGroup<K, P> {
    pub(crate) fn new(group: &mut Group<K, P>) -> Self {
        let Group { rows, born, changed, .. } = *group;
        Self { view: group.freeze(), removed: group.removed.clone(), rows, born, changed }
    }
}

impl<K: Key, P: Payload<K>> FrozenTable<K, P> {
    pub(crate) const fn new(
        groups: KeyGroups,
        keys: Keys,
        base: Option<u32>,
        judge: Option<Judge>,
        parts: Vec<FrozenGroup<K, P>>,
    ) -> Self {
        Self { groups, keys, base, judge, parts }
    }

    /// Returns whether the group has a row that lives.
    fn has_rows(&self, part: &FrozenGroup<K, P>) -> bool {
        let Some(judge) = &self.judge else { return part.rows > 0 };
        let stop = |row: &Row<K, P>| match row.payload.is_live(judge) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        part.view.each(stop).is_break()
    }

    #[inline]
    fn write(
        &self,
        row: &Row<K, P>,
        base: Option<u32>,
        out: &mut RowWriter<'_>,
    ) -> ControlFlow<EncodeError<OutputFailed>> {
        written(P::save(row, base, self.judge.as_ref(), out))
    }

    fn part(&self, group: KeyGroup) -> Option<&FrozenGroup<K, P>> {
        self.groups.contains(group).then(|| &self.parts[self.groups.position(group)])
    }
}

impl<K: Key, P: Payload<K>> Frozen for FrozenTable<K, P> {
    type Error = HeapError;

    fn shape(&self, group: KeyGroup) -> Shape {
        match (self.part(group).filter(|part| self.has_rows(part)), self.base) {
            (None, _) => Shape::Empty,
            (Some(part), Some(base)) if part.changed <= base => Shape::Unchanged,
            // What began after the base has nothing of it.
            (Some(part), Some(base)) if part.born <= base => Shape::Delta,
            (Some(_), _) => Shape::Full,
        }
    }

    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Self::Error>> {
        let (Some(part), Some(base), Shape::Delta) =
            (self.part(group), self.base, self.shape(group))
        else {
            let full = self.shape(group) == Shape::Full;
            return if full { self.scan(group, out) } else { Ok(()) };
        };
        // Removals first: a key may have come back since.
        for key in part.removed.since(base) {
            P::removed(key, out)?;
        }
        done(part.view.each(|row| {
            let changed = row.changed > base;
            if changed { self.write(row, Some(base), out) } else { ControlFlow::Continue(()) }
        }))
    }

    fn get(
        &self,
        group: KeyGroup,
        key: &[u8],
        out: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<Self::Error>> {
        let (Some(part), Some(key)) = (self.part(group), self.keys.decode::<K>(key)) else {
            return Ok(());
        };
        let at = self.groups.locate::<K>(key.view());
        if at.group() != group {
            return Ok(());
        }
        match part.view.find(at, self.keys.encoding) {
            Some(row) => Ok(P::save(row, None, self.judge.as_ref(), out)?),
            None => Ok(()),
        }
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<Self::Error>> {
        match self.part(group) {
            Some(part) => done(part.view.each(|row| self.write(row, None, out))),
            None => Ok(()),
        }
    }
}

pub(crate) type Saved = Result<(), SaveError<HeapError>>;

/// How keys are read: by a schema that was made at run time, if one was.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) encoding: Encoding,
    schema: Option<StoredSchema>,
}

impl Keys {
    pub(crate) fn of(description: &Description) -> Self {
        let schema = match &description.key {
            TypeSchema::Static(_) => None,
            TypeSchema::Stored(schema) => Some(schema.clone()),
        };
        Self { encoding: description.encoding, schema }
    }

    /// Reads a key that is encoded so, if it is one.
    pub(crate) fn decode<K: Key>(&self, bytes: &[u8]) -> Option<K> {
        let (own, mut reader) = (Form::own(self.encoding), Reader::new(bytes));
        let form = Form { key: self.schema.as_ref().map(StoredSchema::view), ..own };
        form.key(&mut reader).ok().filter(|_| reader.is_empty())
    }
}

/// Goes on with the next row where one was written.
#[inline]
pub(crate) fn written(
    row: Result<(), EncodeError<OutputFailed>>,
) -> ControlFlow<EncodeError<OutputFailed>> {
    match row {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

pub(crate) fn done(flow: ControlFlow<EncodeError<OutputFailed>>) -> Saved {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error.into()),
    }
}
