//! What every store must do, as a library that its tests call.

#![forbid(unsafe_code)]

pub mod storage;
