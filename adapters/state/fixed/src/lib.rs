//! State in arrays of a size known at compile time, without an allocator.

#![forbid(unsafe_code)]
