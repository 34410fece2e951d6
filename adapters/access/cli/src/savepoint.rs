//! `holdwater savepoint`: a checkpoint as a directory of its own, every part of it full.

mod copy;
mod rows;

use std::io::Write;

use holdwater::manifest::{CheckpointKind, Manifest, Origin};

use self::copy::Copier;
use crate::arguments::Savepoint;
use crate::checkpoint::{Found, find};
use crate::failure::Failure;
use crate::new_place::NewPlace;
use crate::size::size_in_words;

/// Writes a checkpoint as a savepoint to a place where nothing is yet.
///
/// It stands alone: none of its parts is a delta, and no other directory is needed. One key group
/// is held in memory at a time. The directory appears once all of it is durable.
pub fn savepoint(savepoint: &Savepoint, out: &mut impl Write) -> Result<(), Failure> {
    let Found { manifest, files, passed_over } = find(&savepoint.checkpoint)?.portable()?;
    for line in passed_over {
        eprintln!("holdwater: warning: {line}");
    }
    let directory = NewPlace::create(&savepoint.out)?;
    let mut copier = Copier::new(&manifest, &files, directory.files());
    let mut operators = Vec::with_capacity(manifest.operators.len());
    for (number, operator) in (0..).zip(&manifest.operators) {
        operators.push(copier.operator(number, operator)?);
    }
    let written = copier.into_files();
    let bytes = written.iter().map(|file| file.length).sum();
    let copy = Manifest {
        kind: CheckpointKind::Savepoint,
        parent: None,
        origin: Origin::Imported { job: manifest.job, id: manifest.id },
        depth: 0,
        files: written,
        operators,
        ..manifest
    };
    directory.publish(&copy)?;
    let (id, bytes, place) = (copy.id, size_in_words(bytes), savepoint.out.display());
    crate::terminal::shown(writeln!(out, "savepoint of checkpoint {id}: {bytes} in {place}"))
}
