//! Begins an epoch: claims it, finds the checkpoint to go on from, records that (docs/protocol.md
//! 6).
//!
//! First claim, then list. A rival publishes, then looks for claims: either it sees ours and tells
//! nobody of its checkpoint, or we see its checkpoint and go on from it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::Halt;
use super::choice::{Choice, Manifests};
use super::clean::{self, Clean, Warning};
use super::coordinator::Recovered;
use super::lineage::Lineage;
use super::retention::Retention;
use super::start::{Damage, RecoveryCommand, RecoveryError, Skipped, Start};
use crate::error::{Fault, Malformed};
use crate::manifest::{CheckpointId, Manifest, Origin, claim_file, decode_record, record_file};
use crate::planted::planted;
use crate::storage::{Area, ObjectId, ObjectKind, Reply, Request};

/// Begins an epoch.
///
/// After each input, carry out what [`poll`](Self::poll) returns until it returns nothing.
#[derive(Clone, Debug)]
pub struct Recovery {
    job: u128,
    start: Start,
    epoch: u64,
    step: Step,
    /// Objects to be read, or drafts to be removed.
    queue: VecDeque<ObjectId>,
    drafts: Vec<ObjectId>,
    lineage: Lineage,
    manifests: Manifests,
    /// Checkpoints to be tried, newest last.
    candidates: Vec<CheckpointId>,
    offered: Option<Box<Manifest>>,
    skipped: Vec<Skipped>,
    origin: Origin,
    retention: Retention,
    asked: Option<Request>,
    commands: VecDeque<RecoveryCommand>,
}

#[derive(Clone, Debug)]
enum Step {
    ListClaims,
    CreateClaim,
    WriteClaim,
    SyncClaim,
    SyncClaimName,
    ListRecords,
    ReadRecords,
    ListManifests,
    SyncManifests,
    ReadManifests,
    /// The driver restores what was offered.
    Restore,
    CreateRecord,
    WriteRecord,
    SyncRecord,
    SyncRecordName,
    Sweep(Clean),
    End,
}

impl Recovery {
    /// Begins an epoch of `job`, going on as `start` says. Equal jobs have equal numbers: take a
    /// hash of the signature.
    pub const fn new(job: u128, start: Start) -> Self {
        Self {
            job,
            start,
            epoch: 0,
            step: Step::ListClaims,
            queue: VecDeque::new(),
            drafts: Vec::new(),
            lineage: Lineage::new(),
            manifests: Manifests::new(),
            candidates: Vec::new(),
            offered: None,
            skipped: Vec::new(),
            origin: Origin::Fresh,
            retention: Retention::new(0, 0),
            asked: None,
            commands: VecDeque::new(),
        }
    }

    /// Returns the epoch that is claimed; 0 before.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns whether an epoch before this one began with the checkpoint that is offered, and has
    /// come to nothing: it had better be read whole ([`Reading`](super::Reading)).
    pub fn is_retried(&self) -> bool {
        let offered = self.offered.as_ref();
        offered.is_some_and(|manifest| self.lineage.began_with(manifest.id, manifest.job))
    }

    /// Returns what to do next; `None` until the next input.
    pub fn poll(&mut self) -> Option<RecoveryCommand> {
        if let Some(command) = self.commands.pop_front() {
            return Some(command);
        }
        if self.asked.is_some() {
            return None;
        }
        let request = self.request()?;
        self.asked = Some(request.clone());
        Some(RecoveryCommand::Storage(request))
    }

    /// Takes the outcome of the storage request that was polled last.
    ///
    /// # Panics
    ///
    /// If no request was polled.
    pub fn reply(&mut self, reply: Reply) {
        let Some(request) = self.asked.take() else { panic!("a reply answers a request") };
        match (&mut self.step, reply) {
            // Without it, what a later epoch did not start from could come to life again.
            (Step::ReadRecords, Reply::NotDone | Reply::Unknown) => {
                self.fail(RecoveryError::Storage(request));
            }
            (Step::ReadRecords, reply) => self.take_record(reply),
            (Step::ReadManifests, reply) => self.take_manifest(reply),
            (Step::Sweep(clean), reply) => {
                let progress = clean.reply(request, reply, &mut self.retention);
                self.take_sweep(progress);
            }
            (Step::CreateClaim | Step::SyncClaim, Reply::Exists) => {
                self.epoch += 1;
                self.step = Step::CreateClaim;
            }
            (Step::ListClaims, Reply::Listed(found)) => {
                self.epoch = found.iter().map(|id| id.epoch).max().unwrap_or(0) + 1;
                self.step = if planted(61) { Step::ListRecords } else { Step::CreateClaim };
            }
            (Step::ListRecords, Reply::Listed(found)) => self.take_record_names(&found),
            (Step::ListManifests, Reply::Listed(found)) => self.take_manifest_names(&found),
            (_, Reply::Done) => match self.next_step() {
                Some(step) => {
                    self.step = step;
                    self.skip_empty_queue();
                }
                None => self.fail(RecoveryError::Storage(request)),
            },
            _ => self.fail(RecoveryError::Storage(request)),
        }
    }

    /// Takes note that the offered checkpoint is restored: every task has its state.
    ///
    /// # Panics
    ///
    /// If none was offered.
    pub fn restored(&mut self) {
        let Some(offered) = &self.offered else { panic!("no checkpoint was offered") };
        self.origin = match &self.start {
            Start::Import(manifest) if manifest == offered => {
                Origin::Imported { job: offered.job, id: offered.id }
            }
            _ => Origin::Restored(offered.id),
        };
        self.step = Step::CreateRecord;
    }

    /// Takes note that the offered checkpoint is damaged; the next older one is offered.
    ///
    /// # Panics
    ///
    /// If none was offered.
    pub fn damaged(&mut self, reason: String) {
        let Some(offered) = self.offered.take() else { panic!("no checkpoint was offered") };
        let damage = Damage::Content(reason);
        if let Some(place) = self.manifests.get_mut(&offered.id) {
            *place = Err(damage.clone());
        }
        self.skip(offered.id, damage);
        self.offer();
    }

    fn request(&mut self) -> Option<Request> {
        let (claim, record) = (ObjectId::claim(self.epoch), ObjectId::record(self.epoch));
        Some(match &mut self.step {
            Step::ListClaims | Step::ListRecords => Request::List(Area::Epochs),
            Step::CreateClaim => Request::Create(claim),
            Step::WriteClaim => Request::Write(claim, claim_file(self.job, self.epoch)),
            Step::SyncClaim => Request::Sync(claim),
            Step::ListManifests => Request::List(Area::Manifests),
            Step::SyncManifests => Request::SyncArea(Area::Manifests),
            Step::ReadRecords | Step::ReadManifests => Request::Read(*self.queue.front()?),
            Step::CreateRecord => Request::Create(record),
            Step::WriteRecord => {
                Request::Write(record, record_file(self.job, self.epoch, &self.origin))
            }
            Step::SyncRecord => Request::Sync(record),
            Step::SyncClaimName | Step::SyncRecordName => Request::SyncArea(Area::Epochs),
            Step::Sweep(clean) => clean.request(),
            Step::Restore | Step::End => return None,
        })
    }

    /// Returns the step behind one that is done, unless that was to give more than that.
    fn next_step(&mut self) -> Option<Step> {
        Some(match self.step {
            Step::CreateClaim => Step::WriteClaim,
            Step::WriteClaim => Step::SyncClaim,
            Step::SyncClaim => Step::SyncClaimName,
            Step::SyncClaimName if planted(61) => {
                self.choose();
                return Some(self.step.clone());
            }
            Step::SyncClaimName => Step::ListRecords,
            Step::SyncManifests => Step::ReadManifests,
            Step::CreateRecord => Step::WriteRecord,
            Step::WriteRecord => Step::SyncRecord,
            Step::SyncRecord => Step::SyncRecordName,
            Step::SyncRecordName => self.sweep(),
            _ => return None,
        })
    }

    fn take_record_names(&mut self, found: &[ObjectId]) {
        let newest = found.iter().map(|id| id.epoch).max();
        if let Some(epoch) = newest.filter(|newest| *newest > self.epoch) {
            return self.fail(RecoveryError::Fenced { epoch });
        }
        let records = found.iter().filter(|id| id.kind == ObjectKind::Record);
        self.queue = records.filter(|id| id.epoch < self.epoch).copied().collect();
        self.step = Step::ReadRecords;
        self.skip_empty_queue();
    }

    /// An epoch whose record is torn ran no task, or its manifests say the same again.
    fn take_record(&mut self, reply: Reply) {
        let Some(id) = self.queue.pop_front() else { return };
        if let Reply::Content(bytes) = reply {
            match decode_record(id.epoch, &bytes) {
                Ok(origin) => self.lineage.insert(id.epoch, origin),
                Err(Malformed { fault: Fault::Version, .. }) => {
                    return self.fail(RecoveryError::Newer(id));
                }
                Err(malformed) => {
                    let warning = Warning::NoRecord(id, malformed);
                    self.commands.push_back(RecoveryCommand::Warn(warning));
                }
            }
        }
        self.skip_empty_queue();
    }

    fn take_manifest_names(&mut self, found: &[ObjectId]) {
        let newest = found.iter().map(|id| id.epoch).max();
        if let Some(newest) = newest.filter(|newest| *newest >= self.epoch) {
            // The claims were lost: begin an epoch that none of the manifests is of.
            self.epoch = newest + 1;
            self.step = Step::CreateClaim;
            return;
        }
        for id in found {
            match id.kind {
                ObjectKind::Manifest => self.queue.push_back(*id),
                ObjectKind::Draft => self.drafts.push(*id),
                _ => {}
            }
        }
        // The last epoch may have stopped between publishing, or removing, and syncing. What is
        // gone on from must not go with the power, and what is gone must not come back.
        self.step = Step::SyncManifests;
    }

    fn take_manifest(&mut self, reply: Reply) {
        let Some((object, id)) = self
            .queue
            .pop_front()
            .and_then(|object| CheckpointId::of_manifest(object).map(|id| (object, id)))
        else {
            return;
        };
        let manifest = match reply {
            Reply::Content(bytes) => Manifest::from_file(id, &bytes).map_err(Damage::Manifest),
            _ => Err(Damage::Unreadable),
        };
        match &manifest {
            Ok(manifest) => self.lineage.insert(id.epoch, manifest.origin),
            Err(Damage::Manifest(Malformed { fault: Fault::Version, .. })) => {
                return self.fail(RecoveryError::Newer(object));
            }
            Err(_) => {}
        }
        self.manifests.insert(id, manifest.map(Box::new));
        self.skip_empty_queue();
    }

    fn skip_empty_queue(&mut self) {
        if self.queue.is_empty() {
            match self.step {
                Step::ReadRecords => self.step = Step::ListManifests,
                Step::ReadManifests if planted(61) => self.step = Step::CreateClaim,
                Step::ReadManifests => self.choose(),
                _ => {}
            }
        }
    }

    fn choose(&mut self) {
        self.step = Step::Restore;
        match Choice::new(&self.start, &self.lineage, &self.manifests) {
            Choice::Fresh => self.step = Step::CreateRecord,
            Choice::Import(manifest) => {
                self.offered = Some(manifest.clone());
                self.commands.push_back(RecoveryCommand::Restore(manifest));
            }
            Choice::Missing(id) => self.fail(RecoveryError::Missing(id)),
            Choice::Offer(ids) => {
                self.candidates = ids;
                self.offer();
            }
        }
    }

    /// Offers the newest checkpoint that is left.
    fn offer(&mut self) {
        while let Some(id) = self.candidates.pop() {
            match self.manifests.get(&id) {
                Some(Ok(manifest)) if manifest.job != self.job => {
                    let manifest = manifest.clone();
                    return self.fail(RecoveryError::OtherJob(manifest));
                }
                Some(Ok(manifest)) => {
                    self.offered = Some(manifest.clone());
                    self.commands.push_back(RecoveryCommand::Restore(manifest.clone()));
                    return;
                }
                Some(Err(damage)) => {
                    let damage = damage.clone();
                    self.skip(id, damage);
                }
                None => self.skip(id, Damage::Unreadable),
            }
            if planted(13) {
                break;
            }
        }
        let skipped = core::mem::take(&mut self.skipped);
        self.fail(RecoveryError::NoneIntact(skipped));
    }

    fn skip(&mut self, id: CheckpointId, damage: Damage) {
        let skipped = Skipped { id, damage };
        self.commands.push_back(RecoveryCommand::Warn(Warning::Skipped(skipped.clone())));
        self.skipped.push(skipped);
    }

    /// The record is durable: the new lineage holds, and what is outside of it counts no more.
    fn sweep(&mut self) -> Step {
        self.lineage.insert(self.epoch, self.origin);
        let living = self.lineage.living();
        // Epochs before the lineage are left alone, but for those that no manifest is of or older
        // than: of an epoch that began afresh and completed nothing, nothing is needed.
        let root = living.root.map_or(self.epoch, |(epoch, _)| epoch);
        let older = self.manifests.keys().map(|id| id.epoch).filter(|epoch| *epoch < root);
        let since = older.max().map_or(0, |epoch| epoch + 1);
        self.retention = Retention::new(self.epoch, since);
        for (id, manifest) in &self.manifests {
            match manifest {
                Ok(manifest) if living.contains(*id) => self.retention.retain(manifest),
                _ => self.retention.doom(*id),
            }
        }
        let drafts = core::mem::take(&mut self.drafts);
        Step::Sweep(Clean::new(drafts, Vec::new(), 0))
    }

    fn take_sweep(&mut self, progress: clean::Progress) {
        match progress {
            clean::Progress::Next => {}
            clean::Progress::Warn(request) => self.warn(request),
            clean::Progress::WarnAndDone(request)
            | clean::Progress::Halt(Halt::Unknown(request)) => {
                self.warn(request);
                self.done();
            }
            clean::Progress::Done | clean::Progress::Halt(_) => self.done(),
        }
    }

    fn warn(&mut self, request: Request) {
        self.commands.push_back(RecoveryCommand::Warn(Warning::NotCleaned(request)));
    }

    fn done(&mut self) {
        self.step = Step::End;
        let restored = self.offered.take().map(|manifest| *manifest);
        let numbers = self.manifests.keys().chain(restored.as_ref().map(|manifest| &manifest.id));
        let next = numbers.map(|id| id.checkpoint).max().unwrap_or(0) + 1;
        let recovered = Recovered {
            epoch: self.epoch,
            origin: self.origin,
            next,
            full: !matches!(self.origin, Origin::Restored(_)),
            restored,
            skipped: core::mem::take(&mut self.skipped),
            retention: self.retention.clone(),
        };
        self.commands.push_back(RecoveryCommand::Done(Box::new(recovered)));
    }

    fn fail(&mut self, error: RecoveryError) {
        self.step = Step::End;
        self.commands.push_back(RecoveryCommand::Failed(error));
    }
}
