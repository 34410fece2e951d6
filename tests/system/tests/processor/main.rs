//! Checkpoints read, written and changed without the job that took them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod docs;
mod get;
