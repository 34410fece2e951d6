//! Whole values in and out, in either encoding: what every store calls.

use core::error::Error;
use core::fmt;

use postcard::Error as Postcard;
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

use super::fixed::{FixedDeserializer, FixedSerializer};
use super::{Encoding, Reader, Write};
use crate::error::{Fault, Malformed};

/// Appends `value` to `out` in the given encoding.
///
/// When this fails, part of the value may have been appended.
#[inline]
pub fn encode<T, W>(value: &T, encoding: Encoding, out: &mut W) -> Result<(), EncodeError<W::Error>>
where
    T: Serialize + ?Sized,
    W: Write,
{
    let mut slot = Slot { out, failed: None };
    match encoding {
        Encoding::Fixed => {
            let stopped = value.serialize(FixedSerializer { out: &mut slot }).err();
            slot.finish(stopped)
        }
        Encoding::Postcard => {
            let written = postcard::serialize_with_flavor(value, &mut slot);
            slot.finish(written.err().map(|error| match error {
                Postcard::SerializeSeqLengthUnknown => Stop::Length,
                _ => Stop::Refused,
            }))
        }
    }
}

/// Takes one value in the given encoding, and exactly its bytes.
///
/// Bytes from outside are first to be checked with [`walk`](crate::schema::walk): this function
/// accepts varints that are not in their shortest form, and spends on a count what the count says.
/// On an error `reader` stands where it stood.
#[inline]
pub fn decode<'de, T>(encoding: Encoding, reader: &mut Reader<'de>) -> Result<T, Malformed>
where
    T: Deserialize<'de>,
{
    match encoding {
        Encoding::Fixed => {
            let mut source = FixedDeserializer::new(*reader);
            let value = T::deserialize(&mut source)
                .map_err(|error| source.reader().fault(error.fault()))?;
            *reader = source.reader();
            Ok(value)
        }
        Encoding::Postcard => {
            let bytes = reader.rest();
            let mut source = postcard::Deserializer::from_bytes(bytes);
            let value = T::deserialize(&mut source);
            let used = source.finalize().map_or(0, |rest| bytes.len() - rest.len());
            let mut end = *reader;
            end.take(used)?;
            let value = value.map_err(|error| end.fault(fault(&error)))?;
            *reader = end;
            Ok(value)
        }
    }
}

/// Why a value could not be appended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EncodeError<E> {
    /// A sequence or map does not know its length before it is written.
    Length,
    /// The type's own `Serialize` refused the value.
    Refused,
    /// Text, a sequence, an option or an enum in the fixed-width encoding: the type writes what
    /// its schema does not say.
    Width,
    /// The bytes could not be written.
    Write(E),
}

impl<E: fmt::Display> fmt::Display for EncodeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("sequence of unknown length: let its iterator be exact"),
            Self::Refused => f.write_str("the type refused to serialize the value"),
            Self::Width => f.write_str(
                "no fixed width: the type's serde attributes write what its schema does not say",
            ),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for EncodeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Write(error) => error.source(),
            _ => None,
        }
    }
}

/// A writer that keeps its error, since serde's errors cannot carry one of any type.
pub(super) struct Slot<'w, W: Write> {
    out: &'w mut W,
    failed: Option<W::Error>,
}

impl<W: Write> Slot<'_, W> {
    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.out.write(bytes).map_err(|error| {
            self.failed = Some(error);
            Stop::Write
        })
    }

    #[inline]
    fn finish(self, stopped: Option<Stop>) -> Result<(), EncodeError<W::Error>> {
        match (stopped, self.failed) {
            (None, _) => Ok(()),
            (Some(_), Some(error)) => Err(EncodeError::Write(error)),
            (Some(Stop::Length), None) => Err(EncodeError::Length),
            (Some(Stop::Width), None) => Err(EncodeError::Width),
            (Some(Stop::Refused | Stop::Write), None) => Err(EncodeError::Refused),
        }
    }
}

impl<W: Write> Flavor for &mut Slot<'_, W> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.put(data).map_err(|_| Postcard::SerializeBufferFull)
    }

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.try_extend(&[data])
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Why a serializer stopped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Length,
    Refused,
    Width,
    Write,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot serialize")
    }
}

impl Error for Stop {}

impl serde::ser::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Refused
    }
}

const fn fault(error: &Postcard) -> Fault {
    match error {
        Postcard::DeserializeUnexpectedEnd => Fault::End,
        Postcard::DeserializeBadUtf8 => Fault::Utf8,
        Postcard::DeserializeBadVarint
        | Postcard::DeserializeBadBool
        | Postcard::DeserializeBadChar
        | Postcard::DeserializeBadOption
        | Postcard::DeserializeBadEnum => Fault::Range,
        _ => Fault::Value,
    }
}
