use core::error::Error;
use core::fmt;

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

/// Why a flash did not do what was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FlashError {
    /// The driver failed.
    Driver(NorFlashErrorKind),
    /// No page is left.
    Full {
        /// How many there are.
        pages: u16,
        /// How many of them are bad.
        bad: u16,
    },
    /// The region was written as one of another geometry, or moved.
    Geometry {
        /// The bytes of a page, then.
        page: u32,
        /// The bytes of a word, then.
        word: u16,
        /// The number of the page, then.
        number: u16,
    },
    /// A page failed while it was written, and what stood on it cannot be read any more.
    Lost {
        /// The page.
        page: u16,
    },
    /// Pages of that size are not supported.
    Page {
        /// How many bytes they have.
        bytes: usize,
    },
    /// The region has too many pages, or too few.
    Pages {
        /// How many it has.
        pages: usize,
        /// How many the program is made for.
        limit: usize,
    },
    /// The serials of pages are used up.
    Serials,
    /// The object was removed while it was written.
    Stale,
    /// The page neither erases nor takes a mark: what is on it stays.
    Stuck {
        /// The page.
        page: u16,
    },
    /// The region was written by a newer version.
    Version(u8),
    /// Words of that size are not supported.
    Word {
        /// The bytes that are written at a time.
        write: usize,
        /// The bytes that are read at a time.
        read: usize,
    },
}

impl FlashError {
    pub(crate) fn driver(error: &impl NorFlashError) -> Self {
        Self::Driver(error.kind())
    }
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(kind) => write!(f, "the flash driver failed: {kind}"),
            Self::Full { pages, bad } => write!(
                f,
                "all {pages} pages are taken, {bad} of them bad: retain less, or give the region \
                 more"
            ),
            Self::Geometry { page, word, number } => write!(
                f,
                "the region was written in pages of {page} bytes and words of {word}, this page \
                 as number {number}: open it as it was, or erase it"
            ),
            Self::Lost { page } => {
                write!(f, "page {page} failed with data on it: write the object again")
            }
            Self::Page { bytes } => {
                write!(f, "pages of {bytes} bytes: they have a multiple of 64, 256 at least")
            }
            Self::Pages { pages, limit } => {
                write!(f, "a region of {pages} pages: it has from 2 to {limit}")
            }
            Self::Serials => f.write_str("the serials are used up: erase the region"),
            Self::Stale => f.write_str("the object was removed while it was written"),
            Self::Stuck { page } => {
                write!(f, "page {page} neither erases nor takes a mark: the object on it stays")
            }
            Self::Version(version) => write!(
                f,
                "the region has version {version} of the layout: use a newer program, or erase it"
            ),
            Self::Word { write, read } => {
                write!(f, "words of {write} bytes, read by {read}: both are powers of two up to 64")
            }
        }
    }
}

impl Error for FlashError {}
