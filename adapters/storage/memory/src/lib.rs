//! Checkpoints kept in memory, up to a size.
