//! Rows as a person reads them: the parts of a key by their names, and what a SPEC holds as a
//! number or text.

use holdwater::schema::{Kind, Schema, StoredSchema};
use holdwater::window::Window;
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::failure::quoted;
use holdwater_processor::row::{Held, Row, key_of_cells};

use crate::accumulators::{Extreme, Latest, Mean, Placed, Sum};
use crate::arguments::WINDOW_START;
use crate::failure::Failure;
use crate::timestamp::Timestamp;

/// How the rows of a state are shown.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// The names of the parts of a key: of a struct its fields.
    pub(crate) key: Vec<String>,
    /// Whether the key is a struct.
    is_struct: bool,
    /// What the window of a row is called, where the state has windows: the start of a window of
    /// time, or as it is stored.
    pub(crate) window: Option<&'static str>,
    /// Whether values are what this program holds for a SPEC.
    is_of_a_spec: bool,
    /// Whether values are cells with their places.
    is_placed: bool,
}

impl Columns {
    /// Names the columns of a state.
    pub(crate) fn of(state: &StateReader<'_>) -> Self {
        let (key, is_struct) = match state.key_schema().kind() {
            Kind::Struct(members) => (members.map(|member| member.name.to_owned()).collect(), true),
            _ => (vec!["key".to_owned()], false),
        };
        let window = state.window_schema().map(|window| match is_time(window) {
            true => WINDOW_START,
            false => "window",
        });
        let value = state.value_schema();
        Self {
            key,
            is_struct,
            window,
            is_of_a_spec: is_of_a_spec(value),
            is_placed: is_placed(value),
        }
    }

    /// Takes a key apart.
    pub(crate) fn key_parts(&self, key: Datum) -> Vec<Datum> {
        match key {
            Datum::Pairs(fields) if self.is_struct => {
                fields.into_iter().map(|(_, held)| held).collect()
            }
            key => vec![key],
        }
    }

    /// Reads a key from its parts, each written as a cell behind `flag`.
    pub(crate) fn key_of(
        &self,
        schema: Schema<'_>,
        cells: &[String],
        flag: &str,
    ) -> Result<Datum, Failure> {
        let named = quoted(&cells.join(","));
        key_of_cells(schema, cells)
            .map_err(|unfit| Failure::Usage(format!("{flag} {named}: {unfit}")))
    }

    /// Returns the window of a row as it is shown.
    pub(crate) fn window(&self, window: Datum) -> Datum {
        match self.window {
            Some(WINDOW_START) => {
                window_start(&window).map_or(window, |start| Datum::Text(start.to_string()))
            }
            _ => window,
        }
    }

    /// Returns what a row holds, as it is shown.
    pub(crate) fn value(&self, held: Held) -> Datum {
        let plain = |datum: Datum| match self.is_of_a_spec {
            true => datum.without_variants(),
            false => datum,
        };
        if !self.is_placed {
            return plain(held.datum());
        }
        match held {
            Held::Items(mut items) => {
                items.sort_by(|one, other| one.value.order(&other.value));
                let cells = items.into_iter().map(|item| without_place(item.value));
                Datum::List(cells.collect())
            }
            held => without_place(held.datum()),
        }
    }

    /// Writes a row as a JSON object, without an end of line.
    pub(crate) fn write_json(&self, row: Row, line: &mut String) {
        line.push('{');
        self.write_key(&row, line);
        line.push_str(",\"value\":");
        self.value(row.held).write_json(line);
        line.push('}');
    }

    /// Writes the key of a row and its window, as members of an object.
    pub(crate) fn write_key(&self, row: &Row, line: &mut String) {
        line.push_str("\"key\":");
        row.key.write_json(line);
        if let (Some(name), Some(window)) = (self.window, &row.window) {
            line.push_str(&format!(",\"{name}\":"));
            self.window(window.clone()).write_json(line);
        }
    }
}

/// Returns the start of a window of time.
pub(crate) fn window_start(window: &Datum) -> Option<Timestamp> {
    window.field("start").and_then(Datum::whole_number).map(Timestamp)
}

/// Returns the cell of a [`Placed`] one: where it stands among others is no part of the value.
fn without_place(datum: Datum) -> Datum {
    match datum {
        Datum::Pairs(mut pairs) => pairs.pop().map_or(Datum::Nothing, |(_, cell)| cell),
        other => other,
    }
}

/// Returns whether windows of this schema are windows of time.
fn is_time(schema: Schema<'_>) -> bool {
    is_one_of(schema, [StoredSchema::of::<Window>()])
}

/// Returns whether values of this schema are what this program holds for a SPEC.
pub(crate) fn is_of_a_spec(schema: Schema<'_>) -> bool {
    is_one_of(
        schema,
        [StoredSchema::of::<Sum>(), StoredSchema::of::<Mean>(), StoredSchema::of::<Extreme>()],
    )
}

/// Returns whether values of this schema are cells with their places.
fn is_placed(schema: Schema<'_>) -> bool {
    is_one_of(schema, [StoredSchema::of::<Placed>(), StoredSchema::of::<Latest>()])
}

fn is_one_of<E, const N: usize>(schema: Schema<'_>, own: [Result<StoredSchema, E>; N]) -> bool {
    own.into_iter().flatten().any(|own| own.view().fingerprint() == schema.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdwater::codec::Reader;
    use postcard_schema_ng::Schema as Described;
    use serde::Serialize;

    fn json<T: Serialize + Described>(value: &T) -> String {
        let schema = StoredSchema::of::<T>().unwrap();
        let (mut bytes, encoding) = (Vec::new(), schema.view().encoding());
        holdwater::codec::encode(value, encoding, &mut bytes).unwrap();
        let datum = Datum::take(schema.view(), encoding, &mut Reader::new(&bytes)).unwrap();
        assert!(is_of_a_spec(schema.view()));
        let mut out = String::new();
        datum.without_variants().write_json(&mut out);
        out
    }

    #[test]
    fn what_a_spec_holds_prints_as_a_number_or_text() {
        use crate::cell::{Cell, Number};
        let mut sum = Sum::default();
        assert_eq!(json(&sum), "null");
        sum.add(Number::Integer(7)).unwrap();
        assert_eq!(json(&sum), "7");
        sum.add(Number::Float(0.5)).unwrap();
        assert_eq!(json(&sum), "7.5");
        let mut mean = Mean::default();
        mean.add(Number::Integer(3)).unwrap();
        assert_eq!(json(&mean), r#"{"sum":3,"count":1}"#);
        let mut extreme = Extreme::default();
        extreme.raise(Cell::Text("z"));
        assert_eq!(json(&extreme), "\"z\"");
    }
}
