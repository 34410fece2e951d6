//! What every store must do, as a library that its tests call.

#![forbid(unsafe_code)]

pub mod evolution;
pub mod golden;
pub mod keyed;
pub mod operator;
pub mod storage;

#[doc(hidden)]
pub use holdwater;
