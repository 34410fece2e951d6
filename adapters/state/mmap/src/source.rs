//! A file that can be read at any offset: by positional reads, or out of its map.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use holdwater::page::ReadAt;

use crate::mapping::Mapping;

/// The bytes of one file.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Read by calls to the system.
    File(Arc<File>),
    /// Read out of memory that the system fills.
    Mapped(Arc<Mapping>),
}

impl ReadAt for Source {
    type Error = io::Error;

    fn length(&mut self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Mapped(map) => Ok(map.len() as u64),
        }
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match self {
            Self::Mapped(map) => return ReadAt::read_at(&mut &map[..], offset, buffer).or(Ok(0)),
            Self::File(file) => file,
        };
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(&**file, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
