//! Every type of values into columns and back.

use super::*;
use arrow::array::{ArrayRef, Float64Array, Int64Array, StringViewArray, UInt8Array};
use holdwater::codec::Reader;
use holdwater::schema::StoredSchema;
use holdwater_processor::datum::Datum;

/// Puts values that are written as JSON into a column, and compares what comes back.
#[track_caller]
fn comes_back(schema: &StoredSchema, values: &[&str]) -> ArrayRef {
    let read = |text: &&str| Datum::from_json(schema.view(), text).unwrap();
    let values: Vec<Datum> = values.iter().map(read).collect();
    let column = array(schema.view(), &values.iter().map(Some).collect::<Vec<_>>()).unwrap();
    assert_eq!(column.data_type(), &data_type(schema.view()));
    assert_eq!(data(schema.view(), &column).unwrap(), values);
    // A column may begin within another one.
    if values.len() > 1 {
        let rest = column.slice(1, values.len() - 1);
        assert_eq!(data(schema.view(), &rest).unwrap(), values[1..]);
    }
    // And what came back is stored as it was.
    for value in &values {
        let (encoding, mut bytes) = (schema.view().encoding(), Vec::new());
        value.put(schema.view(), encoding, &mut bytes).unwrap();
        let again = Datum::take(schema.view(), encoding, &mut Reader::new(&bytes)).unwrap();
        assert_eq!(again, *value);
    }
    column
}

fn leaf(leaf: Leaf) -> StoredSchema {
    StoredSchema::leaf(leaf)
}

#[test]
fn leaves_come_back_to_the_last_digit() {
    for (of, values) in [
        (Leaf::Unit, ["null", "null"]),
        (Leaf::Bool, ["true", "false"]),
        (Leaf::U8, ["0", "255"]),
        (Leaf::U16, ["0", "65535"]),
        (Leaf::U32, ["0", "4294967295"]),
        (Leaf::U64, ["0", "18446744073709551615"]),
        (Leaf::U128, ["0", "340282366920938463463374607431768211455"]),
        (Leaf::I8, ["-128", "127"]),
        (Leaf::I16, ["-32768", "32767"]),
        (Leaf::I32, ["-2147483648", "2147483647"]),
        (Leaf::I64, ["-9223372036854775808", "9223372036854775807"]),
        (Leaf::F32, ["0.1", "\"-inf\""]),
        (Leaf::F64, ["0.1", "-0.0"]),
        (Leaf::Char, ["\"a\"", "\"\u{fc}\""]),
        (Leaf::String, ["\"\"", "\"SFO\""]),
        (Leaf::Bytes, ["\"\"", "\"00ff\""]),
    ] {
        comes_back(&leaf(of), &values);
    }
    let wide = ["-170141183460469231731687303715884105728", "7"];
    comes_back(&leaf(Leaf::I128), &wide);
}

#[test]
fn what_has_parts_comes_back() {
    let (text, number) = (leaf(Leaf::String), leaf(Leaf::U8));
    let maybe = StoredSchema::option(&text).unwrap();
    comes_back(&maybe, &["\"a\"", "null", "\"b\""]);
    let twice = StoredSchema::option(&maybe).unwrap();
    comes_back(&twice, &["null", "{\"Some\":null}", "{\"Some\":\"a\"}"]);
    let there = StoredSchema::option(&leaf(Leaf::Unit)).unwrap();
    comes_back(&there, &["null", "{\"Some\":null}"]);
    let list = StoredSchema::seq(&maybe).unwrap();
    comes_back(&list, &["[]", "[\"a\",null]", "[\"b\"]"]);
    let fields = StoredSchema::fields([("a", &list), ("b", &number)]).unwrap();
    comes_back(&fields, &["{\"a\":[],\"b\":1}", "{\"a\":[\"x\"],\"b\":2}"]);
    comes_back(&StoredSchema::option(&fields).unwrap(), &["{\"a\":[],\"b\":1}", "null"]);
    let tuple = StoredSchema::tuple([&text, &number]).unwrap();
    comes_back(&tuple, &["[\"a\",1]", "[\"b\",2]"]);
    let map = StoredSchema::map(&number, &tuple).unwrap();
    comes_back(&map, &["{}", "{\"1\":[\"a\",1],\"2\":[\"b\",2]}", "{\"7\":[\"\",0]}"]);
    let odd = StoredSchema::map(&maybe, &number).unwrap();
    comes_back(&odd, &["[]", "[[null,1],[\"a\",2]]"]);
    let nothing = StoredSchema::fields([]).unwrap();
    comes_back(&nothing, &["{}", "{}"]);
}

#[test]
fn variants_come_back_by_their_names() {
    let (unit, text, number) = (leaf(Leaf::Unit), leaf(Leaf::String), leaf(Leaf::I128));
    let names = StoredSchema::variants([("Idle", &unit), ("Busy", &unit)]).unwrap();
    let column = comes_back(&names, &["\"Busy\"", "\"Idle\""]);
    assert_eq!(column.data_type(), &DataType::Utf8);
    let all = [("None", &unit), ("Whole", &number), ("Text", &text)];
    let variants = StoredSchema::variants(all).unwrap();
    comes_back(&variants, &["{\"Whole\":-7}", "\"None\"", "{\"Text\":\"x\"}"]);
    comes_back(&StoredSchema::option(&variants).unwrap(), &["null", "{\"Whole\":7}"]);
    // Without names the first variant is meant whose content they fit.
    let plain: ArrayRef = Arc::new(Int64Array::from(vec![7, -7]));
    let read = data(variants.view(), &plain).unwrap();
    assert_eq!(read[1], Datum::from_json(variants.view(), "{\"Whole\":-7}").unwrap());
}

#[test]
fn columns_of_other_types_are_taken_where_nothing_is_lost() {
    let number = leaf(Leaf::U8);
    let taken = |schema: &StoredSchema, column: ArrayRef| data(schema.view(), &column);
    let wide = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    assert_eq!(taken(&number, wide(vec![7])).unwrap(), [Datum::Unsigned(7)]);
    assert!(taken(&number, wide(vec![7, 256])).is_err());
    assert!(taken(&number, wide(vec![-1])).is_err());
    let missing: ArrayRef = Arc::new(UInt8Array::from(vec![Some(1), None]));
    assert!(taken(&number, missing).is_err());
    let float: ArrayRef = Arc::new(Float64Array::from(vec![7.0]));
    assert!(taken(&number, float).is_err());
    assert_eq!(taken(&leaf(Leaf::F64), wide(vec![7])).unwrap(), [Datum::Float(7.0)]);
    assert!(taken(&leaf(Leaf::F64), wide(vec![(1 << 60) + 1])).is_err());
    let view: ArrayRef = Arc::new(StringViewArray::from(vec!["a"]));
    assert_eq!(taken(&leaf(Leaf::String), view.clone()).unwrap(), [Datum::Text("a".to_owned())]);
    assert!(taken(&number, view).is_err());
}
