use core::marker::PhantomData;
use core::ops::ControlFlow;

use alloc::vec::Vec;
use holdwater::codec::Reader;
use holdwater::error::Fault;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::Data;
use holdwater::state::{Change, Fate, Form, List, LoadError, Op};

use crate::rows::Content;
use crate::{ByteTable, BytesError, Rows};

/// A row is an item of the list of a key.
#[derive(Debug)]
pub struct Item<V>(PhantomData<fn() -> V>);

impl<T: ByteTable, K: Key, V: Data> Rows<T, K, Item<V>> {
    fn encoded(&self, item: &V) -> Result<Vec<u8>, BytesError<T::Error>> {
        let mut bytes = Vec::new();
        self.layout.encode(item, &mut bytes)?;
        Ok(bytes)
    }

    /// Returns the rank of the next item: how many items there are, as long as none was dropped
    /// before others.
    fn end(&self, list: &[u8]) -> Result<u64, BytesError<T::Error>> {
        Ok(self.last(list, |row| row.rank + 1)?.unwrap_or(0))
    }

    fn append(
        &mut self,
        list: &[u8],
        items: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<(), BytesError<T::Error>> {
        for (rank, item) in (self.end(list)?..).zip(items) {
            self.put_row(&ranked(list, rank), &item)?;
            self.keys.add(list, rank == 0);
        }
        Ok(())
    }

    /// Drops the items from `rank` on.
    fn keep(&mut self, list: &[u8], rank: u64) -> Result<(), BytesError<T::Error>> {
        let rows = self.all_from(&ranked(list, rank), list)?;
        rows.iter().try_for_each(|row| self.delete_row(row))?;
        let gone = !rows.is_empty() && !self.has(list)?;
        self.keys.remove(list, gone);
        Ok(())
    }
}

impl<T: ByteTable, K: Key, V: Data> List<K, V> for Rows<T, K, Item<V>> {
    fn push(&mut self, at: At<'_, K>, item: V) -> Result<(), BytesError<T::Error>> {
        let (list, item) = (self.prefix(at)?, self.encoded(&item)?);
        self.append(&list, [item])
    }

    fn set(
        &mut self,
        at: At<'_, K>,
        items: impl IntoIterator<Item = V>,
    ) -> Result<(), BytesError<T::Error>> {
        let list = self.prefix(at)?;
        // Encoded first: an item that is refused leaves the list as it was.
        let items = items.into_iter().map(|item| self.encoded(&item));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        self.keep(&list, 0)?;
        self.append(&list, items)
    }

    fn items(
        &self,
        at: At<'_, K>,
        mut visit: impl FnMut(&V) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        self.each(&self.prefix(at)?, |_, item| Ok(visit(&self.layout.value(item)?)))
    }

    fn len(&self, at: At<'_, K>) -> Result<u64, BytesError<T::Error>> {
        let list = self.prefix(at)?;
        // Of items that expire, some may be gone from the middle.
        match self.layout.description.stamped {
            None => self.end(&list),
            Some(_) => Ok(self.all(&list)?.len() as u64),
        }
    }

    fn retain(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&V) -> Fate<V>,
    ) -> Result<(), BytesError<T::Error>> {
        // What stands before the first item that does not stay is not touched.
        let (list, mut first, mut rest) = (self.prefix(at)?, None, Vec::new());
        self.each(&list, |row, item| {
            match fate(&self.layout.value(item)?) {
                Fate::Kept if first.is_none() => return Ok(ControlFlow::Continue(())),
                Fate::Kept => rest.push(item.to_vec()),
                Fate::Changed(item) => rest.push(self.encoded(&item)?),
                Fate::Dropped => {}
            }
            first.get_or_insert(row.rank);
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some(first) = first {
            self.keep(&list, first)?;
            self.append(&list, rest)?;
        }
        Ok(())
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), BytesError<T::Error>> {
        let list = self.prefix(at)?;
        self.keep(&list, 0)
    }

    fn merge(
        &mut self,
        target: At<'_, K>,
        sources: &[At<'_, K>],
    ) -> Result<(), BytesError<T::Error>> {
        let into = self.prefix(target)?;
        for source in sources {
            let (list, mut items) = (self.prefix(*source)?, Vec::new());
            if list == into {
                continue;
            }
            self.each(&list, |_, item| {
                items.push(item.into());
                Ok(ControlFlow::Continue(()))
            })?;
            self.append(&into, items)?;
            self.keep(&list, 0)?;
        }
        Ok(())
    }

    fn keys(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), BytesError<T::Error>> {
        self.each_key(group, visit)
    }
}

impl<V: Data> Content for Item<V> {
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
                    let item = form.value(&mut reader)?;
                    rows.push(at, item).map_err(LoadError::State)?;
                }
            }
            Op::Remove => rows.remove(at).map_err(LoadError::State)?,
            Op::Keep => {
                let (start, kept) = (reader, reader.varint_u64()?);
                let list = rows.prefix(at).map_err(LoadError::State)?;
                // More than there are: the delta stands on another list.
                if kept > rows.end(&list).map_err(LoadError::State)? {
                    return Err(start.fault(Fault::Range).into());
                }
                rows.keep(&list, kept).map_err(LoadError::State)?;
            }
            Op::Clear => return Err(reader.fault(Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}

fn ranked(list: &[u8], rank: u64) -> Vec<u8> {
    [list, &rank.to_be_bytes()].concat()
}
