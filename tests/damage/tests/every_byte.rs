//! At every byte of every file of a small checkpoint directory: flipped bits, zeros, ones, cuts;
//! and files that are missing, swapped, doubled, extended or another job's.
//!
//! One test, so that nothing else allocates while memory is measured.

#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::collections::{BTreeMap, BTreeSet};

use holdwater::checkpoint::RestorePolicy;
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::storage::{ObjectId, ObjectKind};
use holdwater_damage::directory::Directory;
use holdwater_damage::job::{Content, JOB, directory};
use holdwater_damage::restore::{Outcome, load, restore};
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait};

#[global_allocator]
static MEMORY: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn whatever_is_damaged_is_named_or_the_result_is_right() {
    let mut world = World::new();
    println!("{} objects, {} bytes", world.directory.objects.len(), world.directory.bytes());
    assert!(world.directory.bytes() <= 16 * 1024, "{}", world.directory.bytes());
    world.check_bytes();
    world.check_lengths();
    assert_eq!(world.ended, 0, "of one damaged file there is a way back");
    world.check_files();
    world.check_foreign_files();
    world.check_skipped_groups();
    println!("{} cases, {} fell back, {} ended", world.cases, world.fallen_back, world.ended);
    println!("at most {} bytes of memory, sound: {}", world.peak, world.sound_peak);
    assert!(world.cases > 50_000 && world.fallen_back > 1_000);
}

/// A directory, and what each of its checkpoints holds.
struct World {
    directory: Directory,
    contents: BTreeMap<CheckpointId, Content>,
    newest: CheckpointId,
    /// Its files: no checkpoint may name one again that is damaged, wherever it is.
    files: BTreeSet<ObjectId>,
    /// The most memory that a sound restore takes.
    sound_peak: usize,
    peak: usize,
    cases: usize,
    fallen_back: usize,
    ended: usize,
}

impl World {
    fn new() -> Self {
        let directory = directory(JOB, 0);
        let storage = directory.storage();
        let mut contents = BTreeMap::new();
        let mut depths = Vec::new();
        for (id, bytes) in &directory.objects {
            if let Some(id) = CheckpointId::of_manifest(*id) {
                let manifest = Manifest::from_file(id, bytes).unwrap();
                depths.push(manifest.depth);
                let (content, _) = load(&manifest, &storage, RestorePolicy::Fail).unwrap();
                contents.insert(id, content);
            }
        }
        assert!(depths.contains(&0) && depths.iter().any(|depth| *depth > 0), "{depths:?}");
        let newest = *contents.last_key_value().unwrap().0;
        let manifest = Manifest::from_file(newest, &directory.objects[&newest.manifest()]).unwrap();
        let files = manifest.file_ids();
        let different: Vec<_> = contents.values().collect();
        assert!(contents.len() >= 3 && different.windows(2).all(|pair| pair[0] != pair[1]));
        MEMORY.reset_peak_memory();
        let sound = restore(&directory, RestorePolicy::PreviousCheckpoint);
        let sound_peak = MEMORY.get_peak_memory();
        let expected = Ok(Some((newest, contents[&newest].clone())));
        assert_eq!(sound, Outcome { result: expected, warnings: Vec::new() });
        let (peak, cases, fallen_back, ended) = (0, 0, 0, 0);
        Self { directory, contents, newest, files, sound_peak, peak, cases, fallen_back, ended }
    }

    fn ids(&self) -> Vec<ObjectId> {
        self.directory.objects.keys().copied().collect()
    }

    /// Restores a damaged directory: the result is right, and whoever is passed over is named. The
    /// newest checkpoint may be missing without a word only if its manifest is.
    fn check(&mut self, damaged: &Directory, what: &dyn Fn() -> String) -> Outcome {
        self.cases += 1;
        MEMORY.reset_peak_memory();
        let outcome = restore(damaged, RestorePolicy::PreviousCheckpoint);
        self.peak = self.peak.max(MEMORY.get_peak_memory());
        // What the tables of the states take, which are as many as there are groups.
        let most = self.sound_peak + 64 * 1024 + 8 * damaged.bytes();
        assert!(self.peak <= most, "{}: {} bytes of memory", what(), self.peak);
        match &outcome.result {
            Ok(Some((id, content))) => {
                assert_eq!(Some(content), self.contents.get(id), "{}: {id}", what());
                let newer = self.contents.range(id..).skip(1).map(|(newer, _)| newer);
                for newer in newer.filter(|newer| damaged.objects.contains_key(&newer.manifest())) {
                    let start = format!("checkpoint {newer} is passed over: ");
                    let told = outcome.warnings.iter().any(|line| line.starts_with(&start));
                    assert!(told, "{}: {:?}", what(), outcome.warnings);
                    self.fallen_back += 1;
                }
            }
            Ok(None) => panic!("{}: a silent fresh start", what()),
            Err(reason) => {
                let all = self.contents.keys().all(|id| reason.contains(&id.to_string()));
                let none = reason.starts_with("no checkpoint is intact") && all;
                assert!(none || reason.contains("of another job"), "{}: {reason}", what());
                self.ended += 1;
            }
        }
        outcome
    }

    /// Checks that what was found lies at or before a damaged byte, in the smallest checked unit.
    fn check_place(&self, id: ObjectId, at: usize, outcome: &Outcome) {
        for line in &outcome.warnings {
            let named = line.contains(&id.to_string())
                || CheckpointId::of_manifest(id)
                    .is_some_and(|id| line.starts_with(&format!("checkpoint {id} ")));
            let offset = line.rsplit_once(" at byte ").and_then(|(_, offset)| {
                let digits = offset.split(|other: char| !other.is_ascii_digit()).next();
                digits.and_then(|digits| digits.parse::<usize>().ok())
            });
            assert!(named && offset.is_some_and(|offset| offset <= at), "{id}, byte {at}: {line}");
        }
    }

    fn check_bytes(&mut self) {
        for id in self.ids() {
            let bytes = self.directory.objects[&id].clone();
            for at in 0..bytes.len() {
                let flipped = (0..8).map(|bit| bytes[at] ^ 1 << bit);
                for byte in flipped.chain([0, 0xff]).filter(|byte| *byte != bytes[at]) {
                    let mut changed = bytes.to_vec();
                    changed[at] = byte;
                    let damaged = self.directory.with(id, changed);
                    let outcome =
                        self.check(&damaged, &|| format!("{id}, byte {at} to {byte:02x}"));
                    self.check_place(id, at, &outcome);
                    let must_be_told = id == self.newest.manifest() || self.files.contains(&id);
                    if must_be_told || id.kind == ObjectKind::Record {
                        assert!(!outcome.warnings.is_empty(), "{id}, byte {at}");
                    }
                }
            }
        }
    }

    fn check_lengths(&mut self) {
        for id in self.ids() {
            let bytes = self.directory.objects[&id].clone();
            for length in 0..bytes.len() {
                let damaged = self.directory.with(id, bytes[..length].to_vec());
                self.check(&damaged, &|| format!("{id} cut to {length}"));
            }
            for more in [&[0; 1][..], &[0; 4096], &[0xff; 40], &bytes[..]] {
                let damaged = self.directory.with(id, [&bytes, more].concat());
                self.check(&damaged, &|| format!("{id} with {} bytes more", more.len()));
            }
            for zeros in [bytes.len(), bytes.len() / 2] {
                let mut changed = bytes.to_vec();
                changed[..zeros].fill(0);
                let damaged = self.directory.with(id, changed);
                self.check(&damaged, &|| format!("{id} with {zeros} zeros"));
            }
        }
    }

    fn check_files(&mut self) {
        for id in self.ids() {
            self.check(&self.directory.without(id), &|| format!("{id} missing"));
            for other in self.ids().into_iter().filter(|other| *other != id) {
                let (own, others) = (&self.directory.objects[&id], &self.directory.objects[&other]);
                let doubled = self.directory.with(id, others.to_vec());
                let swapped = doubled.with(other, own.to_vec());
                self.check(&doubled, &|| format!("{other} also as {id}"));
                self.check(&swapped, &|| format!("{id} and {other} swapped"));
            }
            // Under names that are not there yet.
            let ObjectId { checkpoint, epoch, attempt, part, .. } = id;
            let renamed = match id.kind {
                ObjectKind::Data => ObjectId::data(checkpoint + 1, epoch, attempt, part + 1),
                ObjectKind::Manifest => ObjectId::manifest(checkpoint + 100, epoch),
                ObjectKind::Draft => ObjectId::draft(checkpoint + 100, epoch),
                ObjectKind::Claim => ObjectId::claim(epoch + 100),
                ObjectKind::Record => ObjectId::record(epoch + 100),
            };
            let more = self.directory.with(renamed, self.directory.objects[&id].to_vec());
            let outcome = self.check(&more, &|| format!("{id} also as {renamed}"));
            // Numbers beyond where a later epoch began are of no living checkpoint.
            if id.kind == ObjectKind::Manifest && epoch == self.newest.epoch {
                assert!(outcome.warnings[0].contains("identity mismatch"), "{outcome:?}");
            }
        }
    }

    /// Files of another job, and of a run of the same job over another input, under the same names.
    fn check_foreign_files(&mut self) {
        let others =
            [("of another job", directory(JOB + 1, 0)), ("of other rows", directory(JOB, 3))];
        for (whose, other) in others {
            for id in self.ids() {
                let Some(bytes) = other.objects.get(&id) else { continue };
                let damaged = self.directory.with(id, bytes.to_vec());
                self.check(&damaged, &|| format!("{id} {whose}"));
            }
        }
    }

    /// Damaged parts may be left out: of the rest, everything is right.
    fn check_skipped_groups(&mut self) {
        let whole = self.contents[&self.newest].clone();
        for id in self.ids().into_iter().filter(|id| id.kind == ObjectKind::Data) {
            let bytes = self.directory.objects[&id].clone();
            for at in 0..bytes.len() {
                let mut changed = bytes.to_vec();
                changed[at] ^= 0x10;
                let damaged = self.directory.with(id, changed);
                let outcome = restore(&damaged, RestorePolicy::SkipGroup);
                let Ok(Some((newest, content))) = outcome.result else {
                    panic!("{id}, byte {at}: {:?}", outcome.result)
                };
                assert_eq!(newest, self.newest);
                assert_eq!(content == whole, outcome.warnings.is_empty(), "{id}, byte {at}");
                assert!(is_part_of(&content, &whole), "{id}, byte {at}");
            }
        }
    }
}

fn is_part_of(part: &Content, whole: &Content) -> bool {
    fn within<K: Ord, V: PartialEq>(part: &BTreeMap<K, V>, whole: &BTreeMap<K, V>) -> bool {
        part.iter().all(|(key, value)| whole.get(key) == Some(value))
    }
    within(&part.count, &whole.count)
        && within(&part.history, &whole.history)
        && within(&part.latest, &whole.latest)
}
