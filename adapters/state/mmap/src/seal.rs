//! Seals the tail: a snapshot file of its rows, by group, which are read there from then on.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;

use holdwater::codec::{Reader, Write};
use holdwater::error::{Fault, Malformed};
use holdwater::key::KeyGroup;
use holdwater::page::{FileHeader, FileKind, Pages, Portable};
use holdwater::snapshot::{PartEntry, PartError, Snapshot, SnapshotWriter, TableHead, WriteError};
use holdwater::state::{Change, Kind, LoadError, Moment, Op};

use crate::entry::{Entry, Place};
use crate::error::MmapError;
use crate::frozen::MmapFrozen;
use crate::layout::{Layout, body};
use crate::mapping::Mapping;
use crate::piece::{Piece, SectionAt};
use crate::slot::{Slot, What};
use crate::source::Source;
use crate::table::Table;
use crate::tail::Tail;

impl<S: Slot> Table<S> {
    /// Makes room in the tail: drops what nobody names if that is much, else seals it.
    pub(crate) fn relieve(&mut self, is_short: bool) -> Result<(), MmapError> {
        let live: usize = self.parts.iter().map(|group| group.tail.live()).sum();
        if live == 0 || (live * 2 < self.tail_bytes() && !is_short) {
            for position in 0..self.parts.len() {
                self.parts[position].tidy();
                self.count(position);
            }
            return Ok(());
        }
        self.seal()?;
        self.consider();
        Ok(())
    }

    /// Writes the rows of the tail to a file, and reads them there from now on.
    ///
    /// After an error rows lie where they lay, or in the file.
    pub(crate) fn seal(&mut self) -> Result<(), MmapError> {
        self.files.made += 1;
        let name: Box<str> = format!("segment {}", self.files.made).into();
        let file = self.write_segment()?;
        let length = file.metadata().map_err(MmapError::io("read a segment"))?.len();
        let reading = |error| MmapError::reading(&name, error);
        let map = match self.files.pool.maps {
            true => Some(Arc::new(Mapping::new(&file).map_err(MmapError::io("map a segment"))?)),
            false => None,
        };
        let kept = file.try_clone().map_err(MmapError::io("keep a segment open"))?;
        let source = match &map {
            Some(map) => Source::Mapped(map.clone()),
            None => Source::File(Arc::new(file)),
        };
        let mut snapshot = Snapshot::open(source.clone(), Portable).map_err(reading)?;
        let parts = snapshot.parts().map_err(reading)?;
        let pages = Pages::open(source, Portable).map_err(reading)?;
        let piece =
            Arc::new(Piece::new(name.clone(), pages, parts.iter().map(SectionAt::from), map));
        let number = self.files.add(piece, length)?;
        let moved =
            parts.iter().try_for_each(|part| self.repoint(*part, number, &mut snapshot, &name));
        self.files.drop_unused(number);
        moved.and_then(|()| self.files.sync(kept))
    }

    /// Writes a snapshot file of the rows of the tail; it has no name.
    fn write_segment(&mut self) -> Result<File, MmapError> {
        let pool = self.files.pool.clone();
        let file = tempfile::tempfile_in(&pool.directory);
        let file = file.map_err(MmapError::io("make a segment"))?;
        let groups = self.groups;
        let header = FileHeader {
            kind: FileKind::Snapshot,
            block: pool.block(),
            job: 0,
            checkpoint: self.files.made,
            epoch: 0,
            attempt: 0,
            part: 0,
        };
        let frozen = MmapFrozen::new(self.view(None, Some(What::Tail), None));
        let mut block = vec![0; header.block.bytes()];
        let out = Output(BufWriter::with_capacity(OUTPUT_BYTES, &file));
        let (layout, base) = (self.layout.clone(), self.files.made - 1);
        let state = std::iter::once(&layout.description);
        let writing = MmapError::io("write a segment");
        // What expires is judged when a checkpoint is taken: here everything is written.
        let moment = Moment { now: i64::MIN, watermark: i64::MIN };
        let head = TableHead { operator: "", groups: groups.total(), moment };
        let writer = SnapshotWriter::new(header, head, state, out, &mut block, Portable);
        let mut writer = writer.map_err(MmapError::io("write a segment"))?;
        let mut parts = Vec::new();
        for group in groups.iter() {
            let part = writer.part(0, &layout.description, &frozen, group, base);
            parts.extend(part.map_err(unwritten)?);
        }
        let (_, mut out) = writer.finish(&parts).map_err(MmapError::io("write a segment"))?;
        out.0.flush().map_err(writing)?;
        drop(out);
        Ok(file)
    }

    /// Lets the entries of a group name their rows in a file, and lets its tail go.
    fn repoint(
        &mut self,
        part: PartEntry,
        number: u16,
        snapshot: &mut Snapshot<Source, Portable>,
        name: &str,
    ) -> Result<(), MmapError> {
        let position = self.groups.position(KeyGroup::new(part.group));
        let group = &self.parts[position];
        let hashes = group.tail.hashes();
        let mut moves = Moves {
            layout: &self.layout,
            tail: &group.tail,
            piece: number,
            written: group.in_tail(&hashes),
            at: 0,
            items: 0,
            moved: Vec::new(),
        };
        let read = snapshot
            .rows_at(part, |offset, change| moves.row(offset, change).map_err(LoadError::State));
        read.map_err(|error| unread(name, error))?;
        let end = Malformed::new(Fault::End, part.offset);
        let damaged = MmapError::Damaged { file: name.into(), malformed: end };
        let moved = moves.finish().ok_or(damaged)?;
        let mut moved = moved.into_iter().peekable();
        let (mut at, write) = (0, self.write(position));
        for hash in hashes {
            write.group.splice(hash, &Entry::is_in_tail, &mut |_, _, made| {
                while let Some((_, entry)) = moved.next_if(|(written, _)| *written == at) {
                    write.files.name(number);
                    made.push(entry);
                }
                at += 1;
            });
        }
        write.group.let_tail_go();
        self.count(position);
        Ok(())
    }
}

/// Where the rows of a tail went, in the order in which they were written.
struct Moves<'t> {
    layout: &'t Layout,
    tail: &'t Tail,
    piece: u16,
    written: Vec<Entry>,
    /// The next of them, and how many of its items were found if it is a chunk of a list.
    at: usize,
    items: u32,
    /// Each new entry, and the place of the old one in `written`.
    moved: Vec<(usize, Entry)>,
}

impl Moves<'_> {
    fn row(&mut self, offset: u64, change: Change<'_>) -> Result<(), MmapError> {
        let other = Malformed::new(Fault::Identity, offset);
        let entry = *self.written.get(self.at).ok_or(other)?;
        let (row, tail) = (change.row, self.tail.content(entry.place().offset));
        let key = self.layout.key_len(row)?;
        let mut reader = Reader::new(&row[key..]);
        let count = match (self.layout.kind(), change.op) {
            (Kind::List, Op::Put) | (Kind::Map | Kind::Timers, _) => reader.varint_u64()?,
            _ => 1,
        };
        let at = row.len() - reader.len();
        let is_same =
            tail.starts_with(&row[..key]) && (change.op == Op::Remove) == entry.is_removed();
        if !is_same {
            return Err(other.into());
        }
        let place = Place { piece: self.piece, offset, body: body(at) };
        let moved = entry.moved(place);
        if self.layout.kind() != Kind::List || entry.is_removed() {
            if count != 1 || !tail[key..].starts_with(&row[at..]) {
                return Err(other.into());
            }
            self.moved.push((self.at, moved));
            self.at += 1;
            return Ok(());
        }
        let count = u32::try_from(count).map_err(|_| other)?;
        self.moved.push((self.at, moved.with_count(count)));
        self.items = self.items.saturating_add(count);
        if self.items >= entry.count() {
            if self.items > entry.count() {
                return Err(other.into());
            }
            (self.at, self.items) = (self.at + 1, 0);
        }
        Ok(())
    }

    /// Returns the new entries, if all rows were found.
    fn finish(self) -> Option<Vec<(usize, Entry)>> {
        (self.at == self.written.len()).then_some(self.moved)
    }
}

/// Hands blocks to a file.
struct Output<'f>(BufWriter<&'f File>);

impl Write for Output<'_> {
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

fn unwritten(error: WriteError<io::Error, MmapError>) -> MmapError {
    match error {
        WriteError::Output(error) => MmapError::io("write a segment")(error),
        WriteError::State(error) => error,
        // What a type wrote when it was stored does not fit its schema.
        error => MmapError::io("write a segment")(io::Error::other(error.to_string())),
    }
}

pub(crate) fn unread(name: &str, error: PartError<io::Error, MmapError>) -> MmapError {
    match error {
        PartError::Malformed(malformed) => MmapError::Damaged { file: name.into(), malformed },
        PartError::Medium(error) => MmapError::io("read a segment")(error),
        PartError::Row { error: LoadError::State(error), .. } => error,
        PartError::Row { error: LoadError::Malformed(malformed), .. } => malformed.into(),
        PartError::Row { error: LoadError::Evolution(error), .. } => error.into(),
    }
}

/// How many bytes go to the system at once.
const OUTPUT_BYTES: usize = 256 << 10;
