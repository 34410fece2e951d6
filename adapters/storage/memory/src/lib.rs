//! Checkpoints kept in memory, up to a size.

#![forbid(unsafe_code)]
