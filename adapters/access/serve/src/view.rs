//! One checkpoint that is read by many: what it was when it was frozen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use holdwater::manifest::{CheckpointId, Manifest, PartShape, StateEntry};
use holdwater::state::Kind;
use holdwater::storage::ObjectId;
use holdwater_processor::datum::Datum;
use holdwater_processor::encoded::EncodedRows;
use holdwater_processor::failure::Failure;
use holdwater_processor::row::Row;
use holdwater_processor::{Checkpoint, StateReader};

use crate::cache::{Cache, Content};
use crate::words::{Shown, Words};

/// A checkpoint, whose groups are kept once they are read.
pub struct View {
    checkpoint: Checkpoint,
    /// The hash of each file.
    hashes: BTreeMap<ObjectId, u128>,
    /// Of each state, in the order of [`Checkpoint::states`].
    states: Vec<Known>,
    cache: Arc<Cache>,
}

/// What is known of a state.
#[derive(Debug)]
struct Known {
    /// None where its types are those of a newer version.
    shown: Option<Box<dyn Shown>>,
    /// Whether its keys lie in the groups that their schema says.
    is_routed: OnceLock<bool>,
}

/// How large a state or a key group is, by the parts in the files.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Size {
    /// The rows that its parts put: values, items and fields. An upper bound where there are
    /// deltas.
    pub rows: u64,
    /// The bytes of its parts.
    pub bytes: u64,
    /// Whether a row may be put more than once.
    pub has_deltas: bool,
}

impl View {
    pub(crate) fn new(checkpoint: Checkpoint, words: &dyn Words, cache: Arc<Cache>) -> Self {
        let files = checkpoint.manifest.files.iter();
        let hashes = files.map(|file| (file.id, file.hash)).collect();
        let known = |(operator, entry)| {
            let reader = StateReader::new(&checkpoint, operator, entry).ok();
            let shown = reader.map(|state| words.of(&state));
            Known { shown, is_routed: OnceLock::new() }
        };
        let states = checkpoint.states().map(known).collect();
        Self { checkpoint, hashes, states, cache }
    }

    /// Returns the name of the checkpoint.
    pub const fn id(&self) -> CheckpointId {
        self.checkpoint.manifest.id
    }

    /// Returns what it consists of.
    pub const fn manifest(&self) -> &Manifest {
        &self.checkpoint.manifest
    }

    /// Returns the checkpoint itself.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns how the rows of a state are shown.
    pub fn shown(&self, state: &StateReader<'_>) -> &dyn Shown {
        let shown = self.known(state.entry()).and_then(|known| known.shown.as_deref());
        shown.unwrap_or(&())
    }

    /// Reads the rows of a key, one for each of its windows in their order; none if there is no
    /// such key. Of a key group that was read before, and is kept, nothing is read again.
    pub fn key(&self, state: &StateReader<'_>, key: &Datum) -> Result<Vec<Row>, Failure> {
        let group = state.group_of(key)?;
        if self.is_routed(state)? {
            return state.pick(&*self.group(state, group)?, key);
        }
        for group in state.groups() {
            let rows = state.pick(&*self.group(state, group)?, key)?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    /// Returns what [`key`](Self::key) does, if nothing has to be read and nobody waited for.
    pub fn key_at_hand(
        &self,
        state: &StateReader<'_>,
        key: &Datum,
    ) -> Result<Option<Vec<Row>>, Failure> {
        let is_routed = self.known(state.entry()).and_then(|known| known.is_routed.get());
        if is_routed != Some(&true) {
            return Ok(None);
        }
        let content = self.content(state, state.group_of(key)?);
        let rows = match content.parts.is_empty() {
            true => Some(Arc::default()),
            false => self.cache.at_hand(content),
        };
        rows.map(|rows| state.pick(&rows, key)).transpose()
    }

    /// Reads the rows of a key group, as they are encoded.
    pub fn group(&self, state: &StateReader<'_>, group: u16) -> Result<Arc<EncodedRows>, Failure> {
        let content = self.content(state, group);
        if content.parts.is_empty() {
            return Ok(Arc::default());
        }
        self.cache.get(content, |known, rows| state.encoded_onto(group, known, rows))
    }

    fn content(&self, state: &StateReader<'_>, group: u16) -> Content {
        let entry = state.entry();
        let parts = entry.parts(group).iter().map(|part| {
            let hash = self.hashes.get(&part.file).copied();
            (hash.unwrap_or_default(), part.offset)
        });
        let cutoff = entry.life().map(|life| life.cutoff());
        // Which items of a list are kept, a delta says by their number among all.
        let grows = cutoff.is_none() || state.types().kind.rows() != Kind::List;
        Content { parts: parts.collect(), cutoff, grows }
    }

    /// Returns whether keys lie in the groups that their schema says: of a type of keys with a
    /// digest of its own making they do not.
    pub(crate) fn is_routed(&self, state: &StateReader<'_>) -> Result<bool, Failure> {
        let Some(known) = self.known(state.entry()) else { return Ok(false) };
        if let Some(is_routed) = known.is_routed.get() {
            return Ok(*is_routed);
        }
        let is_routed = state.has_known_groups() && self.has_routed_rows(state)?;
        Ok(*known.is_routed.get_or_init(|| is_routed))
    }

    /// Looks at some of the rows that are there.
    fn has_routed_rows(&self, state: &StateReader<'_>) -> Result<bool, Failure> {
        let mut seen = 0;
        for group in state.groups() {
            for key in self.group(state, group)?.keys() {
                if !state.is_routed(&state.row_key(key)?.0, group) {
                    return Ok(false);
                }
                seen += 1;
                if seen >= ROWS_THAT_TELL {
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    fn known(&self, entry: &StateEntry) -> Option<&Known> {
        let place = self.checkpoint.states().position(|(_, own)| std::ptr::eq(own, entry));
        place.and_then(|place| self.states.get(place))
    }
}

impl Size {
    /// Measures a key group of a state.
    pub fn of_group(state: &StateEntry, group: u16) -> Self {
        let mut size = Self::default();
        for part in state.parts(group) {
            size.rows = size.rows.saturating_add(part.rows);
            size.bytes = size.bytes.saturating_add(part.length);
            size.has_deltas |= matches!(part.shape, PartShape::Delta { .. });
        }
        size
    }

    /// Measures a state.
    pub fn of_state(state: &StateEntry) -> Self {
        let (mut whole, mut seen) = (Self::default(), BTreeSet::new());
        for chain in &state.chains {
            // Tasks share the part of a copy that they have in common.
            if chain.parts.iter().any(|part| seen.insert((part.file, part.offset))) {
                let size = Self::of_group(state, chain.group);
                whole.rows = whole.rows.saturating_add(size.rows);
                whole.bytes = whole.bytes.saturating_add(size.bytes);
                whole.has_deltas |= size.has_deltas;
            }
        }
        whole
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A key that lies by chance where its schema says is one in as many as there are groups.
const ROWS_THAT_TELL: usize = 64;
