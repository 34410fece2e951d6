use std::fs::File;
use std::io::Write as _;

use holdwater::codec::Encoding;
use holdwater::key::KeyGroup;
use holdwater::page::{BlockSize, FileHeader, FileKind};
use holdwater::snapshot::{Snapshot, SnapshotWriter, TableHead};
use holdwater::state::{Descriptor, Frozen, Kind, Moment, RowWriter, SaveError, Shape};

use super::*;

/// Rows of growing length: some lie in one block, some in several.
struct Texts;

fn text(number: u32) -> String {
    number.to_string().repeat(1 + 7 * number as usize)
}

impl Frozen for Texts {
    type Error = MmapError;

    fn shape(&self, _: KeyGroup) -> Shape {
        Shape::Full
    }

    fn save(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<MmapError>> {
        (0..ROWS).try_for_each(|number| {
            out.value(&(number * 2 + u32::from(group.index())), &text(number))
        })?;
        Ok(())
    }

    fn get(
        &self,
        _: KeyGroup,
        _: &[u8],
        _: &mut RowWriter<'_>,
    ) -> Result<(), SaveError<MmapError>> {
        Ok(())
    }

    fn scan(&self, group: KeyGroup, out: &mut RowWriter<'_>) -> Result<(), SaveError<MmapError>> {
        self.save(group, out)
    }
}

const ROWS: u32 = 20;

/// Returns a file of two parts.
fn file() -> Vec<u8> {
    let description = Descriptor::<u32, String>::new("texts").describe(Kind::Value).unwrap();
    assert_eq!(description.encoding, Encoding::Postcard);
    let (kind, block) = (FileKind::Snapshot, BlockSize::SMALL);
    let header = FileHeader { kind, block, job: 0, checkpoint: 1, epoch: 0, attempt: 0, part: 0 };
    let (mut buffer, states) = (vec![0; block.bytes()], std::iter::once(&description));
    let head = TableHead { operator: "", groups: 2, moment: Moment { now: 0, watermark: 0 } };
    let writer = SnapshotWriter::new(header, head, states, Vec::new(), &mut buffer, Portable);
    let mut writer = writer.unwrap();
    let parts = [0, 1].map(|group| {
        writer.part(0, &description, &Texts, KeyGroup::new(group), 0).unwrap().unwrap()
    });
    writer.finish(&parts).unwrap().1
}

/// Opens a piece on `bytes`; the parts are those of the undamaged file.
fn open(bytes: &[u8], parts: &[PartEntry], maps: bool) -> Result<(Piece, File), MmapError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let map = maps.then(|| Arc::new(Mapping::new(&file).unwrap()));
    let kept = file.try_clone().unwrap();
    let source = match &map {
        Some(map) => Source::Mapped(map.clone()),
        None => Source::File(Arc::new(file)),
    };
    let pages = Pages::open(source, Portable);
    let pages = pages.map_err(|error| MmapError::reading("texts", error))?;
    Ok((Piece::new("texts".into(), pages, parts.iter().map(SectionAt::from), map), kept))
}

/// Returns the parts, and the offset and content of each row.
fn rows(bytes: &[u8]) -> (Vec<PartEntry>, Vec<(u64, Vec<u8>)>) {
    let mut snapshot = Snapshot::open(bytes, Portable).unwrap();
    let (parts, mut rows) = (snapshot.parts().unwrap(), Vec::new());
    for part in &parts {
        let read = snapshot.rows_at::<MmapError>(*part, |offset, change| {
            rows.push((offset, change.row.to_vec()));
            Ok(())
        });
        read.unwrap();
    }
    (parts, rows)
}

#[test]
fn rows_are_read_where_they_lie_in_any_order() {
    let bytes = file();
    let (parts, rows) = rows(&bytes);
    assert_eq!(rows.len(), 2 * ROWS as usize);
    for maps in [true, false] {
        let (piece, _file) = open(&bytes, &parts, maps).unwrap();
        for (offset, row) in rows.iter().rev().chain(&rows) {
            assert_eq!(*piece.row(*offset, Extent::Counted).unwrap(), **row);
            // Behind the length, of one byte or two.
            let begin = Extent::Bytes(2 + usize::from(row.len() > 127));
            assert!(piece.row(*offset, begin).unwrap().ends_with(&row[..1]));
        }
        assert!(piece.row(0, Extent::Counted).is_err());
        assert!(piece.row(bytes.len() as u64, Extent::Counted).is_err());
    }
}

#[test]
fn a_changed_byte_is_an_error_of_the_rows_in_its_block_and_of_no_other() {
    let bytes = file();
    let (parts, rows) = rows(&bytes);
    let (first, last) = (parts[0].offset, parts[1].offset + parts[1].length);
    for (at, maps) in (first..last).step_by(3).flat_map(|at| [(at, true), (at, false)]) {
        let mut damaged = bytes.clone();
        damaged[at as usize] ^= 1;
        let (piece, _file) = open(&damaged, &parts, maps).unwrap();
        let mut refused = 0;
        for (offset, row) in &rows {
            match piece.row(*offset, Extent::Counted) {
                Ok(read) => assert_eq!(*read, **row),
                Err(MmapError::Damaged { malformed, .. }) => {
                    assert!(at.abs_diff(malformed.offset) < 512, "{at}: {malformed}");
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        let part = parts.iter().rfind(|part| part.offset <= at).unwrap();
        let block = at - (at - part.offset) % 512;
        let end = (block + 512).min(part.offset + part.length);
        let has_row = |(offset, _): &(u64, Vec<u8>)| (block..end).contains(offset);
        let least = usize::from(rows.iter().any(has_row));
        assert!((least..12).contains(&refused), "{refused} rows were refused for byte {at}");
    }
}

#[test]
fn a_file_that_was_cut_is_an_error_where_it_is_read_by_calls_to_the_system() {
    let bytes = file();
    let (parts, rows) = rows(&bytes);
    for length in (0..bytes.len()).step_by(7) {
        assert!(open(&bytes[..length], &parts, false).is_err(), "cut to {length}");
        let (piece, file) = open(&bytes, &parts, false).unwrap();
        file.set_len(length as u64).unwrap();
        for (offset, row) in &rows {
            match piece.row(*offset, Extent::Counted) {
                Ok(read) => assert_eq!(*read, **row),
                Err(MmapError::Damaged { .. }) => {
                    assert!(*offset + row.len() as u64 + 512 > length as u64);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
