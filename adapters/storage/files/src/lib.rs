//! Checkpoints in a directory, safe against power loss.
