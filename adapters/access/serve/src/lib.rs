//! Checkpoints read by many at once: single keys, scans and sizes, within a program or over HTTP
//! (docs/serve.md).
//!
//! | module | what it holds |
//! |---|---|
//! | [`checkpoints`] | the checkpoints of a place: the newest, others by name |
//! | [`view`] | one checkpoint: keys and sizes |
//! | `live` | what a running job holds beyond its checkpoints |
//! | [`scan`] | rows of a state one after the other, in pages |
//! | `http` | the server, in builds with the feature `http` |
//! | [`words`] | how a program shows its states |
//!
//! Everything goes through the verified reader of [`holdwater_processor`]. What was read of a key
//! group is kept as it is encoded, up to a number of bytes, named by its content: a new checkpoint
//! costs reading what has changed in it, on top of what is kept. Nothing is locked.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
pub mod checkpoints;
#[cfg(feature = "http")]
pub mod http;
mod live;
pub mod scan;
pub mod view;
pub mod words;

pub use cache::Usage;
pub use checkpoints::Checkpoints;
#[cfg(feature = "http")]
pub use http::{Server, Token};
pub use view::View;
