//! The rows of one key group of a state, put together from its parts: no type is needed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::convert::Infallible;

use holdwater::codec::{Encoding, Reader, decode};
use holdwater::error::{Fault, Malformed};
use holdwater::manifest::{Chain, Manifest, StateEntry};
use holdwater::page::Portable;
use holdwater::schema::{Budget, Kind as Sort, Leaf, Schema, StoredSchema, walk};
use holdwater::snapshot::Snapshot;
use holdwater::state::{
    Change, Cutoff, Description, Expiry, Kind, LoadError, Moment, Name, Op, Shape, Stamped,
    TypeSchema,
};
use holdwater::storage::ObjectId;
use holdwater::ttl::stamped_schema;
use serde::{Deserialize, Serialize};

use crate::directory::Object;
use crate::failure::{Failure, quoted};
use crate::place::Place;
use crate::verify::{Damage, in_part, part_in_words};

/// What a state holds of its keys, by their encoding.
pub type EncodedRows = BTreeMap<Vec<u8>, EncodedRow>;

/// What a state holds of one key; every piece is encoded.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum EncodedRow {
    /// Of a map by its fields; of timers by their times, with nothing.
    Fields(BTreeMap<Vec<u8>, Vec<u8>>),
    /// Of a list.
    Items(Vec<Vec<u8>>),
    /// Of a value.
    Value(Vec<u8>),
}

impl EncodedRow {
    /// Returns whether nothing is held: it is no row then.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Fields(fields) => fields.is_empty(),
            Self::Items(items) => items.is_empty(),
            Self::Value(_) => false,
        }
    }
}

/// The types of a state.
#[derive(Clone, Debug)]
pub struct Types {
    /// The kind of the state.
    pub kind: Kind,
    /// How rows are encoded.
    pub encoding: Encoding,
    /// Of keys, windows included.
    pub key: StoredSchema,
    /// Of a map; of timers that of their times.
    pub field: Option<StoredSchema>,
    /// Of values, items or what fields hold, stamps included.
    pub value: StoredSchema,
    /// When rows expire, if ever: each value, item or field has a stamp then.
    pub expiry: Option<Expiry>,
}

impl Types {
    /// Reads the types of a state as a manifest has them, or says that this version cannot.
    pub fn of(state: &StateEntry) -> Result<Self, Malformed> {
        let schema = &state.schema;
        let kind = Kind::from_code(schema.kind).ok_or(Malformed::new(Fault::Version, 0))?;
        if !schema.window.is_empty() {
            return Err(Malformed::new(Fault::Version, 0));
        }
        let field = match kind.rows() {
            Kind::Timers => Some(StoredSchema::leaf(Leaf::I64)),
            Kind::Map => Some(StoredSchema::parse(&schema.field)?),
            _ => None,
        };
        let (key, value) = (StoredSchema::parse(&schema.key)?, StoredSchema::parse(&schema.value)?);
        let expiry = schema.expiry;
        if expiry.is_some() && stamped_schema(value.view()).is_none() {
            return Err(Malformed::new(Fault::Range, 0));
        }
        Ok(Self { kind, encoding: schema.encoding, key, field, value, expiry })
    }

    /// Reads rows that were written as in a full part (docs/format.md 5.3).
    pub fn rows(&self, bytes: &[u8]) -> Result<EncodedRows, Malformed> {
        let (mut rows, mut reader) = (EncodedRows::new(), Reader::new(bytes));
        let bare = match (self.kind, self.encoding) {
            (Kind::Value, Encoding::Fixed) => {
                self.key.view().fixed_len().zip(self.value.view().fixed_len())
            }
            _ => None,
        };
        loop {
            let start = reader;
            let op = match reader.byte()? {
                0 => break,
                code => Op::from_code(code).ok_or(start.fault(Fault::Range))?,
            };
            for _ in 0..reader.u16()? {
                let length = match bare {
                    Some((key, value)) => key + value,
                    None => usize::try_from(reader.varint_u64()?).unwrap_or(usize::MAX),
                };
                let row = reader.take(length)?;
                let applied = apply(Change { op, row }, self, true, &mut rows);
                applied.map_err(|_| start.fault(Fault::Range))?;
            }
        }
        reader.finish()?;
        Ok(rows)
    }

    /// Describes a state of these types, for a part that is written.
    pub(crate) fn describe(&self, name: &str) -> Result<Description, Failure> {
        let name = Name::new(name).ok_or_else(|| {
            Failure::Usage(format!("{} is no name of a state: give 1 to 128 bytes", quoted(name)))
        })?;
        let field = self.field.clone().filter(|_| self.kind.rows() == Kind::Map);
        Ok(Description {
            name,
            kind: self.kind,
            key: TypeSchema::Stored(self.key.clone()),
            field: field.map(TypeSchema::Stored),
            value: TypeSchema::Stored(self.value.clone()),
            encoding: self.encoding,
            stamped: self.expiry.map(Stamped::unread),
            in_place: false,
            types: holdwater::state::Types::UNKNOWN,
        })
    }
}

/// The files that the rows of a state lie in, held open: they can be read even if a job removes
/// them.
#[derive(Debug)]
pub struct Parts<'m> {
    state: &'m StateEntry,
    types: Types,
    snapshots: BTreeMap<ObjectId, Snapshot<Object, Portable>>,
}

impl<'m> Parts<'m> {
    /// Opens every file that holds rows of a state, in `chains`.
    pub fn open(
        files: &Place,
        manifest: &Manifest,
        operator: &str,
        state: &'m StateEntry,
        types: Types,
        chains: &[&Chain],
    ) -> Result<Self, Damage> {
        let mut snapshots = BTreeMap::new();
        for part in chains.iter().flat_map(|chain| &chain.parts) {
            if let Entry::Vacant(place) = snapshots.entry(part.file) {
                place.insert(open(files, manifest, operator, part.file)?);
            }
        }
        Ok(Self { state, types, snapshots })
    }

    /// Reads the rows of one group: its parts in turn.
    pub fn read(&mut self, chain: &Chain) -> Result<EncodedRows, Damage> {
        self.read_onto(chain, EncodedRows::new())
    }

    /// Reads the parts of a chain on top of the rows that those before them come to.
    pub(crate) fn read_onto(
        &mut self,
        chain: &Chain,
        mut rows: EncodedRows,
    ) -> Result<EncodedRows, Damage> {
        for part in &chain.parts {
            let kind = self.state.schema.kind;
            let section = part_in_words(&self.state.name, kind, chain.group);
            let identity = Malformed::new(Fault::Identity, part.offset);
            let Some(snapshot) = self.snapshots.get_mut(&part.file) else {
                return Err(Damage::new(part.file, section, identity));
            };
            let stored = snapshot.table().states.get(usize::from(part.state));
            let same = |stored: &StoredSchema, named: &StoredSchema| {
                stored.view().fingerprint() == named.view().fingerprint()
            };
            if stored.is_none_or(|stored| {
                stored.name != self.state.name
                    || stored.kind != self.types.kind
                    || !same(&stored.key, &self.types.key)
                    || !same(&stored.value, &self.types.value)
            }) {
                return Err(Damage::new(part.file, section, identity));
            }
            let entry = self.state.index_entry(chain.group, part);
            let (types, fresh) = (&self.types, entry.shape == Shape::Full);
            snapshot
                .rows::<Infallible>(entry, |change| apply(change, types, fresh, &mut rows))
                .map_err(|error| in_part(part.file, &section, error))?;
        }
        // Of a chain of deltas rows have expired that lived when they were written.
        if let Some(expiry) = self.types.expiry {
            let cutoff = expiry.cutoff(self.state.moment.by(expiry.domain));
            rows.retain(|_, row| self.types.keep_live(row, cutoff));
        }
        Ok(rows)
    }
}

/// Opens a file once it is known to be the one that the manifest names.
fn open(
    files: &Place,
    manifest: &Manifest,
    operator: &str,
    id: ObjectId,
) -> Result<Snapshot<Object, Portable>, Damage> {
    let section = "header, table and seal";
    let snapshot = Snapshot::open(Object::new(files, id), Portable)
        .map_err(|error| Damage::read(id, section, error))?;
    let (header, seal, table) = (snapshot.header(), snapshot.seal(), snapshot.table());
    let named = manifest.files.iter().find(|file| file.id == id);
    let shown = ObjectId::data(header.checkpoint, header.epoch, header.attempt, header.part);
    let same = named.is_some_and(|file| (file.length, file.hash) == (seal.length, seal.hash))
        && shown == id
        && header.job == manifest.job
        && table.operator == operator
        && (table.groups, table.hash_function) == (manifest.key_groups, manifest.hash_function);
    let identity = Malformed::new(Fault::Identity, 0);
    if same { Ok(snapshot) } else { Err(Damage::new(id, section, identity)) }
}

/// Applies a change; in a `fresh` part no key comes twice.
fn apply(
    change: Change<'_>,
    types: &Types,
    fresh: bool,
    rows: &mut EncodedRows,
) -> Result<(), LoadError<Infallible>> {
    let mut reader = Reader::new(change.row);
    let key = types.piece(types.key.view(), &mut reader)?;
    let twice = || Err(Malformed::new(Fault::Duplicate, 0).into());
    match (types.kind.rows(), change.op) {
        (Kind::Value, Op::Put) => {
            let old = rows.insert(key, EncodedRow::Value(reader.rest().to_vec()));
            if fresh && old.is_some() {
                return twice();
            }
        }
        (Kind::Value | Kind::List, Op::Remove) | (_, Op::Clear) => _ = rows.remove(&key),
        (Kind::List, Op::Put) => {
            let count = reader.varint_u64()?;
            let items = rows.entry(key).or_insert(EncodedRow::Items(Vec::new()));
            for _ in 0..count {
                let item = types.piece(types.value.view(), &mut reader)?;
                if let EncodedRow::Items(items) = items {
                    items.push(item);
                }
            }
        }
        (Kind::List, Op::Keep) => {
            let keep = usize::try_from(reader.varint_u64()?).unwrap_or(usize::MAX);
            if let Some(EncodedRow::Items(items)) = rows.get_mut(&key) {
                items.truncate(keep);
                if items.is_empty() {
                    rows.remove(&key);
                }
            }
        }
        (_, op) => {
            let count = reader.varint_u64()?;
            let field = types.field.as_ref().ok_or(Malformed::new(Fault::Range, 0))?;
            let row = rows.entry(key.clone()).or_insert(EncodedRow::Fields(BTreeMap::new()));
            let EncodedRow::Fields(fields) = row else { return Ok(()) };
            for _ in 0..count {
                let field = types.piece(field.view(), &mut reader)?;
                if op == Op::Remove {
                    fields.remove(&field);
                    continue;
                }
                let value = types.piece(types.value.view(), &mut reader)?;
                if fields.insert(field, value).is_some() && fresh {
                    return twice();
                }
            }
            if fields.is_empty() {
                rows.remove(&key);
            }
        }
    }
    Ok(())
}

impl Types {
    /// Drops of a row what has expired; returns whether something lives.
    fn keep_live(&self, row: &mut EncodedRow, cutoff: Cutoff) -> bool {
        let lives = |held: &[u8]| {
            let stamp = decode(self.encoding, &mut Reader::new(held));
            stamp.is_ok_and(|stamp| !cutoff.includes(stamp))
        };
        match row {
            EncodedRow::Fields(fields) => {
                fields.retain(|_, held| lives(held));
                !fields.is_empty()
            }
            EncodedRow::Items(items) => {
                items.retain(|held| lives(held));
                !items.is_empty()
            }
            EncodedRow::Value(held) => lives(held),
        }
    }

    /// Returns whether nothing of a row lives at `moment`.
    pub(crate) fn has_expired(&self, row: &EncodedRow, moment: Moment) -> bool {
        let cutoff = self.expiry.map(|expiry| expiry.cutoff(moment.by(expiry.domain)));
        cutoff.is_some_and(|cutoff| !self.keep_live(&mut row.clone(), cutoff))
    }

    /// Returns the schema of what is held, without the stamps of what expires.
    pub fn value_without_stamp(&self) -> Schema<'_> {
        let stored = self.value.view();
        self.expiry.and_then(|_| stamped_schema(stored)).unwrap_or(stored)
    }

    /// Returns whether it is a map that holds nothing but its fields, or timers.
    pub fn is_set(&self) -> bool {
        let value = self.value_without_stamp();
        self.field.is_some() && matches!(value.kind(), Sort::Leaf(Leaf::Unit))
    }

    /// Takes the bytes of one value of `schema`.
    fn piece(&self, schema: Schema<'_>, reader: &mut Reader<'_>) -> Result<Vec<u8>, Malformed> {
        let before = *reader;
        walk(schema, self.encoding, reader, &mut Budget::of_row(before.len()))?;
        Ok(before.rest().get(..before.len() - reader.len()).unwrap_or_default().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(kind: Kind) -> Types {
        let text = StoredSchema::leaf(Leaf::String);
        let field = (kind == Kind::Map).then(|| text.clone());
        let (key, value) = (text.clone(), text);
        Types { kind, encoding: Encoding::Postcard, key, field, value, expiry: None }
    }

    fn rows(kind: Kind, changes: &[(Op, &[u8])]) -> EncodedRows {
        let mut rows = EncodedRows::new();
        for (op, row) in changes {
            apply(Change { op: *op, row }, &types(kind), false, &mut rows).unwrap();
        }
        rows
    }

    #[test]
    fn the_last_value_that_was_put_holds() {
        let changes: [(Op, &[u8]); 4] = [
            (Op::Put, b"\x01a\x011"),
            (Op::Put, b"\x01b\x011"),
            (Op::Put, b"\x01a\x012"),
            (Op::Remove, b"\x01b"),
        ];
        let expected =
            EncodedRows::from([(b"\x01a".to_vec(), EncodedRow::Value(b"\x012".to_vec()))]);
        assert_eq!(rows(Kind::Value, &changes), expected);
        let mut twice = EncodedRows::new();
        let put = Change { op: Op::Put, row: changes[0].1 };
        apply(put, &types(Kind::Value), true, &mut twice).unwrap();
        assert!(apply(put, &types(Kind::Value), true, &mut twice).is_err());
    }

    #[test]
    fn a_list_keeps_its_first_items_and_appends() {
        let changes: [(Op, &[u8]); 3] = [
            (Op::Put, b"\x01a\x03\x011\x012\x013"),
            (Op::Keep, b"\x01a\x01"),
            (Op::Put, b"\x01a\x01\x014"),
        ];
        let items = vec![b"\x011".to_vec(), b"\x014".to_vec()];
        let expected = EncodedRows::from([(b"\x01a".to_vec(), EncodedRow::Items(items))]);
        assert_eq!(rows(Kind::List, &changes), expected);
        assert_eq!(rows(Kind::List, &[changes[0], (Op::Keep, b"\x01a\x00")]), EncodedRows::new());
    }

    #[test]
    fn a_map_without_fields_is_no_row() {
        let changes: [(Op, &[u8]); 3] = [
            (Op::Put, b"\x01a\x02\x01x\x011\x01y\x012"),
            (Op::Remove, b"\x01a\x01\x01x"),
            (Op::Remove, b"\x01a\x01\x01y"),
        ];
        let fields = BTreeMap::from([(b"\x01y".to_vec(), b"\x012".to_vec())]);
        let expected = EncodedRows::from([(b"\x01a".to_vec(), EncodedRow::Fields(fields))]);
        assert_eq!(rows(Kind::Map, &changes[..2]), expected);
        assert_eq!(rows(Kind::Map, &changes), EncodedRows::new());
        assert_eq!(rows(Kind::Map, &[changes[0], (Op::Clear, b"\x01a")]), EncodedRows::new());
    }
}
