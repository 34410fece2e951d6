//! Files made to cost more than they should: small ones that would loop or allocate without end,
//! and large ones whose memory is measured.
//!
//! One test, so that nothing else allocates while memory is measured.

#![allow(clippy::unwrap_used)]

use std::alloc::System;

use holdwater::codec::{Write, write_varint};
use holdwater::error::Fault;
use holdwater::page::{
    BlockSize, FileHeader, FileKind, PageWriter, Portable, RestoreBudget, SectionKind,
};
use holdwater::snapshot::{PartError, Snapshot};
use holdwater::state::{Change, LoadError};
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait};

#[global_allocator]
static MEMORY: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn what_a_file_costs_is_bounded_by_its_length() {
    // Rows of no bytes, 65,535 to each run of three bytes.
    let (unit, text, byte) = (&[1_u8][..], &[0x10_u8][..], &[4_u8][..]);
    let nothing = rows(&state(1, 1, unit, unit), 2, &[1, 0xff, 0xff].repeat(10_000));
    assert_eq!(read(&nothing).err(), Some(Fault::Budget));
    // Lists of items without bytes, and values of elements without bytes.
    let list = [1, 1, 0, 4, 7, 0xff, 0xff, 3].repeat(10_000);
    assert_eq!(read(&rows(&state(2, 1, byte, unit), 2, &list)).err(), Some(Fault::Range));
    let units = [1, 1, 0, 4, 7, 0xff, 0xff, 3];
    assert_eq!(read(&rows(&state(1, 2, byte, &[0x21, 1, 1]), 2, &units)).err(), Some(Fault::Range));
    // A few bytes that claim billions of elements of one byte each.
    let claimed = [1, 1, 0, 6, 7, 0x80, 0x80, 0x80, 0x80, 0x10];
    let optional = [0x21, 3, 0x20, 1, 1];
    assert_eq!(read(&rows(&state(1, 2, byte, &optional), 2, &claimed)).err(), Some(Fault::Budget));
    // A schema of which one byte would have 64 million elements, each in several steps.
    let mut deep = vec![0x24, 2, 1, 1];
    for _ in 0..4 {
        let mut body = Vec::from([0xff, 0x7f]);
        body.append(&mut deep);
        deep.push(0x23);
        write_varint(body.len() as u128, &mut deep).unwrap();
        deep.append(&mut body);
    }
    let row = rows(&state(1, 1, byte, &deep), 2, &[1, 1, 0, 7]);
    assert_eq!(read(&row).err(), Some(Fault::Range));
    // A schema of a bool and 999 units: a thousand steps for each byte.
    let mut wide = vec![0x24, 0xea, 0x07, 0xe8, 0x07, 2];
    wide.extend([1; 999]);
    let run = [&[1, 0xff, 0xff][..], &[0; 200]].concat();
    assert_eq!(read(&rows(&state(1, 1, byte, &wide), 2, &run)).err(), Some(Fault::Budget));

    // A row of 4 MiB, a table of 10,000 states, and one that is longer than it says.
    let mut long = Vec::from([1, 1, 0]);
    let length = 4 << 20;
    write_varint(length + 5, &mut long).unwrap();
    long.push(7);
    write_varint(length, &mut long).unwrap();
    long.resize(long.len() + length as usize, b'x');
    let long = rows(&state(1, 2, byte, text), 2, &long);
    assert_eq!(read(&long), Ok(1));
    let states = state(1, 1, byte, byte).repeat(10_000);
    let mut table = Vec::from([1, b'o', 1, 0, 1]);
    write_varint(10_000, &mut table).unwrap();
    table.extend(states);
    let wide = file(&table, &[]);
    assert_eq!(read(&wide), Err(Fault::Budget), "no more than is published");
    for end in [100, 5_000, wide.len() / 2] {
        assert!(read(&wide[..end]).is_err());
    }
}

/// Reads a snapshot to its last row, and checks what that takes; returns how many rows there are.
fn read(bytes: &[u8]) -> Result<usize, Fault> {
    MEMORY.reset_peak_memory();
    let result = read_all(bytes);
    let (peak, most) =
        (MEMORY.get_peak_memory() as u64, RestoreBudget::of_snapshot(bytes.len() as u64));
    println!("{} bytes: {result:?}, {peak} bytes of memory", bytes.len());
    assert!(peak <= most.memory, "{peak} bytes of memory for {} bytes", bytes.len());
    result
}

fn read_all(bytes: &[u8]) -> Result<usize, Fault> {
    let fault = |error: PartError<_, std::convert::Infallible>| match error {
        PartError::Malformed(malformed) => malformed.fault,
        error => panic!("{error:?}"),
    };
    let mut snapshot = Snapshot::open(bytes, Portable).map_err(|error| fault(error.into()))?;
    let mut rows = 0;
    for part in snapshot.parts().map_err(|error| fault(error.into()))? {
        let count = |_: Change<'_>| {
            rows += 1;
            Ok::<(), LoadError<std::convert::Infallible>>(())
        };
        snapshot.rows(part, count).map_err(fault)?;
    }
    Ok(rows)
}

/// A state of the table (docs/format.md 5.1).
fn state(kind: u8, encoding: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut state = vec![1, b's', kind, 0, encoding];
    for schema in [key, &[], &[], value] {
        write_varint(schema.len() as u128, &mut state).unwrap();
        state.extend_from_slice(schema);
    }
    state
}

/// A file with one state and one part of `shape` that has these runs.
fn rows(state: &[u8], shape: u8, runs: &[u8]) -> Vec<u8> {
    let table = [&[1, b'o', 1, 0, 1, 1], state].concat();
    let mut part = vec![0, 0, 0, 0, shape, 0, 0, 0];
    for number in [1_u64, 1, 0] {
        part.extend(number.to_le_bytes());
    }
    part.extend_from_slice(runs);
    // The end of the rows, one row, and no digest.
    part.push(0);
    part.extend(1_u64.to_le_bytes());
    part.extend([0; 16]);
    file(&table, &[part])
}

/// A snapshot file with all of its checksums.
fn file(table: &[u8], parts: &[Vec<u8>]) -> Vec<u8> {
    let header = FileHeader {
        kind: FileKind::Snapshot,
        block: BlockSize::HOST,
        job: 1,
        checkpoint: 1,
        epoch: 1,
        attempt: 0,
        part: 0,
    };
    let mut buffer = vec![0; header.block.bytes()];
    let mut pages = PageWriter::new(&header, Vec::new(), &mut buffer, Portable).unwrap();
    pages.begin(SectionKind::Table).unwrap();
    pages.write(table).unwrap();
    pages.end().unwrap();
    let mut index = (parts.len() as u32).to_le_bytes().to_vec();
    for part in parts {
        let from = pages.begin(SectionKind::Part).unwrap();
        pages.write(part).unwrap();
        let to = pages.end().unwrap();
        index.extend([0, 0, 0, 0, part[4], 0, 0, 0]);
        for number in [0, from, to - from, 1] {
            index.extend(number.to_le_bytes());
        }
        index.extend([0; 16]);
    }
    let at = pages.begin(SectionKind::Index).unwrap();
    pages.write(&index).unwrap();
    pages.end().unwrap();
    pages.finish(at).unwrap().1
}
