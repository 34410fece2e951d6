//! A NOR flash with the rules of one: a program only clears bits, a word is programmed once after
//! its page was erased, and when the power is cut, what was being programmed or erased holds
//! anything.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

use crate::scramble;

/// How many pages the flash has.
pub const PAGES: usize = 16;
/// The bytes of a page: what is erased at once.
const PAGE: usize = 1024;
/// The bytes of a word: what is programmed at once.
const WORD: usize = 4;
/// How many bytes pass through memory at once.
const CHUNK: usize = 64;

/// The bytes of a flash, and behind them one for each word: whether it may be programmed.
pub const IMAGE_LEN: usize = PAGES * PAGE + PAGES * PAGE / WORD;
/// A word that may be programmed, and one that may not.
const BLANK: u8 = 0;
const USED: u8 = 1;

/// Where the [`IMAGE_LEN`] bytes of a flash are.
pub trait Image {
    /// Fills `bytes` from `at` on.
    fn load(&mut self, at: usize, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind>;

    /// Keeps `bytes` at `at`.
    fn store(&mut self, at: usize, bytes: &[u8]) -> Result<(), NorFlashErrorKind>;

    /// The power goes.
    fn power_lost(&mut self) -> NorFlashErrorKind;
}

/// A flash of [`PAGES`] pages.
#[derive(Debug)]
pub struct Nor<I> {
    image: I,
    /// How many bytes are programmed or erased before the power goes.
    left: u32,
    chance: u64,
}

impl<I: Image> Nor<I> {
    /// Returns a flash whose power goes after so many bytes that are programmed or erased; what
    /// that leaves of a word or a page depends on `chance`.
    pub fn new(image: I, left: u32, chance: u32) -> Self {
        Self { image, left, chance: u64::from(chance) }
    }

    /// Returns the image.
    pub fn into_image(self) -> I {
        self.image
    }

    /// Goes on by `count` bytes; returns how many come before the power goes, if it goes.
    fn spend(&mut self, count: usize) -> Option<usize> {
        let left = self.left as usize;
        self.left = self.left.saturating_sub(count as u32);
        (left < count).then_some(left)
    }

    /// Returns bits of which each is set or not.
    fn some_bits(&mut self) -> u8 {
        self.chance = scramble(self.chance);
        (self.chance >> 32) as u8
    }

    /// Programs up to [`CHUNK`] bytes.
    fn program(&mut self, at: usize, words: &[u8]) -> Result<(), NorFlashErrorKind> {
        let (mut cells, mut marks) = ([0; CHUNK], [0; CHUNK / WORD]);
        let (cells, marks) = (&mut cells[..words.len()], &mut marks[..words.len() / WORD]);
        let behind = PAGES * PAGE + at / WORD;
        self.image.load(at, cells)?;
        self.image.load(behind, marks)?;
        let mut is_cut = false;
        let places = cells.chunks_mut(WORD).zip(marks.iter_mut());
        for (word, (cells, mark)) in words.chunks(WORD).zip(places) {
            assert!(*mark == BLANK, "a word is programmed once, on a page that was erased");
            *mark = USED;
            is_cut = self.spend(WORD).is_some();
            for (cell, new) in cells.iter_mut().zip(word) {
                *cell &= if is_cut { new | self.some_bits() } else { *new };
            }
            if is_cut {
                break;
            }
        }
        self.image.store(at, cells)?;
        self.image.store(behind, marks)?;
        if is_cut { Err(self.image.power_lost()) } else { Ok(()) }
    }

    fn erase_page(&mut self, page: usize) -> Result<(), NorFlashErrorKind> {
        let done = self.spend(PAGE);
        let mark = if done.is_some() { USED } else { BLANK };
        // Either the front of the page was erased, or some cells all over it.
        let is_front = self.some_bits() & 1 == 0;
        for start in (0..PAGE).step_by(CHUNK) {
            let (at, mut cells) = (page * PAGE + start, [0; CHUNK]);
            self.image.load(at, &mut cells)?;
            for (place, cell) in (start..).zip(&mut cells) {
                *cell |= match done {
                    Some(done) if is_front && place >= done => 0,
                    Some(_) if !is_front => self.some_bits(),
                    _ => 0xff,
                };
            }
            self.image.store(at, &cells)?;
            self.image.store(PAGES * PAGE + at / WORD, &[mark; CHUNK / WORD])?;
        }
        if done.is_some() { Err(self.image.power_lost()) } else { Ok(()) }
    }
}

impl<I> ErrorType for Nor<I> {
    type Error = NorFlashErrorKind;
}

impl<I: Image> ReadNorFlash for Nor<I> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        self.image.load(offset as usize, bytes)
    }

    fn capacity(&self) -> usize {
        PAGES * PAGE
    }
}

impl<I: Image> NorFlash for Nor<I> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        (from as usize / PAGE..to as usize / PAGE).try_for_each(|page| self.erase_page(page))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let mut chunks = (offset as usize..).step_by(CHUNK).zip(bytes.chunks(CHUNK));
        chunks.try_for_each(|(at, words)| self.program(at, words))
    }
}
