//! A growing list of items per key.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use holdwater::codec::Reader;
use holdwater::key::{At, Key, KeyGroup};
use holdwater::schema::Data;
use holdwater::state::{Change, Fate, Form, List, LoadError, Op};

use crate::entry::{COUNT_MAX, Entry};
use crate::error::MmapError;
use crate::frozen::MmapFrozen;
use crate::held::state;
use crate::node::Node;
use crate::slot::Slot;
use crate::table::{Table, Write};

/// A growing list of items per key, in a log.
#[derive(Debug)]
pub struct MmapList<K, V> {
    table: Table<Node>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Data> MmapList<K, V> {
    pub(crate) const fn new(table: Table<Node>) -> Self {
        Self { table, types: PhantomData }
    }

    fn encode(&self, item: &V) -> Result<Vec<u8>, MmapError> {
        let mut bytes = Vec::new();
        self.table.layout.encode(item, &mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, group: KeyGroup, key: &[u8], item: &[u8]) -> Result<(), MmapError> {
        self.table.change(group, key.len() + item.len(), |write| push(write, key, item))
    }

    fn drop_list(&mut self, group: KeyGroup, key: &[u8]) -> Result<(), MmapError> {
        self.table.remove(group, |write| write.drop_key(key))
    }

    /// Returns the chunks of a list that are there, in order.
    fn chunks(&self, group: KeyGroup, key: &[u8]) -> Result<Option<Cow<'_, Node>>, MmapError> {
        Ok(self.table.node(group, key)?.filter(|node| node.live > 0))
    }

    /// Shows the items as they are encoded.
    fn each_item(
        &self,
        group: KeyGroup,
        key: &[u8],
        mut show: impl FnMut(&mut Reader<'_>) -> Result<ControlFlow<()>, MmapError>,
    ) -> Result<(), MmapError> {
        let (_, log) = self.table.part(group);
        let Some(node) = self.chunks(group, key)? else { return Ok(()) };
        for chunk in node.chunks().iter().filter(|chunk| !chunk.is_removed()) {
            let row = log.row(*chunk)?;
            let mut reader = Reader::new(row.body());
            for _ in 0..chunk.count() {
                if show(&mut reader)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
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
                    let item: V = form.value(&mut reader)?;
                    let item = self.encode(&item)?;
                    self.append(group, &key, &item)?;
                }
            }
            Op::Remove => self.drop_list(group, &key)?,
            Op::Keep => {
                let (start, kept) = (reader, reader.varint_u64()?);
                // More than there are: the delta stands on another list.
                if kept > self.chunks(group, &key)?.map_or(0, |node| node.live) {
                    return Err(start.fault(holdwater::error::Fault::Range).into());
                }
                self.table.remove(group, |write| keep(write, &key, kept))?;
            }
            Op::Clear => return Err(reader.fault(holdwater::error::Fault::Range).into()),
        }
        Ok(reader.finish()?)
    }
}

state!(MmapList<K: Key, V: Data>);

impl<K: Key, V: Data> List<K, V> for MmapList<K, V> {
    fn push(&mut self, at: At<'_, K>, item: V) -> Result<(), MmapError> {
        let (key, item) = (self.table.key(at)?, self.encode(&item)?);
        self.append(at.group(), &key, &item)
    }

    fn set(&mut self, at: At<'_, K>, items: impl IntoIterator<Item = V>) -> Result<(), MmapError> {
        let key = self.table.key(at)?;
        // Encoded first: an item that is refused leaves the list as it was.
        let items = items.into_iter().map(|item| self.encode(&item));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        self.drop_list(at.group(), &key)?;
        items.iter().try_for_each(|item| self.append(at.group(), &key, item))
    }

    fn items(
        &self,
        at: At<'_, K>,
        mut visit: impl FnMut(&V) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        let key = self.table.key(at)?;
        self.each_item(at.group(), &key, |reader| Ok(visit(&self.table.layout.value(reader)?)))
    }

    fn len(&self, at: At<'_, K>) -> Result<u64, MmapError> {
        let key = self.table.key(at)?;
        Ok(self.chunks(at.group(), &key)?.map_or(0, |node| node.live))
    }

    fn retain(
        &mut self,
        at: At<'_, K>,
        mut fate: impl FnMut(&V) -> Fate<V>,
    ) -> Result<(), MmapError> {
        // What stands before the first item that does not stay is not touched.
        let (key, mut kept, mut rest) = (self.table.key(at)?, 0, None::<Vec<_>>);
        self.each_item(at.group(), &key, |reader| {
            let begin = *reader;
            let item: V = self.table.layout.value(reader)?;
            let bytes = || begin.rest()[..begin.len() - reader.len()].to_vec();
            match (fate(&item), &mut rest) {
                (Fate::Kept, None) => kept += 1,
                (Fate::Kept, Some(rest)) => rest.push(bytes()),
                (Fate::Changed(item), rest) => {
                    rest.get_or_insert_default().push(self.encode(&item)?);
                }
                (Fate::Dropped, rest) => drop(rest.get_or_insert_default()),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let Some(rest) = rest else { return Ok(()) };
        self.table.remove(at.group(), |write| keep(write, &key, kept))?;
        rest.iter().try_for_each(|item| self.append(at.group(), &key, item))
    }

    fn remove(&mut self, at: At<'_, K>) -> Result<(), MmapError> {
        let key = self.table.key(at)?;
        self.drop_list(at.group(), &key)
    }

    fn merge(&mut self, target: At<'_, K>, sources: &[At<'_, K>]) -> Result<(), MmapError> {
        let into = self.table.key(target)?;
        for source in sources {
            let (list, mut items) = (self.table.key(*source)?, Vec::new());
            if list == into {
                continue;
            }
            self.each_item(source.group(), &list, |reader| {
                let item = reader.take(self.table.layout.value_len(reader.rest())?)?;
                items.push(item.to_vec());
                Ok(ControlFlow::Continue(()))
            })?;
            items.iter().try_for_each(|item| self.append(target.group(), &into, item))?;
            self.drop_list(source.group(), &list)?;
        }
        Ok(())
    }

    fn keys(
        &self,
        group: KeyGroup,
        visit: impl FnMut(&K) -> ControlFlow<()>,
    ) -> Result<(), MmapError> {
        self.table.each_key(group, visit)
    }
}

fn push(write: &mut Write<'_, Node>, key: &[u8], item: &[u8]) -> Result<(), MmapError> {
    write.warm(key)?;
    let (hash, now) = (write.layout.hash(key), write.now);
    let found = write.log().node(&write.group.index, hash, key)?;
    let Some((lead, last)) = found.map(|node| (node.lead(), node.chunks().last().copied())) else {
        let place = write.group.append(hash, &[key, item], key.len() + item.len(), key.len());
        let entry = Entry::new(0, now, place).with_count(1);
        write.add_node(Node::new(hash, entry, 1));
        return Ok(());
    };
    write.touch();
    let last = last.filter(|last| !last.is_removed());
    // What was there at the last freeze is not mixed with what comes: a delta holds that alone.
    let grows = last.filter(|last| last.changed() == now && last.count() < COUNT_MAX);
    if let Some(old) = grows
        && old.is_in_tail()
        && write.group.tail.extend(old.place().offset, item)
    {
        write.with_node(hash, lead, |node| {
            if let Some(last) = node.chunks_mut().last_mut() {
                *last = old.with_count(old.count() + 1);
            }
            node.live += 1;
        });
        return Ok(());
    }
    // A list that grows gets more room with each chunk.
    let ahead = match last.filter(|last| last.is_in_tail()) {
        Some(last) => write.group.tail.content(last.place().offset).len() - key.len(),
        None => 0,
    };
    let room = key.len() + item.len() + (ahead * 2).min(ROOM_MAX);
    let place = write.group.append(hash, &[key, item], room, key.len());
    write.with_node(hash, lead, |node| {
        node.chunks_mut().push(Entry::new(0, now, place).with_count(1));
        node.live += 1;
    });
    Ok(())
}

/// Keeps the first items of a list, of which there are as many; a later delta replaces the list.
fn keep(write: &mut Write<'_, Node>, key: &[u8], kept: u64) -> Result<(), MmapError> {
    if kept == 0 {
        return write.drop_key(key);
    }
    write.warm(key)?;
    let (hash, now) = (write.layout.hash(key), write.now);
    let found = write.log().node(&write.group.index, hash, key)?;
    let Some(node) = found.filter(|node| node.live > kept) else { return Ok(()) };
    let lead = node.lead();
    if let Some(chunk) = cut(node.chunks(), kept).filter(|chunk| chunk.is_in_tail()) {
        // It may grow again: behind what is left. A page that is shared was frozen: no chunk in it
        // grows.
        let (log, row) = (write.log(), write.log().row(chunk)?);
        let items = log.items(&row, chunk.count())?;
        let left = key.len() + items.iter().map(|item| item.0.len()).sum::<usize>();
        write.group.rewrite(chunk, left, &[]);
    }
    write.touch();
    let mut gone = Vec::new();
    write.with_node(hash, lead, |node| {
        let mut left = kept;
        node.chunks_mut().retain_mut(|chunk| {
            let count = u64::from(chunk.count()).min(left);
            let stays = chunk.is_removed() || count > 0;
            if stays && !chunk.is_removed() {
                left -= count;
                // At most what it was.
                *chunk = chunk.with_count(count as u32);
            } else if !stays {
                gone.push(*chunk);
            }
            stays
        });
        (node.reset, node.live) = (now, kept);
    });
    gone.into_iter().for_each(|chunk| write.release(chunk));
    Ok(())
}

/// Returns the chunk of which some items stay and others go, with the count of those that stay.
fn cut(chunks: &[Entry], kept: u64) -> Option<Entry> {
    let mut left = kept;
    for chunk in chunks.iter().filter(|chunk| !chunk.is_removed()) {
        match u64::from(chunk.count()) {
            count if count <= left => left -= count,
            // Less than it has.
            _ => return (left > 0).then(|| chunk.with_count(left as u32)),
        }
    }
    None
}

/// The most room that a chunk gets for items to come.
const ROOM_MAX: usize = 8 << 10;
