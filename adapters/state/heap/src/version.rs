//! Versions: how many freezes there were. What changed since a base has a higher one than it.

use alloc::sync::Arc;
use alloc::vec::Vec;

/// Which version the next write gets, and which versions the checkpoints froze.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    now: u32,
    completed: Option<(u64, u32)>,
    /// Frozen, and neither completed nor aborted yet.
    pending: Vec<(u64, u32)>,
}

impl Versions {
    /// Returns the version of a write that happens now.
    #[inline]
    pub(crate) const fn now(&self) -> u32 {
        self.now
    }

    /// Returns the oldest version that a later delta can stand on.
    #[inline]
    pub(crate) fn oldest_base(&self) -> Option<u32> {
        self.completed.or(self.pending.first().copied()).map(|(_, version)| version)
    }

    /// Returns the newest version that a later delta can stand on.
    pub(crate) fn newest_base(&self) -> Option<u32> {
        self.pending.last().copied().or(self.completed).map(|(_, version)| version)
    }

    /// Returns the version that `checkpoint` froze, if a delta can stand on it.
    pub(crate) fn base(&self, checkpoint: u64) -> Option<u32> {
        self.completed.filter(|(id, _)| *id == checkpoint).map(|(_, version)| version)
    }

    /// Freezes for `checkpoint`: later writes get a higher version.
    pub(crate) fn freeze(&mut self, checkpoint: u64) {
        self.pending.push((checkpoint, self.now));
        self.advance();
    }

    /// Takes note of a completed checkpoint; what was frozen before it is no base any more.
    pub(crate) fn completed(&mut self, checkpoint: u64) {
        let Some(found) = self.pending.iter().find(|(id, _)| *id == checkpoint).copied() else {
            return;
        };
        self.completed = Some(found);
        self.pending.retain(|(_, version)| *version > found.1);
    }

    pub(crate) fn aborted(&mut self, checkpoint: u64) {
        self.pending.retain(|(id, _)| *id != checkpoint);
    }

    /// Takes note that what is there now is what `checkpoint` froze.
    pub(crate) fn loaded(&mut self, checkpoint: u64) {
        self.pending.clear();
        self.completed = Some((checkpoint, self.now));
        self.advance();
    }

    /// Forgets every base: what is there now has nothing to do with them.
    pub(crate) fn forget(&mut self) {
        self.pending.clear();
        self.completed = None;
        self.advance();
    }

    fn advance(&mut self) {
        self.now = self.now.checked_add(1).expect("fewer than 2^32 checkpoints in one run");
    }
}

/// What was removed, by the version in which it was: what a delta must say of rows that are gone.
#[derive(Clone, Debug)]
pub(crate) struct Removed<T> {
    /// Ascending. A snapshot shares the lists, and only the newest grows.
    versions: Vec<(u32, Arc<Vec<T>>)>,
}

impl<T: Clone> Removed<T> {
    pub(crate) const fn new() -> Self {
        Self { versions: Vec::new() }
    }

    /// Takes note of a removal; returns by how many bytes that grew the log.
    pub(crate) fn push(&mut self, version: u32, gone: T) -> usize {
        if self.versions.last().is_none_or(|(last, _)| *last != version) {
            self.versions.push((version, Arc::default()));
        }
        let (_, list) = self.versions.last_mut().expect("pushed above");
        // The list of this version is younger than any snapshot, so it is not copied.
        let list = Arc::make_mut(list);
        let before = list.capacity();
        list.push(gone);
        (list.capacity() - before) * size_of::<T>()
    }

    /// Drops the oldest list if no base needs it; returns by how many bytes that shrank the log.
    pub(crate) fn drop_through(&mut self, version: u32) -> Option<usize> {
        self.versions.first().filter(|(first, _)| *first <= version)?;
        let (_, list) = self.versions.remove(0);
        Some(list.capacity() * size_of::<T>())
    }

    /// Returns what was removed after `base`.
    pub(crate) fn since(&self, base: u32) -> impl Iterator<Item = &T> + Clone {
        let newer = self.versions.partition_point(|(version, _)| *version <= base);
        self.versions[newer..].iter().flat_map(|(_, list)| list.iter())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.versions.iter().map(|(_, list)| list.capacity() * size_of::<T>()).sum()
    }
}
