//! Values as Arrow has them: the type of a schema, and values in columns and back.

mod read;
mod write;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use holdwater::schema::{Kind, Leaf, Member, Schema};

pub(crate) use self::read::{data, exact};
pub(crate) use self::write::array;

/// Returns the type of a column of values of `schema`.
pub(crate) fn data_type(schema: Schema<'_>) -> DataType {
    match schema.kind() {
        Kind::Leaf(leaf) => leaf_type(leaf),
        Kind::Opaque(_) => DataType::Binary,
        Kind::Option(inner) if may_hold_nothing(inner) => {
            DataType::Struct(Fields::from(vec![field(SOME, inner)]))
        }
        Kind::Option(inner) => data_type(inner),
        Kind::Array { element, .. } | Kind::Seq(element) => {
            DataType::List(Arc::new(field(ITEM, element)))
        }
        Kind::Map { key, value } => {
            let entries = Fields::from(vec![field(MAP_KEY, key), field(MAP_VALUE, value)]);
            let entries = DataType::Struct(entries);
            match is_nullable(key) {
                // A key of a map cannot be null.
                true => DataType::List(Arc::new(Field::new(ITEM, entries, false))),
                false => DataType::Map(Arc::new(Field::new(ENTRIES, entries, false)), false),
            }
        }
        Kind::Tuple(members) if members.len() == 0 => DataType::Null,
        Kind::Struct(members) if members.len() == 0 => DataType::Null,
        Kind::Tuple(members) => {
            let fields = members.enumerate();
            let fields = fields.map(|(place, member)| field(&element_name(place), member.schema));
            DataType::Struct(fields.collect())
        }
        Kind::Struct(members) => {
            DataType::Struct(members.map(|member| field(member.name, member.schema)).collect())
        }
        Kind::Enum(mut members) => {
            if members.clone().all(|member| is_empty(member.schema)) {
                return DataType::Utf8;
            }
            let held = members.by_ref().filter(|member| !is_empty(member.schema));
            let held =
                held.map(|Member { name, schema, .. }| Field::new(name, data_type(schema), true));
            let name = Field::new(VARIANT, DataType::Utf8, false);
            DataType::Struct(std::iter::once(name).chain(held).collect())
        }
    }
}

/// Returns a column of values of `schema`.
pub(crate) fn field(name: &str, schema: Schema<'_>) -> Field {
    Field::new(name, data_type(schema), is_nullable(schema))
}

/// Returns whether a value of `schema` may be null.
fn is_nullable(schema: Schema<'_>) -> bool {
    matches!(schema.kind(), Kind::Option(_)) || is_empty(schema)
}

/// Returns whether a value of `schema` holds nothing: its column is null throughout.
fn is_empty(schema: Schema<'_>) -> bool {
    match schema.kind() {
        Kind::Leaf(leaf) => leaf == Leaf::Unit,
        Kind::Tuple(members) | Kind::Struct(members) => members.len() == 0,
        _ => false,
    }
}

/// Returns whether a value of `schema` may be null itself: where there may be no such value, one
/// that is there is told apart.
fn may_hold_nothing(schema: Schema<'_>) -> bool {
    is_nullable(schema)
}

fn leaf_type(leaf: Leaf) -> DataType {
    match leaf {
        Leaf::Unit => DataType::Null,
        Leaf::Bool => DataType::Boolean,
        Leaf::U8 => DataType::UInt8,
        Leaf::U16 => DataType::UInt16,
        Leaf::U32 => DataType::UInt32,
        Leaf::U64 => DataType::UInt64,
        Leaf::I8 => DataType::Int8,
        Leaf::I16 => DataType::Int16,
        Leaf::I32 => DataType::Int32,
        Leaf::I64 => DataType::Int64,
        Leaf::U128 | Leaf::I128 => DataType::Decimal256(WIDE_DIGITS, 0),
        Leaf::F32 => DataType::Float32,
        Leaf::F64 => DataType::Float64,
        Leaf::Char | Leaf::String => DataType::Utf8,
        Leaf::Bytes => DataType::Binary,
    }
}

/// Names an element of a tuple.
fn element_name(place: usize) -> String {
    format!("_{place}")
}

const ENTRIES: &str = "entries";
const ITEM: &str = "item";
const MAP_KEY: &str = "key";
const MAP_VALUE: &str = "value";
const SOME: &str = "Some";
const VARIANT: &str = "variant";

/// As many digits as a number of 128 bits has.
const WIDE_DIGITS: u8 = 39;

#[cfg(test)]
mod tests;
