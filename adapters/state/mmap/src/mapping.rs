//! Maps a file read-only: the one place with unsafe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

/// A whole file as bytes.
#[derive(Debug)]
pub(crate) struct Mapping(Mmap);

impl Mapping {
    /// Maps `file`, which is sealed: nobody writes to it or cuts it from now on.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: a map is sound as long as the file behind it neither changes nor gets shorter
        // while the map lives. Two kinds of files are mapped (piece.rs).
        // - Segments: made by this store without a name (`tempfile`), so that no other process can
        //   open them; the one descriptor was used to write them before they are mapped, and is
        //   never used to write again. They never change.
        // - Files of a checkpoint: written once and never again by anybody who keeps to
        //   docs/protocol.md. A foreign program that writes to one or cuts it breaks that, as for
        //   every program that maps files: the README says so and names the way without a map.
        // Whatever the bytes are, they are only ever read as `u8`, of which each pattern is valid.
        let map = unsafe { Mmap::map(file)? };
        // Rows are read one here, one there: reading ahead would read what nobody asks for.
        #[cfg(unix)]
        map.advise(memmap2::Advice::Random)?;
        Ok(Self(map))
    }

    /// Asks the system to read so many bytes from `offset` on; it may not.
    pub(crate) fn prefetch(&self, offset: u64, bytes: u64) {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(self.0.len() - offset);
        #[cfg(unix)]
        let _ = self.0.advise_range(memmap2::Advice::WillNeed, offset, bytes);
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
