//! `holdwater inspect`: what a checkpoint consists of, by its manifest alone.

mod measure;
mod object;
mod tree;

use std::io::Write;

use crate::arguments;
use crate::checkpoint::Checkpoint;
use crate::failure::Failure;
use crate::savepoint::open;
use crate::terminal::{Paint, shown};

/// Shows a checkpoint as a tree: operators, their states, how these are spread over key groups.
pub fn inspect(inspect: &arguments::Inspect, out: &mut impl Write) -> Result<(), Failure> {
    let Checkpoint { manifest, files, .. } = open(&inspect.checkpoint)?;
    let written = if inspect.json {
        writeln!(out, "{}", object::object(&manifest))
    } else {
        tree::write(&manifest, files.name(), Paint::of_stdout(), out)
    };
    shown(written.and_then(|()| out.flush()))
}
