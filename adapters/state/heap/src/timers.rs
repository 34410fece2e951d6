//! Timers per key: in snapshots a map from times to nothing, and in order of time beside it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use holdwater::codec::{Reader, encode};
use holdwater::error::{Fault, Malformed};
use holdwater::key::{At, Key, KeyGroup, KeyGroups};
use holdwater::state::{Change, Description, Form, LoadError, Op, Timer, Timers};

use crate::budget::Share;
use crate::error::HeapError;
use crate::frozen::HeapFrozen;
use crate::held::{Held, located, state};
use crate::table::Table;
use crate::times::Times;

/// Timers per key, on the heap.
#[derive(Debug)]
pub struct HeapTimers<K> {
    description: Description,
    table: Table<K, Times>,
    /// All timers by time, then by encoded key. Snapshots do not need it.
    order: BTreeMap<(i64, Box<[u8]>), K>,
}

impl<K: Key> HeapTimers<K> {
    pub(crate) fn new(groups: KeyGroups, description: Description, share: Share) -> Self {
        let table = Table::new(groups, &description, share);
        Self { description, table, order: BTreeMap::new() }
    }

    fn held(&self) -> &dyn Held {
        &self.table
    }

    fn held_mut(&mut self) -> &mut dyn Held {
        &mut self.table
    }

    /// Returns the place of a timer in the order of all.
    fn place(&self, at: At<'_, K>, time: i64) -> (i64, Box<[u8]>) {
        let mut key = Vec::new();
        // A key that refuses to serialize is a bug of its type, and is reported when it is saved.
        let _ = encode(&at.view(), self.description.encoding, &mut key);
        (time, key.into())
    }

    fn load_row(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<HeapError>> {
        let mut reader = Reader::new(change.row);
        let key: K = form.key(&mut reader)?;
        let at = located(&self.table, group, &key)?;
        match change.op {
            Op::Put => {
                for _ in 0..form.count(&mut reader)? {
                    let start = reader;
                    let time = form.field(&mut reader)?;
                    let new = self.register(at, time).map_err(LoadError::State)?;
                    if form.fresh && !new {
                        return Err(start.fault(Fault::Duplicate).into());
                    }
                }
            }
            Op::Remove => {
                for _ in 0..form.count(&mut reader)? {
                    let time = form.field(&mut reader)?;
                    self.delete(at, time).map_err(LoadError::State)?;
                }
            }
            Op::Clear => self.delete_all(at),
            Op::Keep => return Err(Malformed::new(Fault::Range, 0).into()),
        }
        Ok(reader.finish()?)
    }

    fn delete_all(&mut self, at: At<'_, K>) {
        let Some(times) = self.table.remove(at) else { return };
        let _ = times.each(|time| {
            self.forget(at, time);
            ControlFlow::Continue(())
        });
    }

    #[inline]
    fn contains(&self, at: At<'_, K>, time: i64) -> bool {
        let encoding = self.description.encoding;
        self.table.get(at).is_some_and(|times| times.contains(time, encoding))
    }

    /// Takes a timer that is there out of its row, and with the last one the row.
    fn remove(&mut self, at: At<'_, K>, time: i64) {
        let left = match self.table.get(at) {
            Some(Times::Many(_)) => self.table.modify(at, |times, touch| times.remove(time, touch)),
            _ => None,
        };
        if left.unwrap_or(0) == 0 {
            self.table.remove(at);
        }
    }

    /// Takes a timer out of the order of all.
    fn forget(&mut self, at: At<'_, K>, time: i64) {
        let place = self.place(at, time);
        self.table.charge(-place_bytes::<K>(&place).cast_signed());
        self.order.remove(&place);
    }
}

state!(HeapTimers<K: Key>, clears order);

impl<K: Key> Timers<K> for HeapTimers<K> {
    fn register(&mut self, at: At<'_, K>, time: i64) -> Result<bool, HeapError> {
        if self.contains(at, time) {
            return Ok(false);
        }
        self.table.write(
            at,
            time,
            |time, _| (Times::One(time), ()),
            |time, times, touch| times.insert(time, touch),
        )?;
        let place = self.place(at, time);
        self.table.charge(place_bytes::<K>(&place).cast_signed());
        self.order.insert(place, K::own(at.view()));
        Ok(true)
    }

    fn delete(&mut self, at: At<'_, K>, time: i64) -> Result<bool, HeapError> {
        if !self.contains(at, time) {
            return Ok(false);
        }
        self.remove(at, time);
        self.forget(at, time);
        Ok(true)
    }

    fn visit(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K, i64) -> ControlFlow<()>,
    ) -> Result<(), HeapError> {
        let _ = self.table.each(group, |row| row.payload.each(|time| visit(&row.key, time)));
        Ok(())
    }

    fn next(&self) -> Result<Option<i64>, HeapError> {
        Ok(self.order.first_key_value().map(|((time, _), _)| *time))
    }

    fn take(&mut self, now: i64) -> Result<Option<Timer<K>>, HeapError> {
        let Some(first) = self.order.first_entry().filter(|first| first.key().0 <= now) else {
            return Ok(None);
        };
        let (place, key) = first.remove_entry();
        self.table.charge(-place_bytes::<K>(&place).cast_signed());
        let at = self.table.groups().locate::<K>(key.view());
        assert!(self.contains(at, place.0), "a timer is in its row and in the order of all");
        self.remove(at, place.0);
        Ok(Some(Timer { time: place.0, key }))
    }
}

/// Returns about how many bytes a timer takes in the order of all.
fn place_bytes<K>((_, key): &(i64, Box<[u8]>)) -> usize {
    size_of::<(i64, Box<[u8]>, K)>() + key.len()
}
