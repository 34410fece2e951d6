//! Where a row lies and when it changed: 16 bytes for each row of the store.
//!
//! ```text
//! bits   0..24   hash of the key or field; of a chunk of a list: how many items it has
//!       24       whether the row was removed: a delta may have to say so
//!       25..56   the freeze before which it changed last
//!       56..72   the piece: 0 is the tail in memory, others are files
//!       72..112  the offset in the piece
//!      112..128  where in the row that is found there the value, field or items begin
//! ```

use crate::index::Hashed;

/// One row of a state, as the index holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// Two halves, so that it stands next to others without gaps.
    halves: [u64; 2],
}

/// Where a row lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// The piece of the log.
    pub(crate) piece: u16,
    /// The offset in it.
    pub(crate) offset: u64,
    /// Where in the row the body begins, or [`BEHIND_KEY`].
    pub(crate) body: u16,
}

/// The piece that is in memory.
pub(crate) const TAIL: u16 = 0;

/// The body begins right behind the key, however long that is.
pub(crate) const BEHIND_KEY: u16 = u16::MAX;

/// How many bits of a hash are kept.
const HASH_BITS: u32 = 24;

/// The most that an offset can be: 1 TiB.
pub(crate) const OFFSET_MAX: u64 = (1 << 40) - 1;

/// The most items that one chunk of a list has.
pub(crate) const COUNT_MAX: u32 = HASH_MASK;

const HASH_MASK: u32 = (1 << HASH_BITS) - 1;
const REMOVED: u128 = 1 << HASH_BITS;
const CHANGED_AT: u32 = HASH_BITS + 1;
const CHANGED_MASK: u128 = (1 << 31) - 1;
const PIECE_AT: u32 = 56;
const OFFSET_AT: u32 = 72;
const BODY_AT: u32 = 112;
/// All bits but those of the place.
const SELF_MASK: u128 = (1 << PIECE_AT) - 1;

impl Entry {
    /// Makes the entry of a row that changed before freeze `changed`.
    pub(crate) fn new(hash: u32, changed: u32, place: Place) -> Self {
        assert!(u128::from(changed) <= CHANGED_MASK, "fewer than 2^31 freezes");
        let own = u128::from(hash & HASH_MASK) | u128::from(changed) << CHANGED_AT;
        Self::from_bits(own | place.bits())
    }

    /// Returns the same row in another place.
    pub(crate) fn moved(self, place: Place) -> Self {
        Self::from_bits(self.bits() & SELF_MASK | place.bits())
    }

    /// Returns the same row, removed before freeze `changed`.
    pub(crate) fn removed(self, changed: u32) -> Self {
        Self::from_bits(Self::new(self.hash(), changed, self.place()).bits() | REMOVED)
    }

    /// Returns the same chunk of a list with `count` items.
    pub(crate) fn with_count(self, count: u32) -> Self {
        assert!(count <= COUNT_MAX, "a chunk has at most 2^24 - 1 items");
        Self::from_bits(self.bits() & !u128::from(HASH_MASK) | u128::from(count))
    }

    /// Returns how many items the chunk has.
    pub(crate) const fn count(self) -> u32 {
        self.bits() as u32 & HASH_MASK
    }

    /// Returns the freeze before which the row changed last.
    pub(crate) const fn changed(self) -> u32 {
        (self.bits() >> CHANGED_AT & CHANGED_MASK) as u32
    }

    pub(crate) const fn is_removed(self) -> bool {
        self.bits() & REMOVED != 0
    }

    pub(crate) const fn is_in_tail(self) -> bool {
        self.piece() == TAIL
    }

    pub(crate) const fn piece(self) -> u16 {
        (self.bits() >> PIECE_AT) as u16
    }

    pub(crate) const fn place(self) -> Place {
        let offset = (self.bits() >> OFFSET_AT) as u64 & OFFSET_MAX;
        Place { piece: self.piece(), offset, body: (self.bits() >> BODY_AT) as u16 }
    }

    /// Returns a number that orders rows as they lie.
    pub(crate) const fn order(self) -> u64 {
        (self.piece() as u64) << 40 | (self.bits() >> OFFSET_AT) as u64 & OFFSET_MAX
    }
}

impl Entry {
    const fn from_bits(bits: u128) -> Self {
        Self { halves: [bits as u64, (bits >> 64) as u64] }
    }

    const fn bits(self) -> u128 {
        self.halves[0] as u128 | (self.halves[1] as u128) << 64
    }
}

impl Place {
    fn bits(self) -> u128 {
        assert!(self.offset <= OFFSET_MAX, "a piece has at most 2^40 bytes");
        u128::from(self.piece) << PIECE_AT
            | u128::from(self.offset) << OFFSET_AT
            | u128::from(self.body) << BODY_AT
    }
}

impl Hashed for Entry {
    fn hash(&self) -> u32 {
        self.count()
    }
}

/// Returns as much of a hash as an entry keeps.
pub(crate) const fn short(hash: u64) -> u32 {
    hash as u32 & HASH_MASK
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_entry_gives_back_what_it_was_made_of(
            (hash, changed) in (0..1u32 << 24, 0..1u32 << 31),
            (piece, offset, body) in (any::<u16>(), 0..1u64 << 40, any::<u16>()),
            count in 0..1u32 << 24,
        ) {
            let place = Place { piece, offset, body };
            let entry = Entry::new(hash, changed, place);
            let parts = |entry: Entry| (entry.hash(), entry.changed(), entry.place());
            prop_assert_eq!(parts(entry), (hash, changed, place));
            prop_assert_eq!(entry.order(), u64::from(piece) << 40 | offset);
            prop_assert!(!entry.is_removed());
            let removed = entry.removed(changed / 2);
            prop_assert_eq!(parts(removed), (hash, changed / 2, place));
            prop_assert!(removed.is_removed());
            let moved = removed.moved(Place { piece: !piece, offset: offset / 3, body: !body });
            prop_assert_eq!((moved.hash(), moved.changed()), (hash, changed / 2));
            prop_assert!(moved.is_removed());
            prop_assert_eq!(moved.place().offset, offset / 3);
            prop_assert_eq!(parts(entry.with_count(count)), (count, changed, place));
        }
    }
}
