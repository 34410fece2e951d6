//! The lock between processes: this test starts itself as the other one.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use holdwater_files::{Files, LockError};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, io};
use tempfile::TempDir;

#[test]
fn the_lock_of_a_process_is_free_when_the_process_is_killed() {
    if let Some(directory) = env::var_os(DIRECTORY) {
        return hold(Path::new(&directory));
    }
    let place = TempDir::new().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("the_lock_of_a_process_is_free_when_the_process_is_killed")
        .env(DIRECTORY, place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().ends_with(LOCKED)), "the child has no lock");

    let files = Files::open(place.path()).unwrap();
    assert!(matches!(files.lock(), Err(LockError::Busy { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(files.lock().unwrap());
}

/// Locks the directory and keeps the lock until this process is killed.
fn hold(directory: &Path) {
    let _lock = Files::open(directory).unwrap().lock().unwrap();
    println!("{LOCKED}");
    // Ends with the process that started this one, should that fail before it kills.
    io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
}

const DIRECTORY: &str = "HOLDWATER_LOCK_DIRECTORY";
const LOCKED: &str = "locked";
