//! The states of a job: one for each SPEC, each of the kind that fits it.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use holdwater::error::{ErrorKind, StateError};
use holdwater::key::{At, KeyGroup, KeyGroups};
use holdwater::schema::StoredSchema;
use holdwater::state::{Backend, Descriptor, List, Map, State, States, Value, Visitor};

use super::batch::RowBatch;
use crate::accumulators::{Answer, Extreme, Mean, Overflow, Sum};
use crate::cell::{Cell, Number};
use crate::fields::Fields;
use crate::spec::Spec;

/// The states of a job on one store, in the order of its SPECs.
pub(super) struct Aggregates<B: Backend> {
    groups: KeyGroups,
    columns: Vec<Column<B>>,
    /// Which keys there are, where no SPEC has a row for each of them.
    keys: Option<B::Value<Fields, ()>>,
}

enum Column<B: Backend> {
    Count(B::Value<Fields, u64>),
    Sum(B::Value<Fields, Sum>),
    Mean(B::Value<Fields, Mean>),
    Min(B::Value<Fields, Extreme>),
    Max(B::Value<Fields, Extreme>),
    Last(B::Value<Fields, Option<String>>),
    Distinct(B::Map<Fields, String, ()>),
    Collect(B::List<Fields, String>),
}

/// Why a row cannot be added.
#[derive(Debug)]
pub(super) enum AddError<E> {
    /// A sum overflows: the SPEC, and the row's line.
    Overflow(Overflow, String, u64),
    /// The store cannot take it.
    State(E),
}

impl<E> From<E> for AddError<E> {
    fn from(error: E) -> Self {
        Self::State(error)
    }
}

impl<E: fmt::Display> fmt::Display for AddError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow(overflow, spec, line) => write!(f, "line {line}: {spec}: {overflow}"),
            Self::State(error) => error.fmt(f),
        }
    }
}

impl<E: StateError> std::error::Error for AddError<E> {}

impl<E: StateError> StateError for AddError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Overflow(..) => ErrorKind::Mismatch,
            Self::State(error) => error.kind(),
        }
    }
}

impl<B: Backend> Aggregates<B> {
    /// Opens a state for each SPEC, named after it, its keys of the given schema.
    pub(super) fn open(
        backend: &mut B,
        specs: &[Spec],
        key: &StoredSchema,
    ) -> Result<Self, B::Error> {
        let mut columns = Vec::with_capacity(specs.len());
        for spec in specs {
            columns.push(Column::open(backend, spec, key)?);
        }
        let keys = if columns.iter().any(Column::has_every_key) {
            None
        } else {
            Some(backend.value(Descriptor::new("keys").key_schema(key.clone()))?)
        };
        Ok(Self { groups: backend.groups(), columns, keys })
    }

    /// Adds the rows of a batch: SPEC by SPEC, so that one table at a time is at hand and the
    /// processor overlaps what it waits for.
    pub(super) fn add(
        &mut self,
        batch: &RowBatch,
        specs: &[Spec],
    ) -> Result<(), AddError<B::Error>> {
        let places: Vec<At<'_, Fields>> = batch.places(self.groups).collect();
        for (index, column) in self.columns.iter_mut().enumerate() {
            let cells = Cells { batch, spec: index };
            if let Some((overflow, row)) = column.add(&places, cells)? {
                let line = batch.line(row);
                return Err(AddError::Overflow(overflow, specs[index].to_string(), line));
            }
        }
        if let Some(keys) = &mut self.keys {
            for at in places {
                if keys.get(at)?.is_none() {
                    keys.put(at, ())?;
                }
            }
        }
        Ok(())
    }

    /// Shows every key of the owned groups with what each SPEC comes to.
    pub(super) fn results(
        &self,
        mut show: impl FnMut(Fields, Vec<Answer<'static>>),
    ) -> Result<(), B::Error> {
        for group in self.groups.iter() {
            for key in self.keys(group)? {
                let at = self.groups.locate::<Fields>(key.view());
                let mut answers = Vec::with_capacity(self.columns.len());
                for column in &self.columns {
                    answers.push(column.answer(at)?);
                }
                show(key, answers);
            }
        }
        Ok(())
    }

    /// Does up to `steps` steps of clean-up in each state.
    pub(super) fn sweep(&mut self, now: i64, steps: usize) -> Result<(), B::Error> {
        self.each(&mut Sweep { now, steps })
    }

    fn keys(&self, group: KeyGroup) -> Result<Vec<Fields>, B::Error> {
        let mut found = Vec::new();
        if let Some(keys) = &self.keys {
            keys.visit(group, |key, _| gather(&mut found, key))?;
            return Ok(found);
        }
        let every = self.columns.iter().find(|column| column.has_every_key());
        match every.expect("a state holds a row for every key") {
            Column::Count(state) => state.visit(group, |key, _| gather(&mut found, key))?,
            Column::Sum(state) => state.visit(group, |key, _| gather(&mut found, key))?,
            Column::Mean(state) => state.visit(group, |key, _| gather(&mut found, key))?,
            Column::Min(state) | Column::Max(state) => {
                state.visit(group, |key, _| gather(&mut found, key))?;
            }
            Column::Last(state) => state.visit(group, |key, _| gather(&mut found, key))?,
            Column::Distinct(_) | Column::Collect(_) => {}
        }
        Ok(found)
    }
}

impl<B: Backend> States for Aggregates<B> {
    type Error = B::Error;

    fn each<V: Visitor<B::Error>>(&mut self, visitor: &mut V) -> Result<(), V::Stop> {
        for column in &mut self.columns {
            match column {
                Column::Count(state) => visitor.state(state)?,
                Column::Sum(state) => visitor.state(state)?,
                Column::Mean(state) => visitor.state(state)?,
                Column::Min(state) | Column::Max(state) => visitor.state(state)?,
                Column::Last(state) => visitor.state(state)?,
                Column::Distinct(state) => visitor.state(state)?,
                Column::Collect(state) => visitor.state(state)?,
            }
        }
        self.keys.as_mut().map_or(Ok(()), |keys| visitor.state(keys))
    }
}

impl<B: Backend> fmt::Debug for Aggregates<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregates").field("columns", &self.columns.len()).finish_non_exhaustive()
    }
}

impl<B: Backend> Column<B> {
    fn open(backend: &mut B, spec: &Spec, key: &StoredSchema) -> Result<Self, B::Error> {
        let name = spec.to_string();
        Ok(match spec {
            Spec::Count => Self::Count(backend.value(described(&name, key))?),
            Spec::Sum(_) => Self::Sum(backend.value(described(&name, key))?),
            Spec::Mean(_) => Self::Mean(backend.value(described(&name, key))?),
            Spec::Min(_) => Self::Min(backend.value(described(&name, key))?),
            Spec::Max(_) => Self::Max(backend.value(described(&name, key))?),
            Spec::Last(_) => Self::Last(backend.value(described(&name, key))?),
            Spec::Distinct(_) => Self::Distinct(backend.map(described(&name, key))?),
            Spec::Collect(_) => Self::Collect(backend.list(described(&name, key))?),
        })
    }

    /// Returns whether each row of the input leaves a row in the state, with a value or without.
    const fn has_every_key(&self) -> bool {
        !matches!(self, Self::Distinct(_) | Self::Collect(_))
    }

    /// Adds one cell at each place; returns the first sum that overflows, and its row.
    fn add(
        &mut self,
        places: &[At<'_, Fields>],
        cells: Cells<'_>,
    ) -> Result<Option<(Overflow, usize)>, B::Error> {
        let mut failed = None;
        match self {
            Self::Count(state) => state.update_batch(places, |_| 0, |_, count| *count += 1)?,
            Self::Sum(state) => {
                state.update_batch(
                    places,
                    |_| Sum::default(),
                    |row, sum| {
                        failed = failed.or(cells.add_number(row, |number| sum.add(number)));
                    },
                )?;
            }
            Self::Mean(state) => {
                state.update_batch(
                    places,
                    |_| Mean::default(),
                    |row, mean| {
                        failed = failed.or(cells.add_number(row, |number| mean.add(number)));
                    },
                )?;
            }
            Self::Min(state) => {
                state.update_batch(
                    places,
                    |_| Extreme::default(),
                    |row, least| {
                        cells.get(row).into_iter().for_each(|cell| least.lower(cell));
                    },
                )?;
            }
            Self::Max(state) => {
                state.update_batch(
                    places,
                    |_| Extreme::default(),
                    |row, most| {
                        cells.get(row).into_iter().for_each(|cell| most.raise(cell));
                    },
                )?;
            }
            Self::Last(state) => {
                state.update_batch(
                    places,
                    |_| None,
                    |row, last| {
                        if let Some(text) = cells.text(row) {
                            *last = Some(text.to_owned());
                        }
                    },
                )?;
            }
            Self::Distinct(state) => {
                for (row, at) in places.iter().enumerate() {
                    if let Some(text) = cells.text(row)
                        && state.get(*at, text)?.is_none()
                    {
                        state.put(*at, text, ())?;
                    }
                }
            }
            Self::Collect(state) => {
                for (row, at) in places.iter().enumerate() {
                    if let Some(text) = cells.text(row) {
                        state.push(*at, text.to_owned())?;
                    }
                }
            }
        }
        Ok(failed)
    }

    fn answer(&self, at: At<'_, Fields>) -> Result<Answer<'static>, B::Error> {
        Ok(match self {
            Self::Count(state) => Answer::Integer(state.get(at)?.map_or(0, |n| i128::from(*n))),
            Self::Sum(state) => state.get(at)?.map_or(Answer::Nothing, |sum| sum.answer()),
            Self::Mean(state) => state.get(at)?.map_or(Answer::Nothing, |mean| mean.answer()),
            Self::Min(state) | Self::Max(state) => {
                state.get(at)?.map_or(Answer::Nothing, |held| owned(held.answer()))
            }
            Self::Last(state) => match state.get(at)?.as_deref() {
                Some(Some(text)) => Answer::Text(Cow::Owned(text.clone())),
                _ => Answer::Nothing,
            },
            Self::Distinct(state) => match state.len(at)? {
                0 => Answer::Nothing,
                count => Answer::Integer(i128::from(count)),
            },
            Self::Collect(state) => {
                let mut joined: Option<String> = None;
                state.items(at, |item| {
                    match &mut joined {
                        None => joined = Some(item.clone()),
                        Some(text) => {
                            text.push(';');
                            text.push_str(item);
                        }
                    }
                    ControlFlow::Continue(())
                })?;
                joined.map_or(Answer::Nothing, |text| Answer::Text(Cow::Owned(text)))
            }
        })
    }
}

/// The cells of one SPEC in a batch.
#[derive(Clone, Copy)]
struct Cells<'b> {
    batch: &'b RowBatch,
    spec: usize,
}

impl<'b> Cells<'b> {
    fn get(self, row: usize) -> Option<Cell<'b>> {
        self.batch.cell(row, self.spec)
    }

    fn text(self, row: usize) -> Option<&'b str> {
        match self.get(row) {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn add_number(
        self,
        row: usize,
        add: impl FnOnce(Number) -> Result<(), Overflow>,
    ) -> Option<(Overflow, usize)> {
        match self.get(row) {
            Some(Cell::Number(number)) => add(number).err().map(|overflow| (overflow, row)),
            _ => None,
        }
    }
}

struct Sweep {
    now: i64,
    steps: usize,
}

impl<E: StateError> Visitor<E> for Sweep {
    type Stop = E;

    fn state<S: State<Error = E>>(&mut self, state: &mut S) -> Result<(), E> {
        state.sweep(self.now, self.steps).map(|_| ())
    }
}

fn described<'d, V>(name: &'d str, key: &StoredSchema) -> Descriptor<'d, Fields, V> {
    Descriptor::new(name).key_schema(key.clone())
}

fn gather(found: &mut Vec<Fields>, key: &Fields) -> ControlFlow<()> {
    found.push(key.clone());
    ControlFlow::Continue(())
}

fn owned(answer: Answer<'_>) -> Answer<'static> {
    match answer {
        Answer::Nothing => Answer::Nothing,
        Answer::Integer(number) => Answer::Integer(number),
        Answer::Float(number) => Answer::Float(number),
        Answer::Text(text) => Answer::Text(Cow::Owned(text.into_owned())),
    }
}
