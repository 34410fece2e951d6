//! Checkpoints read, written and changed without the job that took them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod diff;
mod docs;
mod edit;
mod get;
mod import;
mod reshape;
mod sql;

use serde_json::Value;

/// Reads JSON lines.
fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
