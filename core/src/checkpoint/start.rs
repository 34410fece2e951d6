//! What a job is started from, and why it could not be.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Step as Described;
use super::clean::Warning;
use super::coordinator::Recovered;
use crate::error::Malformed;
use crate::manifest::{CheckpointId, Manifest};
use crate::storage::{ObjectId, Request};

/// What to go on from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Start {
    /// Nothing: begin a new lineage. Older ones are kept and never resumed.
    Fresh,
    /// This checkpoint of the directory, unless an epoch that was started from it has completed
    /// one: then the newest of those.
    From(CheckpointId),
    /// A checkpoint of another directory, read by the driver; likewise.
    Import(Box<Manifest>),
    /// The newest intact checkpoint; nothing, if the directory has none.
    Resume,
}

/// What the driver does next.
#[derive(Clone, Debug)]
pub enum RecoveryCommand {
    /// The epoch begins: start the tasks.
    Done(Box<Recovered>),
    /// The job cannot go on.
    Failed(RecoveryError),
    /// Load the checkpoint, then call [`Recovery::restored`](super::Recovery::restored) or
    /// [`Recovery::damaged`](super::Recovery::damaged).
    ///
    /// If it does not fit the job, give up: nothing has been recorded.
    Restore(Box<Manifest>),
    /// Do the step and answer with [`Recovery::reply`](super::Recovery::reply).
    Storage(Request),
    /// Tell the user.
    Warn(Warning),
}

/// A complete checkpoint that is passed over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Skipped {
    /// The checkpoint.
    pub id: CheckpointId,
    /// Why.
    pub damage: Damage,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checkpoint {} is passed over: {}", self.id, self.damage)
    }
}

/// Why a checkpoint cannot be restored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Damage {
    /// One of its files is damaged or missing, as the driver says.
    Content(String),
    /// Its manifest is damaged.
    Manifest(Malformed),
    /// Its manifest was listed and cannot be read.
    Unreadable,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(reason) => f.write_str(reason),
            Self::Manifest(malformed) => write!(f, "its manifest is damaged: {malformed}"),
            Self::Unreadable => f.write_str("its manifest cannot be read"),
        }
    }
}

/// Why no epoch could be begun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RecoveryError {
    /// A newer epoch was begun meanwhile: another process runs the job.
    Fenced {
        /// That epoch.
        epoch: u64,
    },
    /// There is no such checkpoint.
    Missing(CheckpointId),
    /// The object was written by a newer format version.
    Newer(ObjectId),
    /// The directory has checkpoints, and none of those to go on from is intact.
    NoneIntact(Vec<Skipped>),
    /// The newest checkpoint of the directory is of another job; its signature says of which.
    OtherJob(Box<Manifest>),
    /// A storage step failed.
    Storage(Request),
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced { epoch } => write!(f, "epoch {epoch} has taken over: run the job once"),
            Self::Missing(id) => write!(f, "there is no checkpoint {id}: list those there are"),
            Self::Newer(id) => {
                write!(f, "{id} was written by a newer version: resume with that version")
            }
            Self::NoneIntact(skipped) => {
                f.write_str("no checkpoint is intact: restore the directory or start afresh")?;
                skipped.iter().try_for_each(|skipped| write!(f, "; {skipped}"))
            }
            Self::OtherJob(manifest) => write!(
                f,
                "checkpoint {} is of another job: use another directory, or start afresh",
                manifest.id
            ),
            Self::Storage(request) => write!(f, "could not {}", Described(request)),
        }
    }
}

impl core::error::Error for RecoveryError {}
