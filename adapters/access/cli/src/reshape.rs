//! `holdwater reshard` and `holdwater rename`: the same rows in other key groups, or under other
//! names, as a savepoint.

use std::io::Write;

use crate::arguments::{Rename, Reshard};
use crate::failure::Failure;
use crate::savepoint::{open, told};

/// Writes a checkpoint with another number of key groups to a place where nothing is yet.
pub fn reshard(reshard: &Reshard, out: &mut impl Write) -> Result<(), Failure> {
    let saved = open(&reshard.checkpoint)?.reshard(reshard.key_groups, &reshard.out)?;
    told(saved, &reshard.out, out)
}

/// Writes a checkpoint with other names to a place where nothing is yet.
pub fn rename(rename: &Rename, out: &mut impl Write) -> Result<(), Failure> {
    let checkpoint = open(&rename.checkpoint)?;
    let saved = checkpoint.rename(&rename.state, &rename.operator, &rename.out)?;
    told(saved, &rename.out, out)
}
