//! The container of every file: a header that says whose it is, checksummed blocks, a seal.
//!
//! ```text
//! file  := header block* seal            docs/format.md 3
//! block := kind u8  length u24  crc u32  payload
//! ```
//!
//! Each block's CRC-32C covers its bytes, its offset and the header of its file, so that a block is
//! refused in any other place. The seal holds the length and a 128-bit hash of the whole.

mod budget;
mod read;
mod write;

pub use budget::RestoreBudget;
pub use read::{Block, Pages, ReadAt, ReadError, Section, Spill, Spilled};
pub use write::{PageWriter, Seal};

use crate::codec::Reader;
use crate::error::{Fault, Malformed};

/// The format version that this program writes, and the newest that it reads.
pub const VERSION: u16 = 1;
/// The bytes that every file begins with; the first is no ASCII, so that text is never mistaken.
pub const MAGIC: [u8; 8] = *b"\x8dHWATER\n";
/// The length of the file header in bytes.
pub const HEADER_LEN: usize = 64;
/// The length of the head of a block in bytes.
pub const BLOCK_HEAD_LEN: usize = 8;
/// The length of the seal in bytes.
pub const SEAL_LEN: usize = 40;

const CONTINUED: u8 = 0x80;
const SEAL_KIND: u8 = 0x7f;

/// What a file is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FileKind {
    /// Rows of states.
    Snapshot,
    /// What a checkpoint consists of.
    Manifest,
    /// That an epoch was begun.
    Claim,
    /// What an epoch was restored from.
    Record,
}

impl FileKind {
    const fn code(self) -> u8 {
        match self {
            Self::Snapshot => 1,
            Self::Manifest => 2,
            Self::Claim => 3,
            Self::Record => 4,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Snapshot),
            2 => Some(Self::Manifest),
            3 => Some(Self::Claim),
            4 => Some(Self::Record),
            _ => None,
        }
    }
}

/// What the blocks from here on hold.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SectionKind {
    /// The state table of a snapshot.
    Table,
    /// The rows of one state and one group.
    Part,
    /// Where the parts of a snapshot lie.
    Index,
    /// The content of a manifest, claim or record.
    Body,
    /// Where the rows of the part before lie.
    Locator,
}

impl SectionKind {
    const fn code(self) -> u8 {
        match self {
            Self::Table => 1,
            Self::Part => 2,
            Self::Index => 3,
            Self::Body => 4,
            Self::Locator => 5,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Table),
            2 => Some(Self::Part),
            3 => Some(Self::Index),
            4 => Some(Self::Body),
            5 => Some(Self::Locator),
            _ => None,
        }
    }
}

/// The most bytes that a block takes, head included: a power of two from 512 B to 256 KiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockSize(u8);

impl BlockSize {
    /// The size on bare metal: 512 B.
    pub const SMALL: Self = Self(9);
    /// The size on a host: 64 KiB.
    pub const HOST: Self = Self(16);
    /// The largest size: 256 KiB.
    pub const MAX: Self = Self(18);

    /// Returns the size of 2^`exponent` bytes, for exponents from 9 to 18.
    pub const fn from_exponent(exponent: u8) -> Option<Self> {
        if exponent < Self::SMALL.0 || exponent > Self::MAX.0 { None } else { Some(Self(exponent)) }
    }

    /// Returns the size in bytes.
    pub const fn bytes(self) -> usize {
        1 << self.0
    }
}

/// Whose file it is. The same five numbers name it in its storage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileHeader {
    /// What the file is.
    pub kind: FileKind,
    /// How large its blocks are at most.
    pub block: BlockSize,
    /// The job.
    pub job: u128,
    /// The checkpoint it was written for; 0 for claims and records.
    pub checkpoint: u64,
    /// The epoch that wrote it.
    pub epoch: u64,
    /// Which try of the epoch.
    pub attempt: u32,
    /// Which of the files of that kind.
    pub part: u32,
}

impl FileHeader {
    /// Returns the header as it stands in the file.
    pub fn encode(&self, checksum: &impl Checksum) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let mut rest: &mut [u8] = &mut bytes;
        for field in [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &[self.kind.code(), self.block.0],
            &self.part.to_le_bytes(),
            &self.job.to_le_bytes(),
            &self.checkpoint.to_le_bytes(),
            &self.epoch.to_le_bytes(),
            &self.attempt.to_le_bytes(),
            // Reserved for flags that an older reader must not overlook.
            &[0; 8],
        ] {
            rest = put(rest, field);
        }
        let (covered, crc) = bytes.split_at_mut(HEADER_LEN - 4);
        crc.copy_from_slice(&checksum.of([covered, &[], &[], &[]]).to_le_bytes());
        bytes
    }

    /// Reads a header: magic, then version, then checksum, then fields.
    pub fn decode(bytes: &[u8; HEADER_LEN], checksum: &impl Checksum) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(Malformed::new(Fault::Magic, 0));
        }
        let version = reader.u16()?;
        let (covered, crc) = bytes.split_at(HEADER_LEN - 4);
        // A header whose checksum holds and whose version is not ours was written by another
        // version; every version keeps magic, version and checksum in their places.
        if checksum.of([covered, &[], &[], &[]]).to_le_bytes() != *crc {
            return Err(Malformed::new(Fault::Checksum, 0));
        }
        if version != VERSION {
            return Err(Malformed::new(Fault::Version, 8));
        }
        let range = |at| Malformed::new(Fault::Range, at);
        let kind = FileKind::from_code(reader.byte()?).ok_or(range(10))?;
        let block = BlockSize::from_exponent(reader.byte()?).ok_or(range(11))?;
        let part = reader.u32()?;
        let (job, checkpoint, epoch) = (reader.u128()?, reader.u64()?, reader.u64()?);
        let attempt = reader.u32()?;
        if reader.array()? != [0; 8] {
            return Err(Malformed::new(Fault::Version, 52));
        }
        Ok(Self { kind, block, job, checkpoint, epoch, attempt, part })
    }
}

/// CRC-32C, piece by piece.
///
/// The core's own is [`Portable`]; a hardware one stands in a std adapter and gives equal results.
pub trait Checksum {
    /// Returns the CRC-32C of what `crc` is that of, followed by `bytes`; that of nothing is 0.
    fn extend(&self, crc: u32, bytes: &[u8]) -> u32;

    /// Returns the CRC-32C of the concatenated `pieces`.
    fn of(&self, pieces: [&[u8]; 4]) -> u32 {
        pieces.iter().fold(0, |crc, piece| self.extend(crc, piece))
    }
}

impl<C: Checksum + ?Sized> Checksum for &C {
    fn extend(&self, crc: u32, bytes: &[u8]) -> u32 {
        (**self).extend(crc, bytes)
    }
}

/// CRC-32C with a 16 KiB table: 5 GB/s on a host, some 16 KiB of read-only memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Portable;

static CRC: crc::Crc<u32, crc::Table<16>> =
    crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISCSI);

impl Checksum for Portable {
    fn extend(&self, crc: u32, bytes: &[u8]) -> u32 {
        let mut digest = CRC.digest_with_initial(initial(crc));
        digest.update(bytes);
        digest.finalize()
    }
}

/// CRC-32C with a 1 KiB table: for bare metal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compact;

static COMPACT_CRC: crc::Crc<u32, crc::Table<1>> =
    crc::Crc::<u32, crc::Table<1>>::new(&crc::CRC_32_ISCSI);

impl Checksum for Compact {
    fn extend(&self, crc: u32, bytes: &[u8]) -> u32 {
        let mut digest = COMPACT_CRC.digest_with_initial(initial(crc));
        digest.update(bytes);
        digest.finalize()
    }
}

/// Returns the register that goes on from a finished checksum, in the order that `crc` takes it.
const fn initial(crc: u32) -> u32 {
    (!crc).reverse_bits()
}

/// Copies `bytes` to the front of `place` and returns what is left of it.
fn put<'a>(place: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let (head, tail) = place.split_at_mut(bytes.len());
    head.copy_from_slice(bytes);
    tail
}

/// Returns the checksum of a block that starts at `offset` in the file whose header has `seed`.
fn block_checksum(
    checksum: &impl Checksum,
    seed: u32,
    offset: u64,
    head: [u8; 4],
    payload: &[u8],
) -> u32 {
    checksum.of([&seed.to_le_bytes(), &offset.to_le_bytes(), &head, payload])
}

#[cfg(test)]
mod tests;
