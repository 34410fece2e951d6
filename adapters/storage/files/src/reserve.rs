//! Space set aside, so that a full disk does not keep a job from resuming or cleaning up.
//!
//! Without it a job that was stopped on a full disk cannot even claim an epoch, and so never gets
//! to the clean-up that would free space. Snapshot files get none of it: a checkpoint that finds
//! the disk full is declined, and the job goes on.

use crate::directory::Directory;
use std::io::{self, ErrorKind, Write};

/// Sets the space aside if it is not; best effort, for a disk that is full has none to give.
pub(crate) fn fill(root: &Directory) {
    let there = root.open_file(NAME).and_then(|file| file.metadata());
    if there.is_ok_and(|metadata| metadata.len() == BYTES as u64) {
        return;
    }
    drop(root.remove(NAME));
    let filled = root.create(NAME).and_then(|mut file| {
        file.write_all(&vec![0; BYTES])?;
        file.sync_all()
    });
    if filled.is_err() {
        drop(root.remove(NAME));
    }
}

/// Gives the space back; returns whether there was any.
pub(crate) fn release(root: &Directory) -> bool {
    root.remove(NAME).is_ok()
}

/// Writes all of `bytes`, going on after short writes, interruptions and whenever the disk is full
/// and `make_room` made room.
pub(crate) fn write_all(
    out: &mut impl Write,
    mut bytes: &[u8],
    make_room: impl Fn() -> bool,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match retry_when_full(|| out.write(bytes), &make_room) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes a step, and takes it again whenever the disk is full and `make_room` made room.
pub(crate) fn retry_when_full<T>(
    mut step: impl FnMut() -> io::Result<T>,
    make_room: impl Fn() -> bool,
) -> io::Result<T> {
    loop {
        match step() {
            Err(error) if is_full(&error) && make_room() => {}
            ended => return ended,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Enough for claims, records and a manifest of a job of common size.
const BYTES: usize = 1 << 20;

const NAME: &str = "RESERVE";

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A disk with room for some bytes; it takes three at a time and is interrupted before each.
    struct Disk<'a> {
        room: &'a Cell<usize>,
        interrupted: bool,
        taken: Vec<u8>,
    }

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(ErrorKind::Interrupted.into());
            }
            let taken = bytes.len().min(self.room.get()).min(3);
            if taken == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room.update(|room| room - taken);
            self.taken.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_write_goes_on_when_room_was_made() {
        let room = Cell::new(4);
        let mut disk = Disk { room: &room, interrupted: false, taken: Vec::new() };
        let reserve = Cell::new(7);
        let make_room = || {
            room.set(reserve.take());
            room.get() > 0
        };
        write_all(&mut disk, b"0123456789", make_room).unwrap();
        assert_eq!(disk.taken, b"0123456789");
        assert_eq!(reserve.get(), 0);

        let error = write_all(&mut disk, b"too much", make_room).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn the_reserve_is_given_back_once_and_filled_again() {
        let place = tempfile::tempdir().unwrap();
        let root = Directory::open(place.path()).unwrap();
        assert!(!release(&root));
        for _ in 0..2 {
            fill(&root);
            fill(&root);
            assert_eq!(root.open_file(NAME).unwrap().metadata().unwrap().len(), BYTES as u64);
            assert!(release(&root));
            assert!(!release(&root));
        }
    }

    #[test]
    fn a_reserve_that_was_left_half_filled_is_filled() {
        let place = tempfile::tempdir().unwrap();
        let root = Directory::open(place.path()).unwrap();
        drop(root.create(NAME).unwrap());
        fill(&root);
        assert_eq!(root.open_file(NAME).unwrap().metadata().unwrap().len(), BYTES as u64);
    }
}
