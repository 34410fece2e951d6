use std::fmt;
use std::sync::Arc;

use rocksdb::{DBRawIteratorWithThreadMode, ReadOptions, SnapshotWithThreadMode};
use self_cell::self_cell;

use crate::RocksDbError;
use crate::database::{Database, Db, Handle};

self_cell!(
    struct HandleCell {
        owner: Arc<Database>,
        #[covariant]
        dependent: Handle,
    }
);

self_cell!(
    struct SnapshotCell {
        owner: Arc<Database>,
        #[covariant]
        dependent: View,
    }
);

/// A column family as it was at one moment.
struct View<'d> {
    handle: Handle<'d>,
    snapshot: SnapshotWithThreadMode<'d, Db>,
}

/// The rows of one state in one database.
pub(crate) struct Family {
    cell: HandleCell,
    name: String,
}

/// The rows of one state in one database as they were at one moment.
pub(crate) struct FrozenFamily(SnapshotCell);

impl Family {
    /// Finds the column family `name`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn of(database: &Arc<Database>, name: &str) -> Self {
        let cell = HandleCell::new(database.clone(), |database| {
            database.db.cf_handle(name).expect("a state that is open has a column family")
        });
        Self { cell, name: name.into() }
    }

    pub(crate) fn put(&self, key: &[u8], value: &[u8]) -> Result<(), RocksDbError> {
        let Database { db, path, writes, .. } = &**self.cell.borrow_owner();
        db.put_cf_opt(self.cell.borrow_dependent(), key, value, writes)
            .map_err(RocksDbError::engine("write a row", path))
    }

    pub(crate) fn delete(&self, key: &[u8]) -> Result<(), RocksDbError> {
        let Database { db, path, writes, .. } = &**self.cell.borrow_owner();
        db.delete_cf_opt(self.cell.borrow_dependent(), key, writes)
            .map_err(RocksDbError::engine("drop a row", path))
    }

    pub(crate) fn freeze(&self) -> FrozenFamily {
        let database = self.cell.borrow_owner().clone();
        FrozenFamily(SnapshotCell::new(database, |database| View {
            handle: database.db.cf_handle(&self.name).expect("it is there as long as the state"),
            snapshot: database.db.snapshot(),
        }))
    }

    /// Returns one of the numbers that RocksDB keeps of a column family.
    pub(crate) fn property(&self, name: &rocksdb::properties::PropName) -> u64 {
        let database = self.cell.borrow_owner();
        let value = database.db.property_int_value_cf(self.cell.borrow_dependent(), name);
        value.ok().flatten().unwrap_or(0)
    }
}

/// What reads the rows of a column family, of now or of one moment.
pub(crate) trait Reads {
    fn database(&self) -> &Database;

    fn get<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, RocksDbError>;

    fn iterator(&self, options: ReadOptions) -> DBRawIteratorWithThreadMode<'_, Db>;
}

impl Reads for Family {
    fn database(&self) -> &Database {
        self.cell.borrow_owner()
    }

    fn get<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, RocksDbError> {
        let Database { db, path, .. } = self.database();
        let value = db.get_pinned_cf(self.cell.borrow_dependent(), key);
        let value = value.map_err(RocksDbError::engine("read a row", path))?;
        Ok(value.map(|value| read(&value)))
    }

    fn iterator(&self, options: ReadOptions) -> DBRawIteratorWithThreadMode<'_, Db> {
        self.database().db.raw_iterator_cf_opt(self.cell.borrow_dependent(), options)
    }
}

impl Reads for FrozenFamily {
    fn database(&self) -> &Database {
        self.0.borrow_owner()
    }

    fn get<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, RocksDbError> {
        let View { handle, snapshot } = self.0.borrow_dependent();
        let value = snapshot.get_pinned_cf(handle, key);
        let value = value.map_err(RocksDbError::engine("read a row", &self.database().path))?;
        Ok(value.map(|value| read(&value)))
    }

    fn iterator(&self, options: ReadOptions) -> DBRawIteratorWithThreadMode<'_, Db> {
        let View { handle, snapshot } = self.0.borrow_dependent();
        snapshot.raw_iterator_cf_opt(handle, options)
    }
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for FrozenFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenFamily").finish_non_exhaustive()
    }
}
