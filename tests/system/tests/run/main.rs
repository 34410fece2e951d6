//! What the command line promises, one promise per test.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod backend;
mod bad_rows;
mod cells;
mod damage;
mod disk;
mod flights;
mod guarantee;
mod inputs;
mod list;
mod odd;
mod output;
mod readme;
mod refusal;
mod resource;
mod resume;
mod signal;
mod ttl;
