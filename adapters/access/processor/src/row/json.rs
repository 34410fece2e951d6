//! Rows as JSON, as they are stored: with windows, variants and stamps.

use holdwater::error::Malformed;
use holdwater::schema::{Leaf, StoredSchema};
use holdwater::state::Kind;

use super::{Held, Piece, Row};
use crate::datum::{Datum, Names, Unfit};
use crate::state::StateReader;

impl Row {
    /// Writes it as a JSON object of `key`, where the state has windows `window`, and `value`. What
    /// has a stamp is an object of `stamp` and `value`.
    pub fn write_json(&self, out: &mut String) {
        let name = |name: &str| Datum::Text(name.to_owned());
        let mut members = vec![(name(KEY), self.key.clone())];
        members.extend(self.window.clone().map(|window| (name(WINDOW), window)));
        members.push((name(VALUE), self.held.clone().stored()));
        Datum::Pairs(members).write_json(out);
    }
}

impl Held {
    /// Puts together what is held as one value, with its stamps.
    pub fn stored(self) -> Datum {
        let all = |pieces: Vec<Piece>| pieces.into_iter().map(Piece::stored).collect();
        match self {
            Self::Value(piece) => piece.stored(),
            Self::Items(pieces) | Self::Members(pieces) => Datum::List(all(pieces)),
            Self::Fields(fields) => {
                let pairs = fields.into_iter().map(|(name, piece)| (name, piece.stored()));
                Datum::Pairs(pairs.collect())
            }
        }
    }
}

impl Piece {
    fn stored(self) -> Datum {
        let name = |name: &str| Datum::Text(name.to_owned());
        match self.stamp {
            None => self.value,
            Some(stamp) => Datum::Pairs(vec![
                (name(STAMP), Datum::Signed(stamp.into())),
                (name(VALUE), self.value),
            ]),
        }
    }

    fn of(datum: Datum, is_stamped: bool) -> Self {
        match (is_stamped, datum) {
            (true, Datum::Pairs(mut pairs)) if pairs.len() == 2 => {
                let (value, stamp) = (pairs.remove(1).1, pairs.remove(0).1.whole_number());
                Self { value, stamp }
            }
            (_, value) => Self { value, stamp: None },
        }
    }
}

impl StateReader<'_> {
    /// Reads a row from JSON as [`Row::write_json`] writes it; stamps may be left out.
    pub fn row_from_json(&self, text: &str, names: Names) -> Result<Row, Unfit> {
        let (datum, is_stamped) = self.read_json(text, names, |value| {
            let (key, window) = (self.key_schema().into(), self.window_schema());
            let window: Option<StoredSchema> = window.map(StoredSchema::from);
            let window = window.iter().map(|window| (WINDOW, window));
            StoredSchema::fields([(KEY, &key)].into_iter().chain(window).chain([(VALUE, value)]))
        })?;
        let Datum::Pairs(members) = datum else { return Err(Unfit::of("a row", text)) };
        let mut parts = members.into_iter().map(|(_, part)| part);
        let mut part = || parts.next().ok_or_else(|| Unfit::of("a row", text));
        let key = part()?;
        let window = self.window_schema().map(|_| part()).transpose()?;
        Ok(Row { key, window, held: self.held(part()?, is_stamped) })
    }

    /// Reads what a row holds from JSON; stamps may be left out.
    pub fn held_from_json(&self, text: &str, names: Names) -> Result<Held, Unfit> {
        let (datum, is_stamped) = self.read_json(text, names, |value| Ok(value.clone()))?;
        Ok(self.held(datum, is_stamped))
    }

    /// Reads what a row holds from a cell; stamps may be left out.
    pub fn held_from_cell(&self, cell: &str, names: Names) -> Result<Held, Unfit> {
        let schema = self.held_schema(false);
        let plain = schema.ok().and_then(|schema| Datum::from_cell(schema.view(), cell).ok());
        match plain {
            Some(datum) => Ok(self.held(datum, false)),
            None => self.held_from_json(cell, names),
        }
    }

    /// Reads JSON by a schema that is made from that of what a row holds.
    fn read_json(
        &self,
        text: &str,
        names: Names,
        schema: impl Fn(&StoredSchema) -> Result<StoredSchema, Malformed>,
    ) -> Result<(Datum, bool), Unfit> {
        let read = |is_stamped| {
            let schema = self.held_schema(is_stamped).and_then(|value| schema(&value));
            let schema = schema.map_err(|_| Unfit::of("a type that is nested less deep", ""))?;
            let datum = Datum::from_json_with(schema.view(), text, names)?;
            Ok((datum, is_stamped))
        };
        let plain = read(false);
        match self.types().expiry {
            Some(_) if plain.is_err() => {
                // Of what has stamps the error that counts is the one about them.
                let stamped = read(true);
                if stamped.is_err() && !text.contains("\"stamp\"") { plain } else { stamped }
            }
            _ => plain,
        }
    }

    /// Returns the schema of what a row holds, as one value: of [`Held::datum`], or with stamps of
    /// [`Held::stored`].
    pub fn held_schema(&self, is_stamped: bool) -> Result<StoredSchema, Malformed> {
        let types = self.types();
        let stamped = |value: StoredSchema| match is_stamped {
            true => {
                let stamp = StoredSchema::leaf(Leaf::I64);
                StoredSchema::fields([(STAMP, &stamp), (VALUE, &value)])
            }
            false => Ok(value),
        };
        let value = stamped(self.value_schema().into())?;
        match (types.kind.rows(), &types.field) {
            (Kind::List, _) => StoredSchema::seq(&value),
            (_, Some(field)) if types.is_set() => StoredSchema::seq(&stamped(field.clone())?),
            (_, Some(field)) => StoredSchema::map(field, &value),
            _ => Ok(value),
        }
    }

    /// Takes what a row holds apart, as [`held_schema`](Self::held_schema) says it is put together.
    pub fn held(&self, datum: Datum, is_stamped: bool) -> Held {
        let piece = |datum| Piece::of(datum, is_stamped);
        let types = self.types();
        match (types.kind.rows(), datum) {
            (Kind::List, Datum::List(items)) => Held::Items(items.into_iter().map(piece).collect()),
            (Kind::Value, datum) => Held::Value(piece(datum)),
            (_, Datum::List(members)) => Held::Members(members.into_iter().map(piece).collect()),
            (_, Datum::Pairs(pairs)) => {
                Held::Fields(pairs.into_iter().map(|(name, held)| (name, piece(held))).collect())
            }
            (_, datum) => Held::Value(piece(datum)),
        }
    }
}

const KEY: &str = "key";
const STAMP: &str = "stamp";
const VALUE: &str = "value";
const WINDOW: &str = "window";
