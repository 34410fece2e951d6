//! A process that runs the job: it begins an epoch, and then goes on from what it found.

use holdwater::checkpoint::{Recovered, Recovery, RecoveryCommand, Start, newer_claim};
use holdwater::manifest::CheckpointId;
use holdwater::planted::planted;
use holdwater::storage::{Area, Reply, Request};

use crate::job::{JOB, Run};

/// A process.
#[derive(Clone, Debug)]
pub(crate) enum Process {
    Starting(Box<Starting>),
    Settling(Box<Settling>),
    Running(Box<Run>),
    /// It has halted, for that reason.
    Gone(Gone),
}

/// Why a process has halted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Gone {
    /// A newer epoch was begun.
    Fenced,
    /// It could not go on for any other reason.
    Failed,
}

/// A process that begins an epoch.
#[derive(Clone, Debug)]
pub(crate) struct Starting {
    recovery: Recovery,
    asked: Option<Request>,
}

/// A process that brings the output to what it goes on from, as `sink::restore` does.
#[derive(Clone, Debug)]
pub(crate) struct Settling {
    pub(crate) recovered: Recovered,
    /// The transactions that nothing has become of.
    pub(crate) found: Vec<Vec<u8>>,
    /// The look for newer claims that is still to be done.
    asked: Option<Request>,
}

/// What comes of a step of a process that begins an epoch.
pub(crate) enum Started {
    Not,
    Begun(Box<Recovered>),
    Gone(Gone),
}

impl Starting {
    pub(crate) fn new() -> Self {
        let mut starting = Self { recovery: Recovery::new(JOB, Start::Resume), asked: None };
        starting.go_on();
        starting
    }

    /// Returns the step of storage that is next.
    pub(crate) fn asked(&self) -> Option<&Request> {
        self.asked.as_ref()
    }

    /// Takes the outcome of that step.
    pub(crate) fn reply(&mut self, reply: Reply) -> Started {
        self.asked = None;
        self.recovery.reply(reply);
        self.go_on()
    }

    fn go_on(&mut self) -> Started {
        while let Some(command) = self.recovery.poll() {
            match command {
                RecoveryCommand::Storage(request) => {
                    self.asked = Some(request);
                    break;
                }
                // Nothing but positions and transactions is in a checkpoint: they are at hand.
                RecoveryCommand::Restore(_) => self.recovery.restored(),
                RecoveryCommand::Warn(_) => {}
                RecoveryCommand::Failed(_) => return Started::Gone(Gone::Failed),
                RecoveryCommand::Done(recovered) => return Started::Begun(recovered),
            }
        }
        Started::Not
    }
}

impl Settling {
    /// Knows what is unresolved, and looks for newer claims then.
    pub(crate) fn new(recovered: Recovered, found: Vec<Vec<u8>>) -> Self {
        let asked = (!planted(64)).then_some(Request::List(Area::Epochs));
        Self { recovered, found, asked }
    }

    /// Takes the outcome; returns false where a newer epoch was begun.
    pub(crate) fn reply(&mut self, reply: Reply) -> bool {
        self.asked = None;
        let Reply::Listed(found) = reply else { return false };
        newer_claim(&found, self.recovered.epoch).is_none()
    }

    /// Returns whether the output may be changed now.
    pub(crate) fn may_settle(&self) -> bool {
        self.asked.is_none()
    }
}

impl Process {
    /// Returns the step of storage that is next.
    pub(crate) fn asked(&self) -> Option<&Request> {
        match self {
            Self::Starting(starting) => starting.asked(),
            Self::Settling(settling) => settling.asked.as_ref(),
            Self::Running(run) => run.asked(),
            Self::Gone(_) => None,
        }
    }

    /// Returns the epoch of a process that runs, and what it went on from.
    pub(crate) fn origin(&self) -> Option<(u64, Option<CheckpointId>)> {
        match self {
            Self::Running(run) => Some(run.origin()),
            _ => None,
        }
    }
}
