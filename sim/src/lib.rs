//! The deterministic simulator: the real protocol on a simulated disk, under faults.

#![forbid(unsafe_code)]
