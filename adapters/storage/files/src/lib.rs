//! Checkpoints in a directory, safe against power loss.

#![forbid(unsafe_code)]
