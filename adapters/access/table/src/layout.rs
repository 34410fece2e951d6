//! Which columns the rows of a state have, and rows in them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema as Columns, SchemaRef, TimeUnit};
use holdwater::schema::{Kind, Leaf, Schema, StoredSchema};
use holdwater::window::Window;
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;

use crate::types::{array, field};

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
