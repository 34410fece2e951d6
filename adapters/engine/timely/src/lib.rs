//! Runs a job on timely dataflow: workers in one process, or in many on several machines.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cluster;
mod connect;
mod dataflow;
mod error;
mod gather;
mod keyed;
mod link;
mod part;
mod pump;
mod run;
mod watch;
mod wire;
mod worker;

pub use cluster::Cluster;
pub use error::ClusterError;
pub use part::Part;
pub use run::{follow, run};
