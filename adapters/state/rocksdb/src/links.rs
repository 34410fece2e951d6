//! The files of databases as they were at one moment: hard links, that nobody changes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use holdwater::state::{KeptFile, NativeSnapshot};
use rocksdb::checkpoint::Checkpoint;

use crate::RocksDbError;
use crate::database::Database;
use crate::route::lock;

/// The kind of store, in manifests.
pub(crate) const STORE: &str = "rocksdb";

/// What all states of a store were at one moment, in files.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) checkpoint: u64,
    pieces: Vec<(Range<u16>, Arc<Links>)>,
}

/// The files of one database at one moment.
#[derive(Debug)]
struct Links {
    checkpoint: u64,
    database: Arc<Database>,
    directory: PathBuf,
    names: Vec<String>,
    /// Where the base keeps some of them.
    base: Arc<BTreeMap<String, KeptFile>>,
    kept: Mutex<BTreeMap<usize, KeptFile>>,
}

impl Taken {
    /// Takes the files of all databases for `checkpoint`; each has the rows of some groups.
    pub(crate) fn take(
        checkpoint: u64,
        base: Option<u64>,
        databases: &[(Range<u16>, Arc<Database>)],
    ) -> Result<Self, RocksDbError> {
        let mut pieces: Vec<(Range<u16>, Arc<Links>)> = Vec::new();
        for (groups, database) in databases {
            let same = pieces.iter().find(|(_, links)| Arc::ptr_eq(&links.database, database));
            let links = match same {
                Some((_, links)) => links.clone(),
                None => Arc::new(Links::take(checkpoint, base, database)?),
            };
            pieces.push((groups.clone(), links));
        }
        Ok(Self { checkpoint, pieces })
    }
}

impl Links {
    fn take(
        checkpoint: u64,
        base: Option<u64>,
        database: &Arc<Database>,
    ) -> Result<Self, RocksDbError> {
        let directory = database.path.with_file_name(format!("checkpoint-{checkpoint}"));
        // One that failed may have left something.
        let _ = fs::remove_dir_all(&directory);
        let made =
            Checkpoint::new(&database.db).and_then(|made| made.create_checkpoint(&directory));
        made.map_err(RocksDbError::engine("take a checkpoint", &database.path))?;
        let names = names(&directory).map_err(RocksDbError::file(&directory))?;
        let (base, database) = (database.known(base), database.clone());
        Ok(Self { checkpoint, database, directory, names, base, kept: Mutex::default() })
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // What is left goes with the database.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl NativeSnapshot for Taken {
    fn store(&self) -> &str {
        STORE
    }

    fn pieces(&self) -> usize {
        self.pieces.len()
    }

    fn groups(&self, piece: usize) -> Range<u16> {
        self.pieces[piece].0.clone()
    }

    fn files(&self, piece: usize) -> usize {
        self.pieces[piece].1.names.len()
    }

    fn file(&self, piece: usize, index: usize) -> (&str, Option<KeptFile>) {
        let links = &self.pieces[piece].1;
        let name = links.names[index].as_str();
        let kept = lock(&links.kept);
        (name, kept.get(&index).or_else(|| links.base.get(name)).copied())
    }

    fn read(
        &self,
        piece: usize,
        index: usize,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, String> {
        let links = &self.pieces[piece].1;
        let path = links.directory.join(&links.names[index]);
        read_at(&path, offset, buffer).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn kept(&self, piece: usize, index: usize, file: KeptFile) {
        let links = &self.pieces[piece].1;
        lock(&links.kept).insert(index, file);
        links.database.keep(links.checkpoint, &links.names[index], file);
    }
}

fn read_at(path: &Path, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
    let (file, mut filled) = (File::open(path)?, 0);
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Returns the names of the files that a database is opened from, in order. `OPTIONS` is none of
/// them: how it is set up is said when it is opened.
fn names(directory: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !name.starts_with("OPTIONS-") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
