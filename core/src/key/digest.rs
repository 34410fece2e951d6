//! The digests of keys: part of the format (docs/format.md 2.2).

use serde::Serialize;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::codec::{Encoding, Write, encode};
#[cfg(feature = "alloc")]
use crate::schema::{Compatibility, Kind, Leaf, Schema, compare};

/// The number that stands for these digests in manifests and snapshots.
pub const HASH_FUNCTION: u8 = 1;

// The first 64 bits of the fraction of pi, and two odd words from the golden ratio and from
// splitmix64: no number up to our sleeve (docs/format.md 2.2).
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const MULTIPLIER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// Returns the digest of an integer key, extended to 64 bits by sign or zero.
///
/// One multiplication folded onto itself: `p = (key ^ SEED) * MULTIPLIER mod 2^128`, low ^ high.
#[inline]
pub const fn digest_integer(key: u64) -> u64 {
    let product = ((key ^ SEED) as u128).wrapping_mul(MULTIPLIER);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Returns the digest of a 128-bit integer key: of its low word, then of its high word.
#[inline]
pub const fn digest_wide(key: u128) -> u64 {
    digest_integer(digest_integer(key as u64) ^ ((key >> 64) as u64))
}

/// Returns the digest of any other key: XXH3-64, seed 0, of its postcard encoding.
#[inline]
pub fn digest_encoded<T: Serialize + ?Sized>(key: &T) -> u64 {
    let mut gather = Gather { bytes: [0; 128], used: 0, rest: None };
    // A key that refuses to serialize is a bug of its type; it has one digest all the same.
    let _ = encode(key, Encoding::Postcard, &mut gather);
    gather.digest()
}

/// Returns whether keys that were written by the schema `stored` may belong to other groups now
/// that their type is one of schema `own`.
///
/// They do not if they are encoded as they were, nor if they were an integer of up to 64 bits, a
/// bool or a char and are one that is wider.
#[cfg(feature = "alloc")]
pub(crate) fn may_move(stored: Schema<'_>, own: Schema<'_>) -> bool {
    let both_words = is_word(stored) && is_word(own);
    !both_words && compare(stored, own) != Ok(Compatibility::Same)
}

/// Returns whether values are extended to one word to be digested.
#[cfg(feature = "alloc")]
fn is_word(schema: Schema<'_>) -> bool {
    match schema.kind() {
        Kind::Leaf(Leaf::F32 | Leaf::F64) => false,
        Kind::Leaf(leaf) => leaf.width().is_some_and(|width| (1..=8).contains(&width)),
        _ => false,
    }
}

/// Keeps short keys in one piece, where XXH3 is fastest, and streams the rest.
struct Gather {
    bytes: [u8; 128],
    used: usize,
    rest: Option<Xxh3>,
}

impl Gather {
    fn digest(&self) -> u64 {
        match &self.rest {
            Some(stream) => stream.digest(),
            None => xxh3_64(self.bytes.get(..self.used).unwrap_or_default()),
        }
    }
}

impl Write for Gather {
    type Error = core::convert::Infallible;

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        if let Some(stream) = &mut self.rest {
            stream.update(bytes);
        } else if let Some(place) = self.bytes.get_mut(self.used..self.used + bytes.len()) {
            place.copy_from_slice(bytes);
            self.used += bytes.len();
        } else {
            let mut stream = Xxh3::new();
            stream.update(self.bytes.get(..self.used).unwrap_or_default());
            stream.update(bytes);
            self.rest = Some(stream);
        }
        Ok(())
    }
}
