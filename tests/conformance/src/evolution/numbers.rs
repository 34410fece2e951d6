//! Numbers and text.

use core::num::NonZeroU16;

use holdwater::state::Backend;
use postcard_schema_ng::Schema;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

use super::{Make, Outcome, evolve, pairs};

pairs! {
    /// 121: every value of the old type is one of the new.
    unsigned_integers_become_wider:
        { pub struct T { pub a: u8, pub b: u16, pub c: u32, pub d: u64 } }
        to { pub struct T { pub a: u16, pub b: u64, pub c: u64, pub d: u128 } }
        T { a: 255, b: 65_535, c: u32::MAX, d: u64::MAX }
        => Reads(T { a: 255, b: 65_535, c: u32::MAX.into(), d: u64::MAX.into() });
    /// 121: with their sign.
    signed_integers_become_wider:
        { pub struct T { pub a: i8, pub b: i16, pub c: i32, pub d: i64, pub e: String } }
        to { pub struct T { pub a: i64, pub b: i32, pub c: i64, pub d: i128, pub e: String } }
        T { a: -1, b: i16::MIN, c: i32::MIN, d: i64::MIN, e: "e".into() }
        => Reads(T {
            a: -1,
            b: i16::MIN.into(),
            c: i32::MIN.into(),
            d: i64::MIN.into(),
            e: "e".into(),
        });
    /// 121: there is room for the sign.
    unsigned_integers_become_wider_signed_ones:
        { pub struct T { pub a: u8, pub b: u32, pub c: u64 } }
        to { pub struct T { pub a: i16, pub b: i64, pub c: i128 } }
        T { a: 255, b: u32::MAX, c: u64::MAX }
        => Reads(T { a: 255, b: u32::MAX.into(), c: u64::MAX.into() });
    /// 121: every float of 32 bits is one of 64.
    floats_become_wider:
        { pub struct T { pub a: f32, pub b: [f32; 2] } }
        to { pub struct T { pub a: f64, pub b: [f64; 2] } }
        T { a: 0.5, b: [-1.5, f32::MAX] } => Reads(T { a: 0.5, b: [-1.5, f32::MAX.into()] });
    /// 125: a value might not fit.
    an_integer_becomes_narrower:
        { pub struct T { pub a: u16 } } to { pub struct T { pub a: u8 } }
        T { a: 1 } => Never("a: what is stored as u16 cannot become u8");
    /// 125: a value might be negative.
    an_integer_loses_its_sign:
        { pub struct T { pub a: i8 } } to { pub struct T { pub a: u64 } }
        T { a: 1 } => Never("a: what is stored as i8 cannot become u64");
    /// 125: a value might be too high.
    an_unsigned_integer_gets_a_sign_at_its_width:
        { pub struct T { pub a: u32 } } to { pub struct T { pub a: i32 } }
        T { a: 1 } => Never("a: what is stored as u32 cannot become i32");
    /// 125: a value might be between two.
    a_float_becomes_narrower:
        { pub struct T { pub a: f64 } } to { pub struct T { pub a: f32 } }
        T { a: 0.5 } => Never("a: what is stored as f64 cannot become f32");
    /// 125: a value might be between two floats.
    an_integer_becomes_a_float:
        { pub struct T { pub a: u32 } } to { pub struct T { pub a: f64 } }
        T { a: 1 } => Never("a: what is stored as u32 cannot become f64");
    /// 129: a bool is no number.
    a_bool_becomes_an_integer:
        { pub struct T { pub a: bool } } to { pub struct T { pub a: u8 } }
        T { a: true } => Never("a: what is stored as bool cannot become u8");
    /// 129: nothing is printed by itself.
    a_number_becomes_text:
        { pub struct T { pub a: u32 } } to { pub struct T { pub a: String } }
        T { a: 1 } => Never("a: what is stored as u32 cannot become String");
    /// 129: nothing is parsed by itself.
    text_becomes_a_number:
        { pub struct T { pub a: String } } to { pub struct T { pub a: u64 } }
        T { a: "1".into() } => Never("a: what is stored as String cannot become u64");
    /// 124: a function of one's own reads what was stored.
    a_number_becomes_text_by_a_function:
        { pub struct T { pub a: u32 } }
        to { pub struct T { #[serde(deserialize_with = "printed")] pub a: String } }
        T { a: 12 } => Reads(T { a: "12".into() });
    /// 129: a char is no text.
    text_becomes_a_char:
        { pub struct T { pub a: String } } to { pub struct T { pub a: char } }
        T { a: "1".into() } => Never("a: what is stored as String cannot become char");
    /// 125: only the value can tell that its type does not take it.
    a_type_takes_fewer_values:
        { pub struct T { pub a: u16, pub b: u8 } }
        to { pub struct T { pub a: NonZeroU16, pub b: u16 } }
        T { a: 0, b: 1 } => Row("a: this integer is not a nonzero u16");
    /// 125: also where it is encoded as it was.
    a_type_takes_fewer_values_of_its_schema:
        { pub struct T { pub a: u16 } } to { pub struct T { pub a: NonZeroU16 } }
        T { a: 0 } => Row("the type does not accept the value");
}

/// Takes text, as it is written, or a number, as it was.
fn printed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Printed;

    impl Visitor<'_> for Printed {
        type Value = String;

        fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("text or a number")
        }

        fn visit_u32<E: Error>(self, number: u32) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    deserializer.deserialize_str(Printed)
}
