//! `holdwater verify`: reads all bytes of checkpoints and names what is damaged.

mod report;

use std::io::Write;
use std::path::Path;

use holdwater_processor::verify::Verified;

use self::report::Report;
use crate::arguments;
use crate::checkpoint::{Named, named};
use crate::directory::open;
use crate::failure::Failure;
use crate::terminal::{Paint, shown};

/// Verifies what `verify` names, and shows which of its checkpoints are usable.
///
/// Nothing is locked: what vanishes meanwhile is no damage.
pub fn verify(verify: &arguments::Verify, out: &mut impl Write) -> Result<(), Failure> {
    let (directory, only) = match named(&verify.checkpoint)? {
        Named::Directory(directory) => (directory, None),
        Named::Checkpoint(directory, id) => (directory, Some(id)),
    };
    let found = Verified::read(&mut open(&directory)?, only, verify.deep)?;
    let written = if verify.json {
        writeln!(out, "{}", Report(&found).object()).and_then(|()| out.flush())
    } else {
        Report(&found).write(&directory, Paint::of_stdout(), out)
    };
    shown(written)?;
    judge(&found, &directory)
}

fn judge(found: &Verified, directory: &Path) -> Result<(), Failure> {
    if found.damages.is_empty() {
        return Ok(());
    }
    let count = found.damages.len();
    let damages = if count == 1 { "1 damage".to_owned() } else { format!("{count} damages") };
    let way_out = match found.newest_usable() {
        Some(id) => format!("checkpoint {id} is the newest that is usable"),
        None => "no checkpoint is usable; restore the directory from a copy".to_owned(),
    };
    let text = format!("{}: {damages} found; {way_out}", directory.display());
    Err(if found.is_unreadable() { Failure::Data(text) } else { Failure::Corrupt(text) })
}
