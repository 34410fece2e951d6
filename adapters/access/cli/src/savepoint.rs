//! `holdwater savepoint`: a checkpoint as a directory of its own, every part of it full.

use std::io::Write;
use std::path::Path;

use holdwater_processor::savepoint::Savepoint;

use crate::arguments;
use crate::checkpoint::Checkpoint;
use crate::failure::Failure;
use crate::size::size_in_words;
use crate::terminal::shown;

/// Writes a checkpoint as a savepoint to a place where nothing is yet.
pub fn savepoint(savepoint: &arguments::Savepoint, out: &mut impl Write) -> Result<(), Failure> {
    let saved = open(&savepoint.checkpoint)?.save(&savepoint.out)?;
    told(saved, &savepoint.out, out)
}

/// Tells of a savepoint that was written.
pub(crate) fn told(saved: Savepoint, place: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let Savepoint { id, bytes } = saved;
    let (bytes, place) = (size_in_words(bytes), place.display());
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
