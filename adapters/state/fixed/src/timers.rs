use core::cmp::Ordering;
use core::convert::Infallible;
use core::ops::{ControlFlow, Range};

use holdwater::codec::{EncodeError, Encoding, Reader, Write, encode};
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::state::{
    Change, Form, Judge, LoadError, Op, OutputFailed, RowWriter, Timer, Timers,
};

use crate::rows::Content;
use crate::table::{Rank, Row, Table};
use crate::{FixedError, Rows};

/// When a timer is due. Rows stand in the order of time, whatever their groups.
#[derive(Clone, Debug)]
pub struct Time {
    time: i64,
    group: KeyGroup,
}

impl<K: Key, const N: usize, const G: usize> Rows<K, Time, N, G> {
    fn find_timer(&self, at: At<'_, K>, time: i64) -> Range<usize> {
        self.table.of(rank(at, time), at.view())
    }
}

impl<K: Key, const N: usize, const G: usize> Timers<K> for Rows<K, Time, N, G> {
    fn register(&mut self, at: At<'_, K>, time: i64) -> Result<bool, FixedError> {
        let (places, group) = (self.find_timer(at, time), at.group());
        if !places.is_empty() {
            return Ok(false);
        }
        self.need(1)?;
        self.touch(group);
        let content = Time { time, group };
        let row = Row { rank: rank(at, time), key: K::own(at.view()), content };
        self.table.insert(places.start, row);
        Ok(true)
    }

    fn delete(&mut self, at: At<'_, K>, time: i64) -> Result<bool, FixedError> {
        let places = self.find_timer(at, time);
        let found = !places.is_empty();
        self.remove_rows(at.group(), places);
        Ok(found)
    }

    fn visit(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K, i64) -> ControlFlow<()>,
    ) -> Result<(), FixedError> {
        let mut rows = self.table.rows(0..self.table.len());
        let _ = rows.try_for_each(|row| match row.content.group == group {
            true => visit(&row.key, row.content.time),
            false => ControlFlow::Continue(()),
        });
        Ok(())
    }

    fn next(&self) -> Result<Option<i64>, FixedError> {
        Ok(self.table.rows(0..self.table.len().min(1)).next().map(|row| row.content.time))
    }

    fn take(&mut self, now: i64) -> Result<Option<Timer<K>>, FixedError> {
        let Some(time) = self.next()?.filter(|time| *time <= now) else { return Ok(None) };
        let encoding = self.encoding();
        let key = |place: &usize| &self.table.row(*place).key;
        let due = self.table.with(ordered(time));
        let first = due.min_by(|a, b| by_encoding(key(a), key(b), encoding));
        let row = self.table.take(first.expect("the earliest timer is due at its time"));
        self.touch(row.content.group);
        Ok(Some(Timer { time, key: row.key }))
    }
}

impl Content for Time {
    type Value = ();

    fn value(&self) -> &() {
        &()
    }

    fn of_group<K: Key, const N: usize>(
        table: &Table<K, Self, N>,
        group: KeyGroup,
    ) -> impl Iterator<Item = Range<usize>> {
        let places = (0..table.len()).filter(move |place| table.row(*place).content.group == group);
        places.map(|place| place..place + 1)
    }

    fn save<K: Key, const N: usize>(
        table: &Table<K, Self, N>,
        places: Range<usize>,
        _: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        table
            .rows(places)
            .try_for_each(|row| out.entries(&row.key, core::iter::once((&row.content.time, &()))))
    }

    fn load<K: Key, const N: usize, const G: usize>(
        rows: &mut Rows<K, Self, N, G>,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<FixedError>> {
        let mut reader = Reader::new(change.row);
        let key = rows.load_key(group, &mut reader, form)?;
        let at = rows.locate(&key);
        match change.op {
            Op::Put => {
                for _ in 0..form.count(&mut reader)? {
                    let start = reader;
                    let time = form.field(&mut reader)?;
                    let new = rows.register(at, time).map_err(LoadError::State)?;
                    if form.fresh && !new {
                        return Err(start.fault(Fault::Duplicate).into());
                    }
                }
            }
            Op::Remove => {
                for _ in 0..form.count(&mut reader)? {
                    let time = form.field(&mut reader)?;
                    rows.delete(at, time).map_err(LoadError::State)?;
                }
            }
            Op::Clear => {
                for place in (0..rows.table.len()).rev() {
                    if rows.table.row(place).key == key {
                        rows.remove_rows(group, place..place + 1);
                    }
                }
            }
            Op::Keep => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}

fn rank<K: Key>(at: At<'_, K>, time: i64) -> Rank {
    (ordered(time), at.slot())
}

/// Returns a number in the order of times.
const fn ordered(time: i64) -> u64 {
    time.cast_unsigned() ^ (1 << 63)
}

/// Orders two keys by their encodings, a window of them at a time.
fn by_encoding<K: Key>(a: &K, b: &K, encoding: Encoding) -> Ordering {
    let mut from = 0;
    loop {
        let (a, b) = (Window::of(a, encoding, from), Window::of(b, encoding, from));
        match a.bytes.cmp(&b.bytes) {
            Ordering::Equal if a.bytes.is_full() => from += a.bytes.len(),
            order => return order,
        }
    }
}

/// Some bytes of an encoding, behind those that were seen.
struct Window {
    skip: usize,
    bytes: heapless::Vec<u8, 64>,
}

impl Window {
    fn of<K: Key>(key: &K, encoding: Encoding, from: usize) -> Self {
        let mut window = Self { skip: from, bytes: heapless::Vec::new() };
        // A key that refuses to be encoded is refused where it is saved.
        let _ = encode(key, encoding, &mut window);
        window
    }
}

impl Write for Window {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        let (skipped, seen) = bytes.split_at(bytes.len().min(self.skip));
        self.skip -= skipped.len();
        let room = self.bytes.capacity() - self.bytes.len();
        let seen = &seen[..seen.len().min(room)];
        self.bytes.extend_from_slice(seen).expect("cut to what fits");
        Ok(())
    }
}
