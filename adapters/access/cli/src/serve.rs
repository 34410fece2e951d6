//! What checkpoints hold, over HTTP: `holdwater serve`, and `run --serve`.

#[cfg(feature = "serve")]
mod beside;
#[cfg(not(feature = "serve"))]
mod refused;
#[cfg(feature = "serve")]
mod words;

#[cfg(feature = "serve")]
pub use beside::serve;
#[cfg(feature = "serve")]
pub(crate) use beside::{Served, check};
#[cfg(not(feature = "serve"))]
pub use refused::serve;
#[cfg(not(feature = "serve"))]
pub(crate) use refused::{Served, check};
