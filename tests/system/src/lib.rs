//! The command line driven as a process.
