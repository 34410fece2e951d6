//! The command line driven as a process.

#![forbid(unsafe_code)]
