//! A directory of its own for each test, with files, jobs and checkpoints in it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::mount;
use crate::process::Invocation;
use crate::program::repository;
use crate::rows::Rows;

/// A directory that is removed with all that is in it when the test ends well.
///
/// The program runs in it, so that commands name files without their directory.
#[derive(Debug)]
pub struct Place {
    directory: TempDir,
}

/// A checkpoint as `list --json` shows it.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The name that `--from` takes behind `DIR@`.
    pub id: String,
    /// The epoch that took it, and its number: the newest has the greatest.
    pub order: (u64, u64),
    /// Whether its manifest can be read and its files are all there.
    pub intact: bool,
    /// All that is shown of it.
    pub shown: Value,
}

impl Place {
    /// Makes an empty place.
    #[expect(clippy::new_without_default, reason = "a place is made on the disk")]
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// Makes a place with `flights.csv` in it, and returns its rows too.
    pub fn with_flights() -> (Self, Rows) {
        let place = Self::new();
        let text = fs::read_to_string(repository().join("tests/data/flights.csv")).unwrap();
        place.write("flights.csv", &text);
        (place, Rows::from_csv(&text))
    }

    /// Returns the path of `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Adds to the end of a file.
    pub fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Reads results: JSON lines by the ending of their name, else CSV.
    pub fn rows(&self, name: &str) -> Rows {
        let text = self.read(name);
        if name.ends_with(".jsonl") { Rows::from_jsonl(&text) } else { Rows::from_csv(&text) }
    }

    /// Prepares a command; the line is split at blanks.
    pub fn holdwater(&self, line: &str) -> Invocation {
        Invocation::new(self.directory.path(), line)
    }

    /// Prepares a script of the shell, in which `"$0"` is the program.
    pub fn shell(&self, script: &str) -> Invocation {
        Invocation::shell(self.directory.path(), script)
    }

    /// Prepares a command whose output and errors go to a terminal; what that shows is the output.
    pub fn on_terminal(&self, line: &str) -> Invocation {
        // Of util-linux: it gives the command a terminal, and its input is none.
        self.shell(&format!("script --quiet --return --command \"$0 {line}\" /dev/null"))
    }

    /// Prepares a script of the shell for which `mount` is an empty file system in memory of
    /// `size`; nothing else sees it, and it goes with the script. `None`, which is told, where the
    /// right to that is lacking.
    pub fn mounted(&self, size: &str, script: &str) -> Option<Invocation> {
        let rights = mount::rights()?;
        let mount =
            format!("mkdir -p mount && mount -t tmpfs -o size={size} none mount || exit 99");
        let script = format!("{mount}\n{script}");
        Some(Invocation::shell_within("unshare", rights, self.directory.path(), &script))
    }

    /// Runs a job over `input` each time it has grown by one of so many parts of `rows`. However
    /// slow the machine is, each run ends with a checkpoint.
    #[track_caller]
    pub fn run_in_parts(&self, job: &str, input: &str, rows: &Rows, parts: usize) {
        for part in 1..=parts {
            self.write(input, &rows.first(rows.rows.len() * part / parts).to_csv());
            self.holdwater(job).succeed();
        }
    }

    /// Returns the checkpoints in `directory`, the newest last; none where it is not there yet.
    pub fn checkpoints(&self, directory: &str) -> Vec<Checkpoint> {
        if !self.path(directory).join("manifests").is_dir() {
            return Vec::new();
        }
        let listed = self.holdwater(&format!("list {directory} --json")).succeed();
        let mut found: Vec<_> = listed.stdout.lines().map(Checkpoint::read).collect();
        found.sort_by_key(|checkpoint| checkpoint.order);
        found
    }

    /// Returns the files in one area of a checkpoint directory (docs/format.md 2.1), each with the
    /// number of the checkpoint in its name.
    pub fn objects(&self, directory: &str, area: &str) -> Vec<(u64, PathBuf)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path(directory).join(area)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap();
            let number = name[1..].split('.').next().and_then(|number| number.parse().ok());
            found.push((number.unwrap(), path));
        }
        found.sort();
        found
    }

    /// Returns what is in the files of a checkpoint directory, by their paths in it.
    pub fn content(&self, directory: &str) -> BTreeMap<String, Vec<u8>> {
        let mut content = BTreeMap::new();
        for area in ["data", "epochs", "manifests"] {
            for (_, path) in self.objects(directory, area) {
                let name = path.strip_prefix(self.path(directory)).unwrap();
                content.insert(name.to_str().unwrap().to_owned(), fs::read(path).unwrap());
            }
        }
        content
    }

    /// Checks that what was in the files of a checkpoint directory still is. A run that was refused
    /// later may have added claims and records.
    #[track_caller]
    pub fn assert_kept(&self, directory: &str, before: &BTreeMap<String, Vec<u8>>) {
        let after = self.content(directory);
        for (name, bytes) in before {
            assert!(after.get(name) == Some(bytes), "{directory}/{name} is not what it was");
        }
        let added = |name: &&String| !before.contains_key(*name) && !name.starts_with("epochs/");
        assert_eq!(after.keys().find(added), None, "{directory} has what it had not");
    }
}

impl Drop for Place {
    /// Keeps what a test that failed leaves behind, and says where.
    fn drop(&mut self) {
        if thread::panicking() {
            self.directory.disable_cleanup(true);
            eprintln!("kept for inspection: {}", self.directory.path().display());
        }
    }
}

impl Checkpoint {
    fn read(line: &str) -> Self {
        let shown: Value = serde_json::from_str(line).unwrap();
        let number = |name| shown[name].as_u64().unwrap_or_else(|| panic!("{name}: {line}"));
        Self {
            id: shown["checkpoint"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned(),
            order: (number("epoch"), number("number")),
            intact: shown["intact"].as_bool().unwrap_or_else(|| panic!("{line}")),
            shown,
        }
    }
}

/// The stores that a job can be run on, in a build like that of the tests.
pub const BACKENDS: &[&str] =
    if cfg!(feature = "rocksdb") { &["heap", "mmap", "rocksdb"] } else { &["heap", "mmap"] };

/// Changes one bit in the middle of a file.
pub fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}
