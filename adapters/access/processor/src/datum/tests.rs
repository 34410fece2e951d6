use std::collections::BTreeMap;

use holdwater::codec::{Encoding, Reader, encode};
use holdwater::schema::{Budget, StoredSchema, walk};
use holdwater_damage::schemas::schema_of;
use postcard_schema_ng::Schema as Described;
use proptest::prelude::*;
use serde::Serialize;

use super::*;

fn datum<T: Serialize + Described>(value: &T) -> Datum {
    let schema = StoredSchema::of::<T>().unwrap();
    let mut bytes = Vec::new();
    let encoding = schema.view().encoding();
    encode(value, encoding, &mut bytes).unwrap();
    let datum = Datum::take(schema.view(), encoding, &mut Reader::new(&bytes)).unwrap();
    comes_back(schema.view(), encoding, &datum);
    datum
}

fn json<T: Serialize + Described>(value: &T) -> String {
    let mut out = String::new();
    datum(value).write_json(&mut out);
    out
}

fn bytes(schema: Schema<'_>, encoding: Encoding, datum: &Datum) -> Vec<u8> {
    let mut bytes = Vec::new();
    datum.put(schema, encoding, &mut bytes).unwrap();
    bytes
}

/// Encodes a value, and reads it back from its bytes and from its JSON.
fn comes_back(schema: Schema<'_>, encoding: Encoding, datum: &Datum) {
    let encoded = bytes(schema, encoding, datum);
    let mut reader = Reader::new(&encoded);
    walk(schema, encoding, &mut reader, &mut Budget::of_row(encoded.len())).unwrap();
    assert!(reader.is_empty());
    let taken = Datum::take(schema, encoding, &mut Reader::new(&encoded)).unwrap();
    assert_eq!(bytes(schema, encoding, &taken), encoded, "{schema}");
    let mut text = String::new();
    datum.write_json(&mut text);
    let read = Datum::from_json(schema, &text);
    let read = read.unwrap_or_else(|unfit| panic!("{schema}: {text}: {unfit}"));
    assert_eq!(bytes(schema, encoding, &read), encoded, "{schema}: {text}");
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
}

#[derive(Described, Serialize)]
struct Trip {
    origin: String,
    delay: Option<i16>,
    km: f32,
}

#[derive(Described, Serialize)]
enum Sort {
    Empty,
    Leg(u8),
    Pair(u8, bool),
    Named { at: char },
}

#[test]
fn numbers_keep_every_digit() {
    assert_eq!(json(&u128::MAX), u128::MAX.to_string());
    assert_eq!(json(&i128::MIN), i128::MIN.to_string());
    assert_eq!(json(&(u64::MAX, -1i8, 0.1f32, 2.0f64)), "[18446744073709551615,-1,0.1,2.0]");
    assert_eq!(json(&[f64::NAN, f64::INFINITY]), r#"["NaN","inf"]"#);
}

#[test]
fn what_has_parts_prints_as_what_it_is() {
    let trip = Trip { origin: "S\"FO".to_owned(), delay: None, km: 1.5 };
    assert_eq!(json(&trip), r#"{"origin":"S\"FO","delay":null,"km":1.5}"#);
    let sorts = (Sort::Empty, Sort::Leg(3), Sort::Pair(1, true), Sort::Named { at: 'x' });
    assert_eq!(json(&sorts), r#"["Empty",{"Leg":3},{"Pair":[1,true]},{"Named":{"at":"x"}}]"#);
    let map = BTreeMap::from([(1u8, "a".to_owned()), (2, "b".to_owned())]);
    assert_eq!(json(&map), r#"{"1":"a","2":"b"}"#);
    assert_eq!(json(&BTreeMap::from([((1u8, 2u8), ())])), "[[[1,2],null]]");
}

#[test]
fn nothing_is_told_from_something_that_holds_nothing() {
    let all = [None, Some(None), Some(Some(7u8))];
    assert_eq!(json(&all), r#"[null,{"Some":null},{"Some":7}]"#);
    assert_eq!(json(&[None, Some(())]), r#"[null,{"Some":null}]"#);
    let keys = BTreeMap::from([(None, 1u8), (Some("a".to_owned()), 2)]);
    assert_eq!(json(&keys), r#"[[null,1],["a",2]]"#);
    assert_eq!(json(&BTreeMap::from([(Some("a".to_owned()), 2u8)])), r#"{"a":2}"#);
}

#[test]
fn a_cell_is_plain_unless_it_has_parts() {
    assert_eq!(datum(&"a,b".to_owned()).cell(), "a,b");
    assert_eq!(datum(&None::<u8>).cell(), "");
    assert_eq!(datum(&3.0f64).cell(), "3.0");
    assert_eq!(datum(&vec!["a".to_owned()]).cell(), r#"["a"]"#);
    for (schema, cell) in [
        (StoredSchema::of::<String>(), "a,b"),
        (StoredSchema::of::<Option<u8>>(), ""),
        (StoredSchema::of::<Option<u8>>(), "7"),
        (StoredSchema::of::<f64>(), "3.0"),
        (StoredSchema::of::<Vec<String>>(), r#"["a"]"#),
    ] {
        let schema = schema.unwrap();
        assert_eq!(Datum::from_cell(schema.view(), cell).unwrap().cell(), cell, "{schema}");
    }
}

#[test]
fn what_does_not_fit_a_schema_is_named_by_its_field() {
    let trips = StoredSchema::of::<Vec<Trip>>().unwrap();
    let refused = |text: &str| Datum::from_json(trips.view(), text).unwrap_err().to_string();
    for (text, said) in [
        (r#"[{"origin":"A","delay":null,"km":1},7]"#, "[1]: expected { origin: String, delay"),
        (r#"[{"origin":"A","delay":40000,"km":1}]"#, "[0].delay: expected i16, found 40000"),
        (r#"[{"origin":"A","delay":1.0,"km":1}]"#, "[0].delay: expected i16, found 1.0"),
        (r#"[{"origin":7,"delay":1,"km":1}]"#, "[0].origin: expected String, found 7"),
        (r#"[{"origin":"A","delay":1,"km":"x"}]"#, "[0].km: expected f32, found \"x\""),
        (r#"[{"origin":"A","delay":1,"km":1e40}]"#, "[0].km: expected f32, found 1e40"),
        (r#"[{"origin":"A","delay":1}]"#, "[0].km: the field is missing"),
        (r#"[{"origin":"A","delay":1,"km":1,"mi":2}]"#, "[0].mi: there is no such field"),
        (r#"[{"origin":"A","delay":1,"km":1,"km":2}]"#, "[0].km: the field is given twice"),
        (r#"{"origin":"A"}"#, "expected [{ origin"),
        ("[", "as JSON, found"),
    ] {
        let told = refused(text);
        assert!(told.contains(said), "{text}: {told}");
    }
    let sort = StoredSchema::of::<Sort>().unwrap();
    for (text, said) in [
        (r#"{"Leg":300}"#, "Leg: expected u8, found 300"),
        (r#""Leg""#, "expected <Empty | Leg(u8)"),
        (r#""Other""#, "expected <Empty | Leg(u8)"),
        (r#"{"Named":{"at":"xy"}}"#, "Named.at: expected char, found \"xy\""),
    ] {
        let told = Datum::from_json(sort.view(), text).unwrap_err().to_string();
        assert!(told.contains(said), "{text}: {told}");
    }
}

#[test]
fn a_variant_that_is_not_named_is_the_first_that_fits_where_that_is_asked_for() {
    #[derive(Described, Serialize)]
    enum Cell {
        Integer(i64),
        Float(f64),
        Text(String),
    }
    let (schema, inferred) = (StoredSchema::of::<Cell>().unwrap(), Names::Inferred);
    let read = |text| Datum::from_json_with(schema.view(), text, inferred).unwrap();
    assert_eq!(read("7"), datum(&Cell::Integer(7)));
    assert_eq!(read("7.5"), datum(&Cell::Float(7.5)));
    assert_eq!(read("\"NaN\"").cell(), datum(&Cell::Float(f64::NAN)).cell());
    assert_eq!(read("\"x\""), datum(&Cell::Text("x".to_owned())));
    assert_eq!(read("\"Integer\""), datum(&Cell::Text("Integer".to_owned())));
    assert_eq!(read(r#"{"Float":7}"#), datum(&Cell::Float(7.0)));
    assert!(Datum::from_json(schema.view(), "7").is_err());
}

/// Makes values of a schema from any bytes; none where one would be large.
struct Maker<'b> {
    bytes: std::slice::Iter<'b, u8>,
    parts: usize,
}

impl Maker<'_> {
    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or_default()
    }

    fn list(&mut self, count: usize, element: Schema<'_>) -> Option<Vec<Datum>> {
        (0..count).map(|_| self.value(element)).collect()
    }

    fn value(&mut self, schema: Schema<'_>) -> Option<Datum> {
        self.parts = self.parts.checked_sub(1)?;
        Some(match schema.kind() {
            Kind::Leaf(leaf) => self.leaf(leaf),
            Kind::Opaque(_) => self.leaf(Leaf::Bytes),
            Kind::Option(_) if self.byte().is_multiple_of(3) => Datum::Nothing,
            Kind::Option(inner) if may_hold_nothing(inner) => {
                Datum::Some(Box::new(self.value(inner)?))
            }
            Kind::Option(inner) => self.value(inner)?,
            Kind::Array { count, element } => Datum::List(self.list(count as usize, element)?),
            Kind::Seq(element) => {
                let count = self.byte() % 4;
                Datum::List(self.list(count.into(), element)?)
            }
            Kind::Map { key, value } => {
                let pairs =
                    (0..self.byte() % 4).map(|_| Some((self.value(key)?, self.value(value)?)));
                Datum::Pairs(pairs.collect::<Option<_>>()?)
            }
            Kind::Tuple(members) => {
                Datum::List(members.map(|member| self.value(member.schema)).collect::<Option<_>>()?)
            }
            Kind::Struct(members) => {
                let fields = members.map(|member| {
                    Some((Datum::Text(member.name.to_owned()), self.value(member.schema)?))
                });
                Datum::Pairs(fields.collect::<Option<_>>()?)
            }
            Kind::Enum(mut members) => {
                let count = u8::try_from(members.len()).unwrap_or(u8::MAX).max(1);
                let member = members.nth((self.byte() % count).into())?;
                Datum::Variant(member.name.to_owned(), Box::new(self.value(member.schema)?))
            }
        })
    }

    fn leaf(&mut self, leaf: Leaf) -> Datum {
        let (byte, sign) = (self.byte(), self.byte());
        let bits = leaf.width().unwrap_or(1) * 8;
        // Around the ends and around zero.
        let most = u128::MAX.checked_shr(128 - u32::try_from(bits).unwrap()).unwrap_or(0);
        match leaf {
            Leaf::Unit => Datum::Nothing,
            Leaf::Bool => Datum::Bool(byte.is_multiple_of(2)),
            Leaf::Char => Datum::Text(char::from(byte).to_string()),
            Leaf::U8 | Leaf::U16 | Leaf::U32 | Leaf::U64 | Leaf::U128 if sign.is_multiple_of(2) => {
                Datum::Unsigned(most - u128::from(byte))
            }
            Leaf::U8 | Leaf::U16 | Leaf::U32 | Leaf::U64 | Leaf::U128 => {
                Datum::Unsigned(byte.into())
            }
            Leaf::I8 | Leaf::I16 | Leaf::I32 | Leaf::I64 | Leaf::I128 => {
                let (most, byte) = ((most >> 1).cast_signed(), i128::from(byte) / 2);
                Datum::Signed([-most - 1 + byte, most - byte, byte, -byte][usize::from(sign % 4)])
            }
            Leaf::F32 => Datum::Single(
                [f32::NAN, f32::MIN, f32::from(byte) / 7.0, -0.0][usize::from(sign % 4)],
            ),
            Leaf::F64 => Datum::Float(
                [f64::INFINITY, f64::MIN_POSITIVE, f64::from(byte) / 7.0, -0.0]
                    [usize::from(sign % 4)],
            ),
            Leaf::String => {
                let texts = ["", "a\"b\\", "\u{0}\n", "null", "Some", "\u{1f600}7", "{}"];
                Datum::Text(texts[usize::from(byte) % texts.len()].to_owned())
            }
            Leaf::Bytes => {
                Datum::Bytes((0..byte % 4).map(|place| place.wrapping_add(sign)).collect())
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_value_of_any_schema_comes_back_from_its_bytes_and_from_its_json(
        schema in proptest::collection::vec(any::<u8>(), 0..60),
        content in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let stored = schema_of(&schema);
        let Ok(schema) = Schema::parse(&stored) else { return Ok(()) };
        let mut maker = Maker { bytes: content.iter(), parts: 10_000 };
        if let Some(datum) = maker.value(schema) {
            comes_back(schema, Encoding::Postcard, &datum);
            if schema.fixed_len().is_some() {
                comes_back(schema, Encoding::Fixed, &datum);
            }
        }
        // Whatever bytes are a value, as which bits they may be.
        for encoding in [Encoding::Fixed, Encoding::Postcard] {
            let (mut reader, mut budget) = (Reader::new(&content), Budget::of_row(content.len()));
            if (encoding == Encoding::Postcard || schema.fixed_len().is_some())
                && walk(schema, encoding, &mut reader, &mut budget).is_ok()
            {
                let taken = &content[..content.len() - reader.len()];
                let datum = Datum::take(schema, encoding, &mut Reader::new(taken)).unwrap();
                prop_assert_eq!(bytes(schema, encoding, &datum), taken, "{}", schema);
            }
        }
    }
}
