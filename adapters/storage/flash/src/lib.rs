//! Checkpoints on NOR flash, safe against power loss at every byte, without an allocator.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
// Errors hold the name of a state in place: there may be no allocator.
#![allow(clippy::result_large_err)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(test)]
extern crate std;

mod error;
mod flash;
mod layout;
mod medium;
mod object;
mod slots;
mod storage;

pub use error::FlashError;
pub use flash::Flash;
pub use object::NewObject;
pub use slots::{Damage, Restored, SlotError, Slots};
pub use storage::Shared;
