//! An output that cannot be cut: standard output, a pipe or a device.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use indicatif::ProgressBar;

use super::lines::Lines;
use crate::failure::Failure;
use crate::output::failed;

/// What rows are written to as they are, once.
#[derive(Debug)]
pub(super) struct Stream {
    out: Out,
    name: String,
    begun: bool,
    /// What may stand on the same terminal.
    progress: ProgressBar,
}

#[derive(Debug)]
enum Out {
    Special(File),
    Stdout(io::Stdout),
}

impl Stream {
    /// Writes to standard output.
    pub(super) fn to_stdout(progress: ProgressBar) -> Self {
        let name = "standard output".to_owned();
        Self { out: Out::Stdout(io::stdout()), name, begun: false, progress }
    }

    /// Writes to a pipe or device.
    pub(super) fn to_special(path: &Path, progress: ProgressBar) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::options().write(true).open(path);
        let file = file.map_err(|error| failed(&name, error))?;
        Ok(Self { out: Out::Special(file), name, begun: false, progress })
    }

    /// Returns whether there is something other than a file at the path.
    pub(super) fn is_special(path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| !found.is_file())
    }

    /// Returns what it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Writes rows, in this run for the first time with a header.
    pub(super) fn append(&mut self, lines: &Lines, rows: Option<File>) -> Result<(), Failure> {
        let write = || {
            if !self.begun {
                self.out.write_all(&lines.header()?)?;
                self.begun = true;
            }
            if let Some(mut rows) = rows {
                copy(&mut rows, &mut self.out)?;
            }
            self.out.flush()
        };
        self.progress.clone().suspend(write).map_err(|error| failed(&self.name, error))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Special(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Special(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    io::copy(from, to).map(|_| ())
}
