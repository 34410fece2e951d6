//! The states of the SPECs: one for each, each of the kind that fits it, under any kind of key.

mod cells;

pub(super) use cells::{Added, Cells};

use std::borrow::Cow;
use std::ops::ControlFlow;

use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::{Data, StoredSchema};
use holdwater::state::{Backend, Descriptor, List, Loan, Map, States, Value, Visitor};

use super::failures::AddError;
use crate::accumulators::{Answer, Extreme, Latest, Mean, Overflow, Placed, Sum};
use crate::spec::Spec;

/// A state for each SPEC, in their order, on one store.
pub(super) struct Columns<B: Backend, K: Key>(Vec<Column<B, K>>);

enum Column<B: Backend, K: Key> {
    Count(B::Value<K, u64>),
    Sum(B::Value<K, Sum>),
    Mean(B::Value<K, Mean>),
    Min(B::Value<K, Extreme>),
    Max(B::Value<K, Extreme>),
    Last(B::Value<K, Option<String>>),
    LastPlaced(B::Value<K, Latest>),
    Distinct(B::Map<K, String, ()>),
    Collect(B::List<K, String>),
    CollectPlaced(B::List<K, Placed>),
}

/// Whether what is held under one key may come to join what is held under another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Joining {
    /// Never: cells are added in their order.
    Never,
    /// In any order: cells are held with their places.
    Sessions,
}

impl<B: Backend, K: Key> Columns<B, K> {
    /// Opens a state for each SPEC, named after it, its keys of the given schema.
    pub(super) fn open(
        backend: &mut B,
        specs: &[Spec],
        key: &StoredSchema,
        joining: Joining,
    ) -> Result<Self, B::Error> {
        let open = |spec| Column::open(backend, spec, key, joining);
        Ok(Self(specs.iter().map(open).collect::<Result<_, _>>()?))
    }

    /// Adds rows: SPEC by SPEC, so that one table at a time is at hand and the processor overlaps
    /// what it waits for.
    pub(super) fn add<R: Fn(usize) -> usize + Copy>(
        &mut self,
        added: Added<'_, '_, K, R>,
        specs: &[Spec],
    ) -> Result<(), AddError<B::Error>> {
        for (index, column) in self.0.iter_mut().enumerate() {
            if let Some((overflow, row)) = column.add(added.places, added.cells(index))? {
                let line = added.batch.line(row);
                return Err(AddError::Overflow(overflow, specs[index].to_string(), line));
            }
        }
        Ok(())
    }

    /// Moves what is held at `from` to `into`, for the row on `line`, which joins the two.
    pub(super) fn merge(
        &mut self,
        into: At<'_, K>,
        from: At<'_, K>,
        line: u64,
        specs: &[Spec],
    ) -> Result<(), AddError<B::Error>> {
        for (column, spec) in self.0.iter_mut().zip(specs) {
            if let Err(overflow) = column.merge(into, from)? {
                return Err(AddError::Overflow(overflow, spec.to_string(), line));
            }
        }
        Ok(())
    }

    /// Returns what each SPEC comes to.
    pub(super) fn answers(&self, at: At<'_, K>) -> Result<Box<[Answer<'static>]>, B::Error> {
        self.0.iter().map(|column| column.answer(at)).collect()
    }

    /// Drops what is held.
    pub(super) fn remove(&mut self, at: At<'_, K>) -> Result<(), B::Error> {
        self.0.iter_mut().try_for_each(|column| column.remove(at))
    }

    /// Returns whether one of the states has a row for each key.
    pub(super) fn have_every_key(&self) -> bool {
        self.0.iter().any(Column::has_every_key)
    }

    /// Returns the keys of a group, from a state that has a row for each.
    pub(super) fn keys(&self, group: KeyGroup) -> Result<Vec<K>, B::Error> {
        let every = self.0.iter().find(|column| column.has_every_key());
        every.expect("a state holds a row for every key").keys(group)
    }
}

impl<B: Backend, K: Key> States for Columns<B, K> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.0.iter_mut().try_for_each(|column| match column {
            Column::Count(state) => visitor.state(state),
            Column::Sum(state) => visitor.state(state),
            Column::Mean(state) => visitor.state(state),
            Column::Min(state) | Column::Max(state) => visitor.state(state),
            Column::Last(state) => visitor.state(state),
            Column::LastPlaced(state) => visitor.state(state),
            Column::Distinct(state) => visitor.state(state),
            Column::Collect(state) => visitor.state(state),
            Column::CollectPlaced(state) => visitor.state(state),
        })
    }
}

impl<B: Backend, K: Key> Column<B, K> {
    fn open(
        backend: &mut B,
        spec: &Spec,
        key: &StoredSchema,
        joining: Joining,
    ) -> Result<Self, B::Error> {
        let name = spec.to_string();
        Ok(match (spec, joining) {
            (Spec::Count, _) => Self::Count(backend.value(described(&name, key))?),
            (Spec::Sum(_), _) => Self::Sum(backend.value(described(&name, key))?),
            (Spec::Mean(_), _) => Self::Mean(backend.value(described(&name, key))?),
            (Spec::Min(_), _) => Self::Min(backend.value(described(&name, key))?),
            (Spec::Max(_), _) => Self::Max(backend.value(described(&name, key))?),
            (Spec::Distinct(_), _) => Self::Distinct(backend.map(described(&name, key))?),
            (Spec::Last(_), Joining::Never) => Self::Last(backend.value(described(&name, key))?),
            (Spec::Last(_), Joining::Sessions) => {
                Self::LastPlaced(backend.value(described(&name, key))?)
            }
            (Spec::Collect(_), Joining::Never) => {
                Self::Collect(backend.list(described(&name, key))?)
            }
            (Spec::Collect(_), Joining::Sessions) => {
                Self::CollectPlaced(backend.list(described(&name, key))?)
            }
        })
    }

    /// Returns whether each row of the input leaves a row in the state, with a value or without.
    const fn has_every_key(&self) -> bool {
        !matches!(self, Self::Distinct(_) | Self::Collect(_) | Self::CollectPlaced(_))
    }

    /// Adds one cell at each place; returns the first sum that overflows, and its row.
    fn add<R: Fn(usize) -> usize + Copy>(
        &mut self,
        places: &[At<'_, K>],
        cells: Cells<'_, R>,
    ) -> Result<Option<(Overflow, usize)>, B::Error> {
        let mut failed = None;
        match self {
            Self::Count(state) => state.update_batch(places, |_| 0, |_, count| *count += 1)?,
            Self::Sum(state) => {
                let add = |place, sum: &mut Sum| {
                    failed = failed.or(cells.add_number(place, |number| sum.add(number)));
                };
                state.update_batch(places, |_| Sum::default(), add)?;
            }
            Self::Mean(state) => {
                let add = |place, mean: &mut Mean| {
                    failed = failed.or(cells.add_number(place, |number| mean.add(number)));
                };
                state.update_batch(places, |_| Mean::default(), add)?;
            }
            Self::Min(state) => {
                let add = |place, least: &mut Extreme| {
                    cells.get(place).into_iter().for_each(|cell| least.lower(cell));
                };
                state.update_batch(places, |_| Extreme::default(), add)?;
            }
            Self::Max(state) => {
                let add = |place, most: &mut Extreme| {
                    cells.get(place).into_iter().for_each(|cell| most.raise(cell));
                };
                state.update_batch(places, |_| Extreme::default(), add)?;
            }
            Self::Last(state) => {
                let add = |place, last: &mut Option<String>| {
                    if let Some(text) = cells.text(place) {
                        *last = Some(text.to_owned());
                    }
                };
                state.update_batch(places, |_| None, add)?;
            }
            Self::LastPlaced(state) => {
                let add = |place, last: &mut Latest| {
                    if let Some(text) = cells.text(place) {
                        let (input, row) = cells.place(place);
                        last.add(input, row, text);
                    }
                };
                state.update_batch(places, |_| Latest::default(), add)?;
            }
            Self::Distinct(state) => {
                for (at, text) in cells.texts(places) {
                    if state.get(at, text)?.is_none() {
                        state.put(at, text, ())?;
                    }
                }
            }
            Self::Collect(state) => {
                for (at, text) in cells.texts(places) {
                    state.push(at, text.to_owned())?;
                }
            }
            Self::CollectPlaced(state) => {
                for (place, at) in places.iter().enumerate() {
                    if let Some(text) = cells.text(place) {
                        let (input, row) = cells.place(place);
                        state.push(*at, Placed { input, row, cell: text.to_owned() })?;
                    }
                }
            }
        }
        Ok(failed)
    }

    fn merge(
        &mut self,
        into: At<'_, K>,
        from: At<'_, K>,
    ) -> Result<Result<(), Overflow>, B::Error> {
        match self {
            Self::Count(state) => {
                merge(state, into, from, |count, more: u64| *count += more).map(|_| Ok(()))
            }
            Self::Sum(state) => Ok(merge(state, into, from, Sum::merge)?.unwrap_or(Ok(()))),
            Self::Mean(state) => Ok(merge(state, into, from, Mean::merge)?.unwrap_or(Ok(()))),
            Self::Min(state) => merge(state, into, from, Extreme::merge_lower).map(|_| Ok(())),
            Self::Max(state) => merge(state, into, from, Extreme::merge_raise).map(|_| Ok(())),
            Self::Last(_) | Self::Collect(_) => panic!("only sessions join"),
            Self::LastPlaced(state) => merge(state, into, from, Latest::merge).map(|_| Ok(())),
            Self::Distinct(state) => state.merge(into, &[from], |_, ()| {}).map(Ok),
            Self::CollectPlaced(state) => state.merge(into, &[from]).map(Ok),
        }
    }

    fn answer(&self, at: At<'_, K>) -> Result<Answer<'static>, B::Error> {
        Ok(match self {
            Self::Count(state) => Answer::Integer(state.get(at)?.map_or(0, |n| i128::from(*n))),
            Self::Sum(state) => state.get(at)?.map_or(Answer::Nothing, |sum| sum.answer()),
            Self::Mean(state) => state.get(at)?.map_or(Answer::Nothing, |mean| mean.answer()),
            Self::Min(state) | Self::Max(state) => {
                state.get(at)?.map_or(Answer::Nothing, |held| held.answer().into_owned())
            }
            Self::Last(state) => match state.get(at)?.as_deref() {
                Some(Some(text)) => Answer::Text(Cow::Owned(text.clone())),
                _ => Answer::Nothing,
            },
            Self::LastPlaced(state) => {
                state.get(at)?.map_or(Answer::Nothing, |held| held.answer().into_owned())
            }
            Self::Distinct(state) => match state.len(at)? {
                0 => Answer::Nothing,
                count => Answer::Integer(i128::from(count)),
            },
            Self::Collect(state) => {
                let mut joined = Joined::default();
                state.items(at, |item| joined.push(item))?;
                joined.answer()
            }
            Self::CollectPlaced(state) => {
                let mut items = Vec::new();
                state.items(at, |item| {
                    items.push(item.clone());
                    ControlFlow::Continue(())
                })?;
                items.sort_unstable();
                let mut joined = Joined::default();
                items.iter().for_each(|item| _ = joined.push(&item.cell));
                joined.answer()
            }
        })
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), B::Error> {
        match self {
            Self::Count(state) => state.remove(at),
            Self::Sum(state) => state.remove(at),
            Self::Mean(state) => state.remove(at),
            Self::Min(state) | Self::Max(state) => state.remove(at),
            Self::Last(state) => state.remove(at),
            Self::LastPlaced(state) => state.remove(at),
            Self::Distinct(state) => state.remove_all(at),
            Self::Collect(state) => state.remove(at),
            Self::CollectPlaced(state) => state.remove(at),
        }
    }

    fn keys(&self, group: KeyGroup) -> Result<Vec<K>, B::Error> {
        match self {
            Self::Count(state) => keys(state, group),
            Self::Sum(state) => keys(state, group),
            Self::Mean(state) => keys(state, group),
            Self::Min(state) | Self::Max(state) => keys(state, group),
            Self::Last(state) => keys(state, group),
            Self::LastPlaced(state) => keys(state, group),
            Self::Distinct(_) | Self::Collect(_) | Self::CollectPlaced(_) => Ok(Vec::new()),
        }
    }
}

/// Cells joined by semicolons.
#[derive(Default)]
struct Joined(Option<String>);

impl Joined {
    fn push(&mut self, cell: &str) -> ControlFlow<()> {
        match &mut self.0 {
            None => self.0 = Some(cell.to_owned()),
            Some(text) => {
                text.push(';');
                text.push_str(cell);
            }
        }
        ControlFlow::Continue(())
    }

    fn answer(self) -> Answer<'static> {
        self.0.map_or(Answer::Nothing, |text| Answer::Text(Cow::Owned(text)))
    }
}

/// Moves the value at `from`, if there is one, into the one at `into`; returns what `merge` does.
fn merge<K: Key, V: Data + Default, S: Value<K, V>, R>(
    state: &mut S,
    into: At<'_, K>,
    from: At<'_, K>,
    merge: impl FnOnce(&mut V, V) -> R,
) -> Result<Option<R>, S::Error> {
    let Some(value) = state.get(from)?.map(Loan::into_owned) else { return Ok(None) };
    state.remove(from)?;
    state.update(into, V::default, |held| merge(held, value)).map(Some)
}

/// Returns the keys of a group.
pub(super) fn keys<K: Key, V: Data, S: Value<K, V>>(
    state: &S,
    group: KeyGroup,
) -> Result<Vec<K>, S::Error> {
    let mut found = Vec::new();
    state.visit(group, |key, _| {
        found.push(key.clone());
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn described<'d, K, V>(name: &'d str, key: &StoredSchema) -> Descriptor<'d, K, V> {
    Descriptor::new(name).key_schema(key.clone())
}
