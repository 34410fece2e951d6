//! The node of a key, put together of rows in a file of a checkpoint.

use holdwater::codec::Reader;
use holdwater::error::{Fault, Malformed};
use holdwater::state::Kind;

use crate::cold::ColdRow;
use crate::entry::{BEHIND_KEY, Entry, Place};
use crate::error::MmapError;
use crate::fields;
use crate::layout::body;
use crate::log::Log;
use crate::node::{Field, Node};

/// Adds what a row in a file of a checkpoint holds to the node of its key.
pub(crate) fn gather(
    slot: &mut Option<Node>,
    log: Log<'_>,
    row: ColdRow,
    bytes: &[u8],
) -> Result<(), MmapError> {
    let (key, mut reader) = (log.layout.key_len(bytes)?, Reader::new(bytes));
    reader.take(key)?;
    let (hash, count) = (log.layout.hash(&bytes[..key]), log.layout.form().count(&mut reader)?);
    if count == 0 {
        return Err(reader.fault(Fault::Range).into());
    }
    let at = |reader: &Reader<'_>| bytes.len() - reader.len();
    let entry = |hash, at| {
        let place = Place { piece: row.piece, offset: row.offset, body: body(at) };
        Entry::new(hash, row.changed, place)
    };
    if log.layout.kind() == Kind::List {
        let chunk = entry(0, at(&reader)).with_count(count as u32);
        for _ in 0..count {
            reader.take(log.layout.value_len(reader.rest())?)?;
        }
        match slot {
            None => *slot = Some(Node::new(hash, chunk, count as u64)),
            Some(node) => {
                node.chunks_mut().push(chunk);
                node.live += count as u64;
            }
        }
        return Ok(reader.finish()?);
    }
    for number in 0..count {
        let begin = at(&reader);
        // An entry can say where the first field begins, and others that begin near.
        if number > 0 && begin >= usize::from(BEHIND_KEY) {
            return Err(reader.fault(Fault::Range).into());
        }
        let field = reader.take(log.layout.field_len(reader.rest())?)?;
        reader.take(log.layout.value_len(reader.rest())?)?;
        fields::with_field(log.layout, field, |field| {
            add_field(slot, hash, log, entry(field.hash, begin), &field)
        })?;
    }
    Ok(reader.finish()?)
}

/// Adds a field of a map that is read where it lies.
fn add_field(
    slot: &mut Option<Node>,
    hash: u32,
    log: Log<'_>,
    entry: Entry,
    field: &Field<'_>,
) -> Result<(), MmapError> {
    let Some(node) = slot else {
        *slot = Some(Node::with_field(hash, entry, field));
        return Ok(());
    };
    let found = node.find(log, field)?;
    if found.entry.is_some() {
        return Err(Malformed::new(Fault::Duplicate, 0).into());
    }
    node.put(found, entry, field);
    node.live += 1;
    Ok(())
}
