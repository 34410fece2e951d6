//! `holdwater run`: the job that a command line asks for, on the threads engine.

pub mod batch;
pub mod plan;
pub mod states;
