//! Makes checksums, hashes and places of a file right again after it was changed, so that what was
//! changed reaches the decoders behind them.

use holdwater::page::{
    BLOCK_HEAD_LEN, Checksum, HEADER_LEN, MAGIC, Portable, SEAL_LEN, SectionKind, VERSION,
};
use holdwater::snapshot::INDEX_ENTRY_LEN;
use xxhash_rust::xxh3::xxh3_128;

/// Seals `bytes` again as a file of blocks: header, heads of blocks, places in the index, seal.
///
/// Lengths of blocks are kept where they can be. The content of sections is left as it is, but for
/// the places that the index of a snapshot gives.
pub fn reseal(bytes: &mut [u8]) {
    let Some(end) = bytes.len().checked_sub(SEAL_LEN).filter(|end| *end >= HEADER_LEN) else {
        return;
    };
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[52..60].fill(0);
    let header = checksum(&[&bytes[..60]]);
    bytes[60..64].copy_from_slice(&header.to_le_bytes());

    let blocks = cut(bytes, end);
    let index = place_parts(bytes, &blocks);
    for block in &blocks {
        seal_block(bytes, header, block.from, block.to);
    }
    let length = bytes.len() as u64;
    bytes[end..end + 8].copy_from_slice(&[0x7f, 0, 0, 0, 0, 0, 0, 0]);
    bytes[end + 8..end + 16].copy_from_slice(&length.to_le_bytes());
    bytes[end + 16..end + 24].copy_from_slice(&(index as u64).to_le_bytes());
    let hash = xxh3_128(&bytes[..end + 24]);
    bytes[end + 24..].copy_from_slice(&hash.to_le_bytes());
    seal_block(bytes, header, end, bytes.len());
}

struct Block {
    from: usize,
    to: usize,
    kind: u8,
}

/// Cuts what lies between header and seal into blocks that fill it.
fn cut(bytes: &mut [u8], end: usize) -> Vec<Block> {
    let (mut blocks, mut from) = (Vec::new(), HEADER_LEN);
    while end - from >= BLOCK_HEAD_LEN {
        let [_, a, b, c] = bytes[from..from + 4] else { unreachable!("four bytes") };
        let room = end - from - BLOCK_HEAD_LEN;
        let mut length = (u32::from_le_bytes([a, b, c, 0]) as usize).min(room);
        // What is left must be a block too, or nothing.
        if room - length < BLOCK_HEAD_LEN {
            length = room.min((1 << 24) - 1);
        }
        let [a, b, c, _] = (length as u32).to_le_bytes();
        bytes[from + 1..from + 4].copy_from_slice(&[a, b, c]);
        let to = from + BLOCK_HEAD_LEN + length;
        blocks.push(Block { from, to, kind: bytes[from] });
        from = to;
    }
    blocks
}

/// Writes into the index where the parts lie; returns its own offset, or 0.
fn place_parts(bytes: &mut [u8], blocks: &[Block]) -> usize {
    let Some(index) = blocks.iter().find(|block| block.kind == INDEX) else { return 0 };
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for block in blocks {
        match (block.kind, parts.last_mut()) {
            (PART, _) => parts.push((block.from, block.to)),
            (kind, Some(last)) if kind == PART | 0x80 => last.1 = block.to,
            _ => {}
        }
    }
    let entries = &mut bytes[index.from + BLOCK_HEAD_LEN..index.to];
    if entries.len() >= 4 {
        let count = ((entries.len() - 4) / INDEX_ENTRY_LEN) as u32;
        entries[..4].copy_from_slice(&count.to_le_bytes());
        for (entry, (from, to)) in entries[4..].chunks_exact_mut(INDEX_ENTRY_LEN).zip(parts) {
            entry[16..24].copy_from_slice(&(from as u64).to_le_bytes());
            entry[24..32].copy_from_slice(&((to - from) as u64).to_le_bytes());
        }
    }
    index.from
}

fn seal_block(bytes: &mut [u8], header: u32, from: usize, to: usize) {
    let (seed, offset) = (header.to_le_bytes(), (from as u64).to_le_bytes());
    let (mark, payload) = (&bytes[from..from + 4], &bytes[from + BLOCK_HEAD_LEN..to]);
    let crc = checksum(&[&seed, &offset, mark, payload]);
    bytes[from + 4..from + 8].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(pieces: &[&[u8]]) -> u32 {
    let mut four = [&[][..]; 4];
    four[..pieces.len()].copy_from_slice(pieces);
    Portable.of(four)
}

const PART: u8 = code(SectionKind::Part);
const INDEX: u8 = code(SectionKind::Index);

/// The codes of docs/format.md 3.2.
const fn code(kind: SectionKind) -> u8 {
    match kind {
        SectionKind::Table => 1,
        SectionKind::Part => 2,
        SectionKind::Index => 3,
        SectionKind::Body => 4,
        SectionKind::Locator => 5,
    }
}

#[cfg(test)]
mod tests {
    use holdwater::manifest::{CheckpointId, Manifest};
    use holdwater::snapshot::Snapshot;
    use holdwater::storage::ObjectKind;

    use super::*;
    use crate::job::{JOB, directory};

    #[test]
    fn a_sound_file_stays_as_it_is() {
        for (id, bytes) in directory(JOB, 0).objects {
            let mut sealed = bytes.to_vec();
            reseal(&mut sealed);
            assert_eq!(sealed, *bytes, "{id}");
        }
    }

    #[test]
    fn any_bytes_behind_a_sound_header_are_opened_once_sealed() {
        for (id, bytes) in directory(JOB, 0).objects {
            for at in HEADER_LEN..bytes.len() {
                let mut changed = bytes.to_vec();
                changed[at] ^= 0x55;
                reseal(&mut changed);
                let at_fault = match id.kind {
                    ObjectKind::Manifest => {
                        let id = CheckpointId::of_manifest(id).unwrap();
                        Manifest::from_file(id, &changed).err()
                    }
                    ObjectKind::Data => match Snapshot::open(&changed[..], Portable) {
                        Err(holdwater::page::ReadError::Malformed(malformed)) => Some(malformed),
                        Ok(_) => None,
                    },
                    _ => None,
                };
                let checksum = holdwater::error::Fault::Checksum;
                assert!(at_fault.is_none_or(|found| found.fault != checksum), "{id}, byte {at}");
            }
        }
    }
}
