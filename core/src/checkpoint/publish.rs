//! Makes a checkpoint complete: one moment at which it is there, and stays (docs/protocol.md 4).

use core::fmt;

use super::{Abort, Step as Described};
use crate::manifest::Manifest;
use crate::planted::planted;
use crate::storage::{Area, ObjectId, ObjectKind, Reply, Request};

/// Why a job must stop. It may be recovered in a new epoch, which looks at what is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Halt {
    /// A newer epoch was begun: another process runs the job now. Stop silently.
    Fenced {
        /// That epoch.
        epoch: u64,
    },
    /// An object has a name that only this epoch gives: a rival in the same epoch, or a bug.
    Rival(ObjectId),
    /// A task failed.
    Task(super::TaskId),
    /// Nobody knows whether the step took effect. Nothing was removed.
    Unknown(Request),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced { epoch } => write!(f, "epoch {epoch} has taken over"),
            Self::Rival(id) => write!(f, "another process writes {id}: run the job only once"),
            Self::Task(task) => write!(f, "{task} failed"),
            Self::Unknown(request) => write!(
                f,
                "tried to {}, and whether it took effect is unknown: restart the job",
                Described(request)
            ),
        }
    }
}

/// One publication under way.
#[derive(Clone, Debug)]
pub(super) struct Publish {
    manifest: Manifest,
    step: Step,
}

/// The steps in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    SyncData,
    CreateDraft,
    WriteDraft,
    SyncDraft,
    /// With planted bug 10 alone.
    RemoveParent,
    Publish,
    SyncManifests,
    ListEpochs,
}

/// How a publication goes on.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nothing was published, and nothing will be.
    Abort(Abort),
    Complete,
    Halt(Halt),
    Next,
}

impl Publish {
    pub(super) const fn new(manifest: Manifest) -> Self {
        Self { manifest, step: Step::SyncData }
    }

    pub(super) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// Returns the next request.
    pub(super) fn request(&self) -> Request {
        let id = self.manifest.id;
        match self.step {
            Step::SyncData => Request::SyncArea(Area::Data),
            Step::CreateDraft => Request::Create(id.draft()),
            Step::WriteDraft => Request::Write(id.draft(), self.manifest.to_file()),
            Step::SyncDraft => Request::Sync(id.draft()),
            Step::RemoveParent => Request::Remove(self.manifest.parent.unwrap_or(id).manifest()),
            Step::Publish => Request::Publish { draft: id.draft(), id: id.manifest() },
            Step::SyncManifests => Request::SyncArea(Area::Manifests),
            Step::ListEpochs => Request::List(Area::Epochs),
        }
    }

    /// Takes the outcome of `request`.
    pub(super) fn reply(&mut self, request: Request, reply: &Reply) -> Progress {
        match (self.step, reply) {
            (Step::ListEpochs, Reply::Listed(found)) => return self.fence(found),
            (_, Reply::Done) => {
                self.step = self.next();
                return Progress::Next;
            }
            (Step::CreateDraft | Step::Publish, Reply::Exists) => {
                let id = self.manifest.id;
                let taken = if self.step == Step::Publish { id.manifest() } else { id.draft() };
                return Progress::Halt(Halt::Rival(taken));
            }
            _ => {}
        }
        let unknown = *reply != Reply::NotDone;
        match self.step {
            // A draft is never looked at: whatever became of it, it is given up.
            Step::CreateDraft | Step::WriteDraft | Step::SyncDraft => {
                Progress::Abort(Abort::Storage(request))
            }
            Step::SyncData if !unknown => Progress::Abort(Abort::Storage(request)),
            Step::Publish if !unknown || planted(34) => Progress::Abort(Abort::Storage(request)),
            // From the publication on, the manifest may be there and may stay.
            _ => Progress::Halt(Halt::Unknown(request)),
        }
    }

    fn next(&self) -> Step {
        match self.step {
            Step::SyncData => Step::CreateDraft,
            Step::CreateDraft => Step::WriteDraft,
            Step::WriteDraft if planted(3) => Step::Publish,
            Step::WriteDraft => Step::SyncDraft,
            Step::SyncDraft if planted(10) && self.manifest.parent.is_some() => Step::RemoveParent,
            Step::SyncDraft | Step::RemoveParent => Step::Publish,
            Step::Publish if planted(4) => Step::ListEpochs,
            Step::Publish => Step::SyncManifests,
            Step::SyncManifests | Step::ListEpochs => Step::ListEpochs,
        }
    }

    /// The manifest is durable. It counts unless a newer epoch was begun: that one may not have
    /// seen it, so nobody is told of it.
    fn fence(&self, found: &[ObjectId]) -> Progress {
        match newer_claim(found, self.manifest.id.epoch) {
            Some(epoch) if !planted(62) => Progress::Halt(Halt::Fenced { epoch }),
            _ => Progress::Complete,
        }
    }
}

/// Returns the newest epoch that was begun after `epoch`, by what the area of epochs holds.
pub fn newer_claim(found: &[ObjectId], epoch: u64) -> Option<u64> {
    let claims = found.iter().filter(|id| id.kind == ObjectKind::Claim).map(|id| id.epoch);
    claims.max().filter(|newest| *newest > epoch)
}
