use std::vec;
use std::vec::Vec;

use super::*;
use crate::codec::Write;

const HEADER: FileHeader = FileHeader {
    kind: FileKind::Snapshot,
    block: BlockSize::SMALL,
    job: 7,
    checkpoint: 3,
    epoch: 2,
    attempt: 1,
    part: 4,
};

fn file(header: &FileHeader, content: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; header.block.bytes()];
    let mut pages = PageWriter::new(header, Vec::new(), &mut buffer, Portable).unwrap();
    pages.begin(SectionKind::Table).unwrap();
    pages.write(b"table").unwrap();
    let part = pages.begin(SectionKind::Part).unwrap();
    pages.write(content).unwrap();
    pages.end().unwrap();
    pages.finish(part).unwrap().1
}

fn read(bytes: &[u8], count: usize) -> Result<Vec<u8>, ReadError<core::convert::Infallible>> {
    let mut pages = Pages::open(bytes, Portable)?;
    if *pages.header() != HEADER {
        return Err(Malformed::new(Fault::Identity, 0).into());
    }
    let (mut buffer, mut spill) = (vec![0; HEADER.block.bytes()], Vec::new());
    pages.verify_hash(&mut buffer)?;
    let (part, end) = (pages.index(), pages.end());
    let mut section = pages.section(SectionKind::Part, part, end, &mut buffer, &mut spill)?;
    let found = section.bytes(count)?.to_vec();
    assert!(section.is_finished());
    Ok(found)
}

#[test]
fn a_section_longer_than_a_block_reads_back_whole() {
    let content: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
    assert_eq!(read(&file(&HEADER, &content), 5000).unwrap(), content);
    assert_eq!(read(&file(&HEADER, &[]), 0).unwrap(), []);
}

#[test]
fn a_length_beyond_the_section_is_refused_without_gathering_anything() {
    let bytes = file(&HEADER, &[1, 2, 3]);
    let mut pages = Pages::open(&bytes[..], Portable).unwrap();
    let (part, end) = (pages.index(), pages.end());
    let (mut buffer, mut spill) = (vec![0; 512], Vec::new());
    let mut section = pages.section(SectionKind::Part, part, end, &mut buffer, &mut spill).unwrap();
    assert!(section.bytes(1 << 40).is_err());
    assert_eq!(spill.capacity(), 0);
}

#[test]
fn every_changed_byte_and_every_truncation_is_found() {
    let content = [5; 700];
    let bytes = file(&HEADER, &content);
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            assert!(read(&bytes, 700).is_err(), "byte {at} ^ {flip}");
        }
        assert!(read(&bytes[..at], 700).is_err(), "cut at {at}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(read(&longer, 700).is_err());
}

#[test]
fn a_block_in_another_place_or_file_is_refused() {
    let bytes = file(&HEADER, &[9; 1500]);
    let other = file(&FileHeader { part: 5, ..HEADER }, &[9; 1500]);
    let first = HEADER_LEN + BLOCK_HEAD_LEN + 5;
    let (a, b) = (first..first + 512, first + 512..first + 1024);
    let mut swapped = bytes.clone();
    swapped[a.clone()].copy_from_slice(&bytes[b]);
    assert!(read(&swapped, 1500).is_err());
    let mut foreign = bytes;
    foreign[a.clone()].copy_from_slice(&other[a]);
    assert!(read(&foreign, 1500).is_err());
}

#[test]
fn both_checksums_are_crc_32c() {
    for checksum in [&Portable as &dyn Checksum, &Compact] {
        assert_eq!(checksum.of([b"1234", b"", b"567", b"89"]), 0xe306_9283);
        let whole = checksum.extend(0, b"123456789");
        assert_eq!((whole, checksum.extend(0, b"")), (0xe306_9283, 0));
    }
}

#[test]
fn a_newer_version_is_named_as_such() {
    let mut bytes = HEADER.encode(&Portable);
    bytes[8] = 2;
    let crc = Portable.of([&bytes[..60], &[], &[], &[]]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    let error = FileHeader::decode(&bytes, &Portable).unwrap_err();
    assert_eq!(error, Malformed::new(Fault::Version, 8));
}

#[test]
fn a_damaged_length_is_told_at_the_start_of_its_block() {
    let mut bytes = file(&HEADER, &[9; 100]);
    // The length of the part's block, behind header, table block and kind.
    let block = HEADER_LEN + BLOCK_HEAD_LEN + 5;
    bytes[block + 3] = 0xff;
    let mut pages = Pages::open(&bytes[..], Portable).unwrap();
    let (part, end) = (pages.index(), pages.end());
    let error = pages.block(part, end, &mut [0; 512]).unwrap_err();
    assert_eq!(error, ReadError::Malformed(Malformed::new(Fault::End, block as u64)));
}
