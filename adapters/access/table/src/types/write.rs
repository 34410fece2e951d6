//! Values into columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal256Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray, NullArray, StringArray,
    StructArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, i256};
use arrow::error::ArrowError;
use holdwater::schema::{Kind, Leaf, Schema};
use holdwater_processor::datum::Datum;

use super::{WIDE_DIGITS, data_type, is_empty, may_hold_nothing};

/// Puts values of `schema` into a column; what is missing is null.
pub(crate) fn array(schema: Schema<'_>, values: &[Option<&Datum>]) -> Result<ArrayRef, ArrowError> {
    if is_empty(schema) {
        return Ok(Arc::new(NullArray::new(values.len())));
    }
    match schema.kind() {
        Kind::Leaf(leaf) => leaves(leaf, values),
        Kind::Opaque(_) => leaves(Leaf::Bytes, values),
        Kind::Option(inner) => {
            let there = values.iter().map(|value| value.filter(|held| **held != Datum::Nothing));
            let there: Vec<_> = there.collect();
            if !may_hold_nothing(inner) {
                return array(inner, &there);
            }
            let held = there.iter().map(|value| match value {
                Some(Datum::Some(held)) => Some(&**held),
                _ => None,
            });
            let column = array(inner, &held.collect::<Vec<_>>())?;
            structs(schema, vec![column], &there)
        }
        Kind::Array { element, .. } | Kind::Seq(element) => {
            let lists: Vec<_> = values.iter().map(elements).collect();
            let items: Vec<_> = lists.iter().flat_map(|list| list.iter().map(Some)).collect();
            list(schema, lists.iter().map(|list| list.len()), array(element, &items)?, values)
        }
        Kind::Map { key, value } => {
            let maps: Vec<_> = values.iter().map(pairs).collect();
            let (keys, held): (Vec<_>, Vec<_>) = maps
                .iter()
                .flat_map(|pairs| pairs.iter().map(|(key, held)| (Some(key), Some(held))))
                .unzip();
            let columns = vec![array(key, &keys)?, array(value, &held)?];
            let entries = match data_type(schema) {
                DataType::Map(entries, _) | DataType::List(entries) => entries,
                other => return Err(unexpected(&other)),
            };
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(unexpected(entries.data_type()));
            };
            let entries = StructArray::try_new(fields.clone(), columns, None)?;
            list(schema, maps.iter().map(|pairs| pairs.len()), Arc::new(entries), values)
        }
        Kind::Tuple(members) => {
            let lists: Vec<_> = values.iter().map(|value| (value, elements(value))).collect();
            let column = |(place, schema)| {
                let held = lists.iter().map(|(value, list)| value.and(list.get(place)));
                array(schema, &held.collect::<Vec<_>>())
            };
            let columns = members.map(|member| member.schema).enumerate().map(column);
            structs(schema, columns.collect::<Result<_, _>>()?, values)
        }
        Kind::Struct(members) => {
            let all: Vec<_> = values.iter().map(pairs).collect();
            let column = |(place, schema)| {
                let held = all.iter().map(|pairs| pairs.get(place).map(|(_, held)| held));
                array(schema, &held.collect::<Vec<_>>())
            };
            let columns = members.map(|member| member.schema).enumerate().map(column);
            structs(schema, columns.collect::<Result<_, _>>()?, values)
        }
        Kind::Enum(members) => {
            let chosen: Vec<_> = values.iter().map(variant).collect();
            let names: StringArray = chosen.iter().map(|chosen| chosen.map(|it| it.0)).collect();
            let names: ArrayRef = Arc::new(names);
            if data_type(schema) == DataType::Utf8 {
                return Ok(names);
            }
            let mut columns = vec![names];
            for member in members.filter(|member| !is_empty(member.schema)) {
                let held = chosen.iter().map(|chosen| {
                    chosen.and_then(|(name, held)| (name == member.name).then_some(held))
                });
                columns.push(array(member.schema, &held.collect::<Vec<_>>())?);
            }
            structs(schema, columns, values)
        }
    }
}

fn leaves(leaf: Leaf, values: &[Option<&Datum>]) -> Result<ArrayRef, ArrowError> {
    macro_rules! numbers {
        ($array:ty) => {
            Arc::new(
                values
                    .iter()
                    .map(|value| match value {
                        Some(Datum::Signed(number)) => (*number).try_into().ok(),
                        Some(Datum::Unsigned(number)) => (*number).try_into().ok(),
                        _ => None,
                    })
                    .collect::<$array>(),
            )
        };
    }
    macro_rules! plain {
        ($variant:ident, $array:ty) => {
            Arc::new(
                values
                    .iter()
                    .map(|value| match value {
                        Some(Datum::$variant(held)) => Some(held.to_owned()),
                        _ => None,
                    })
                    .collect::<$array>(),
            )
        };
    }
    let wide = |value: &Option<&Datum>| match value {
        Some(Datum::Signed(number)) => Some(i256::from_i128(*number)),
        Some(Datum::Unsigned(number)) => Some(i256::from_parts(*number, 0)),
        _ => None,
    };
    let bytes = |value: &Option<&'_ Datum>| match value {
        Some(Datum::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    };
    Ok(match leaf {
        Leaf::Unit => Arc::new(NullArray::new(values.len())),
        Leaf::Bool => plain!(Bool, BooleanArray),
        Leaf::U8 => numbers!(UInt8Array),
        Leaf::U16 => numbers!(UInt16Array),
        Leaf::U32 => numbers!(UInt32Array),
        Leaf::U64 => numbers!(UInt64Array),
        Leaf::I8 => numbers!(Int8Array),
        Leaf::I16 => numbers!(Int16Array),
        Leaf::I32 => numbers!(Int32Array),
        Leaf::I64 => numbers!(Int64Array),
        Leaf::U128 | Leaf::I128 => {
            let column: Decimal256Array = values.iter().map(wide).collect();
            Arc::new(column.with_precision_and_scale(WIDE_DIGITS, 0)?)
        }
        Leaf::F32 => plain!(Single, Float32Array),
        Leaf::F64 => plain!(Float, Float64Array),
        Leaf::Char | Leaf::String => plain!(Text, StringArray),
        Leaf::Bytes => Arc::new(values.iter().map(bytes).collect::<BinaryArray>()),
    })
}

/// Puts columns together as a column of structs.
fn structs(
    schema: Schema<'_>,
    columns: Vec<ArrayRef>,
    values: &[Option<&Datum>],
) -> Result<ArrayRef, ArrowError> {
    let DataType::Struct(fields) = data_type(schema) else {
        return Err(unexpected(&data_type(schema)));
    };
    Ok(Arc::new(StructArray::try_new(fields, columns, nulls(values))?))
}

/// Puts elements together as a column of lists or maps.
fn list(
    schema: Schema<'_>,
    lengths: impl Iterator<Item = usize>,
    items: ArrayRef,
    values: &[Option<&Datum>],
) -> Result<ArrayRef, ArrowError> {
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(match data_type(schema) {
        DataType::List(field) => {
            Arc::new(ListArray::try_new(field, offsets, items, nulls(values))?)
        }
        DataType::Map(field, sorted) => {
            let entries = items.as_any().downcast_ref::<StructArray>().cloned();
            let entries = entries.ok_or_else(|| unexpected(items.data_type()))?;
            Arc::new(MapArray::try_new(field, offsets, entries, nulls(values), sorted)?)
        }
        other => return Err(unexpected(&other)),
    })
}

fn nulls(values: &[Option<&Datum>]) -> Option<NullBuffer> {
    values.iter().any(Option::is_none).then(|| values.iter().map(Option::is_some).collect())
}

fn elements<'d>(value: &Option<&'d Datum>) -> &'d [Datum] {
    match value {
        Some(Datum::List(list)) => list,
        _ => &[],
    }
}

fn pairs<'d>(value: &Option<&'d Datum>) -> &'d [(Datum, Datum)] {
    match value {
        Some(Datum::Pairs(pairs)) => pairs,
        _ => &[],
    }
}

fn variant<'d>(value: &Option<&'d Datum>) -> Option<(&'d str, &'d Datum)> {
    match value {
        Some(Datum::Variant(name, held)) => Some((name, held)),
        _ => None,
    }
}

fn unexpected(found: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("{found} is not the type of such values"))
}
