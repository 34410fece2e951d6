//! `holdwater savepoint`: a checkpoint as a directory of its own, every part of it full.

use std::io::Write;

use holdwater_processor::savepoint::Savepoint;

use crate::arguments;
use crate::checkpoint::Checkpoint;
use crate::failure::Failure;
use crate::size::size_in_words;
use crate::terminal::shown;

/// Writes a checkpoint as a savepoint to a place where nothing is yet.
pub fn savepoint(savepoint: &arguments::Savepoint, out: &mut impl Write) -> Result<(), Failure> {
    let checkpoint = open(&savepoint.checkpoint)?;
    let Savepoint { id, bytes } = checkpoint.save(&savepoint.out)?;
    let (bytes, place) = (size_in_words(bytes), savepoint.out.display());
    shown(writeln!(out, "savepoint of checkpoint {id}: {bytes} in {place}"))
}

/// Opens a checkpoint, and warns of newer ones that are damaged.
pub(crate) fn open(argument: &str) -> Result<Checkpoint, Failure> {
    let checkpoint = Checkpoint::open(argument)?;
    warn(&checkpoint);
    Ok(checkpoint)
}

/// Warns of newer checkpoints that are damaged.
pub(crate) fn warn(checkpoint: &Checkpoint) {
    for line in &checkpoint.passed_over {
        eprintln!("holdwater: warning: {line}");
    }
}
