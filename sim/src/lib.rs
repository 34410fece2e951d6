//! The deterministic simulator: the real protocol on a simulated disk, under faults.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod disk;
pub mod random;
