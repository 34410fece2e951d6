//! Where the rows of each key lie in a part: for stores that read them there.

use alloc::vec::Vec;

use crate::codec::Write;

/// Gathers where rows begin, by hashes of their keys (docs/format.md 5.7).
#[derive(Clone, Debug)]
pub struct Locator {
    seed: u64,
    /// How many keys have rows; those of one key follow one another.
    keys: u64,
    last: Option<u64>,
    rows: Vec<(u32, u64)>,
}

impl Locator {
    /// The length of its head in bytes.
    pub const HEAD_LEN: usize = 24;
    /// The length in bytes of what it says of a row.
    pub const ROW_LEN: usize = 10;

    /// Begins a part; keys are hashed with `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed, keys: 0, last: None, rows: Vec::new() }
    }

    /// Returns what keys are hashed with.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns what is kept of the hash of a key.
    pub const fn short(hash: u64) -> u32 {
        (hash >> 32) as u32
    }

    /// Takes note of a row of the key with that hash, which begins at byte `at` of the rows.
    pub(crate) fn note(&mut self, hash: u64, at: u64) {
        self.keys += u64::from(self.last != Some(hash));
        self.last = Some(hash);
        self.rows.push((Self::short(hash), at));
    }

    /// Writes it; the rows begin at byte `first` of the payload of their part.
    pub(crate) fn write<W: Write>(mut self, first: u64, out: &mut W) -> Result<(), W::Error> {
        self.rows.sort_unstable();
        for field in [self.seed, self.keys, self.rows.len() as u64] {
            out.write(&field.to_le_bytes())?;
        }
        for (hash, at) in self.rows {
            out.write(&hash.to_le_bytes())?;
            let [a, b, c, d, e, f, ..] = (first + at).to_le_bytes();
            out.write(&[a, b, c, d, e, f])?;
        }
        Ok(())
    }
}
