//! Restores a directory as the engine does it, in one thread and without running anything.

use holdwater::checkpoint::{
    Performer, Recovery, RecoveryCommand, RestorePolicy, Restored, Start, Warning,
};
use holdwater::key::KeyGroups;
use holdwater::manifest::{CheckpointId, Manifest};
use holdwater::rescale;
use holdwater_threads::{LoadFailed, load_states};

use crate::directory::{Directory, Held};
use crate::job::{Content, JOB, KEY_GROUPS, Notes, OPERATOR, SIGNATURE};

/// What became of a restore.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The checkpoint and what its states hold; nothing, if the job would begin anew. Else why it
    /// does not begin at all.
    pub result: Result<Option<(CheckpointId, Content)>, String>,
    /// What the user is told on the way, a line each.
    pub warnings: Vec<String>,
}

/// Restores the newest checkpoint of `directory` that is intact, and begins an epoch on it.
pub fn restore(directory: &Directory, policy: RestorePolicy) -> Outcome {
    let storage = directory.storage();
    let mut performer = Performer::new(storage.clone());
    let mut recovery = Recovery::new(JOB, Start::Resume);
    let (mut restored, mut warnings) = (None, Vec::new());
    let result = loop {
        match recovery.poll().expect("a recovery that has not ended has something to do") {
            RecoveryCommand::Done(_) => break Ok(restored),
            RecoveryCommand::Failed(error) => break Err(error.to_string()),
            RecoveryCommand::Restore(manifest) => match load(&manifest, &storage, policy) {
                Ok((content, loaded)) => {
                    warnings.extend(loaded.skipped.iter().map(ToString::to_string));
                    restored = Some((manifest.id, content));
                    recovery.restored();
                }
                Err(LoadFailed::Damaged(damage)) => recovery.damaged(damage.to_string()),
                Err(LoadFailed::Failed(error)) => break Err(error.to_string()),
            },
            RecoveryCommand::Storage(request) => {
                let reply = performer.perform(&request);
                recovery.reply(reply);
            }
            RecoveryCommand::Warn(Warning::Skipped(skipped)) if policy == RestorePolicy::Fail => {
                break Err(skipped.to_string());
            }
            RecoveryCommand::Warn(warning) => warnings.push(warning.to_string()),
        }
    };
    Outcome { result, warnings }
}

/// Loads one checkpoint, at a parallelism of 1.
pub fn load(
    manifest: &Manifest,
    storage: &Held,
    policy: RestorePolicy,
) -> Result<(Content, Restored), LoadFailed> {
    assert_eq!(manifest.signature, SIGNATURE, "what changes it is found before");
    assert_eq!(rescale::groups(manifest, None, 1), Ok(KEY_GROUPS));
    let groups = KeyGroups::all(manifest.key_groups);
    let mut notes = Notes::empty(groups);
    let loaded = load_states(manifest, OPERATOR, groups, storage, policy, &mut notes)?;
    let mut content = Content::default();
    notes.read(groups, &mut content);
    Ok((content, loaded))
}
