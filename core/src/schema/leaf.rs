use crate::codec::{Encoding, Reader};
use crate::error::{Fault, Malformed};

macro_rules! leaves {
    ($($leaf:ident $code:literal $word:literal $width:expr,)*) => {
        /// A value without parts.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Leaf {
            $(#[doc = concat!("`", $word, "`.")] $leaf = $code,)*
        }

        impl Leaf {
            /// Returns the byte that stands for this leaf in a stored schema.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// Returns the leaf that `code` stands for.
            #[inline]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$leaf),)*
                    _ => None,
                }
            }

            /// Returns the name of the Rust type.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$leaf => $word,)* }
            }

            /// Returns the bytes of every value in the fixed-width encoding, if it has that.
            pub const fn width(self) -> Option<u64> {
                match self { $(Self::$leaf => $width,)* }
            }
        }
    };
}

leaves! {
    Unit 0x01 "()" Some(0),
    Bool 0x02 "bool" Some(1),
    Char 0x03 "char" Some(4),
    U8 0x04 "u8" Some(1),
    U16 0x05 "u16" Some(2),
    U32 0x06 "u32" Some(4),
    U64 0x07 "u64" Some(8),
    U128 0x08 "u128" Some(16),
    I8 0x09 "i8" Some(1),
    I16 0x0a "i16" Some(2),
    I32 0x0b "i32" Some(4),
    I64 0x0c "i64" Some(8),
    I128 0x0d "i128" Some(16),
    F32 0x0e "f32" Some(4),
    F64 0x0f "f64" Some(8),
    String 0x10 "String" None,
    Bytes 0x11 "bytes" None,
}

impl Leaf {
    /// Returns the width of every value if any bytes of that width are one.
    pub(super) const fn plain_width(self, encoding: Encoding) -> Option<u64> {
        match (self, encoding) {
            (Self::U8 | Self::I8 | Self::F32 | Self::F64, _) => self.width(),
            (Self::Bool | Self::Char, _) | (_, Encoding::Postcard) => None,
            (_, Encoding::Fixed) => self.width(),
        }
    }

    /// Returns whether values are integers, floats or bools.
    pub(super) const fn is_number(self) -> bool {
        self.integer_bits().is_some() || matches!(self, Self::Bool | Self::F32 | Self::F64)
    }

    /// Returns whether every value of this leaf is also one of `wider`, exactly.
    pub(super) const fn widens_to(self, wider: Self) -> bool {
        match (self.integer_bits(), wider.integer_bits()) {
            (Some((signed, bits)), Some((wider_signed, wider_bits))) => {
                (signed == wider_signed && bits <= wider_bits) || (!signed && bits < wider_bits)
            }
            _ => self as u8 == wider as u8 || matches!((self, wider), (Self::F32, Self::F64)),
        }
    }

    /// Takes an integer; one without sign is to be cast back to `u128`.
    pub(super) fn integer(
        self,
        encoding: Encoding,
        reader: &mut Reader<'_>,
    ) -> Result<i128, Malformed> {
        let (signed, bits) = self.integer_bits().unwrap_or((false, 0));
        let varint = encoding == Encoding::Postcard && bits > 8;
        let raw = match varint {
            true => reader.varint(bits)?,
            false => little_endian(reader.take(bits as usize / 8)?),
        };
        Ok(match (signed, varint) {
            (false, _) => raw as i128,
            (true, true) => (raw >> 1) as i128 ^ -((raw & 1) as i128),
            (true, false) => ((raw << (128 - bits)) as i128) >> (128 - bits),
        })
    }

    const fn integer_bits(self) -> Option<(bool, u32)> {
        Some(match self {
            Self::U8 => (false, 8),
            Self::U16 => (false, 16),
            Self::U32 => (false, 32),
            Self::U64 => (false, 64),
            Self::U128 => (false, 128),
            Self::I8 => (true, 8),
            Self::I16 => (true, 16),
            Self::I32 => (true, 32),
            Self::I64 => (true, 64),
            Self::I128 => (true, 128),
            _ => return None,
        })
    }

    /// Takes one value, if the next bytes are one.
    #[inline]
    pub(super) fn skip(self, encoding: Encoding, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        if let Some(width) = self.plain_width(encoding) {
            reader.take(width as usize)?;
            return Ok(());
        }
        match self {
            Self::Unit => {}
            Self::Bool => _ = tag(reader)?,
            Self::Char => _ = char(encoding, reader)?,
            Self::U16 | Self::I16 => _ = reader.varint(16)?,
            Self::U32 | Self::I32 => _ = reader.varint(32)?,
            Self::U64 | Self::I64 => _ = reader.varint(64)?,
            Self::U128 | Self::I128 => _ = reader.varint(128)?,
            Self::U8 | Self::I8 | Self::F32 | Self::F64 => {}
            Self::String => _ = reader.text()?,
            Self::Bytes => _ = reader.bytes()?,
        }
        Ok(())
    }

    /// Takes `count` values, at once if any bytes are values.
    pub(super) fn skip_many(
        self,
        count: u64,
        encoding: Encoding,
        reader: &mut Reader<'_>,
    ) -> Result<(), Malformed> {
        if let Some(width) = self.plain_width(encoding) {
            let bytes = count.checked_mul(width).and_then(|bytes| usize::try_from(bytes).ok());
            reader.take(bytes.unwrap_or(usize::MAX))?;
            return Ok(());
        }
        for _ in 0..count {
            self.skip(encoding, reader)?;
        }
        Ok(())
    }
}

/// Takes a byte that is 0 or 1: a bool, or the tag of an option.
pub(super) fn tag(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    let start = *reader;
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(start.fault(Fault::Range)),
    }
}

/// Takes a char: four bytes in the fixed-width encoding, else a text of just that.
pub(super) fn char(encoding: Encoding, reader: &mut Reader<'_>) -> Result<char, Malformed> {
    let start = *reader;
    let char = match encoding {
        Encoding::Fixed => char::from_u32(reader.u32()?),
        Encoding::Postcard => {
            let mut chars = reader.text()?.chars();
            chars.next().filter(|_| chars.next().is_none())
        }
    };
    char.ok_or(start.fault(Fault::Range))
}

fn little_endian(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte))
}
