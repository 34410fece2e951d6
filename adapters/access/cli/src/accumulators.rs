//! What is held per key for a SPEC, and what it comes to.
//!
//! `count` is held as a plain `u64`, `last` as a `String`, `distinct` as a map keyed by the cell
//! and `collect` as a list of cells; the other SPECs need the types here. Each begins as the
//! result of no value, which is empty. Sessions join: there `last` and `collect` hold [`Placed`]
//! cells, so that the order within each input is that of its rows.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Number, OwnedCell};

/// A sum of numbers: exact while all are whole, a float from the first fraction on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Schema, Serialize)]
pub enum Total {
    /// The sum of whole numbers.
    Integer(i128),
    /// The sum of numbers of which at least one is a float.
    Float(f64),
}

/// What `sum` holds; nothing until the first value.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Schema, Serialize)]
pub struct Sum(Option<Total>);

/// What `mean` holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Schema, Serialize)]
pub struct Mean {
    sum: Total,
    count: u64,
}

/// What `min` and `max` hold; nothing until the first value.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Schema, Serialize)]
pub struct Extreme(Option<OwnedCell>);

/// A cell, and where it stands among all: in the order of the inputs, and of the rows of each.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Schema, Serialize)]
pub struct Placed {
    /// The number of the input.
    pub input: u16,
    /// The number of the row in it.
    pub row: u64,
    /// The cell, as written.
    pub cell: String,
}

/// What `last` holds in a session: the last cell of the last input that has one.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Schema, Serialize)]
pub struct Latest(Option<Placed>);

/// What a SPEC comes to for one key.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Answer<'a> {
    /// There was no value.
    Nothing,
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
}

/// A sum of whole numbers does not fit 128 bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overflow;

impl Total {
    /// Adds `number`; on overflow nothing is changed.
    pub fn add(&mut self, number: Number) -> Result<(), Overflow> {
        *self = match (*self, number) {
            (Self::Integer(sum), Number::Integer(number)) => {
                Self::Integer(sum.checked_add(i128::from(number)).ok_or(Overflow)?)
            }
            (Self::Integer(sum), Number::Float(number)) => Self::Float(sum as f64 + number),
            (Self::Float(sum), Number::Integer(number)) => Self::Float(sum + number as f64),
            (Self::Float(sum), Number::Float(number)) => Self::Float(sum + number),
        };
        Ok(())
    }
}

impl Total {
    /// Adds what another one comes to; on overflow nothing is changed.
    fn merge(&mut self, other: Self) -> Result<(), Overflow> {
        *self = match (*self, other) {
            (Self::Integer(sum), Self::Integer(other)) => {
                Self::Integer(sum.checked_add(other).ok_or(Overflow)?)
            }
            (Self::Integer(sum), Self::Float(other)) => Self::Float(sum as f64 + other),
            (Self::Float(sum), Self::Integer(other)) => Self::Float(sum + other as f64),
            (Self::Float(sum), Self::Float(other)) => Self::Float(sum + other),
        };
        Ok(())
    }
}

impl Default for Total {
    fn default() -> Self {
        Self::Integer(0)
    }
}

impl Sum {
    /// Adds `number`; on overflow nothing is changed.
    pub fn add(&mut self, number: Number) -> Result<(), Overflow> {
        self.0.get_or_insert_default().add(number)
    }

    /// Adds all that `other` holds; on overflow nothing is changed.
    pub fn merge(&mut self, other: Self) -> Result<(), Overflow> {
        match (&mut self.0, other.0) {
            (Some(sum), Some(other)) => return sum.merge(other),
            (sum @ None, other) => *sum = other,
            (Some(_), None) => {}
        }
        Ok(())
    }

    /// Returns the sum.
    pub const fn answer(&self) -> Answer<'static> {
        match self.0 {
            None => Answer::Nothing,
            Some(Total::Integer(sum)) => Answer::Integer(sum),
            Some(Total::Float(sum)) => Answer::Float(sum),
        }
    }
}

impl Mean {
    /// Adds `number`; on overflow nothing is changed.
    pub fn add(&mut self, number: Number) -> Result<(), Overflow> {
        let count = self.count.checked_add(1).ok_or(Overflow)?;
        self.sum.add(number)?;
        self.count = count;
        Ok(())
    }

    /// Adds all that `other` holds; on overflow nothing is changed.
    pub fn merge(&mut self, other: Self) -> Result<(), Overflow> {
        let count = self.count.checked_add(other.count).ok_or(Overflow)?;
        self.sum.merge(other.sum)?;
        self.count = count;
        Ok(())
    }

    /// Returns the mean, always as a float.
    pub fn answer(&self) -> Answer<'static> {
        if self.count == 0 {
            return Answer::Nothing;
        }
        let sum = match self.sum {
            Total::Integer(sum) => sum as f64,
            Total::Float(sum) => sum,
        };
        Answer::Float(sum / self.count as f64)
    }
}

impl Extreme {
    /// Keeps `cell` where it is less than what is held.
    pub fn lower(&mut self, cell: Cell<'_>) {
        if self.0.as_ref().is_none_or(|held| cell < held.as_cell()) {
            self.0 = Some(cell.to_owned());
        }
    }

    /// Keeps `cell` where it is greater than what is held.
    pub fn raise(&mut self, cell: Cell<'_>) {
        if self.0.as_ref().is_none_or(|held| cell > held.as_cell()) {
            self.0 = Some(cell.to_owned());
        }
    }

    /// Keeps what `other` holds where it is less.
    pub fn merge_lower(&mut self, other: Self) {
        other.0.iter().for_each(|cell| self.lower(cell.as_cell()));
    }

    /// Keeps what `other` holds where it is greater.
    pub fn merge_raise(&mut self, other: Self) {
        other.0.iter().for_each(|cell| self.raise(cell.as_cell()));
    }

    /// Returns the cell that is held.
    pub const fn cell(&self) -> Option<&OwnedCell> {
        self.0.as_ref()
    }

    /// Returns what it comes to.
    pub fn answer(&self) -> Answer<'_> {
        match &self.0 {
            None => Answer::Nothing,
            Some(OwnedCell::Integer(number)) => Answer::Integer(i128::from(*number)),
            Some(OwnedCell::Float(number)) => Answer::Float(*number),
            Some(OwnedCell::Text(text)) => Answer::Text(Cow::Borrowed(text)),
        }
    }
}

impl Latest {
    /// Keeps the cell if it stands behind the one that is held.
    pub fn add(&mut self, input: u16, row: u64, cell: &str) {
        if self.0.as_ref().is_none_or(|held| (held.input, held.row) < (input, row)) {
            self.0 = Some(Placed { input, row, cell: cell.to_owned() });
        }
    }

    /// Keeps what `other` holds if it stands behind.
    pub fn merge(&mut self, other: Self) {
        if self.0 < other.0 {
            self.0 = other.0;
        }
    }

    /// Returns the cell that is held.
    pub fn answer(&self) -> Answer<'_> {
        self.0.as_ref().map_or(Answer::Nothing, |held| Answer::Text(Cow::Borrowed(&held.cell)))
    }
}

impl Answer<'_> {
    /// Returns the answer on its own.
    pub fn into_owned(self) -> Answer<'static> {
        match self {
            Self::Nothing => Answer::Nothing,
            Self::Integer(number) => Answer::Integer(number),
            Self::Float(number) => Answer::Float(number),
            Self::Text(text) => Answer::Text(Cow::Owned(text.into_owned())),
        }
    }
}

impl fmt::Display for Answer<'_> {
    /// Writes the answer as a CSV cell holds it: `3`, `2.0`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sum does not fit 128 bits; leave the row out or sum smaller groups")
    }
}

impl Error for Overflow {}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(texts: &[&str]) -> Vec<Number> {
        texts.iter().map(|text| Number::parse(text).unwrap()).collect()
    }

    fn sum(texts: &[&str]) -> String {
        let mut sum = Sum::default();
        for number in numbers(texts) {
            sum.add(number).unwrap();
        }
        sum.answer().to_string()
    }

    fn mean(texts: &[&str]) -> String {
        let mut mean = Mean::default();
        for number in numbers(texts) {
            mean.add(number).unwrap();
        }
        mean.answer().to_string()
    }

    fn extremes(texts: &[&str]) -> (String, String) {
        let (mut min, mut max) = (Extreme::default(), Extreme::default());
        for cell in texts.iter().filter_map(|text| Cell::parse(text)) {
            min.lower(cell);
            max.raise(cell);
        }
        (min.answer().to_string(), max.answer().to_string())
    }

    #[test]
    fn a_sum_is_whole_until_a_fraction_comes() {
        assert_eq!(sum(&[]), "");
        assert_eq!(sum(&["1", "2", "-5"]), "-2");
        assert_eq!(sum(&["1", "2.0"]), "3.0");
        assert_eq!(sum(&["0.5", "1", "2"]), "3.5");
        assert_eq!(sum(&["9223372036854775807", "9223372036854775807"]), "18446744073709551614");
        assert_eq!(sum(&["inf", "1"]), "inf");
        assert_eq!(sum(&["inf", "-inf"]), "NaN");
    }

    #[test]
    fn a_sum_beyond_128_bits_is_an_error_and_changes_nothing() {
        let mut sum = Sum(Some(Total::Integer(i128::MAX)));
        assert_eq!(sum.add(Number::Integer(1)), Err(Overflow));
        assert_eq!(sum.answer(), Answer::Integer(i128::MAX));
        let mut mean = Mean { sum: Total::Integer(i128::MIN), count: 3 };
        assert_eq!(mean.add(Number::Integer(-1)), Err(Overflow));
        assert_eq!(mean, Mean { sum: Total::Integer(i128::MIN), count: 3 });
    }

    #[test]
    fn what_is_held_apart_comes_together_as_if_it_never_was() {
        let texts = ["3", "1.5", "-7", "", "x", "2", "9223372036854775807"];
        for middle in 0..=texts.len() {
            let (left, right) = texts.split_at(middle);
            let of = |texts: &[&str]| {
                let (mut sum, mut mean) = (Sum::default(), Mean::default());
                let (mut min, mut max) = (Extreme::default(), Extreme::default());
                for cell in texts.iter().filter_map(|text| Cell::parse(text)) {
                    if let Cell::Number(number) = cell {
                        sum.add(number).unwrap();
                        mean.add(number).unwrap();
                    }
                    min.lower(cell);
                    max.raise(cell);
                }
                (sum, mean, min, max)
            };
            let (mut joined, other, whole) = (of(left), of(right), of(&texts));
            joined.0.merge(other.0).unwrap();
            joined.1.merge(other.1).unwrap();
            joined.2.merge_lower(other.2);
            joined.3.merge_raise(other.3);
            assert_eq!(joined, whole, "{middle}");
        }
    }

    #[test]
    fn sums_that_join_beyond_128_bits_are_an_error() {
        let half = Sum(Some(Total::Integer(i128::MAX)));
        let mut sum = half;
        assert_eq!(sum.merge(half), Err(Overflow));
        assert_eq!(sum, half);
        let half = Mean { sum: Total::Integer(i128::MAX), count: 1 };
        let mut mean = half;
        assert_eq!(mean.merge(half), Err(Overflow));
        assert_eq!(mean, half);
    }

    #[test]
    fn the_latest_cell_is_the_same_in_whatever_order_sessions_join() {
        let cells = [(0, 5, "a"), (1, 2, "b"), (0, 9, "c"), (1, 1, "d")];
        let mut order: Vec<usize> = (0..cells.len()).collect();
        for _ in 0..cells.len() {
            order.rotate_left(1);
            for middle in 0..=cells.len() {
                let mut halves = [Latest::default(), Latest::default()];
                for (place, index) in order.iter().enumerate() {
                    let (input, row, cell) = cells[*index];
                    halves[usize::from(place >= middle)].add(input, row, cell);
                }
                let [mut latest, other] = halves;
                latest.merge(other);
                assert_eq!(latest.answer().to_string(), "b");
            }
        }
        assert_eq!(Latest::default().answer(), Answer::Nothing);
    }

    #[test]
    fn a_mean_prints_as_a_float() {
        assert_eq!(mean(&[]), "");
        assert_eq!(mean(&["1", "3"]), "2.0");
        assert_eq!(mean(&["1", "2"]), "1.5");
        assert_eq!(mean(&["1.5", "2"]), "1.75");
    }

    #[test]
    fn extremes_order_numbers_before_text() {
        assert_eq!(extremes(&[]), (String::new(), String::new()));
        assert_eq!(extremes(&["10", "9", "9.5"]), ("9".into(), "10".into()));
        assert_eq!(extremes(&["b", "1", "a"]), ("1".into(), "b".into()));
        assert_eq!(extremes(&["", "1e3"]), ("1000.0".into(), "1000.0".into()));
        assert_eq!(extremes(&["NaN", "1", "-inf"]), ("-inf".into(), "NaN".into()));
    }

    #[test]
    fn extremes_do_not_depend_on_the_order_of_rows() {
        let texts = ["1", "1.0", "0", "-0.0", "0.0", "x"];
        let reversed: Vec<_> = texts.iter().rev().copied().collect();
        assert_eq!(extremes(&texts), extremes(&reversed));
    }

    #[test]
    fn what_is_held_comes_back_from_its_encoding() {
        let mut sum = Sum::default();
        sum.add(Number::Integer(-3)).unwrap();
        let mut mean = Mean::default();
        mean.add(Number::Float(0.5)).unwrap();
        let mut extreme = Extreme::default();
        extreme.raise(Cell::Text("z"));
        let bytes = postcard::to_allocvec(&(sum, mean, &extreme)).unwrap();
        assert_eq!(postcard::from_bytes(&bytes), Ok((sum, mean, extreme)));
    }
}
