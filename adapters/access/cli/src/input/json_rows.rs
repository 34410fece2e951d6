//! Rows of JSON lines: one object per line.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::stream::Stream;
use super::{ReadError, Step};
use crate::record::{BadRow, Record};
use crate::selection::Selection;

/// Parses the next line that is not empty.
///
/// A string is a cell of its text, a number or truth value one of what is written, `null` and an
/// absent member have no value, an array or object is its JSON text without blanks.
pub(super) fn next(
    stream: &mut Stream,
    line: &mut u64,
    selection: &Selection,
    record: &mut Record,
) -> Result<Step, ReadError> {
    loop {
        let Some((length, end)) = find_line(stream, *line)? else {
            return Ok(Step::End);
        };
        let text = &stream.unread()[..length];
        let empty = text.iter().all(u8::is_ascii_whitespace);
        let parsed = if empty { Ok(()) } else { parse(text, *line, selection, record) };
        stream.consume(length + end);
        *line += end as u64;
        match parsed {
            Ok(()) if empty => {}
            Ok(()) => return Ok(Step::Record),
            Err(bad) => return Ok(Step::Bad(bad)),
        }
    }
}

/// Returns the length of the next line and of its end, or `None` at the end of the input.
fn find_line(stream: &mut Stream, line: u64) -> Result<Option<(usize, usize)>, ReadError> {
    let mut searched = 0;
    loop {
        let unread = stream.unread();
        if let Some(found) = memchr(b'\n', &unread[searched..]) {
            return Ok(Some((searched + found, 1)));
        }
        searched = unread.len();
        if searched as u64 > super::RECORD_BYTES_MAX {
            return Err(ReadError::TooLong { line });
        }
        if !stream.refill()? {
            return Ok((searched > 0).then_some((searched, 0)));
        }
    }
}

fn parse(text: &[u8], line: u64, selection: &Selection, record: &mut Record) -> Result<(), BadRow> {
    record.begin(line, selection.columns().len());
    let text = str::from_utf8(text).map_err(|_| BadRow::not_utf8())?;
    let mut json = serde_json::Deserializer::from_str(text);
    let mut members = Members { selection, record, bad: None };
    let parsed = de::Deserializer::deserialize_map(&mut json, &mut members);
    if let Some(bad) = members.bad {
        return Err(bad);
    }
    parsed.and_then(|()| json.end()).map_err(|error| {
        // The place is that of the row, and a column says no more than the text.
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        BadRow(format!("not a JSON object: {what}"))
    })
}

/// Reads the members of an object that the selection names into the record.
struct Members<'s> {
    selection: &'s Selection,
    record: &'s mut Record,
    bad: Option<BadRow>,
}

impl<'de> Visitor<'de> for &mut Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(column) = members.next_key_seed(Name(self.selection))? {
            let Some(column) = column else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let value =
                written(members.next_value::<&RawValue>()?.get()).map_err(de::Error::custom)?;
            if !self.record.set(column, &value) {
                let name = &self.selection.columns()[column].name;
                self.bad = Some(BadRow(format!("the member {name} stands twice")));
            }
        }
        Ok(())
    }
}

/// Finds the column that a member's name stands for.
struct Name<'s>(&'s Selection);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: de::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.columns().iter().position(|column| column.name == name))
    }
}

/// Returns the cell that a JSON value stands for.
fn written(json: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    Ok(match json.as_bytes() {
        [b'n', ..] => Cow::Borrowed(""),
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => {
            Cow::Borrowed(&json[1..json.len() - 1])
        }
        [b'"', ..] => Cow::Owned(serde_json::from_str(json)?),
        [b'{' | b'[', ..] => Cow::Owned(without_blanks(json)),
        _ => Cow::Borrowed(json),
    })
}

/// Drops the blanks of a JSON text that stand outside of its strings.
fn without_blanks(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let keep = |character: &char| {
        match *character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        quoted || !character.is_ascii_whitespace()
    };
    json.chars().filter(keep).collect()
}
