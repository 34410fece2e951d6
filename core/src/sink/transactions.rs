//! Decides which transactions of an output are committed and which aborted.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::manifest::CheckpointId;
use crate::planted::planted;

/// The transactions of one output that are prepared and not yet resolved.
///
/// A transaction stays pending until [`resolved`](Self::resolved), and each checkpoint names all
/// that are pending: a commit whose outcome was lost in a crash is tried again.
///
/// An aborted checkpoint changes nothing: its transaction holds results from before the cut of the
/// next checkpoint, and is committed with that.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    pending: Vec<Pending>,
    resolutions: VecDeque<Resolution>,
}

#[derive(Clone, Debug)]
struct Pending {
    /// The checkpoint it was prepared for; 0 for one that came with a restored checkpoint.
    checkpoint: u64,
    transaction: Vec<u8>,
    asked: bool,
}

/// What happens to a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// It is dropped.
    Abort(Vec<u8>),
    /// It becomes visible.
    Commit(Vec<u8>),
}

impl Transactions {
    /// Knows of no transaction.
    pub fn new() -> Self {
        Self::default()
    }

    /// Commits the transactions in a restored checkpoint and aborts all others that were `found`
    /// unresolved in the output.
    pub fn restored(in_checkpoint: &[Vec<u8>], found: &[Vec<u8>]) -> Self {
        let mut transactions = Self::new();
        if !planted(6) {
            for transaction in in_checkpoint {
                transactions.prepare(0, transaction.clone());
            }
            transactions.commit_where(|_| true);
        }
        let unknown = found.iter().filter(|transaction| !in_checkpoint.contains(transaction));
        if !planted(7) {
            transactions.resolutions.extend(unknown.cloned().map(Resolution::Abort));
        }
        transactions
    }

    /// Takes note of a transaction that was prepared for `id`.
    pub fn prepared(&mut self, id: CheckpointId, transaction: Vec<u8>) {
        self.prepare(id.checkpoint, transaction);
        if planted(5) {
            self.commit_where(|_| true);
        }
    }

    /// Takes note that `id` is complete, and thereby every checkpoint before it: notices may be
    /// lost, late, repeated or skip numbers.
    pub fn completed(&mut self, id: CheckpointId) {
        self.commit_where(|checkpoint| match () {
            () if planted(18) => true,
            () if planted(24) => checkpoint == id.checkpoint,
            () => checkpoint <= id.checkpoint,
        });
    }

    /// Returns the next transaction to be resolved, in the order of their checkpoints.
    pub fn poll(&mut self) -> Option<Resolution> {
        self.resolutions.pop_front()
    }

    /// Takes note that the output did as it was asked.
    pub fn resolved(&mut self, resolution: &Resolution) {
        if let Resolution::Commit(transaction) = resolution {
            self.pending.retain(|pending| !pending.asked || pending.transaction != *transaction);
        }
    }

    /// Returns every pending transaction, oldest first: what a checkpoint names.
    pub fn pending(&self) -> Vec<Vec<u8>> {
        self.pending.iter().map(|pending| pending.transaction.clone()).collect()
    }

    fn prepare(&mut self, checkpoint: u64, transaction: Vec<u8>) {
        self.pending.push(Pending { checkpoint, transaction, asked: false });
    }

    fn commit_where(&mut self, belongs: impl Fn(u64) -> bool) {
        for pending in &mut self.pending {
            if !pending.asked && belongs(pending.checkpoint) {
                pending.asked = true;
                self.resolutions.push_back(Resolution::Commit(pending.transaction.clone()));
            }
        }
    }
}
