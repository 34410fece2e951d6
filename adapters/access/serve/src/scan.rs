//! Rows of a state one after the other, as far as one answer goes.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;
use std::time::Instant;

use holdwater::manifest::CheckpointId;
use holdwater::schema::{Kind, Schema};
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;

use crate::view::View;

/// Which keys are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Leading fields of the key, the last of them only in its beginning.
    pub prefix: Vec<String>,
    /// Leading fields of the least key.
    from: Vec<Datum>,
    /// Leading fields of the first key behind.
    to: Vec<Datum>,
}

/// Where rows go on: in a checkpoint, behind a key of a group.
///
/// Its text, as [`Display`](fmt::Display) writes it, is the token of a page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Position {
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// The key group.
    pub group: u16,
    /// The key that was read last, as it is encoded; none at the beginning of the group.
    pub behind: Option<Vec<u8>>,
}

/// Whether there is room for more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Room {
    /// The row was taken, and another may come.
    Left,
    /// The row was taken, and no other has room.
    None,
    /// The row has no room: it is the first one of what follows.
    TooLittle,
}

impl Wanted {
    /// Wants keys of a state from leading fields to others, each written as a cell.
    pub fn between(
        state: &StateReader<'_>,
        from: &[String],
        to: &[String],
    ) -> Result<Self, Failure> {
        let (from, to) = (leading(state.key_schema(), from)?, leading(state.key_schema(), to)?);
        Ok(Self { prefix: Vec::new(), from, to })
    }

    fn includes(&self, key: &Datum) -> bool {
        let parts = parts(key);
        let order = |bound: &[Datum]| {
            let pairs = parts.iter().zip(bound);
            pairs.fold(Ordering::Equal, |order, (part, bound)| order.then(part.order(bound)))
        };
        let mut cells = parts.iter().zip(&self.prefix).rev();
        (self.from.is_empty() || order(&self.from).is_ge())
            && (self.to.is_empty() || order(&self.to).is_lt())
            && cells.next().is_none_or(|(part, prefix)| part.cell().starts_with(prefix))
            && cells.all(|(part, cell)| part.cell() == *cell)
    }
}

impl View {
    /// Shows the wanted rows of a state behind `from`, until `take` has no room or it is `until`.
    /// Returns where to go on, if there may be more.
    ///
    /// One group is in memory at a time, and those that are kept.
    pub fn scan(
        &self,
        state: &StateReader<'_>,
        wanted: &Wanted,
        from: Option<&Position>,
        until: Instant,
        mut take: impl FnMut(Row) -> Room,
    ) -> Result<Option<Position>, Failure> {
        let (begin, mut behind) = from.map_or((0, None), |from| (from.group, from.behind.clone()));
        for group in state.groups().skip_while(|group| *group < begin) {
            if group != begin {
                behind = None;
            }
            let rows = self.group(state, group)?;
            let at = |behind| Some(Position { checkpoint: self.id(), group, behind });
            let begin = behind.clone().map_or(Bound::Unbounded, Bound::Excluded);
            let left = rows.range((begin, Bound::Unbounded));
            let mut last = behind.take();
            for (count, (key, row)) in left.enumerate() {
                if wanted.includes(&state.row_key(key)?.0) {
                    match take(state.row(key, row)?) {
                        Room::Left => {}
                        Room::None => return Ok(at(Some(key.clone()))),
                        Room::TooLittle => return Ok(at(last)),
                    }
                }
                if count % ROWS_PER_LOOK == ROWS_PER_LOOK - 1 && Instant::now() >= until {
                    return Ok(at(Some(key.clone())));
                }
                last = Some(key.clone());
            }
            if Instant::now() >= until {
                return Ok(group.checked_add(1).map(|group| Position {
                    checkpoint: self.id(),
                    group,
                    behind: None,
                }));
            }
        }
        Ok(None)
    }
}

/// Reads leading fields of a key.
fn leading(schema: Schema<'_>, cells: &[String]) -> Result<Vec<Datum>, Failure> {
    let usage = |what: String| Failure::Usage(format!("from, to: {what}"));
    let schemas: Vec<_> = match schema.kind() {
        Kind::Struct(members) => members.map(|member| member.schema).collect(),
        _ => vec![schema],
    };
    if cells.len() > schemas.len() {
        return Err(usage(format!("{} fields are more than the key has: {schema}", cells.len())));
    }
    let read = |(cell, schema): (&String, _)| Datum::from_cell(schema, cell);
    let read = cells.iter().zip(schemas).map(read);
    read.collect::<Result<_, _>>().map_err(|unfit| usage(unfit.to_string()))
}

/// Takes a key apart.
fn parts(key: &Datum) -> Vec<&Datum> {
    match key {
        Datum::Pairs(fields) => fields.iter().map(|(_, held)| held).collect(),
        key => vec![key],
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.checkpoint, self.group)?;
        let Some(behind) = &self.behind else { return Ok(()) };
        f.write_str("-")?;
        behind.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split('-');
        let (Some(id), Some(group)) = (words.next(), words.next()) else { return Err(()) };
        let behind = words.next().map(bytes).transpose()?;
        let checkpoint = id.parse().map_err(|_| ())?;
        let group = group.parse().map_err(|_| ())?;
        if words.next().is_some() { Err(()) } else { Ok(Self { checkpoint, group, behind }) }
    }
}

/// Reads bytes in hexadecimal.
fn bytes(text: &str) -> Result<Vec<u8>, ()> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Ok((digit(high)? << 4 | digit(low)?) as u8),
        _ => Err(()),
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

/// How many rows are passed over between two looks at the clock.
const ROWS_PER_LOOK: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let checkpoint = CheckpointId { checkpoint: 7, epoch: 2 };
        for behind in [None, Some(vec![]), Some(vec![0, 255, 16])] {
            let position = Position { checkpoint, group: 300, behind };
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for text in ["", "7.e2", "7.e2-x", "7.e2-1-0", "7.e2-1-zz", "7.e2-1-00-", "-1-00"] {
            assert_eq!(text.parse::<Position>(), Err(()), "{text}");
        }
    }

    #[test]
    fn fields_are_equal_but_the_last_that_need_only_begin_so() {
        let text = |text: &str| Datum::Text(text.to_owned());
        let key = Datum::Pairs(vec![(text("a"), text("SFO")), (text("b"), Datum::Signed(-12))]);
        let includes = |prefix: &[&str]| {
            let prefix = prefix.iter().map(|cell| (*cell).to_owned()).collect();
            Wanted { prefix, ..Wanted::default() }.includes(&key)
        };
        assert!(includes(&[]) && includes(&["S"]) && includes(&["SFO", ""]));
        assert!(includes(&["SFO", "-1"]) && includes(&["SFO", "-12"]));
        assert!(!includes(&["F"]) && !includes(&["S", "-12"]) && !includes(&["SFO", "12"]));
    }
}
