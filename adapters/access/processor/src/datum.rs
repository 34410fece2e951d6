//! A value of a state by its schema alone: from bytes and back, as JSON or as a cell.

mod bytes;
mod json;

pub use json::Names;

use std::cmp::Ordering;
use std::error::Error;
use std::fmt::{self, Write as _};

use holdwater::schema::{Kind, Leaf, Schema};

use crate::failure::quoted;

/// A value, whatever its type was.
///
/// ```
/// use holdwater::codec::{Encoding, Reader};
/// use holdwater::schema::{Leaf, StoredSchema};
/// use holdwater_processor::datum::Datum;
///
/// let (text, number) = (StoredSchema::leaf(Leaf::String), StoredSchema::leaf(Leaf::U8));
/// let schema = StoredSchema::fields([("origin", &text), ("delay", &number)])?;
/// let datum = Datum::from_json(schema.view(), r#"{"origin": "SFO", "delay": 7}"#)?;
/// let mut bytes = Vec::new();
/// datum.put(schema.view(), Encoding::Postcard, &mut bytes)?;
/// assert_eq!(bytes, b"\x03SFO\x07");
/// let same = Datum::take(schema.view(), Encoding::Postcard, &mut Reader::new(&bytes))?;
/// assert_eq!(same, datum);
///
/// let unfit = Datum::from_json(schema.view(), r#"{"origin": "SFO", "delay": 700}"#);
/// assert_eq!(unfit.unwrap_err().to_string(), "delay: expected u8, found 700");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
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
    /// A value where there may be none, of a type that may hold nothing itself.
    Some(Box<Self>),
    /// Text, or one character.
    Text(String),
    /// A whole number.
    Unsigned(u128),
    /// One of several variants.
    Variant(String, Box<Self>),
}

/// A value that is not one of the schema that it is to have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfit {
    /// The field, variant or element: `legs[2].delay`; empty for the value as a whole.
    pub path: String,
    /// What was expected there, and what was found.
    pub said: String,
}

impl Datum {
    /// Leaves out the names of variants, where what is held tells which of them it is.
    pub fn without_variants(self) -> Self {
        match self {
            Self::Variant(_, held) => held.without_variants(),
            Self::List(list) => Self::List(list.into_iter().map(Self::without_variants).collect()),
            Self::Pairs(pairs) => Self::Pairs(
                pairs.into_iter().map(|(name, held)| (name, held.without_variants())).collect(),
            ),
            other => other,
        }
    }

    /// Returns what a field of a struct holds.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Pairs(pairs) = self else { return None };
        let named = |(field, _): &&(Self, Self)| matches!(field, Self::Text(text) if text == name);
        pairs.iter().find(named).map(|(_, held)| held)
    }

    /// Returns a whole number of 64 bits.
    pub fn whole_number(&self) -> Option<i64> {
        match self {
            Self::Signed(number) => i64::try_from(*number).ok(),
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Writes it as JSON, every digit of it. What JSON does not know is text: floats that are not
    /// finite, and bytes in hexadecimal. A map is an object if its keys have no parts, else an
    /// array of pairs; a variant is its name, or an object of that and what it holds.
    pub fn write_json(&self, out: &mut String) {
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
            Self::Some(held) => write_member(json::SOME, held, out),
            Self::Text(text) => write_text(text, out),
            Self::List(list) => {
                write_all(list, ['[', ']'], out, Self::write_json);
            }
            Self::Pairs(pairs) if pairs.iter().all(|(name, _)| name.is_name()) => {
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
            Self::Variant(name, held) => write_member(name, held, out),
        }
    }

    /// Returns it as a cell: text as it is, nothing as nothing, and what has parts as JSON.
    pub fn cell(&self) -> String {
        let mut cell = String::new();
        match self {
            Self::Nothing => {}
            name if name.is_name() => name.write_plain(&mut cell),
            compound => compound.write_json(&mut cell),
        }
        cell
    }

    /// Orders values of one schema: texts and bytes by their bytes, numbers by their value, what
    /// has parts by these in turn.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
            (Self::Bytes(one), Self::Bytes(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Float(one), Self::Float(other)) => one.total_cmp(other),
            (Self::Single(one), Self::Single(other)) => one.total_cmp(other),
            (Self::Signed(one), Self::Signed(other)) => one.cmp(other),
            (Self::Unsigned(one), Self::Unsigned(other)) => one.cmp(other),
            (Self::Some(one), Self::Some(other)) => one.order(other),
            (Self::List(one), Self::List(other)) => {
                let parts = one.iter().zip(other).map(|(one, other)| one.order(other));
                parts.fold(Ordering::Equal, Ordering::then).then(one.len().cmp(&other.len()))
            }
            (Self::Pairs(one), Self::Pairs(other)) => {
                let parts = one.iter().zip(other).map(|((key, held), (other_key, other))| {
                    key.order(other_key).then(held.order(other))
                });
                parts.fold(Ordering::Equal, Ordering::then).then(one.len().cmp(&other.len()))
            }
            (Self::Variant(name, held), Self::Variant(other_name, other)) => {
                name.cmp(other_name).then_with(|| held.order(other))
            }
            (Self::Nothing, Self::Nothing) => Ordering::Equal,
            (Self::Nothing, _) => Ordering::Less,
            (_, Self::Nothing) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }

    /// Returns whether it can be the name of a member of an object.
    const fn is_name(&self) -> bool {
        matches!(
            self,
            Self::Bool(_)
                | Self::Bytes(_)
                | Self::Float(_)
                | Self::Signed(_)
                | Self::Single(_)
                | Self::Text(_)
                | Self::Unsigned(_)
        )
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
            _ => Ok(()),
        };
        written.expect("a string takes what is written");
    }
}

impl Unfit {
    fn new(expected: Schema<'_>, found: &str) -> Self {
        Self::of(&expected.to_string(), found)
    }

    pub(crate) fn of(expected: &str, found: &str) -> Self {
        let found = match found {
            "" => "nothing".to_owned(),
            found if found.starts_with(['{', '[', '"']) => brief(found),
            found
                if found.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) =>
            {
                brief(found)
            }
            found => quoted(found),
        };
        Self { path: String::new(), said: format!("expected {}, found {found}", brief(expected)) }
    }

    pub(crate) fn inside(self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{name}{dot}{}", self.path), ..self }
    }

    fn at(self, place: usize) -> Self {
        self.inside(&format!("[{place}]"))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.said)
    }
}

impl Error for Unfit {}

/// Returns whether a value of `schema` may be nothing itself: where there may be no such value, one
/// that is there is told apart.
fn may_hold_nothing(schema: Schema<'_>) -> bool {
    matches!(schema.kind(), Kind::Option(_) | Kind::Leaf(Leaf::Unit))
}

/// Cuts a text where it is long.
fn brief(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() { format!("{shown}..") } else { shown }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn write_member(name: &str, held: &Datum, out: &mut String) {
    out.push('{');
    write_text(name, out);
    out.push(':');
    held.write_json(out);
    out.push('}');
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

const SHOWN_CHARS: usize = 80;

#[cfg(test)]
mod tests;
