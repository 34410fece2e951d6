use core::any::Any;

use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "alloc")]
use crate::error::Malformed;
use crate::schema::{self, Kind, Leaf, Unsupported};
#[cfg(feature = "alloc")]
use crate::schema::{StoredSchema, Unportable};
use crate::state::{Loan, TypeSchema};

/// A value and the time of its last access: what a state with a time to live holds.
///
/// Both are in the schema, so that tools show the value without the program that wrote it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
pub struct Expiring<V> {
    /// The time of the last access that counts, in milliseconds since 1970 UTC.
    pub stamp: i64,
    /// The value.
    pub value: V,
}

impl<V: 'static> Expiring<V> {
    /// Returns the stamp of a value of this type.
    pub(super) fn stamp_of(value: &dyn Any) -> i64 {
        let value = value.downcast_ref::<Self>();
        value.expect("a store judges the values of its own type").stamp
    }
}

/// Lends the value of what is lent.
pub(super) fn inner<V>(held: Loan<'_, Expiring<V>>) -> Loan<'_, V> {
    match held {
        Loan::Borrowed(held) => Loan::Borrowed(&held.value),
        Loan::Decoded(held) => Loan::Decoded(held.value),
    }
}

/// Returns the schema of the values in `schema`, if that is one of values with stamps
/// (docs/format.md 5.1): a struct of `stamp`, an i64, and `value`.
pub fn stamped_schema(schema: schema::Schema<'_>) -> Option<schema::Schema<'_>> {
    let Kind::Struct(mut members) = schema.kind() else { return None };
    let (stamp, value) = (members.next()?, members.next()?);
    let is_stamp = stamp.name == "stamp" && matches!(stamp.schema.kind(), Kind::Leaf(Leaf::I64));
    (is_stamp && value.name == "value" && members.next().is_none()).then_some(value.schema)
}

/// Returns the schema of values with stamps for one of values that was made at run time.
pub(super) fn stamped_type(value: TypeSchema) -> Result<TypeSchema, Unsupported> {
    #[cfg(feature = "alloc")]
    if let TypeSchema::Stored(value) = &value {
        let refused = |_| Unsupported { reason: Unportable::Deep, place: "the type" };
        return with_stamp(value).map(TypeSchema::Stored).map_err(refused);
    }
    Ok(value)
}

/// Returns the schema of values with stamps for one of values.
#[cfg(feature = "alloc")]
pub(crate) fn with_stamp(value: &StoredSchema) -> Result<StoredSchema, Malformed> {
    let stamp = StoredSchema::leaf(Leaf::I64);
    StoredSchema::fields([("stamp", &stamp), ("value", value)])
}
