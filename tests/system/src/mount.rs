//! What it takes to mount a file system that one test alone sees.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Returns the arguments by which `unshare` gives a process mounts of its own: as root, or as an
/// ordinary user where the kernel lets users be root among themselves.
///
/// `None` where neither is allowed. Tests that need it are left out then, and say so; with
/// `HOLDWATER_NO_SKIP` in the environment they fail, so that nobody takes them for passed.
pub fn rights() -> Option<&'static [&'static str]> {
    static RIGHTS: OnceLock<Option<&[&str]>> = OnceLock::new();
    let rights = *RIGHTS.get_or_init(|| {
        [&["--mount"][..], &["--map-root-user", "--mount"]]
            .into_iter()
            .find(|rights| suffice(rights))
    });
    if rights.is_none() {
        assert!(env::var_os("HOLDWATER_NO_SKIP").is_none(), "{LACKING}");
        // Not by a macro: what those print is shown for tests that fail.
        let _ = writeln!(io::stderr(), "skipped: {LACKING}");
    }
    rights
}

fn suffice(rights: &[&str]) -> bool {
    let mut command = Command::new("unshare");
    command.args(rights).args(["mount", "-t", "tmpfs", "none", "/mnt"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|ended| ended.success())
}

const LACKING: &str = "the right to mount a file system is lacking, run as root";
