//! The content of a file: as written, and as a power loss may leave it.

use super::{Persistence, SECTOR_BYTES};
use crate::random::{Random, Stream};

/// The bytes of one file. Files only grow, and are written no more once they were synced.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    live: Vec<u8>,
    /// What is on the medium for certain. Shorter than `live` until synced.
    durable: Vec<u8>,
    /// When each piece was appended, and where it ends.
    appended: Vec<(u64, usize)>,
    /// A sync failed: the system takes its pages for clean, and no later sync writes them.
    abandoned: bool,
}

impl Content {
    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn is_settled(&self) -> bool {
        self.appended.is_empty()
    }

    /// Returns when what is not durable was written.
    pub(super) fn moments(&self) -> impl Iterator<Item = u64> {
        self.appended.iter().map(|(at, _)| *at)
    }

    pub(super) fn append(&mut self, at: u64, bytes: &[u8]) {
        self.live.extend_from_slice(bytes);
        self.appended.push((at, self.live.len()));
    }

    pub(super) fn flip(&mut self, bit: usize) {
        for bytes in [&mut self.live, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    pub(super) fn sync(&mut self) {
        if !self.abandoned {
            self.durable.clone_from(&self.live);
            self.appended.clear();
        }
    }

    /// Lets a sync fail: some sectors reached the medium, the others never will.
    pub(super) fn fail_to_sync(&mut self, random: &mut Random) {
        self.durable = self.remains(Persistence::Subset, u64::MAX, random);
        self.abandoned = true;
        self.appended.clear();
    }

    /// Leaves what a power loss leaves. What was done after `prefix` is lost with
    /// [`Persistence::Prefix`].
    pub(super) fn lose_power(&mut self, how: Persistence, prefix: u64, random: &mut Random) {
        if !self.is_settled() {
            self.durable = self.remains(how, prefix, random);
        }
        self.live.clone_from(&self.durable);
        self.appended.clear();
        self.abandoned = false;
    }

    fn remains(&self, how: Persistence, prefix: u64, random: &mut Random) -> Vec<u8> {
        let length = self.live.len();
        match how {
            Persistence::Nothing | Persistence::DataBeforeSize => self.durable.clone(),
            Persistence::Everything => self.live.clone(),
            Persistence::Prefix => {
                let kept = self.appended.iter().rev().find(|(at, _)| *at <= prefix);
                let end = kept.map_or(self.durable.len(), |(_, end)| *end);
                self.live[..end].to_vec()
            }
            // The size has grown, the sectors are still as they were before the file was.
            Persistence::SizeBeforeData => {
                let mut bytes = self.durable.clone();
                bytes.resize(length, 0);
                bytes
            }
            Persistence::Subset | Persistence::Garbage => self.sectors(how, random),
        }
    }

    /// Keeps some of the sectors that are not durable for certain.
    fn sectors(&self, how: Persistence, random: &mut Random) -> Vec<u8> {
        let length = self.live.len();
        let mut bytes = self.durable.clone();
        // The size is metadata: it may be that of any moment.
        let sizes = self.appended.len();
        let size = match random.index(Stream::Remains, sizes + 1) {
            0 => length,
            older => self.appended[older - 1].1,
        };
        bytes.resize(size.max(bytes.len()), 0);
        for start in (0..bytes.len()).step_by(SECTOR_BYTES) {
            let end = (start + SECTOR_BYTES).min(bytes.len());
            let (place, written) = (&mut bytes[start..end], &self.live[start..end]);
            match random.below(Stream::Remains, if how == Persistence::Garbage { 4 } else { 2 }) {
                0 => {}
                1 => place.copy_from_slice(written),
                2 => {
                    // Torn: the front of the sector was written.
                    let torn = random.index(Stream::Remains, place.len());
                    place[..torn].copy_from_slice(&written[..torn]);
                }
                _ => {
                    for byte in place {
                        *byte = random.below(Stream::Remains, 256) as u8;
                    }
                }
            }
        }
        // What was durable stays: a sector that was written again is written whole or not at all.
        bytes[..self.durable.len()].copy_from_slice(&self.durable);
        bytes
    }
}
