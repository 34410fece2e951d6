//! What is left of a disk after a power loss.

use std::fmt;

use super::{Disk, Handle};
use crate::random::{Random, Stream};
use holdwater::storage::Area;

/// What a power loss leaves of what was not synced. Systems differ; all of these have been seen.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Persistence {
    /// Nothing.
    Nothing,
    /// All of it: what the crash of a process leaves.
    Everything,
    /// What was done first, up to some moment.
    Prefix,
    /// Any changes of names, any sectors; the others are as if they had never been.
    Subset,
    /// As [`Subset`](Self::Subset), and sectors may be torn or hold garbage.
    Garbage,
    /// All names and sizes; the sectors are zeros.
    SizeBeforeData,
    /// All names, but files end where they ended when they were synced last.
    DataBeforeSize,
}

impl Persistence {
    /// Every way to lose power.
    pub const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Everything,
        Self::Prefix,
        Self::Subset,
        Self::Garbage,
        Self::SizeBeforeData,
        Self::DataBeforeSize,
    ];

    /// Returns whether chance has a part in it.
    pub const fn is_random(self) -> bool {
        matches!(self, Self::Prefix | Self::Subset | Self::Garbage)
    }
}

impl fmt::Display for Persistence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Everything => "everything",
            Self::Prefix => "a prefix",
            Self::Subset => "a subset",
            Self::Garbage => "a subset and garbage",
            Self::SizeBeforeData => "sizes before data",
            Self::DataBeforeSize => "data before sizes",
        })
    }
}

impl Disk {
    /// Loses power: of what was not synced, only what `how` and chance decide is left.
    pub fn lose_power(&mut self, how: Persistence, random: &mut Random) {
        let prefix = self.prefix(how, random);
        for directory in &mut self.directories {
            directory.lose_power(how, prefix, random);
        }
        for content in self.contents.values_mut() {
            content.lose_power(how, prefix, random);
        }
        self.forget_unnamed();
    }

    /// Lets the sync of a file fail.
    pub(super) fn fail_to_sync(&mut self, file: Handle, random: &mut Random) {
        if let Some(content) = self.contents.get_mut(&file.0) {
            content.fail_to_sync(random);
        }
    }

    /// Lets the sync of a directory fail.
    pub(super) fn fail_to_sync_area(&mut self, area: Area, random: &mut Random) {
        self.directories[area as usize].fail_to_sync(random);
    }

    /// Returns the moment up to which everything stays.
    fn prefix(&self, how: Persistence, random: &mut Random) -> u64 {
        if how != Persistence::Prefix {
            return 0;
        }
        let mut moments: Vec<u64> = Vec::new();
        for directory in &self.directories {
            moments.extend(directory.pending().iter().map(|(at, _)| at));
        }
        for content in self.contents.values() {
            moments.extend(content.moments());
        }
        moments.sort_unstable();
        let index = random.index(Stream::Remains, moments.len() + 1);
        index.checked_sub(1).and_then(|last| moments.get(last)).copied().unwrap_or(0)
    }
}
