//! Where state lives: keys, their digests, the groups they fall in, and who owns which groups.
//!
//! There is no current key. [`At`] is computed once per record and passed to each access.
//!
//! Digests and groups are part of the format (docs/format.md 2.2, 2.3): the same on each target and
//! verified on restore.

mod digest;
mod order;
mod types;

#[cfg(feature = "alloc")]
pub(crate) use digest::may_move;
pub use digest::{HASH_FUNCTION, digest_encoded, digest_integer, digest_wide};
pub use order::{Bounds, OrderedKey};
pub use types::In;

use core::fmt;

use serde::Serialize;

use crate::schema::Data;

/// The most key groups that a job can have.
pub const GROUPS_MAX: u16 = 32_768;

/// A key that state is held under.
///
/// Implemented type by type, with [`key!`](crate::key!) for your own: a blanket implementation
/// could not tell an integer, whose digest survives widening, from other types.
pub trait Key: Data + Eq {
    /// The key as a lookup needs it: borrowed, and copied freely.
    ///
    /// It serializes to the same bytes as the key.
    type View<'k>: Copy + Serialize;

    /// Borrows the key.
    fn view(&self) -> Self::View<'_>;

    /// Makes an owned key: called only where a row is inserted.
    fn own(view: Self::View<'_>) -> Self;

    /// Returns whether this is the key that `view` shows.
    fn is(&self, view: Self::View<'_>) -> bool;

    /// Returns the digest that decides the group. Part of the format.
    fn digest(view: Self::View<'_>) -> u64;

    /// Returns the digest that tells the rows of one group apart. Not part of the format.
    #[inline]
    fn slot(view: Self::View<'_>, digest: u64) -> u64 {
        let _ = view;
        digest
    }

    /// Returns the number that tells the windows of one key apart, where this is the window. Not
    /// part of the format.
    #[inline]
    fn spread(view: Self::View<'_>) -> u64 {
        Self::digest(view)
    }
}

/// One of the fixed number of buckets that all keys of a job are spread over.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyGroup(u16);

impl KeyGroup {
    /// Names the group of that number.
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// Returns the group, of `total`, that keys with `digest` belong to.
    ///
    /// Bits 25 to 56 decide: the top seven are the tag in a hash table, the low ones the slot.
    #[inline]
    pub const fn of(digest: u64, total: u16) -> Self {
        Self(((((digest >> 25) & 0xffff_ffff) * total as u64) >> 32) as u16)
    }

    /// Returns the number of the group.
    #[inline]
    pub const fn index(self) -> u16 {
        self.0
    }
}

impl fmt::Display for KeyGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The contiguous groups that one task owns, of all the groups of the job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyGroups {
    first: u16,
    end: u16,
    total: u16,
}

impl KeyGroups {
    /// Owns all of `total` groups, 1 to [`GROUPS_MAX`].
    pub const fn all(total: u16) -> Self {
        assert!(total > 0 && total <= GROUPS_MAX, "1 to 32768 key groups");
        Self { first: 0, end: total, total }
    }

    /// Returns the share of task `index` of `tasks`: sizes differ by at most one.
    ///
    /// Group g belongs to task floor(g * tasks / total), as in Apache Flink.
    pub const fn share(total: u16, tasks: u16, index: u16) -> Self {
        assert!(total > 0 && total <= GROUPS_MAX, "1 to 32768 key groups");
        assert!(index < tasks && tasks <= total, "at most one task per key group");
        let (total_, tasks_, index_) = (total as u32, tasks as u32, index as u32);
        let first = (index_ * total_).div_ceil(tasks_) as u16;
        let end = ((index_ + 1) * total_).div_ceil(tasks_) as u16;
        Self { first, end, total }
    }

    /// Returns which of `tasks` tasks owns `group`, of `total` groups.
    pub const fn owner(group: KeyGroup, total: u16, tasks: u16) -> u16 {
        (group.0 as u32 * tasks as u32 / total as u32) as u16
    }

    /// Returns how many groups the job has.
    pub const fn total(&self) -> u16 {
        self.total
    }

    /// Returns the number of the first owned group.
    pub const fn first(&self) -> u16 {
        self.first
    }

    /// Returns the number behind the last owned group.
    pub const fn end(&self) -> u16 {
        self.end
    }

    /// Returns how many groups are owned.
    pub const fn count(&self) -> usize {
        (self.end - self.first) as usize
    }

    /// Returns whether `group` is owned.
    #[inline]
    pub const fn contains(&self, group: KeyGroup) -> bool {
        self.first <= group.0 && group.0 < self.end
    }

    /// Returns the owned groups in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = KeyGroup> + use<> {
        (self.first..self.end).map(KeyGroup)
    }

    /// Returns the position of `group` among the owned groups.
    ///
    /// # Panics
    ///
    /// If the group is another task's: the record was sent to the wrong task.
    #[inline]
    pub fn position(&self, group: KeyGroup) -> usize {
        assert!(
            self.contains(group),
            "key group {group} is not one of {}..{}: the record was sent to the wrong task",
            self.first,
            self.end,
        );
        usize::from(group.0 - self.first)
    }

    /// Returns where the state of a key lives: one digest, whatever the number of states.
    #[inline]
    pub fn locate<'k, K: Key>(&self, view: K::View<'k>) -> At<'k, K> {
        self.place(view, K::digest(view))
    }

    /// Returns where the state of a key lives whose digest is known: computed where the record was
    /// routed, and sent along.
    #[inline]
    pub fn place<'k, K: Key>(&self, view: K::View<'k>, digest: u64) -> At<'k, K> {
        At { view, digest, slot: K::slot(view, digest), group: KeyGroup::of(digest, self.total) }
    }
}

/// Where the state of one key lives: made once per record, passed to each access.
pub struct At<'k, K: Key> {
    view: K::View<'k>,
    digest: u64,
    slot: u64,
    group: KeyGroup,
}

impl<'k, K: Key> At<'k, K> {
    /// Returns the key, borrowed.
    #[inline]
    pub const fn view(self) -> K::View<'k> {
        self.view
    }

    /// Returns the digest that decides the group.
    #[inline]
    pub const fn digest(self) -> u64 {
        self.digest
    }

    /// Returns the digest that tells the rows of one group apart.
    #[inline]
    pub const fn slot(self) -> u64 {
        self.slot
    }

    /// Returns the group.
    #[inline]
    pub const fn group(self) -> KeyGroup {
        self.group
    }

    /// Returns where the state of this key in `window` lives, without hashing the key again.
    #[inline]
    pub fn within<W: Key + Copy>(self, window: W) -> At<'k, In<K, W>> {
        let view = (self.view, window);
        let slot = <In<K, W> as Key>::slot(view, self.digest);
        At { view, digest: self.digest, slot, group: self.group }
    }
}

impl<K: Key> Clone for At<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Key> Copy for At<'_, K> {}

impl<K: Key> fmt::Debug for At<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("At").field("digest", &self.digest).field("group", &self.group).finish()
    }
}

#[cfg(test)]
mod tests;
