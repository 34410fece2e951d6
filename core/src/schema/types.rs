use core::error::Error;
use core::fmt;

use postcard_schema_ng::schema::{Data as Shape, DataModelType};

use super::Leaf;
use super::emit::{self, Length, Stored};
use crate::codec::{Encoding, Write};
use crate::schema::{FIXED_BYTES_MAX, SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, SCHEMA_MEMBERS_MAX};

/// The schema of a Rust type, checked to be one that can be stored.
#[derive(Clone, Copy, Debug)]
pub struct StaticSchema {
    root: &'static DataModelType,
}

impl StaticSchema {
    /// Checks that the schema of `T` is within the limits and the same on every target.
    pub fn of<T: postcard_schema_ng::Schema + ?Sized>() -> Result<Self, Unsupported> {
        Self::new(T::SCHEMA)
    }

    /// Checks that `root` is within the limits and the same on every target.
    pub fn new(root: &'static DataModelType) -> Result<Self, Unsupported> {
        support(root, 1, "the type")?;
        let schema = Self { root };
        if schema.stored_len() > SCHEMA_BYTES_MAX as u64 {
            return Err(Unsupported { reason: Unportable::Large, place: "the type" });
        }
        Ok(schema)
    }

    /// Appends the stored form (docs/format.md 4).
    pub fn write<W: Write>(self, out: &mut W) -> Result<(), W::Error> {
        emit::node(self.root, &mut Stored(out))
    }

    /// Returns the bytes of the stored form.
    pub fn stored_len(self) -> u64 {
        let mut length = Length::default();
        let Ok(()) = emit::node(self.root, &mut length);
        length.total()
    }

    /// Returns how rows of this schema are encoded.
    pub const fn encoding(self) -> Encoding {
        encoding_of(self.root)
    }

    /// Returns the length of every row if all leaves have a fixed width.
    pub const fn fixed_len(self) -> Option<usize> {
        fixed_len_of(self.root)
    }

    /// Returns the same number as [`Schema::fingerprint`](super::Schema::fingerprint) of the
    /// stored form.
    pub fn fingerprint(self) -> u64 {
        emit::fingerprint(self.root)
    }
}

/// Returns how rows of `schema` are encoded; at compile time if asked in a constant.
pub const fn encoding_of(schema: &DataModelType) -> Encoding {
    if width(schema).is_some() { Encoding::Fixed } else { Encoding::Postcard }
}

/// Returns the length of every row of `schema` if all its leaves have a fixed width.
pub const fn fixed_len_of(schema: &DataModelType) -> Option<usize> {
    match width(schema) {
        Some(width) if width <= usize::MAX as u64 => Some(width as usize),
        _ => None,
    }
}

/// A type has no stored schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unsupported {
    /// Why.
    pub reason: Unportable,
    /// The innermost type, field or variant with a name.
    pub place: &'static str,
}

/// Why a type has no stored schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Unportable {
    /// Nests deeper than [`SCHEMA_DEPTH_MAX`].
    Deep,
    /// Has elements that take no bytes: a few bytes could claim any number of them.
    Empty,
    /// Its schema takes more than [`SCHEMA_BYTES_MAX`].
    Large,
    /// Holds a `usize` or `isize`, which have another width on another target.
    Pointer,
    /// Holds a schema as a value.
    Schema,
    /// Has more than [`SCHEMA_MEMBERS_MAX`] members.
    Wide,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no schema for {}: ", self.place)?;
        match self.reason {
            Unportable::Deep => write!(f, "more than {SCHEMA_DEPTH_MAX} levels, flatten it"),
            Unportable::Empty => {
                f.write_str("elements that take no bytes, store how many there are instead")
            }
            Unportable::Large => write!(f, "above {SCHEMA_BYTES_MAX} bytes, split the type"),
            Unportable::Pointer => {
                f.write_str("usize and isize differ between targets, use u64 or i64")
            }
            Unportable::Schema => f.write_str("holds a schema as a value, store its bytes instead"),
            Unportable::Wide => {
                write!(f, "more than {SCHEMA_MEMBERS_MAX} fields, variants or elements, split it")
            }
        }
    }
}

impl Error for Unsupported {}

/// Checks `ty`, which is to stand at `depth`, as [`Schema::parse`](super::Schema::parse) will
/// check its stored form: each node and each note is a level.
fn support(
    ty: &'static DataModelType,
    depth: usize,
    place: &'static str,
) -> Result<(), Unsupported> {
    let refuse = |reason| Err(Unsupported { reason, place });
    let noted = depth + usize::from(has_note(ty));
    if noted > SCHEMA_DEPTH_MAX {
        return refuse(Unportable::Deep);
    }
    match *ty {
        DataModelType::Usize | DataModelType::Isize => refuse(Unportable::Pointer),
        DataModelType::Schema => refuse(Unportable::Schema),
        DataModelType::Option(inner) => support(inner, noted + 1, place),
        DataModelType::Seq { element, .. } if is_empty(element) => refuse(Unportable::Empty),
        DataModelType::Seq { element, .. } => support(element, noted + 1, place),
        DataModelType::Map { key, val, .. } if is_empty(key) && is_empty(val) => {
            refuse(Unportable::Empty)
        }
        DataModelType::Map { key, val, .. } => {
            support(key, noted + 1, place)?;
            support(val, noted + 1, place)
        }
        DataModelType::Tuple(_) => support_shape(as_shape(ty), noted, place),
        DataModelType::Struct { .. } if emit::opaque(ty).is_some() => Ok(()),
        DataModelType::Struct { name, data } => support_shape(data, noted, name),
        DataModelType::Enum { variants, .. } if variants.len() > SCHEMA_MEMBERS_MAX => {
            refuse(Unportable::Wide)
        }
        DataModelType::Enum { variants, .. } => variants
            .iter()
            .try_for_each(|variant| support_shape(variant.data, noted + 1, variant.name)),
        _ => Ok(()),
    }
}

fn support_shape(shape: Shape, depth: usize, place: &'static str) -> Result<(), Unsupported> {
    let members = match shape {
        Shape::Newtype(ty) => return support(ty, depth, place),
        Shape::Unit => 0,
        Shape::Tuple(types) => match emit::repeated(types) {
            Some(element) if is_empty(element) => {
                return Err(Unsupported { reason: Unportable::Empty, place });
            }
            Some(element) => return support(element, depth + 1, place),
            None => types.len(),
        },
        Shape::Struct(fields) => fields.len(),
    };
    if members > SCHEMA_MEMBERS_MAX {
        return Err(Unsupported { reason: Unportable::Wide, place });
    }
    if depth > SCHEMA_DEPTH_MAX {
        return Err(Unsupported { reason: Unportable::Deep, place });
    }
    match shape {
        Shape::Tuple(types) => types.iter().try_for_each(|ty| support(ty, depth + 1, place)),
        Shape::Struct(fields) => {
            fields.iter().try_for_each(|field| support(field.ty, depth + 1, field.name))
        }
        Shape::Newtype(_) | Shape::Unit => Ok(()),
    }
}

const fn as_shape(ty: &'static DataModelType) -> Shape {
    match ty {
        DataModelType::Struct { data, .. } => *data,
        DataModelType::Tuple(types) => Shape::Tuple(types),
        _ => Shape::Newtype(ty),
    }
}

const fn has_note(ty: &DataModelType) -> bool {
    matches!(
        ty,
        DataModelType::Struct { .. }
            | DataModelType::Enum { .. }
            | DataModelType::String { max_len: Some(_) }
            | DataModelType::ByteArray { max_len: Some(_) }
            | DataModelType::Seq { max_len: Some(_), .. }
            | DataModelType::Map { max_len: Some(_), .. }
    )
}

/// Returns whether values take no bytes.
const fn is_empty(ty: &DataModelType) -> bool {
    matches!(width(ty), Some(0))
}

/// Returns the width in bytes, if fixed and within the limit.
const fn width(ty: &DataModelType) -> Option<u64> {
    let width = match ty {
        DataModelType::Tuple(types) => tuple_width(types),
        DataModelType::Struct { data, .. } => match data {
            Shape::Unit => Some(0),
            Shape::Newtype(inner) => width(inner),
            Shape::Tuple(types) => tuple_width(types),
            Shape::Struct(fields) => {
                let mut sum = Some(0);
                let mut rest = *fields;
                while let (Some(total), Some((field, tail))) = (sum, rest.split_first()) {
                    sum = add(total, width(field.ty));
                    rest = tail;
                }
                sum
            }
        },
        _ => match leaf(ty) {
            Some(leaf) => leaf.width(),
            None => None,
        },
    };
    match width {
        Some(width) if width <= FIXED_BYTES_MAX => Some(width),
        _ => None,
    }
}

const fn tuple_width(types: &[&DataModelType]) -> Option<u64> {
    let mut sum = Some(0);
    let mut rest = types;
    while let (Some(total), Some((ty, tail))) = (sum, rest.split_first()) {
        sum = add(total, width(ty));
        rest = tail;
    }
    sum
}

const fn add(total: u64, width: Option<u64>) -> Option<u64> {
    match width {
        Some(width) => total.checked_add(width),
        None => None,
    }
}

/// Returns the leaf that `ty` is.
pub(super) const fn leaf(ty: &DataModelType) -> Option<Leaf> {
    Some(match ty {
        DataModelType::Unit => Leaf::Unit,
        DataModelType::Bool => Leaf::Bool,
        DataModelType::Char => Leaf::Char,
        DataModelType::U8 => Leaf::U8,
        DataModelType::U16 => Leaf::U16,
        DataModelType::U32 => Leaf::U32,
        DataModelType::U64 => Leaf::U64,
        DataModelType::U128 => Leaf::U128,
        DataModelType::I8 => Leaf::I8,
        DataModelType::I16 => Leaf::I16,
        DataModelType::I32 => Leaf::I32,
        DataModelType::I64 => Leaf::I64,
        DataModelType::I128 => Leaf::I128,
        DataModelType::F32 => Leaf::F32,
        DataModelType::F64 => Leaf::F64,
        DataModelType::String { .. } => Leaf::String,
        DataModelType::ByteArray { .. } => Leaf::Bytes,
        _ => return None,
    })
}
