use super::leaf::{char, tag};
use super::probe::Probe;
use super::{Budget, DecodeError, Leaf, Members, Refusal, Schema, walk};
use crate::codec::{Encoding, Reader};
use crate::error::{Fault, Malformed};

/// What a value is made of that is read by its schema: stored bytes, or whatever a probe makes up.
pub(super) enum Feed<'r, 's, 'de> {
    /// Stored bytes.
    Bytes(Encoding, &'r mut Reader<'de>),
    /// Nothing is stored: the type is only asked what it would read.
    Probe(&'r mut Probe<'s>),
}

impl<'s, 'de> Feed<'_, 's, 'de> {
    /// Views the same feed.
    pub(super) fn again(&mut self) -> Feed<'_, 's, 'de> {
        match self {
            Self::Bytes(encoding, reader) => Feed::Bytes(*encoding, reader),
            Self::Probe(probe) => Feed::Probe(probe),
        }
    }

    /// States that `fault` was found at the next byte.
    pub(super) const fn fault(&self, fault: Fault) -> Malformed {
        match self {
            Self::Bytes(_, reader) => reader.fault(fault),
            Self::Probe(_) => Malformed::new(fault, 0),
        }
    }

    /// Returns `count`, or how many bytes are left if that is less: a hint not to trust further.
    pub(super) fn at_most(&self, count: u64) -> usize {
        let most = match self {
            Self::Bytes(_, reader) => reader.len(),
            Self::Probe(_) => 1,
        };
        usize::try_from(count).map_or(most, |count| count.min(most))
    }

    /// Takes a bool, or the tag of an option.
    pub(super) fn tag(&mut self) -> Result<bool, Malformed> {
        match self {
            Self::Bytes(_, reader) => tag(reader),
            Self::Probe(probe) => Ok(probe.count()? > 0),
        }
    }

    pub(super) fn char(&mut self) -> Result<char, Malformed> {
        match self {
            Self::Bytes(encoding, reader) => char(*encoding, reader),
            Self::Probe(probe) => Ok(if probe.count()? > 0 { '1' } else { '0' }),
        }
    }

    pub(super) fn text(&mut self) -> Result<&'de str, Malformed> {
        match self {
            Self::Bytes(_, reader) => reader.text(),
            Self::Probe(probe) => Ok(if probe.count()? > 0 { "1" } else { "" }),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<&'de [u8], Malformed> {
        match self {
            Self::Bytes(_, reader) => reader.bytes(),
            Self::Probe(probe) => Ok(if probe.count()? > 0 { &[1] } else { &[] }),
        }
    }

    /// Takes `count` bytes.
    pub(super) fn slice(&mut self, count: u32) -> Result<&'de [u8], Malformed> {
        match self {
            Self::Bytes(_, reader) => reader.take(count as usize),
            Self::Probe(_) => ONES.get(..count as usize).ok_or(self.fault(Fault::Budget)),
        }
    }

    /// Takes an integer; one without sign is to be cast back to `u128`.
    pub(super) fn integer(&mut self, stored: Leaf) -> Result<i128, Malformed> {
        match self {
            Self::Bytes(encoding, reader) => stored.integer(*encoding, reader),
            Self::Probe(probe) => Ok(probe.count()?.into()),
        }
    }

    pub(super) fn f32(&mut self) -> Result<f32, Malformed> {
        match self {
            Self::Bytes(_, reader) => reader.u32().map(f32::from_bits),
            Self::Probe(probe) => Ok(probe.count()? as f32),
        }
    }

    pub(super) fn f64(&mut self) -> Result<f64, Malformed> {
        match self {
            Self::Bytes(_, reader) => reader.u64().map(f64::from_bits),
            Self::Probe(probe) => Ok(probe.count()? as f64),
        }
    }

    /// Takes how many elements or pairs there are.
    pub(super) fn count(&mut self) -> Result<u64, Malformed> {
        match self {
            Self::Bytes(_, reader) => reader.varint_u64(),
            Self::Probe(probe) => probe.count(),
        }
    }

    /// Returns how many of the `count` elements of an array are shown to a type that takes any
    /// number: a probe shows one.
    pub(super) fn shown(&self, count: u32) -> u64 {
        match self {
            Self::Bytes(..) => count.into(),
            Self::Probe(_) => count.min(1).into(),
        }
    }

    /// Takes the index of a variant of `members`; the type knows those that are called `known`.
    pub(super) fn variant(
        &mut self,
        members: Members<'s>,
        known: &[&str],
    ) -> Result<u32, Malformed> {
        match self {
            Self::Bytes(_, reader) => reader.varint_u32(),
            Self::Probe(probe) => probe.variant(members, known),
        }
    }

    /// Takes note of whether the type knows the variant that was given.
    pub(super) const fn named(&mut self, known: bool) {
        if let Self::Probe(probe) = self {
            probe.named(known);
        }
    }

    /// Takes note that a part with a name comes next.
    pub(super) const fn enter(&mut self) {
        if let Self::Probe(probe) = self {
            probe.enter();
        }
    }

    /// Takes note that the part called `name` is done with.
    pub(super) fn leave(&mut self, name: &str) {
        if let Self::Probe(probe) = self {
            probe.leave(name);
        }
    }

    /// Takes note of what came of reading as many elements as are stored: a type that does not
    /// take them may take others.
    pub(super) fn any_length<T>(&mut self, read: Result<T, DecodeError>) -> Result<T, DecodeError> {
        if let (Self::Probe(probe), Err(error)) = (self, &read)
            && error.refusal == Refusal::Length
        {
            probe.any_length();
        }
        read
    }

    /// Takes a value that the type does not look at.
    pub(super) fn ignore(&mut self, schema: Schema<'s>) -> Result<(), Malformed> {
        match self {
            Self::Bytes(encoding, reader) => {
                let mut budget = Budget::MAX;
                walk(schema, *encoding, reader, &mut budget)
            }
            Self::Probe(probe) => {
                probe.ignored();
                Ok(())
            }
        }
    }
}

/// What a probe shows of bytes of a given number.
const ONES: [u8; 64] = [1; 64];
