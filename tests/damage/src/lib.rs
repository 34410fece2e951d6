//! Damaged and hostile checkpoints: what is wrong is named, or the result is right; never a wrong
//! result, a panic, or more memory than the budget.
//!
//! A small job runs on the real engine, store and storage. The directory that it leaves is loaded
//! into memory, damaged there, and restored as the engine does it.

#![forbid(unsafe_code)]
// All of it serves tests.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used)]

pub mod directory;
pub mod hostile;
pub mod job;
pub mod reseal;
pub mod restore;
pub mod schemas;
