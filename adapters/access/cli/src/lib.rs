//! The command line: run a job, list its checkpoints.
