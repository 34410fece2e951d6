//! Verifies files that a store wrote as its own: by length and hash (docs/format.md 6.1).

use holdwater::error::{Fault, Malformed};
use holdwater::manifest::FileEntry;
use holdwater::page::ReadAt;
use xxhash_rust::xxh3::Xxh3;

use super::damage::{Damage, What};
use super::data::Checked;
use crate::directory::Object;
use crate::place::Place;

/// Reads a whole file, which a manifest names so.
pub(super) fn check(files: &Place, entry: &FileEntry) -> Checked {
    Checked::of(read(files, entry).err().into_iter().collect())
}

fn read(files: &Place, entry: &FileEntry) -> Result<(), Damage> {
    let id = entry.id;
    let mut object = Object::new(files, id);
    let length = object.length().map_err(|unread| Damage::unread(id, &unread))?;
    if length != entry.length {
        let what = What::Length { expected: entry.length, found: length };
        let (section, offset) = ("end of the file".to_owned(), length.min(entry.length));
        return Err(Damage { file: id, section, offset, what });
    }
    let (mut hash, mut offset, mut buffer) = (Xxh3::new(), 0, vec![0; PIECE_BYTES]);
    while offset < length {
        let read = object.read_at(offset, &mut buffer);
        let count = read.map_err(|unread| Damage::unread(id, &unread))?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        offset += count as u64;
    }
    if hash.digest128() == entry.hash {
        Ok(())
    } else {
        Err(Damage::new(id, "file of a store", Malformed::new(Fault::Checksum, 0)))
    }
}

/// How much is read at once.
const PIECE_BYTES: usize = 1 << 18;
