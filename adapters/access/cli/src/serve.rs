//! What checkpoints hold, over HTTP: `holdwater serve`, `run --serve`, and `get` of a server.

#[cfg(feature = "serve")]
mod beside;
#[cfg(feature = "serve")]
mod client;
#[cfg(not(feature = "serve"))]
mod refused;
#[cfg(feature = "serve")]
mod words;

#[cfg(feature = "serve")]
pub use beside::serve;
#[cfg(feature = "serve")]
pub(crate) use beside::{Served, check};
#[cfg(feature = "serve")]
pub(crate) use client::get;
#[cfg(not(feature = "serve"))]
pub use refused::serve;
#[cfg(not(feature = "serve"))]
pub(crate) use refused::{Served, check, get};
