#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use holdwater::key::KeyGroups;
use holdwater::state::Backend;
use holdwater_heap::Heap;
use holdwater_mmap::Mmap;

/// A store, by its name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Store {
    /// Typed values in memory: the fastest while they fit.
    #[default]
    Heap,
    /// Rows in a log, its end in memory and the rest in mapped files: for more than fits in memory.
    Mmap,
}

impl Store {
    /// All stores, by name.
    pub const ALL: [Self; 2] = [Self::Heap, Self::Mmap];

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heap => "heap",
            Self::Mmap => "mmap",
        }
    }

    /// Returns whether it makes files while it holds state.
    pub const fn has_files(self) -> bool {
        match self {
            Self::Heap => false,
            Self::Mmap => true,
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
}

impl Setup {
    /// Chooses `store`; one that needs files makes them in `directory`, nameless, so that they are
    /// gone when the process ends.
    pub fn new(store: Store, directory: impl Into<PathBuf>) -> Self {
        Self { store, directory: directory.into(), budget: None }
    }

    /// Bounds the memory that all states take together, in bytes.
    #[must_use]
    pub fn with_budget(mut self, bytes: u64) -> Self {
        self.budget = Some(bytes);
        self
    }

    /// Runs `job` on the store.
    pub fn run<J: Job>(&self, job: J) -> J::Output {
        // What is opened here has no groups of its own: each task shares the budget with its own.
        let none = KeyGroups::all(1);
        match self.store {
            Store::Heap => {
                let heap = Heap::new(none);
                job.run(match self.budget {
                    Some(bytes) => heap.with_budget(bytes),
                    None => heap,
                })
            }
            Store::Mmap => {
                let mmap = Mmap::new(none, &self.directory);
                job.run(match self.budget {
                    Some(bytes) => mmap.with_budget(bytes),
                    None => mmap,
                })
            }
        }
    }
}

/// What is done with a store, whichever it is.
///
/// A trait with a generic method where a closure would be named: access to state stays static.
pub trait Job {
    /// What comes of it.
    type Output;

    /// Runs on `store`.
    fn run<S: Sharing>(self, store: S) -> Self::Output;
}

/// A store whose memory is shared by the tasks of a job.
pub trait Sharing: Backend + Send + Sync + Sized + 'static {
    /// Returns a store for the state of `groups`, under the budget of this one.
    fn sharing(&self, groups: KeyGroups) -> Self;
}

impl Sharing for Heap {
    fn sharing(&self, groups: KeyGroups) -> Self {
        Self::sharing(self, groups)
    }
}

impl Sharing for Mmap {
    fn sharing(&self, groups: KeyGroups) -> Self {
        Self::sharing(self, groups)
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
        assert_eq!(unknown, Err("no store is called \"Heap\": choose one of heap, mmap".into()));
    }
}
