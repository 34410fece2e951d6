//! Which database has the rows of which groups.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use holdwater::key::KeyGroups;
use holdwater::state::{Cut, Native};
use holdwater_bytes::Layout;
use rocksdb::Options;

use crate::database::Database;
use crate::expired::{Expired, RowFilters};
use crate::links::{STORE, Taken};
use crate::{RocksDbError, RocksDbOptions};

/// The databases of a store, shared by its states.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) options: RocksDbOptions,
    pub(crate) groups: KeyGroups,
    stretches: Mutex<Stretches>,
    /// How often the databases have changed.
    version: AtomicU64,
    /// How the states that are open are set up, by name.
    states: Mutex<BTreeMap<String, (Layout, Arc<Expired>)>>,
    taken: Mutex<Weak<Taken>>,
}

/// Groups that follow one another, and the database that has their rows; ascending.
pub(crate) type Stretches = Vec<(Range<u16>, Arc<Database>)>;

impl Route {
    /// Has an empty database for all groups.
    pub(crate) fn new(options: &RocksDbOptions, groups: KeyGroups) -> Result<Self, RocksDbError> {
        let database = Arc::new(Database::new(options)?);
        Ok(Self {
            options: options.clone(),
            groups,
            stretches: Mutex::new(vec![(groups.first()..groups.end(), database)]),
            version: AtomicU64::new(1),
            states: Mutex::default(),
            taken: Mutex::default(),
        })
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn stretches(&self) -> Stretches {
        lock(&self.stretches).clone()
    }

    /// Returns each database once.
    pub(crate) fn databases(&self) -> Vec<Arc<Database>> {
        let mut databases: Vec<Arc<Database>> = Vec::new();
        for (_, database) in self.stretches() {
            if !databases.iter().any(|known| Arc::ptr_eq(known, &database)) {
                databases.push(database);
            }
        }
        databases
    }

    /// Takes note of how a state is set up, by the name of its column families.
    pub(crate) fn add_state(&self, family: &str, layout: &Layout, expired: &Arc<Expired>) {
        lock(&self.states).insert(family.into(), (layout.clone(), expired.clone()));
    }

    /// Returns the options of the column family of a state in a database that may also have rows of
    /// other groups, if `clip` is given.
    pub(crate) fn family(&self, name: &str, clip: Option<Range<u16>>) -> Options {
        let states = lock(&self.states);
        let Some((layout, expired)) = states.get(name) else { return Options::default() };
        let mut options = self.options.family(layout);
        let expires = layout.description().expiry().is_some();
        if expires || clip.is_some() {
            let expired = expires.then(|| (expired.clone(), layout.clone()));
            options.set_compaction_filter_factory(RowFilters { expired, clip });
        }
        options
    }

    /// Takes over a database that a checkpoint keeps, for the groups that both have, unless that is
    /// done; returns whether it could, and has the column family `name`.
    pub(crate) fn attach(&self, native: &mut dyn Native, name: &str) -> Result<bool, RocksDbError> {
        if native.store() != STORE {
            return Ok(false);
        }
        let Range { start, end } = native.groups();
        let own = start.max(self.groups.first())..end.min(self.groups.end());
        if own.is_empty() {
            return Ok(true);
        }
        let is_there = |(groups, database): &&(Range<u16>, Arc<Database>)| {
            *groups == own && database.is_attached(native.checkpoint())
        };
        if let Some((_, database)) = lock(&self.stretches).iter().find(is_there) {
            return Ok(database.has_family(name));
        }
        let clip = (own != native.groups()).then(|| own.clone());
        let family = |name: &str| self.family(name, clip.clone());
        let database = Arc::new(Database::attach(&self.options, native, family)?);
        let mut stretches = lock(&self.stretches);
        *stretches = replaced(&stretches, &own, &database);
        self.version.fetch_add(1, Ordering::Release);
        Ok(database.has_family(name))
    }

    /// Takes the files of all databases, or returns those taken at the same cut.
    pub(crate) fn take(&self, cut: &Cut) -> Result<Arc<Taken>, RocksDbError> {
        let mut last = lock(&self.taken);
        if let Some(taken) = last.upgrade().filter(|taken| taken.checkpoint == cut.checkpoint) {
            return Ok(taken);
        }
        let taken = Arc::new(Taken::take(cut.checkpoint, cut.base, &self.stretches())?);
        *last = Arc::downgrade(&taken);
        Ok(taken)
    }
}

/// Returns the stretches with `database` in the place of whichever had `own`.
fn replaced(stretches: &Stretches, own: &Range<u16>, database: &Arc<Database>) -> Stretches {
    let mut replaced = vec![(own.clone(), database.clone())];
    for (groups, other) in stretches {
        let before = groups.start..groups.end.min(own.start);
        let behind = groups.start.max(own.end)..groups.end;
        replaced.extend([before, behind].map(|groups| (groups, other.clone())));
    }
    replaced.retain(|(groups, _)| !groups.is_empty());
    replaced.sort_by_key(|(groups, _)| groups.start);
    replaced
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
