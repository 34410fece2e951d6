#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use holdwater::key::KeyGroups;
use holdwater::state::Backend;
use holdwater_heap::{Heap, HeapError};
use holdwater_mmap::{Mmap, MmapError};

/// A store, by its name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Store {
    /// Typed values in memory: the fastest while they fit.
    #[default]
    Heap,
    /// Rows in a log, its end in memory and the rest in mapped files: for more than fits in memory.
    Mmap,
    /// Rows in RocksDB, for more than fits in memory; in builds with the feature `rocksdb`.
    RocksDb,
}

impl Store {
    /// All stores, by name.
    pub const ALL: [Self; 3] = [Self::Heap, Self::Mmap, Self::RocksDb];

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heap => "heap",
            Self::Mmap => "mmap",
            Self::RocksDb => "rocksdb",
        }
    }

    /// Returns whether it makes files while it holds state.
    pub const fn has_files(self) -> bool {
        match self {
            Self::Heap => false,
            Self::Mmap | Self::RocksDb => true,
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Store {
    type Err = UnknownStore;

    fn from_str(name: &str) -> Result<Self, UnknownStore> {
        let found = Self::ALL.into_iter().find(|store| store.name() == name);
        found.ok_or_else(|| UnknownStore { name: name.into() })
    }
}

/// No store has this name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownStore {
    /// The name.
    pub name: Box<str>,
}

impl fmt::Display for UnknownStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Store::ALL.map(Store::name).join(", ");
        write!(f, "no store is called {:?}: choose one of {names}", self.name)
    }
}

impl Error for UnknownStore {}

/// Which store is to hold the state, and within which bounds.
#[derive(Clone, Debug)]
pub struct Setup {
    store: Store,
    directory: PathBuf,
    budget: Option<u64>,
    native: bool,
}

impl Setup {
    /// Chooses `store`; one that needs files makes them in `directory`. They are working copies:
    /// mmap's are gone when the process ends, RocksDB's when it opens there again at the latest.
    pub fn new(store: Store, directory: impl Into<PathBuf>) -> Self {
        Self { store, directory: directory.into(), budget: None, native: false }
    }

    /// Bounds the memory that all states take together, in bytes.
    #[must_use]
    pub fn with_budget(mut self, bytes: u64) -> Self {
        self.budget = Some(bytes);
        self
    }

    /// Lets checkpoints keep the files of RocksDB as they are: what did not change is not written
    /// again, and only RocksDB restores them. Other stores have no files to keep.
    #[must_use]
    pub fn with_native_checkpoints(mut self) -> Self {
        self.native = true;
        self
    }

    /// Runs `job` on the store, if this build has it.
    pub fn run<J: Job>(&self, job: J) -> Result<J::Output, NotBuilt> {
        // What is made here has no groups of its own: each task opens a store for its own.
        let none = KeyGroups::all(1);
        let bytes = self.budget.unwrap_or(u64::MAX);
        match self.store {
            Store::Heap => Ok(job.run(Heap::new(none).with_budget(bytes))),
            Store::Mmap => Ok(job.run(Mmap::new(none, &self.directory).with_budget(bytes))),
            Store::RocksDb => self.run_on_rocksdb(job),
        }
    }

    #[cfg(feature = "rocksdb")]
    fn run_on_rocksdb<J: Job>(&self, job: J) -> Result<J::Output, NotBuilt> {
        use holdwater_rocksdb::{Memory, RocksDbOptions};

        let mut options = RocksDbOptions::new(&self.directory);
        if self.native {
            options = options.with_native_checkpoints();
        }
        Ok(job.run(match self.budget {
            Some(bytes) => {
                options.with_memory(Memory::new(usize::try_from(bytes).unwrap_or(usize::MAX)))
            }
            None => options,
        }))
    }

    #[cfg(not(feature = "rocksdb"))]
    fn run_on_rocksdb<J: Job>(&self, _: J) -> Result<J::Output, NotBuilt> {
        Err(NotBuilt { store: self.store })
    }
}

/// This build is without the store that was chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotBuilt {
    /// The store.
    pub store: Store,
}

impl fmt::Display for NotBuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = self.store;
        let others: Vec<_> =
            Store::ALL.into_iter().filter(|other| *other != store).map(Store::name).collect();
        let others = others.join(" or ");
        write!(f, "this build has no {store}: build with `--features {store}`, or take {others}")
    }
}

impl Error for NotBuilt {}

/// What is done with a store, whichever it is.
///
/// A trait with a generic method where a closure would be named: access to state stays static.
pub trait Job {
    /// What comes of it.
    type Output;

    /// Runs on stores that `stores` opens.
    fn run<S: Stores>(self, stores: S) -> Self::Output;
}

/// Opens a store for each task of a job; all share one budget of memory.
pub trait Stores: Send + Sync + 'static {
    /// The store.
    type Store: Backend + 'static;

    /// Opens a store for the state of `groups`.
    fn open(&self, groups: KeyGroups) -> Result<Self::Store, <Self::Store as Backend>::Error>;
}

impl Stores for Heap {
    type Store = Self;

    fn open(&self, groups: KeyGroups) -> Result<Self, HeapError> {
        Ok(self.sharing(groups))
    }
}

impl Stores for Mmap {
    type Store = Self;

    fn open(&self, groups: KeyGroups) -> Result<Self, MmapError> {
        Ok(self.sharing(groups))
    }
}

#[cfg(feature = "rocksdb")]
impl Stores for holdwater_rocksdb::RocksDbOptions {
    type Store = holdwater_bytes::Bytes<holdwater_rocksdb::RocksDb>;

    fn open(&self, groups: KeyGroups) -> Result<Self::Store, <Self::Store as Backend>::Error> {
        let store = Self::open(self, groups).map_err(holdwater_bytes::BytesError::Store)?;
        Ok(store.states())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_found_by_its_name_and_no_other() {
        for store in Store::ALL {
            assert_eq!(store.to_string().parse(), Ok(store));
        }
        let unknown = "Heap".parse::<Store>().map_err(|error| error.to_string());
        assert_eq!(
            unknown,
            Err("no store is called \"Heap\": choose one of heap, mmap, rocksdb".into())
        );
    }

    #[cfg(not(feature = "rocksdb"))]
    #[test]
    fn a_store_that_is_not_built_is_named_with_how_to_get_it() {
        struct Nothing;

        impl Job for Nothing {
            type Output = ();

            fn run<S: Stores>(self, _: S) {}
        }

        let ran = Setup::new(Store::RocksDb, "nowhere").run(Nothing);
        assert_eq!(
            ran.map_err(|error| error.to_string()),
            Err("this build has no rocksdb: build with `--features rocksdb`, or take heap or mmap"
                .into())
        );
    }
}
