//! One value per key.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::Data;
use holdwater::state::{Change, Form, LoadError, Loan, Op, Value};

use crate::entry::Entry;
use crate::error::MmapError;
use crate::frozen::MmapFrozen;
use crate::held::state;
use crate::index::Hashed;
use crate::table::{Table, Write};

/// One value per key, in a log.
#[derive(Debug)]
pub struct MmapValue<K, V> {
    table: Table<Entry>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Data> MmapValue<K, V> {
    pub(crate) const fn new(table: Table<Entry>) -> Self {
        Self { table, types: PhantomData }
    }

    fn read(&self, group: KeyGroup, key: &[u8]) -> Result<Option<V>, MmapError> {
        let (part, log) = self.table.part(group);
        for entry in part.index.candidates(self.table.layout.hash(key)) {
            let row = log.row(*entry)?;
            if row.is_of(key) {
                return match entry.is_removed() {
                    true => Ok(None),
                    false => Ok(Some(self.decode(row.body())?)),
                };
            }
        }
        match part.cold_slot(log, key)? {
            Some(entry) => Ok(Some(self.decode(log.row(entry)?.body())?)),
            None => Ok(None),
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, MmapError> {
        let mut reader = Reader::new(bytes);
        let value = self.table.layout.value(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    fn store(&mut self, group: KeyGroup, key: &[u8], value: &V) -> Result<(), MmapError> {
        let mut bytes = Vec::new();
        self.table.layout.encode(value, &mut bytes)?;
        self.table.change(group, key.len() + bytes.len(), |write| put(write, key, &bytes))
    }

    fn drop_row(&mut self, group: KeyGroup, key: &[u8]) -> Result<(), MmapError> {
        self.table.remove(group, |write| remove(write, key))
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
                let (start, value) = (reader, form.value(&mut reader)?);
                reader.finish()?;
                if form.fresh && self.read(group, &key)?.is_some() {
                    return Err(start.fault(Fault::Duplicate).into());
                }
                self.store(group, &key, &value)?;
            }
            Op::Remove => {
                reader.finish()?;
                self.drop_row(group, &key)?;
            }
            Op::Clear | Op::Keep => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(())
    }
}

state!(MmapValue<K: Key, V: Data>);

impl<K: Key, V: Data> Value<K, V> for MmapValue<K, V> {
    fn get(&self, at: At<'_, K>) -> Result<Option<Loan<'_, V>>, MmapError> {
        Ok(self.read(at.group(), &self.table.key(at)?)?.map(Loan::Decoded))
    }

    fn put(&mut self, at: At<'_, K>, value: V) -> Result<(), MmapError> {
        let key = self.table.key(at)?;
        self.store(at.group(), &key, &value)
    }

    fn update<R>(
        &mut self,
        at: At<'_, K>,
        init: impl FnOnce() -> V,
        edit: impl FnOnce(&mut V) -> R,
    ) -> Result<R, MmapError> {
        let key = self.table.key(at)?;
        let mut value = self.read(at.group(), &key)?.unwrap_or_else(init);
        let result = edit(&mut value);
        self.store(at.group(), &key, &value)?;
        Ok(result)
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), MmapError> {
        let key = self.table.key(at)?;
        self.drop_row(at.group(), &key)
    }

    fn visit(
        &self,
        group: KeyGroup,
        mut visit: impl FnMut(&K, &V) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        let Some((part, log)) = self.table.visited(group) else { return Ok(()) };
        for entry in part.index.iter().filter(|entry| !entry.is_removed()) {
            let row = log.row(*entry)?;
            let (key, value) = (self.table.layout.key(&row.bytes)?, self.decode(row.body())?);
            if visit(&key, &value).is_break() {
                return Ok(());
            }
        }
        for entry in part.cold_slots(log)? {
            let row = log.row(entry?)?;
            let (key, value) = (self.table.layout.key(&row.bytes)?, self.decode(row.body())?);
            if visit(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Returns the entry of a key, which may be removed.
fn find(write: &Write<'_, Entry>, hash: u32, key: &[u8]) -> Result<Option<Entry>, MmapError> {
    for entry in write.group.index.candidates(hash) {
        if write.log().row(*entry)?.is_of(key) {
            return Ok(Some(*entry));
        }
    }
    Ok(None)
}

fn put(write: &mut Write<'_, Entry>, key: &[u8], value: &[u8]) -> Result<(), MmapError> {
    write.warm(key)?;
    let (hash, now) = (write.layout.hash(key), write.now);
    let found = find(write, hash, key)?;
    write.touch();
    let place = match found {
        Some(entry) if write.group.rewrite(entry, key.len(), value) => entry.place(),
        _ => {
            let content = [key, value];
            write.group.append(hash, &content, key.len() + value.len(), key.len())
        }
    };
    let new = Entry::new(hash, now, place);
    let Some(old) = found else {
        write.group.index.insert(new);
        write.group.rows += 1;
        return Ok(());
    };
    if old.place() == place {
        *write.removed -= usize::from(old.is_removed());
    } else {
        write.release(old);
    }
    write.group.rows += u64::from(old.is_removed());
    *write.entry_mut(old) = new;
    Ok(())
}

/// Drops the value of a key.
pub(crate) fn remove(write: &mut Write<'_, Entry>, key: &[u8]) -> Result<(), MmapError> {
    write.warm(key)?;
    let (hash, now) = (write.layout.hash(key), write.now);
    let found = find(write, hash, key)?.filter(|entry| !entry.is_removed());
    let Some(old) = found else { return Ok(()) };
    write.touch();
    if write.lose() {
        return Ok(());
    }
    if write.remembers {
        *write.entry_mut(old) = old.removed(now);
        *write.removed += 1;
    } else {
        write.group.index.remove(old.hash(), |entry| *entry == old);
        write.release(old);
    }
    Ok(())
}

impl Write<'_, Entry> {
    fn entry_mut(&mut self, old: Entry) -> &mut Entry {
        let found = self.group.index.find_mut(old.hash(), |entry| *entry == old);
        found.expect("an entry that was found is there")
    }
}

impl From<MmapError> for LoadError<MmapError> {
    fn from(error: MmapError) -> Self {
        Self::State(error)
    }
}
