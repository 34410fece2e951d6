//! Small worlds of which every run is checked, not only some: the machines of the protocol as the
//! engines run them, and around them as little as there can be.
//!
//! The simulator draws long runs with many faults; here the runs are short, and none is left out.
//! What it adds above all is a second process on the same directory, such as one that everybody
//! took for dead: each step of the one comes between any two of the other.

#![forbid(unsafe_code)]

mod check;
mod job;
mod output;
mod place;
mod process;
mod world;

pub use check::check;
pub use job::INPUTS;
pub use world::{Bounds, Deed, Failure, Protocol, World};
