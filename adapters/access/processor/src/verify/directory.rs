//! Verifies a directory of checkpoints, or one of them, while a job may go on in it.

use std::collections::{BTreeMap, BTreeSet};

use holdwater::manifest::{CheckpointId, FileEntry, Manifest};
use holdwater::storage::{Area, ObjectId, ObjectKind, Storage};

use super::damage::{Damage, What};
use super::data::{self, Checked};
use super::native;
use super::small;
use crate::directory::{checkpoints, list, living, whole};
use crate::failure::Failure;
use crate::place::Place;

/// What was found in a directory.
#[derive(Debug)]
pub struct Verified {
    /// The checkpoints, newest first.
    pub checkpoints: Vec<Verdict>,
    /// Everything that is damaged, in the order of the files.
    pub damages: Vec<Damage>,
    /// Epochs that a crash ended before they ran.
    pub never_ran: Vec<u64>,
    /// How many files were read.
    pub files: usize,
    /// How many bytes these have.
    pub bytes: u64,
    /// Where rows were decoded: how many.
    pub rows: Option<u64>,
    /// The files that no checkpoint names, and their bytes.
    pub unnamed: (usize, u64),
}

/// What is to be said of a checkpoint.
#[derive(Debug)]
pub struct Verdict {
    /// The checkpoint.
    pub id: CheckpointId,
    /// Its manifest, where that is sound.
    pub manifest: Option<Manifest>,
    /// The files that are damaged.
    pub damaged: Vec<ObjectId>,
    /// Whether a job would go on from it.
    pub is_living: bool,
}

impl Verdict {
    /// Returns whether every byte of it is as it was written.
    pub fn is_usable(&self) -> bool {
        self.damaged.is_empty()
    }
}

impl Verified {
    /// Verifies all checkpoints, or `only` one.
    pub fn read(
        files: &mut Place,
        only: Option<CheckpointId>,
        deep: bool,
    ) -> Result<Self, Failure> {
        let mut known = BTreeMap::new();
        let mut rounds = 0;
        loop {
            let ids = match only {
                Some(id) => vec![id],
                None => checkpoints(files)?,
            };
            let round = Round::read(files, &ids, only.is_none(), deep, &mut known)?;
            rounds += 1;
            // A job removes old checkpoints: what is missing may belong to none by now.
            let vanished = round.damages.iter().any(Damage::is_missing);
            let changed = vanished && only.is_none() && checkpoints(files)? != ids;
            if !changed || rounds == ROUNDS_MAX {
                return round.finish(files, &known, only.is_none(), deep);
            }
            known.retain(|_, checked| !checked.damages.iter().any(Damage::is_missing));
        }
    }

    /// Returns the newest checkpoint that is usable and that a job would go on from.
    pub fn newest_usable(&self) -> Option<CheckpointId> {
        let mut usable = self.checkpoints.iter().filter(|verdict| verdict.is_usable());
        usable.find(|verdict| verdict.is_living).map(|verdict| verdict.id)
    }

    /// Returns whether all that is wrong is that files cannot be read.
    pub fn is_unreadable(&self) -> bool {
        self.damages.iter().all(|damage| matches!(damage.what, What::Unreadable(_)))
    }
}

/// Snapshot files that were verified, by name: a name never gets another content.
type Known = BTreeMap<ObjectId, Checked>;

/// One look at the directory.
struct Round {
    manifests: Vec<(CheckpointId, Result<Manifest, Damage>)>,
    damages: Vec<Damage>,
    never_ran: Vec<u64>,
    files: usize,
    bytes: u64,
}

impl Round {
    fn read(
        files: &mut Place,
        ids: &[CheckpointId],
        epochs: bool,
        deep: bool,
        known: &mut Known,
    ) -> Result<Self, Failure> {
        let mut round = Self {
            manifests: Vec::new(),
            damages: Vec::new(),
            never_ran: Vec::new(),
            files: 0,
            bytes: 0,
        };
        for id in ids {
            let manifest = round.whole(files, id.manifest());
            let manifest = manifest.and_then(|bytes| small::manifest(*id, &bytes));
            round.damages.extend(manifest.as_ref().err().cloned());
            round.manifests.push((*id, manifest));
        }
        if epochs {
            round.epochs(files)?;
        }
        round.data(files, deep, known);
        Ok(round)
    }

    fn whole(&mut self, files: &mut Place, id: ObjectId) -> Result<Vec<u8>, Damage> {
        let bytes = whole(files, id).map_err(|unread| Damage::unread(id, &unread))?;
        self.files += 1;
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    fn sound(&self) -> impl Iterator<Item = &Manifest> {
        self.manifests.iter().filter_map(|(_, manifest)| manifest.as_ref().ok())
    }

    /// Reads claims and records.
    fn epochs(&mut self, files: &mut Place) -> Result<(), Failure> {
        let ran: BTreeSet<u64> = self.manifests.iter().map(|(id, _)| id.epoch).collect();
        for id in list(files, Area::Epochs)? {
            let read = self.whole(files, id).and_then(|bytes| {
                if bytes.is_empty() && !ran.contains(&id.epoch) {
                    // Created and not yet written when its process ended.
                    self.never_ran.push(id.epoch);
                    return Ok(());
                }
                match id.kind {
                    ObjectKind::Claim => small::claim(id, &bytes),
                    _ => small::record(id, &bytes).map(|_| ()),
                }
            });
            // Removed by a job since it was listed: an old epoch.
            self.damages.extend(read.err().filter(|damage| !damage.is_missing()));
        }
        self.never_ran.dedup();
        Ok(())
    }

    /// Reads every snapshot file that a manifest names.
    fn data(&mut self, files: &Place, deep: bool, known: &mut Known) {
        let mut named: BTreeMap<ObjectId, (FileEntry, BTreeMap<u64, String>)> = BTreeMap::new();
        let mut natives = BTreeSet::new();
        for manifest in self.sound() {
            natives.append(&mut manifest.native_files());
            for file in &manifest.files {
                let (_, hints) = named.entry(file.id).or_insert((*file, BTreeMap::new()));
                hints.extend(data::hints(manifest, file.id));
            }
        }
        for (id, (entry, hints)) in named {
            let checked = known.entry(id).or_insert_with(|| match natives.contains(&id) {
                true => native::check(files, &entry),
                false => data::check(files, &entry, &hints, deep),
            });
            self.damages.extend(checked.damages.iter().cloned());
            self.files += 1;
            self.bytes += entry.length;
        }
        let misfits: Vec<Damage> = self
            .sound()
            .flat_map(|manifest| manifest.files.iter().map(move |file| (manifest, file)))
            .filter_map(|(manifest, file)| Some((known.get(&file.id)?, manifest, file)))
            .flat_map(|(checked, manifest, file)| checked.fits(manifest, file))
            .collect();
        for misfit in misfits {
            if !self.damages.contains(&misfit) {
                self.damages.push(misfit);
            }
        }
    }

    fn finish(
        mut self,
        files: &mut Place,
        known: &Known,
        all: bool,
        deep: bool,
    ) -> Result<Verified, Failure> {
        let living = living(files, self.sound())?;
        let named: BTreeSet<ObjectId> =
            self.sound().flat_map(|manifest| manifest.files.iter().map(|file| file.id)).collect();
        let unnamed = if all { unnamed(files, &named)? } else { (0, 0) };
        self.damages.sort_by_key(|damage| (damage.file, damage.offset));
        let damaged: BTreeSet<ObjectId> = self.damages.iter().map(|damage| damage.file).collect();
        let verdict = |(id, manifest): (CheckpointId, Result<Manifest, Damage>)| {
            let manifest = manifest.ok();
            let named = manifest.iter().flat_map(|manifest| manifest.files.iter());
            let own = named.map(|file| file.id).chain([id.manifest()]);
            let damaged = own.filter(|file| damaged.contains(file)).collect();
            Verdict { id, damaged, is_living: living.contains(id), manifest }
        };
        let Self { manifests, damages, never_ran, files, bytes } = self;
        Ok(Verified {
            checkpoints: manifests.into_iter().map(verdict).collect(),
            damages,
            never_ran,
            files,
            bytes,
            rows: deep.then(|| known.values().map(|checked| checked.rows).sum()),
            unnamed,
        })
    }
}

/// Returns how many snapshot files and drafts belong to no checkpoint, and their bytes.
fn unnamed(files: &mut Place, named: &BTreeSet<ObjectId>) -> Result<(usize, u64), Failure> {
    let mut objects = list(files, Area::Data)?;
    objects.retain(|id| !named.contains(id));
    let drafts = list(files, Area::Manifests)?;
    objects.extend(drafts.into_iter().filter(|id| id.kind == ObjectKind::Draft));
    let bytes = objects.iter().map(|id| files.length(*id).unwrap_or(0)).sum();
    Ok((objects.len(), bytes))
}

/// How often a directory is looked at whose job removes faster than it is read.
const ROUNDS_MAX: usize = 10;
