//! Timers per key: a map from times to nothing, and the order of all in memory.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::state::{Change, Form, LoadError, Op, Timer, Timers};

use crate::error::MmapError;
use crate::fields::{put_field, remove_field};
use crate::frozen::MmapFrozen;
use crate::held::state;
use crate::node::Node;
use crate::table::Table;

/// Timers per key, their rows in a log.
#[derive(Debug)]
pub struct MmapTimers<K> {
    table: Table<Node>,
    order: Order,
    types: PhantomData<fn() -> K>,
}

/// The timers by time, then by encoded key.
#[derive(Debug, Default)]
struct Order {
    timers: BTreeSet<(i64, Box<[u8]>)>,
    bytes: usize,
}

impl Order {
    fn insert(&mut self, time: i64, key: &[u8]) {
        self.bytes += key.len() + TIMER_BYTES;
        self.timers.insert((time, key.into()));
    }

    fn remove(&mut self, time: i64, key: &[u8]) {
        if self.timers.remove(&(time, key.into())) {
            self.bytes -= key.len() + TIMER_BYTES;
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<K: Key> MmapTimers<K> {
    pub(crate) fn new(table: Table<Node>) -> Self {
        Self { table, order: Order::default(), types: PhantomData }
    }

    fn encode(&self, time: i64) -> Result<Vec<u8>, MmapError> {
        let mut bytes = Vec::new();
        self.table.layout.encode(&time, &mut bytes)?;
        Ok(bytes)
    }

    fn add(&mut self, group: KeyGroup, key: &[u8], time: i64) -> Result<bool, MmapError> {
        let field = self.encode(time)?;
        let room = key.len() + field.len();
        let new = self.table.change(group, room, |write| put_field(write, key, &field, &[]))?;
        if new {
            self.order.insert(time, key);
            self.table.set_beside(self.order.bytes);
        }
        Ok(new)
    }

    fn drop_timer(&mut self, group: KeyGroup, key: &[u8], time: i64) -> Result<bool, MmapError> {
        let field = self.encode(time)?;
        let found = self.table.remove(group, |write| remove_field(write, key, &field))?;
        if found {
            self.order.remove(time, key);
            self.table.set_beside(self.order.bytes);
        }
        Ok(found)
    }

    /// Drops all timers of a key.
    fn drop_key(&mut self, group: KeyGroup, key: &[u8]) -> Result<(), MmapError> {
        let (layout, order) = (&self.table.layout, &mut self.order);
        self.table.each_pair(group, key, |body| {
            order.remove(layout.form().field(&mut Reader::new(body))?, key);
            Ok(ControlFlow::Continue(()))
        })?;
        self.table.set_beside(self.order.bytes);
        self.table.remove(group, |write| write.drop_key(key))
    }

    fn load_row(
        &mut self,
        group: KeyGroup,
        change: Change<'_>,
        form: &Form<'_>,
    ) -> Result<(), LoadError<MmapError>> {
        let mut reader = Reader::new(change.row);
        let key = self.table.load_key::<K>(group, &mut reader, form)?;
        match change.op {
            Op::Put => {
                for _ in 0..form.count(&mut reader)? {
                    let start = reader;
                    let time = form.field(&mut reader)?;
                    let new = self.add(group, &key, time)?;
                    if form.fresh && !new {
                        return Err(start.fault(Fault::Duplicate).into());
                    }
                }
            }
            Op::Remove => {
                for _ in 0..form.count(&mut reader)? {
                    let time = form.field(&mut reader)?;
                    self.drop_timer(group, &key, time)?;
                }
            }
            Op::Clear => self.drop_key(group, &key)?,
            Op::Keep => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}

state!(MmapTimers<K: Key>, clears order);

impl<K: Key> Timers<K> for MmapTimers<K> {
    fn register(&mut self, at: At<'_, K>, time: i64) -> Result<bool, MmapError> {
        let key = self.table.key(at)?;
        self.add(at.group(), &key, time)
    }

    fn delete(&mut self, at: At<'_, K>, time: i64) -> Result<bool, MmapError> {
        let key = self.table.key(at)?;
        self.drop_timer(at.group(), &key, time)
    }

    fn visit(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K, i64) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        let Some((part, log)) = self.table.visited(group) else { return Ok(()) };
        for node in part.index.iter() {
            for entry in node.iter().filter(|entry| !entry.is_removed()) {
                let row = log.row(entry)?;
                let key = self.table.layout.key(&row.bytes)?;
                let time = self.table.layout.form().field(&mut Reader::new(row.body()))?;
                if visit(&key, time).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn next(&self) -> Result<Option<i64>, MmapError> {
        Ok(self.order.timers.first().map(|(time, _)| *time))
    }

    fn take(&mut self, now: i64) -> Result<Option<Timer<K>>, MmapError> {
        let first = self.order.timers.first().filter(|(time, _)| *time <= now);
        let Some((time, bytes)) = first.cloned() else { return Ok(None) };
        let key: K = self.table.layout.key(&bytes)?;
        let group = self.table.groups.locate::<K>(key.view()).group();
        let found = self.drop_timer(group, &bytes, time)?;
        assert!(found, "a timer that is due has a row");
        Ok(Some(Timer { time, key }))
    }
}

/// What a timer takes in the order beside its key: its time, a handle, and the share of a tree.
const TIMER_BYTES: usize = 48;
