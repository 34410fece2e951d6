//! The command line: run a job, list its checkpoints.

#![forbid(unsafe_code)]
