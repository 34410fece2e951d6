//! Which columns the rows of a state have, and rows in them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema as Columns, SchemaRef, TimeUnit};
use holdwater::schema::{Kind, Leaf, Schema, StoredSchema};
use holdwater::window::Window;
use holdwater_processor::StateReader;
use holdwater_processor::datum::{Datum, Unfit};
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;

use crate::types::{array, data, exact, field};

/// The columns of a state: those of its key, of its window where it has windows, and the value.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    columns: SchemaRef,
    parts: Vec<Part>,
    /// Whether each field of the key has a column.
    is_struct: bool,
    is_stamped: bool,
}

/// What a column holds.
#[derive(Clone, Debug)]
enum Part {
    Key {
        name: String,
        schema: StoredSchema,
    },
    /// An end of a window of time.
    Time(&'static str),
    /// A window of another kind.
    Window(StoredSchema),
    Value(StoredSchema),
}

impl Layout {
    /// Lays out a state; with stamps where asked and where it has some.
    pub(crate) fn new(state: &StateReader<'_>, stored: bool) -> Result<Self, Failure> {
        let is_stamped = stored && state.types().expiry.is_some();
        let key = |name: &str, schema: Schema<'_>| Part::Key {
            name: name.to_owned(),
            schema: StoredSchema::from(schema),
        };
        let (mut parts, is_struct) = match state.key_schema().kind() {
            Kind::Struct(members) if members.len() > 0 => {
                (members.map(|member| key(member.name, member.schema)).collect(), true)
            }
            _ => (vec![key("key", state.key_schema())], false),
        };
        match state.window_schema() {
            Some(window) if is_time(window) => parts.extend([START, END].map(Part::Time)),
            Some(window) => parts.push(Part::Window(window.into())),
            None => {}
        }
        let value = state.held_schema(is_stamped);
        parts.push(Part::Value(value.map_err(|_| {
            Failure::Data(format!("values of state {} are nested too deep", state.name()))
        })?));
        let mut fields: Vec<Field> = Vec::with_capacity(parts.len());
        for part in &parts {
            let mut field = part.field();
            // A field of the key may be called as what stands behind it.
            while fields.iter().any(|other| other.name() == field.name()) {
                field = field.clone().with_name(format!("{}_", field.name()));
            }
            fields.push(field);
        }
        let columns = Arc::new(Columns::new(fields));
        Ok(Self { columns, parts, is_struct, is_stamped })
    }

    /// Lays out a state as these columns have it: with stamps if they have stamps.
    pub(crate) fn of_columns(state: &StateReader<'_>, columns: &Columns) -> Result<Self, Failure> {
        let (plain, stored) = (Self::new(state, false)?, Self::new(state, true)?);
        let held = stored.columns.fields().last();
        let is_stored = held.is_some_and(|held| {
            let found = columns.field_with_name(held.name());
            found.is_ok_and(|found| names(found.data_type()) == names(held.data_type()))
        });
        Ok(if is_stored { stored } else { plain })
    }

    /// Returns the columns.
    pub(crate) const fn columns(&self) -> &SchemaRef {
        &self.columns
    }

    /// Returns the schemas of the columns of the key, with the places of the columns.
    pub(crate) fn key(&self) -> impl Iterator<Item = (usize, Schema<'_>)> {
        self.parts.iter().enumerate().filter_map(|(place, part)| match part {
            Part::Key { schema, .. } => Some((place, schema.view())),
            _ => None,
        })
    }

    /// Puts a key together from what its columns hold.
    pub(crate) fn key_of(&self, held: Vec<Datum>) -> Datum {
        let mut held = held.into_iter();
        if !self.is_struct {
            return held.next().unwrap_or(Datum::Nothing);
        }
        let names = self.parts.iter().filter_map(|part| match part {
            Part::Key { name, .. } => Some(Datum::Text(name.clone())),
            _ => None,
        });
        Datum::Pairs(names.zip(held).collect())
    }

    /// Puts rows into the columns at these places.
    pub(crate) fn batch(
        &self,
        rows: Vec<Row>,
        places: &[usize],
    ) -> Result<RecordBatch, arrow::error::ArrowError> {
        let length = rows.len();
        let mut keys = Vec::with_capacity(length);
        let (mut windows, mut values) = (Vec::new(), Vec::with_capacity(length));
        for Row { key, window, held } in rows {
            keys.push(key);
            windows.push(window);
            values.push(if self.is_stamped { held.stored() } else { held.datum() });
        }
        let column = |place: &usize| match &self.parts[*place] {
            Part::Key { schema, .. } if !self.is_struct => {
                array(schema.view(), &keys.iter().map(Some).collect::<Vec<_>>())
            }
            Part::Key { name, schema } => {
                let held: Vec<_> = keys.iter().map(|key| key.field(name)).collect();
                array(schema.view(), &held)
            }
            Part::Time(name) => {
                let end = |window: &Option<Datum>| Some(window.as_ref()?.field(end(name))?.clone());
                let ends: Vec<_> = windows.iter().map(end).collect();
                let long = StoredSchema::leaf(Leaf::I64);
                let ends = array(long.view(), &ends.iter().map(Option::as_ref).collect::<Vec<_>>());
                cast(&ends?, &TIME)
            }
            Part::Window(schema) => {
                array(schema.view(), &windows.iter().map(Option::as_ref).collect::<Vec<_>>())
            }
            Part::Value(schema) => {
                array(schema.view(), &values.iter().map(Some).collect::<Vec<_>>())
            }
        };
        let columns: Vec<ArrayRef> = places.iter().map(column).collect::<Result<_, _>>()?;
        let names = Arc::new(self.columns.project(places)?);
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(length));
        RecordBatch::try_new_with_options(names, columns, &options)
    }

    /// Takes rows from columns that are called as those of the state, in any order.
    pub(crate) fn rows(
        &self,
        state: &StateReader<'_>,
        batch: &RecordBatch,
    ) -> Result<Vec<Row>, Unfit> {
        let fields = self.columns.fields();
        self.check_names(batch, fields.len())?;
        let (Some(Part::Value(schema)), Some(field)) = (self.parts.last(), fields.last()) else {
            return Ok(Vec::new());
        };
        let Some(column) = batch.column_by_name(field.name()) else { return Ok(Vec::new()) };
        let values = data(schema.view(), column).map_err(|unfit| inside(unfit, field.name()))?;
        let keys = self.taken_keys(batch)?.into_iter();
        let rows = keys.zip(values).map(|((key, window), value)| Row {
            key,
            window,
            held: state.held(value, self.is_stamped),
        });
        Ok(rows.collect())
    }

    /// Takes keys, each with its window where the state has windows, from columns that are called
    /// as those of the state, but for the value.
    pub(crate) fn keys(&self, batch: &RecordBatch) -> Result<Vec<(Datum, Option<Datum>)>, Unfit> {
        self.check_names(batch, self.columns.fields().len() - 1)?;
        self.taken_keys(batch)
    }

    fn taken_keys(&self, batch: &RecordBatch) -> Result<Vec<(Datum, Option<Datum>)>, Unfit> {
        let length = batch.num_rows();
        let mut keys: Vec<Vec<Datum>> = vec![Vec::new(); length];
        let mut windows: Vec<Option<Datum>> = vec![None; length];
        for (part, field) in self.parts.iter().zip(self.columns.fields()) {
            let name = field.name();
            let Some(column) = batch.column_by_name(name) else { continue };
            let taken = |schema| data(schema, column).map_err(|unfit| inside(unfit, name));
            match part {
                Part::Key { schema, .. } => {
                    let held = taken(schema.view())?;
                    keys.iter_mut().zip(held).for_each(|(key, held)| key.push(held));
                }
                Part::Window(schema) => {
                    windows = taken(schema.view())?.into_iter().map(Some).collect();
                }
                Part::Time(which) => {
                    let times = times(column).map_err(|unfit| inside(unfit, name))?;
                    for (window, time) in windows.iter_mut().zip(times) {
                        let held = (Datum::Text(end(which).to_owned()), Datum::Signed(time.into()));
                        match window {
                            Some(Datum::Pairs(ends)) => ends.push(held),
                            _ => *window = Some(Datum::Pairs(vec![held])),
                        }
                    }
                }
                Part::Value(_) => {}
            }
        }
        let keys = keys.into_iter().map(|key| self.key_of(key));
        Ok(keys.zip(windows).collect())
    }

    /// Refuses columns that are called otherwise.
    fn check_names(&self, batch: &RecordBatch, count: usize) -> Result<(), Unfit> {
        let found = batch.schema();
        let wanted = self.columns.fields().iter().take(count);
        let wanted: Vec<&str> = wanted.map(|it| it.name().as_str()).collect();
        let mut names: Vec<&str> = found.fields().iter().map(|it| it.name().as_str()).collect();
        let mut sorted = wanted.clone();
        sorted.sort_unstable();
        names.sort_unstable();
        if names == sorted {
            return Ok(());
        }
        let found: Vec<&str> = found.fields().iter().map(|it| it.name().as_str()).collect();
        let said = format!("the columns are {}, not {}", found.join(", "), wanted.join(", "));
        Err(Unfit { path: String::new(), said })
    }
}

impl Part {
    fn field(&self) -> Field {
        match self {
            Self::Key { name, schema } => field(name, schema.view()),
            Self::Time(name) => Field::new(*name, TIME, false),
            Self::Window(schema) => field(WINDOW, schema.view()),
            Self::Value(schema) => field(VALUE, schema.view()),
        }
    }
}

/// Takes times of windows, in milliseconds.
fn times(column: &ArrayRef) -> Result<Vec<i64>, Unfit> {
    let long = StoredSchema::leaf(Leaf::I64);
    let column = exact(long.view(), column, &TIME)?;
    if column.null_count() > 0 {
        return Err(Unfit { path: String::new(), said: "expected a time, found null".to_owned() });
    }
    let column = cast(&column, &DataType::Int64)
        .map_err(|error| Unfit { path: String::new(), said: error.to_string() })?;
    Ok(column.as_primitive::<Int64Type>().values().to_vec())
}

/// Returns the names of all fields in a type, which tell stamps.
fn names(of: &DataType) -> Vec<String> {
    match of {
        DataType::Struct(fields) => {
            let all = fields.iter();
            all.flat_map(|field| {
                std::iter::once(field.name().clone()).chain(names(field.data_type()))
            })
            .collect()
        }
        DataType::List(of) | DataType::LargeList(of) => names(of.data_type()),
        DataType::Map(of, _) => match of.data_type() {
            DataType::Struct(fields) => {
                fields.iter().flat_map(|field| names(field.data_type())).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn inside(unfit: Unfit, name: &str) -> Unfit {
    let dot = if unfit.path.is_empty() { "" } else { "." };
    Unfit { path: format!("{name}{dot}{}", unfit.path), said: unfit.said }
}

/// Returns whether windows of this schema are windows of time.
fn is_time(schema: Schema<'_>) -> bool {
    StoredSchema::of::<Window>()
        .is_ok_and(|window| window.view().fingerprint() == schema.fingerprint())
}

/// Returns the field of a window that a column of times holds.
fn end(column: &str) -> &'static str {
    if column == START { "start" } else { "end" }
}

const END: &str = "window_end";
const START: &str = "window_start";
const TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);
const VALUE: &str = "value";
const WINDOW: &str = "window";
