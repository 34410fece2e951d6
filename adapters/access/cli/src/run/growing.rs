//! The output of a job with windows: it grows with each completed checkpoint (docs/protocol.md 9).

mod file;
mod lines;
mod spool;
mod stream;
mod transaction;

#[cfg(test)]
mod tests;

use std::path::Path;

use holdwater::manifest::{CheckpointId, SinkEntry};
use holdwater::sink::{CutBack, Sink};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use self::file::{GrowingFile, Written};
use self::lines::Lines;
use self::spool::Spool;
use self::stream::Stream;
use self::transaction::Transaction;
use super::operator::ResultRow;
use crate::arguments::{Format, Run};
use crate::checkpoint::find;
use crate::failure::Failure;
use crate::output::{Audience, failed};
use crate::place::is_url;

/// Where rows go once their checkpoint is complete.
///
/// The rows of a transaction are ordered by the ends of their windows, then by their starts, then
/// by their keys.
#[derive(Debug)]
pub(super) struct Growing {
    target: Target,
    lines: Lines,
    spool: Spool,
    /// Rows of the open transaction that are not in the spool yet.
    rows: Vec<ResultRow>,
    /// How many of them are held, and ordered among each other.
    rows_max: usize,
    /// How long the output is once all that is prepared is committed.
    end: u64,
    /// Whether this run has prepared a transaction.
    prepared: bool,
}

#[derive(Debug)]
enum Target {
    File(GrowingFile),
    Stream(Stream),
}

/// What a checkpoint knows of the output.
#[derive(Debug, Deserialize, Serialize)]
enum Committed {
    File(Written),
    Stream,
}

impl Growing {
    /// Prepares the output that `run` asks for; nothing is written yet. The line of progress makes
    /// way for what is.
    pub(super) fn new(run: &Run, progress: ProgressBar) -> Result<Self, Failure> {
        let format = |path: &Path| Some(run.output_format(path));
        match &run.output {
            Some(path) if Stream::is_special(path) => {
                let stream = Stream::to_special(path, progress)?;
                Self::streaming(stream, format(path), run)
            }
            Some(path) => {
                let file = GrowingFile::new(path);
                let spool = Spool::beside(file.path());
                Ok(Self::of(Target::File(file), format(path), spool, run))
            }
            None => {
                let format = match Audience::of_stdout() {
                    Audience::Person => run.format_out,
                    Audience::Program => run.format_out.or(Some(Format::Csv)),
                };
                Self::streaming(Stream::to_stdout(progress), format, run)
            }
        }
    }

    /// Returns whether rows that were written stay written, whatever becomes of the job.
    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.target, Target::Stream(_))
    }

    fn streaming(stream: Stream, format: Option<Format>, run: &Run) -> Result<Self, Failure> {
        let spool = match &run.checkpoints {
            Some(place) => {
                // What a checkpoint of another directory has spooled lies there.
                let from = run.from.as_deref().and_then(|from| find(from).ok());
                let from = from.map(|found| found.files.name().join(SPOOL));
                Spool::within(&spool_in(place, run)?.join(SPOOL), from)
            }
            None => Spool::temporary().map_err(|error| failed(stream.name(), error))?,
        };
        Ok(Self::of(Target::Stream(stream), format, spool, run))
    }

    fn of(target: Target, format: Option<Format>, spool: Spool, run: &Run) -> Self {
        let lines = Lines::new(format, &run.columns(), run.agg.len());
        Self { target, lines, spool, rows: Vec::new(), rows_max: ROWS_MAX, end: 0, prepared: false }
    }

    /// Moves the rows of the open transaction into the spool.
    fn spill(&mut self) -> Result<(), Failure> {
        let spooled = self.lines.encode(&mut self.rows).and_then(|text| self.spool.append(&text));
        spooled.map_err(|error| failed(self.spool.name(), error))
    }

    /// Returns a transaction by its name.
    fn named(&self, name: &[u8]) -> Result<Transaction, Failure> {
        Transaction::parse(name).ok_or_else(|| {
            Failure::Corrupt("a transaction of the output in the checkpoint has no name".to_owned())
        })
    }

    fn cut_file(&mut self, entry: &SinkEntry) -> Result<(), Failure> {
        let Target::File(file) = &mut self.target else { return Ok(()) };
        if entry.committed.is_empty() {
            self.end = file.begin(&self.lines)?;
            return Ok(());
        }
        let Committed::File(written) = decode(&entry.committed)? else {
            return Err(Failure::Data(format!(
                "the rows up to the checkpoint went to a stream, not to {}; give no --output, or \
                 --fresh to start anew",
                file.name()
            )));
        };
        let transactions = entry.transactions.iter();
        let parsed = transactions.map(|name| self.named(name)).collect::<Result<Vec<_>, _>>()?;
        let Target::File(file) = &mut self.target else { return Ok(()) };
        self.end = file.resume(written, &parsed, &self.spool, &mut self.lines)?;
        Ok(())
    }
}

impl Sink for Growing {
    type Batch = Vec<ResultRow>;
    type Error = Failure;

    fn write(&mut self, batch: &Vec<ResultRow>) -> Result<(), Failure> {
        self.rows.extend_from_slice(batch);
        if self.rows.len() >= self.rows_max { self.spill() } else { Ok(()) }
    }

    fn prepare(&mut self, id: CheckpointId) -> Result<Vec<u8>, Failure> {
        self.spill()?;
        let prepared = self.lines.release().and_then(|text| self.spool.append(&text));
        let prepared = prepared.and_then(|()| self.spool.prepare(id, self.end));
        let transaction = prepared.map_err(|error| failed(self.spool.name(), error))?;
        (self.end, self.prepared) = (transaction.end(), true);
        Ok(transaction.to_string().into_bytes())
    }

    fn commit(&mut self, name: &[u8]) -> Result<(), Failure> {
        let transaction = self.named(name)?;
        let spooled = self.spool.open(&transaction);
        let spooled = spooled.map_err(|error| failed(self.spool.name(), error))?;
        match (&mut self.target, spooled) {
            (Target::File(file), Some(rows)) => file.append(&transaction, rows)?,
            (Target::Stream(stream), Some(rows)) => stream.append(&self.lines, Some(rows))?,
            // A header at least.
            (Target::Stream(stream), None) if self.prepared => stream.append(&self.lines, None)?,
            // It has no rows, or they are there since before: only then is it removed.
            _ => return Ok(()),
        }
        self.spool.remove(&transaction).map_err(|error| failed(self.spool.name(), error))
    }

    fn abort(&mut self, name: &[u8]) -> Result<(), Failure> {
        let transaction = self.named(name)?;
        self.spool.remove(&transaction).map_err(|error| failed(self.spool.name(), error))
    }

    fn unresolved(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let found = self.spool.list().map_err(|error| failed(self.spool.name(), error))?;
        Ok(found.iter().map(|transaction| transaction.to_string().into_bytes()).collect())
    }

    fn committed(&self) -> Vec<u8> {
        let committed = match &self.target {
            Target::File(file) => Committed::File(file.written(&self.lines)),
            Target::Stream(_) => Committed::Stream,
        };
        postcard::to_allocvec(&committed).expect("what is written has an encoding")
    }

    fn cut_back(&mut self, entry: &SinkEntry) -> Result<CutBack, Failure> {
        self.spool.begin().map_err(|error| failed(self.spool.name(), error))?;
        if !self.is_stream() {
            self.cut_file(entry)?;
            return Ok(CutBack::Done);
        }
        match &*entry.committed {
            [] => Ok(CutBack::Done),
            bytes => match decode(bytes)? {
                Committed::Stream => Ok(CutBack::Impossible),
                Committed::File(_) => Err(Failure::Data(
                    "the rows up to the checkpoint went to a file; give it as --output again, or \
                     --fresh to start anew"
                        .to_owned(),
                )),
            },
        }
    }
}

/// Returns the directory that rows to a stream wait in. An object store is none: there it is one
/// that must stay as long as the checkpoints do, so somebody has to choose it.
fn spool_in<'r>(place: &'r Path, run: &'r Run) -> Result<&'r Path, Failure> {
    if !is_url(place) {
        return Ok(place);
    }
    run.state_dir.as_deref().ok_or_else(|| {
        Failure::Usage(format!(
            "rows for a stream wait in a directory until their checkpoint is complete, and {} is \
             none; give --output PATH, or a --state-dir that stays",
            place.display()
        ))
    })
}

fn decode(committed: &[u8]) -> Result<Committed, Failure> {
    postcard::from_bytes(committed).map_err(|_| {
        Failure::Corrupt("what the checkpoint knows of the output is malformed".to_owned())
    })
}

/// The folder in a directory of checkpoints where rows wait to be written to a stream.
const SPOOL: &str = "output";

/// Some 50 MB of usual rows.
const ROWS_MAX: usize = 1 << 18;
