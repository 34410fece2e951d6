//! Rot: a bit of a complete checkpoint flips while nobody looks.
//!
//! Only where another complete checkpoint is whole: no fault destroys every copy of what the job
//! goes on from. And only where the output can be cut back to the older one, since the job refuses
//! to go back otherwise.

use holdwater::manifest::CheckpointId;
use holdwater::storage::ObjectId;

use crate::check::durability::whole;
use crate::marks::Mark;
use crate::output::OutputKind;
use crate::random::Stream;
use crate::setting::Setting;

/// Damages the newest complete checkpoint, as chance decides: its manifest, or a file that no older
/// checkpoint names.
pub fn strike(setting: &mut Setting) {
    let chance = setting.config.rot;
    if setting.is_calm()
        || setting.config.shape.output != OutputKind::Log
        || !setting.random.happens(Stream::Remains, chance)
    {
        return;
    }
    let Some((newest, victims)) = victims(setting) else { return };
    let victim = victims[setting.random.index(Stream::Remains, victims.len())];
    let length = setting.disk().content(victim).map_or(0, <[u8]>::len);
    let bit = setting.random.index(Stream::Remains, length * 8);
    setting.disk().flip(victim, bit);
    setting.witness.rotted(newest);
    let is_manifest = victim == newest.manifest();
    setting.marks.reach(if is_manifest { Mark::RottenManifest } else { Mark::RottenFile });
    let (byte, bit) = (bit / 8, bit % 8);
    setting.say(&[26, byte as u64], format_args!("bit {bit} of byte {byte} of {victim} flips"));
}

/// Returns the newest complete checkpoint and what of it may be damaged, unless it is the only one.
fn victims(setting: &mut Setting) -> Option<(CheckpointId, Vec<ObjectId>)> {
    let (disk, witness) = setting.watch();
    let (older, newest) = witness.newest_two()?;
    let read = |id| whole(id, |object| disk.content(object)).ok();
    let (older, manifest) = (read(older)?, read(newest)?);
    let own = manifest.file_ids().into_iter().filter(|id| !older.file_ids().contains(id));
    let own = own.filter(|id| disk.content(*id).is_some_and(|content| !content.is_empty()));
    Some((newest, std::iter::once(newest.manifest()).chain(own).collect()))
}
