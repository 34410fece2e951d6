//! Begins an epoch: carries out what the core's recovery asks for.

use holdwater::checkpoint::{
    self, Performer, Recovered, Recovery, RecoveryCommand, RecoveryError, RestorePolicy, Warning,
};
use holdwater::manifest::Manifest;
use holdwater::storage::Storage;

use crate::error::EngineError;
use crate::observer::{Event, Observer};
use crate::options::{Checkpoints, Start};
use crate::restore::LoadFailed;

/// Finds what to go on from and has it restored by `restore`, which is given the epoch and whether
/// one before it came to nothing with the same checkpoint, the checkpoint, and the storage that its
/// files are in.
pub(crate) fn recover<B: Storage>(
    checkpoints: &Checkpoints<B>,
    performer: &mut Performer<B>,
    observer: &mut dyn Observer,
    mut restore: impl FnMut((u64, bool), Manifest, &B) -> Result<(), LoadFailed>,
) -> Result<Recovered, EngineError> {
    let mut recovery = Recovery::new(checkpoints.job, start(checkpoints));
    let mut error = None;
    loop {
        let Some(command) = recovery.poll() else {
            panic!("a recovery that has not ended has something to do");
        };
        match command {
            RecoveryCommand::Done(recovered) => return Ok(*recovered),
            RecoveryCommand::Failed(RecoveryError::OtherJob(manifest)) => {
                return Err(other_job(*manifest));
            }
            RecoveryCommand::Failed(recovery) => {
                return Err(EngineError::Recovery { recovery, error });
            }
            RecoveryCommand::Restore(manifest) => {
                if manifest.signature != checkpoints.signature {
                    return Err(other_job(*manifest));
                }
                let storage = checkpoints.storage_of(&manifest);
                let epoch = (recovery.epoch(), recovery.is_retried());
                match restore(epoch, *manifest, storage) {
                    Ok(()) => recovery.restored(),
                    Err(LoadFailed::Damaged(damage)) => recovery.damaged(damage.to_string()),
                    Err(LoadFailed::Failed(error)) => return Err(error),
                }
            }
            RecoveryCommand::Storage(request) => {
                let reply = performer.perform(&request);
                error = performer.take_error().map(|error| Box::new(error) as _);
                recovery.reply(reply);
            }
            RecoveryCommand::Warn(Warning::Skipped(skipped)) => {
                if checkpoints.policy == RestorePolicy::Fail {
                    return Err(EngineError::Damaged(skipped));
                }
                observer.observe(&Event::Skipped(&skipped));
            }
            RecoveryCommand::Warn(warning) => {
                let error = error.as_ref().map(ToString::to_string);
                observer.observe(&Event::Warned { warning: &warning, error: error.as_deref() });
            }
        }
    }
}

fn other_job(manifest: Manifest) -> EngineError {
    EngineError::OtherJob { id: manifest.id, signature: manifest.signature }
}

fn start<B>(checkpoints: &Checkpoints<B>) -> checkpoint::Start {
    match &checkpoints.start {
        Start::Fresh => checkpoint::Start::Fresh,
        Start::From(id) => checkpoint::Start::From(*id),
        Start::Import { manifest, .. } => checkpoint::Start::Import(manifest.clone()),
        Start::Resume => checkpoint::Start::Resume,
    }
}

impl<B> Checkpoints<B> {
    /// Returns where the files of a checkpoint are that may be restored.
    pub fn storage_of(&self, offered: &Manifest) -> &B {
        match &self.start {
            Start::Import { manifest, storage } if **manifest == *offered => storage,
            _ => &self.storage,
        }
    }
}
