//! A board in QEMU, in a folder of its own.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use holdwater_bare_metal::POWER_LOST;

/// How long a start may take: some 0.1 s, if the machine has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A board.
#[derive(Debug)]
pub(crate) struct Board {
    folder: PathBuf,
    /// How long a start may take; what takes longer hangs.
    pub(crate) patience: Duration,
}

/// What became of a start.
#[derive(Debug)]
pub(crate) struct Start {
    /// The snapshot that was restored, and how many readings it holds.
    pub(crate) restored: Option<(u64, u32)>,
    /// The last one that was saved.
    pub(crate) saved: Option<(u64, u32)>,
    /// How it ended.
    pub(crate) end: End,
    /// All that it said.
    pub(crate) output: String,
}

/// How a start ended.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// With a fault, or a wrong result.
    Failed,
    /// In the middle of a program or an erase.
    PowerLost,
    /// With a right result.
    Verdict(String),
}

impl Board {
    /// Makes a board whose files are in `folder`, anew.
    pub(crate) fn new(folder: &Path) -> Result<Self, Box<dyn Error>> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), patience: PATIENCE })
    }

    /// Puts a firmware on it.
    pub(crate) fn program(&self, firmware: &[u8]) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(self.folder.join("firmware"), firmware)?)
    }

    /// Puts an image into its flash.
    pub(crate) fn put_flash(&self, image: &[u8]) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(self.folder.join("nor"), image)?)
    }

    /// Returns the image in its flash.
    pub(crate) fn flash(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(fs::read(self.folder.join("nor"))?)
    }

    /// Switches it on. The power goes after `cut` bytes that are programmed or erased.
    pub(crate) fn start(&self, cut: u32, chance: u32) -> Result<Start, Box<dyn Error>> {
        fs::write(self.folder.join("cut"), [cut.to_le_bytes(), chance.to_le_bytes()].concat())?;
        let output = self.folder.join("output");
        let child = Command::new("qemu-system-arm")
            .args(["-machine", "lm3s6965evb", "-kernel", "firmware"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(["-display", "none", "-monitor", "none", "-serial", "none"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(File::create(self.folder.join("errors"))?)
            .spawn()
            .map_err(|error| format!("qemu-system-arm: {error}: install it"))?;
        let code = self.wait(child)?;
        let output = fs::read_to_string(output)?;
        let last = |word: &str| output.lines().rev().find_map(|line| line.strip_prefix(word));
        let snapshot = |line: &str| {
            let (checkpoint, readings) = line.split_once(' ')?;
            Some((checkpoint.parse().ok()?, readings.parse().ok()?))
        };
        let verdict = last("verdict right: ");
        let end = match (code, verdict) {
            (Some(POWER_LOST), None) => End::PowerLost,
            (Some(0), Some(verdict)) => End::Verdict(verdict.to_owned()),
            _ => End::Failed,
        };
        let restored = last("restored ").and_then(snapshot);
        let saved = last("saved ").and_then(snapshot);
        Ok(Start { restored, saved, end, output })
    }

    /// Waits for the emulator; returns the code that it ends with, if it ends itself.
    fn wait(&self, mut child: Child) -> Result<Option<i32>, Box<dyn Error>> {
        let until = Instant::now() + self.patience;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code());
            }
            if Instant::now() > until {
                child.kill()?;
                return Ok(child.wait()?.code());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}
