//! The deterministic simulator: the real protocol on a simulated disk, under faults.
//!
//! A run is a seed: it decides the job, the records, who is next, what fails, when the job crashes
//! and what a power loss leaves. Coordinator, recovery, barriers, sink, saving and loading are the
//! core's own; the disk, the output outside, the network and the tasks around them are simulated.
//!
//! ```text
//! world    starts the job, crashes it, starts it again; then faults end, and it has to finish
//!   restart  one recovery, step by step        job  coordinator, sources, tasks, sink
//!   setting  what outlives a crash: disk, output, network, inputs, chance, the watchers
//! check    what must hold, recomputed at each completion, removal, commit, crash and restore
//! points   a power loss before each step of storage, one after the other
//! shrink   the fewest decisions that still fail
//! planted  bugs that must be found        marks  what must happen in some run
//! ```
//!
//! `cargo run --release -p holdwater-sim -- --seed N` tells a run step by step.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod channel;
pub mod check;
pub mod config;
pub mod disk;
pub mod in_flight;
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
pub mod rot;
pub mod scheduler;
pub mod setting;
pub mod shrink;
pub mod sink;
pub mod site;
pub mod source;
pub mod story;
pub mod task;
pub mod totals;
pub mod upload;
pub mod workload;
pub mod world;
