//! A NOR flash that is simulated cell by cell, with all that one does when its power is cut.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use holdwater::storage::{Area, ObjectId, Storage};

/// Numbers that look random and follow from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// What a cut leaves of the word or the page it falls in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Torn {
    /// What was in front of the cut is done, the rest is as it was.
    Front,
    /// What was behind the cut is done; of a word nothing is.
    Back,
    /// Each cell has changed or not.
    Some,
    /// Each cell that was to change reads differently each time.
    Flaky,
    /// It reads as if all was done, but the cells are weak.
    Weak,
}

impl Torn {
    pub(crate) const ALL: [Self; 5] =
        [Self::Front, Self::Back, Self::Some, Self::Flaky, Self::Weak];
}

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// An erase does nothing, and says it is done.
    NoErase,
    /// A program does nothing, and says it is done.
    NoProgram,
    /// The driver reports every program and every erase as failed.
    Refuses,
    /// A bit of some byte is always 0.
    Stuck(usize),
    /// A page that was erased so often erases no more.
    WearsOut(u32),
}

#[derive(Clone, Debug)]
struct Page {
    cells: Vec<u8>,
    /// Bits that read differently each time.
    flaky: Vec<u8>,
    /// Words whose program was begun since the page was erased.
    begun: Vec<bool>,
    /// Whether an erase was begun and not ended.
    is_half_erased: bool,
    /// Whether the last erase did nothing.
    is_dead: bool,
    erases: u32,
    fault: Option<Fault>,
}

/// A flash with words of `WORD`, reads of `READ` and pages of `PAGE` bytes.
#[derive(Clone, Debug)]
pub(crate) struct Chip<const WORD: usize, const READ: usize, const PAGE: usize> {
    pages: Vec<Page>,
    random: Random,
    torn: Torn,
    /// How many bytes were programmed or erased.
    pub(crate) steps: u64,
    /// The step that is not done any more.
    cut: Option<u64>,
    is_off: bool,
}

impl<const WORD: usize, const READ: usize, const PAGE: usize> Chip<WORD, READ, PAGE> {
    /// Returns a chip of `pages` pages that hold anything.
    pub(crate) fn new(pages: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let pages = (0..pages)
            .map(|_| Page {
                cells: random.bytes(PAGE),
                flaky: vec![0; PAGE],
                begun: vec![true; PAGE / WORD],
                is_half_erased: false,
                is_dead: false,
                erases: 0,
                fault: None,
            })
            .collect();
        Self { pages, random, torn: Torn::Front, steps: 0, cut: None, is_off: false }
    }

    /// Makes a page bad.
    pub(crate) fn with_fault(mut self, page: usize, fault: Fault) -> Self {
        self.pages[page].fault = Some(fault);
        self
    }

    /// Cuts the power in `steps` bytes that are programmed or erased from now.
    pub(crate) fn cut_after(mut self, steps: u64, torn: Torn, seed: u64) -> Self {
        self.random = Random::new(seed);
        (self.cut, self.torn) = (Some(self.steps + steps), torn);
        self
    }

    /// Switches the power on again.
    pub(crate) fn on(mut self) -> Self {
        (self.cut, self.is_off) = (None, false);
        self
    }

    /// Returns whether the power was cut.
    pub(crate) fn is_off(&self) -> bool {
        self.is_off
    }

    /// Returns how often each page was erased.
    pub(crate) fn erases(&self) -> impl Iterator<Item = u32> {
        self.pages.iter().map(|page| page.erases)
    }

    /// Flips a bit where nobody looks.
    pub(crate) fn rot(&mut self, at: usize, bit: u32) {
        self.pages[at / PAGE].cells[at % PAGE] ^= 1 << bit;
    }

    /// Returns all bytes, as they would be read.
    pub(crate) fn image(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.capacity()];
        self.read(0, &mut bytes).unwrap();
        bytes
    }

    /// Takes `count` steps; returns how many were done if the power is cut before that.
    fn steps(&mut self, count: usize) -> Option<usize> {
        let left = self.cut.map(|cut| (cut - self.steps) as usize).filter(|left| *left < count);
        self.steps += left.unwrap_or(count) as u64;
        self.is_off = left.is_some();
        left
    }

    fn program_word(&mut self, at: usize, word: &[u8]) {
        let done = self.steps(word.len());
        let (page, at) = (&mut self.pages[at / PAGE], at % PAGE);
        let begun = &mut page.begun[at / WORD];
        // On a page that does not erase there is nothing to lose: it takes the mark of a bad one.
        assert!(!*begun || page.is_dead, "a word is programmed once");
        assert!(
            !page.is_half_erased || page.is_dead,
            "a page whose erase was cut is erased before it is used"
        );
        *begun = true;
        for (index, new) in word.iter().enumerate() {
            let (cell, flaky) = (&mut page.cells[at + index], &mut page.flaky[at + index]);
            let change = *cell & !new;
            match (done, self.torn, page.fault) {
                (_, _, Some(Fault::NoProgram)) => {}
                (None, ..) => *cell &= new,
                (Some(done), Torn::Front, _) if index < done => *cell &= new,
                (_, Torn::Front | Torn::Back, _) => {}
                (_, Torn::Some, _) => *cell &= !(change & self.random.next() as u8),
                (_, Torn::Flaky, _) => *flaky |= change,
                // Now and then a cell reads as it should not.
                (_, Torn::Weak, _) => {
                    *cell &= new;
                    *flaky |= change & self.random.next() as u8 & self.random.next() as u8;
                }
            }
            if let Some(Fault::Stuck(stuck)) = page.fault {
                *cell &= !(u8::from(stuck == at + index) << 3);
            }
        }
    }

    fn erase_page(&mut self, number: usize) {
        let done = self.steps(PAGE);
        let page = &mut self.pages[number];
        page.erases += 1;
        page.is_dead = match page.fault {
            Some(Fault::NoErase) => true,
            Some(Fault::WearsOut(erases)) => page.erases > erases,
            _ => false,
        };
        if page.is_dead {
            return;
        }
        let Some(done) = done else {
            (page.cells, page.flaky) = (vec![0xff; PAGE], vec![0; PAGE]);
            page.begun = vec![false; PAGE / WORD];
            page.is_half_erased = false;
            if let Some(Fault::Stuck(stuck)) = page.fault {
                page.cells[stuck] &= !8;
            }
            return;
        };
        page.is_half_erased = true;
        for index in 0..PAGE {
            let (cell, flaky) = (&mut page.cells[index], &mut page.flaky[index]);
            match self.torn {
                Torn::Front if index < done => (*cell, *flaky) = (0xff, 0),
                Torn::Back if PAGE - index <= done => (*cell, *flaky) = (0xff, 0),
                Torn::Front | Torn::Back => {}
                Torn::Some => {
                    let share = (256 * done / PAGE) as u8;
                    for bit in 0..8 {
                        *cell |= u8::from((self.random.next() >> 40) as u8 <= share) << bit;
                    }
                }
                Torn::Flaky => *flaky |= !*cell,
                Torn::Weak => *cell = 0xff,
            }
        }
    }

    fn fails(&self, page: usize) -> bool {
        self.is_off || self.pages[page].fault == Some(Fault::Refuses)
    }
}

impl<const WORD: usize, const READ: usize, const PAGE: usize> ErrorType for Chip<WORD, READ, PAGE> {
    type Error = NorFlashErrorKind;
}

impl<const WORD: usize, const READ: usize, const PAGE: usize> ReadNorFlash
    for Chip<WORD, READ, PAGE>
{
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len()).expect("reads are aligned and inside");
        if self.is_off {
            return Err(NorFlashErrorKind::Other);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let at = offset as usize + index;
            let page = &self.pages[at / PAGE];
            *byte = page.cells[at % PAGE];
            let flaky = page.flaky[at % PAGE];
            if flaky != 0 {
                *byte ^= flaky & self.random.next() as u8;
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.pages.len() * PAGE
    }
}

impl<const WORD: usize, const READ: usize, const PAGE: usize> NorFlash for Chip<WORD, READ, PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to).expect("erases are aligned and inside");
        for page in from as usize / PAGE..to as usize / PAGE {
            if !self.fails(page) {
                self.erase_page(page);
            }
            if self.fails(page) {
                return Err(NorFlashErrorKind::Other);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len()).expect("programs are aligned and inside");
        for (word, at) in bytes.chunks(WORD).zip((offset as usize..).step_by(WORD)) {
            if !self.fails(at / PAGE) {
                self.program_word(at, word);
            }
            if self.fails(at / PAGE) {
                return Err(NorFlashErrorKind::Other);
            }
        }
        Ok(())
    }
}

/// What a storage holds.
pub(crate) type Objects = BTreeMap<ObjectId, Vec<u8>>;

/// Reads all that a storage holds.
pub(crate) fn objects<S: Storage>(storage: &mut S) -> Objects {
    let mut ids = Vec::new();
    for area in Area::ALL {
        storage.list(area, &mut |id| ids.push(id)).unwrap();
    }
    let read = |id: ObjectId| {
        let mut content = vec![0; storage.length(id).unwrap() as usize];
        let count = storage.read(id, 0, &mut content).unwrap();
        content.truncate(count);
        (id, content)
    };
    ids.into_iter().map(read).collect()
}
