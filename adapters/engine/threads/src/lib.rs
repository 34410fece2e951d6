//! Runs a job in one process: sources, keyed subtasks and a sink on threads.

#![forbid(unsafe_code)]
