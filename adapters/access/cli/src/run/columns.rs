//! The states of the SPECs: one for each, each of the kind that fits it, under any kind of key.

mod cells;
mod held;
mod recent;

pub(super) use cells::{Added, Cells, Timing};
pub(super) use held::Values;
pub(super) use recent::Recent;

use std::borrow::Cow;

use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::StoredSchema;
use holdwater::state::{Backend, Descriptor, States, Visitor};
use holdwater::ttl::{Ttl, When};

use self::held::{Lists, Sets};
use self::recent::Numbers;
use super::failures::AddError;
use crate::accumulators::{Answer, Extreme, Latest, Mean, Overflow, Placed, Sum};
use crate::spec::Spec;

/// A state for each SPEC, in their order, on one store.
pub(super) struct Columns<B: Backend, K: Key>(Vec<Column<B, K>>);

enum Column<B: Backend, K: Key> {
    Count(Values<B, K, u64>),
    Sum(Values<B, K, Sum>),
    Mean(Values<B, K, Mean>),
    Min(Values<B, K, Extreme>),
    Max(Values<B, K, Extreme>),
    Last(Values<B, K, Option<String>>),
    LastPlaced(Values<B, K, Latest>),
    Distinct(Sets<B, K>),
    Collect(Lists<B, K, String>),
    CollectPlaced(Lists<B, K, Placed>),
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
        ttl: Option<Ttl>,
    ) -> Result<Self, B::Error> {
        let open = |spec| Column::open(backend, spec, key, joining, ttl);
        Ok(Self(specs.iter().map(open).collect::<Result<_, _>>()?))
    }

    /// Adds rows: SPEC by SPEC, so that one table at a time is at hand and the processor overlaps
    /// what it waits for.
    pub(super) fn add<R: Fn(usize) -> usize + Copy>(
        &mut self,
        added: Added<'_, '_, K, R>,
        specs: &[Spec],
    ) -> Result<(), AddError<B::Error>> {
        let mut cell = 0;
        for (column, spec) in self.0.iter_mut().zip(specs) {
            let overflowed = column.add(added.places, added.numbers, added.cells(cell))?;
            if let Some((overflow, row)) = overflowed {
                return Err(AddError::Overflow(overflow, spec.to_string(), added.batch.line(row)));
            }
            cell += usize::from(spec.field().is_some());
        }
        Ok(())
    }

    /// Puts the values that lie beside the states into them, at the places of their keys.
    pub(super) fn write_back(&mut self, places: &[At<'_, K>]) -> Result<(), B::Error> {
        self.0.iter_mut().try_for_each(|column| match column {
            Column::Count(state) => state.write_back(places),
            Column::Sum(state) => state.write_back(places),
            Column::Mean(state) => state.write_back(places),
            Column::Min(state) | Column::Max(state) => state.write_back(places),
            Column::Last(state) => state.write_back(places),
            Column::LastPlaced(state) => state.write_back(places),
            Column::Distinct(_) | Column::Collect(_) | Column::CollectPlaced(_) => Ok(()),
        })
    }

    /// Moves what is held at `from` to `into`, for the row on `line`, which joins the two.
    pub(super) fn merge(
        &mut self,
        into: At<'_, K>,
        from: At<'_, K>,
        (line, when): (u64, When),
        specs: &[Spec],
    ) -> Result<(), AddError<B::Error>> {
        for (column, spec) in self.0.iter_mut().zip(specs) {
            if let Err(overflow) = column.merge(into, from, when)? {
                return Err(AddError::Overflow(overflow, spec.to_string(), line));
            }
        }
        Ok(())
    }

    /// Returns what each SPEC comes to.
    pub(super) fn answers(
        &self,
        at: At<'_, K>,
        when: When,
    ) -> Result<Box<[Answer<'static>]>, B::Error> {
        self.0.iter().map(|column| column.answer(at, when)).collect()
    }

    /// Returns whether any of the states holds something.
    pub(super) fn hold(&self, at: At<'_, K>, when: When) -> Result<bool, B::Error> {
        for column in &self.0 {
            if column.holds(at, when)? {
                return Ok(true);
            }
        }
        Ok(false)
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
    pub(super) fn keys(&self, group: KeyGroup, when: When) -> Result<Vec<K>, B::Error> {
        let every = self.0.iter().find(|column| column.has_every_key());
        every.expect("a state holds a row for every key").keys(group, when)
    }
}

impl<B: Backend, K: Key> States for Columns<B, K> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        self.0.iter_mut().try_for_each(|column| match column {
            Column::Count(state) => state.visit(visitor),
            Column::Sum(state) => state.visit(visitor),
            Column::Mean(state) => state.visit(visitor),
            Column::Min(state) | Column::Max(state) => state.visit(visitor),
            Column::Last(state) => state.visit(visitor),
            Column::LastPlaced(state) => state.visit(visitor),
            Column::Distinct(state) => state.visit(visitor),
            Column::Collect(state) => state.visit(visitor),
            Column::CollectPlaced(state) => state.visit(visitor),
        })
    }
}

impl<B: Backend, K: Key> Column<B, K> {
    fn open(
        backend: &mut B,
        spec: &Spec,
        key: &StoredSchema,
        joining: Joining,
        ttl: Option<Ttl>,
    ) -> Result<Self, B::Error> {
        let name = spec.to_string();
        Ok(match (spec, joining) {
            (Spec::Count, _) => Self::Count(Values::open(backend, described(&name, key), ttl)?),
            (Spec::Sum(_), _) => Self::Sum(Values::open(backend, described(&name, key), ttl)?),
            (Spec::Mean(_), _) => Self::Mean(Values::open(backend, described(&name, key), ttl)?),
            (Spec::Min(_), _) => {
                Self::Min(Values::open(backend, described(&name, key).in_place(), ttl)?)
            }
            (Spec::Max(_), _) => {
                Self::Max(Values::open(backend, described(&name, key).in_place(), ttl)?)
            }
            (Spec::Distinct(_), _) => {
                Self::Distinct(Sets::open(backend, described(&name, key), ttl)?)
            }
            (Spec::Last(_), Joining::Never) => {
                Self::Last(Values::open(backend, described(&name, key), ttl)?)
            }
            (Spec::Last(_), Joining::Sessions) => {
                Self::LastPlaced(Values::open(backend, described(&name, key), ttl)?)
            }
            (Spec::Collect(_), Joining::Never) => {
                Self::Collect(Lists::open(backend, described(&name, key), ttl)?)
            }
            (Spec::Collect(_), Joining::Sessions) => {
                Self::CollectPlaced(Lists::open(backend, described(&name, key), ttl)?)
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
        numbers: Option<Numbers<'_>>,
        cells: Cells<'_, R>,
    ) -> Result<Option<(Overflow, usize)>, B::Error> {
        let (mut failed, when) = (None, |place| cells.when(place));
        match self {
            Self::Count(state) => {
                state.update_batch(places, numbers, when, || 0, |_, count| *count += 1)?;
            }
            Self::Sum(state) => {
                let add = |place, sum: &mut Sum| {
                    failed = failed.or(cells.add_number(place, |number| sum.add(number)));
                };
                state.update_batch(places, numbers, when, Sum::default, add)?;
            }
            Self::Mean(state) => {
                let add = |place, mean: &mut Mean| {
                    failed = failed.or(cells.add_number(place, |number| mean.add(number)));
                };
                state.update_batch(places, numbers, when, Mean::default, add)?;
            }
            Self::Min(state) => {
                let add = |place, least: &mut Extreme| {
                    cells.get(place).into_iter().for_each(|cell| least.lower(cell));
                };
                state.update_batch(places, numbers, when, Extreme::default, add)?;
            }
            Self::Max(state) => {
                let add = |place, most: &mut Extreme| {
                    cells.get(place).into_iter().for_each(|cell| most.raise(cell));
                };
                state.update_batch(places, numbers, when, Extreme::default, add)?;
            }
            Self::Last(state) => {
                let add = |place, last: &mut Option<String>| {
                    if let Some(text) = cells.text(place) {
                        *last = Some(text.to_owned());
                    }
                };
                state.update_batch(places, numbers, when, || None, add)?;
            }
            Self::LastPlaced(state) => {
                let add = |place, last: &mut Latest| {
                    if let Some(text) = cells.text(place) {
                        let (input, row) = cells.place(place);
                        last.add(input, row, text);
                    }
                };
                state.update_batch(places, numbers, when, Latest::default, add)?;
            }
            Self::Distinct(state) => {
                for (place, at) in places.iter().enumerate() {
                    if let Some(text) = cells.text(place) {
                        state.add(*at, text, when(place))?;
                    }
                }
            }
            Self::Collect(state) => {
                for (place, at) in places.iter().enumerate() {
                    if let Some(text) = cells.text(place) {
                        state.push(*at, text.to_owned(), when(place))?;
                    }
                }
            }
            Self::CollectPlaced(state) => {
                for (place, at) in places.iter().enumerate() {
                    if let Some(text) = cells.text(place) {
                        let (input, row) = cells.place(place);
                        let item = Placed { input, row, cell: text.to_owned() };
                        state.push(*at, item, when(place))?;
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
        when: When,
    ) -> Result<Result<(), Overflow>, B::Error> {
        match self {
            Self::Count(state) => {
                state.merge(into, from, when, |count, more: u64| *count += more).map(|_| Ok(()))
            }
            Self::Sum(state) => Ok(state.merge(into, from, when, Sum::merge)?.unwrap_or(Ok(()))),
            Self::Mean(state) => Ok(state.merge(into, from, when, Mean::merge)?.unwrap_or(Ok(()))),
            Self::Min(state) => state.merge(into, from, when, Extreme::merge_lower).map(|_| Ok(())),
            Self::Max(state) => state.merge(into, from, when, Extreme::merge_raise).map(|_| Ok(())),
            Self::Last(_) | Self::Collect(_) => panic!("only sessions join"),
            Self::LastPlaced(state) => state.merge(into, from, when, Latest::merge).map(|_| Ok(())),
            Self::Distinct(state) => state.merge(into, from, when).map(Ok),
            Self::CollectPlaced(state) => state.merge(into, from, when).map(Ok),
        }
    }

    fn answer(&self, at: At<'_, K>, when: When) -> Result<Answer<'static>, B::Error> {
        Ok(match self {
            Self::Count(state) => {
                Answer::Integer(state.get(at, when)?.map_or(0, |n| i128::from(*n)))
            }
            Self::Sum(state) => state.get(at, when)?.map_or(Answer::Nothing, |sum| sum.answer()),
            Self::Mean(state) => state.get(at, when)?.map_or(Answer::Nothing, |mean| mean.answer()),
            Self::Min(state) | Self::Max(state) => {
                state.get(at, when)?.map_or(Answer::Nothing, |held| held.answer().into_owned())
            }
            Self::Last(state) => match state.get(at, when)?.as_deref() {
                Some(Some(text)) => Answer::Text(Cow::Owned(text.clone())),
                _ => Answer::Nothing,
            },
            Self::LastPlaced(state) => {
                state.get(at, when)?.map_or(Answer::Nothing, |held| held.answer().into_owned())
            }
            Self::Distinct(state) => match state.len(at, when)? {
                0 => Answer::Nothing,
                count => Answer::Integer(i128::from(count)),
            },
            Self::Collect(state) => {
                let mut joined = Joined::default();
                state.items(at, when, |item| joined.push(item))?;
                joined.answer()
            }
            Self::CollectPlaced(state) => {
                let mut items = Vec::new();
                state.items(at, when, |item| items.push(item.clone()))?;
                items.sort_unstable();
                let mut joined = Joined::default();
                items.iter().for_each(|item| joined.push(&item.cell));
                joined.answer()
            }
        })
    }

    fn holds(&self, at: At<'_, K>, when: When) -> Result<bool, B::Error> {
        Ok(match self {
            Self::Count(state) => state.get(at, when)?.is_some(),
            Self::Sum(state) => state.get(at, when)?.is_some(),
            Self::Mean(state) => state.get(at, when)?.is_some(),
            Self::Min(state) | Self::Max(state) => state.get(at, when)?.is_some(),
            Self::Last(state) => state.get(at, when)?.is_some(),
            Self::LastPlaced(state) => state.get(at, when)?.is_some(),
            Self::Distinct(state) => state.len(at, when)? > 0,
            Self::Collect(state) => state.has_items(at, when)?,
            Self::CollectPlaced(state) => state.has_items(at, when)?,
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
            Self::Distinct(state) => state.remove(at),
            Self::Collect(state) => state.remove(at),
            Self::CollectPlaced(state) => state.remove(at),
        }
    }

    fn keys(&self, group: KeyGroup, when: When) -> Result<Vec<K>, B::Error> {
        match self {
            Self::Count(state) => state.keys(group, when),
            Self::Sum(state) => state.keys(group, when),
            Self::Mean(state) => state.keys(group, when),
            Self::Min(state) | Self::Max(state) => state.keys(group, when),
            Self::Last(state) => state.keys(group, when),
            Self::LastPlaced(state) => state.keys(group, when),
            Self::Distinct(_) | Self::Collect(_) | Self::CollectPlaced(_) => Ok(Vec::new()),
        }
    }
}

/// Cells joined by semicolons.
#[derive(Default)]
struct Joined(Option<String>);

impl Joined {
    fn push(&mut self, cell: &str) {
        match &mut self.0 {
            None => self.0 = Some(cell.to_owned()),
            Some(text) => {
                text.push(';');
                text.push_str(cell);
            }
        }
    }

    fn answer(self) -> Answer<'static> {
        self.0.map_or(Answer::Nothing, |text| Answer::Text(Cow::Owned(text)))
    }
}

fn described<'d, K, V>(name: &'d str, key: &StoredSchema) -> Descriptor<'d, K, V> {
    Descriptor::new(name).key_schema(key.clone())
}
