//! What a state is called and what it holds: known before a row is read.

use core::fmt;
use core::marker::PhantomData;

use super::Types;
use super::{Expiry, Stamped};
use crate::codec::{Encoding, Write};
use crate::key::Key;
use crate::schema::{Data, Schema, StaticSchema, TypeProbe, Unportable, Unsupported};

/// The most bytes that the name of a state has.
pub const NAME_BYTES_MAX: usize = 128;
/// The most states that one operator declares.
pub const STATES_MAX: usize = 32_767;

/// The kind of a state. Codes are format (docs/format.md 5.1).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Kind {
    /// One value per key.
    Value,
    /// A list of items per key.
    List,
    /// A map of fields per key.
    Map,
    /// Timers per key, of event time.
    Timers,
    /// A list of an operator, its items divided among the tasks.
    Split,
    /// A list of an operator; each task restores the items of all.
    Union,
    /// A map of an operator, the same in each task.
    Broadcast,
    /// Timers per key, of the time of processing.
    ProcessingTimers,
}

impl Kind {
    /// Returns the code of the kind in a file.
    pub const fn code(self) -> u8 {
        match self {
            Self::Value => 1,
            Self::List => 2,
            Self::Map => 3,
            Self::Timers => 4,
            Self::Split => 5,
            Self::Union => 6,
            Self::Broadcast => 7,
            Self::ProcessingTimers => 8,
        }
    }

    /// Returns the kind that `code` stands for.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Value),
            2 => Some(Self::List),
            3 => Some(Self::Map),
            4 => Some(Self::Timers),
            5 => Some(Self::Split),
            6 => Some(Self::Union),
            7 => Some(Self::Broadcast),
            8 => Some(Self::ProcessingTimers),
            _ => None,
        }
    }

    /// Returns the kind of keyed state whose rows look alike: that of lists or maps for what
    /// belongs to an operator, and the same for timers of any time.
    pub const fn rows(self) -> Self {
        match self {
            Self::Split | Self::Union => Self::List,
            Self::Broadcast => Self::Map,
            Self::ProcessingTimers => Self::Timers,
            keyed => keyed,
        }
    }

    /// Returns whether the state belongs to keys, and its parts to key groups; what belongs to an
    /// operator has a part for each task.
    pub const fn is_keyed(self) -> bool {
        !matches!(self, Self::Split | Self::Union | Self::Broadcast)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::List => "list",
            Self::Map => "map",
            Self::Timers => "timers",
            Self::Split => "split list",
            Self::Union => "union list",
            Self::Broadcast => "broadcast map",
            Self::ProcessingTimers => "processing timers",
        })
    }
}

/// The name of a state: 1 to 128 bytes of text, held in place.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Name {
    bytes: [u8; NAME_BYTES_MAX],
    used: u8,
}

impl Name {
    /// Takes `name`, unless it is empty or too long.
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        if name.is_empty() { None } else { Some(Self { bytes, used: name.len() as u8 }) }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.used)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The schema of a type: derived from it, or made at run time.
#[derive(Clone, Debug)]
pub enum TypeSchema {
    /// The type's own.
    Static(StaticSchema),
    /// Made at run time. Values are read by it, field by field.
    #[cfg(feature = "alloc")]
    Stored(crate::schema::StoredSchema),
}

impl TypeSchema {
    /// Returns how values alone would be encoded.
    pub fn encoding(&self) -> Encoding {
        match self {
            Self::Static(schema) => schema.encoding(),
            #[cfg(feature = "alloc")]
            Self::Stored(schema) => schema.view().encoding(),
        }
    }

    /// Returns the length of each value in the fixed-width encoding, if it has one.
    pub fn fixed_len(&self) -> Option<usize> {
        match self {
            Self::Static(schema) => schema.fixed_len(),
            #[cfg(feature = "alloc")]
            Self::Stored(schema) => schema.view().fixed_len(),
        }
    }

    /// Appends the schema as it is stored (docs/format.md 4).
    pub fn write<W: Write>(&self, out: &mut W) -> Result<(), W::Error> {
        match self {
            Self::Static(schema) => schema.write(out),
            #[cfg(feature = "alloc")]
            Self::Stored(schema) => out.write(schema.bytes()),
        }
    }

    /// Returns how many bytes [`write`](Self::write) appends.
    pub fn stored_len(&self) -> u64 {
        match self {
            Self::Static(schema) => schema.stored_len(),
            #[cfg(feature = "alloc")]
            Self::Stored(schema) => schema.bytes().len() as u64,
        }
    }

    /// Returns what two schemas share when they differ in notes at most.
    pub fn fingerprint(&self) -> u64 {
        match self {
            Self::Static(schema) => schema.fingerprint(),
            #[cfg(feature = "alloc")]
            Self::Stored(schema) => schema.view().fingerprint(),
        }
    }

    /// Returns whether `stored` is this schema to the byte: rows of it can be decoded directly.
    ///
    /// Not told by fingerprints: a crafted file could have that of another schema.
    pub fn is(&self, stored: Schema<'_>) -> bool {
        let mut rest = Unmatched(Some(stored.bytes()));
        let Ok(()) = self.write(&mut rest);
        rest.0.is_some_and(<[u8]>::is_empty)
    }

    /// Returns whether values are read by this schema, since their type does not know its shape.
    pub const fn is_stored(&self) -> bool {
        match self {
            Self::Static(_) => false,
            #[cfg(feature = "alloc")]
            Self::Stored(_) => true,
        }
    }
}

/// The bytes that were not yet written again; `None` once others were.
struct Unmatched<'a>(Option<&'a [u8]>);

impl Write for Unmatched<'_> {
    type Error = core::convert::Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(bytes));
        Ok(())
    }
}

/// What a state is called and what it holds.
#[derive(Clone, Debug)]
pub struct Description {
    /// The name, unique within its operator.
    pub name: Name,
    /// The kind.
    pub kind: Kind,
    /// The type of the keys.
    pub key: TypeSchema,
    /// The type of the fields of a map.
    pub field: Option<TypeSchema>,
    /// The type of the values or items.
    pub value: TypeSchema,
    /// How rows are encoded: it follows from the types alone.
    pub encoding: Encoding,
    /// How values, items or fields expire, if they do.
    pub stamped: Option<Stamped>,
    /// Whether values had better lie in their rows.
    pub in_place: bool,
    /// The types themselves.
    pub types: Types,
}

impl Description {
    /// Returns the lengths of a key and of a value, where rows need no length of their own: those
    /// of a value state in the fixed-width encoding.
    pub fn row_lens(&self) -> Option<(usize, usize)> {
        match (self.kind, self.encoding) {
            (Kind::Value, Encoding::Fixed) => {
                Some((self.key.fixed_len()?, self.value.fixed_len()?))
            }
            _ => None,
        }
    }

    /// Returns when its values, items or fields expire, if they do.
    pub fn expiry(&self) -> Option<Expiry> {
        self.stamped.map(|stamped| stamped.expiry)
    }

    /// Returns whether `other` is the same state: name, kind and types.
    pub fn is_same(&self, other: &Self) -> bool {
        let fingerprint =
            |schema: &Option<TypeSchema>| schema.as_ref().map(TypeSchema::fingerprint);
        self.name == other.name
            && self.kind == other.kind
            && self.key.fingerprint() == other.key.fingerprint()
            && fingerprint(&self.field) == fingerprint(&other.field)
            && self.value.fingerprint() == other.value.fingerprint()
    }
}

/// Why a state cannot be declared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Describe {
    /// The name is empty or longer than 128 bytes.
    Name,
    /// A type has no portable schema.
    Type(Unsupported),
}

impl fmt::Display for Describe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => write!(f, "a state's name has 1 to {NAME_BYTES_MAX} bytes"),
            Self::Type(unsupported) => unsupported.fmt(f),
        }
    }
}

impl core::error::Error for Describe {}

impl From<Unsupported> for Describe {
    fn from(unsupported: Unsupported) -> Self {
        Self::Type(unsupported)
    }
}

/// The name and the types of a state to be opened.
///
/// `Descriptor::<u64, i64>::new("sum")` takes its schemas from the types; a type whose shape is
/// known at run time only is given its schema with [`key_schema`](Self::key_schema).
#[derive(Clone, Debug)]
pub struct Descriptor<'d, K, V> {
    name: &'d str,
    key: Option<TypeSchema>,
    value: Option<TypeSchema>,
    stamped: Option<(Stamped, Wrap)>,
    in_place: bool,
    types: PhantomData<fn() -> (K, V)>,
}

/// Makes the schema of values with stamps of one of values.
type Wrap = fn(TypeSchema) -> Result<TypeSchema, Unsupported>;

impl<'d, K, V> Descriptor<'d, K, V> {
    /// Describes the state called `name`.
    pub const fn new(name: &'d str) -> Self {
        Self { name, key: None, value: None, stamped: None, in_place: false, types: PhantomData }
    }

    /// Asks for values to lie in their rows though they may own memory: right where they seldom do.
    ///
    /// A hint to stores that put such values elsewhere, to copy rows faster while a snapshot is
    /// written. It spares them an access to memory for each of the state's, and changes nothing
    /// that is stored.
    #[must_use]
    pub const fn in_place(mut self) -> Self {
        self.in_place = true;
        self
    }

    /// Gives the keys a schema that was made at run time.
    #[must_use]
    #[cfg(feature = "alloc")]
    pub fn key_schema(self, schema: crate::schema::StoredSchema) -> Self {
        Self { key: Some(TypeSchema::Stored(schema)), ..self }
    }

    /// Gives the values (of a map: the values of its fields) a schema that was made at run time.
    #[must_use]
    #[cfg(feature = "alloc")]
    pub fn value_schema(self, schema: crate::schema::StoredSchema) -> Self {
        Self { value: Some(TypeSchema::Stored(schema)), ..self }
    }

    /// Returns the name.
    pub const fn name(&self) -> &'d str {
        self.name
    }

    /// Describes a state of the same keys whose values have stamps: a schema of values that was
    /// made at run time is wrapped.
    pub(crate) fn stamped<T>(self, stamped: Stamped, wrap: Wrap) -> Descriptor<'d, K, T> {
        let Self { name, key, value, in_place, .. } = self;
        let stamped = Some((stamped, wrap));
        Descriptor { name, key, value, stamped, in_place, types: PhantomData }
    }
}

impl<K: Key, V: Data> Descriptor<'_, K, V> {
    /// Describes a state of `kind`, any but a map.
    pub fn describe(self, kind: Kind) -> Result<Description, Describe> {
        self.finish::<V>(kind, None, Types::of::<K, V>(None))
    }
}

impl<K: Key, F: Key, V: Data> Descriptor<'_, K, (F, V)> {
    /// Describes a map.
    pub fn describe_map(self) -> Result<Description, Describe> {
        let field = TypeSchema::Static(StaticSchema::of::<F>()?);
        let types = Types::of::<K, V>(Some(TypeProbe::of_key::<F>()));
        self.finish::<V>(Kind::Map, Some(field), types)
    }
}

impl<K: Key, T> Descriptor<'_, K, T> {
    fn finish<V: Data>(
        self,
        kind: Kind,
        field: Option<TypeSchema>,
        types: Types,
    ) -> Result<Description, Describe> {
        let name = Name::new(self.name).ok_or(Describe::Name)?;
        let key = match self.key {
            Some(key) => key,
            None => TypeSchema::Static(StaticSchema::of::<K>()?),
        };
        let value = match (self.value, self.stamped) {
            (Some(value), Some((_, wrap))) => wrap(value)?,
            (Some(value), None) => value,
            (None, _) => TypeSchema::Static(StaticSchema::of::<V>()?),
        };
        if kind == Kind::List && value.fixed_len() == Some(0) {
            // A few bytes of a file could claim any number of them.
            return Err(Unsupported { reason: Unportable::Empty, place: "the items" }.into());
        }
        let parts = [Some(&key), field.as_ref(), Some(&value)];
        let fixed = |part: &TypeSchema| part.encoding() == Encoding::Fixed;
        let encoding = if parts.into_iter().flatten().all(fixed) {
            Encoding::Fixed
        } else {
            Encoding::Postcard
        };
        let stamped = self.stamped.map(|(stamped, _)| stamped);
        let in_place = self.in_place;
        Ok(Description { name, kind, key, field, value, encoding, stamped, in_place, types })
    }
}
