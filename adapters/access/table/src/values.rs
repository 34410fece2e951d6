//! What a query comes to, as values that print.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal256Type, Float64Type, Int64Type, UInt64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use holdwater_processor::datum::Datum;
use holdwater_processor::failure::Failure;

/// Returns the rows of a batch. Times and what else has no counterpart among values of states are
/// text.
pub fn values(batch: &RecordBatch) -> Result<Vec<Vec<Datum>>, Failure> {
    let mut rows = vec![Vec::with_capacity(batch.num_columns()); batch.num_rows()];
    for (column, field) in batch.columns().iter().zip(batch.schema().fields()) {
        let held = plain(column);
        let held = held.map_err(|error| Failure::Data(format!("{}: {error}", field.name())))?;
        rows.iter_mut().zip(held).for_each(|(row, held)| row.push(held));
    }
    Ok(rows)
}

fn plain(column: &ArrayRef) -> Result<Vec<Datum>, ArrowError> {
    let held: Vec<Datum> = match column.data_type() {
        DataType::Null => vec![Datum::Nothing; column.len()],
        DataType::Boolean => column.as_boolean().values().iter().map(Datum::Bool).collect(),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            let column = cast(column, &DataType::UInt64)?;
            let numbers = column.as_primitive::<UInt64Type>().values().iter();
            numbers.map(|number| Datum::Unsigned((*number).into())).collect()
        }
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let column = cast(column, &DataType::Int64)?;
            let numbers = column.as_primitive::<Int64Type>().values().iter();
            numbers.map(|number| Datum::Signed((*number).into())).collect()
        }
        DataType::Decimal128(digits, 0) | DataType::Decimal256(digits, 0) => {
            let column = cast(column, &DataType::Decimal256(*digits, 0))?;
            let numbers = column.as_primitive::<Decimal256Type>().values().iter();
            let number = |number: &arrow::datatypes::i256| match number.to_i128() {
                Some(number) => Datum::Signed(number),
                None => match number.to_parts() {
                    (number, 0) => Datum::Unsigned(number),
                    _ => Datum::Text(number.to_string()),
                },
            };
            numbers.map(number).collect()
        }
        DataType::Float32 => {
            let numbers = column.as_primitive::<arrow::datatypes::Float32Type>().values().iter();
            numbers.map(|number| Datum::Single(*number)).collect()
        }
        DataType::Float64 => {
            let numbers = column.as_primitive::<Float64Type>().values().iter();
            numbers.map(|number| Datum::Float(*number)).collect()
        }
        DataType::Binary => {
            let all = column.as_binary::<i32>().iter();
            all.map(|bytes| Datum::Bytes(bytes.unwrap_or_default().to_vec())).collect()
        }
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            plain(&cast(column, &DataType::Binary)?)?
        }
        DataType::Dictionary(_, held) => plain(&cast(column, held)?)?,
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let lists = (0..lists.len()).map(|place| plain(&lists.value(place)));
            lists.map(|list| list.map(Datum::List)).collect::<Result<_, _>>()?
        }
        DataType::LargeList(of)
        | DataType::ListView(of)
        | DataType::LargeListView(of)
        | DataType::FixedSizeList(of, _) => plain(&cast(column, &DataType::List(of.clone()))?)?,
        DataType::Struct(fields) => {
            let columns = column.as_struct().columns().iter().map(plain);
            let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
            let mut rows = vec![Vec::with_capacity(fields.len()); column.len()];
            for (field, held) in fields.iter().zip(columns) {
                let name = || Datum::Text(field.name().clone());
                rows.iter_mut().zip(held).for_each(|(row, held)| row.push((name(), held)));
            }
            rows.into_iter().map(Datum::Pairs).collect()
        }
        DataType::Map(..) => {
            let maps = column.as_map();
            let map = |place| {
                let entries = maps.value(place);
                let (keys, held) = (plain(entries.column(0))?, plain(entries.column(1))?);
                Ok(Datum::Pairs(keys.into_iter().zip(held).collect()))
            };
            (0..maps.len()).map(map).collect::<Result<_, ArrowError>>()?
        }
        _ => {
            let options = FormatOptions::new();
            let texts = ArrayFormatter::try_new(column, &options)?;
            let text = |place| Ok(Datum::Text(texts.value(place).try_to_string()?));
            (0..column.len()).map(text).collect::<Result<_, ArrowError>>()?
        }
    };
    let Some(nulls) = column.logical_nulls() else { return Ok(held) };
    let or_nothing = |(held, is_there)| if is_there { held } else { Datum::Nothing };
    Ok(held.into_iter().zip(nulls.iter()).map(or_nothing).collect())
}
