//! The commands that look at checkpoints: they read, and lock nothing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::{FileFormat, KeyFields, parse_key};
use crate::place;

/// What to list.
#[derive(Args, Clone, Debug)]
#[command(after_help = LIST_EXAMPLES)]
pub struct List {
    /// The directory of checkpoints, or its URL
    #[arg(value_parser = place::name, value_name = "DIR|URL")]
    pub dir: PathBuf,
    /// One JSON object per checkpoint
    #[arg(long)]
    pub json: bool,
}

/// What to verify.
#[derive(Args, Clone, Debug)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct Verify {
    /// A directory of checkpoints for all of them, or one: DIR@ID as list prints it, or a manifest
    #[arg(value_name = "DIR|CHECKPOINT")]
    pub checkpoint: String,
    /// Also decode every row and compute the digests of contents anew
    #[arg(long)]
    pub deep: bool,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// What to inspect.
#[derive(Args, Clone, Debug)]
#[command(after_help = INSPECT_EXAMPLES)]
pub struct Inspect {
    /// A directory for its newest intact checkpoint, DIR@ID as list prints it, or a manifest
    pub checkpoint: String,
    /// One JSON object, with every key group
    #[arg(long)]
    pub json: bool,
}

/// What to dump.
#[derive(Args, Clone, Debug)]
#[command(after_help = DUMP_EXAMPLES)]
pub struct Dump {
    /// A directory for its newest intact checkpoint, DIR@ID as list prints it, or a manifest
    pub checkpoint: String,
    /// The state to print, as inspect names it: NAME, or OPERATOR/NAME where two are alike
    #[arg(long, value_name = "NAME")]
    pub state: String,
    /// How rows are written
    #[arg(long, value_enum, default_value = "jsonl")]
    pub format: FileFormat,
    /// The rows of this key only: its fields, written as in a CSV line
    #[arg(long, value_parser = parse_key, value_name = "FIELD[,FIELD]")]
    pub key: Option<KeyFields>,
    /// Rows as JSON lines; what --format jsonl does
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Rows as they are stored, with windows, variants and stamps: as edit and import read them
    #[arg(long)]
    pub stored: bool,
}

/// Which rows to get.
#[derive(Args, Clone, Debug)]
#[command(after_help = GET_EXAMPLES)]
pub struct Get {
    /// A directory for its newest intact checkpoint, DIR@ID as list prints it, or a manifest; or
    /// http://HOST:PORT where a job or serve answers, in builds with --features serve
    #[arg(value_name = "CHECKPOINT|URL")]
    pub checkpoint: String,
    /// The state to look in, as inspect names it: NAME, or OPERATOR/NAME where two are alike
    #[arg(long, value_name = "NAME")]
    pub state: String,
    /// The key: its fields, written as in a CSV line
    #[arg(long, value_parser = parse_key, value_name = "FIELD[,FIELD]")]
    pub key: KeyFields,
    /// The window that begins at this time only, where the state has windows
    #[arg(long, value_name = "START")]
    pub window: Option<String>,
    /// What a map holds under this key of its own only; of a set whether it has this member
    #[arg(long, value_name = "KEY")]
    pub map_key: Option<String>,
    /// Rows as JSON lines, as they are without it
    #[arg(long)]
    pub json: bool,
    /// What the running job holds now, in no checkpoint yet; of a server beside one, run --serve
    #[arg(long)]
    pub live: bool,
    /// A file with the token that a server expects
    #[arg(long, value_name = "PATH")]
    pub token_file: Option<PathBuf>,
}

/// What to make a savepoint of.
#[derive(Args, Clone, Debug)]
#[command(after_help = SAVEPOINT_EXAMPLES)]
pub struct Savepoint {
    /// A directory for its newest intact checkpoint, DIR@ID as list prints it, or a manifest
    pub checkpoint: String,
    /// The directory to make, or a URL with nothing below it: it must not be there yet
    pub out: PathBuf,
}

/// What to remove.
#[derive(Args, Clone, Debug)]
#[command(after_help = REMOVE_EXAMPLES)]
pub struct Remove {
    /// DIR@ID as list prints it, or a manifest; not the one that a job would go on from
    pub checkpoint: String,
}

/// Where to remove what nothing needs.
#[derive(Args, Clone, Debug)]
#[command(after_help = GC_EXAMPLES)]
pub struct Gc {
    /// The directory of checkpoints, which no job uses now; at a URL a job may go on
    #[arg(value_parser = place::name, value_name = "DIR|URL")]
    pub dir: PathBuf,
    /// Only show what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// Which completions to print.
#[derive(Args, Clone, Debug)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: KnownShell,
}

/// A shell that completions are printed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum KnownShell {
    /// GNU Bourne-Again SHell
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

impl From<KnownShell> for Shell {
    fn from(shell: KnownShell) -> Self {
        match shell {
            KnownShell::Bash => Self::Bash,
            KnownShell::Zsh => Self::Zsh,
            KnownShell::Fish => Self::Fish,
        }
    }
}

const LIST_EXAMPLES: &str = "\
Examples:
    holdwater list checkpoints
    holdwater list checkpoints --json";

const VERIFY_EXAMPLES: &str = "\
Examples:
  Every checkpoint of a directory, block by block:
    holdwater verify checkpoints

  One of them, down to its rows:
    holdwater verify checkpoints@7.e2 --deep

Exit codes: 0 all is intact, 1 not readable, 2 usage, 3 something is damaged.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  The newest intact checkpoint:
    holdwater inspect checkpoints

  One that list prints, for a program to read:
    holdwater inspect checkpoints@7.e2 --json";

const DUMP_EXAMPLES: &str = "\
Examples:
  A state as JSON lines:
    holdwater dump checkpoints --state mean:delay

  As CSV, of an older checkpoint:
    holdwater dump checkpoints@7.e2 --state count --format csv

  One key of two fields:
    holdwater dump checkpoints --state count --key SFO,JFK

  To be changed, and imported again:
    holdwater dump checkpoints --state count --stored > rows.jsonl";

const GET_EXAMPLES: &str = "\
Examples:
  What a state holds of a key, a line for each of its windows:
    holdwater get checkpoints --state count --key ATL

  In one window:
    holdwater get checkpoints --state count --key ATL --window 2001-01-03

  Of a job that runs with --serve, or a server:
    holdwater get http://127.0.0.1:7411 --state count --key ATL

  What the job holds now, which no checkpoint has yet:
    holdwater get http://127.0.0.1:7411 --state count --key ATL --live

Only the parts of the key's group are read. Exit codes: 0 found, 1 no such key or not readable,
2 usage, 3 something is damaged.";

const SAVEPOINT_EXAMPLES: &str = "\
Examples:
  Keep the newest intact checkpoint, whatever becomes of its directory:
    holdwater savepoint checkpoints before-upgrade

  Start a job from it:
    holdwater run --checkpoints new --from before-upgrade ...";

const REMOVE_EXAMPLES: &str = "\
Examples:
  A checkpoint of a lineage that is over:
    holdwater remove checkpoints@7.e2

What another checkpoint of the directory names stays.";

const GC_EXAMPLES: &str = "\
Examples:
  See what a job that was killed has left behind, then remove it:
    holdwater gc checkpoints --dry-run
    holdwater gc checkpoints

A job removes it too, with its next checkpoint.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
    holdwater completions bash > ~/.local/share/bash-completion/completions/holdwater
    holdwater completions zsh > ~/.zfunc/_holdwater
    holdwater completions fish > ~/.config/fish/completions/holdwater.fish";
