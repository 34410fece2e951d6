//! The snapshots of a job of one task, the newest few: no allocator, no protocol (docs/flash.md 6).

use core::fmt;

use embedded_storage::nor_flash::NorFlash;
use holdwater::codec::Write;
use holdwater::error::StateError;
use holdwater::page::{BlockSize, Compact, FileHeader, FileKind, ReadAt};
use holdwater::snapshot::{
    LoadStatesError, Owner, SaveStatesError, WorkspaceLent, WriteError, load_states, save_states,
};
use holdwater::state::{Cut, States};
use holdwater::storage::{Area, Failure, ObjectId, Storage};

use crate::{Flash, FlashError, NewObject};

/// Keeps the newest snapshots of all states of a job, in a region of up to `P` pages.
///
/// A snapshot is there or not: after a cut of the power at any byte, the states are those of the
/// last [`save`](Self::save) that returned, or of the one that was cut.
#[derive(Debug)]
pub struct Slots<'o, F, const P: usize> {
    flash: Flash<F, P>,
    owner: Owner<'o>,
    retain: usize,
    epoch: u64,
    /// The snapshot that the states come from; newer ones are damaged.
    intact: Option<ObjectId>,
    /// Whether it is known what is there.
    is_restored: bool,
}

/// What the states were restored from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Restored {
    /// The number of the snapshot.
    pub checkpoint: u64,
    /// The epoch that wrote it.
    pub epoch: u64,
    /// The newest of the snapshots that were passed over, if there were any.
    pub damage: Option<Damage>,
}

/// A snapshot that was passed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Damage {
    /// Its number.
    pub checkpoint: u64,
    /// How many were passed over.
    pub count: usize,
}

impl<'o, F: NorFlash, const P: usize> Slots<'o, F, P> {
    /// Opens a region that keeps the newest `retain` snapshots of a job, 1 at least.
    ///
    /// With 1, a snapshot that is damaged later has none behind it. The region takes one more than
    /// it keeps: the one that is being written.
    pub fn open(flash: F, owner: Owner<'o>, retain: usize) -> Result<Self, FlashError> {
        let flash = Flash::open(flash)?;
        let retain = retain.max(1);
        let mut slots = Self { flash, owner, retain, epoch: 1, intact: None, is_restored: false };
        if let Some(newest) = slots.newest(|_| true)? {
            slots.epoch = newest.epoch.saturating_add(1);
        }
        Ok(slots)
    }

    /// Loads all `states`, which are empty, from the newest intact snapshot; none if none was ever
    /// saved. To be called once before the first save.
    ///
    /// # Errors
    ///
    /// [`SlotError::NoneIntact`] if there are some, but all are damaged: to begin anew, call
    /// [`forget`](Self::forget).
    #[inline(never)]
    pub fn restore<S: States>(
        &mut self,
        states: &mut S,
        mut workspace: WorkspaceLent<'_>,
    ) -> Result<Option<Restored>, SlotError<S::Error>>
    where
        S::Error: StateError,
    {
        let mut damage: Option<Damage> = None;
        let mut limit = None;
        while let Some(id) = self.newest(|id| limit.is_none_or(|limit| order(id) < order(limit)))? {
            let source = Stored { flash: &mut self.flash, id };
            match load_states(source, &self.owner, states, workspace.again(), Compact) {
                Ok(()) => {
                    (self.intact, self.is_restored) = (Some(id), true);
                    let ObjectId { checkpoint, epoch, .. } = id;
                    return Ok(Some(Restored { checkpoint, epoch, damage }));
                }
                Err(error) if error.is_damage() => {
                    states.clear().map_err(SlotError::State)?;
                    let newest = damage.map_or(id.checkpoint, |damage| damage.checkpoint);
                    let count = damage.map_or(0, |damage| damage.count) + 1;
                    damage = Some(Damage { checkpoint: newest, count });
                    limit = Some(id);
                }
                Err(error) => return Err(SlotError::Load { checkpoint: id.checkpoint, error }),
            }
        }
        match damage {
            Some(Damage { count, .. }) => Err(SlotError::NoneIntact { count }),
            None => {
                self.is_restored = true;
                Ok(None)
            }
        }
    }

    /// Saves all `states`. When this returns, the snapshot is durable, and the oldest are removed.
    ///
    /// Freezes one state after the other; nothing else may run meanwhile. `now` and `watermark`, in
    /// milliseconds since 1970 UTC, tell what has expired. Returns the number of the snapshot.
    #[inline(never)]
    pub fn save<S: States>(
        &mut self,
        states: &mut S,
        now: i64,
        watermark: i64,
        mut workspace: WorkspaceLent<'_>,
    ) -> Result<u64, SlotError<S::Error>>
    where
        S::Error: StateError,
    {
        if !self.is_restored {
            return Err(SlotError::NotRestored);
        }
        let checkpoint = self.newest(|_| true)?.map_or(1, |id| id.checkpoint.saturating_add(1));
        let cut = Cut { checkpoint, base: None, now, watermark };
        let mut id = ObjectId::data(checkpoint, self.epoch, 0, 0);
        loop {
            let error = match self.try_save(id, states, &cut, workspace.again()) {
                Ok(()) => break,
                Err(error) => error,
            };
            states.aborted(checkpoint);
            let _ = self.flash.remove(id);
            let again = match flash_error(&error) {
                Some(FlashError::Full { .. }) => self.make_room()?,
                // The page is retired.
                Some(FlashError::Lost { .. }) => true,
                _ => false,
            };
            if !again {
                return Err(SlotError::Save(error));
            }
            id.attempt += 1;
        }
        states.completed(checkpoint);
        // It is saved, whatever else there is.
        let _ = self.keep(id);
        Ok(checkpoint)
    }

    /// Removes every snapshot: the states begin anew.
    pub fn forget(&mut self) -> Result<(), FlashError> {
        while let Some(id) = self.newest(|_| true)? {
            self.flash.remove(id).map_err(reason)?;
        }
        (self.intact, self.is_restored) = (None, true);
        Ok(())
    }

    /// Returns the region.
    pub const fn flash(&self) -> &Flash<F, P> {
        &self.flash
    }

    /// Gives the driver back.
    pub fn into_inner(self) -> F {
        self.flash.into_inner()
    }

    fn try_save<S: States>(
        &mut self,
        id: ObjectId,
        states: &mut S,
        cut: &Cut,
        workspace: WorkspaceLent<'_>,
    ) -> Result<(), SaveStatesError<Failure<FlashError>, S::Error>>
    where
        S::Error: StateError,
    {
        let output = |failure| SaveStatesError::Write(WriteError::Output(failure));
        let object = self.flash.create(id).map_err(output)?;
        let out = New { flash: &mut self.flash, object };
        let ObjectId { checkpoint, epoch, attempt, part, .. } = id;
        let (kind, block, job) = (FileKind::Snapshot, BlockSize::SMALL, self.owner.job);
        let header = FileHeader { kind, block, job, checkpoint, epoch, attempt, part };
        let (_, New { flash, object }) =
            save_states(states, &self.owner, cut, header, out, workspace, Compact)?;
        flash.sync(object).map_err(output)
    }

    /// Removes the snapshot that is missed least, but never the one that the states come from;
    /// returns whether there was one.
    fn make_room(&mut self) -> Result<bool, FlashError> {
        let intact = self.intact;
        // Those that are damaged, then the oldest.
        let worth = |id| (intact.is_some_and(|intact| order(id) < order(intact)), order(id));
        let mut limit = None;
        loop {
            let of = |id| Some(id) != intact && limit.is_none_or(|limit| worth(id) > limit);
            match self.extreme(of, |id, worst| worth(id) < worth(worst))? {
                Some(id) if self.flash.remove(id).is_ok() => return Ok(true),
                Some(id) => limit = Some(worth(id)),
                None => return Ok(false),
            }
        }
    }

    /// Removes all but `saved` and the newest intact ones before it.
    fn keep(&mut self, saved: ObjectId) -> Result<(), FlashError> {
        let intact = self.intact.replace(saved);
        let (mut count, mut limit) = (0, None);
        while let Some(id) = self.newest(|id| limit.is_none_or(|limit| order(id) < order(limit)))? {
            let is_newer = intact.is_none_or(|intact| order(id) > order(intact));
            if count == self.retain || is_newer && id != saved {
                // What does not go now is tried again after the next save.
                let _ = self.flash.remove(id);
            } else {
                count += 1;
            }
            limit = Some(id);
        }
        Ok(())
    }

    fn newest(&mut self, of: impl Fn(ObjectId) -> bool) -> Result<Option<ObjectId>, FlashError> {
        self.extreme(of, |id, best| order(id) > order(best))
    }

    fn extreme(
        &mut self,
        of: impl Fn(ObjectId) -> bool,
        is_better: impl Fn(ObjectId, ObjectId) -> bool,
    ) -> Result<Option<ObjectId>, FlashError> {
        let mut best = None;
        let listed = self.flash.list(Area::Data, &mut |id| {
            if of(id) && best.is_none_or(|best| is_better(id, best)) {
                best = Some(id);
            }
        });
        listed.map_err(reason)?;
        Ok(best)
    }
}

/// Why states were not restored or saved.
#[derive(Debug)]
#[non_exhaustive]
pub enum SlotError<E> {
    /// The flash failed.
    Flash(FlashError),
    /// The newest intact snapshot does not fit the states, or the flash failed.
    Load {
        /// Its number.
        checkpoint: u64,
        /// Why.
        error: LoadStatesError<Failure<FlashError>, E>,
    },
    /// There are snapshots, and all are damaged.
    NoneIntact {
        /// How many there are.
        count: usize,
    },
    /// Nothing was restored, so that saving could drop what is there.
    NotRestored,
    /// Nothing was saved; the states are as they were.
    Save(SaveStatesError<Failure<FlashError>, E>),
    /// The store failed.
    State(E),
}

impl<E> From<FlashError> for SlotError<E> {
    fn from(error: FlashError) -> Self {
        Self::Flash(error)
    }
}

impl<E: fmt::Display> fmt::Display for SlotError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => error.fmt(f),
            Self::Load { checkpoint, error } => write!(f, "snapshot {checkpoint}: {error}"),
            Self::NoneIntact { count } => {
                write!(f, "all {count} snapshots are damaged: forget them to begin anew")
            }
            Self::NotRestored => f.write_str("restore first: to save could drop what is there"),
            Self::Save(error) => write!(f, "nothing was saved: {error}"),
            Self::State(error) => error.fmt(f),
        }
    }
}

impl<E: StateError> core::error::Error for SlotError<E> {}

/// An object that is being written.
struct New<'f, F, const P: usize> {
    flash: &'f mut Flash<F, P>,
    object: NewObject,
}

impl<F: NorFlash, const P: usize> Write for New<'_, F, P> {
    type Error = Failure<FlashError>;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.flash.write(&mut self.object, bytes)
    }
}

/// An object that is read.
struct Stored<'f, F, const P: usize> {
    flash: &'f mut Flash<F, P>,
    id: ObjectId,
}

impl<F: NorFlash, const P: usize> ReadAt for Stored<'_, F, P> {
    type Error = Failure<FlashError>;

    fn length(&mut self) -> Result<u64, Self::Error> {
        self.flash.length(self.id)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        self.flash.read(self.id, offset, buffer)
    }
}

const fn order(id: ObjectId) -> (u64, u64, u32) {
    (id.checkpoint, id.epoch, id.attempt)
}

/// Returns why a step failed; one that finds no object failed to list it.
fn reason(failure: Failure<FlashError>) -> FlashError {
    match failure {
        Failure::NotDone(error) | Failure::Unknown(error) => error,
        Failure::Exists(_) | Failure::Missing(_) => FlashError::Stale,
    }
}

fn flash_error<E>(error: &SaveStatesError<Failure<FlashError>, E>) -> Option<FlashError> {
    match error {
        SaveStatesError::Write(WriteError::Output(
            Failure::NotDone(error) | Failure::Unknown(error),
        )) => Some(*error),
        _ => None,
    }
}
