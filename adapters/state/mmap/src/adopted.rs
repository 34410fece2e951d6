//! Parts of a checkpoint that are read where they lie.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use holdwater::codec::Reader;
use holdwater::error::{Fault, Malformed};
use holdwater::key::KeyGroup;
use holdwater::page::{Pages, Portable, ReadError, SectionKind};
use holdwater::snapshot::{PartEntry, PartError, Snapshot};
use holdwater::state::{Kind, LoadError, Locator, PlacedPart, Shape};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::cold::Cold;
use crate::error::MmapError;
use crate::files::Pool;
use crate::layout::Layout;
use crate::log::Log;
use crate::mapping::Mapping;
use crate::piece::{Extent, Piece, SectionAt};
use crate::seal::unread;
use crate::slot::Slot;
use crate::source::Source;
use crate::table::Table;

/// A file of a checkpoint.
#[derive(Debug)]
pub(crate) struct AdoptedFile {
    name: Box<str>,
    hash: u128,
    source: Source,
    pool: Arc<Pool>,
    piece: Arc<Piece>,
    number: u16,
    /// The parts of the state, and where the locator of each lies.
    parts: Vec<(PartEntry, Option<SectionAt>)>,
}

/// A part of such a file.
#[derive(Debug)]
pub(crate) struct AdoptedPart {
    file: Arc<AdoptedFile>,
    pub(crate) piece: u16,
    entry: PartEntry,
    /// The offset of its locator, and what that begins with.
    locator: u64,
    pub(crate) seed: u64,
    pub(crate) keys: u64,
    pub(crate) rows: u64,
    is_verified: AtomicBool,
}

impl<S: Slot> Table<S> {
    /// Takes a part as it lies; returns whether that is possible.
    pub(crate) fn adopt(
        &mut self,
        group: KeyGroup,
        part: &PlacedPart<'_>,
    ) -> Result<bool, LoadError<MmapError>> {
        let owns = self.groups.contains(group) && self.layout.kind() != Kind::Timers;
        let Some(file) = part.file.downcast_ref::<File>().filter(|_| owns) else {
            return Ok(false);
        };
        let position = self.groups.position(group);
        if self.parts[position].keys() > 0 {
            return Ok(false);
        }
        let file = self.adopted_file(file, part)?;
        let other = Malformed::new(Fault::Identity, part.offset);
        let found = file.parts.iter().find(|(entry, _)| entry.offset == part.offset);
        let (entry, locator) = *found.ok_or(other)?;
        let is_same = entry.group == group.index()
            && entry.shape == Shape::Full
            && (entry.length, entry.rows, entry.digest) == (part.length, part.rows, part.digest);
        if !is_same {
            return Err(other.into());
        }
        let Some(locator) = locator else { return Ok(false) };
        let part = Arc::new(AdoptedPart::open(file, entry, locator)?);
        self.files.name_more(part.piece, part.rows);
        self.files.add_bytes(part.piece, entry.length);
        let write = self.write(position);
        write.group.cold = Some(Cold::new(part.clone(), write.now));
        write.group.adopted = Some(part);
        write.group.changed = write.now;
        self.count(position);
        Ok(true)
    }

    /// Returns the file of a part, opened once.
    fn adopted_file(
        &mut self,
        file: &File,
        part: &PlacedPart<'_>,
    ) -> Result<Arc<AdoptedFile>, LoadError<MmapError>> {
        let is_kept = |file: &&Arc<AdoptedFile>| {
            file.hash == part.hash && self.files.pieces.has(file.number, &file.piece)
        };
        if let Some(file) = self.files.adopted.iter().find(is_kept) {
            return Ok(file.clone());
        }
        let failed =
            |error| LoadError::State(MmapError::io("open a file of the checkpoint")(error));
        let kept = file.try_clone().map_err(failed)?;
        let map = match self.files.pool.maps {
            true => Some(Arc::new(Mapping::new(&kept).map_err(failed)?)),
            false => None,
        };
        let source = match &map {
            Some(map) => Source::Mapped(map.clone()),
            None => Source::File(Arc::new(kept)),
        };
        let pages = Pages::open(source.clone(), Portable).map_err(refused)?;
        let (index, end) = (pages.index(), pages.end());
        let mut snapshot = Snapshot::open(source.clone(), Portable).map_err(refused)?;
        if snapshot.seal().hash != part.hash {
            return Err(Malformed::new(Fault::Identity, end).into());
        }
        let parts = of_state(&snapshot.parts().map_err(refused)?, part, index);
        let sections = parts.iter().flat_map(|(entry, locator)| [Some(entry.into()), *locator]);
        let piece = Arc::new(Piece::new(part.name.into(), pages, sections.flatten(), map));
        let number = self.files.add(piece.clone(), 0).map_err(LoadError::State)?;
        let (name, hash, pool) = (part.name.into(), part.hash, self.files.pool.clone());
        let adopted = Arc::new(AdoptedFile { name, hash, source, pool, piece, number, parts });
        self.files.adopted.push(adopted.clone());
        Ok(adopted)
    }
}

/// Returns the parts of the state that has `placed`, and what lies behind each.
fn of_state(
    parts: &[PartEntry],
    placed: &PlacedPart<'_>,
    index: u64,
) -> Vec<(PartEntry, Option<SectionAt>)> {
    let mut begins: Vec<u64> = parts.iter().map(|part| part.offset).chain([index]).collect();
    begins.sort_unstable();
    let state = parts.iter().find(|part| part.offset == placed.offset).map(|part| part.state);
    let own = parts.iter().filter(|part| Some(part.state) == state);
    own.map(|part| {
        let offset = part.offset + part.length;
        let next = begins.partition_point(|begin| *begin < offset);
        let end = begins.get(next).copied().filter(|end| *end > offset);
        (*part, end.map(|end| SectionAt { kind: SectionKind::Locator, offset, end }))
    })
    .collect()
}

impl AdoptedFile {
    /// Verifies the hash of the whole file, once for all states of the store.
    fn verify(&self) -> Result<(), MmapError> {
        let mut verified = self.pool.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if !verified.contains(&self.hash) {
            let reading = |error| MmapError::reading(&self.name, error);
            let mut snapshot = Snapshot::open(self.source.clone(), Portable).map_err(reading)?;
            snapshot.verify_hash().map_err(reading)?;
            verified.insert(self.hash);
        }
        Ok(())
    }
}

impl AdoptedPart {
    /// Reads what the locator of a part begins with.
    fn open(
        file: Arc<AdoptedFile>,
        entry: PartEntry,
        locator: SectionAt,
    ) -> Result<Self, LoadError<MmapError>> {
        let (piece, number) = (file.piece.clone(), file.number);
        let head = piece.row(piece.place(locator.offset, 0), Extent::Bytes(Locator::HEAD_LEN));
        let head = head.map_err(|error| match error {
            MmapError::Damaged { malformed, .. } => LoadError::Malformed(malformed),
            error => LoadError::State(error),
        })?;
        let mut reader = Reader::new(&head);
        let (seed, keys, rows) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let bytes = rows.saturating_mul(Locator::ROW_LEN as u64);
        let bytes = bytes.saturating_add(Locator::HEAD_LEN as u64);
        let fits = piece.payload_len(locator) == bytes;
        if !fits || !(1..=rows).contains(&keys) || rows > entry.rows {
            return Err(Malformed::new(Fault::Range, locator.offset).into());
        }
        let (locator, is_verified) = (locator.offset, AtomicBool::new(false));
        Ok(Self { file, piece: number, entry, locator, seed, keys, rows, is_verified })
    }

    /// Returns the hash of the key of a row, and its offset in the file.
    pub(crate) fn entry(&self, log: Log<'_>, number: u64) -> Result<(u32, u64), MmapError> {
        let (hash, at) = self.noted(log.pieces.get(self.piece), number)?;
        Ok((hash, self.file.piece.place(self.entry.offset, at)))
    }

    /// Returns the hash of the key of a row, and its place in the payload of the part.
    fn noted(&self, piece: &Piece, number: u64) -> Result<(u32, u64), MmapError> {
        let at = Locator::HEAD_LEN as u64 + number * Locator::ROW_LEN as u64;
        let noted = piece.row(piece.place(self.locator, at), Extent::Bytes(Locator::ROW_LEN))?;
        let mut reader = Reader::new(&noted);
        let (hash, low, high) = (reader.u32()?, reader.u32()?, reader.u16()?);
        Ok((hash, u64::from(low) | u64::from(high) << 32))
    }

    /// Returns the number of the first row with that hash, or of the first behind.
    ///
    /// Hashes are spread evenly: it looks near where the hash should be, and wider as needed, so
    /// that a look-up reads one block of the locator or two, however long that is.
    pub(crate) fn first(&self, log: Log<'_>, hash: u32) -> Result<u64, MmapError> {
        let is_before = |number| Ok::<_, MmapError>(self.entry(log, number)?.0 < hash);
        let guess = ((u128::from(hash) * u128::from(self.rows)) >> 32) as u64;
        // What lies before `from` is before the hash, and what lies from `to` on is not.
        let (mut from, mut to) = (guess, guess);
        let mut step = 1;
        while from > 0 && !is_before(from - 1)? {
            (from, to) = (from.saturating_sub(step), from - 1);
            step *= 2;
        }
        step = 1;
        while to < self.rows && is_before(to)? {
            (from, to) = (to + 1, to.saturating_add(step).min(self.rows));
            step *= 2;
        }
        while from < to {
            let middle = from.midpoint(to);
            if is_before(middle)? { from = middle + 1 } else { to = middle }
        }
        Ok(from)
    }

    pub(crate) fn is_verified(&self) -> bool {
        self.is_verified.load(Ordering::Acquire)
    }

    /// Verifies all of the part: blocks, rows, count and digest, and that its locator names each
    /// row.
    pub(crate) fn verify(&self, layout: &Layout) -> Result<(), MmapError> {
        if self.is_verified() {
            return Ok(());
        }
        let AdoptedFile { name, source, piece, .. } = &*self.file;
        let reading = |error| MmapError::reading(name, error);
        let mut snapshot = Snapshot::open(source.clone(), Portable).map_err(reading)?;
        let (mut found, mut keys, mut last) = (Vec::new(), 0, None);
        let read = snapshot.rows_at(self.entry, |offset, change| {
            let key = layout.key_len(change.row)?;
            let hash = xxh3_64_with_seed(&change.row[..key], self.seed);
            keys += u64::from(last != Some(hash));
            last = Some(hash);
            found.push((Locator::short(hash), offset));
            Ok(())
        });
        read.map_err(|error: PartError<_, MmapError>| unread(name, error))?;
        found.sort_unstable();
        let other = || piece.damaged(Malformed::new(Fault::Identity, self.locator));
        if (keys, found.len() as u64) != (self.keys, self.rows) {
            return Err(other());
        }
        for (number, (hash, offset)) in (0..).zip(found) {
            let (noted, at) = self.noted(piece, number)?;
            if (noted, piece.place(self.entry.offset, at)) != (hash, offset) {
                return Err(other());
            }
        }
        self.file.verify()?;
        self.is_verified.store(true, Ordering::Release);
        Ok(())
    }
}

fn refused(error: ReadError<std::io::Error>) -> LoadError<MmapError> {
    match error {
        ReadError::Malformed(malformed) => malformed.into(),
        ReadError::Medium(error) => {
            LoadError::State(MmapError::io("read a file of the checkpoint")(error))
        }
    }
}
