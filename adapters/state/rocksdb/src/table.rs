use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use holdwater::state::{Cut, Cutoff, Native};
use holdwater_bytes::{ByteRows, ByteTable, Layout};
use rocksdb::properties::{CUR_SIZE_ALL_MEM_TABLES, LIVE_SST_FILES_SIZE};

use crate::expired::Expired;
use crate::family::Family;
use crate::options::{bloom_len, family_name};
use crate::route::Route;
use crate::rows::{Piece, Pieces, group};
use crate::{FrozenTable, RocksDbError};

/// The rows of one state: a column family in each database that has some of its groups.
pub struct Table {
    route: Arc<Route>,
    /// The name of its column families.
    name: String,
    bloom_len: Option<usize>,
    pieces: Pieces<Family>,
    /// The group that is on its way to another database, and the rows of the state there.
    moving: Option<(u16, Family)>,
    /// Of which version of the route the pieces are.
    version: u64,
    expired: Arc<Expired>,
}

impl Table {
    pub(crate) fn new(
        route: &Arc<Route>,
        layout: &Layout,
        expired: Arc<Expired>,
    ) -> Result<Self, RocksDbError> {
        let name = family_name(layout.description().name.as_str(), layout.is_ordered());
        route.add_state(&name, layout, &expired);
        let bloom_len = bloom_len(layout);
        let pieces = Pieces::new(Vec::new(), bloom_len);
        let (route, moving, version) = (route.clone(), None, 0);
        let mut table = Self { route, name, bloom_len, pieces, moving, version, expired };
        table.follow()?;
        Ok(table)
    }

    /// Goes where the rows of each group are now. Before the first change of a state there is
    /// nothing to be read in another place.
    fn follow(&mut self) -> Result<(), RocksDbError> {
        let version = self.route.version();
        if self.version == version {
            return Ok(());
        }
        let mut pieces = Vec::new();
        for (groups, database) in self.route.stretches() {
            let options = self.route.family(&self.name, database.clip());
            database.make_family(&self.name, &options)?;
            pieces.push(Piece { groups, family: Family::of(&database, &self.name) });
        }
        self.pieces = Pieces::new(pieces, self.bloom_len);
        let moving = self.route.moving();
        self.moving = moving.map(|(group, into)| (group, Family::of(&into, &self.name)));
        self.version = version;
        Ok(())
    }

    /// Does something to the rows of the group of `row`, wherever they are.
    fn change(
        &mut self,
        row: &[u8],
        change: impl Fn(&Family) -> Result<(), RocksDbError>,
    ) -> Result<(), RocksDbError> {
        self.follow()?;
        change(self.pieces.of(row))?;
        let mut moving = self.moving.iter().filter(|(moving, _)| *moving == group(row));
        moving.try_for_each(|(_, into)| change(into))
    }
}

impl ByteTable for Table {
    type Frozen = FrozenTable;

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), RocksDbError> {
        self.change(key, |family| family.put(key, value))
    }

    fn delete(&mut self, key: &[u8]) -> Result<(), RocksDbError> {
        self.change(key, |family| family.delete(key))
    }

    fn freeze(&mut self, cut: &Cut) -> Result<FrozenTable, RocksDbError> {
        self.follow()?;
        let native = self.route.options.native.then(|| self.route.take(cut)).transpose()?;
        let hold = self.expired.hold();
        Ok(FrozenTable::new(self.pieces.map(Family::freeze), native, hold))
    }

    fn completed(&mut self, checkpoint: u64) {
        self.route.databases().iter().for_each(|database| database.completed(checkpoint));
    }

    fn attach(&mut self, native: &mut dyn Native) -> Result<bool, RocksDbError> {
        let attached = self.route.attach(native, &self.name)?;
        self.follow()?;
        Ok(attached)
    }

    fn tend(&mut self, steps: usize) -> Result<usize, RocksDbError> {
        let mut done = 0;
        while done < steps && self.route.merge(&self.name)? {
            done += 1;
        }
        // A database that has no group left is closed once no state knows it.
        self.follow()?;
        Ok(done)
    }

    fn expire(&mut self, cutoff: Cutoff) {
        self.expired.advance(cutoff);
    }

    fn bytes(&self) -> u64 {
        let properties = [CUR_SIZE_ALL_MEM_TABLES, LIVE_SST_FILES_SIZE];
        let bytes = |family: &Family| properties.map(|name| family.property(name));
        self.pieces.families().flat_map(bytes).sum()
    }
}

impl ByteRows for Table {
    type Error = RocksDbError;

    fn get<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, RocksDbError> {
        self.pieces.get(key, read)
    }

    fn range(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        self.pieces.range(start, end, visit)
    }

    fn range_back(
        &self,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        self.pieces.range_back(start, end, visit)
    }

    fn any(&self, prefix: &[u8]) -> Result<bool, RocksDbError> {
        self.pieces.any(prefix)
    }

    fn scan(
        &self,
        prefix: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RocksDbError> {
        self.pieces.scan(prefix, visit)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("pieces", &self.pieces).finish_non_exhaustive()
    }
}
