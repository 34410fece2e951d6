//! The driver, and the distrust in it: whatever is programmed or erased is read back.

use embedded_storage::nor_flash::NorFlash;

use crate::FlashError;
use crate::layout::{COMMIT_LEN, ERASED, HEAD_LEN, Layout};

/// A NOR flash whose steps are checked.
#[derive(Debug)]
pub(crate) struct Medium<F> {
    flash: F,
    layout: Layout,
}

/// Why a page is not what it should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failed {
    /// It does not read back: the page is bad.
    Page,
    /// The driver says so: the page may be bad.
    Driver(FlashError),
}

impl From<FlashError> for Failed {
    fn from(error: FlashError) -> Self {
        Self::Driver(error)
    }
}

impl<F: NorFlash> Medium<F> {
    pub(crate) const fn new(flash: F, layout: Layout) -> Self {
        Self { flash, layout }
    }

    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn into_flash(self) -> F {
        self.flash
    }

    /// Fills `bytes` from `at` on, wherever that is.
    pub(crate) fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        if F::READ_SIZE == 1 {
            return self.flash.read(at, bytes).map_err(|error| FlashError::driver(&error));
        }
        let (mut at, mut rest) = (at, bytes);
        while !rest.is_empty() {
            let skip = at as usize % HEAD_LEN;
            let mut window = [0; HEAD_LEN];
            let start = at - skip as u32;
            self.flash.read(start, &mut window).map_err(|error| FlashError::driver(&error))?;
            let count = rest.len().min(HEAD_LEN - skip);
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(&window[skip..skip + count]);
            (at, rest) = (at + count as u32, later);
        }
        Ok(())
    }

    /// Programs whole words at `at`, and reads them back.
    pub(crate) fn program(&mut self, at: u32, bytes: &[u8]) -> Result<(), Failed> {
        self.flash.write(at, bytes).map_err(|error| FlashError::driver(&error))?;
        let mut at = at;
        for expected in bytes.chunks(HEAD_LEN) {
            let mut found = [0; HEAD_LEN];
            let found = &mut found[..expected.len()];
            self.read(at, found)?;
            if found != expected {
                return Err(Failed::Page);
            }
            at += expected.len() as u32;
        }
        Ok(())
    }

    /// Programs a few bytes at `at`, the rest of the last word with ones.
    pub(crate) fn program_padded(&mut self, at: u32, bytes: &[u8]) -> Result<(), Failed> {
        let mut words = [ERASED; HEAD_LEN];
        words[..bytes.len()].copy_from_slice(bytes);
        let length = bytes.len().next_multiple_of(self.layout.word());
        self.program(at, &words[..length])
    }

    /// Erases a page, and reads all of it back.
    pub(crate) fn erase(&mut self, page: u16) -> Result<(), Failed> {
        let (start, length) = (self.layout.page(page), self.layout.page_len());
        self.flash.erase(start, start + length).map_err(|error| FlashError::driver(&error))?;
        for offset in (0..length).step_by(HEAD_LEN) {
            if !self.is_blank::<HEAD_LEN>(start + offset)? {
                return Err(Failed::Page);
            }
        }
        Ok(())
    }

    /// Returns whether the `N` bytes at `at` read as erased. That says little of the cells.
    pub(crate) fn is_blank<const N: usize>(&mut self, at: u32) -> Result<bool, FlashError> {
        let mut bytes = [0; N];
        self.read(at, &mut bytes)?;
        Ok(bytes == [ERASED; N])
    }

    /// Returns the head of a page as it stands there.
    pub(crate) fn head(&mut self, page: u16) -> Result<[u8; HEAD_LEN], FlashError> {
        let mut bytes = [0; HEAD_LEN];
        self.read(self.layout.page(page), &mut bytes)?;
        Ok(bytes)
    }

    /// Returns 16 bytes: a commit or a mark.
    pub(crate) fn cell(&mut self, at: u32) -> Result<[u8; COMMIT_LEN], FlashError> {
        let mut bytes = [0; COMMIT_LEN];
        self.read(at, &mut bytes)?;
        Ok(bytes)
    }
}
