//! An output that can be cut: a file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::lines::Lines;
use super::spool::Spool;
use super::transaction::Transaction;
use crate::failure::Failure;
use crate::output::{directory_of, failed, temporary_beside};

/// A file that begins as a header and grows by whole transactions.
#[derive(Debug)]
pub(super) struct GrowingFile {
    path: PathBuf,
    name: String,
    /// How much of it is committed, and the hash of what lies just before that.
    length: u64,
    hash: u64,
}

/// What a checkpoint knows of the file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Written {
    /// How much of it is committed.
    length: u64,
    /// The XXH3-64 of the 64 KiB before that.
    hash: u64,
    /// Whether it is JSON lines, not CSV.
    jsonl: bool,
    /// Its SPECs, in its order.
    specs: Vec<String>,
}

impl GrowingFile {
    /// Names the file; through a link the one that it leads to.
    pub(super) fn new(path: &Path) -> Self {
        let name = path.display().to_string();
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Self { path, name, length: 0, hash: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Puts a file in place that is a header alone; returns its length.
    pub(super) fn begin(&mut self, lines: &Lines) -> Result<u64, Failure> {
        let begin = || {
            let header = lines.header()?;
            let mut file = temporary_beside(&self.path)?;
            file.write_all(&header)?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            File::open(directory_of(&self.path))?.sync_all()?;
            Ok(header.len() as u64)
        };
        let length = begin().map_err(|error| failed(&self.name, error))?;
        self.commit(length).map_err(|error| failed(&self.name, error))?;
        Ok(length)
    }

    /// Cuts the file to what the checkpoint knows: what was committed, and those of its
    /// transactions that are in the file already. Returns how long it is with all of them.
    pub(super) fn resume(
        &mut self,
        written: Written,
        transactions: &[Transaction],
        spool: &Spool,
        lines: &mut Lines,
    ) -> Result<u64, Failure> {
        if written.jsonl != lines.shape().0 {
            let format = if written.jsonl { "jsonl" } else { "csv" };
            let name = &self.name;
            return Err(Failure::Data(format!(
                "{name} was begun as {format}; give --format-out {format}"
            )));
        }
        if !lines.reorder(&written.specs) {
            return Err(self.unlike("has other columns"));
        }
        let file = File::options().read(true).write(true).open(&self.path);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.unlike("is not there"));
            }
            file => file.map_err(|error| failed(&self.name, error))?,
        };
        let cut = self.cut(&file, &written, transactions, spool);
        cut.map_err(|error| failed(&self.name, error))??;
        Ok(transactions.last().map_or(self.length, Transaction::end))
    }

    fn cut(
        &mut self,
        file: &File,
        written: &Written,
        transactions: &[Transaction],
        spool: &Spool,
    ) -> io::Result<Result<(), Failure>> {
        let (found, mut length) = (file.metadata()?.len(), written.length);
        if found < length {
            let what = format!("has {found} bytes, of {length} that were written");
            return Ok(Err(self.unlike(&what)));
        }
        if tail_hash(file, length)? != written.hash {
            return Ok(Err(self.unlike(&format!("has changed before byte {length}"))));
        }
        for transaction in transactions {
            // What is spooled yet may be here in part.
            if transaction.length > 0 && spool.open(transaction)?.is_some() {
                break;
            }
            let end = transaction.end();
            if found < end {
                let what = format!("has {found} bytes, of {end} that were written");
                return Ok(Err(self.unlike(&what)));
            }
            if transaction.length > 0 && hash(file, transaction.offset, end)? != transaction.hash {
                return Ok(Err(self.unlike(&format!("has changed before byte {end}"))));
            }
            length = end;
        }
        file.set_len(length)?;
        file.sync_all()?;
        self.commit(length)?;
        Ok(Ok(()))
    }

    /// Puts the rows of a transaction in their place.
    pub(super) fn append(
        &mut self,
        transaction: &Transaction,
        mut rows: File,
    ) -> Result<(), Failure> {
        let mut append = || {
            let mut file = File::options().write(true).open(&self.path)?;
            let found = file.metadata()?.len();
            if found < transaction.offset {
                return Ok(Some(found));
            }
            file.set_len(transaction.offset)?;
            file.seek(SeekFrom::Start(transaction.offset))?;
            io::copy(&mut rows, &mut file)?;
            file.sync_all()?;
            Ok(None)
        };
        if let Some(found) = append().map_err(|error| failed(&self.name, error))? {
            let wanted = transaction.offset;
            return Err(self.unlike(&format!("has {found} bytes, of {wanted} that were written")));
        }
        self.commit(transaction.end()).map_err(|error| failed(&self.name, error))
    }

    /// Returns what a checkpoint is to know of the file.
    pub(super) fn written(&self, lines: &Lines) -> Written {
        let (jsonl, specs) = lines.shape();
        Written { length: self.length, hash: self.hash, jsonl, specs: specs.to_vec() }
    }

    fn commit(&mut self, length: u64) -> io::Result<()> {
        self.hash = tail_hash(&File::open(&self.path)?, length)?;
        self.length = length;
        Ok(())
    }

    fn unlike(&self, how: &str) -> Failure {
        Failure::Data(format!(
            "{} {how}; put back the output that goes with the checkpoint, or give --fresh to start \
             anew",
            self.name
        ))
    }
}

/// Returns the XXH3-64 of the last 64 KiB before `end`, or of all if they are less.
fn tail_hash(file: &File, end: u64) -> io::Result<u64> {
    hash(file, end.saturating_sub(TAIL), end)
}

fn hash(mut file: &File, start: u64, end: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(start))?;
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; TAIL as usize]);
    let mut rest = file.take(end.saturating_sub(start));
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(hash.digest()),
            Ok(read) => hash.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// How many bytes before its end say that a file is the one that was written.
const TAIL: u64 = 64 << 10;
