//! Windows of event time, one promise per test.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod dump;
mod flights;
mod inputs;
mod kill;
mod output;
mod resume;
mod rules;
mod ttl;
