//! The deterministic simulator: the real protocol on a simulated disk, under faults.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod channel;
pub mod check;
pub mod config;
pub mod disk;
pub mod job;
pub mod load;
pub mod marks;
pub mod model;
pub mod network;
pub mod output;
pub mod planted;
pub mod points;
pub mod random;
pub mod restart;
pub mod scheduler;
pub mod setting;
pub mod sink;
pub mod site;
pub mod source;
pub mod story;
pub mod task;
pub mod totals;
pub mod upload;
pub mod workload;
pub mod world;
