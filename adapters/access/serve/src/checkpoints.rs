//! The checkpoints of a place: the newest, those asked for by name, and those that were seen.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use holdwater::manifest::{CheckpointId, CheckpointKind, Manifest};
use holdwater_processor::Checkpoint;
use holdwater_processor::checkpoint::{Named, named};
use holdwater_processor::directory;
use holdwater_processor::failure::Failure;
use holdwater_threads::{Live, RestorePhases};

use crate::cache::{Cache, Usage, hold};
use crate::view::View;
use crate::words::Words;

/// The checkpoints that an argument names, read by many at once.
///
/// ```
/// use holdwater_processor::failure::Failure;
/// use holdwater_processor::row::key_of_cells;
/// use holdwater_serve::Checkpoints;
///
/// /// Prints what the newest checkpoint holds of a key.
/// fn show(directory: &str) -> Result<(), Failure> {
///     let checkpoints = Checkpoints::open(directory, Box::new(()), 64 << 20)?;
///     checkpoints.read(None, |view| {
///         let state = view.checkpoint().state("count")?;
///         let key = key_of_cells(state.key_schema(), &["SFO".to_owned()]);
///         let key = key.map_err(|unfit| Failure::Usage(unfit.to_string()))?;
///         println!("{}: {:?}", view.id(), view.key(&state, &key)?);
///         Ok(())
///     })
/// }
/// ```
#[derive(Debug)]
pub struct Checkpoints {
    argument: String,
    named: Named,
    words: Box<dyn Words>,
    cache: Arc<Cache>,
    known: RwLock<Known>,
    /// Held by who looks: one at a time does.
    looking: Mutex<()>,
    /// The job that takes them, where it can be asked.
    live: Option<Live>,
}

#[derive(Debug, Default)]
struct Known {
    newest: Option<Arc<View>>,
    /// Those that were there when the newest was looked for.
    ids: Vec<CheckpointId>,
    /// Read by name, the one asked for last at the end.
    others: Vec<Arc<View>>,
    seen: BTreeMap<(u64, u64), Seen>,
    took: BTreeMap<(u64, u64), Duration>,
    /// Of the job that takes them, how it was restored last.
    restored: Option<RestorePhases>,
    /// Why nothing newer is known, if looking has failed.
    trouble: Option<String>,
}

/// A checkpoint that was seen, whether it is still there or not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// Its name.
    pub id: CheckpointId,
    /// `full`, `incremental` or `savepoint`.
    pub kind: &'static str,
    /// When it was begun, in milliseconds since 1970.
    pub created_ms: u64,
    /// The bytes of all files that it names.
    pub bytes: u64,
    /// The bytes of those that were written for it.
    pub new_bytes: u64,
    /// How long it took, where the job has told.
    pub duration: Option<Duration>,
    /// Whether it is still there.
    pub is_kept: bool,
}

impl Checkpoints {
    /// Opens what `argument` names: a directory or URL for the newest there at any time, or one
    /// checkpoint. Up to `cache_bytes` of key groups are kept in memory once they were read.
    ///
    /// A directory may hold no checkpoint yet.
    pub fn open(argument: &str, words: Box<dyn Words>, cache_bytes: u64) -> Result<Self, Failure> {
        let checkpoints = Self::unread(argument, words, cache_bytes)?;
        checkpoints.look()?;
        Ok(checkpoints)
    }

    /// Names what is to be read, as [`open`](Self::open) does, at a place where a job may have
    /// taken nothing yet: it is not looked at before [`look`](Self::look).
    pub fn unread(
        argument: &str,
        words: Box<dyn Words>,
        cache_bytes: u64,
    ) -> Result<Self, Failure> {
        Ok(Self {
            argument: argument.to_owned(),
            named: named(argument)?,
            words,
            cache: Arc::new(Cache::new(cache_bytes)),
            known: RwLock::default(),
            looking: Mutex::default(),
            live: None,
        })
    }

    /// Has the job asked, too, that takes the checkpoints: the one that `live` is among the options
    /// of.
    #[must_use]
    pub fn with_live(self, live: Live) -> Self {
        Self { live: Some(live), ..self }
    }

    /// Returns how the job is asked that takes the checkpoints, if it can be.
    pub const fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    /// Looks for a newer checkpoint; where nothing has changed that costs the listing of a place.
    pub fn look(&self) -> Result<(), Failure> {
        let _looking = hold(&self.looking);
        let looked = self.look_alone(false);
        self.write().trouble = looked.as_ref().err().map(ToString::to_string);
        looked
    }

    /// Returns why nothing newer is known, if looking has failed.
    pub fn trouble(&self) -> Option<String> {
        self.known(|known| known.trouble.clone())
    }

    /// Returns the newest checkpoint, once there is one.
    pub fn newest(&self) -> Option<Arc<View>> {
        self.known(|known| known.newest.clone())
    }

    /// Takes note of how long a checkpoint took.
    pub fn took(&self, id: CheckpointId, duration: Duration) {
        let mut known = self.write();
        known.took.insert((id.epoch, id.checkpoint), duration);
        while known.took.len() > SEEN_MAX {
            known.took.pop_first();
        }
    }

    /// Takes note of how long the parts of the restore of a job took.
    pub fn restored(&self, phases: RestorePhases) {
        self.write().restored = Some(phases);
    }

    /// Returns how long the parts of the last restore took, where the job has told.
    pub fn restore_phases(&self) -> Option<RestorePhases> {
        self.known(|known| known.restored)
    }

    /// Returns the checkpoints that were seen, the newest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.known(|known| {
            let seen = known.seen.iter().rev().map(|(key, seen)| {
                let is_kept = known.ids.contains(&seen.id);
                Seen { duration: known.took.get(key).copied(), is_kept, ..seen.clone() }
            });
            seen.collect()
        })
    }

    /// Returns how much is kept of what was read.
    pub fn usage(&self) -> Usage {
        self.cache.usage()
    }

    /// Returns what a checkpoint counts in bytes that only its program reads, by name.
    pub fn counts(&self, manifest: &Manifest) -> Vec<(&'static str, u64)> {
        self.words.counts(manifest)
    }

    /// Reads from the newest checkpoint, or from one that is named.
    ///
    /// Where a job has removed the newest meanwhile, or it is damaged, `read` is called again with
    /// the one that is newest then, or that is intact.
    ///
    /// # Errors
    ///
    /// [`Failure::Busy`] where there is no checkpoint yet; [`Failure::Missing`] where the one that
    /// is named is not there.
    pub fn read<T>(
        &self,
        id: Option<CheckpointId>,
        mut read: impl FnMut(&View) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Some(id) = id
            && self.newest().is_none_or(|newest| newest.id() != id)
        {
            return read(&*self.other(id)?);
        }
        let mut rounds = 0;
        loop {
            let view = self.newest().ok_or_else(|| Failure::Busy(NONE_YET.to_owned()))?;
            rounds += 1;
            match read(&view) {
                Err(failure @ (Failure::Corrupt(_) | Failure::Missing(_)))
                    if id.is_some() || rounds > ROUNDS_MAX || !self.replace(&view)? =>
                {
                    return Err(failure);
                }
                Err(Failure::Corrupt(_) | Failure::Missing(_)) => {}
                ended => return ended,
            }
        }
    }

    /// Opens a checkpoint by its name; a few are kept.
    fn other(&self, id: CheckpointId) -> Result<Arc<View>, Failure> {
        let mut known = self.write();
        if let Some(place) = known.others.iter().position(|view| view.id() == id) {
            let view = known.others.remove(place);
            known.others.push(Arc::clone(&view));
            return Ok(view);
        }
        drop(known);
        let missing = || {
            Failure::Missing(format!("there is no checkpoint {id} any more; ask for the newest"))
        };
        let Named::Directory(directory) = &self.named else { return Err(missing()) };
        if !directory::checkpoints(&mut directory::open(directory)?)?.contains(&id) {
            return Err(missing());
        }
        let view = self.view(Checkpoint::open(&format!("{}@{id}", directory.display()))?);
        let mut known = self.write();
        known.others.push(Arc::clone(&view));
        if known.others.len() > OTHERS_MAX {
            known.others.remove(0);
        }
        Ok(view)
    }

    /// Looks for another checkpoint than `view`, which cannot be read; returns whether there is.
    fn replace(&self, view: &View) -> Result<bool, Failure> {
        let _looking = hold(&self.looking);
        let is_other = || self.newest().is_some_and(|newest| newest.id() != view.id());
        if is_other() {
            return Ok(true);
        }
        self.look_alone(true)?;
        if is_other() || matches!(self.named, Named::Checkpoint(..)) {
            return Ok(is_other());
        }
        // What is there is damaged: only reading all of it tells which is intact.
        let intact = Checkpoint::open(&self.argument)?;
        let view = self.view(intact);
        self.write().newest = Some(view);
        Ok(is_other())
    }

    fn look_alone(&self, is_forced: bool) -> Result<(), Failure> {
        let directory = match &self.named {
            Named::Directory(directory) => directory,
            Named::Checkpoint(..) if self.newest().is_some() => return Ok(()),
            Named::Checkpoint(..) => {
                let view = self.view(Checkpoint::open(&self.argument)?);
                self.see(vec![view.id()], std::iter::once(view.manifest()), &view);
                return Ok(());
            }
        };
        let mut place = directory::open(directory)?;
        let ids = directory::checkpoints(&mut place)?;
        if ids.is_empty() || !is_forced && self.known(|known| known.ids == ids) {
            return Ok(());
        }
        let view = self.view(Checkpoint::open_unread(&self.argument)?);
        let is_new = |id: &&CheckpointId| {
            self.known(|known| !known.seen.contains_key(&(id.epoch, id.checkpoint)))
        };
        let new: Vec<_> = ids.iter().filter(is_new).take(SEEN_MAX).collect();
        // One that is removed meanwhile, or does not read, is not shown.
        let read = |id: &CheckpointId| {
            let bytes = directory::whole(&mut place, id.manifest()).ok()?;
            Manifest::from_file(*id, &bytes).ok()
        };
        let manifests: Vec<_> = new.into_iter().filter_map(read).collect();
        self.see(ids, manifests.iter(), &view);
        Ok(())
    }

    /// Takes note of what is there now, all of it at once.
    fn see<'m>(
        &self,
        ids: Vec<CheckpointId>,
        manifests: impl Iterator<Item = &'m Manifest>,
        newest: &Arc<View>,
    ) {
        let mut known = self.write();
        for manifest in manifests {
            let id = manifest.id;
            known.seen.insert((id.epoch, id.checkpoint), Seen::of(manifest));
        }
        while known.seen.len() > SEEN_MAX {
            known.seen.pop_first();
        }
        known.ids = ids;
        if known.newest.as_ref().is_none_or(|known| known.id() != newest.id()) {
            known.newest = Some(Arc::clone(newest));
        }
    }

    fn view(&self, checkpoint: Checkpoint) -> Arc<View> {
        Arc::new(View::new(checkpoint, &*self.words, Arc::clone(&self.cache)))
    }

    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the place that is looked at, if it is one where checkpoints come and go.
    pub fn directory(&self) -> Option<&PathBuf> {
        match &self.named {
            Named::Directory(directory) => Some(directory),
            Named::Checkpoint(..) => None,
        }
    }
}

impl Seen {
    fn of(manifest: &Manifest) -> Self {
        let kind = match (manifest.kind, manifest.depth) {
            (CheckpointKind::Savepoint, _) => "savepoint",
            (CheckpointKind::Checkpoint, 0) => "full",
            (CheckpointKind::Checkpoint, _) => "incremental",
        };
        let bytes = |is_counted: &dyn Fn(CheckpointId) -> bool| {
            let files = manifest.files.iter().filter(|file| {
                is_counted(CheckpointId { checkpoint: file.id.checkpoint, epoch: file.id.epoch })
            });
            files.map(|file| file.length).sum()
        };
        Self {
            id: manifest.id,
            kind,
            created_ms: manifest.created_ms,
            bytes: bytes(&|_| true),
            new_bytes: bytes(&|id| id == manifest.id),
            duration: None,
            is_kept: true,
        }
    }
}

/// What is said before the first checkpoint.
pub(crate) const NONE_YET: &str = "no checkpoint is complete yet; try again";

/// How many checkpoints are shown that were seen.
const SEEN_MAX: usize = 500;

/// How many checkpoints read by name are kept open.
const OTHERS_MAX: usize = 4;

/// How often the newest is looked for whose job removes faster than it is read.
const ROUNDS_MAX: usize = 10;
