//! The system outside that the job writes to: it keeps transactions, whatever becomes of the job.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::sink::{CutBack, Sink};

use crate::random::{Chance, Random, Stream};

/// What the job gives out for one record.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Row {
    /// The source of the record.
    pub source: usize,
    /// Its place in the source.
    pub offset: u32,
    /// What the operator made of it.
    pub value: i64,
}

/// What an output permits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum OutputKind {
    /// What is committed has been given away.
    Given,
    /// What is committed can be cut back.
    Log,
}

/// A transactional output.
#[derive(Clone, Debug)]
pub struct Output {
    kind: OutputKind,
    /// The transactions that are not committed, with what was written to them.
    transactions: BTreeMap<Vec<u8>, Vec<Row>>,
    /// Those that are committed, in that order.
    committed: Vec<(Vec<u8>, Vec<Row>)>,
    /// The transaction that the running job writes to.
    open: Option<Vec<u8>>,
    /// What was committed since somebody looked.
    commits: Vec<Vec<u8>>,
    begun: u64,
    /// Decides what fails.
    pub random: Random,
    /// How often preparing or committing fails.
    pub faults: Chance,
}

/// A step of the output failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutputFailed;

impl fmt::Display for OutputFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the output does not answer")
    }
}

impl Error for OutputFailed {}

impl Output {
    /// Returns an empty output. `random` decides what fails.
    pub fn new(kind: OutputKind, random: Random, faults: Chance) -> Self {
        Self {
            kind,
            transactions: BTreeMap::new(),
            committed: Vec::new(),
            open: None,
            commits: Vec::new(),
            begun: 0,
            random,
            faults,
        }
    }

    /// Takes note that the job is gone: its open transaction stays, and nobody writes to it.
    pub fn disconnect(&mut self) {
        self.open = None;
    }

    /// Returns every row that is committed.
    pub fn committed_rows(&self) -> impl Iterator<Item = Row> {
        self.committed.iter().flat_map(|(_, rows)| rows).copied()
    }

    /// Returns the names of the committed transactions, oldest first.
    pub fn committed_names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.committed.iter().map(|(name, _)| &name[..])
    }

    /// Returns the rows of a transaction, committed or not.
    pub fn rows(&self, name: &[u8]) -> Option<&[Row]> {
        let committed = self.committed.iter().find(|(committed, _)| committed == name);
        committed
            .map(|(_, rows)| rows)
            .or_else(|| self.transactions.get(name))
            .map(|rows| &rows[..])
    }

    /// Returns the transactions that are neither committed nor aborted nor being written.
    pub fn dangling(&self) -> impl Iterator<Item = &[u8]> {
        let open = self.open.as_ref();
        self.transactions.keys().filter(move |name| Some(*name) != open).map(|name| &name[..])
    }

    /// Returns what was committed since the last call.
    pub fn take_commits(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.commits)
    }

    fn fails(&mut self) -> bool {
        self.random.happens(Stream::Outputs, self.faults)
    }
}

impl Sink for Output {
    type Batch = Vec<Row>;
    type Error = OutputFailed;

    fn write(&mut self, batch: &Vec<Row>) -> Result<(), OutputFailed> {
        let name = self.open.get_or_insert_with(|| {
            self.begun += 1;
            self.begun.to_string().into_bytes()
        });
        self.transactions.entry(name.clone()).or_default().extend_from_slice(batch);
        Ok(())
    }

    fn prepare(&mut self, _id: CheckpointId) -> Result<Vec<u8>, OutputFailed> {
        if self.fails() {
            return Err(OutputFailed);
        }
        // Also where nothing was written: a transaction may be empty.
        self.write(&Vec::new())?;
        self.open.take().ok_or(OutputFailed)
    }

    fn commit(&mut self, transaction: &[u8]) -> Result<(), OutputFailed> {
        let fails = self.fails();
        // Half of the commits that seem to fail were done.
        if fails && self.random.below(Stream::Outputs, 2) == 0 {
            return Err(OutputFailed);
        }
        if let Some((name, rows)) = self.transactions.remove_entry(transaction) {
            self.commits.push(name.clone());
            self.committed.push((name, rows));
        }
        if fails { Err(OutputFailed) } else { Ok(()) }
    }

    fn abort(&mut self, transaction: &[u8]) -> Result<(), OutputFailed> {
        if self.fails() {
            return Err(OutputFailed);
        }
        self.transactions.remove(transaction);
        Ok(())
    }

    fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, OutputFailed> {
        Ok(self.dangling().map(<[u8]>::to_vec).collect())
    }

    fn committed(&self) -> Vec<u8> {
        (self.committed.len() as u64).to_le_bytes().to_vec()
    }

    fn cut_back(&mut self, entry: &SinkEntry) -> Result<CutBack, OutputFailed> {
        if self.kind == OutputKind::Given {
            return Ok(CutBack::Impossible);
        }
        let known = entry.committed.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let mut place = 0;
        self.committed.retain(|(name, _)| {
            place += 1;
            place <= known || entry.transactions.contains(name)
        });
        Ok(CutBack::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(kind: OutputKind) -> Output {
        Output::new(kind, Random::new(1), Chance::NEVER)
    }

    const fn row(offset: u32) -> Row {
        Row { source: 0, offset, value: 0 }
    }

    const ID: CheckpointId = CheckpointId { checkpoint: 1, epoch: 1 };

    #[test]
    fn a_transaction_shows_when_it_is_committed_and_only_once() {
        let mut output = output(OutputKind::Given);
        output.write(&vec![row(0)]).unwrap();
        let name = output.prepare(ID).unwrap();
        assert_eq!(output.committed_rows().count(), 0);
        output.commit(&name).unwrap();
        output.commit(&name).unwrap();
        assert_eq!(output.committed_rows().collect::<Vec<_>>(), [row(0)]);
    }

    #[test]
    fn what_a_lost_job_wrote_dangles_until_it_is_aborted() {
        let mut output = output(OutputKind::Given);
        output.write(&vec![row(0)]).unwrap();
        assert_eq!(output.dangling().count(), 0);
        output.disconnect();
        let found = output.unresolved().unwrap();
        assert_eq!(found.len(), 1);
        output.abort(&found[0]).unwrap();
        assert_eq!(output.dangling().count(), 0);
    }

    #[test]
    fn a_log_is_cut_to_what_the_checkpoint_knows() {
        let mut output = output(OutputKind::Log);
        let mut names = Vec::new();
        for offset in 0..3 {
            output.write(&vec![row(offset)]).unwrap();
            names.push(output.prepare(ID).unwrap());
            output.commit(&names[offset as usize]).unwrap();
        }
        let committed = 1_u64.to_le_bytes().to_vec();
        let name = "out".to_owned();
        let entry = SinkEntry { name, transactions: vec![names[1].clone()], committed };
        assert_eq!(output.cut_back(&entry), Ok(CutBack::Done));
        assert_eq!(output.committed_rows().collect::<Vec<_>>(), [row(0), row(1)]);
    }
}
