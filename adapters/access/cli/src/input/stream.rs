//! The bytes of an input, with those just behind at hand.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use memchr::memchr;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A buffer over a file or pipe that keeps the last [`WINDOW`] bytes that were consumed, so that a
/// position can be hashed at any time at no cost per row.
pub(super) struct Stream {
    source: Source,
    /// What is held: consumed bytes up to `at`, unread ones up to `end`, room behind.
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// The offset of the buffer's first byte in the input.
    base: u64,
}

pub(super) enum Source {
    /// A regular file, which can be read from any offset.
    File(File),
    /// A pipe, terminal or device, which can be read once and may be silent for long.
    Pipe(File),
    /// Anything else, which can be read once.
    Reader(Box<dyn Read + Send>),
}

impl Stream {
    pub(super) fn new(source: Source) -> Self {
        Self { source, buffer: vec![0; WINDOW + CHUNK], at: 0, end: 0, base: 0 }
    }

    /// Returns what is read but not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.at..self.end]
    }

    /// Reads more behind what is unread; returns false at the end of the input.
    pub(super) fn refill(&mut self) -> io::Result<bool> {
        if self.buffer.len() - self.end < ROOM_MIN {
            self.make_room();
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until a line is at hand or more can be read, or until `patience` is over; returns
    /// whether that is so. What is no pipe is never waited for.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let Source::Pipe(pipe) = &self.source else { return true };
        if memchr(b'\n', self.unread()).is_some() {
            return true;
        }
        let timeout = Timespec::try_from(patience).ok();
        let mut pipes = [PollFd::new(pipe, PollFlags::IN)];
        // What went wrong, reading tells.
        poll(&mut pipes, timeout.as_ref()).map_or(true, |ready| ready > 0)
    }

    /// Consumes bytes that are read.
    pub(super) fn consume(&mut self, bytes: usize) {
        assert!(bytes <= self.end - self.at, "only what is read can be consumed");
        self.at += bytes;
    }

    /// Returns the offset of the next unread byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Returns the length of a file, as it is now.
    pub(super) fn length(&self) -> Option<u64> {
        match &self.source {
            Source::File(file) => file.metadata().ok().map(|found| found.len()),
            Source::Pipe(_) | Source::Reader(_) => None,
        }
    }

    /// Returns the last consumed byte.
    pub(super) fn last(&self) -> Option<u8> {
        self.at.checked_sub(1).map(|last| self.buffer[last])
    }

    /// Returns the XXH3-64 of the last 64 KiB that were consumed, or of all if they are less.
    pub(super) fn hash(&self, seed: u64) -> u64 {
        xxh3_64_with_seed(&self.buffer[self.at.saturating_sub(WINDOW)..self.at], seed)
    }

    /// Consumes all up to `offset`, in a file without reading it; returns false where the input
    /// ends before it. The bytes behind are at hand then as if they had been read.
    pub(super) fn skip_to(&mut self, offset: u64) -> io::Result<bool> {
        if let Source::File(file) = &mut self.source {
            if file.metadata()?.len() < offset {
                return Ok(false);
            }
            self.base = offset.saturating_sub(WINDOW as u64);
            (self.at, self.end) = (0, 0);
            file.seek(SeekFrom::Start(self.base))?;
        }
        while self.offset() < offset {
            if self.unread().is_empty() && !self.refill()? {
                return Ok(false);
            }
            let behind = usize::try_from(offset - self.offset()).unwrap_or(usize::MAX);
            self.consume(behind.min(self.unread().len()));
        }
        Ok(self.offset() == offset)
    }

    /// Drops consumed bytes that no hash needs, and grows where unread ones fill the buffer.
    fn make_room(&mut self) {
        let first = self.at.saturating_sub(WINDOW);
        self.buffer.copy_within(first..self.end, 0);
        self.base += first as u64;
        self.at -= first;
        self.end -= first;
        if self.buffer.len() - self.end < ROOM_MIN {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }
}

impl Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) | Self::Pipe(file) => file.read(buffer),
            Self::Reader(reader) => reader.read(buffer),
        }
    }
}

/// How many bytes before a position its hash covers.
pub(super) const WINDOW: usize = 64 << 10;

/// How many bytes are read at once.
const CHUNK: usize = 256 << 10;

/// With less room than this, consumed bytes are dropped: seldom for pipes that give little at once.
const ROOM_MIN: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::OwnedFd;

    fn bytes() -> Vec<u8> {
        (0..2_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    fn pipe(bytes: &[u8]) -> Stream {
        Stream::new(Source::Reader(Box::new(io::Cursor::new(bytes.to_vec()))))
    }

    fn file(bytes: &[u8]) -> Stream {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        Stream::new(Source::File(file))
    }

    #[test]
    fn a_hash_covers_the_window_before_the_position_however_it_was_reached() {
        let bytes = bytes();
        for position in [0, 1, WINDOW - 1, WINDOW, WINDOW + 1, 700_001, 1_999_999, 2_000_000] {
            let window = &bytes[position.saturating_sub(WINDOW)..position];
            let expected = xxh3_64_with_seed(window, 7);
            for mut stream in [pipe(&bytes), file(&bytes)] {
                assert!(stream.skip_to(position as u64).unwrap());
                assert_eq!(stream.offset(), position as u64);
                assert_eq!(stream.hash(7), expected, "{position}");
            }
            let mut stream = pipe(&bytes);
            while stream.offset() < position as u64 {
                if stream.unread().is_empty() {
                    stream.refill().unwrap();
                }
                let step = (position - stream.offset() as usize).min(stream.unread().len());
                stream.consume(step.min(977));
            }
            assert_eq!(stream.hash(7), expected, "{position}");
        }
    }

    #[test]
    fn a_silent_pipe_is_waited_for_in_vain_and_one_that_ends_is_not() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut stream = Stream::new(Source::Pipe(File::from(OwnedFd::from(reader))));
        let patience = Duration::from_millis(1);
        assert!(!stream.wait(patience));
        writer.write_all(b"a\nb").unwrap();
        assert!(stream.wait(patience));
        stream.refill().unwrap();
        assert!(stream.wait(patience), "a line is at hand");
        stream.consume(2);
        assert!(!stream.wait(patience), "half a line is not");
        drop(writer);
        assert!(stream.wait(patience), "the end can be read");
    }

    #[test]
    fn skipping_beyond_the_end_is_noticed() {
        for mut stream in [pipe(b"abc"), file(b"abc")] {
            assert!(!stream.skip_to(4).unwrap());
        }
    }

    #[test]
    fn all_is_read_after_a_skip() {
        let bytes = bytes();
        for mut stream in [pipe(&bytes), file(&bytes)] {
            stream.skip_to(1_000_000).unwrap();
            // Nothing is consumed, so the buffer has to grow.
            while stream.refill().unwrap() {}
            assert!(stream.unread() == &bytes[1_000_000..]);
        }
    }
}
