//! What can go wrong between the processes of a cluster.

use std::error::Error;
use std::fmt;
use std::io;

/// Why processes cannot run a job together, or cannot go on.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClusterError {
    /// A process was started with other flags, or for another job.
    Differs {
        /// Its number.
        process: usize,
        /// What differs: there, and here.
        what: String,
    },
    /// A worker failed in another process, or the job did.
    Failed {
        /// The process.
        process: usize,
        /// What it said.
        why: String,
    },
    /// A process is gone: it ended, or the connection to it did.
    Gone {
        /// Its number.
        process: usize,
        /// What the connection said.
        why: String,
    },
    /// A worker has not answered for too long.
    Hung {
        /// The worker.
        worker: usize,
        /// Its process.
        process: usize,
        /// For how many milliseconds.
        waited_ms: u64,
    },
    /// This process was asked to end before all others were there.
    Interrupted,
    /// This process cannot listen at its address.
    Listen {
        /// The address.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// Another directory of checkpoints than that of the first process was given.
    NotShared {
        /// The epoch that was begun there, of which nothing is found here.
        epoch: u64,
    },
    /// A worker ended by a panic of its own.
    Panicked {
        /// What it said.
        message: String,
    },
    /// A process has not come in time.
    Silent {
        /// Its number.
        process: usize,
        /// Where it was looked for.
        address: String,
        /// For how many milliseconds.
        waited_ms: u64,
    },
    /// Threads or sockets cannot be had.
    Start(String),
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: &u64| *ms as f64 / 1000.0;
        match self {
            Self::Differs { process, what } => {
                write!(f, "process {process} {what}: give all processes the same command")
            }
            Self::Failed { process, why } => write!(f, "process {process}: {why}"),
            Self::Gone { process, why } => write!(
                f,
                "process {process} is gone ({why}): start all processes again, they go on from the \
                 newest checkpoint"
            ),
            Self::Hung { worker, process, waited_ms } => write!(
                f,
                "worker {worker} of process {process} has not answered for {} s: end that process, \
                 and start all again",
                seconds(waited_ms)
            ),
            Self::Interrupted => f.write_str("was stopped before all processes were there"),
            Self::Listen { address, error } => write!(
                f,
                "cannot listen at {address}: {error}; give each process an address of its own \
                 machine that is free"
            ),
            Self::NotShared { epoch } => write!(
                f,
                "nothing is known here of epoch {epoch}: the place of checkpoints is not that of the \
                 first process; give all processes one that they share"
            ),
            Self::Panicked { message } => write!(f, "a worker panicked: {message}"),
            Self::Silent { process, address, waited_ms } => write!(
                f,
                "process {process} was not there at {address} for {} s: start it, or correct its \
                 address",
                seconds(waited_ms)
            ),
            Self::Start(why) => write!(f, "cannot start the workers: {why}"),
        }
    }
}

impl Error for ClusterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Listen { error, .. } => Some(error),
            _ => None,
        }
    }
}
