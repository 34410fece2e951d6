//! Columns into values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, PrimitiveArray, StructArray,
};
use arrow::compute::{CastOptions, cast_with_options, filter};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal256Type, Field, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use holdwater::schema::{Kind, Leaf, Member, Members, Schema};
use holdwater_processor::datum::{Datum, Unfit};

use super::{SOME, VARIANT, data_type, element_name, is_empty, leaf_type, may_hold_nothing};

/// Takes the values of a column as those of `schema`.
///
/// Numbers may be of another width than the schema says, texts and lists of another layout;
/// nothing is rounded: what does not fit exactly is refused.
pub(crate) fn data(schema: Schema<'_>, column: &ArrayRef) -> Result<Vec<Datum>, Unfit> {
    if is_empty(schema) {
        return nothings(schema, column);
    }
    if let Kind::Option(inner) = schema.kind() {
        return options(schema, inner, column);
    }
    if column.logical_null_count() > 0 {
        return Err(unfit(schema, "null"));
    }
    match schema.kind() {
        Kind::Leaf(leaf) => leaves(schema, leaf, column),
        Kind::Opaque(_) => leaves(schema, Leaf::Bytes, column),
        Kind::Array { element, .. } | Kind::Seq(element) => {
            let column = lists(schema, column)?;
            let items = data(element, &within(&column))?;
            Ok(portions(column.offsets(), items).map(Datum::List).collect())
        }
        Kind::Map { key, value } => maps(schema, key, value, column),
        Kind::Tuple(members) => {
            let column = structs(schema, column, members.len())?;
            let mut rows = vec![Vec::new(); column.len()];
            for (place, member) in members.enumerate() {
                let held = child(column, &element_name(place), member.schema)?;
                rows.iter_mut().zip(held).for_each(|(row, held)| row.push(held));
            }
            Ok(rows.into_iter().map(Datum::List).collect())
        }
        Kind::Struct(members) => {
            let column = structs(schema, column, members.len())?;
            let mut rows = vec![Vec::new(); column.len()];
            for Member { name, schema, .. } in members {
                for (row, held) in rows.iter_mut().zip(child(column, name, schema)?) {
                    row.push((Datum::Text(name.to_owned()), held));
                }
            }
            Ok(rows.into_iter().map(Datum::Pairs).collect())
        }
        Kind::Enum(members) => variants(schema, members, column),
        Kind::Option(_) => Err(unfit(schema, "null")),
    }
}

/// Takes values that hold nothing.
fn nothings(schema: Schema<'_>, column: &ArrayRef) -> Result<Vec<Datum>, Unfit> {
    if column.logical_null_count() < column.len() {
        return Err(unfit(schema, &column.data_type().to_string()));
    }
    let nothing = match schema.kind() {
        Kind::Tuple(_) => Datum::List(Vec::new()),
        Kind::Struct(_) => Datum::Pairs(Vec::new()),
        _ => Datum::Nothing,
    };
    Ok(vec![nothing; column.len()])
}

fn options(schema: Schema<'_>, inner: Schema<'_>, column: &ArrayRef) -> Result<Vec<Datum>, Unfit> {
    let is_there: BooleanArray = match column.logical_nulls() {
        Some(nulls) => nulls.iter().map(Some).collect(),
        None => vec![true; column.len()].into(),
    };
    let held = chosen(column, &is_there)?;
    let held = if !may_hold_nothing(inner) {
        match held.is_empty() {
            true => Vec::new(),
            false => data(inner, &held)?,
        }
    } else if held.is_empty() {
        Vec::new()
    } else {
        let held = child(structs(schema, &held, 1)?, SOME, inner)?;
        held.into_iter().map(|held| Datum::Some(Box::new(held))).collect()
    };
    let mut held = held.into_iter();
    let next = |is_there: bool| if is_there { held.next() } else { None };
    let values = is_there.values().iter().map(next);
    Ok(values.map(|value| value.unwrap_or(Datum::Nothing)).collect())
}

fn maps(
    schema: Schema<'_>,
    key: Schema<'_>,
    value: Schema<'_>,
    column: &ArrayRef,
) -> Result<Vec<Datum>, Unfit> {
    let (entries, offsets) = match column.as_any().downcast_ref::<MapArray>() {
        Some(column) => {
            let (first, last) = (column.offsets()[0], column.offsets()[column.len()]);
            let length = (last - first) as usize;
            let entries: ArrayRef = Arc::new(column.entries().slice(first as usize, length));
            (entries, column.offsets().clone())
        }
        None => {
            let column = lists(schema, column)?;
            (within(&column), column.offsets().clone())
        }
    };
    let entries = structs(schema, &entries, 2)?;
    let keys = data(key, entries.column(0)).map_err(|unfit| unfit_in(unfit, "key"))?;
    let held = data(value, entries.column(1)).map_err(|unfit| unfit_in(unfit, "value"))?;
    let pairs = keys.into_iter().zip(held).collect();
    Ok(portions(&offsets, pairs).map(Datum::Pairs).collect())
}

/// Takes variants: by their names, or, where there are none, as the first variant whose content all
/// of them fit.
fn variants(
    schema: Schema<'_>,
    members: Members<'_>,
    column: &ArrayRef,
) -> Result<Vec<Datum>, Unfit> {
    let wrapped = |name: &str, held| Datum::Variant(name.to_owned(), Box::new(held));
    let named = column.as_any().downcast_ref::<StructArray>();
    let Some(struct_names) = named.map(|column| column.column_by_name(VARIANT)) else {
        if data_type(schema) == DataType::Utf8 {
            let names = leaves(schema, Leaf::String, column)?.into_iter();
            return Ok(names.map(|name| wrapped(&name.cell(), Datum::Nothing)).collect());
        }
        let fitting = members.filter(|member| !is_empty(member.schema)).find_map(|member| {
            let held = data(member.schema, column).ok()?.into_iter();
            Some(held.map(|held| wrapped(member.name, held)).collect())
        });
        return fitting.ok_or_else(|| unfit(schema, &column.data_type().to_string()));
    };
    let missing = || Unfit { path: VARIANT.to_owned(), said: "the field is missing".to_owned() };
    let (Some(column), Some(names)) = (named, struct_names) else { return Err(missing()) };
    let text = holdwater::schema::StoredSchema::leaf(Leaf::String);
    let names: Vec<String> = data(text.view(), names)?.iter().map(Datum::cell).collect();
    let mut values: Vec<Option<Datum>> = vec![None; names.len()];
    for Member { name, schema, .. } in members {
        let is_chosen: Vec<bool> = names.iter().map(|chosen| chosen == name).collect();
        let places = (0..names.len()).filter(|place| is_chosen[*place]);
        if is_empty(schema) {
            places.for_each(|place| values[place] = Some(wrapped(name, Datum::Nothing)));
            continue;
        }
        let places: Vec<_> = places.collect();
        if places.is_empty() {
            continue;
        }
        let held = column.column_by_name(name).ok_or_else(|| unfit_in(missing(), name))?;
        let held = data(schema, &chosen(held, &is_chosen.into())?);
        let held = held.map_err(|unfit| unfit_in(unfit, name))?;
        places.into_iter().zip(held).for_each(|(place, held)| {
            values[place] = Some(wrapped(name, held));
        });
    }
    let unknown = || unfit(schema, "a variant of another name");
    values.into_iter().map(|value| value.ok_or_else(unknown)).collect()
}

fn leaves(schema: Schema<'_>, leaf: Leaf, column: &ArrayRef) -> Result<Vec<Datum>, Unfit> {
    let column = exact(schema, column, &leaf_type(leaf))?;
    macro_rules! numbers {
        ($variant:ident, $type:ty) => {
            primitives::<$type>(&column).map(|it| Datum::$variant(it.into())).collect()
        };
    }
    let wide = |number: i256| {
        let (low, high) = number.to_parts();
        match leaf {
            Leaf::U128 => (high == 0).then_some(Datum::Unsigned(low)),
            _ => number.to_i128().map(Datum::Signed),
        }
    };
    Ok(match leaf {
        Leaf::Unit => vec![Datum::Nothing; column.len()],
        Leaf::Bool => column.as_boolean().values().iter().map(Datum::Bool).collect(),
        Leaf::U8 => numbers!(Unsigned, UInt8Type),
        Leaf::U16 => numbers!(Unsigned, UInt16Type),
        Leaf::U32 => numbers!(Unsigned, UInt32Type),
        Leaf::U64 => numbers!(Unsigned, UInt64Type),
        Leaf::I8 => numbers!(Signed, Int8Type),
        Leaf::I16 => numbers!(Signed, Int16Type),
        Leaf::I32 => numbers!(Signed, Int32Type),
        Leaf::I64 => numbers!(Signed, Int64Type),
        Leaf::U128 | Leaf::I128 => {
            let numbers = primitives::<Decimal256Type>(&column);
            let fit = |number: i256| wide(number).ok_or_else(|| unfit(schema, &number.to_string()));
            numbers.map(fit).collect::<Result<_, _>>()?
        }
        Leaf::F32 => numbers!(Single, Float32Type),
        Leaf::F64 => numbers!(Float, Float64Type),
        Leaf::Char | Leaf::String => {
            let texts = column.as_string::<i32>().iter().flatten();
            texts.map(|text| Datum::Text(text.to_owned())).collect()
        }
        Leaf::Bytes => {
            let all = column.as_binary::<i32>().iter().flatten();
            all.map(|bytes| Datum::Bytes(bytes.to_vec())).collect()
        }
    })
}

fn primitives<T: ArrowPrimitiveType>(column: &ArrayRef) -> impl Iterator<Item = T::Native> + '_ {
    let column: &PrimitiveArray<T> = column.as_primitive();
    column.values().iter().copied()
}

/// Casts a column to the type that a leaf has, where no value changes by it.
pub(crate) fn exact(
    schema: Schema<'_>,
    column: &ArrayRef,
    to: &DataType,
) -> Result<ArrayRef, Unfit> {
    let from = column.data_type();
    if from == to {
        return Ok(Arc::clone(column));
    }
    let refused = || unfit(schema, &from.to_string());
    let held = match from {
        DataType::Dictionary(_, held) => held,
        other => other,
    };
    let is_whole = |of: &DataType| {
        of.is_integer() || matches!(of, DataType::Decimal128(_, 0) | DataType::Decimal256(_, 0))
    };
    let is_time = |of: &DataType| matches!(of, DataType::Timestamp(..) | DataType::Date32);
    let is_alike = (held.is_string() && to.is_string())
        || (held.is_binary() && to.is_binary())
        || (is_whole(held) && (is_whole(to) || to.is_floating()))
        || (held.is_floating() && to.is_floating())
        || (is_time(held) && is_time(to));
    if !is_alike {
        return Err(refused());
    }
    let cast = |column: &ArrayRef, to: &DataType| {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(column, to, &options).map_err(|error| unfit(schema, &error.to_string()))
    };
    let made = cast(column, to)?;
    // Text and bytes are what they were; of numbers and times digits may have been cut.
    let is_same = held.is_string() || held.is_binary() || {
        let plain = cast(column, held)?;
        let again = cast(&made, held)?;
        again.to_data() == plain.to_data()
    };
    if is_same { Ok(made) } else { Err(refused()) }
}

fn lists(schema: Schema<'_>, column: &ArrayRef) -> Result<ListArray, Unfit> {
    let refused = || unfit(schema, &column.data_type().to_string());
    let of: &Arc<Field> = match column.data_type() {
        DataType::List(of)
        | DataType::LargeList(of)
        | DataType::ListView(of)
        | DataType::LargeListView(of)
        | DataType::FixedSizeList(of, _) => of,
        _ => return Err(refused()),
    };
    let list = DataType::List(Arc::clone(of));
    let column = cast_with_options(column, &list, &CastOptions::default());
    Ok(column.map_err(|_| refused())?.as_list::<i32>().clone())
}

/// Returns the elements of all lists of a column.
fn within(column: &ListArray) -> ArrayRef {
    let (first, last) = (column.offsets()[0], column.offsets()[column.len()]);
    column.values().slice(first as usize, (last - first) as usize)
}

/// Divides what all lists hold among them.
fn portions<T>(offsets: &[i32], all: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut all = all.into_iter();
    let lengths = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as usize);
    lengths.map(move |length| all.by_ref().take(length).collect())
}

fn structs<'a>(
    schema: Schema<'_>,
    column: &'a ArrayRef,
    fields: usize,
) -> Result<&'a StructArray, Unfit> {
    let column_of_structs = column.as_any().downcast_ref::<StructArray>();
    column_of_structs
        .filter(|column| column.num_columns() == fields)
        .ok_or_else(|| unfit(schema, &column.data_type().to_string()))
}

fn child(column: &StructArray, name: &str, schema: Schema<'_>) -> Result<Vec<Datum>, Unfit> {
    let missing = || Unfit { path: String::new(), said: "the field is missing".to_owned() };
    let held = column.column_by_name(name).ok_or_else(missing);
    held.and_then(|held| data(schema, held)).map_err(|unfit| unfit_in(unfit, name))
}

fn chosen(column: &ArrayRef, is_chosen: &BooleanArray) -> Result<ArrayRef, Unfit> {
    filter(column, is_chosen)
        .map_err(|error| Unfit { path: String::new(), said: error.to_string() })
}

fn unfit(expected: Schema<'_>, found: &str) -> Unfit {
    Unfit { path: String::new(), said: format!("expected {expected}, found {found}") }
}

/// Says in which part a value does not fit.
fn unfit_in(unfit: Unfit, name: &str) -> Unfit {
    let dot = if unfit.path.is_empty() { "" } else { "." };
    Unfit { path: format!("{name}{dot}{}", unfit.path), said: unfit.said }
}
