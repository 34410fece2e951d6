//! Rows put and removed, on their way into a savepoint.

mod changed;

use std::path::Path;

use self::changed::Changed;
use crate::checkpoint::Checkpoint;
use crate::datum::{Datum, Unfit};
use crate::encoded::EncodedRows;
use crate::failure::Failure;
use crate::routing::group_of;
use crate::row::{Row, write_key};
use crate::savepoint::{Content, Copy, Savepoint, Shape, save};
use crate::state::StateReader;

/// What is to become of the rows of one state.
///
/// Rows that are put are held as they are encoded, in memory and, beyond a limit, in a file without
/// a name in the system's directory for those. Each is checked against the schemas that the
/// checkpoint has of the state when it is put.
#[derive(Debug)]
pub struct Edits<'c> {
    state: StateReader<'c>,
    changed: Changed,
    /// Whether rows that are not put go.
    replaces: bool,
    /// Whether keys lie where their schema says.
    is_routed: bool,
}

impl<'c> Edits<'c> {
    /// Begins with the rows of `state` as they are.
    pub fn new(state: StateReader<'c>) -> Result<Self, Failure> {
        if !state.types().kind.is_keyed() {
            return Err(Failure::Usage(format!(
                "state {} belongs to the tasks of its operator and to no key: it cannot be edited",
                state.name()
            )));
        }
        let (changed, is_routed) = (Changed::new(HELD_BYTES), state.has_routed_rows()?);
        Ok(Self { state, changed, replaces: false, is_routed })
    }

    /// Begins with no rows: what is put replaces all there are.
    pub fn replacing(state: StateReader<'c>) -> Result<Self, Failure> {
        Ok(Self { replaces: true, ..Self::new(state)? })
    }

    /// Holds at most about so many bytes of rows in memory at a time, and one key group; without a
    /// word it is 256 MiB.
    #[must_use]
    pub const fn within(mut self, bytes: usize) -> Self {
        self.changed.set_limit(bytes);
        self
    }

    /// Returns the state.
    pub const fn state(&self) -> &StateReader<'c> {
        &self.state
    }

    /// Puts a row, over what its key holds in its window. A piece without a stamp gets the time of
    /// the checkpoint, where the state has a time to live: nobody has accessed it later.
    pub fn put(&mut self, row: &Row) -> Result<(), Failure> {
        let (types, moment) = (self.state.types(), self.state.entry().moment);
        let now = types.expiry.map_or(0, |expiry| moment.by(expiry.domain));
        let (key, held) = row.write(types, now).map_err(|unfit| self.refused(&unfit))?;
        if !held.is_empty() && types.has_expired(&held, moment) {
            return Err(Failure::Data(format!(
                "a row of key {} has expired by the checkpoint; give it a later stamp, or none",
                row.key.cell()
            )));
        }
        let group = self.group_of(&row.key)?;
        // What holds nothing is no row.
        self.changed.insert(group, key, Some(held).filter(|held| !held.is_empty()))
    }

    /// Removes what a key holds: in `window`, or in all it has. It is an error if there is nothing.
    pub fn remove(&mut self, key: &Datum, window: Option<&Datum>) -> Result<(), Failure> {
        let mut rows = self.state.key(key)?;
        rows.retain(|row| window.is_none() || row.window.as_ref() == window);
        if rows.is_empty() {
            let of = window.map_or(String::new(), |window| format!(" in window {}", window.cell()));
            let (state, key) = (self.state.name(), key.cell());
            return Err(Failure::Data(format!("state {state} has no key {key}{of}")));
        }
        let group = self.group_of(key)?;
        for row in rows {
            let key = write_key(self.state.types(), &row.key, row.window.as_ref());
            let key = key.map_err(|unfit| self.refused(&unfit))?;
            self.changed.insert(group, key, None)?;
        }
        Ok(())
    }

    /// Returns the group of a key: where it lies, or where the schema of keys says.
    fn group_of(&self, key: &Datum) -> Result<u16, Failure> {
        if self.is_routed {
            return group_of(self.state.key_schema(), key, self.state.key_groups())
                .map_err(|unfit| self.refused(&unfit));
        }
        self.state.group_with(key)?.ok_or_else(|| self.state.unrouted())
    }

    fn refused(&self, unfit: &Unfit) -> Failure {
        Failure::Usage(format!("state {}: {unfit}", self.state.name()))
    }
}

impl Checkpoint {
    /// Writes the checkpoint with the rows of one state edited, as a savepoint, to a place where
    /// nothing is yet. All else is as it was: other states, positions of inputs, counters.
    pub fn edit(&self, edits: &Edits<'_>, out: &Path) -> Result<Savepoint, Failure> {
        let content = &mut Edited { edits, copy: Copy::default(), is_edited: false };
        save(self, out, &Shape::of(self), content)
    }
}

/// The rows of a checkpoint, those of one state edited.
struct Edited<'e, 'c> {
    edits: &'e Edits<'e>,
    copy: Copy<'c>,
    /// Whether the state that was begun is the one.
    is_edited: bool,
}

impl<'c> Content<'c> for Edited<'_, 'c> {
    fn begin(&mut self, state: StateReader<'c>) -> Result<Vec<u16>, Failure> {
        let own = self.edits.state();
        self.is_edited = (state.operator(), state.name()) == (own.operator(), own.name());
        let mut groups = self.copy.begin(state)?;
        if self.is_edited {
            groups.extend(self.edits.changed.groups());
            groups.sort_unstable();
            groups.dedup();
        }
        Ok(groups)
    }

    fn rows(&mut self, group: u16) -> Result<EncodedRows, Failure> {
        if !self.is_edited {
            return self.copy.rows(group);
        }
        let mut rows = match self.edits.replaces {
            true => EncodedRows::new(),
            false => self.copy.rows(group)?,
        };
        for (key, row) in self.edits.changed.of(group)? {
            match row {
                Some(row) => _ = rows.insert(key, row),
                None => _ = rows.remove(&key),
            }
        }
        Ok(rows)
    }
}

/// What is held in memory where nobody says how much.
const HELD_BYTES: usize = 256 << 20;
