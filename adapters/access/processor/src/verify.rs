//! Reads checkpoints whole and names what is damaged.

mod damage;
mod data;
mod directory;
mod native;
mod small;

use std::path::Path;

use holdwater::manifest::Manifest;

pub use self::damage::{Damage, What};
pub use self::data::{in_part, part_in_words};
pub use self::directory::{Verdict, Verified};
use crate::place::Place;

/// Reads all files of a checkpoint and says what is damaged first, if anything is.
pub fn damage_of(files: &Place, manifest: &Manifest, directory: &Path) -> Option<String> {
    let natives = manifest.native_files();
    manifest.files.iter().find_map(|file| {
        let hints = data::hints(manifest, file.id).collect();
        let checked = match natives.contains(&file.id) {
            true => native::check(files, file),
            false => data::check(files, file, &hints, false),
        };
        let damage = checked.damages.first().cloned();
        let damage = damage.or_else(|| checked.fits(manifest, file).into_iter().next());
        damage.map(|damage| damage.line(directory))
    })
}
