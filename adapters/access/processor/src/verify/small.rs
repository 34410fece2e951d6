//! Verifies the small files: manifests, claims and records (docs/format.md 6, 7).

use holdwater::error::{Fault, Malformed};
use holdwater::manifest::{CheckpointId, Manifest, Origin, decode_record};
use holdwater::page::{FileKind, HEADER_LEN, Pages, Portable, ReadError, SEAL_LEN, SectionKind};
use holdwater::storage::ObjectId;

use super::damage::Damage;
use super::data::at;

/// Reads a manifest and names what is wrong with it.
pub(super) fn manifest(id: CheckpointId, bytes: &[u8]) -> Result<Manifest, Damage> {
    let file = id.manifest();
    let blocks = container(file, FileKind::Manifest, bytes)?;
    Manifest::from_file(id, bytes).map_err(|malformed| in_body(file, &blocks, malformed))
}

/// Reads a claim.
pub(super) fn claim(file: ObjectId, bytes: &[u8]) -> Result<(), Damage> {
    let blocks = container(file, FileKind::Claim, bytes)?;
    let length: u64 = blocks.iter().map(|(_, length)| length).sum();
    if length > 0 {
        return Err(in_body(file, &blocks, Malformed::new(Fault::Trailing, 0)));
    }
    Ok(())
}

/// Reads a record.
pub(super) fn record(file: ObjectId, bytes: &[u8]) -> Result<Origin, Damage> {
    let blocks = container(file, FileKind::Record, bytes)?;
    decode_record(file.epoch, bytes).map_err(|malformed| in_body(file, &blocks, malformed))
}

/// The offset of each block and the length of its payload.
type Blocks = Vec<(u64, u64)>;

/// Verifies header, seal, blocks and hash.
fn container(file: ObjectId, kind: FileKind, bytes: &[u8]) -> Result<Blocks, Damage> {
    let broken =
        |section: &str, ReadError::Malformed(malformed)| Damage::new(file, section, malformed);
    let mut pages = Pages::open(bytes, Portable)
        .map_err(|ReadError::Malformed(malformed)| ends(file, bytes.len() as u64, malformed))?;
    let header = *pages.header();
    let ObjectId { checkpoint, epoch, attempt, part, .. } = file;
    let named = (checkpoint, epoch, attempt, part);
    if header.kind != kind
        || (header.checkpoint, header.epoch, header.attempt, header.part) != named
    {
        return Err(Damage::new(file, "header", Malformed::new(Fault::Identity, 0)));
    }
    let mut buffer = vec![0; header.block.bytes()];
    let (mut offset, end) = (HEADER_LEN as u64, pages.end());
    let mut blocks = Vec::new();
    while offset < end {
        let block = pages.block(offset, end, &mut buffer);
        let block = block.map_err(|error| broken("body", at(error, offset)))?;
        if block.kind != SectionKind::Body {
            return Err(Damage::new(file, "body", Malformed::new(Fault::Identity, offset)));
        }
        blocks.push((offset, block.payload.len() as u64));
        offset = block.next;
    }
    pages.verify_hash(&mut buffer).map_err(|error| broken("hash of the file", error))?;
    Ok(blocks)
}

/// Says whether it is the header or the seal that is wrong, where a file does not open.
pub(super) fn ends(file: ObjectId, length: u64, malformed: Malformed) -> Damage {
    let Malformed { fault, offset } = malformed;
    let seal = length.saturating_sub(SEAL_LEN as u64);
    if offset < HEADER_LEN as u64 && length >= HEADER_LEN as u64 {
        // The header is checked as a whole.
        return Damage::new(file, "header", Malformed::new(fault, 0));
    }
    let section = if length < HEADER_LEN as u64 { "header" } else { "seal" };
    let start = if section == "header" { 0 } else { seal.max(HEADER_LEN as u64).min(length) };
    Damage::new(file, section, Malformed::new(fault, start))
}

/// Says in which block a body is wrong whose every block is sound.
fn in_body(file: ObjectId, blocks: &Blocks, malformed: Malformed) -> Damage {
    let mut before = 0;
    let mut start = HEADER_LEN as u64;
    for (offset, length) in blocks {
        if before <= malformed.offset {
            start = *offset;
        }
        before += length;
    }
    Damage::new(file, "body", Malformed::new(malformed.fault, start))
}
