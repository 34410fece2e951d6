use alloc::vec::Vec;
use core::ops::ControlFlow;

use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::state::{Change, Form, LoadError, Op, State, Timer, Timers};

use crate::rows::Content;
use crate::{ByteTable, BytesError, Rows, layout};

/// A row is a timer of a key; those of a group lie in the order of their times.
#[derive(Debug)]
pub struct Time;

impl<T: ByteTable, K: Key> Rows<T, K, Time> {
    /// Returns the earliest timer, its key as encoded.
    fn earliest(&self) -> Result<Option<Timer<Vec<u8>>>, BytesError<T::Error>> {
        let mut earliest: Option<Timer<Vec<u8>>> = None;
        for group in self.groups().iter() {
            self.each(&layout::group(group), |row, _| {
                let is_before = |other: &Timer<Vec<u8>>| {
                    (row.time, row.key) < (other.time, other.key.as_slice())
                };
                if earliest.as_ref().is_none_or(is_before) {
                    earliest = Some(Timer { time: row.time, key: row.key.into() });
                }
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(earliest)
    }

    /// Drops all timers of a key.
    fn delete_key(&mut self, at: At<'_, K>) -> Result<(), BytesError<T::Error>> {
        let (mut key, mut times) = (Vec::new(), Vec::new());
        self.layout.encode(&at.view(), &mut key)?;
        self.each(&layout::group(at.group()), |row, _| {
            times.extend((row.key == key).then_some(row.time));
            Ok(ControlFlow::Continue(()))
        })?;
        times.into_iter().try_for_each(|time| self.delete(at, time).map(drop))
    }
}

impl<T: ByteTable, K: Key> Timers<K> for Rows<T, K, Time> {
    fn register(&mut self, at: At<'_, K>, time: i64) -> Result<bool, BytesError<T::Error>> {
        self.groups().position(at.group());
        let row = self.layout.timer(at, time)?;
        let new = !self.has(&row)?;
        if new {
            self.put_row(&row, &[])?;
            self.keys.add(&row, true);
        }
        Ok(new)
    }

    fn delete(&mut self, at: At<'_, K>, time: i64) -> Result<bool, BytesError<T::Error>> {
        let row = self.layout.timer(at, time)?;
        let found = self.has(&row)?;
        self.delete_rows(&row)?;
        Ok(found)
    }

    fn visit(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K, i64) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        self.each(&layout::group(group), |row, _| Ok(visit(&self.layout.key(row.key)?, row.time)))
    }

    fn next(&self) -> Result<Option<i64>, BytesError<T::Error>> {
        Ok(self.earliest()?.map(|timer| timer.time))
    }

    fn take(&mut self, now: i64) -> Result<Option<Timer<K>>, BytesError<T::Error>> {
        let earliest = self.earliest()?.filter(|timer| timer.time <= now);
        let Some(Timer { time, key }) = earliest else { return Ok(None) };
        let key: K = self.layout.key(&key)?;
        self.delete(self.locate(&key), time)?;
        Ok(Some(Timer { time, key }))
    }
}

impl Content for Time {
    fn load<T: ByteTable, K: Key>(
        rows: &mut Rows<T, K, Self>,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<BytesError<T::Error>>> {
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
            Op::Clear => rows.delete_key(at).map_err(LoadError::State)?,
            Op::Keep => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}
