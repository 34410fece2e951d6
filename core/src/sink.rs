//! Where records come from and where results go: inputs that can be read again, outputs that
//! commit in two phases.
//!
//! ```text
//! write* -> prepare(n) -> [n completes] -> commit      the output of n becomes visible
//!                      -> [restored from before n] -> abort
//! ```
//!
//! [`Transactions`] decides what is committed and what aborted; the sink does it.

mod transactions;

pub use transactions::{Resolution, Transactions};

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use crate::manifest::{CheckpointId, SinkEntry};
use crate::planted::planted;

/// An input that can be read again from any position it has shown.
pub trait Source {
    /// Some records.
    type Batch;
    /// Why reading failed.
    type Error: Error + Send + Sync + 'static;

    /// Returns the next records, or `None` at the end of the input.
    fn next(&mut self) -> Result<Option<Self::Batch>, Self::Error>;

    /// Returns where to go on behind the last batch.
    fn position(&self) -> Vec<u8>;

    /// Goes on from `position`; fails if the input is not the one that was read up to it.
    fn resume(&mut self, position: &[u8]) -> Result<(), Self::Error>;
}

/// An output that commits in two phases.
///
/// What is written belongs to the open transaction. Commit and abort are idempotent, also across
/// restarts: the outcome of an earlier try may be unknown.
pub trait Sink {
    /// Some results.
    type Batch;
    /// Why writing failed.
    type Error: Error + Send + Sync + 'static;

    /// Adds results to the open transaction.
    fn write(&mut self, batch: &Self::Batch) -> Result<(), Self::Error>;

    /// Ends the open transaction, makes it durable but not visible, and returns its name; the next
    /// write opens another.
    fn prepare(&mut self, id: CheckpointId) -> Result<Vec<u8>, Self::Error>;

    /// Makes a prepared transaction visible.
    fn commit(&mut self, transaction: &[u8]) -> Result<(), Self::Error>;

    /// Drops a prepared or open transaction.
    fn abort(&mut self, transaction: &[u8]) -> Result<(), Self::Error>;

    /// Returns every transaction of this output that is neither committed nor aborted. At a restore
    /// it is asked before anything else: an output that is not there yet has none.
    fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Returns how far the output is committed, for the checkpoint.
    fn committed(&self) -> Vec<u8>;

    /// Cuts the output back to what a restored checkpoint knows: what was committed at it, and as
    /// much of its own transactions as is visible already.
    fn cut_back(&mut self, entry: &SinkEntry) -> Result<CutBack, Self::Error>;
}

/// Whether an output could be cut back.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CutBack {
    /// It holds what was committed, and nothing beyond.
    Done,
    /// What is committed stays: it has been given away.
    Impossible,
}

/// Brings an output to the checkpoint that is restored: cuts it back, then commits the checkpoint's
/// transactions and aborts all others.
///
/// `beyond` says that checkpoints newer than the restored one were completed, so that more may be
/// committed. An output that cannot be cut back then fails, unless `accept_duplicates`.
///
/// `fence` fails where a newer epoch was begun (`checkpoint::Performer::fence`). It is asked once
/// the transactions to abort are known: a newer epoch prepares its own behind its claim, so none of
/// them is among these (docs/protocol.md 6).
pub fn restore<S: Sink, F>(
    sink: &mut S,
    entry: &SinkEntry,
    beyond: bool,
    accept_duplicates: bool,
    fence: impl FnOnce() -> Result<(), F>,
) -> Result<(), RestoreError<S::Error, F>> {
    let found = sink.unresolved().map_err(RestoreError::Sink)?;
    if !planted(64) {
        fence().map_err(RestoreError::Fence)?;
    }
    let cut = sink.cut_back(entry).map_err(RestoreError::Sink)?;
    if cut == CutBack::Impossible && beyond && !accept_duplicates {
        return Err(RestoreError::Beyond);
    }
    let mut transactions = Transactions::restored(&entry.transactions, &found);
    resolve(sink, &mut transactions).map_err(RestoreError::Sink)
}

/// Commits and aborts what `transactions` decides.
pub fn resolve<S: Sink>(sink: &mut S, transactions: &mut Transactions) -> Result<(), S::Error> {
    while let Some(resolution) = transactions.poll() {
        match &resolution {
            Resolution::Abort(transaction) => sink.abort(transaction)?,
            Resolution::Commit(transaction) => sink.commit(transaction)?,
        }
        transactions.resolved(&resolution);
    }
    Ok(())
}

/// Why an output cannot be brought to a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RestoreError<E, F> {
    /// More may be committed than the checkpoint knows, and cannot be taken back.
    Beyond,
    /// A newer epoch was begun, or may have been. The output is as it was.
    Fence(F),
    /// The output failed.
    Sink(E),
}

impl<E: fmt::Display, F: fmt::Display> fmt::Display for RestoreError<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beyond => f.write_str(
                "results beyond the restored checkpoint may be committed already and cannot be \
                 taken back: accept duplicates explicitly to go on",
            ),
            Self::Fence(error) => error.fmt(f),
            Self::Sink(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static, F: Error + 'static> Error for RestoreError<E, F> {}

#[cfg(test)]
mod tests;
