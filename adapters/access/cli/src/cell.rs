//! One cell of a record: a whole number that fits 64 bits, else a float, else text.

use std::cmp::Ordering;

use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

/// A number as a cell holds it.
///
/// Numbers are ordered by their exact value, also a whole one against a float. Where values are
/// equal a whole number comes first, then `-0.0`, then `0.0`, so that the least of several cells
/// never depends on the order they came in. `NaN` is equal to itself and greater than the rest.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// Any other.
    Float(f64),
}

/// A cell with a value, borrowed from its record. Numbers come before text, text by its bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Cell<'a> {
    /// The cell reads as a number.
    Number(Number),
    /// Anything else, as written.
    Text(&'a str),
}

/// A cell that a state holds.
#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
pub enum OwnedCell {
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Anything else, as written.
    Text(String),
}

impl Number {
    /// Reads `text` as a number, or returns `None` where it is none.
    ///
    /// What Rust reads as `i64` is whole, what it reads as `f64` is a float; so `1e3`, `inf` and
    /// `NaN` are floats, and so is a whole number that 64 bits do not hold.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(number) = short_integer(text.as_bytes()) {
            return Some(Self::Integer(number));
        }
        // Most text is refused by its first byte: what `f64` reads begins with one of these.
        match text.as_bytes().first()? {
            b'0'..=b'9' | b'+' | b'-' | b'.' | b'i' | b'I' | b'n' | b'N' => {}
            _ => return None,
        }
        if let Ok(number) = text.parse() {
            return Some(Self::Integer(number));
        }
        let number: f64 = text.parse().ok()?;
        // One NaN, so that equal inputs make equal states.
        Some(Self::Float(if number.is_nan() { f64::NAN } else { number }))
    }
}

/// Reads up to eight digits at once, whose number no branch waits for: most cells are such.
///
/// See D. Lemire, Number Parsing at a Gigabyte per Second, 2021, section 7.
fn short_integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let length = digits.len();
    let byte = |at: usize| u64::from(digits[at]) << (8 * at);
    let half = |bytes: &[u8; 4], at: usize| u64::from(u32::from_le_bytes(*bytes)) << (8 * at);
    // The same byte may be read twice, for the same place.
    let word = match (length, digits.first_chunk(), digits.last_chunk()) {
        (4..=8, Some(first), Some(last)) => half(first, 0) | half(last, length - 4),
        (1..=3, ..) => byte(0) | byte(length / 2) | byte(length - 1),
        _ => return None,
    };
    // The digits in the highest bytes, zeros before them.
    let word = match 64 - 8 * length {
        0 => word,
        room => word << room | ZEROS >> (64 - room),
    };
    let high = 0xf0f0_f0f0_f0f0_f0f0;
    if word & high != ZEROS || word.wrapping_add(0x0606_0606_0606_0606) & high != ZEROS {
        return None;
    }
    let tens = word - ZEROS;
    let pairs = (tens.wrapping_mul(10).wrapping_add(tens >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let number = (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) as u32;
    Some(if is_negative { -i64::from(number) } else { i64::from(number) })
}

/// Eight times the digit zero.
const ZEROS: u64 = 0x3030_3030_3030_3030;

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Integer(left), Self::Integer(right)) => left.cmp(&right),
            (Self::Integer(left), Self::Float(right)) => compare_mixed(left, right),
            (Self::Float(left), Self::Integer(right)) => compare_mixed(right, left).reverse(),
            (Self::Float(left), Self::Float(right)) => {
                let nan = left.is_nan().cmp(&right.is_nan());
                let value = left.partial_cmp(&right).unwrap_or(Ordering::Equal);
                // Only the zeros differ by their sign alone.
                let sign = right.is_sign_negative().cmp(&left.is_sign_negative());
                nan.then(value).then(if left.is_nan() { Ordering::Equal } else { sign })
            }
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl<'a> Cell<'a> {
    /// Reads a cell as written; an empty one has no value.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        Some(Number::parse(text).map_or(Self::Text(text), Self::Number))
    }

    /// Returns a copy for a state to hold.
    pub fn to_owned(self) -> OwnedCell {
        match self {
            Self::Number(Number::Integer(number)) => OwnedCell::Integer(number),
            Self::Number(Number::Float(number)) => OwnedCell::Float(number),
            Self::Text(text) => OwnedCell::Text(text.to_owned()),
        }
    }
}

impl OwnedCell {
    /// Returns the cell to compare or print.
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Integer(number) => Cell::Number(Number::Integer(*number)),
            Self::Float(number) => Cell::Number(Number::Float(*number)),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

/// Orders a whole number and a float by their exact values.
fn compare_mixed(whole: i64, float: f64) -> Ordering {
    if float.is_nan() || float >= TWO_TO_63 {
        return Ordering::Less;
    }
    if float < -TWO_TO_63 {
        return Ordering::Greater;
    }
    let floor = float.floor();
    // Exact: a floor between -2^63 and 2^63 is a whole number of 64 bits.
    let by_floor = whole.cmp(&(floor as i64));
    by_floor.then(Ordering::Less)
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    proptest! {
        #[test]
        fn digits_that_are_read_at_once_make_the_number_that_they_make_one_by_one(
            text in "[-+]?[0-9]{0,9}|[-+0-9 -~]{0,10}"
        ) {
            let found = short_integer(text.as_bytes());
            let expected = text.parse().ok();
            prop_assert!(found == expected || found.is_none(), "{text}: {found:?}");
            let is_short = text.trim_start_matches('-').len() <= 8 && !text.starts_with('+');
            prop_assert!(found == expected || !is_short, "{text} is not read");
        }
    }

    #[test]
    fn a_cell_is_a_whole_number_else_a_float_else_text() {
        assert_eq!(Cell::parse(""), None);
        for (text, whole) in [("0", 0), ("-7", -7), ("+7", 7), ("007", 7), ("-0", 0)] {
            assert!(matches!(number(text), Number::Integer(n) if n == whole), "{text}");
        }
        assert!(matches!(number("9223372036854775807"), Number::Integer(i64::MAX)));
        for text in ["9223372036854775808", "1.0", "1e3", ".5", "5.", "inf", "-Infinity", "1e999"] {
            assert!(matches!(number(text), Number::Float(f) if !f.is_nan()), "{text}");
        }
        for text in ["NaN", "nan", "-nan"] {
            let Number::Float(nan) = number(text) else { panic!("{text}") };
            assert_eq!(nan.to_bits(), f64::NAN.to_bits(), "{text}");
        }
        for text in
            [" 1", "1 ", "1_000", "0x10", "1,5", "--1", "-", "+", ".", "e3", "ATL", "\u{e9}"]
        {
            assert_eq!(Cell::parse(text), Some(Cell::Text(text)));
        }
    }

    #[test]
    fn numbers_are_ordered_exactly_and_before_text() {
        let ascending = [
            "-inf",
            "-1e300",
            "-9223372036854775809.0",
            "-9223372036854775808",
            "-2",
            "-1.5",
            "-1",
            "-0.5",
            "0",
            "-0.0",
            "0.0",
            "5e-324",
            "1",
            "1.0",
            "1.5",
            "9007199254740993",
            "9007199254740994.0",
            "9223372036854775807",
            "9223372036854775808",
            "1e300",
            "inf",
            "NaN",
            "!",
            "-",
            "Nancy",
            "a",
            "aa",
            "b",
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                // -2^63 - 1 is no float: it rounds to the -2^63 that stands next to it.
                if [left, right].contains(&&"-9223372036854775809.0") && i.abs_diff(j) <= 1 {
                    continue;
                }
                let order = Cell::parse(left).unwrap().cmp(&Cell::parse(right).unwrap());
                assert_eq!(order, i.cmp(&j), "{left} {right}");
            }
        }
    }

    #[test]
    fn a_held_cell_is_the_cell_that_was_given() {
        for text in ["-7", "1.5", "NaN", "text"] {
            let cell = Cell::parse(text).unwrap();
            assert_eq!(cell.to_owned().as_cell(), cell);
        }
    }

    fn any_number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::Integer),
            any::<f64>().prop_map(Number::Float),
            any::<i64>().prop_map(|whole| Number::Float(whole as f64)),
            (-3i64..3).prop_map(Number::Integer),
            (-6i64..6).prop_map(|halves| Number::Float(halves as f64 / 2.0)),
            Just(Number::Float(-0.0)),
            Just(Number::Float(f64::NAN)),
            Just(Number::Float(-f64::NAN)),
        ]
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in any_number(), b in any_number(), c in any_number()) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&a), Ordering::Equal);
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }

        #[test]
        fn a_whole_number_and_a_float_compare_like_wider_numbers(a: i64, b: i64) {
            let float = b as f64;
            let exact = i128::from(a).cmp(&(float as i128)).then(Ordering::Less);
            prop_assert_eq!(Number::Integer(a).cmp(&Number::Float(float)), exact);
        }
    }
}
