//! Keys in order: bytes that are ordered as the values are, and ranges of them.

use core::cmp::Ordering;
use core::fmt;
use core::ops::{Bound, RangeBounds};

use super::Key;
use crate::codec::{Reader, Write};
use crate::error::{Fault, Malformed};
use crate::schema::Data;

/// A key with an order that every store keeps: what the fields of an
/// [`OrderedMap`](crate::state::OrderedMap) are.
///
/// Integers, bool and char are ordered as Rust orders them, text by its characters, byte arrays,
/// tuples and types of your own ([`ordered_key!`](crate::ordered_key!)) by their parts from the
/// first on. The encoding in order is format (docs/format.md 2.6).
pub trait OrderedKey: Key {
    /// Returns how `a` and `b` are ordered: as their encodings are.
    fn compare(a: Self::View<'_>, b: Self::View<'_>) -> Ordering;

    /// Appends the encoding in order. That of no key begins with that of another.
    fn write_ordered<W: Write>(view: Self::View<'_>, out: &mut W) -> Result<(), W::Error>;

    /// Takes a key from its encoding in order.
    ///
    /// # Errors
    ///
    /// The bytes are no such encoding.
    fn read_ordered(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// A range of keys, from one bound to another.
pub struct Bounds<'v, F: OrderedKey> {
    /// Where it starts.
    pub start: Bound<F::View<'v>>,
    /// Where it ends.
    pub end: Bound<F::View<'v>>,
}

impl<'v, F: OrderedKey> Bounds<'v, F> {
    /// Returns the bounds of any kind of range.
    pub fn of(range: impl RangeBounds<F::View<'v>>) -> Self {
        Self { start: range.start_bound().cloned(), end: range.end_bound().cloned() }
    }

    /// Returns whether a key lies in front of the range.
    #[inline]
    pub fn is_before(&self, view: F::View<'_>) -> bool {
        match self.start {
            Bound::Included(start) => F::compare(view, start).is_lt(),
            Bound::Excluded(start) => F::compare(view, start).is_le(),
            Bound::Unbounded => false,
        }
    }

    /// Returns whether a key lies behind the range.
    #[inline]
    pub fn is_behind(&self, view: F::View<'_>) -> bool {
        match self.end {
            Bound::Included(end) => F::compare(view, end).is_gt(),
            Bound::Excluded(end) => F::compare(view, end).is_ge(),
            Bound::Unbounded => false,
        }
    }
}

impl<F: OrderedKey> fmt::Debug for Bounds<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounds").finish_non_exhaustive()
    }
}

macro_rules! number {
    ($($key:ty, $value:ident => $ordered:expr, $read:ident => $back:expr;)*) => {$(
        impl OrderedKey for $key {
            #[inline]
            fn compare(a: Self, b: Self) -> Ordering {
                a.cmp(&b)
            }

            fn write_ordered<W: Write>($value: Self, out: &mut W) -> Result<(), W::Error> {
                out.write(&$ordered)
            }

            fn read_ordered(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                let start = *reader;
                let $read = reader.array()?;
                let value: Option<Self> = $back;
                value.ok_or(start.fault(Fault::Range))
            }
        }
    )*};
}

macro_rules! integer {
    (unsigned $($unsigned:ty)*; signed $($signed:ty)*) => {
        number! {
            $($unsigned, value => value.to_be_bytes(), bytes => Some(Self::from_be_bytes(bytes));)*
            // The sign bit is turned over: what is negative comes first.
            $($signed,
                value => (value ^ Self::MIN).to_be_bytes(),
                bytes => Some(Self::from_be_bytes(bytes) ^ Self::MIN);)*
        }
    };
}

integer!(unsigned u8 u16 u32 u64 u128; signed i8 i16 i32 i64 i128);

number! {
    bool, value => [u8::from(value)], bytes => match bytes {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    };
    char, value => u32::from(value).to_be_bytes(), bytes => {
        Self::from_u32(u32::from_be_bytes(bytes))
    };
}

impl OrderedKey for () {
    fn compare((): (), (): ()) -> Ordering {
        Ordering::Equal
    }

    fn write_ordered<W: Write>((): (), _: &mut W) -> Result<(), W::Error> {
        Ok(())
    }

    fn read_ordered(_: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(())
    }
}

impl<const N: usize> OrderedKey for [u8; N]
where
    Self: Data,
{
    fn compare(a: &Self, b: &Self) -> Ordering {
        a.cmp(b)
    }

    fn write_ordered<W: Write>(view: &Self, out: &mut W) -> Result<(), W::Error> {
        out.write(view)
    }

    fn read_ordered(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.array()
    }
}

#[cfg(feature = "alloc")]
impl OrderedKey for alloc::string::String {
    fn compare(a: &str, b: &str) -> Ordering {
        a.cmp(b)
    }

    fn write_ordered<W: Write>(view: &str, out: &mut W) -> Result<(), W::Error> {
        let mut pieces = view.as_bytes().split_inclusive(|byte| *byte == 0);
        pieces.try_for_each(|piece| {
            out.write(piece)?;
            if piece.ends_with(&[0]) { out.write(&[ESCAPED]) } else { Ok(()) }
        })?;
        out.write(&[0, 0])
    }

    fn read_ordered(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (start, mut bytes) = (*reader, alloc::vec::Vec::new());
        loop {
            let length = reader.rest().iter().take_while(|byte| **byte != 0).count();
            bytes.extend_from_slice(reader.take(length)?);
            let end = *reader;
            match reader.array()? {
                [0, 0] => break,
                [0, ESCAPED] => bytes.push(0),
                _ => return Err(end.fault(Fault::Range)),
            }
        }
        Self::from_utf8(bytes).map_err(|_| start.fault(Fault::Utf8))
    }
}

macro_rules! tuple {
    ($($part:ident $a:ident $b:ident),+) => {
        impl<$($part: OrderedKey),+> OrderedKey for ($($part,)+) {
            #[inline]
            fn compare(($($a,)+): Self::View<'_>, ($($b,)+): Self::View<'_>) -> Ordering {
                Ordering::Equal$(.then_with(|| $part::compare($a, $b)))+
            }

            fn write_ordered<W: Write>(
                ($($a,)+): Self::View<'_>,
                out: &mut W,
            ) -> Result<(), W::Error> {
                $($part::write_ordered($a, out)?;)+
                Ok(())
            }

            fn read_ordered(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(($($part::read_ordered(reader)?,)+))
            }
        }
    };
}

tuple!(A a1 a2, B b1 b2);
tuple!(A a1 a2, B b1 b2, C c1 c2);
tuple!(A a1 a2, B b1 b2, C c1 c2, D d1 d2);

/// Gives a key of your own an order: that of its fields, from the first that is named on.
///
/// The type is a [`key!`](crate::key!). Every field is named, each with its type; those of a tuple
/// struct by their numbers.
///
/// ```
/// use holdwater::key::{Key, OrderedKey};
/// use postcard_schema_ng::Schema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
/// struct Price(i32);
/// holdwater::key!(Price: i32);
/// holdwater::ordered_key!(Price { 0: i32 });
///
/// #[derive(Clone, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
/// struct Seat {
///     letter: char,
///     row: u16,
/// }
/// holdwater::key!(Seat);
/// holdwater::ordered_key!(Seat { row: u16, letter: char });
///
/// assert!(Price::compare(&Price(-5), &Price(3)).is_lt());
/// let (front, back) = (Seat { letter: 'f', row: 2 }, Seat { letter: 'a', row: 30 });
/// assert!(Seat::compare(front.view(), back.view()).is_lt());
/// ```
#[macro_export]
macro_rules! ordered_key {
    ($key:ty { $($field:tt: $type:ty),+ $(,)? }) => {
        impl $crate::key::OrderedKey for $key {
            fn compare(a: &Self, b: &Self) -> ::core::cmp::Ordering {
                use $crate::key::{Key, OrderedKey};
                ::core::cmp::Ordering::Equal$(.then_with(|| {
                    <$type as OrderedKey>::compare(Key::view(&a.$field), Key::view(&b.$field))
                }))+
            }

            fn write_ordered<W: $crate::codec::Write>(
                view: &Self,
                out: &mut W,
            ) -> ::core::result::Result<(), W::Error> {
                use $crate::key::{Key, OrderedKey};
                $(<$type as OrderedKey>::write_ordered(Key::view(&view.$field), out)?;)+
                ::core::result::Result::Ok(())
            }

            fn read_ordered(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::error::Malformed> {
                ::core::result::Result::Ok(Self {
                    $($field: <$type as $crate::key::OrderedKey>::read_ordered(reader)?),+
                })
            }
        }
    };
}

/// What follows a zero byte of a text, since two of them end it.
#[cfg(feature = "alloc")]
const ESCAPED: u8 = 0xff;

#[cfg(test)]
mod tests;
