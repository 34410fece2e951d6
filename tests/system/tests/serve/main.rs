//! Checkpoints over HTTP (docs/serve.md).

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]
#![cfg(feature = "serve")]

mod command;
mod docs;
mod load;
mod page;
mod server;
