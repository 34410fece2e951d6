//! The job on a microcontroller: goes on from what the host saved in the flash, with its power cut
//! again and again.
//!
//! The file `nor` of the host is the flash, and `cut` says when the power goes: after so many bytes
//! that are programmed or erased, and what that leaves (4 bytes each, little-endian). It prints
//! what it restores and saves, and at last a verdict.

#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::fmt::Display;

use cortex_m_rt::entry;
use embedded_storage::nor_flash::NorFlashErrorKind;
use holdwater_bare_metal::{
    GROUPS, GROUPS_MAX, HAND_OVER, Image, Meters, Nor, OWNER, PAGES, POWER_LOST, RETAIN, ROWS,
    SAVE_EVERY, Work, verify,
};
use holdwater_fixed::{Fixed, FixedError};
use holdwater_flash::Slots;
use semihosting::fs::File;
use semihosting::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use semihosting::{println, process};

/// The states, in memory that is known before the program starts.
type Memory = Meters<Fixed<ROWS, GROUPS_MAX>>;

#[entry]
fn main() -> ! {
    // Never moved: it is most of the memory.
    match &mut open() {
        Ok(meters) => process_readings(meters),
        Err(error) => fail(error),
    }
}

/// Opens the states; apart, so that what it takes of the stack is free behind it.
#[inline(never)]
fn open() -> Result<Memory, FixedError> {
    Meters::open(&mut Fixed::new(GROUPS)?)
}

#[inline(never)]
fn process_readings(meters: &mut Memory) -> ! {
    let mut work = Work::new();
    let mut slots = done(Slots::<_, PAGES>::open(done(Board::flash()), OWNER, RETAIN));
    let restored = done(slots.restore(meters, work.lend()));
    let mut next = done(meters.resume());
    println!("restored {} {next}", restored.map_or(0, |restored| restored.checkpoint));
    while next < HAND_OVER {
        done(meters.read(next));
        next += 1;
        if next % SAVE_EVERY == 0 {
            let time = meters.watermark();
            let checkpoint = done(slots.save(meters, time, time, work.lend()));
            println!("saved {checkpoint} {next}");
        }
    }
    println!("verdict right: {}", done(verify(meters, next)));
    process::exit(0)
}

/// Returns what was done, or ends with the reason why not.
fn done<T, E: Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn Display) -> ! {
    println!("verdict wrong: {error}");
    process::exit(1)
}

/// The flash of the board: a file of the host.
struct Board(File);

impl Board {
    fn flash() -> io::Result<Nor<Self>> {
        let (mut left, mut chance, mut cut) = ([0; 4], [0; 4], File::open(c"cut")?);
        cut.read_exact(&mut left)?;
        cut.read_exact(&mut chance)?;
        let file = File::options().read(true).write(true).open(c"nor")?;
        Ok(Nor::new(Self(file), u32::from_le_bytes(left), u32::from_le_bytes(chance)))
    }

    fn seek(&mut self, at: usize) -> io::Result<&mut File> {
        self.0.seek(SeekFrom::Start(at as u64))?;
        Ok(&mut self.0)
    }
}

impl Image for Board {
    fn load(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let loaded = self.seek(at).and_then(|file| file.read_exact(bytes));
        loaded.map_err(|_| NorFlashErrorKind::Other)
    }

    fn store(&mut self, at: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let stored = self.seek(at).and_then(|file| file.write_all(bytes));
        stored.map_err(|_| NorFlashErrorKind::Other)
    }

    fn power_lost(&mut self) -> NorFlashErrorKind {
        process::exit(POWER_LOST)
    }
}
