#[cfg(feature = "alloc")]
use alloc::string::{String, ToString};
use core::error::Error;
use core::fmt;

use serde::de::{self, Expected, Unexpected};

use super::Path;
use crate::error::{Fault, Malformed};

/// Bytes of a stored schema cannot be read into a type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DecodeError {
    /// The stored field or variant at which it failed.
    pub path: Path,
    /// Where in the bytes.
    pub offset: u64,
    /// Why.
    pub refusal: Refusal,
}

/// Why stored bytes cannot be read into a type.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// The type has a field that is not stored, and no `serde(default)` for it.
    Absent(&'static str),
    /// Two stored fields claim to be this one, by its name and an alias.
    Duplicate(&'static str),
    /// The type holds another number of elements than is stored.
    Length,
    /// The bytes are not of the stored schema.
    Malformed(Fault),
    /// Keys or the fields of maps would be read without one of their fields, so that two could
    /// become one; or two did.
    Merge,
    /// The type's schema was made at run time, and another one is stored.
    RunTime,
    /// What is stored as the one cannot become the other.
    Type {
        /// The stored kind.
        stored: &'static str,
        /// What the type asks for.
        wanted: &'static str,
    },
    /// The type's own `Deserialize` takes no value of the stored kind.
    Unexpected {
        /// The stored kind.
        stored: &'static str,
        /// What it expects, in its words.
        #[cfg(feature = "alloc")]
        wanted: String,
    },
    /// The type has no such field and denies unknown ones.
    UnknownField,
    /// The type has no such variant.
    UnknownVariant,
    /// The bytes of a type without a schema are of a version that it does not read.
    Version {
        /// The stored version.
        stored: u32,
        /// Those that the type reads, in words.
        #[cfg(feature = "alloc")]
        wanted: String,
    },
    /// The type's own `Deserialize` says no, in its words where they can be kept.
    Value(#[cfg(feature = "alloc")] String),
}

impl Refusal {
    /// States that the stored version is none of those wanted.
    pub(super) fn version(stored: u32, wanted: impl fmt::Display) -> Self {
        #[cfg(not(feature = "alloc"))]
        let _ = wanted;
        Self::Version {
            stored,
            #[cfg(feature = "alloc")]
            wanted: wanted.to_string(),
        }
    }
}

impl DecodeError {
    /// States that the whole value is refused.
    pub const fn of(refusal: Refusal) -> Self {
        Self { path: Path::new(), offset: 0, refusal }
    }

    /// States that the type's own `Deserialize` says no to sound bytes, at `offset`.
    pub(crate) fn of_type(offset: u64) -> Self {
        Self { offset, ..Self::value(format_args!("the type does not accept the value")) }
    }

    /// Says that the version `stored` is not what the type expects.
    pub(super) fn of_version(self, stored: u32) -> Self {
        match self.refusal {
            Refusal::Unexpected {
                #[cfg(feature = "alloc")]
                wanted,
                ..
            } => Self::of(Refusal::Version {
                stored,
                #[cfg(feature = "alloc")]
                wanted,
            }),
            refusal => Self { refusal, ..self },
        }
    }

    /// Says that what is stored as `stored` is not what the type wants.
    pub(super) const fn mismatch(stored: &'static str, wanted: &'static str) -> Self {
        Self::of(Refusal::Type { stored, wanted })
    }

    /// Says that it happened in the member `name`.
    #[must_use]
    pub(super) fn inside(mut self, name: &str) -> Self {
        self.path = self.path.inside(name);
        self
    }

    /// Says that it happened at `offset`, unless known better.
    #[must_use]
    pub(super) fn at(mut self, offset: u64) -> Self {
        if !matches!(self.refusal, Refusal::Malformed(_)) {
            self.offset = offset;
        }
        self
    }

    fn value(words: fmt::Arguments<'_>) -> Self {
        #[cfg(feature = "alloc")]
        return Self::of(Refusal::Value(words.to_string()));
        #[cfg(not(feature = "alloc"))]
        {
            _ = words;
            Self::of(Refusal::Value())
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{} (byte {})", self.refusal, self.offset)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(field) => {
                write!(f, "no field `{field}` is stored, give it serde(default) or serde(alias)")
            }
            Self::Duplicate(field) => write!(f, "field `{field}` is stored under two names"),
            Self::Length => f.write_str("another number of elements is stored"),
            Self::Malformed(fault) => fault.fmt(f),
            Self::Merge => f.write_str(
                "two keys would become one, keep all fields and variants of what is a key",
            ),
            Self::RunTime => {
                f.write_str("a schema that was made at run time does not evolve, make the same")
            }
            Self::Type { stored, wanted } => {
                write!(f, "what is stored as {stored} cannot become {wanted}")
            }
            #[cfg(feature = "alloc")]
            Self::Unexpected { stored, wanted } => write!(f, "stored is {stored}, wanted {wanted}"),
            #[cfg(not(feature = "alloc"))]
            Self::Unexpected { stored } => write!(f, "the type does not take the stored {stored}"),
            Self::UnknownField => f.write_str("the type denies fields it does not know"),
            Self::UnknownVariant => {
                f.write_str("the type has no such variant, keep it or give one serde(alias)")
            }
            #[cfg(feature = "alloc")]
            Self::Version { stored, wanted } => write!(
                f,
                "version {stored} is stored, wanted {wanted}: keep a migration from it, or use a \
                 program that has one"
            ),
            #[cfg(not(feature = "alloc"))]
            Self::Version { stored } => {
                write!(f, "version {stored} is stored, keep a migration from it")
            }
            #[cfg(feature = "alloc")]
            Self::Value(words) => f.write_str(words),
            #[cfg(not(feature = "alloc"))]
            Self::Value() => f.write_str("the type does not accept the value"),
        }
    }
}

impl Error for DecodeError {}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> Self {
        Self { offset: malformed.offset, ..Self::of(Refusal::Malformed(malformed.fault)) }
    }
}

/// What serde makes of it; the words never hold stored content.
impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::value(format_args!("{words}"))
    }

    fn invalid_type(stored: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        #[cfg(not(feature = "alloc"))]
        let _ = wanted;
        Self::of(Refusal::Unexpected {
            stored: sort(stored),
            #[cfg(feature = "alloc")]
            wanted: wanted.to_string(),
        })
    }

    fn invalid_value(stored: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::value(format_args!("this {} is not {wanted}", sort(stored)))
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self::of(Refusal::Length)
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self::of(Refusal::UnknownVariant)
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::of(Refusal::UnknownField)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(Refusal::Absent(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::of(Refusal::Duplicate(field))
    }
}

const fn sort(stored: Unexpected<'_>) -> &'static str {
    match stored {
        Unexpected::Bool(_) => "bool",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "float",
        Unexpected::Char(_) => "char",
        Unexpected::Str(_) => "text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit => "unit",
        Unexpected::Option => "option",
        Unexpected::NewtypeStruct => "newtype",
        Unexpected::Seq => "sequence",
        Unexpected::Map => "map or struct",
        Unexpected::Enum => "enum",
        Unexpected::UnitVariant => "variant without data",
        Unexpected::NewtypeVariant => "variant of one value",
        Unexpected::TupleVariant => "variant of several values",
        Unexpected::StructVariant => "variant with fields",
        Unexpected::Other(_) => "value",
    }
}
