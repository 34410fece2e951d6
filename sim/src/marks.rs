//! Marks: what should happen in some run, lest the runs prove nothing about it.

use std::collections::BTreeMap;
use std::fmt;

use crate::disk::{Fault, Persistence};
use crate::site::{SITES, Site};

macro_rules! marks {
    ($($mark:ident: $text:literal,)+) => {
        /// Something that should happen in some run.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Mark {
            $(#[doc = $text] $mark,)+
            /// A step of storage failed so.
            Failed(Fault),
            /// The power was lost, and this was left of what was not synced.
            PowerLoss(Persistence),
            /// The job crashed just before this step.
            CrashAt(Site),
        }

        /// The marks without a parameter.
        const PLAIN: &[Mark] = &[$(Mark::$mark,)+];

        impl fmt::Display for Mark {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$mark => f.write_str($text),)+
                    Self::Failed(fault) => write!(f, "a step failed: {fault:?}"),
                    Self::PowerLoss(how) => write!(f, "power lost, leaving {how}"),
                    Self::CrashAt(site) => write!(f, "crash before {site}"),
                }
            }
        }
    };
}

marks! {
    Completed: "a checkpoint is complete",
    Aborted: "a checkpoint was given up",
    TimedOut: "a checkpoint was given up since some task did not answer in time",
    NothingToWrite: "a task had nothing to write",
    FullAgain: "a full checkpoint followed deltas",
    SharedFileKept: "a file outlived the checkpoint it was written for",
    DeltaRestored: "a delta was restored",
    Rescaled: "a checkpoint was restored with another number of tasks",
    UntoldRestored: "a checkpoint was restored that nobody was told was complete",
    FreshAgain: "a job began afresh after a crash, as no checkpoint was complete",
    Fallback: "an older checkpoint was restored since the newest could not be read",
    BeyondRefused: "an older checkpoint was refused since outputs are committed beyond it",
    RecoveryFailed: "a recovery failed and was tried again",
    CrashTwice: "a recovery crashed, and the one after it too",
    LateAck: "an acknowledgement came too late",
    RepeatedAck: "an acknowledgement came again",
    StaleAck: "an acknowledgement came from an earlier epoch",
    LostNotice: "a notice was lost",
    ToldByBarrier: "a task was told of a completed checkpoint by the next barrier",
    Blocked: "an input was blocked until the others delivered the barrier",
    Overtaken: "a newer barrier made a task give up the checkpoint it was aligning",
    TakenEarly: "a task took its part of a checkpoint before all of its barriers had come",
    TurnedUnaligned: "barriers were waited for, and then no more",
    InFlight: "a checkpoint holds records in flight",
    InFlightAgain: "records that were in flight still were in the next checkpoint",
    InFlightAborted: "a checkpoint was given up while what was in flight was gathered",
    InFlightRestored: "records in flight were restored",
    InFlightRescaled: "records in flight were restored with another number of tasks",
    CompletedStalled: "a checkpoint was begun and completed while no record was processed",
    EarlyEnd: "a source ended before the others",
    CommittedOnRestore: "a restore committed a transaction",
    AbortedOnRestore: "a restore aborted a transaction",
    CommitFailed: "a commit failed, and may have been done",
    UnknownPublished: "a publication of unknown outcome had taken effect",
    UnknownNotPublished: "a publication of unknown outcome had taken no effect",
    RottenFile: "a bit flipped in a file of a complete checkpoint",
    RottenManifest: "a bit flipped in the manifest of a complete checkpoint",
    Halted: "the job halted",
}

/// How often each mark was reached.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Marks {
    counts: BTreeMap<Mark, u64>,
}

impl Marks {
    /// Reaches a mark.
    pub fn reach(&mut self, mark: Mark) {
        *self.counts.entry(mark).or_default() += 1;
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (mark, count) in &other.counts {
            *self.counts.entry(*mark).or_default() += count;
        }
    }

    /// Returns how often a mark was reached.
    pub fn count(&self, mark: Mark) -> u64 {
        self.counts.get(&mark).copied().unwrap_or(0)
    }

    /// Returns every mark that there is, with its count.
    pub fn all(&self) -> impl Iterator<Item = (Mark, u64)> {
        let plain = PLAIN.iter().copied();
        let failed = Fault::ALL.into_iter().map(Mark::Failed);
        let lost = Persistence::ALL.into_iter().map(Mark::PowerLoss);
        let crashes = SITES.into_iter().map(Mark::CrashAt);
        plain.chain(failed).chain(lost).chain(crashes).map(|mark| (mark, self.count(mark)))
    }
}
