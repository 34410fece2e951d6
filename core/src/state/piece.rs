//! What stands in rows: values, or bytes that are the encoding of one; their lengths and hashes.

use core::convert::Infallible;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use super::OutputFailed;
use crate::codec::{Count, EncodeError, Encoding, Write, encode};

/// Something that can stand in a row: a typed value, or [`Raw`] bytes that are one already.
pub trait Piece {
    /// Appends the encoding.
    fn write<W: Write>(&self, encoding: Encoding, out: &mut W)
    -> Result<(), EncodeError<W::Error>>;
}

impl<T: Serialize> Piece for T {
    #[inline]
    fn write<W: Write>(
        &self,
        encoding: Encoding,
        out: &mut W,
    ) -> Result<(), EncodeError<W::Error>> {
        encode(self, encoding, out)
    }
}

/// Bytes that are the encoding of a value.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(pub &'a [u8]);

impl Piece for Raw<'_> {
    #[inline]
    fn write<W: Write>(&self, _: Encoding, out: &mut W) -> Result<(), EncodeError<W::Error>> {
        out.write(self.0).map_err(EncodeError::Write)
    }
}

/// One piece behind another.
pub(super) struct Pair<'i, A, B>(pub(super) &'i A, pub(super) &'i B);

impl<A: Piece, B: Piece> Piece for Pair<'_, A, B> {
    #[inline]
    fn write<W: Write>(
        &self,
        encoding: Encoding,
        out: &mut W,
    ) -> Result<(), EncodeError<W::Error>> {
        self.0.write(encoding, out)?;
        self.1.write(encoding, out)
    }
}

/// A hash that encodings are written to.
#[derive(Clone)]
pub(super) struct Hash(pub(super) Xxh3);

impl Write for Hash {
    type Error = Infallible;

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.update(bytes);
        Ok(())
    }
}

pub(super) fn hash_of(
    piece: &impl Piece,
    encoding: Encoding,
) -> Result<Hash, EncodeError<OutputFailed>> {
    let mut hash = Hash(Xxh3::new());
    piece.write(encoding, &mut hash).map_err(widen)?;
    Ok(hash)
}

#[cfg(feature = "alloc")]
pub(super) fn seeded_hash_of(
    piece: &impl Piece,
    seed: u64,
    encoding: Encoding,
) -> Result<u64, EncodeError<OutputFailed>> {
    let mut hash = Hash(Xxh3::with_seed(seed));
    piece.write(encoding, &mut hash).map_err(widen)?;
    Ok(hash.0.digest())
}

pub(super) fn digest_of(
    front: &Hash,
    piece: &impl Piece,
    encoding: Encoding,
) -> Result<u128, EncodeError<OutputFailed>> {
    let mut hash = front.clone();
    piece.write(encoding, &mut hash).map_err(widen)?;
    Ok(hash.0.digest128())
}

#[inline]
pub(super) fn length_of(
    piece: &impl Piece,
    encoding: Encoding,
) -> Result<u64, EncodeError<OutputFailed>> {
    let mut count = Count::default();
    piece.write(encoding, &mut count).map_err(widen)?;
    Ok(count.0)
}

pub(super) fn varint_len(value: u64) -> u64 {
    u64::from((64 - (value | 1).leading_zeros()).div_ceil(7))
}

fn widen(error: EncodeError<Infallible>) -> EncodeError<OutputFailed> {
    match error {
        EncodeError::Length => EncodeError::Length,
        EncodeError::Refused => EncodeError::Refused,
        EncodeError::Width => EncodeError::Width,
        EncodeError::Write(never) => match never {},
    }
}
