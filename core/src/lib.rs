//! Stream state that holds water: keyed state, checkpoints, exactly-once recovery and rescaling.
//!
//! The core holds every decision and touches nothing: there is no clock, thread, file, randomness
//! or global in it. Time and the outcomes of storage are inputs, so that the simulator and
//! production run the same code. It needs no `std`; what a fixed-capacity store uses needs no
//! `alloc` either.
//!
//! The rooms stand in one corridor; a room imports only from rooms to its left:
//!
//! ```text
//! error <- codec <- schema <- key <- page <- state <- timer <- ttl <- window <- operator
//!       <- snapshot <- storage <- manifest <- rescale <- barrier <- sink <- checkpoint
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]
// Errors hold the name and the path that they tell in place: there may be no allocator.
#![allow(clippy::result_large_err)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(feature = "alloc")]
pub mod barrier;
#[cfg(feature = "alloc")]
pub mod checkpoint;
pub mod codec;
pub mod error;
pub mod key;
#[cfg(feature = "alloc")]
pub mod manifest;
#[cfg(feature = "alloc")]
pub mod operator;
pub mod page;
#[cfg(feature = "alloc")]
pub mod rescale;
pub mod schema;
#[cfg(feature = "alloc")]
pub mod sink;
pub mod snapshot;
pub mod state;
pub mod storage;
pub mod timer;
pub mod ttl;
pub mod window;

/// Bugs that are planted to prove that the simulator finds them, by their number in
/// docs/protocol.md 8.
///
/// None is planted but in a build with `--cfg holdwater_planted`, where a run chooses one.
pub mod planted {
    #[cfg(holdwater_planted)]
    static PLANTED: core::sync::atomic::AtomicU8 = core::sync::atomic::AtomicU8::new(0);

    /// Plants the bug `number` in the whole process; 0 plants none.
    #[cfg(holdwater_planted)]
    pub fn plant(number: u8) {
        PLANTED.store(number, core::sync::atomic::Ordering::SeqCst);
    }

    /// Returns whether the bug `number` is planted.
    #[cfg(holdwater_planted)]
    pub fn planted(number: u8) -> bool {
        PLANTED.load(core::sync::atomic::Ordering::SeqCst) == number
    }

    /// Returns whether the bug `number` is planted: never in this build.
    #[cfg(not(holdwater_planted))]
    #[inline(always)]
    pub const fn planted(number: u8) -> bool {
        let _ = number;
        false
    }
}

/// The program in README.md compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
