//! Schemas: what the bytes of a row mean, stored once per state (docs/format.md 4).
//!
//! | type | what it is |
//! |---|---|
//! | [`StaticSchema`] | the schema of a Rust type, checked to be portable; writes the stored form |
//! | [`Schema`] | a view of a stored schema, checked once, then walked in place |
//! | [`StoredSchema`] | a stored schema that owns its bytes, also built at run time |
//! | [`Opaque`] | a value of a type that has no schema: bytes and their version |
//!
//! [`walk`] checks bytes from outside against a schema before anything is decoded, and [`check`]
//! that a type writes what its schema says. None of it allocates but [`StoredSchema`].

mod access;
mod compare;
mod emit;
mod evolve;
mod feed;
mod leaf;
mod node;
#[cfg(feature = "alloc")]
mod opaque;
mod path;
mod probe;
mod refusal;
#[cfg(feature = "alloc")]
mod stored;
#[cfg(all(test, feature = "alloc"))]
mod tests;
mod types;
mod verify;
mod walk;
mod words;

pub use self::compare::{Compatibility, Incompatible, compare, compare_type};
pub use self::evolve::decode_as;
pub use self::leaf::Leaf;
pub use self::node::{Kind, Member, Members, Schema};
#[cfg(feature = "alloc")]
pub use self::opaque::{Migration, Opaque, Versioned};
pub use self::path::Path;
pub use self::probe::{Probed, TypeProbe, Verdict};
pub use self::refusal::{DecodeError, Refusal};
#[cfg(feature = "alloc")]
pub use self::stored::StoredSchema;
pub use self::types::{StaticSchema, Unportable, Unsupported, encoding_of, fixed_len_of};
pub use self::walk::{Budget, Unlike, check, walk};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type that can be held in state: serde says how to encode it, its schema what was encoded.
///
/// Implemented for every type that derives `Serialize`, `Deserialize` and
/// [`Schema`](postcard_schema_ng::Schema) and has none but owned parts.
pub trait Data:
    Serialize + DeserializeOwned + postcard_schema_ng::Schema + Clone + Send + Sync + 'static
{
}

impl<T> Data for T where
    T: Serialize + DeserializeOwned + postcard_schema_ng::Schema + Clone + Send + Sync + 'static
{
}

/// The most bytes a stored schema may have.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;

/// The most nodes and notes, one inside the other, that a schema may have.
pub const SCHEMA_DEPTH_MAX: usize = 32;

/// The most fields, variants or tuple elements that one node may have.
pub const SCHEMA_MEMBERS_MAX: usize = 1024;

/// The most bytes that a row in the fixed-width encoding may have; a longer one is encoded by
/// postcard.
pub const FIXED_BYTES_MAX: u64 = 1 << 30;
