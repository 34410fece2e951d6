//! Rows of a state that was given a time to live since they were written, or has lost it, or has
//! another one.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use xxhash_rust::xxh3::xxh3_128;

use super::Expected;
use crate::codec::{Encoding, Reader, decode, encode, write_varint};
use crate::error::{Fault, Malformed};
use crate::schema::{Budget, Schema, StoredSchema, walk};
use crate::state::{Change, Cutoff, Expiry, Kind, LoadError, Moment, Op, Shape};
use crate::ttl::{stamped_schema, with_stamp};

/// What becomes of the rows of one group, part by part: what had expired is left out, and stamps
/// are given or taken.
#[derive(Clone, Debug)]
pub struct Restamp {
    /// What had expired, of rows that have stamps.
    expired: Option<Cutoff>,
    stamp: Stamp,
    /// Of each list, by the hash of its key: which of its items lived.
    lists: BTreeMap<u128, Vec<bool>>,
}

/// What becomes of a stamp.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stamp {
    Given(i64),
    Kept,
    Taken,
}

impl Restamp {
    /// Returns what becomes of rows that were frozen at `moment` and lived as `stored` says, in a
    /// state whose rows live as `own` says; nothing if they mean what they meant.
    ///
    /// The stamp that is given is the time of the moment: nobody accessed a row later. Nothing
    /// comes back to life because rows live longer than they did.
    pub fn of(stored: Option<Expiry>, moment: Moment, own: Option<Expiry>) -> Option<Self> {
        let stamp = match (stored, own) {
            (Some(stored), Some(own)) if stored.domain == own.domain => {
                (stored.duration_ms < own.duration_ms).then_some(Stamp::Kept)?
            }
            (_, Some(own)) => Stamp::Given(moment.by(own.domain)),
            (Some(_), None) => Stamp::Taken,
            (None, None) => return None,
        };
        let expired = stored.map(|expiry| expiry.cutoff(moment.by(expiry.domain)));
        Some(Self { expired, stamp, lists: BTreeMap::new() })
    }

    /// Returns whether rows are to be given the time of a clock that was not running.
    pub fn lacks_time(&self) -> bool {
        self.stamp == Stamp::Given(i64::MIN)
    }

    /// Returns the schema of values then, which were written by the schema `stored`.
    pub fn value(&self, stored: Schema<'_>) -> Result<StoredSchema, Malformed> {
        let plain = match self.expired {
            Some(_) => stamped_schema(stored).ok_or(Malformed::new(Fault::Range, 0))?,
            None => stored,
        };
        let plain = StoredSchema::from(plain);
        if self.stamp == Stamp::Taken { Ok(plain) } else { with_stamp(&plain) }
    }

    /// Shows to `load` what a row says then.
    pub(super) fn apply<E>(
        &mut self,
        expected: &Expected<'_>,
        change: Change<'_>,
        mut load: impl FnMut(Change<'_>) -> Result<(), LoadError<E>>,
    ) -> Result<(), LoadError<E>> {
        let Change { op, row } = change;
        let (mut reader, encoding) = (Reader::new(row), expected.encoding);
        let key = piece(expected.key, encoding, &mut reader)?;
        // In a full part nothing is there that could be taken back.
        let is_full = expected.part.shape == Shape::Full;
        match (expected.kind, op) {
            (Kind::Value, Op::Put) => {
                let mut bytes = key.to_vec();
                match self.restamp(encoding, reader.rest(), &mut bytes)? {
                    true => load(Change { op, row: &bytes }),
                    false if is_full => Ok(()),
                    false => load(Change { op: Op::Remove, row: key }),
                }
            }
            (Kind::List, Op::Put) => {
                let (mut items, mut kept, mut lived) = (Vec::new(), 0, Vec::new());
                for _ in 0..reader.varint_u64()? {
                    let item = piece(expected.value, encoding, &mut reader)?;
                    let lives = self.restamp(encoding, item, &mut items)?;
                    kept += u64::from(lives);
                    lived.push(lives);
                }
                if self.expired.is_some() {
                    self.lists.entry(xxh3_128(key)).or_default().append(&mut lived);
                }
                load_some(op, key, kept, &items, &mut load)
            }
            (Kind::List, Op::Keep) if self.expired.is_some() => {
                let start = reader;
                let count = usize::try_from(reader.varint_u64()?).unwrap_or(usize::MAX);
                let lived = self.lists.entry(xxh3_128(key)).or_default();
                if count > lived.len() {
                    return Err(start.fault(Fault::Range).into());
                }
                lived.truncate(count);
                let kept = lived.iter().filter(|lives| **lives).count();
                let mut bytes = key.to_vec();
                let Ok(()) = write_varint(kept as u128, &mut bytes);
                load(Change { op, row: &bytes })
            }
            (Kind::List, Op::Remove) => {
                self.lists.remove(&xxh3_128(key));
                load(change)
            }
            (Kind::Map, Op::Put) => {
                let field = expected.field.ok_or(reader.fault(Fault::Range))?;
                let (mut puts, mut kept) = (Vec::new(), 0);
                let (mut gone, mut dropped) = (Vec::new(), 0);
                for _ in 0..reader.varint_u64()? {
                    let field = piece(field, encoding, &mut reader)?;
                    let value = piece(expected.value, encoding, &mut reader)?;
                    let before = puts.len();
                    puts.extend_from_slice(field);
                    if self.restamp(encoding, value, &mut puts)? {
                        kept += 1;
                    } else {
                        puts.truncate(before);
                        gone.extend_from_slice(field);
                        dropped += 1;
                    }
                }
                load_some(op, key, kept, &puts, &mut load)?;
                let dropped = if is_full { 0 } else { dropped };
                load_some(Op::Remove, key, dropped, &gone, &mut load)
            }
            _ => load(change),
        }
    }

    /// Appends a value with the stamp that it has then, if any; returns whether it lives.
    fn restamp(
        &self,
        encoding: Encoding,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<bool, Malformed> {
        let mut reader = Reader::new(value);
        let stored = match self.expired {
            Some(_) => Some(decode(encoding, &mut reader)?),
            None => None,
        };
        if let (Some(expired), Some(stamp)) = (self.expired, stored)
            && expired.includes(stamp)
        {
            return Ok(false);
        }
        let stamp = match self.stamp {
            Stamp::Given(stamp) => Some(stamp),
            Stamp::Kept => stored,
            Stamp::Taken => None,
        };
        if let Some(stamp) = stamp {
            encode(&stamp, encoding, out).expect("a number is encoded");
        }
        out.extend_from_slice(reader.rest());
        Ok(true)
    }
}

/// Shows a row of some pieces of a key to `load`, unless there are none.
fn load_some<E>(
    op: Op,
    key: &[u8],
    count: u64,
    pieces: &[u8],
    load: &mut impl FnMut(Change<'_>) -> Result<(), LoadError<E>>,
) -> Result<(), LoadError<E>> {
    if count == 0 {
        return Ok(());
    }
    let mut bytes = key.to_vec();
    let Ok(()) = write_varint(count.into(), &mut bytes);
    bytes.extend_from_slice(pieces);
    load(Change { op, row: &bytes })
}

/// Takes the bytes of one value of `schema`.
fn piece<'r>(
    schema: Schema<'_>,
    encoding: Encoding,
    reader: &mut Reader<'r>,
) -> Result<&'r [u8], Malformed> {
    let before = *reader;
    walk(schema, encoding, reader, &mut Budget::of_row(before.len()))?;
    Ok(before.rest().get(..before.len() - reader.len()).unwrap_or_default())
}
