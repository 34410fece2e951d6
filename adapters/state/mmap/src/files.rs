//! The files of one state: how many rows of each are still named, and which can go.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use holdwater::page::BlockSize;

use crate::adopted::AdoptedFile;
use crate::error::MmapError;
use crate::piece::{Piece, Pieces};

/// Where the segments of a store are made, and how.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) directory: PathBuf,
    /// How large the tail of a state grows before it is sealed.
    pub(crate) segment_bytes: usize,
    /// Whether files are mapped, or read by calls to the system.
    pub(crate) maps: bool,
    /// The hashes of files of checkpoints that were read whole.
    pub(crate) verified: Mutex<HashSet<u128>>,
}

impl Pool {
    /// Returns the size of blocks in segments: what is checked before the first row in it is read.
    pub(crate) const fn block(&self) -> BlockSize {
        let exponent = if self.segment_bytes < 1 << 20 { 9 } else { 14 };
        BlockSize::from_exponent(exponent).expect("between 9 and 18")
    }
}

/// The files of one state.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) pool: Arc<Pool>,
    pub(crate) pieces: Pieces,
    uses: Vec<Use>,
    /// The files of a checkpoint that rows were taken of as they lie.
    pub(crate) adopted: Vec<Arc<AdoptedFile>>,
    /// The segment that was sealed last: the system still writes it to the disk.
    unsynced: Option<File>,
    /// A segment could not be written to the disk: what it held is lost.
    is_lost: bool,
    /// How many segments were ever made.
    pub(crate) made: u64,
}

/// How much of a piece is used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use {
    /// How many rows it has.
    pub(crate) rows: u64,
    /// How many of them entries name.
    pub(crate) named: u64,
    /// How long the file is.
    pub(crate) bytes: u64,
}

impl Files {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        let (pieces, uses, adopted) = (Pieces::default(), Vec::new(), Vec::new());
        Self { pool, pieces, uses, adopted, unsynced: None, is_lost: false, made: 0 }
    }

    /// Waits until the segment before is on the disk, and takes note of this one.
    ///
    /// What the system could not write is told here. Until then it is in memory; afterwards reading
    /// it might give what was on the disk before.
    pub(crate) fn sync(&mut self, sealed: File) -> Result<(), MmapError> {
        let before = self.unsynced.replace(sealed);
        let synced = before.map_or(Ok(()), |file| file.sync_data());
        self.is_lost |= synced.is_err();
        synced.map_err(MmapError::io("write a segment to the disk"))
    }

    /// Fails once a segment was lost.
    pub(crate) fn check(&self) -> Result<(), MmapError> {
        if !self.is_lost {
            return Ok(());
        }
        let lost = io::Error::other("the disk lost what was written to it before");
        Err(MmapError::io("go on")(lost))
    }

    /// Adds a piece of so many bytes; returns its number.
    pub(crate) fn add(&mut self, piece: Arc<Piece>, bytes: u64) -> Result<u16, MmapError> {
        let number = self.pieces.next()?;
        self.pieces.add(number, piece);
        let place = usize::from(number);
        if self.uses.len() <= place {
            self.uses.resize(place + 1, Use::default());
        }
        self.uses[place] = Use { bytes, ..Use::default() };
        Ok(number)
    }

    /// Takes note of a row that an entry names from now on.
    pub(crate) fn name(&mut self, piece: u16) {
        let of = &mut self.uses[usize::from(piece)];
        of.rows += 1;
        of.named += 1;
    }

    /// Takes note of so many rows that lie in a piece, or entries that name one.
    pub(crate) fn name_more(&mut self, piece: u16, rows: u64) {
        let of = &mut self.uses[usize::from(piece)];
        of.rows += rows;
        of.named += rows;
    }

    /// Takes note that a piece has so many bytes more that are this state's.
    pub(crate) fn add_bytes(&mut self, piece: u16, bytes: u64) {
        self.uses[usize::from(piece)].bytes += bytes;
    }

    /// Takes note that an entry does not name its row any more; a piece without such goes.
    pub(crate) fn release(&mut self, piece: u16) {
        self.uses[usize::from(piece)].named -= 1;
        self.drop_unused(piece);
    }

    /// Drops a piece of which no row is named.
    pub(crate) fn drop_unused(&mut self, piece: u16) {
        let of = &mut self.uses[usize::from(piece)];
        if of.named == 0 {
            *of = Use::default();
            self.pieces.remove(piece);
        }
    }

    /// Drops all pieces.
    pub(crate) fn clear(&mut self) {
        (self.pieces, self.uses) = (Pieces::default(), Vec::new());
        self.adopted.clear();
    }

    /// Returns how each piece is used.
    pub(crate) fn uses(&self) -> impl Iterator<Item = (u16, Use)> {
        (0..).zip(self.uses.iter().copied()).filter(|(_, of)| of.rows > 0)
    }

    /// Returns how many bytes the files have.
    pub(crate) fn bytes(&self) -> u64 {
        self.uses.iter().map(|of| of.bytes).sum()
    }
}
