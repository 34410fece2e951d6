//! The key of a record: its key fields, as written.

use core::convert::Infallible;
use std::fmt;

use holdwater::codec::{Reader, write_bytes};
use holdwater::error::Malformed;

/// A key: each of its fields as postcard encodes a string, one after the other.
///
/// Equal fields in equal order make equal bytes, so keys are compared and hashed by them. The
/// number of fields is that of the job and is not stored.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fields(Box<[u8]>);

/// A key borrowed from a record or a state.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FieldsView<'a>(&'a [u8]);

impl Fields {
    /// Encodes the given fields.
    pub fn new<'f>(fields: impl IntoIterator<Item = &'f str>) -> Self {
        let mut bytes = Vec::new();
        for field in fields {
            push_field(field, &mut bytes);
        }
        Self(bytes.into())
    }

    /// Returns the key borrowed.
    pub fn view(&self) -> FieldsView<'_> {
        FieldsView(&self.0)
    }
}

impl<'a> FieldsView<'a> {
    /// Takes `bytes` for a key of `count` fields, or says where they are none.
    pub fn decode(bytes: &'a [u8], count: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        for _ in 0..count {
            reader.text()?;
        }
        reader.finish()?;
        Ok(Self(bytes))
    }

    /// Takes bytes that [`push_field`] has written.
    pub(crate) const fn trusted(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the encoding.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns a key of its own.
    pub fn to_owned(self) -> Fields {
        Fields(self.0.into())
    }

    /// Iterates over the fields as written.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            // Broken bytes do not get past `decode`.
            Some(reader.text().expect("a key holds its fields"))
        })
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl fmt::Debug for FieldsView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Appends one field to an encoded key.
pub(crate) fn push_field(field: &str, key: &mut Vec<u8>) {
    // The usual field is short, and its length one byte.
    if let Ok(length @ 0..0x80) = u8::try_from(field.len()) {
        key.push(length);
        key.extend_from_slice(field.as_bytes());
        return;
    }
    let written: Result<(), Infallible> = write_bytes(field.as_bytes(), key);
    match written {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_fields_as_postcard_encodes_them() {
        let long = "x".repeat(300);
        let key = Fields::new(["ATL", "", &long]);
        assert_eq!(key.view().as_bytes(), postcard::to_allocvec(&("ATL", "", &long)).unwrap());
        assert_eq!(key.view().iter().collect::<Vec<_>>(), ["ATL", "", &long]);
        assert_eq!(FieldsView::decode(key.view().as_bytes(), 3), Ok(key.view()));
        assert_eq!(key.view().to_owned(), key);
    }

    #[test]
    fn fields_are_never_mistaken_for_others() {
        assert_ne!(Fields::new(["ab", "c"]), Fields::new(["a", "bc"]));
        assert_ne!(Fields::new(["01"]), Fields::new(["1"]));
        assert_ne!(Fields::new([""]), Fields::new([]));
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        for bytes in [&[][..], &[1], &[2, b'a'], &[1, 0xff], &[1, b'a', 0], &[0x80, 0]] {
            assert!(FieldsView::decode(bytes, 1).is_err(), "{bytes:?}");
        }
    }
}
