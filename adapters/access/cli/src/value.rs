//! A value of a state read by its schema alone, as JSON or as a cell.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use holdwater::codec::{Encoding, Reader};
use holdwater::schema::{DecodeError, Schema, StoredSchema, decode_as};
use serde::de::{
    Deserialize, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::accumulators::{Extreme, Latest, Mean, Placed, Sum};

/// A value, whatever its type was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum {
    /// No value, or one that holds nothing.
    Nothing,
    /// True or false.
    Bool(bool),
    /// Bytes, which print in hexadecimal.
    Bytes(Vec<u8>),
    /// A float of 64 bits.
    Float(f64),
    /// Elements in their order.
    List(Vec<Self>),
    /// Fields of a struct, or the pairs of a map.
    Pairs(Vec<(Self, Self)>),
    /// A whole number that may be negative.
    Signed(i128),
    /// A float of 32 bits.
    Single(f32),
    /// Text, or one character.
    Text(String),
    /// A whole number.
    Unsigned(u128),
    /// One of several variants.
    Variant(String, Box<Self>),
}

impl Datum {
    /// Takes a value of `schema`, which was checked against it.
    pub(crate) fn take(
        schema: Schema<'_>,
        encoding: Encoding,
        reader: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        decode_as(schema, encoding, reader)
    }

    /// Leaves out the names of variants: what is held for a SPEC is a number or text, and which it
    /// is can be seen.
    pub(crate) fn without_variants(self) -> Self {
        match self {
            Self::Variant(_, held) => held.without_variants(),
            Self::List(list) => Self::List(list.into_iter().map(Self::without_variants).collect()),
            Self::Pairs(pairs) => Self::Pairs(
                pairs.into_iter().map(|(name, held)| (name, held.without_variants())).collect(),
            ),
            other => other,
        }
    }

    /// Returns the cell of a [`Placed`] one: where it stands among others is no part of the value.
    pub(crate) fn without_place(self) -> Self {
        match self {
            Self::Pairs(mut pairs) => pairs.pop().map_or(Self::Nothing, |(_, cell)| cell),
            other => other,
        }
    }

    /// Returns what a field of a struct holds.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Pairs(pairs) = self else { return None };
        let named = |(field, _): &&(Self, Self)| matches!(field, Self::Text(text) if text == name);
        pairs.iter().find(named).map(|(_, held)| held)
    }

    /// Returns a whole number of 64 bits.
    pub(crate) fn whole_number(&self) -> Option<i64> {
        match self {
            Self::Signed(number) => i64::try_from(*number).ok(),
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Writes it as JSON, every digit of it. What JSON does not know is text: floats that are not
    /// finite, and bytes in hexadecimal.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Self::Nothing => out.push_str("null"),
            Self::Bool(_) | Self::Signed(_) | Self::Unsigned(_) => self.write_plain(out),
            Self::Float(number) if number.is_finite() => self.write_plain(out),
            Self::Single(number) if number.is_finite() => self.write_plain(out),
            Self::Bytes(_) | Self::Float(_) | Self::Single(_) => {
                out.push('"');
                self.write_plain(out);
                out.push('"');
            }
            Self::Text(text) => write_text(text, out),
            Self::List(list) => {
                write_all(list, ['[', ']'], out, Self::write_json);
            }
            Self::Pairs(pairs) if pairs.iter().all(|(name, _)| name.is_scalar()) => {
                write_all(pairs, ['{', '}'], out, |(name, held), out| {
                    let mut text = String::new();
                    name.write_plain(&mut text);
                    write_text(&text, out);
                    out.push(':');
                    held.write_json(out);
                });
            }
            Self::Pairs(pairs) => write_all(pairs, ['[', ']'], out, |(key, value), out| {
                out.push('[');
                key.write_json(out);
                out.push(',');
                value.write_json(out);
                out.push(']');
            }),
            Self::Variant(name, held) if **held == Self::Nothing => write_text(name, out),
            Self::Variant(name, held) => {
                out.push('{');
                write_text(name, out);
                out.push(':');
                held.write_json(out);
                out.push('}');
            }
        }
    }

    /// Returns it as a cell: text as it is, nothing as nothing, and what has parts as JSON.
    pub(crate) fn cell(&self) -> String {
        let mut cell = String::new();
        match self {
            Self::Nothing => {}
            scalar if scalar.is_scalar() => scalar.write_plain(&mut cell),
            compound => compound.write_json(&mut cell),
        }
        cell
    }

    /// Orders texts by their bytes and numbers by their value; leaves all else as it is.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Signed(one), Self::Signed(other)) => one.cmp(other),
            (Self::Unsigned(one), Self::Unsigned(other)) => one.cmp(other),
            (Self::List(one), Self::List(other)) => {
                let parts = one.iter().zip(other).map(|(one, other)| one.order(other));
                parts.fold(Ordering::Equal, Ordering::then)
            }
            (Self::Pairs(one), Self::Pairs(other)) => {
                let parts = one.iter().zip(other);
                let parts = parts.map(|((_, one), (_, other))| one.order(other));
                parts.fold(Ordering::Equal, Ordering::then)
            }
            _ => Ordering::Equal,
        }
    }

    const fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Pairs(_) | Self::Variant(..))
    }

    fn write_plain(&self, out: &mut String) {
        let written = match self {
            Self::Bool(value) => write!(out, "{value}"),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}")),
            Self::Float(number) => write!(out, "{number:?}"),
            Self::Signed(number) => write!(out, "{number}"),
            Self::Single(number) => write!(out, "{number:?}"),
            Self::Text(text) => out.write_str(text),
            Self::Unsigned(number) => write!(out, "{number}"),
            Self::Nothing | Self::List(_) | Self::Pairs(_) | Self::Variant(..) => Ok(()),
        };
        written.expect("a string takes what is written");
    }
}

/// Returns whether values of this schema are what this program holds for a SPEC.
pub(crate) fn is_of_a_spec(schema: Schema<'_>) -> bool {
    let own =
        [StoredSchema::of::<Sum>(), StoredSchema::of::<Mean>(), StoredSchema::of::<Extreme>()];
    own.into_iter().flatten().any(|own| own.view().fingerprint() == schema.fingerprint())
}

/// Returns whether values of this schema are cells with their places.
pub(crate) fn is_placed(schema: Schema<'_>) -> bool {
    let own = [StoredSchema::of::<Placed>(), StoredSchema::of::<Latest>()];
    own.into_iter().flatten().any(|own| own.view().fingerprint() == schema.fingerprint())
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn write_all<T>(
    all: &[T],
    [open, close]: [char; 2],
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    out.push(open);
    for (index, one) in all.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(one, out);
    }
    out.push(close);
}

impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Whatever)
    }
}

/// Takes whatever is stored.
struct Whatever;

macro_rules! scalars {
    ($($method:ident $type:ty => $datum:expr,)*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<Datum, E> {
            Ok($datum(value.into()))
        })*
    };
}

impl<'de> Visitor<'de> for Whatever {
    type Value = Datum;

    scalars! {
        visit_bool bool => Datum::Bool,
        visit_i8 i8 => Datum::Signed,
        visit_i16 i16 => Datum::Signed,
        visit_i32 i32 => Datum::Signed,
        visit_i64 i64 => Datum::Signed,
        visit_i128 i128 => Datum::Signed,
        visit_u8 u8 => Datum::Unsigned,
        visit_u16 u16 => Datum::Unsigned,
        visit_u32 u32 => Datum::Unsigned,
        visit_u64 u64 => Datum::Unsigned,
        visit_u128 u128 => Datum::Unsigned,
        visit_f32 f32 => Datum::Single,
        visit_f64 f64 => Datum::Float,
        visit_char char => Datum::Text,
        visit_str &str => Datum::Text,
        visit_bytes &[u8] => Datum::Bytes,
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Datum, E> {
        Ok(Datum::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Datum, E> {
        Ok(Datum::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Datum, D::Error> {
        Datum::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Datum, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(Datum::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Datum, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Datum::Pairs(pairs))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Datum, A::Error> {
        let (name, variant) = access.variant::<String>()?;
        Ok(Datum::Variant(name, Box::new(variant.newtype_variant()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postcard_schema_ng::Schema as Described;
    use serde::Serialize;
    use std::collections::BTreeMap;

    fn datum<T: Serialize + Described>(value: &T) -> Datum {
        let schema = StoredSchema::of::<T>().unwrap();
        let mut bytes = Vec::new();
        let encoding = schema.view().encoding();
        holdwater::codec::encode(value, encoding, &mut bytes).unwrap();
        let datum = Datum::take(schema.view(), encoding, &mut Reader::new(&bytes)).unwrap();
        if is_of_a_spec(schema.view()) { datum.without_variants() } else { datum }
    }

    fn json<T: Serialize + Described>(value: &T) -> String {
        let mut out = String::new();
        datum(value).write_json(&mut out);
        out
    }

    #[derive(Described, Serialize)]
    struct Trip {
        origin: String,
        delay: Option<i16>,
        #[serde(rename = "km")]
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

    #[test]
    fn a_cell_is_plain_unless_it_has_parts() {
        assert_eq!(datum(&"a,b".to_owned()).cell(), "a,b");
        assert_eq!(datum(&None::<u8>).cell(), "");
        assert_eq!(datum(&3.0f64).cell(), "3.0");
        assert_eq!(datum(&vec!["a".to_owned()]).cell(), r#"["a"]"#);
    }
}
