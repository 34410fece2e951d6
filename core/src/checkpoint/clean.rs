//! Removes what nothing needs, in the order that is safe at every crash: manifests, then, once
//! their removal is durable, files (docs/protocol.md 5).

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::publish::Halt;
use super::retention::Retention;
use super::{Skipped, Step};
use crate::error::Malformed;
use crate::manifest::CheckpointId;
use crate::storage::{Area, ObjectId, Reply, Request};

/// What the user should know though the job goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Warning {
    /// Something could not be removed or listed; it is tried again after the next checkpoint.
    NotCleaned(Request),
    /// The record of an epoch is torn or damaged: unless there are checkpoints of the epoch, it is
    /// taken to have run nothing.
    NoRecord(ObjectId, Malformed),
    /// A checkpoint that was complete is not restored.
    Skipped(Skipped),
    /// A broadcast map is not the same in each task.
    UnlikeCopies {
        /// The operator.
        operator: String,
        /// The state.
        state: String,
        /// How many different copies were stored.
        copies: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCleaned(request) => write!(
                f,
                "could not {}: what is no longer needed stays until the next checkpoint",
                Step(request)
            ),
            Self::NoRecord(record, malformed) => write!(
                f,
                "{record} is damaged: {malformed}; without checkpoints of its own its epoch is taken \
                 to have run nothing"
            ),
            Self::Skipped(skipped) => skipped.fmt(f),
            Self::UnlikeCopies { operator, state, copies } => write!(
                f,
                "state {state} of operator {operator} should be the same in each task, and there \
                 are {copies} different copies: a task was not sent, or did not apply, what others \
                 did"
            ),
        }
    }
}

/// One clean-up under way.
#[derive(Clone, Debug)]
pub(super) struct Clean {
    drafts: VecDeque<ObjectId>,
    victims: VecDeque<CheckpointId>,
    /// Manifests whose removal is done but not durable.
    removed: Vec<CheckpointId>,
    /// Files of the running epoch up to this checkpoint may go.
    settled: u64,
    garbage: VecDeque<ObjectId>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Drafts,
    Manifests,
    SyncManifests,
    ListData,
    Data,
    SyncData,
}

/// How a clean-up goes on.
#[derive(Debug)]
pub(super) enum Progress {
    Done,
    Halt(Halt),
    Next,
    Warn(Request),
    /// It ends here, with a warning.
    WarnAndDone(Request),
}

impl Clean {
    pub(super) fn new(
        drafts: impl IntoIterator<Item = ObjectId>,
        victims: Vec<CheckpointId>,
        settled: u64,
    ) -> Self {
        Self {
            drafts: drafts.into_iter().collect(),
            victims: victims.into(),
            removed: Vec::new(),
            settled,
            garbage: VecDeque::new(),
            stage: Stage::Drafts,
        }
    }

    /// Returns the next request.
    pub(super) fn request(&mut self) -> Request {
        loop {
            self.stage = match self.stage {
                Stage::Drafts => match self.drafts.front() {
                    Some(draft) => return Request::Remove(*draft),
                    None => Stage::Manifests,
                },
                Stage::Manifests => match self.victims.front() {
                    Some(victim) => return Request::Remove(victim.manifest()),
                    None if self.removed.is_empty() => Stage::ListData,
                    None => Stage::SyncManifests,
                },
                Stage::SyncManifests => return Request::SyncArea(Area::Manifests),
                Stage::ListData => return Request::List(Area::Data),
                Stage::Data => match self.garbage.front() {
                    Some(file) => return Request::Remove(*file),
                    None => Stage::SyncData,
                },
                Stage::SyncData => return Request::SyncArea(Area::Data),
            }
        }
    }

    /// Takes the outcome of `request`.
    pub(super) fn reply(
        &mut self,
        request: Request,
        reply: Reply,
        retention: &mut Retention,
    ) -> Progress {
        let done = matches!(reply, Reply::Done | Reply::Missing);
        match self.stage {
            Stage::Drafts => {
                // A draft is no checkpoint: the next epoch removes what is left.
                self.drafts.pop_front();
                Progress::Next
            }
            Stage::Manifests => {
                let victim = self.victims.pop_front();
                if done {
                    self.removed.extend(victim);
                    Progress::Next
                } else {
                    Progress::Warn(request)
                }
            }
            Stage::SyncManifests => match reply {
                Reply::Done => {
                    self.removed.drain(..).for_each(|id| retention.remove(id));
                    self.stage = Stage::ListData;
                    Progress::Next
                }
                // Not durably gone: they may come back with a crash, and need their files then.
                Reply::NotDone => Progress::WarnAndDone(request),
                _ => Progress::Halt(Halt::Unknown(request)),
            },
            Stage::ListData => match reply {
                Reply::Listed(found) => {
                    self.garbage = retention.garbage(&found, self.settled).into();
                    self.stage = Stage::Data;
                    if self.garbage.is_empty() { Progress::Done } else { Progress::Next }
                }
                _ => Progress::WarnAndDone(request),
            },
            Stage::Data => {
                self.garbage.pop_front();
                if done { Progress::Next } else { Progress::Warn(request) }
            }
            Stage::SyncData => match reply {
                Reply::Done | Reply::NotDone => Progress::Done,
                _ => Progress::Halt(Halt::Unknown(request)),
            },
        }
    }
}
