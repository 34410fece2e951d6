//! Where results go, of all processes at once.

use std::collections::{BTreeMap, BTreeSet};

use holdwater::sink::{Resolution, Transactions};

/// A record: which input it is of, and its number there.
pub(crate) type Record = (usize, u8);

/// An output that commits in two phases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    prepared: BTreeMap<Vec<u8>, Vec<Record>>,
    committed: BTreeSet<Vec<u8>>,
    visible: Vec<Record>,
    /// A transaction was to be committed that had been aborted, or the other way round.
    turned: bool,
    /// Fewer records were visible than a complete checkpoint holds.
    lacks: bool,
}

impl Output {
    pub(crate) fn prepare(&mut self, transaction: Vec<u8>, records: Vec<Record>) {
        self.prepared.insert(transaction, records);
    }

    /// Returns every transaction that is neither committed nor aborted.
    pub(crate) fn unresolved(&self) -> Vec<Vec<u8>> {
        self.prepared.keys().cloned().collect()
    }

    /// Commits and aborts what is decided; both may be asked for again.
    pub(crate) fn resolve(&mut self, transactions: &mut Transactions) {
        while let Some(resolution) = transactions.poll() {
            match &resolution {
                Resolution::Commit(name) => match self.prepared.remove(name) {
                    Some(records) => {
                        self.committed.insert(name.clone());
                        self.visible.extend(records);
                    }
                    None => self.turned |= !self.committed.contains(name),
                },
                Resolution::Abort(name) => {
                    self.prepared.remove(name);
                    self.turned |= self.committed.contains(name);
                }
            }
            transactions.resolved(&resolution);
        }
    }

    /// Takes note that so many records are to be visible now, at least.
    pub(crate) fn shows(&mut self, records: usize) {
        self.lacks |= self.visible.len() < records;
    }

    /// Returns whether records were not visible that were to be.
    pub(crate) fn lacks(&self) -> bool {
        self.lacks
    }

    /// Returns what is visible, in its order.
    pub(crate) fn visible(&self) -> &[Record] {
        &self.visible
    }

    /// Returns the names of what is committed.
    pub(crate) fn committed(&self) -> impl Iterator<Item = &[u8]> {
        self.committed.iter().map(Vec::as_slice)
    }

    /// Returns whether a transaction was resolved both ways.
    pub(crate) fn is_turned(&self) -> bool {
        self.turned
    }
}
