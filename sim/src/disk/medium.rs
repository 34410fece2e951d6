//! The disk as a process sees it: each step may fail, and may then have taken effect or not.

use std::error::Error;
use std::fmt;

use super::{Disk, Handle, Persistence};
use crate::random::{Chance, Random, Stream};
use holdwater::storage::{Area, Failure, ObjectId, Storage};

/// A disk with the faults of its steps.
#[derive(Clone, Debug)]
pub struct Medium {
    /// The disk.
    pub disk: Disk,
    /// Decides which steps fail, and what is left after that.
    pub random: Random,
    /// How often steps fail.
    pub faults: Faults,
    /// Syncs do nothing and say that they are done: as if they were missing in the code.
    pub skips_syncs: bool,
}

/// A way in which a step fails.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Fault {
    /// No space is left: nothing is created or written.
    Full,
    /// The directory cannot be listed.
    List,
    /// Publishing ends, nobody knows how.
    Publish,
    /// The object cannot be read.
    Read,
    /// Removing ends, nobody knows how.
    Remove,
    /// Syncing a file fails: some of its sectors are on the medium, no sync will write the others.
    Sync,
    /// Syncing a directory fails: some of the changes are durable.
    SyncArea,
    /// Writing fails after some of the bytes.
    Write,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 8] = [
        Self::Full,
        Self::List,
        Self::Publish,
        Self::Read,
        Self::Remove,
        Self::Sync,
        Self::SyncArea,
        Self::Write,
    ];
}

/// How often steps fail.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    chances: [Chance; Fault::ALL.len()],
}

impl Faults {
    /// No step ever fails.
    pub const NONE: Self = Self { chances: [Chance::NEVER; Fault::ALL.len()] };

    /// Returns the same with another chance of one fault.
    #[must_use]
    pub const fn with(mut self, fault: Fault, chance: Chance) -> Self {
        self.chances[fault as usize] = chance;
        self
    }

    /// Draws which faults there are, each in half of all runs, and how often.
    pub fn draw(random: &mut Random) -> Self {
        Fault::ALL.into_iter().fold(Self::NONE, |faults, fault| {
            if random.below(Stream::Config, 2) == 0 {
                return faults;
            }
            faults.with(fault, Chance::draw(random, 8, 1024))
        })
    }

    /// Returns how likely the fault is.
    pub const fn chance(&self, fault: Fault) -> Chance {
        self.chances[fault as usize]
    }
}

/// A step failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Broken(pub Fault);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Fault::Full => "no space is left",
            Fault::List => "the directory cannot be listed",
            Fault::Publish => "publishing failed",
            Fault::Read => "reading failed",
            Fault::Remove => "removing failed",
            Fault::Sync => "syncing the file failed",
            Fault::SyncArea => "syncing the directory failed",
            Fault::Write => "writing failed",
        })
    }
}

impl Error for Broken {}

impl Medium {
    /// Returns `disk` without faults.
    pub const fn new(disk: Disk, random: Random) -> Self {
        Self { disk, random, faults: Faults::NONE, skips_syncs: false }
    }

    /// Loses power.
    pub fn lose_power(&mut self, how: Persistence) {
        self.disk.lose_power(how, &mut self.random);
    }

    fn fails(&mut self, fault: Fault) -> bool {
        self.random.happens(Stream::Faults, self.faults.chance(fault))
    }

    fn coin(&mut self) -> bool {
        self.random.below(Stream::Faults, 2) == 1
    }
}

impl Storage for Medium {
    type Error = Broken;
    type File = Handle;

    fn create(&mut self, id: ObjectId) -> Result<Handle, Failure<Broken>> {
        if self.fails(Fault::Full) {
            return Err(Failure::NotDone(Broken(Fault::Full)));
        }
        self.disk.create(id).map_err(retype)
    }

    fn write(&mut self, file: &mut Handle, bytes: &[u8]) -> Result<(), Failure<Broken>> {
        for fault in [Fault::Full, Fault::Write] {
            if self.fails(fault) {
                let written = self.random.index(Stream::Faults, bytes.len() + 1);
                self.disk.write(file, &bytes[..written]).map_err(retype)?;
                return Err(Failure::NotDone(Broken(fault)));
            }
        }
        self.disk.write(file, bytes).map_err(retype)
    }

    fn sync(&mut self, file: Handle) -> Result<(), Failure<Broken>> {
        if self.skips_syncs {
            return Ok(());
        }
        if self.fails(Fault::Sync) {
            self.disk.fail_to_sync(file, &mut self.random);
            return Err(Failure::NotDone(Broken(Fault::Sync)));
        }
        self.disk.sync(file).map_err(retype)
    }

    fn publish(&mut self, draft: ObjectId, id: ObjectId) -> Result<(), Failure<Broken>> {
        if self.fails(Fault::Publish) {
            if self.coin() {
                self.disk.publish(draft, id).map_err(retype)?;
            }
            return Err(Failure::Unknown(Broken(Fault::Publish)));
        }
        self.disk.publish(draft, id).map_err(retype)
    }

    fn sync_area(&mut self, area: Area) -> Result<(), Failure<Broken>> {
        if self.skips_syncs {
            return Ok(());
        }
        if self.fails(Fault::SyncArea) {
            self.disk.fail_to_sync_area(area, &mut self.random);
            return Err(Failure::Unknown(Broken(Fault::SyncArea)));
        }
        self.disk.sync_area(area).map_err(retype)
    }

    fn list(&mut self, area: Area, found: &mut dyn FnMut(ObjectId)) -> Result<(), Failure<Broken>> {
        if self.fails(Fault::List) {
            return Err(Failure::NotDone(Broken(Fault::List)));
        }
        self.disk.list(area, found).map_err(retype)
    }

    fn length(&mut self, id: ObjectId) -> Result<u64, Failure<Broken>> {
        self.disk.length(id).map_err(retype)
    }

    fn read(
        &mut self,
        id: ObjectId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, Failure<Broken>> {
        if self.fails(Fault::Read) {
            return Err(Failure::NotDone(Broken(Fault::Read)));
        }
        self.disk.read(id, offset, buffer).map_err(retype)
    }

    fn remove(&mut self, id: ObjectId) -> Result<(), Failure<Broken>> {
        if self.fails(Fault::Remove) {
            if self.coin() {
                self.disk.remove(id).map_err(retype)?;
            }
            return Err(Failure::Unknown(Broken(Fault::Remove)));
        }
        self.disk.remove(id).map_err(retype)
    }
}

/// Gives a failure of the disk, which has no errors of its own, the type of the medium's.
fn retype(failure: Failure<std::convert::Infallible>) -> Failure<Broken> {
    match failure {
        Failure::Exists(id) => Failure::Exists(id),
        Failure::Missing(id) => Failure::Missing(id),
        Failure::NotDone(never) | Failure::Unknown(never) => match never {},
    }
}
