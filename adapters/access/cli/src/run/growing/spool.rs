//! Rows that wait until their checkpoint is complete: a file for each transaction.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use holdwater::manifest::CheckpointId;
use tempfile::TempDir;
use xxhash_rust::xxh3::Xxh3;

use super::transaction::Transaction;
use crate::output::directory_of;

/// Files in one directory, which begin with one prefix.
///
/// A transaction is written to `PREFIXopen.rows`, synced, renamed to `PREFIXNAME.rows`, and the
/// directory synced: under its name it is whole and durable.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    from: Option<PathBuf>,
    prefix: OsString,
    /// For messages.
    name: String,
    open: Option<Open>,
    /// Removed with the job.
    _temporary: Option<TempDir>,
}

/// A transaction that rows are added to.
struct Open {
    file: File,
    length: u64,
    hash: Xxh3,
}

impl Spool {
    /// Holds rows beside the file that they are for: `.out.csv.NAME.rows`.
    pub(super) fn beside(path: &Path) -> Self {
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        Self::new(directory_of(path).to_owned(), prefix, None)
    }

    /// Holds rows in a directory of its own; reads what is not there from another one, if given.
    pub(super) fn within(directory: &Path, from: Option<PathBuf>) -> Self {
        Self { from, ..Self::new(directory.to_owned(), OsString::new(), None) }
    }

    /// Holds rows for a job that has no checkpoint to keep them for.
    pub(super) fn temporary() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        Ok(Self::new(directory.path().to_owned(), OsString::new(), Some(directory)))
    }

    fn new(directory: PathBuf, prefix: OsString, temporary: Option<TempDir>) -> Self {
        let name = format!("rows to {}", directory.display());
        Self { directory, from: None, prefix, name, open: None, _temporary: temporary }
    }

    /// Returns what it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Makes room for transactions, and drops one that was cut off.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if !self.directory.is_dir() {
            fs::create_dir(&self.directory)?;
            File::open(directory_of(&self.directory))?.sync_all()?;
        }
        remove(&self.path(OPEN))
    }

    /// Adds to the open transaction.
    pub(super) fn append(&mut self, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let file = File::create(self.path(OPEN))?;
                self.open.insert(Open { file, length: 0, hash: Xxh3::new() })
            }
        };
        open.file.write_all(text)?;
        open.hash.update(text);
        open.length += text.len() as u64;
        Ok(())
    }

    /// Makes the open transaction durable, which begins at `offset` of the output.
    pub(super) fn prepare(&mut self, id: CheckpointId, offset: u64) -> io::Result<Transaction> {
        let Some(Open { file, length, hash }) = self.open.take() else {
            return Ok(Transaction { id, offset, length: 0, hash: 0 });
        };
        let transaction = Transaction { id, offset, length, hash: hash.digest() };
        file.sync_all()?;
        fs::rename(self.path(OPEN), self.path(&transaction.to_string()))?;
        File::open(&self.directory)?.sync_all()?;
        Ok(transaction)
    }

    /// Opens a transaction; none if it has no rows, or was removed.
    pub(super) fn open(&self, transaction: &Transaction) -> io::Result<Option<File>> {
        let path = self.path(&transaction.to_string());
        let from = self.from.iter().zip(path.file_name()).map(|(from, name)| from.join(name));
        for path in std::iter::once(path.clone()).chain(from) {
            match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return opened.map(Some),
            }
        }
        Ok(None)
    }

    /// Drops a transaction; one that is gone is dropped.
    pub(super) fn remove(&self, transaction: &Transaction) -> io::Result<()> {
        remove(&self.path(&transaction.to_string()))
    }

    /// Returns every transaction that is held; none before there is a directory for them.
    pub(super) fn list(&self) -> io::Result<Vec<Transaction>> {
        let mut found = Vec::new();
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            entries => entries?,
        };
        for entry in entries {
            found.extend(self.transaction(&entry?.file_name()));
        }
        found.sort_unstable_by_key(|transaction| (transaction.id.epoch, transaction.id.checkpoint));
        Ok(found)
    }

    fn transaction(&self, file: &OsStr) -> Option<Transaction> {
        let name = file.as_encoded_bytes().strip_prefix(self.prefix.as_encoded_bytes())?;
        Transaction::parse(name.strip_suffix(ENDING.as_bytes())?)
    }

    fn path(&self, name: &str) -> PathBuf {
        let mut file = self.prefix.clone();
        file.push(name);
        file.push(ENDING);
        self.directory.join(file)
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("length", &self.length).finish_non_exhaustive()
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

const OPEN: &str = "open";
const ENDING: &str = ".rows";

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_another_directory_has_spooled_is_read_and_left_there() {
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut first = Spool::within(&other.path().join("output"), None);
        first.begin().unwrap();
        first.append(b"rows").unwrap();
        let id = CheckpointId { checkpoint: 1, epoch: 1 };
        let transaction = first.prepare(id, 0).unwrap();

        let from = Some(other.path().join("output"));
        let mut spool = Spool::within(&own.path().join("output"), from);
        assert_eq!(spool.list().unwrap(), [], "before it has begun");
        spool.begin().unwrap();
        assert_eq!(spool.list().unwrap(), []);
        spool.remove(&transaction).unwrap();
        let mut text = String::new();
        spool.open(&transaction).unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "rows");
        assert_eq!(first.list().unwrap(), [transaction]);
    }
}
