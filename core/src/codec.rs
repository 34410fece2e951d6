//! Bytes in, bytes out: the two row encodings, and the cursor that every decoder reads with.
//!
//! A row is encoded by its state's schema alone, the same on every store (docs/format.md 2.5):
//!
//! | encoding | when | integers |
//! |---|---|---|
//! | [`Encoding::Fixed`] | every leaf has a fixed width | little-endian, full width |
//! | [`Encoding::Postcard`] | otherwise | postcard's varints |

mod fixed;
#[cfg(feature = "alloc")]
mod guarded;
mod value;

#[cfg(feature = "alloc")]
pub use self::guarded::decode_guarded;
pub use self::value::{EncodeError, decode, encode};

use serde::{Deserialize, Serialize};

use crate::error::{Fault, Malformed};

/// A place to append bytes to.
pub trait Write {
    /// Why bytes cannot be appended.
    type Error;

    /// Appends all of `bytes`.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl<W: Write + ?Sized> Write for &mut W {
    type Error = W::Error;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        (**self).write(bytes)
    }
}

#[cfg(feature = "alloc")]
impl Write for alloc::vec::Vec<u8> {
    type Error = core::convert::Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// How the rows of a state are encoded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Encoding {
    /// Every leaf at its full width, little-endian; all rows of a value state have one length.
    Fixed,
    /// The postcard wire format.
    Postcard,
}

impl Encoding {
    /// Returns the byte that stands for this encoding in a file.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fixed => 1,
            Self::Postcard => 2,
        }
    }

    /// Returns the encoding that `code` stands for.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Fixed),
            2 => Some(Self::Postcard),
            _ => None,
        }
    }
}

/// Bytes yet to be read, and how far the reading got.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    /// Reads `bytes`, which stand `offset` bytes into a whole: errors name offsets in the whole.
    #[inline]
    pub const fn at(bytes: &'a [u8], offset: u64) -> Self {
        Self { rest: bytes, offset }
    }

    /// Returns the offset of the next byte.
    #[inline]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns what is left.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns whether nothing is left.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns how many bytes are left.
    #[inline]
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// States that `fault` was found at the next byte.
    pub const fn fault(&self, fault: Fault) -> Malformed {
        Malformed::new(fault, self.offset)
    }

    /// Takes the next `count` bytes.
    #[inline]
    pub const fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let Some((head, tail)) = self.rest.split_at_checked(count) else {
            return Err(self.fault(Fault::End));
        };
        self.rest = tail;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(head)
    }

    /// Takes the next `N` bytes as an array.
    #[inline]
    pub const fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let Some((head, tail)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.fault(Fault::End));
        };
        self.rest = tail;
        self.offset = self.offset.saturating_add(N as u64);
        Ok(*head)
    }

    /// Takes one byte.
    #[inline]
    pub const fn byte(&mut self) -> Result<u8, Malformed> {
        match self.array::<1>() {
            Ok([byte]) => Ok(byte),
            Err(end) => Err(end),
        }
    }

    /// Takes a little-endian `u16`.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    /// Takes a little-endian `u32`.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes a little-endian `u64`.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a little-endian `u128`.
    #[inline]
    pub fn u128(&mut self) -> Result<u128, Malformed> {
        self.array().map(u128::from_le_bytes)
    }

    /// Takes a varint of at most `bits` bits, refusing any but its shortest form.
    ///
    /// Seven bits a byte, lowest first, the top bit set on all but the last: LEB128, as postcard.
    #[inline]
    pub fn varint(&mut self, bits: u32) -> Result<u128, Malformed> {
        match self.rest {
            // Most are this short: counts, lengths, tags.
            [byte, rest @ ..] if *byte < 0x80 && bits >= 7 => {
                self.rest = rest;
                self.offset = self.offset.saturating_add(1);
                Ok(u128::from(*byte))
            }
            _ => self.long_varint(bits),
        }
    }

    fn long_varint(&mut self, bits: u32) -> Result<u128, Malformed> {
        let most = bits.div_ceil(7) as usize;
        let more = self.rest.iter().take(most).take_while(|byte| **byte >= 0x80).count();
        if more == most {
            return Err(self.fault(Fault::Range));
        }
        let start = *self;
        let head = self.take(more)?;
        let last = self.byte()?;
        let room = bits - 7 * more as u32;
        if last == 0 && more > 0 || room < 7 && last >> room != 0 {
            return Err(start.fault(Fault::Range));
        }
        // Up to nine bytes fit a word, which is faster.
        let value = if more < 9 {
            let value =
                head.iter().rfold(u64::from(last), |sum, byte| sum << 7 | u64::from(byte & 0x7f));
            u128::from(value)
        } else {
            head.iter().rfold(u128::from(last), |sum, byte| sum << 7 | u128::from(byte & 0x7f))
        };
        Ok(value)
    }

    /// Takes a varint of at most 64 bits.
    #[inline]
    pub fn varint_u64(&mut self) -> Result<u64, Malformed> {
        // Cannot be cut: `varint` refuses more than 64 bits.
        self.varint(64).map(|value| value as u64)
    }

    /// Takes a varint of at most 32 bits.
    #[inline]
    pub fn varint_u32(&mut self) -> Result<u32, Malformed> {
        self.varint(32).map(|value| value as u32)
    }

    /// Takes a length as a varint, and refuses one beyond what is left.
    #[inline]
    pub fn length(&mut self) -> Result<usize, Malformed> {
        let start = *self;
        match usize::try_from(self.varint_u64()?) {
            Ok(length) if length <= self.len() => Ok(length),
            _ => Err(start.fault(Fault::End)),
        }
    }

    /// Takes bytes behind their length.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        self.take(length)
    }

    /// Takes text behind its length.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        let start = *self;
        core::str::from_utf8(self.bytes()?).map_err(|_| start.fault(Fault::Utf8))
    }

    /// States that nothing may be left.
    pub const fn finish(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(self.fault(Fault::Trailing)) }
    }
}

/// Appends `value` as a varint: the shortest LEB128 form.
pub fn write_varint<W: Write>(mut value: u128, out: &mut W) -> Result<(), W::Error> {
    let mut bytes = [0; 19];
    let mut used = 0;
    for byte in &mut bytes {
        used += 1;
        *byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    out.write(bytes.get(..used).unwrap_or_default())
}

/// Appends `bytes` behind their length.
pub fn write_bytes<W: Write>(bytes: &[u8], out: &mut W) -> Result<(), W::Error> {
    write_varint(bytes.len() as u128, out)?;
    out.write(bytes)
}

/// A writer that only counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count(pub u64);

impl Write for Count {
    type Error = core::convert::Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0 += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_varint_reads_back_and_only_in_its_shortest_form() {
        for value in [0, 1, 127, 128, 300, u128::from(u64::MAX), u128::MAX] {
            let mut bytes = Vec::new();
            write_varint(value, &mut bytes).unwrap();
            assert_eq!(Reader::new(&bytes).varint(128), Ok(value));
        }
        assert_eq!(Reader::new(&[0x80, 0]).varint(64).unwrap_err().fault, Fault::Range);
        let over = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(Reader::new(&over).varint(64).unwrap_err().fault, Fault::Range);
        assert_eq!(Reader::new(&[0x80]).varint(64).unwrap_err().fault, Fault::End);
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused_before_anything_is_taken() {
        let mut reader = Reader::new(&[5, 1, 2]);
        assert_eq!(reader.bytes().unwrap_err(), Malformed::new(Fault::End, 0));
    }
}
