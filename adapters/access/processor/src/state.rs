//! One state of a checkpoint: its schemas, and its rows as values.

use std::collections::btree_map;
use std::slice;

use holdwater::key::HASH_FUNCTION;
use holdwater::manifest::{Chain, Manifest, StateEntry};
use holdwater::schema::Schema;

use crate::checkpoint::Checkpoint;
use crate::datum::Datum;
use crate::encoded::{EncodedRow, EncodedRows, Parts, Types};
use crate::failure::{Failure, quoted};
use crate::routing::{group_of, key_and_window};
use crate::row::{Row, key_of, write_key};
use crate::verify::Damage;

/// Reads a state of a checkpoint.
///
/// Nothing is locked: a job may remove the checkpoint meanwhile. Files are open from the first row
/// that is read of them, and stay readable so long; a file that is gone before is
/// [`Failure::Missing`], and another look may find a newer checkpoint.
#[derive(Clone, Debug)]
pub struct StateReader<'c> {
    checkpoint: &'c Checkpoint,
    operator: &'c str,
    entry: &'c StateEntry,
    types: Types,
}

impl Checkpoint {
    /// Iterates over all states, each behind the name of its operator.
    pub fn states(&self) -> impl Iterator<Item = (&str, &StateEntry)> {
        self.manifest.operators.iter().flat_map(|operator| {
            operator.states.iter().map(move |state| (operator.name.as_str(), state))
        })
    }

    /// Opens the state called `name`, or `OPERATOR/NAME` where several operators have one of that
    /// name.
    pub fn state(&self, name: &str) -> Result<StateReader<'_>, Failure> {
        let (operator, entry) = self.find_state(name)?;
        StateReader::new(self, operator, entry)
    }

    /// Finds a state by its name, with its operator in front where several have one of that name.
    pub fn find_state(&self, name: &str) -> Result<(&str, &StateEntry), Failure> {
        let full = |(operator, state): &(&str, &StateEntry)| format!("{operator}/{}", state.name);
        let mut found: Vec<_> = self.states().filter(|(_, state)| state.name == name).collect();
        if found.is_empty() {
            found = self.states().filter(|one| full(one) == name).collect();
        }
        match found.as_slice() {
            [one] => Ok(*one),
            [] => {
                let names: Vec<_> = self.states().map(|(_, state)| state.name.as_str()).collect();
                Err(Failure::Data(format!(
                    "checkpoint {} has no state {}; it has {}",
                    self.manifest.id,
                    quoted(name),
                    names.join(", ")
                )))
            }
            several => {
                let names: Vec<_> = several.iter().map(full).collect();
                Err(Failure::Usage(format!(
                    "several states are called so; give {}",
                    names.join(" or ")
                )))
            }
        }
    }
}

impl<'c> StateReader<'c> {
    /// Opens a state of `operator`.
    pub fn new(
        checkpoint: &'c Checkpoint,
        operator: &'c str,
        entry: &'c StateEntry,
    ) -> Result<Self, Failure> {
        checkpoint.check_portable()?;
        let types = Types::read(&checkpoint.manifest, entry)?;
        Ok(Self { checkpoint, operator, entry, types })
    }

    /// Returns the name of the state.
    pub fn name(&self) -> &'c str {
        &self.entry.name
    }

    /// Returns the name of its operator.
    pub const fn operator(&self) -> &'c str {
        self.operator
    }

    /// Returns what the manifest says of it: its moment and where its parts lie.
    pub const fn entry(&self) -> &'c StateEntry {
        self.entry
    }

    /// Returns what its bytes mean.
    pub const fn types(&self) -> &Types {
        &self.types
    }

    /// Returns how many key groups the checkpoint has.
    pub const fn key_groups(&self) -> u16 {
        self.checkpoint.manifest.key_groups
    }

    /// Returns the schema of keys, without windows.
    pub fn key_schema(&self) -> Schema<'_> {
        key_and_window(self.types.key.view()).0
    }

    /// Returns the schema of windows, if the state has any.
    pub fn window_schema(&self) -> Option<Schema<'_>> {
        key_and_window(self.types.key.view()).1
    }

    /// Returns the schema of the fields of a map.
    pub fn field_schema(&self) -> Option<Schema<'_>> {
        self.types.field.as_ref().map(|field| field.view())
    }

    /// Returns the schema of values, items or what fields hold, without stamps.
    pub fn value_schema(&self) -> Schema<'_> {
        self.types.value_without_stamp()
    }

    /// Iterates over the key groups that have rows, ascending; of the state of an operator over the
    /// tasks.
    pub fn groups(&self) -> impl Iterator<Item = u16> {
        self.entry.chains.iter().map(|chain| chain.group)
    }

    /// Opens every file that holds rows of the state, and returns an iterator over all of them:
    /// group by group, one in memory at a time.
    pub fn rows(&self) -> Result<Rows<'c>, Failure> {
        let chains = &self.entry.chains;
        let parts = self.parts(&chains.iter().collect::<Vec<_>>())?;
        let group = EncodedRows::new().into_iter();
        Ok(Rows { state: self.clone(), parts, chains: chains.iter(), group })
    }

    /// Reads the rows of one group, in the order of their encoded keys.
    pub fn group(&self, group: u16) -> Result<Vec<Row>, Failure> {
        let rows = self.encoded(group)?;
        rows.iter().map(|(key, row)| self.row(key, row)).collect()
    }

    /// Reads the rows of one group as they are encoded.
    pub fn encoded(&self, group: u16) -> Result<EncodedRows, Failure> {
        self.encoded_onto(group, 0, EncodedRows::new())
    }

    /// Reads the rows of one group on top of `rows`, what its first `known` parts hold at a moment
    /// that is not later: no file is opened but those of the parts behind them.
    pub fn encoded_onto(
        &self,
        group: u16,
        known: usize,
        rows: EncodedRows,
    ) -> Result<EncodedRows, Failure> {
        let behind =
            Chain { group, parts: self.entry.parts(group).iter().skip(known).copied().collect() };
        let read = self.parts(&[&behind])?.read_onto(&behind, rows);
        read.map_err(|damage| self.damaged(&damage))
    }

    /// Reads the rows of one key, one for each of its windows in their order; none if there is no
    /// such key.
    ///
    /// Only the parts of the key's group are read, and no file but those that they lie in. Where a
    /// type of keys has a digest of its own making, which the rows that are there tell, every group
    /// is looked in.
    pub fn key(&self, key: &Datum) -> Result<Vec<Row>, Failure> {
        let (group, bytes) = (self.group_of(key)?, self.encoding_of(key)?);
        if self.has_known_groups() {
            let rows = self.encoded(group)?;
            let found = self.found(&rows, &bytes)?;
            if !found.is_empty() || self.are_routed(group, &rows)? {
                return Ok(in_order(found));
            }
        }
        let mut found = Vec::new();
        for group in self.groups() {
            found.extend(self.found(&self.encoded(group)?, &bytes)?);
        }
        Ok(in_order(found))
    }

    /// Returns the encoding of a key; where there are windows, what all rows of it begin with.
    pub fn encoding_of(&self, key: &Datum) -> Result<Vec<u8>, Failure> {
        let bytes = write_key(&self.types, key, None);
        bytes.map_err(|unfit| Failure::Usage(format!("the key: {unfit}")))
    }

    /// Returns the group that a key belongs to by its schema.
    pub fn group_of(&self, key: &Datum) -> Result<u16, Failure> {
        let group = group_of(self.key_schema(), key, self.checkpoint.manifest.key_groups);
        group.map_err(|unfit| Failure::Usage(format!("the key: {unfit}")))
    }

    /// Picks the rows of a key out of those of a group, one for each of its windows in their order.
    pub fn pick(&self, rows: &EncodedRows, key: &Datum) -> Result<Vec<Row>, Failure> {
        self.found(rows, &self.encoding_of(key)?).map(in_order)
    }

    /// Reads a row as it is encoded.
    pub fn row(&self, key: &[u8], row: &EncodedRow) -> Result<Row, Failure> {
        Row::read(&self.types, key, row).map_err(|_| self.undecodable())
    }

    /// Reads the key of a row as it is encoded, and its window.
    pub fn row_key(&self, key: &[u8]) -> Result<(Datum, Option<Datum>), Failure> {
        key_of(&self.types, key).map_err(|_| self.undecodable())
    }

    /// Picks the rows of the key that is encoded so, in all windows.
    fn found(&self, rows: &EncodedRows, key: &[u8]) -> Result<Vec<Row>, Failure> {
        // No encoding begins with another.
        let own = rows.range(key.to_vec()..).take_while(|(other, _)| other.starts_with(key));
        own.map(|(key, row)| self.row(key, row)).collect()
    }

    /// Returns the group that the schema of keys says a key lies in, if keys have groups; and
    /// [`are_routed`](Self::are_routed) tells whether they lie there.
    pub fn group_by_schema(&self, key: &Datum) -> Option<u16> {
        self.group_of(key).ok().filter(|_| self.has_known_groups())
    }

    /// Returns whether keys have groups, by a hash function that is known here.
    pub fn has_known_groups(&self) -> bool {
        self.types.kind.is_keyed() && self.checkpoint.manifest.hash_function == HASH_FUNCTION
    }

    /// Returns whether these rows of `group` lie where the schema of keys alone says; if there are
    /// none, those of another group. Where a type of keys has a digest of its own making they do
    /// not.
    pub fn are_routed(&self, group: u16, rows: &EncodedRows) -> Result<bool, Failure> {
        if rows.is_empty() {
            return self.has_routed_rows();
        }
        let keys = rows.keys().map(|key| key_of(&self.types, key));
        Ok(keys.flatten().all(|(key, _)| self.is_routed(&key, group)))
    }

    /// Returns whether a key belongs to the group that it was found in, by its schema alone.
    pub fn is_routed(&self, key: &Datum, group: u16) -> bool {
        group_of(self.key_schema(), key, self.checkpoint.manifest.key_groups) == Ok(group)
    }

    /// Returns whether the rows of the first group that has any lie where the schema of keys alone
    /// says; of a state without rows that is so.
    pub(crate) fn has_routed_rows(&self) -> Result<bool, Failure> {
        for group in self.groups() {
            let rows = self.encoded(group)?;
            if !rows.is_empty() {
                return self.are_routed(group, &rows);
            }
        }
        Ok(true)
    }

    /// Opens the files of these chains.
    pub(crate) fn parts(&self, chains: &[&Chain]) -> Result<Parts<'c>, Failure> {
        let Checkpoint { manifest, files, .. } = self.checkpoint;
        Parts::open(files, manifest, self.operator, self.entry, self.types.clone(), chains)
            .map_err(|damage| self.damaged(&damage))
    }

    /// Reads the rows of a chain whose files are open.
    pub(crate) fn read(
        &self,
        parts: &mut Parts<'c>,
        chain: &Chain,
    ) -> Result<EncodedRows, Failure> {
        parts.read(chain).map_err(|damage| self.damaged(&damage))
    }

    fn damaged(&self, damage: &Damage) -> Failure {
        let line = damage.line(self.checkpoint.files.name());
        match damage.is_missing() {
            true => Failure::Missing(format!("{line}; holdwater verify names what is left")),
            false => {
                Failure::Corrupt(format!("{line}; name an older checkpoint, as list prints them"))
            }
        }
    }

    /// Returns the group that a key has a row in.
    pub(crate) fn group_with(&self, key: &Datum) -> Result<Option<u16>, Failure> {
        let bytes = self.encoding_of(key)?;
        for group in self.groups() {
            if !self.found(&self.encoded(group)?, &bytes)?.is_empty() {
                return Ok(Some(group));
            }
        }
        Ok(None)
    }

    /// Says that keys lie where their schema does not say.
    pub(crate) fn unrouted(&self) -> Failure {
        Failure::Data(format!(
            "keys of state {} lie in groups that their own type chose: only the job can say where \
             others belong",
            self.entry.name
        ))
    }

    pub(crate) fn undecodable(&self) -> Failure {
        let place = format!("a row of state {} does not decode", self.entry.name);
        Failure::Corrupt(format!("{place}; holdwater verify --deep names it"))
    }
}

/// The rows of a state, one after the other. After an error come those of the next group.
#[derive(Debug)]
pub struct Rows<'c> {
    state: StateReader<'c>,
    parts: Parts<'c>,
    chains: slice::Iter<'c, Chain>,
    group: btree_map::IntoIter<Vec<u8>, EncodedRow>,
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, row)) = self.group.next() {
                return Some(self.state.row(&key, &row));
            }
            match self.state.read(&mut self.parts, self.chains.next()?) {
                Ok(rows) => self.group = rows.into_iter(),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

impl Types {
    /// Reads the types of a state of `manifest`.
    pub fn read(manifest: &Manifest, state: &StateEntry) -> Result<Self, Failure> {
        use holdwater::error::Fault;

        Self::of(state).map_err(|malformed| {
            let place = format!("state {} of checkpoint {}", state.name, manifest.id);
            match malformed.fault {
                Fault::Version => {
                    Failure::Newer(format!("{place} is of a newer version; read it with that"))
                }
                fault => {
                    Failure::Corrupt(format!("{place} has a schema that does not read: {fault}"))
                }
            }
        })
    }
}

fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    let window = |row: &Row| row.window.clone().unwrap_or(Datum::Nothing);
    rows.sort_by(|one, other| window(one).order(&window(other)));
    rows
}
