//! Sites: the steps of storage that the code asks for, by what they are for.
//!
//! The machines say what to do, not why. The phase is told from the order of their requests.

use std::fmt;

use holdwater::storage::{Area, ObjectKind, Request};

/// What a step of storage is for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// A recovery claims its epoch.
    Claim,
    /// A recovery looks for the checkpoint to go on from, and loads it.
    Restore,
    /// A recovery records what it goes on from.
    Record,
    /// A recovery removes what the last epoch left.
    Sweep,
    /// A task writes its part of a checkpoint.
    Upload,
    /// The coordinator publishes a checkpoint.
    Publish,
    /// The coordinator removes what nothing needs any more.
    CleanUp,
}

/// Who asks for a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asker {
    /// The coordinator.
    Coordinator,
    /// The recovery, or the driver that loads what it offers.
    Recovery,
    /// A task.
    Task,
}

/// A step of storage in its phase.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Site {
    /// What it is for.
    pub phase: Phase,
    /// What is done.
    pub step: StepKind,
}

/// What is done in a step of storage.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum StepKind {
    /// An object is created.
    Create(ObjectKind),
    /// Bytes are appended.
    Write(ObjectKind),
    /// A file is synced.
    Sync(ObjectKind),
    /// A draft becomes a manifest.
    Publish,
    /// A directory is synced.
    SyncArea(Area),
    /// A directory is listed.
    List(Area),
    /// An object is read.
    Read(ObjectKind),
    /// An object is removed.
    Remove(ObjectKind),
}

/// Follows the phases of the coordinator and of the recovery.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    last: Option<Site>,
}

impl Phases {
    /// Returns the site of a request. Those of tasks change nothing.
    pub fn site(&mut self, asker: Asker, request: &Request) -> Site {
        let step = StepKind::of(request);
        let phase = match asker {
            Asker::Task => return Site { phase: Phase::Upload, step },
            Asker::Recovery => self.recovery(step),
            Asker::Coordinator => self.coordinator(step),
        };
        let site = Site { phase, step };
        self.last = Some(site);
        site
    }

    fn recovery(&self, step: StepKind) -> Phase {
        let last = self.last.map(|site| site.phase);
        match step {
            StepKind::Create(ObjectKind::Record)
            | StepKind::Write(ObjectKind::Record)
            | StepKind::Sync(ObjectKind::Record) => Phase::Record,
            StepKind::Create(_) | StepKind::Write(_) | StepKind::Sync(_) => Phase::Claim,
            StepKind::SyncArea(Area::Epochs) => last.unwrap_or(Phase::Claim),
            // The first listing of the epochs; the next one follows the sync of the claim.
            StepKind::List(Area::Epochs) if last.is_none() => Phase::Claim,
            StepKind::List(Area::Epochs | Area::Manifests) | StepKind::Read(_) => Phase::Restore,
            StepKind::SyncArea(Area::Manifests) if last == Some(Phase::Restore) => Phase::Restore,
            _ => Phase::Sweep,
        }
    }

    fn coordinator(&self, step: StepKind) -> Phase {
        let removed = self.last.is_some_and(|last| matches!(last.step, StepKind::Remove(_)));
        match step {
            StepKind::Remove(_) | StepKind::List(Area::Data) => Phase::CleanUp,
            StepKind::SyncArea(_) if removed => Phase::CleanUp,
            _ => Phase::Publish,
        }
    }
}

impl Site {
    /// Returns whether the step makes something durable.
    pub const fn is_sync(self) -> bool {
        matches!(self.step, StepKind::Sync(_) | StepKind::SyncArea(_))
    }
}

impl StepKind {
    const fn of(request: &Request) -> Self {
        match request {
            Request::Create(id) => Self::Create(id.kind),
            Request::Write(id, _) => Self::Write(id.kind),
            Request::Sync(id) => Self::Sync(id.kind),
            Request::Publish { .. } => Self::Publish,
            Request::SyncArea(area) => Self::SyncArea(*area),
            Request::List(area) => Self::List(*area),
            Request::Read(id) => Self::Read(id.kind),
            Request::Remove(id) => Self::Remove(id.kind),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claim => "claim",
            Self::Restore => "restore",
            Self::Record => "record",
            Self::Sweep => "sweep",
            Self::Upload => "upload",
            Self::Publish => "publish",
            Self::CleanUp => "clean-up",
        })
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = |kind: &ObjectKind| match kind {
            ObjectKind::Claim => "claim",
            ObjectKind::Data => "data",
            ObjectKind::Draft => "draft",
            ObjectKind::Manifest => "manifest",
            ObjectKind::Record => "record",
        };
        match self {
            Self::Create(kind) => write!(f, "create {}", object(kind)),
            Self::Write(kind) => write!(f, "write {}", object(kind)),
            Self::Sync(kind) => write!(f, "sync {}", object(kind)),
            Self::Publish => f.write_str("publish"),
            Self::SyncArea(area) => write!(f, "sync {}/", area.name()),
            Self::List(area) => write!(f, "list {}/", area.name()),
            Self::Read(kind) => write!(f, "read {}", object(kind)),
            Self::Remove(kind) => write!(f, "remove {}", object(kind)),
        }
    }
}

/// Writes `publish: sync draft`.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, step } = self;
        write!(f, "{phase}: {step}")
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Every site that the code has, as a run without faults shows them.
pub const SITES: [Site; 35] = {
    use ObjectKind::{Claim, Data, Draft, Manifest, Record};
    use StepKind::{Create, List, Publish, Read, Remove, Sync, SyncArea, Write};
    const fn at(phase: Phase, step: StepKind) -> Site {
        Site { phase, step }
    }
    [
        at(Phase::Claim, List(Area::Epochs)),
        at(Phase::Claim, Create(Claim)),
        at(Phase::Claim, Write(Claim)),
        at(Phase::Claim, Sync(Claim)),
        at(Phase::Claim, SyncArea(Area::Epochs)),
        at(Phase::Restore, List(Area::Epochs)),
        at(Phase::Restore, Read(Record)),
        at(Phase::Restore, List(Area::Manifests)),
        at(Phase::Restore, Read(Manifest)),
        at(Phase::Restore, Read(Data)),
        at(Phase::Record, Create(Record)),
        at(Phase::Record, Write(Record)),
        at(Phase::Record, Sync(Record)),
        at(Phase::Record, SyncArea(Area::Epochs)),
        at(Phase::Sweep, Remove(Draft)),
        at(Phase::Sweep, List(Area::Data)),
        at(Phase::Sweep, Remove(Data)),
        at(Phase::Sweep, SyncArea(Area::Data)),
        at(Phase::Upload, Create(Data)),
        at(Phase::Upload, Write(Data)),
        at(Phase::Upload, Sync(Data)),
        at(Phase::Publish, SyncArea(Area::Data)),
        at(Phase::Publish, Create(Draft)),
        at(Phase::Publish, Write(Draft)),
        at(Phase::Publish, Sync(Draft)),
        at(Phase::Publish, Publish),
        at(Phase::Publish, SyncArea(Area::Manifests)),
        at(Phase::Publish, List(Area::Epochs)),
        at(Phase::CleanUp, Remove(Draft)),
        at(Phase::CleanUp, Remove(Manifest)),
        at(Phase::CleanUp, SyncArea(Area::Manifests)),
        at(Phase::CleanUp, List(Area::Data)),
        at(Phase::CleanUp, Remove(Data)),
        at(Phase::CleanUp, SyncArea(Area::Data)),
        at(Phase::Restore, SyncArea(Area::Manifests)),
    ]
};
