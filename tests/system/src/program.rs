//! The program that is tested.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the path of `holdwater`, built by cargo once per process, in the profile and the target
/// directory of the test itself.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build)
}

/// Returns the root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns the target directory of the test itself.
pub fn target() -> PathBuf {
    // TARGET/PROFILE/deps/TEST, with the name of a platform before PROFILE where one was asked for.
    let test = env::current_exe().unwrap();
    let profile_directory = test.ancestors().nth(2).unwrap();
    profile_directory
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").exists())
        .unwrap_or_else(|| profile_directory.parent().unwrap())
        .to_owned()
}

fn build() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile_directory = test.ancestors().nth(2).unwrap();
    let profile = match profile_directory.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        name => name,
    };
    let features = [
        ("objects", cfg!(feature = "objects")),
        ("rocksdb", cfg!(feature = "rocksdb")),
        ("serve", cfg!(feature = "serve")),
        ("sql", cfg!(feature = "sql")),
    ];
    let features = features.into_iter().filter(|(_, built)| *built).map(|(feature, _)| feature);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "holdwater-cli", "--bin", "holdwater"])
        .args(["--message-format", "json-render-diagnostics", "--profile", profile])
        .args(features.flat_map(|feature| ["--features", feature]))
        .arg("--target-dir")
        .arg(target())
        .current_dir(repository())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "holdwater does not build");
    let messages = String::from_utf8(built.stdout).unwrap();
    let executable = messages.lines().rev().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executable.expect("cargo names what it built")
}
