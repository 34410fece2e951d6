//! A map of fields per key.

use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow, RangeBounds};

use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Bounds, Key, KeyGroup, OrderedKey};
use holdwater::schema::{Data, DecodeError};
use holdwater::state::{Change, Fate, Form, LoadError, Loan, Map, Op, OrderedMap};

use crate::entry::Entry;
use crate::error::MmapError;
use crate::fields::{put_field, remove_field};
use crate::frozen::MmapFrozen;
use crate::held::state;
use crate::log::Log;
use crate::node::Node;
use crate::sorted::Rank;
use crate::table::Table;

/// A map of fields per key, in a log; ordered or not.
#[derive(Debug)]
pub struct MmapMap<K, F, V, A = ByHash> {
    table: Table<Node>,
    types: Types<K, F, V, A>,
}

type Types<K, F, V, A> = PhantomData<fn() -> (K, F, V, A)>;

/// Fields are found by their hashes.
#[derive(Debug)]
pub struct ByHash;

/// Fields are found in their order.
#[derive(Debug)]
pub struct ByOrder;

/// Takes a field from the front of bytes and encodes it in order.
pub(crate) fn order<F: OrderedKey>(
    form: &Form<'_>,
    reader: &mut Reader<'_>,
) -> Result<Vec<u8>, DecodeError> {
    let field: F = form.field(reader)?;
    Ok(ordered::<F>(field.view()))
}

/// Encodes a field in order (docs/format.md 2.6).
fn ordered<F: OrderedKey>(view: F::View<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = F::write_ordered(view, &mut bytes);
    bytes
}

impl<K: Key, F: Key, V: Data, A> MmapMap<K, F, V, A> {
    pub(crate) const fn new(table: Table<Node>) -> Self {
        Self { table, types: PhantomData }
    }

    fn encode(&self, field: F::View<'_>) -> Result<Vec<u8>, MmapError> {
        let mut bytes = Vec::new();
        self.table.layout.encode(&field, &mut bytes)?;
        Ok(bytes)
    }

    fn read(&self, group: KeyGroup, key: &[u8], field: &[u8]) -> Result<Option<V>, MmapError> {
        self.table.find_field(group, key, field, |bytes| {
            Ok(self.table.layout.value(&mut Reader::new(bytes))?)
        })
    }

    fn store(
        &mut self,
        group: KeyGroup,
        key: &[u8],
        field: &[u8],
        value: &V,
    ) -> Result<bool, MmapError> {
        let mut bytes = Vec::new();
        self.table.layout.encode(value, &mut bytes)?;
        let room = key.len() + field.len() + bytes.len();
        self.table.change(group, room, |write| put_field(write, key, field, &bytes))
    }

    fn drop_field(&mut self, group: KeyGroup, key: &[u8], field: &[u8]) -> Result<bool, MmapError> {
        self.table.remove(group, |write| remove_field(write, key, field))
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
                    let field: F = form.field(&mut reader)?;
                    let value = form.value(&mut reader)?;
                    let field = self.encode(field.view())?;
                    let new = self.store(group, &key, &field, &value)?;
                    if form.fresh && !new {
                        return Err(start.fault(Fault::Duplicate).into());
                    }
                }
            }
            Op::Remove => {
                for _ in 0..form.count(&mut reader)? {
                    let field: F = form.field(&mut reader)?;
                    let field = self.encode(field.view())?;
                    self.drop_field(group, &key, &field)?;
                }
            }
            Op::Clear => self.table.remove(group, |write| write.drop_key(&key))?,
            Op::Keep => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}

state!(MmapMap<K: Key, F: Key, V: Data, A: Sized>);

impl<K: Key, F: Key, V: Data, A> Map<K, F, V> for MmapMap<K, F, V, A> {
    fn get(&self, at: At<'_, K>, field: F::View<'_>) -> Result<Option<Loan<'_, V>>, MmapError> {
        let (key, field) = (self.table.key(at)?, self.encode(field)?);
        Ok(self.read(at.group(), &key, &field)?.map(Loan::Decoded))
    }

    fn put(&mut self, at: At<'_, K>, field: F::View<'_>, value: V) -> Result<bool, MmapError> {
        let (key, field) = (self.table.key(at)?, self.encode(field)?);
        self.store(at.group(), &key, &field, &value)
    }

    fn update<R>(
        &mut self,
        at: At<'_, K>,
        field: F::View<'_>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, MmapError> {
        let (key, field) = (self.table.key(at)?, self.encode(field)?);
        let mut value = self.read(at.group(), &key, &field)?.unwrap_or_else(init);
        let result = edit(&mut value);
        self.store(at.group(), &key, &field, &value)?;
        Ok(result)
    }

    fn remove(&mut self, at: At<'_, K>, field: F::View<'_>) -> Result<bool, MmapError> {
        let (key, field) = (self.table.key(at)?, self.encode(field)?);
        self.drop_field(at.group(), &key, &field)
    }

    fn entries(
        &self,
        at: At<'_, K>,
        mut visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        self.table.each_pair(at.group(), &self.table.key(at)?, |body| {
            let (field, value) = self.table.layout.pair(body)?;
            Ok(visit(&field, &value))
        })
    }

    fn len(&self, at: At<'_, K>) -> Result<u64, MmapError> {
        self.table.count_fields(at.group(), &self.table.key(at)?)
    }

    fn retain(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&F, &V) -> Fate<V>,
    ) -> Result<(), MmapError> {
        let (key, mut changes) = (self.table.key(at)?, Vec::new());
        self.table.each_pair(at.group(), &key, |body| {
            let (field, value) = self.table.layout.pair::<F, V>(body)?;
            match fate(&field, &value) {
                Fate::Changed(value) => changes.push((field, Some(value))),
                Fate::Dropped => changes.push((field, None)),
                Fate::Kept => {}
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for (field, value) in changes {
            let field = self.encode(field.view())?;
            match value {
                Some(value) => self.store(at.group(), &key, &field, &value)?,
                None => self.drop_field(at.group(), &key, &field)?,
            };
        }
        Ok(())
    }

    fn remove_all(&mut self, at: At<'_, K>) -> Result<(), MmapError> {
        let key = self.table.key(at)?;
        self.table.remove(at.group(), |write| write.drop_key(&key))
    }

    fn keys(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        self.table.each_key(group, visit)
    }
}

impl<K: Key, F: OrderedKey, V: Data> OrderedMap<K, F, V> for MmapMap<K, F, V, ByOrder> {
    fn range<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        let (bounds, key) = (Bounds::<F>::of(range), self.table.key(at)?);
        let (_, log) = self.table.part(at.group());
        let node = self.table.node(at.group(), &key)?;
        let Some(fields) = node.as_deref().and_then(Node::in_order) else { return Ok(()) };
        let start = match bounds.start {
            Bound::Included(start) => fields.find(log, &ordered::<F>(start), false)?.0,
            Bound::Excluded(start) => fields.find(log, &ordered::<F>(start), true)?.0,
            Bound::Unbounded => Rank::default(),
        };
        self.visit_while(log, fields.from(start), |field| !bounds.is_behind(field), visit)
    }

    fn range_back<'f>(
        &self,
        at: At<'_, K>,
        range: impl RangeBounds<F::View<'f>>,
        visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        let (bounds, key) = (Bounds::<F>::of(range), self.table.key(at)?);
        let (_, log) = self.table.part(at.group());
        let node = self.table.node(at.group(), &key)?;
        let Some(fields) = node.as_deref().and_then(Node::in_order) else { return Ok(()) };
        let end = match bounds.end {
            Bound::Included(end) => fields.find(log, &ordered::<F>(end), true)?.0,
            Bound::Excluded(end) => fields.find(log, &ordered::<F>(end), false)?.0,
            Bound::Unbounded => fields.end(),
        };
        self.visit_while(log, fields.back_from(end), |field| !bounds.is_before(field), visit)
    }
}

impl<K: Key, F: OrderedKey, V: Data> MmapMap<K, F, V, ByOrder> {
    /// Visits fields as long as they are in a range.
    fn visit_while(
        &self,
        log: Log<'_>,
        entries: impl Iterator<Item = Entry>,
        is_in: impl Fn(F::View<'_>) -> bool,
        mut visit: impl FnMut(&F, &V) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        for entry in entries.filter(|entry| !entry.is_removed()) {
            let (field, value) = self.table.layout.pair::<F, V>(log.row(entry)?.body())?;
            if !is_in(field.view()) || visit(&field, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
