//! The state table: what the rows of a file mean, in front of them (docs/format.md 5.1).

use crate::codec::{Count, Encoding, Reader, Write, write_bytes, write_varint};
use crate::error::{Fault, Malformed};
use crate::key::{GROUPS_MAX, HASH_FUNCTION};
use crate::schema::Schema;
use crate::state::{Description, Expiry, Kind, Life, Moment, TimeDomain};
use crate::ttl::stamped_schema;

/// Whose states a file holds, and when they were frozen.
#[derive(Clone, Copy, Debug)]
pub struct TableHead<'t> {
    /// The operator.
    pub operator: &'t str,
    /// How many key groups the job has.
    pub groups: u16,
    /// When its states were frozen.
    pub moment: Moment,
}

/// Writes what stands in front of the entries of a state table.
///
/// ```text
/// table := operator text  groups u16  hash u8  count varint  state*
/// state := name text  kind u8  ttl u8  encoding u8  life  key window field value
/// ```
///
/// A schema stands behind its length; that of the fields is empty but for a map. That of windows is
/// reserved, and empty. States without a time to live have no life.
pub(super) fn write_head<W: Write>(
    head: TableHead<'_>,
    states: usize,
    out: &mut W,
) -> Result<(), W::Error> {
    let TableHead { operator, groups, .. } = head;
    write_bytes(operator.as_bytes(), out)?;
    out.write(&groups.to_le_bytes())?;
    out.write(&[HASH_FUNCTION])?;
    write_varint(states as u128, out)
}

/// Writes the entry of one state, which was frozen at `moment`.
pub(super) fn write_entry<W: Write>(
    state: &Description,
    moment: Moment,
    out: &mut W,
) -> Result<(), W::Error> {
    write_bytes(state.name.as_str().as_bytes(), out)?;
    let ttl = state.expiry().map_or(0, |expiry| expiry.domain.code());
    out.write(&[state.kind.code(), ttl, state.encoding.code()])?;
    if let Some(expiry) = state.expiry() {
        write_varint(expiry.duration_ms.unsigned_abs().into(), out)?;
        out.write(&moment.by(expiry.domain).to_le_bytes())?;
    }
    for schema in [Some(&state.key), None, state.field.as_ref(), Some(&state.value)] {
        let Some(schema) = schema else {
            write_varint(0, out)?;
            continue;
        };
        let mut length = Count::default();
        let Ok(()) = schema.write(&mut length);
        write_varint(u128::from(length.0), out)?;
        schema.write(out)?;
    }
    Ok(())
}

/// A state table where it lies: what stands in front of its entries, and these one after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableView<'t> {
    pub(super) operator: &'t str,
    pub(super) groups: u16,
    pub(super) hash_function: u8,
    /// How many entries there are: no more than the bytes that are left could hold.
    pub(super) count: usize,
    pub(super) entries: Reader<'t>,
}

impl<'t> TableView<'t> {
    pub(super) fn read(mut reader: Reader<'t>) -> Result<Self, Malformed> {
        let operator = reader.text()?;
        let start = reader;
        let groups = reader.u16()?;
        if groups == 0 || groups > GROUPS_MAX {
            return Err(start.fault(Fault::Range));
        }
        let hash_function = reader.byte()?;
        let start = reader;
        let count = reader.varint_u64()?;
        // A state takes at least eight bytes: a false count is refused before room is made.
        if count > (reader.len() / 8) as u64 || count > u64::from(u16::MAX) {
            return Err(start.fault(Fault::Range));
        }
        Ok(Self { operator, groups, hash_function, count: count as usize, entries: reader })
    }
}

/// An entry of a state table where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryView<'t> {
    pub(super) name: &'t str,
    pub(super) kind: Kind,
    pub(super) encoding: Encoding,
    #[cfg_attr(not(feature = "alloc"), expect(dead_code, reason = "for tools"))]
    pub(super) life: Option<Life>,
    pub(super) key: Schema<'t>,
    pub(super) field: Option<Schema<'t>>,
    pub(super) value: Schema<'t>,
}

impl<'t> EntryView<'t> {
    pub(super) fn take(reader: &mut Reader<'t>) -> Result<Self, Malformed> {
        let name = reader.text()?;
        let start = *reader;
        let [kind, ttl, encoding] = reader.array()?;
        let range = start.fault(Fault::Range);
        let kind = Kind::from_code(kind).ok_or(range)?;
        let encoding = Encoding::from_code(encoding).ok_or(range)?;
        let life = life(ttl, reader)?;
        let key = schema(reader)?.ok_or(range)?;
        if schema(reader)?.is_some() {
            return Err(range);
        }
        let field = schema(reader)?;
        let value = schema(reader)?.ok_or(range)?;
        let no_items = kind.rows() == Kind::List && value.fixed_len() == Some(0);
        if no_items || field.is_some() != (kind.rows() == Kind::Map) {
            return Err(range);
        }
        let is_stamped =
            matches!(kind, Kind::Value | Kind::List | Kind::Map) && stamped_schema(value).is_some();
        if life.is_some() && !is_stamped {
            return Err(range);
        }
        let parts = [Some(key), field, Some(value)];
        let fixed = parts.into_iter().flatten().all(|part| part.encoding() == Encoding::Fixed);
        if fixed != (encoding == Encoding::Fixed) {
            return Err(range);
        }
        Ok(Self { name, kind, encoding, life, key, field, value })
    }
}

/// Takes how long rows live, whose time to live follows the clock of code `ttl`.
fn life(ttl: u8, reader: &mut Reader<'_>) -> Result<Option<Life>, Malformed> {
    if ttl == 0 {
        return Ok(None);
    }
    let start = *reader;
    let domain = TimeDomain::from_code(ttl).ok_or(start.fault(Fault::Range))?;
    let expiry = Expiry::read(domain, reader)?;
    Ok(Some(Life { expiry, time: reader.u64()?.cast_signed() }))
}

fn schema<'t>(reader: &mut Reader<'t>) -> Result<Option<Schema<'t>>, Malformed> {
    let length = reader.length()?;
    let start = reader.offset();
    let bytes = reader.take(length)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Schema::parse(bytes).map(Some).map_err(|malformed| malformed.shifted(start))
}

#[cfg(feature = "alloc")]
pub use owned::{StateTable, TableEntry};

#[cfg(feature = "alloc")]
mod owned {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::{EntryView, TableView};
    use crate::codec::{Encoding, Reader};
    use crate::error::{Fault, Malformed};
    use crate::page::RestoreBudget;
    use crate::schema::StoredSchema;
    use crate::state::{Description, Kind, Life, TypeSchema};

    /// What the rows of a file mean.
    #[derive(Clone, Debug)]
    pub struct StateTable {
        /// The operator whose states they are.
        pub operator: String,
        /// How many key groups the job has.
        pub groups: u16,
        /// The digest that spread the keys: [`HASH_FUNCTION`](crate::key::HASH_FUNCTION).
        pub hash_function: u8,
        /// The states, by number.
        pub states: Vec<TableEntry>,
    }

    /// One state of a file.
    #[derive(Clone, Debug)]
    pub struct TableEntry {
        /// Its name.
        pub name: String,
        /// Its kind.
        pub kind: Kind,
        /// How its rows are encoded.
        pub encoding: Encoding,
        /// How long they live, if not for ever.
        pub life: Option<Life>,
        /// The schema of its keys.
        pub key: StoredSchema,
        /// The schema of the fields of a map.
        pub field: Option<StoredSchema>,
        /// The schema of its values or items.
        pub value: StoredSchema,
    }

    impl TableEntry {
        /// Returns the lengths of a key and of a value, where rows carry none of their own.
        pub fn row_lens(&self) -> Option<(usize, usize)> {
            match (self.kind, self.encoding) {
                (Kind::Value, Encoding::Fixed) => {
                    Some((self.key.view().fixed_len()?, self.value.view().fixed_len()?))
                }
                _ => None,
            }
        }

        /// Returns whether `description` is of the same types.
        pub fn is_written_by(&self, description: &Description) -> bool {
            let same = |stored: &StoredSchema, own: &TypeSchema| {
                stored.view().fingerprint() == own.fingerprint()
            };
            let field = match (&self.field, &description.field) {
                (Some(stored), Some(own)) => same(stored, own),
                (None, None) => true,
                _ => false,
            };
            field
                && self.kind == description.kind
                && same(&self.key, &description.key)
                && same(&self.value, &description.value)
        }
    }

    impl From<EntryView<'_>> for TableEntry {
        fn from(entry: EntryView<'_>) -> Self {
            let EntryView { name, kind, encoding, life, key, field, value } = entry;
            let (key, field, value) = (key.into(), field.map(StoredSchema::from), value.into());
            Self { name: name.into(), kind, encoding, life, key, field, value }
        }
    }

    impl StateTable {
        /// Reads a state table, all of `reader`, and takes from `budget` the memory that it holds.
        pub(crate) fn decode_within(
            reader: Reader<'_>,
            budget: &mut RestoreBudget,
        ) -> Result<Self, Malformed> {
            // Names and schemas are copied: together less than the table itself.
            budget.take(reader.len(), 1).map_err(|fault| reader.fault(fault))?;
            let TableView { operator, groups, hash_function, count, mut entries } =
                TableView::read(reader)?;
            let (mut states, start) = (Vec::new(), entries);
            budget.take(count, size_of::<TableEntry>()).map_err(|fault| start.fault(fault))?;
            states.try_reserve_exact(count).map_err(|_| start.fault(Fault::Budget))?;
            for _ in 0..count {
                states.push(EntryView::take(&mut entries)?.into());
            }
            entries.finish()?;
            Ok(Self { operator: operator.into(), groups, hash_function, states })
        }
    }
}
