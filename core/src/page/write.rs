//! Gathers bytes into blocks and hands each over when it is full.

use xxhash_rust::xxh3::Xxh3;

use super::{
    BLOCK_HEAD_LEN, CONTINUED, Checksum, FileHeader, SEAL_KIND, SEAL_LEN, SectionKind,
    block_checksum, put,
};
use crate::codec::Write;

/// What a finished file is known by: named in the manifest, verified at restore.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seal {
    /// The length of the file in bytes.
    pub length: u64,
    /// XXH3-128 of all bytes before the hash.
    pub hash: u128,
}

/// Writes one file: sections one after another, each in blocks of its own.
pub struct PageWriter<'b, W, C> {
    out: W,
    checksum: C,
    /// One block; its head is filled in when it is handed over.
    buffer: &'b mut [u8],
    used: usize,
    /// The kind of the open block; `None` between the header and the first section.
    open: Option<u8>,
    seed: u32,
    offset: u64,
    hash: Xxh3,
}

impl<'b, W: Write, C: Checksum> PageWriter<'b, W, C> {
    /// Writes the header of a file to `out` and gathers its blocks in `buffer`.
    ///
    /// # Panics
    ///
    /// If `buffer` is not as long as a block of the header's size.
    pub fn new(
        header: &FileHeader,
        mut out: W,
        buffer: &'b mut [u8],
        checksum: C,
    ) -> Result<Self, W::Error> {
        assert_eq!(buffer.len(), header.block.bytes(), "the buffer holds exactly one block");
        let bytes = header.encode(&checksum);
        let seed = seed(&bytes);
        let mut hash = Xxh3::new();
        hash.update(&bytes);
        out.write(&bytes)?;
        let offset = bytes.len() as u64;
        Ok(Self { out, checksum, buffer, used: BLOCK_HEAD_LEN, open: None, seed, offset, hash })
    }

    /// Begins a section in a new block and returns its offset in the file.
    pub fn begin(&mut self, kind: SectionKind) -> Result<u64, W::Error> {
        self.flush()?;
        self.open = Some(kind.code());
        Ok(self.offset)
    }

    /// Ends the open section and returns the offset behind it.
    pub fn end(&mut self) -> Result<u64, W::Error> {
        self.flush()?;
        self.open = None;
        Ok(self.offset)
    }

    /// Returns how many bytes the file has so far, the open block included.
    pub const fn written(&self) -> u64 {
        self.offset + (self.used - BLOCK_HEAD_LEN) as u64
    }

    /// Ends the file with its seal, which names the section at `index` (0 where there is none).
    pub fn finish(mut self, index: u64) -> Result<(Seal, W), W::Error> {
        self.flush()?;
        let length = self.offset + SEAL_LEN as u64;
        let mut seal = [0; SEAL_LEN];
        let head = [SEAL_KIND, 0, 0, 0];
        let rest = put(&mut seal, &head);
        let rest = put(rest, &[0; 4]);
        let rest = put(rest, &length.to_le_bytes());
        put(rest, &index.to_le_bytes());
        // The hash covers the seal up to its own place, with the checksum still zero.
        let (front, _) = seal.split_at(SEAL_LEN - 16);
        self.hash.update(front);
        let hash = self.hash.digest128();
        let (_, place) = seal.split_at_mut(SEAL_LEN - 16);
        place.copy_from_slice(&hash.to_le_bytes());
        let (_, payload) = seal.split_at(BLOCK_HEAD_LEN);
        let crc = block_checksum(&self.checksum, self.seed, self.offset, head, payload);
        let (_, place) = seal.split_at_mut(4);
        put(place, &crc.to_le_bytes());
        self.out.write(&seal)?;
        Ok((Seal { length, hash }, self.out))
    }

    fn flush(&mut self) -> Result<(), W::Error> {
        let Some(kind) = self.open else {
            assert_eq!(self.used, BLOCK_HEAD_LEN, "bytes belong to a section");
            return Ok(());
        };
        let (block, _) = self.buffer.split_at_mut(self.used);
        let (head, payload) = block.split_at_mut(BLOCK_HEAD_LEN);
        let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
        let mark = [kind, a, b, c];
        let crc = block_checksum(&self.checksum, self.seed, self.offset, mark, payload);
        let rest = put(head, &mark);
        put(rest, &crc.to_le_bytes());
        self.hash.update(block);
        self.out.write(block)?;
        self.offset += self.used as u64;
        self.used = BLOCK_HEAD_LEN;
        self.open = Some(kind | CONTINUED);
        Ok(())
    }
}

impl<W: Write, C: Checksum> Write for PageWriter<'_, W, C> {
    type Error = W::Error;

    #[inline]
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), W::Error> {
        loop {
            let room = self.buffer.get_mut(self.used..).unwrap_or_default();
            if bytes.len() <= room.len() {
                put(room, bytes);
                self.used += bytes.len();
                return Ok(());
            }
            let (now, later) = bytes.split_at(room.len());
            room.copy_from_slice(now);
            self.used += now.len();
            self.flush()?;
            bytes = later;
        }
    }
}

impl<W, C> core::fmt::Debug for PageWriter<'_, W, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PageWriter").field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// Returns the checksum of a header: what the blocks of its file are bound to.
pub(super) const fn seed(header: &[u8; super::HEADER_LEN]) -> u32 {
    let Some(crc) = header.last_chunk::<4>() else { return 0 };
    u32::from_le_bytes(*crc)
}
