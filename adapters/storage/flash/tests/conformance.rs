//! A flash region is a storage like any other.
#![allow(clippy::unwrap_used)]

mod chip;

use core::cell::RefCell;

use chip::Chip;
use holdwater_conformance::storage::{check, check_clones};
use holdwater_flash::{Flash, Shared};

#[test]
fn a_flash_region_is_a_storage_whatever_its_words_and_pages() {
    check(|| Flash::<_, 16>::open(Chip::<1, 1, 256>::new(16, 1)).unwrap());
    check(|| Flash::<_, 16>::open(Chip::<4, 4, 512>::new(16, 2)).unwrap());
    check(|| Flash::<_, 64>::open(Chip::<8, 1, 2048>::new(10, 3)).unwrap());
    check(|| Flash::<_, 10>::open(Chip::<16, 16, 4096>::new(10, 4)).unwrap());
    check(|| Flash::<_, 10>::open(Chip::<64, 32, 320>::new(10, 5)).unwrap());
}

#[test]
fn handles_share_a_flash_region() {
    check_clones(|| {
        let flash = Flash::<_, 16>::open(Chip::<4, 4, 512>::new(16, 6)).unwrap();
        Shared::new(Box::leak(Box::new(RefCell::new(flash))))
    });
}
