//! Rows as values: what a state holds of one key.

mod json;

use std::collections::BTreeMap;

use holdwater::codec::{Reader, decode};
use holdwater::error::{Fault, Malformed};
use holdwater::schema::{Kind as Sort, Leaf, Schema};
use holdwater::state::Kind;

use crate::datum::{Datum, Unfit};
use crate::encoded::{EncodedRow, Types};
use crate::routing::key_and_window;

/// What a state holds of one key, in one window where it has windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The key.
    pub key: Datum,
    /// The window, where the state has windows.
    pub window: Option<Datum>,
    /// What is held.
    pub held: Held,
}

/// What a state holds of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// Of a map, by its fields in their order.
    Fields(Vec<(Datum, Piece)>),
    /// Of a list, in its order.
    Items(Vec<Piece>),
    /// Of a map that holds nothing but its fields, which is a set, in their order; of timers their
    /// times.
    Members(Vec<Piece>),
    /// Of a value.
    Value(Piece),
}

/// A value, item or what a field holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// What it is.
    pub value: Datum,
    /// When it was accessed last, where the state has a time to live.
    pub stamp: Option<i64>,
}

impl Row {
    /// Reads what is stored of a key.
    pub(crate) fn read(types: &Types, key: &[u8], row: &EncodedRow) -> Result<Self, Malformed> {
        let (key, window) = key_of(types, key)?;
        let piece = |bytes: &[u8]| Piece::read(types, bytes);
        let held = match row {
            EncodedRow::Value(bytes) => Held::Value(piece(bytes)?),
            EncodedRow::Items(items) => {
                Held::Items(items.iter().map(|item| piece(item)).collect::<Result<_, _>>()?)
            }
            EncodedRow::Fields(fields) => read_fields(types, fields)?,
        };
        Ok(Self { key, window, held })
    }
}

impl Row {
    /// Writes key and window, and what is held, as they are stored.
    pub(crate) fn write(&self, types: &Types, now: i64) -> Result<(Vec<u8>, EncodedRow), Unfit> {
        let key = write_key(types, &self.key, self.window.as_ref());
        let key = key.map_err(|unfit| unfit.inside("key"))?;
        let held = self.held.write(types, now).map_err(|unfit| unfit.inside("value"))?;
        Ok((key, held))
    }
}

impl Held {
    /// Writes it as it is stored. Where a stamp is needed and there is none, it is `now`.
    fn write(&self, types: &Types, now: i64) -> Result<EncodedRow, Unfit> {
        let piece = |piece: &Piece| piece.write(types, now);
        let field = |field: &Datum, piece: &Piece| {
            let schema = types.field.as_ref().ok_or_else(|| Unfit::of("no field", ""))?;
            let mut bytes = Vec::new();
            field.put(schema.view(), types.encoding, &mut bytes)?;
            Ok((bytes, piece.write(types, now)?))
        };
        Ok(match (types.kind.rows(), self) {
            (Kind::Value, Self::Value(value)) => EncodedRow::Value(piece(value)?),
            (Kind::List, Self::Items(items)) => {
                EncodedRow::Items(items.iter().map(piece).collect::<Result<_, _>>()?)
            }
            (_, Self::Fields(fields)) => {
                let fields = fields.iter().map(|(name, piece)| field(name, piece));
                EncodedRow::Fields(fields.collect::<Result<_, _>>()?)
            }
            (_, Self::Members(members)) => {
                let fields = members.iter().map(|Piece { value, stamp }| {
                    field(value, &Piece { value: Datum::Nothing, stamp: *stamp })
                });
                EncodedRow::Fields(fields.collect::<Result<_, _>>()?)
            }
            _ => return Err(Unfit::of("what a state of this kind holds", "another kind")),
        })
    }

    /// Takes out of a map what it holds under `key`; of a set the member.
    pub fn under(self, key: &Datum) -> Option<Self> {
        match self {
            Self::Fields(fields) => {
                let mut own = fields.into_iter().filter(|(name, _)| name == key);
                own.next().map(|(_, piece)| Self::Value(piece))
            }
            Self::Members(members) => {
                members.into_iter().find(|member| member.value == *key).map(Self::Value)
            }
            held => Some(held),
        }
    }

    /// Puts together what is held as one value: of a list its items, of a map its pairs, of a set
    /// its members. Stamps are left out.
    pub fn datum(self) -> Datum {
        match self {
            Self::Value(piece) => piece.value,
            Self::Items(pieces) | Self::Members(pieces) => {
                Datum::List(pieces.into_iter().map(|piece| piece.value).collect())
            }
            Self::Fields(fields) => {
                Datum::Pairs(fields.into_iter().map(|(name, piece)| (name, piece.value)).collect())
            }
        }
    }
}

impl Piece {
    fn read(types: &Types, bytes: &[u8]) -> Result<Self, Malformed> {
        let (schema, mut reader) = (types.value_without_stamp(), Reader::new(bytes));
        let stamp = types.expiry.map(|_| decode(types.encoding, &mut reader)).transpose()?;
        let value = Datum::take(schema, types.encoding, &mut reader)?;
        reader.finish()?;
        Ok(Self { value, stamp })
    }

    /// Writes it as it is stored. Where a stamp is needed and there is none, it is `now`.
    pub(crate) fn write(&self, types: &Types, now: i64) -> Result<Vec<u8>, Unfit> {
        let mut bytes = Vec::new();
        if types.expiry.is_some() {
            let stamp = Datum::Signed(self.stamp.unwrap_or(now).into());
            stamp.put_leaf(Leaf::I64, types.encoding, &mut bytes)?;
        }
        self.value.put(types.value_without_stamp(), types.encoding, &mut bytes)?;
        Ok(bytes)
    }
}

/// Reads the key of a row, and its window.
pub(crate) fn key_of(types: &Types, bytes: &[u8]) -> Result<(Datum, Option<Datum>), Malformed> {
    let mut reader = Reader::new(bytes);
    let key = Datum::take(types.key.view(), types.encoding, &mut reader)?;
    reader.finish()?;
    let windowed = key_and_window(types.key.view()).1.is_some();
    Ok(match key {
        Datum::Pairs(pairs) if windowed => {
            let mut parts = pairs.into_iter().map(|(_, part)| part);
            let missing = Malformed::new(Fault::Range, 0);
            (parts.next().ok_or(missing)?, parts.next())
        }
        key => (key, None),
    })
}

/// Reads a key of `schema` from its parts, each written as a cell: of a struct its fields.
pub fn key_of_cells(schema: Schema<'_>, cells: &[String]) -> Result<Datum, Unfit> {
    let count = match schema.kind() {
        Sort::Struct(members) => members.count(),
        _ => 1,
    };
    match (schema.kind(), cells) {
        (Sort::Struct(members), cells) if cells.len() == count => {
            let fields = members.zip(cells).map(|(member, cell)| {
                let held = Datum::from_cell(member.schema, cell);
                let held = held.map_err(|unfit| unfit.inside(member.name))?;
                Ok((Datum::Text(member.name.to_owned()), held))
            });
            fields.collect::<Result<_, _>>().map(Datum::Pairs)
        }
        (Sort::Struct(_), _) | (_, [] | [_, _, ..]) => {
            let found = format!("{} fields", cells.len());
            Err(Unfit { path: String::new(), said: format!("expected {schema}, found {found}") })
        }
        (_, [cell]) => Datum::from_cell(schema, cell),
    }
}

/// Writes key and window as a row has them.
pub(crate) fn write_key(
    types: &Types,
    key: &Datum,
    window: Option<&Datum>,
) -> Result<Vec<u8>, Unfit> {
    let (mut bytes, (schema, window_schema)) = (Vec::new(), key_and_window(types.key.view()));
    key.put(schema, types.encoding, &mut bytes)?;
    if let (Some(schema), Some(window)) = (window_schema, window) {
        window.put(schema, types.encoding, &mut bytes).map_err(|unfit| unfit.inside("window"))?;
    }
    Ok(bytes)
}

fn read_fields(types: &Types, fields: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Held, Malformed> {
    let schema = types.field.as_ref().ok_or(Malformed::new(Fault::Range, 0))?;
    let mut read = Vec::with_capacity(fields.len());
    for (field, held) in fields {
        let field = Datum::take(schema.view(), types.encoding, &mut Reader::new(field))?;
        read.push((field, Piece::read(types, held)?));
    }
    read.sort_by(|(one, _), (other, _)| one.order(other));
    let member = |(value, Piece { stamp, .. })| Piece { value, stamp };
    Ok(match types.is_set() {
        true => Held::Members(read.into_iter().map(member).collect()),
        false => Held::Fields(read),
    })
}
