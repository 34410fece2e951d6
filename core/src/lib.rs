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
//! error <- codec <- schema <- key <- page <- state <- snapshot <- storage <- manifest <- rescale
//!       <- barrier <- sink <- checkpoint
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod codec;
pub mod error;
pub mod page;
pub mod schema;
pub mod storage;
