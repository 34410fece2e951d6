use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{self, Display};

use super::node::{ARRAY, ENUM, LIMIT, MAP, NAME, OPAQUE, OPTION, SEQ, STRUCT, TUPLE};
use super::{Leaf, Schema, StaticSchema, Unsupported};
use crate::codec::{write_bytes, write_varint};
use crate::error::Malformed;

/// A stored schema that owns its bytes.
///
/// Made from a Rust type, read from a file, or built from parts where the type is known only at
/// run time:
///
/// ```
/// use holdwater::schema::{Leaf, StoredSchema};
///
/// let text = StoredSchema::leaf(Leaf::String);
/// let key = StoredSchema::fields([("origin", &text), ("carrier", &text)])?;
/// assert_eq!(key.to_string(), "{ origin: String, carrier: String }");
/// # Ok::<(), holdwater::error::Malformed>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct StoredSchema {
    bytes: Box<[u8]>,
    any_bytes: Option<u32>,
}

impl StoredSchema {
    /// Returns the schema of `T`.
    pub fn of<T: postcard_schema_ng::Schema + ?Sized>() -> Result<Self, Unsupported> {
        StaticSchema::of::<T>().map(Self::from)
    }

    /// Checks that `bytes` are exactly one schema, and copies them.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        Schema::parse(bytes).map(Self::from)
    }

    /// Makes the schema of values without parts.
    pub fn leaf(leaf: Leaf) -> Self {
        Schema::checked(&[leaf.code()]).into()
    }

    /// Makes the schema of a value or none.
    pub fn option(inner: &Self) -> Result<Self, Malformed> {
        Self::composite(OPTION, &inner.bytes)
    }

    /// Makes the schema of any number of elements.
    pub fn seq(element: &Self) -> Result<Self, Malformed> {
        Self::composite(SEQ, &element.bytes)
    }

    /// Makes the schema of pairs.
    pub fn map(key: &Self, value: &Self) -> Result<Self, Malformed> {
        Self::composite(MAP, &[&*key.bytes, &*value.bytes].concat())
    }

    /// Makes the schema of bytes that only their type reads, of this version.
    pub fn opaque(version: u32) -> Result<Self, Malformed> {
        let mut body = Vec::new();
        let Ok(()) = write_varint(version.into(), &mut body);
        Self::composite(OPAQUE, &body)
    }

    /// Makes the schema of elements told by their place.
    pub fn tuple<'a>(elements: impl IntoIterator<Item = &'a Self>) -> Result<Self, Malformed> {
        let elements: Vec<_> = elements.into_iter().collect();
        let mut body = Vec::new();
        let Ok(()) = write_varint(elements.len() as u128, &mut body);
        match elements.split_first() {
            Some((first, rest)) if !rest.is_empty() && all_alike(first, rest) => {
                body.extend_from_slice(&first.bytes);
                Self::composite(ARRAY, &body)
            }
            _ => {
                elements.iter().for_each(|element| body.extend_from_slice(&element.bytes));
                Self::composite(TUPLE, &body)
            }
        }
    }

    /// Makes the schema of a struct with these fields.
    pub fn fields<'a, I>(fields: I) -> Result<Self, Malformed>
    where
        I: IntoIterator<Item = (&'a str, &'a Self)>,
    {
        Self::members(STRUCT, fields)
    }

    /// Makes the schema of an enum with these variants; a variant without data holds the unit.
    pub fn variants<'a, I>(variants: I) -> Result<Self, Malformed>
    where
        I: IntoIterator<Item = (&'a str, &'a Self)>,
    {
        Self::members(ENUM, variants)
    }

    /// Notes the name of the type.
    pub fn named(&self, name: &str) -> Result<Self, Malformed> {
        let mut bytes = Vec::from([NAME]);
        let Ok(()) = write_bytes(name.as_bytes(), &mut bytes);
        bytes.extend_from_slice(&self.bytes);
        Self::parse(&bytes)
    }

    /// Notes the most bytes, elements or pairs that a value may have.
    pub fn limited(&self, limit: u64) -> Result<Self, Malformed> {
        let mut bytes = Vec::from([LIMIT]);
        let Ok(()) = write_varint(limit.into(), &mut bytes);
        bytes.extend_from_slice(&self.bytes);
        Self::parse(&bytes)
    }

    /// Returns the view that reads it.
    pub fn view(&self) -> Schema<'_> {
        Schema::known(&self.bytes, self.any_bytes)
    }

    /// Returns the stored form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn members<'a, I>(code: u8, members: I) -> Result<Self, Malformed>
    where
        I: IntoIterator<Item = (&'a str, &'a Self)>,
    {
        let mut count = 0u128;
        let mut parts = Vec::new();
        for (name, schema) in members {
            count += 1;
            let Ok(()) = write_bytes(name.as_bytes(), &mut parts);
            parts.extend_from_slice(&schema.bytes);
        }
        let mut body = Vec::new();
        let Ok(()) = write_varint(count, &mut body);
        body.append(&mut parts);
        Self::composite(code, &body)
    }

    /// Puts a node together; what is beyond the limits is refused as it would be on reading.
    fn composite(code: u8, body: &[u8]) -> Result<Self, Malformed> {
        let mut bytes = Vec::from([code]);
        let Ok(()) = write_bytes(body, &mut bytes);
        Self::parse(&bytes)
    }
}

impl From<Schema<'_>> for StoredSchema {
    fn from(schema: Schema<'_>) -> Self {
        Self { bytes: schema.bytes().into(), any_bytes: schema.any_bytes() }
    }
}

impl From<StaticSchema> for StoredSchema {
    fn from(schema: StaticSchema) -> Self {
        let mut bytes = Vec::new();
        let Ok(()) = schema.write(&mut bytes);
        Schema::checked(&bytes).into()
    }
}

impl fmt::Debug for StoredSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredSchema({:#})", self.view())
    }
}

impl Display for StoredSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

fn all_alike(first: &StoredSchema, rest: &[&StoredSchema]) -> bool {
    let fingerprint = first.view().fingerprint();
    rest.iter().all(|other| other.view().fingerprint() == fingerprint)
}
