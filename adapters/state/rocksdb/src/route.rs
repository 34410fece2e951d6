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
use crate::expired::{Clip, Expired, RowFilters};
use crate::links::{STORE, Taken};
use crate::merge::Move;
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
    /// The group that is on its way, where there are several databases.
    moving: Mutex<Option<Move>>,
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
            moving: Mutex::default(),
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
        self.stay();
        lock(&self.states).insert(family.into(), (layout.clone(), expired.clone()));
    }

    /// Returns the options of the column family of a state in a database that is to keep the groups
    /// of `clip` alone, if it is given.
    pub(crate) fn family(&self, name: &str, clip: Option<&Clip>) -> Options {
        let states = lock(&self.states);
        let Some((layout, expired)) = states.get(name) else { return Options::default() };
        let mut options = self.options.family(layout);
        let expires = layout.description().expiry().is_some();
        if expires || clip.is_some() {
            let expired = expires.then(|| (expired.clone(), layout.clone()));
            let clip = clip.cloned();
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
        // Files may have rows of groups that belonged to others before.
        let clip = Clip::new(own.clone());
        let family = |name: &str| self.family(name, Some(&clip));
        let database = Database::attach(&self.options, native, clip.clone(), family)?;
        let database = Arc::new(database);
        self.stay();
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

    /// Copies some rows of the column family `name` to where its group moves; returns whether there
    /// were any to be copied. With one database there are none.
    pub(crate) fn merge(&self, name: &str) -> Result<bool, RocksDbError> {
        let mut moving = lock(&self.moving);
        let under_way = match &mut *moving {
            Some(under_way) => under_way,
            None => {
                let Some(choice) = Move::choose(&lock(&self.stretches)) else { return Ok(false) };
                let families = lock(&self.states).keys().cloned().collect::<Vec<_>>();
                for (family, database) in
                    families.iter().flat_map(|family| [(family, &choice.1), (family, &choice.2)])
                {
                    database.make_family(family, &self.family(family, database.clip()))?;
                }
                self.version.fetch_add(1, Ordering::Release);
                moving.insert(Move::begin(choice, families.into_iter())?)
            }
        };
        let copied = under_way.copy(name)?;
        if under_way.is_done() {
            let mut stretches = lock(&self.stretches);
            *stretches = replaced(&stretches, &under_way.groups(), &under_way.into);
            self.version.fetch_add(1, Ordering::Release);
            *moving = None;
        }
        Ok(copied)
    }

    /// Returns the group that is on its way, and where to.
    pub(crate) fn moving(&self) -> Option<(u16, Arc<Database>)> {
        lock(&self.moving).as_ref().map(|moving| (moving.group, moving.into.clone()))
    }

    /// Leaves the group that is on its way where it is.
    fn stay(&self) {
        if lock(&self.moving).take().is_some() {
            self.version.fetch_add(1, Ordering::Release);
        }
    }
}

/// Returns the stretches with `database` in the place of whichever had `own`. Those side by side in
/// one database are one.
fn replaced(stretches: &Stretches, own: &Range<u16>, database: &Arc<Database>) -> Stretches {
    let mut replaced = vec![(own.clone(), database.clone())];
    for (groups, other) in stretches {
        let before = groups.start..groups.end.min(own.start);
        let behind = groups.start.max(own.end)..groups.end;
        replaced.extend([before, behind].map(|groups| (groups, other.clone())));
    }
    replaced.retain(|(groups, _)| !groups.is_empty());
    replaced.sort_by_key(|(groups, _)| groups.start);
    replaced.dedup_by(|(next, database), (last, same)| {
        let is_one = Arc::ptr_eq(database, same);
        if is_one {
            last.end = next.end;
        }
        is_one
    });
    replaced
}

/// Locks what holds at any time: a thread that panicked has left it whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
