//! The commands that compare and change checkpoints: what changes one writes a savepoint.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use holdwater_processor::reshape::Renaming;

use super::{FileFormat, KeyFields, MAX_KEY_GROUPS, parse_key};
use crate::edit::parse_set;
use crate::size::parse_size;

/// What to compare.
#[derive(Args, Clone, Debug)]
#[command(after_help = DIFF_EXAMPLES)]
pub struct Diff {
    /// The first checkpoint: a directory for its newest intact one, DIR@ID as list prints it, or a
    /// manifest
    #[arg(value_name = "A")]
    pub before: String,
    /// The second checkpoint
    #[arg(value_name = "B")]
    pub after: String,
    /// This state only, as inspect names it: NAME, or OPERATOR/NAME where two are alike
    #[arg(long, value_name = "NAME")]
    pub state: Option<String>,
    /// Each row that changed as one JSON object, before and after
    #[arg(long)]
    pub rows: bool,
    /// One JSON object per state
    #[arg(long, conflicts_with = "rows")]
    pub json: bool,
}

/// What to edit.
#[derive(Args, Clone, Debug)]
#[command(after_help = EDIT_EXAMPLES)]
#[command(group = ArgGroup::new("edits").required(true).multiple(true))]
pub struct Edit {
    /// A directory for its newest intact checkpoint, DIR@ID as list prints it, or a manifest
    pub checkpoint: String,
    /// The directory to make, or a URL with nothing below it: it must not be there yet
    pub out: PathBuf,
    /// The state to edit, as inspect names it: NAME, or OPERATOR/NAME where two are alike
    #[arg(long, value_name = "NAME")]
    pub state: String,
    /// Have a key, written as in a CSV line, hold this value, written as JSON
    #[arg(long, value_parser = parse_set, num_args = 1.., group = "edits", value_name = "KEY=VALUE")]
    pub set: Vec<(KeyFields, String)>,
    /// Remove a key, written as in a CSV line
    #[arg(long, value_parser = parse_key, num_args = 1.., group = "edits", value_name = "KEY")]
    pub delete: Vec<KeyFields>,
    /// Put each row of a file of JSON lines, as dump --stored writes them
    #[arg(long, group = "edits", value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Put each row of what a query comes to, over the checkpoint: in columns that are called as
    /// those of the state's table. In builds with --features sql
    #[arg(long, group = "edits", value_name = "QUERY")]
    pub set_from: Option<String>,
    /// Remove each key of what a query comes to: the columns of the key, and of its window
    #[arg(long, group = "edits", value_name = "QUERY")]
    pub delete_from: Option<String>,
    /// Which window --set and --delete are about: the one of the key that begins at START, or
    /// START/END
    #[arg(long, value_name = "START[/END]")]
    pub window: Option<String>,
    /// How much memory rows may take that wait for their key group; more than that waits in a file
    /// in the directory TMPDIR [default: 256MiB]
    #[arg(long, value_parser = parse_size, value_name = "SIZE")]
    pub memory_limit: Option<u64>,
}

/// What to import.
#[derive(Args, Clone, Debug)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct Import {
    /// The file of rows, as dump --stored writes them: JSON lines, CSV or Parquet
    pub rows: PathBuf,
    /// The directory to make, or a URL with nothing below it: it must not be there yet
    pub out: PathBuf,
    /// The checkpoint that says all but the rows: types, key groups, positions of inputs, other
    /// states
    #[arg(long, value_name = "CHECKPOINT")]
    pub like: String,
    /// The state that holds the rows, and none but these: NAME, or OPERATOR/NAME
    #[arg(long, value_name = "NAME")]
    pub state: String,
    /// The format of the rows [default: jsonl for .jsonl and .ndjson, parquet for .parquet, else
    /// csv]
    #[arg(long, value_enum)]
    pub format: Option<FileFormat>,
    /// How much memory rows may take that wait for their key group; more than that waits in a file
    /// in the directory TMPDIR [default: 256MiB]
    #[arg(long, value_parser = parse_size, value_name = "SIZE")]
    pub memory_limit: Option<u64>,
}

/// What to ask.
#[derive(Args, Clone, Debug)]
#[command(after_help = SQL_EXAMPLES)]
#[command(override_usage = "holdwater sql [OPTIONS] [NAME=]CHECKPOINT... QUERY")]
pub struct Sql {
    /// The checkpoints, called as said or else a, b, c..: a directory for its newest intact one,
    /// DIR@ID as list prints it, or a manifest; and the query, one statement that reads
    #[arg(required = true, num_args = 1.., value_name = "[NAME=]CHECKPOINT... QUERY")]
    pub checkpoints_and_query: Vec<String>,
    /// How rows are written [default: jsonl for an output .jsonl or .ndjson, parquet for .parquet,
    /// else csv; on a terminal a table]
    #[arg(long, value_enum)]
    pub format: Option<FileFormat>,
    /// Rows as JSON lines; what --format jsonl does
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// The file to write rows to, put in place at the end [default: standard output]
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// How much memory sorting, joining and grouping may take; more than that waits in files in the
    /// directory TMPDIR where it can
    #[arg(long, value_parser = parse_size, default_value = "512MiB", value_name = "SIZE")]
    pub memory_limit: u64,
}

/// What to spread over other key groups.
#[derive(Args, Clone, Debug)]
#[command(after_help = RESHARD_EXAMPLES)]
pub struct Reshard {
    /// A directory for its newest intact checkpoint, DIR@ID as list prints it, or a manifest
    pub checkpoint: String,
    /// The directory to make, or a URL with nothing below it: it must not be there yet
    pub out: PathBuf,
    /// How many groups keys are divided into
    #[arg(
        long,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_KEY_GROUPS)),
        value_name = "N"
    )]
    pub key_groups: u16,
}

/// What to rename.
#[derive(Args, Clone, Debug)]
#[command(after_help = RENAME_EXAMPLES)]
#[command(group = ArgGroup::new("names").required(true).multiple(true))]
pub struct Rename {
    /// A directory for its newest intact checkpoint, DIR@ID as list prints it, or a manifest
    pub checkpoint: String,
    /// The directory to make, or a URL with nothing below it: it must not be there yet
    pub out: PathBuf,
    /// Call state A B; A is OPERATOR/NAME where two are alike
    #[arg(long, value_parser = parse_renaming, group = "names", value_name = "A=B")]
    pub state: Vec<Renaming>,
    /// Call operator X Y
    #[arg(long, value_parser = parse_renaming, group = "names", value_name = "X=Y")]
    pub operator: Vec<Renaming>,
}

fn parse_renaming(text: &str) -> Result<Renaming, String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => {
            Ok(Renaming { from: from.to_owned(), to: to.to_owned() })
        }
        _ => Err("expected OLD=NEW".to_owned()),
    }
}

const DIFF_EXAMPLES: &str = "\
Examples:
  How many rows of each state changed between two checkpoints of a job:
    holdwater diff checkpoints@7.e2 checkpoints@8.e2

  Which, of one state:
    holdwater diff before-upgrade checkpoints --state count --rows

Key groups and parallelism of the two may differ.";

const EDIT_EXAMPLES: &str = "\
Examples:
  Correct a count and forget a key:
    holdwater edit checkpoints corrected --state count --set ATL=7 --delete JFK

  Put rows that were dumped and changed:
    holdwater dump checkpoints --state count --stored > rows.jsonl
    holdwater edit checkpoints corrected --state count --from rows.jsonl

  Put and remove what a query finds:
    holdwater edit checkpoints corrected --state count \\
        --set-from 'select origin, value + 1 as value from count where value > 1000' \\
        --delete-from 'select origin from count where value < 2'

  Start the job from it:
    holdwater run --checkpoints new --from corrected ...";

const IMPORT_EXAMPLES: &str = "\
Examples:
  Have a state hold what a file says, and nothing else:
    holdwater dump checkpoints --state count --stored > rows.jsonl
    holdwater import rows.jsonl imported --like checkpoints --state count

  Start the job from it:
    holdwater run --checkpoints new --from imported ...";

const SQL_EXAMPLES: &str = "\
Each state is a table, called as inspect names it: aggregate/count is count, mean:delay is
mean_delay or \"mean:delay\". Its columns are the fields of the key, window_start and window_end
where it has windows, and value. What a checkpoint consists of is in meta.checkpoints,
meta.operators, meta.states, meta.key_groups and meta.files.

Examples:
  The largest counts:
    holdwater sql checkpoints 'select origin, value from count order by value desc limit 10'

  One key, of which one key group is read:
    holdwater sql checkpoints \"select * from count where origin = 'ATL'\"

  What changed between two checkpoints:
    holdwater sql checkpoints@7.e2 checkpoints@8.e2 \"select coalesce(x.origin, y.origin), x.value, y.value
      from a.count x full join b.count y on x.origin = y.origin
      where x.value is distinct from y.value\"

In builds with --features sql.";

const RESHARD_EXAMPLES: &str = "\
Examples:
  Let a job run with more subtasks than it has key groups:
    holdwater reshard checkpoints wider --key-groups 1024
    holdwater run --checkpoints new --from wider ...";

const RENAME_EXAMPLES: &str = "\
Examples:
  Follow a program whose states are called otherwise now:
    holdwater rename checkpoints renamed --state count=flights --operator aggregate=per-origin";
