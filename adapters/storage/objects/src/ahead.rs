//! Reads ahead of small reads, so that one request serves many of them.

use std::sync::Arc;

use holdwater::storage::ObjectId;

/// A piece of the object that was read last.
#[derive(Clone, Debug)]
pub(crate) struct Ahead {
    pub(crate) id: ObjectId,
    /// How long the object is; its content never changes.
    pub(crate) length: u64,
    start: u64,
    bytes: Arc<[u8]>,
    /// How much the next request asks for if it goes on where this piece ends.
    next: usize,
}

impl Ahead {
    pub(crate) fn new(id: ObjectId, length: u64) -> Self {
        Self { id, length, start: 0, bytes: Arc::default(), next: BYTES_MIN }
    }

    /// Copies what is held from `offset` on; returns how much that is.
    pub(crate) fn copy(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let held = offset.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        let held = held.and_then(|from| self.bytes.get(from..)).unwrap_or_default();
        let count = held.len().min(buffer.len());
        buffer[..count].copy_from_slice(&held[..count]);
        count
    }

    /// Returns how much to ask for from `offset` on, where `wanted` is needed now.
    pub(crate) fn ask(&mut self, offset: u64, wanted: usize) -> usize {
        let goes_on = offset == self.start + self.bytes.len() as u64;
        self.next = if goes_on { (self.next * 2).min(BYTES_MAX) } else { BYTES_MIN };
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        self.next.max(wanted.min(BYTES_MAX)).min(left)
    }

    pub(crate) fn hold(&mut self, start: u64, bytes: Vec<u8>) {
        (self.start, self.bytes) = (start, bytes.into());
    }
}

/// What one request asks for at least: as quick as a byte.
const BYTES_MIN: usize = 64 << 10;

/// What one request asks for at most. Each file of a checkpoint that is open has a piece in memory.
const BYTES_MAX: usize = 1 << 20;
