//! The fields of one key, as bytes: for maps, and for timers, whose fields are times.

use std::ops::ControlFlow;

use holdwater::key::KeyGroup;

use crate::entry::Entry;
use crate::error::MmapError;
use crate::layout::Layout;
use crate::node::{Field, Node};
use crate::slot::Slot;
use crate::table::{Table, Write};

impl Table<Node> {
    /// Shows the value of a field to `read`, if there is one.
    pub(crate) fn find_field<R>(
        &self,
        group: KeyGroup,
        key: &[u8],
        field: &[u8],
        read: impl FnOnce(&[u8]) -> Result<R, MmapError>,
    ) -> Result<Option<R>, MmapError> {
        let (part, log) = self.part(group);
        with_field(&self.layout, field, |field| {
            for node in part.index.candidates(self.layout.hash(key)) {
                let found = node.find(log, &field)?.entry;
                let Some(entry) = found.filter(|entry| !entry.is_removed()) else { continue };
                let row = log.row(entry)?;
                if row.is_of(key)
                    && let Some(value) = row.body().strip_prefix(field.bytes)
                {
                    return read(value).map(Some);
                }
            }
            let found = part.cold_slot(log, key)?.map(|node| node.find(log, &field)).transpose()?;
            let Some(entry) = found.and_then(|found| found.entry) else { return Ok(None) };
            let row = log.row(entry)?;
            row.body().strip_prefix(field.bytes).map(read).transpose()
        })
    }

    /// Shows each field of a key with its value, as encoded, to `show`; those of an ordered map in
    /// order.
    pub(crate) fn each_pair(
        &self,
        group: KeyGroup,
        key: &[u8],
        mut show: impl FnMut(&[u8]) -> Result<ControlFlow<()>, MmapError>,
    ) -> Result<(), MmapError> {
        let (_, log) = self.part(group);
        let Some(node) = self.node(group, key)? else { return Ok(()) };
        for entry in node.iter().filter(|entry| !entry.is_removed()) {
            if show(log.row(entry)?.body())?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns how many fields a key has.
    pub(crate) fn count_fields(&self, group: KeyGroup, key: &[u8]) -> Result<u64, MmapError> {
        Ok(self.node(group, key)?.map_or(0, |node| node.live))
    }
}

/// Prepares a field, as encoded in a row, to be looked for.
pub(crate) fn with_field<R>(
    layout: &Layout,
    bytes: &[u8],
    find: impl FnOnce(Field<'_>) -> Result<R, MmapError>,
) -> Result<R, MmapError> {
    let (hash, ordered) = (layout.hash(bytes), layout.ordered(bytes)?);
    find(Field { bytes, hash, ordered: ordered.as_deref() })
}

/// Stores a value under a field; returns whether the field is new.
pub(crate) fn put_field(
    write: &mut Write<'_, Node>,
    key: &[u8],
    field: &[u8],
    value: &[u8],
) -> Result<bool, MmapError> {
    let layout = write.layout;
    with_field(layout, field, |field| put(write, key, field, value))
}

fn put(
    write: &mut Write<'_, Node>,
    key: &[u8],
    field: Field<'_>,
    value: &[u8],
) -> Result<bool, MmapError> {
    write.warm(key)?;
    let (hash, now) = (write.layout.hash(key), write.now);
    let node = write.log().node(&write.group.index, hash, key)?;
    let found = node.map(|node| node.find(write.log(), &field)).transpose()?;
    let (lead, old) = (node.map(Slot::lead), found.and_then(|found| found.entry));
    let kept = key.len() + field.bytes.len();
    let place = match old {
        Some(entry) if write.group.rewrite(entry, kept, value) => entry.place(),
        _ => {
            let content = [key, field.bytes, value];
            write.group.append(hash, &content, kept + value.len(), key.len())
        }
    };
    let new = Entry::new(field.hash, now, place);
    let (Some(lead), Some(found)) = (lead, found) else {
        write.add_node(Node::with_field(hash, new, &field));
        return Ok(true);
    };
    write.touch();
    let is_new = old.is_none_or(Entry::is_removed);
    write.with_node(hash, lead, |node| {
        node.put(found, new, &field);
        node.live += u64::from(is_new);
    });
    match old {
        Some(old) if old.place() != place => write.release(old),
        Some(old) => *write.removed -= usize::from(old.is_removed()),
        None => {}
    }
    Ok(is_new)
}

/// Drops a field; returns whether it was there.
pub(crate) fn remove_field(
    write: &mut Write<'_, Node>,
    key: &[u8],
    field: &[u8],
) -> Result<bool, MmapError> {
    let layout = write.layout;
    with_field(layout, field, |field| remove(write, key, field))
}

fn remove(write: &mut Write<'_, Node>, key: &[u8], field: Field<'_>) -> Result<bool, MmapError> {
    write.warm(key)?;
    let (hash, now) = (write.layout.hash(key), write.now);
    let Some(node) = write.log().node(&write.group.index, hash, key)? else { return Ok(false) };
    let found = node.find(write.log(), &field)?;
    let Some(old) = found.entry.filter(|entry| !entry.is_removed()) else { return Ok(false) };
    let (lead, is_last) = (node.lead(), node.live == 1);
    write.touch();
    if is_last && write.group.has_one_key() {
        write.lose();
        return Ok(true);
    }
    if write.remembers {
        write.with_node(hash, lead, |node| {
            node.put(found, old.removed(now), &field);
            node.live -= 1;
        });
        *write.removed += 1;
        return Ok(true);
    }
    let others = write.with_node(hash, lead, |node| {
        node.live -= 1;
        node.take(found)
    });
    if others {
        write.release(old);
    } else {
        write.drop_node(hash, old, old);
    }
    Ok(true)
}
