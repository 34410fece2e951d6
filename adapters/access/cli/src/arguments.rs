//! The commands and their flags.

mod engine;
mod format;
mod processor;
mod serve;
mod tools;
mod windows;

pub use engine::{Engine, Workers};
pub use format::{FileFormat, Format};
pub use processor::{Diff, Edit, Import, Rename, Reshard, Sql};
pub use serve::{Beside, Serve};
pub use tools::{Completions, Dump, Gc, Get, Inspect, KnownShell, List, Remove, Savepoint, Verify};
pub use windows::Windows;

use std::ffi::OsString;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::styling::Styles;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, ColorChoice, CommandFactory, Parser, Subcommand, ValueEnum};
use holdwater_any::Store;

use crate::duration::{Every, parse_duration};
use crate::failure::Failure;
use crate::place;
use crate::size::parse_size;
use crate::spec::Spec;

/// Stream state that holds water: compute per key over files and pipes, exactly once, across
/// crashes.
#[derive(Debug, Parser)]
#[command(name = "holdwater", version, color = ColorChoice::Auto, styles = Styles::plain())]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Compute SPECs per key over inputs, with checkpoints to resume from
    Run(Box<Run>),
    /// List the checkpoints of a directory
    List(List),
    /// Read checkpoints whole and name what is damaged
    Verify(Verify),
    /// Show what a checkpoint consists of
    Inspect(Inspect),
    /// Print the rows of a state of a checkpoint
    Dump(Dump),
    /// Print what a state of a checkpoint holds of one key
    Get(Get),
    /// Answer over HTTP what the newest checkpoint holds, while a job goes on or without one
    Serve(Serve),
    /// Show what changed from one checkpoint to another
    Diff(Diff),
    /// Ask checkpoints in SQL, in builds with --features sql
    Sql(Sql),
    /// Copy a checkpoint to a directory of its own that needs no other
    Savepoint(Savepoint),
    /// Put and remove rows of a state, as a savepoint that a job starts from
    Edit(Edit),
    /// Fill a state with the rows of a file, as a savepoint that a job starts from
    Import(Import),
    /// Spread keys over another number of key groups, as a savepoint
    Reshard(Reshard),
    /// Give states and operators other names, as a savepoint
    Rename(Rename),
    /// Remove a checkpoint, and what no other needs
    Remove(Remove),
    /// Remove what no checkpoint of a directory needs
    Gc(Gc),
    /// Print the completions for a shell
    Completions(Completions),
}

/// A job as the command line describes it.
#[derive(Args, Clone, Debug)]
#[command(after_help = RUN_EXAMPLES)]
pub struct Run {
    /// A file of records, or - for standard input; may be given several times
    #[arg(long, required = true, value_name = "PATH|-", help_heading = "Input")]
    pub input: Vec<PathBuf>,
    /// The format of all inputs [default: jsonl for .jsonl and .ndjson, else csv]
    #[arg(long, value_enum, help_heading = "Input")]
    pub format: Option<Format>,
    /// What a bad row does: a wrong number of cells, text where a number is needed, no UTF-8
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help_heading = "Input")]
    pub bad_rows: BadRows,
    /// At most so many rows per second, all inputs together
    #[arg(long, value_name = "ROWS_PER_S", help_heading = "Input")]
    pub rate: Option<NonZeroU64>,

    /// The fields that make up the key, written as in a CSV line
    #[arg(long, value_parser = parse_key, value_name = "FIELD[,FIELD]", help_heading = "Job")]
    pub key: KeyFields,
    /// What to compute: count, sum:F, min:F, max:F, mean:F, last:F, distinct:F or collect:F
    #[arg(
        long,
        required = true,
        num_args = 1..,
        action = ArgAction::Append,
        value_name = "SPEC",
        help_heading = "Job"
    )]
    pub agg: Vec<Spec>,
    /// Forget a key of which no row came for so long, such as 7d: it has no row in the results, and
    /// begins anew if one comes; values of distinct and collect are forgotten each by itself. By
    /// the clock; with --time by the watermark, within each window
    #[arg(long, value_parser = parse_duration, value_name = "TIME", help_heading = "Job")]
    pub ttl: Option<Duration>,

    /// When, and in which windows of time, rows count.
    #[command(flatten)]
    pub windows: Windows,

    /// The file to write results to, put in place at the end; with windows it grows with each
    /// checkpoint [default: standard output]
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// The format of results [default: jsonl for an output .jsonl or .ndjson, else csv; on a
    /// terminal a table]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub format_out: Option<Format>,
    /// Whether a line on standard error shows how far the job is
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Output")]
    pub progress: Progress,

    /// The directory of checkpoints, or in builds with object stores s3://bucket/path,
    /// gs://bucket/path or az://container/path; a job that finds its own there resumes from them
    #[arg(long, value_parser = place::name, value_name = "DIR|URL", help_heading = "Checkpoints")]
    pub checkpoints: Option<PathBuf>,
    /// How often a checkpoint is taken: 10000rows, 5s
    #[arg(long, default_value = "10s", value_name = "ROWS|TIME", help_heading = "Checkpoints")]
    pub checkpoint_every: Every,
    /// How many of the newest checkpoints are kept
    #[arg(long, default_value = "3", value_name = "N", help_heading = "Checkpoints")]
    pub retain: NonZeroUsize,
    /// Every so many checkpoints one is written in full, the others hold what changed
    #[arg(long, default_value = "10", value_name = "N", help_heading = "Checkpoints")]
    pub full_every: NonZeroU32,
    /// Write every part of a checkpoint before the next record, for debugging
    #[arg(long, help_heading = "Checkpoints")]
    pub sync_snapshots: bool,
    /// With --backend rocksdb: keep its files as they are, and write none of them twice. Only
    /// rocksdb resumes from such checkpoints; a savepoint (SIGUSR1) is for any store
    #[arg(long, requires = "checkpoints", help_heading = "Checkpoints")]
    pub native_checkpoints: bool,
    /// Start from this checkpoint: a directory, DIR@ID as list prints it, or a manifest
    #[arg(
        long,
        value_name = "CHECKPOINT",
        requires = "checkpoints",
        conflicts_with = "fresh",
        help_heading = "Checkpoints"
    )]
    pub from: Option<String>,
    /// Start anew beside the checkpoints that are there; they are kept but never resumed
    #[arg(long, help_heading = "Checkpoints")]
    pub fresh: bool,
    /// How often a row counts after a crash: exactly once, or at least once and faster
    #[arg(long, value_enum, default_value_t, value_name = "WHICH", help_heading = "Checkpoints")]
    pub guarantee: Guarantee,

    /// What holds the state: heap in memory; mmap and rocksdb in files too, for more than fits
    /// there. A job may change it between two runs
    #[arg(long, value_parser = backend(), default_value_t, value_name = "STORE", help_heading = "Resources")]
    pub backend: Store,
    /// Where mmap and rocksdb keep their files while the job runs [default: the directory of
    /// checkpoints, else that of temporary files]; with checkpoints at a URL also rows of windows
    /// that wait to be written to a stream
    #[arg(long, value_name = "DIR", help_heading = "Resources")]
    pub state_dir: Option<PathBuf>,
    /// The most memory that state may take, such as 512MiB; a job that needs more ends with exit
    /// code 1, and given more it resumes from its newest checkpoint [default: no limit]
    #[arg(long, value_parser = parse_size, value_name = "SIZE", help_heading = "Resources")]
    pub memory_limit: Option<u64>,
    /// How many subtasks share the keys [default: the number of cores]
    #[arg(long, value_name = "N", help_heading = "Resources")]
    pub parallelism: Option<NonZeroUsize>,
    /// How many groups keys are divided into; fixed for the life of a job [default: that of the
    /// checkpoint, else 128]
    #[arg(
        long,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_KEY_GROUPS)),
        value_name = "N",
        help_heading = "Resources"
    )]
    pub key_groups: Option<u16>,

    /// What runs it.
    #[command(flatten)]
    pub workers: Workers,

    /// What it answers meanwhile.
    #[command(flatten)]
    pub beside: Beside,
}

/// The names of the key fields, in the order in which they make up the key.
pub type KeyFields = Box<[String]>;

/// What a bad row does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum BadRows {
    /// End the job with exit code 1
    #[default]
    Fail,
    /// Leave it out; their number is shown at the end
    Skip,
}

/// How often a row counts after a crash.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Guarantee {
    /// Exactly once
    #[default]
    ExactlyOnce,
    /// At least once; some may count twice
    AtLeastOnce,
}

/// Whether progress is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Progress {
    /// Where standard error is a terminal
    #[default]
    Auto,
    /// Not at all
    Never,
}

/// Why there is no command to carry out.
#[derive(Debug)]
pub enum Refusal {
    /// Help or the version was asked for: print it to standard output and exit 0.
    Shown(String),
    /// The command line is wrong.
    Failure(Failure),
}

impl Arguments {
    /// Reads a command line, the name of the program first.
    pub fn read<T: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Command, Refusal> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let command = Self::try_parse_from(&arguments).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Refusal::Shown(error.render().to_string())
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Refusal::Failure(Failure::Usage(
                    "give a command, such as run or list; see holdwater --help".to_owned(),
                ))
            }
            _ => {
                let told = one_line(&error.render().to_string());
                let given = arguments.get(1).and_then(|command| command.to_str());
                let known = given.filter(|given| Self::command().find_subcommand(given).is_some());
                let command = known.map_or(String::new(), |command| format!("{command} "));
                Refusal::Failure(Failure::Usage(format!("{told}; see holdwater {command}--help")))
            }
        })?;
        if let Command::Run(run) = &command.command {
            run.check().map_err(Refusal::Failure)?;
        }
        Ok(command.command)
    }
}

impl Run {
    /// Returns the names of the result's columns: the key fields, with windows `window_start`, then
    /// the SPECs as given.
    pub fn columns(&self) -> Vec<String> {
        let window_start = self.windows.is_given().then(|| WINDOW_START.to_owned());
        let specs = self.agg.iter().map(Spec::to_string);
        self.key.iter().cloned().chain(window_start).chain(specs).collect()
    }

    /// Returns the number of key groups, where `stored` is that of the checkpoint resumed from.
    /// Not given, it is the stored one, else 128.
    pub fn key_groups(&self, stored: Option<u16>) -> u16 {
        self.key_groups.or(stored).unwrap_or(DEFAULT_KEY_GROUPS)
    }

    /// Returns the format of the file that results are written to.
    pub fn output_format(&self, path: &Path) -> Format {
        self.format_out.unwrap_or_else(|| Format::of(path))
    }

    fn check(&self) -> Result<(), Failure> {
        let usage = |text: String| Err(Failure::Usage(text));
        self.windows.check()?;
        self.workers.check(self)?;
        self.beside.check()?;
        let columns = self.columns();
        for (index, name) in columns.iter().enumerate() {
            if columns[..index].contains(name) {
                return usage(format!(
                    "two columns are called {name}; name each key field and SPEC once"
                ));
            }
        }
        if self.input.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            return usage("standard input can be read once; give --input - once".to_owned());
        }
        if let (Some(parallelism), Some(groups)) = (self.parallelism, self.key_groups) {
            check_parallelism(parallelism, groups)?;
        } else if let Some(parallelism) = self.parallelism
            && parallelism.get() > usize::from(MAX_KEY_GROUPS)
        {
            check_parallelism(parallelism, MAX_KEY_GROUPS)?;
        }
        Ok(())
    }
}

/// States whether so many subtasks can share the groups: each needs at least one.
pub fn check_parallelism(parallelism: NonZeroUsize, key_groups: u16) -> Result<(), Failure> {
    if parallelism.get() > usize::from(key_groups) {
        return Err(Failure::Usage(format!(
            "--parallelism {parallelism} is more than the {key_groups} key groups; \
             lower it, or start a new job with more --key-groups"
        )));
    }
    Ok(())
}

fn backend() -> impl TypedValueParser<Value = Store> {
    PossibleValuesParser::new(Store::ALL.map(Store::name)).try_map(|name| name.parse())
}

pub(crate) fn parse_key(text: &str) -> Result<KeyFields, String> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut lines = reader.records();
    let (Some(Ok(fields)), None) = (lines.next(), lines.next()) else {
        return Err("expected field names as in a CSV line, such as origin,destination".to_owned());
    };
    Ok(fields.iter().map(str::to_owned).collect())
}

/// Reduces a message of clap to one line: what is wrong and its tips, without the usage.
fn one_line(message: &str) -> String {
    let mut line = String::new();
    for told in message.lines().take_while(|line| !line.starts_with("Usage:")).map(str::trim) {
        if told.is_empty() || told.starts_with("For more information") {
            continue;
        }
        let gap = if told.starts_with("tip:") { "; " } else { " " };
        line.push_str(if line.is_empty() { "" } else { gap });
        line.push_str(told.strip_prefix("error: ").unwrap_or(told));
    }
    line
}

/// The most key groups that a job can have.
pub const MAX_KEY_GROUPS: u16 = 1 << 15;

const DEFAULT_KEY_GROUPS: u16 = 128;

/// The column that tells the windows of a key apart.
pub const WINDOW_START: &str = "window_start";

const RUN_EXAMPLES: &str = "\
Examples:
  Flights per origin, to the terminal:
    holdwater run --input flights.csv --key origin --agg count mean:delay distinct:destination

  The same into a file, with checkpoints; killed and given again it resumes:
    holdwater run --input flights.csv --key origin --agg count sum:delay \\
        --output out.csv --checkpoints checkpoints --checkpoint-every 10000rows

  Flights per origin and day, written as days end; a flight may stand up to an hour too late:
    holdwater run --input flights.csv --key origin --agg count --time date --window 1d \\
        --lateness 1h --output days.csv --checkpoints checkpoints

  Two inputs and a key of two fields, as JSON lines:
    holdwater run --input a.csv --input b.csv --key origin,destination --agg max:delay \\
        --format-out jsonl

  On two machines, two workers each; the same command on the second one with -p 1:
    holdwater run --input flights.csv --key origin --agg count --output out.csv \\
        --checkpoints /shared/checkpoints --engine timely -- -w 2 -n 2 -p 0 -h hosts.txt

Signals: INT and TERM take a last checkpoint and end the job; USR1 takes a savepoint, a checkpoint
that is full and is kept, and the job goes on.

Exit codes: 0 done, 1 data, I/O or resources, 2 usage, 3 checkpoints or input are not as expected.";

#[cfg(test)]
mod tests {
    use super::*;
    use holdwater::window::Assigner;

    const JOB: &str = "run --input flights.csv --key origin --agg count";

    fn read(line: &str) -> Result<Command, Refusal> {
        Arguments::read(std::iter::once("holdwater").chain(line.split_whitespace()))
    }

    fn run(line: &str) -> Run {
        match read(line) {
            Ok(Command::Run(run)) => *run,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refused(line: &str) -> String {
        let Err(Refusal::Failure(failure)) = read(line) else { panic!("accepted: {line}") };
        assert_eq!(failure.exit_code(), 2, "{line}");
        let text = failure.to_string();
        assert!(!text.contains('\n') && text.len() < 300, "{text}");
        text
    }

    #[test]
    fn the_flags_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let run = run(JOB);
        assert_eq!(run.checkpoint_every, "10s".parse().unwrap());
        assert_eq!((run.retain.get(), run.full_every.get()), (3, 10));
        assert_eq!(run.key_groups(None), 128);
        assert_eq!(run.key_groups(Some(7)), 7);
        assert_eq!(run.guarantee, Guarantee::ExactlyOnce);
        assert_eq!(run.bad_rows, BadRows::Fail);
        assert_eq!(run.progress, Progress::Auto);
        assert_eq!((run.output, run.format, run.format_out), (None, None, None));
        assert_eq!((run.parallelism, run.memory_limit, run.rate), (None, None, None));
        assert_eq!((run.from, run.fresh, run.sync_snapshots), (None, false, false));
        assert!(!run.native_checkpoints);
    }

    #[test]
    fn every_flag_is_read() {
        let run = run("run --input a.jsonl --input - --format jsonl --key a,b --agg count sum:x \
                       --agg mean:x --output out --format-out jsonl --memory-limit 512MiB \
                       --checkpoints dir --checkpoint-every 10000rows --retain 5 --full-every 4 \
                       --parallelism 2 --key-groups 16 --guarantee at-least-once --rate 100 \
                       --from dir@7 --bad-rows skip --progress never --sync-snapshots \
                       --native-checkpoints");
        assert_eq!(run.input, [PathBuf::from("a.jsonl"), PathBuf::from("-")]);
        assert_eq!(run.columns(), ["a", "b", "count", "sum:x", "mean:x"]);
        assert_eq!((run.format, run.format_out), (Some(Format::Jsonl), Some(Format::Jsonl)));
        assert_eq!(run.memory_limit, Some(512 << 20));
        assert_eq!(run.checkpoint_every, "10000rows".parse().unwrap());
        assert_eq!((run.retain.get(), run.full_every.get()), (5, 4));
        assert_eq!(run.parallelism.unwrap().get(), 2);
        assert_eq!(run.key_groups(Some(7)), 16);
        assert_eq!(run.guarantee, Guarantee::AtLeastOnce);
        assert_eq!(run.rate.unwrap().get(), 100);
        assert_eq!(run.from.as_deref(), Some("dir@7"));
        assert_eq!((run.bad_rows, run.progress), (BadRows::Skip, Progress::Never));
        assert!(run.sync_snapshots && run.native_checkpoints);
    }

    #[test]
    fn flags_of_timely_stand_behind_two_dashes() {
        assert_eq!(run(JOB).workers.engine, Engine::Threads);
        assert!(run(JOB).workers.cluster().unwrap().is_none());
        let timely = run(&format!("{JOB} --engine timely --peer-timeout 5s -- -n 2 -p 1 -w 3"));
        let cluster = timely.workers.cluster().unwrap().unwrap();
        assert_eq!((cluster.workers(), cluster.process), (6, 1));
        assert_eq!(cluster.patience, Duration::from_secs(5));
    }

    #[test]
    fn windows_are_read() {
        let windows = |more: &str| run(&format!("{JOB} --time date {more}")).windows;
        let (minute, hour) = (60_000, 3_600_000);
        for (flags, assigner, lateness) in [
            ("--window 1h", Assigner::tumbling(hour), 0),
            ("--window 60m --slide 1h --lateness 0s", Assigner::tumbling(hour), 0),
            (
                "--window 1h --slide 7m --lateness 5m",
                Assigner::sliding(hour, 7 * minute),
                5 * minute,
            ),
            ("--session 30m --lateness 1ms", Assigner::session(30 * minute), 1),
        ] {
            let windows = windows(flags);
            assert_eq!(windows.assigner(), Some(assigner.unwrap()), "{flags}");
            assert_eq!((windows.time.as_deref(), windows.lateness()), (Some("date"), lateness));
        }
        assert_eq!(run(JOB).windows.assigner(), None);
        let columns = run(&format!("{JOB} --time date --window 1d")).columns();
        assert_eq!(columns, ["origin", "window_start", "count"]);
        assert_eq!(run(&format!("{JOB} --agg max:window_start")).columns().len(), 3);
    }

    #[test]
    fn the_key_is_written_as_a_csv_line() {
        let key = |text| parse_key(text).unwrap().to_vec();
        assert_eq!(key("a,b"), ["a", "b"]);
        assert_eq!(key("\"a,b\",\"say \"\"x\"\"\""), ["a,b", "say \"x\""]);
        assert_eq!(key("a b"), ["a b"]);
        assert!(parse_key("").is_err());
        assert!(parse_key("a\nb").is_err());
    }

    #[test]
    fn a_format_follows_the_ending() {
        for (path, format) in [
            ("a.jsonl", Format::Jsonl),
            ("a.ndjson", Format::Jsonl),
            ("a.JSONL", Format::Jsonl),
            ("a.csv", Format::Csv),
            ("a.json", Format::Csv),
            ("jsonl", Format::Csv),
            ("-", Format::Csv),
        ] {
            assert_eq!(Format::of(Path::new(path)), format, "{path}");
        }
        assert_eq!(run(JOB).output_format(Path::new("o.jsonl")), Format::Jsonl);
        let forced = run(&format!("{JOB} --format-out csv"));
        assert_eq!(forced.output_format(Path::new("o.jsonl")), Format::Csv);
    }

    #[test]
    fn what_cannot_be_is_refused_in_one_line_that_says_what() {
        for (line, said) in [
            ("", "give a command"),
            ("walk", "walk"),
            ("run", "see holdwater run --help"),
            ("run --key a --agg count", "--input"),
            ("run --input a --key b", "--agg"),
            (&format!("{JOB} --agg"), "--agg"),
            (&format!("{JOB} --agg median:x"), "expected count"),
            (&format!("{JOB} --agg count"), "two columns are called count"),
            (&format!("{JOB} --agg max:x max:x"), "two columns are called max:x"),
            ("run --input a --key count --agg count", "two columns are called count"),
            ("run --input a --key b,b --agg count", "two columns are called b"),
            ("run --input - --input - --key b --agg count", "standard input"),
            (&format!("{JOB} --parallelism 9 --key-groups 8"), "8 key groups"),
            (&format!("{JOB} --parallelism 32769"), "32768 key groups"),
            (&format!("{JOB} --parallelism 0"), "--parallelism"),
            (&format!("{JOB} --key-groups 0"), "--key-groups"),
            (&format!("{JOB} --engine spark"), "threads, timely"),
            (&format!("{JOB} -- -w 2"), "-w behind -- is for --engine timely"),
            (&format!("{JOB} --engine timely --guarantee at-least-once"), "exactly once"),
            (&format!("{JOB} --engine timely --parallelism 2"), "-w N, not --parallelism"),
            (&format!("{JOB} --engine timely -- -w x"), "timely: invalid digit"),
            (&format!("{JOB} --engine timely -- -n 2 -p 2"), "-p 2 is none of the 2 processes"),
            (&format!("{JOB} --key-groups 32769"), "--key-groups"),
            (&format!("{JOB} --retain 0"), "--retain"),
            (&format!("{JOB} --rate 0"), "--rate"),
            (&format!("{JOB} --checkpoints dir --fresh --from dir"), "--from"),
            (&format!("{JOB} --from dir"), "--checkpoints"),
            (&format!("{JOB} --checkpoint-every 5"), "10000rows or 5s"),
            (&format!("{JOB} --memory-limit 5x"), "512MiB"),
            (&format!("{JOB} --format xml"), "csv, jsonl"),
            (&format!("{JOB} --outputs x"), "found; tip: a similar argument exists: '--output'"),
            (&format!("{JOB} --time t"), "--window or --session"),
            (&format!("{JOB} --window 1d"), "--time"),
            (&format!("{JOB} --session 1d"), "--time"),
            (&format!("{JOB} --lateness 1m"), "--time"),
            (&format!("{JOB} --time t --lateness 1m"), "--window or --session"),
            (&format!("{JOB} --time t --slide 1h"), "--window"),
            (&format!("{JOB} --time t --session 1d --slide 1h"), "--slide"),
            (&format!("{JOB} --time t --window 1d --session 1h"), "--session"),
            (&format!("{JOB} --time t --window 1h --slide 61m"), "--slide 61m"),
            (&format!("{JOB} --time t --window 1h --slide 0s"), "--slide"),
            (&format!("{JOB} --time t --window 0d"), "--window"),
            (&format!("{JOB} --time t --session 0ms"), "--session"),
            (&format!("{JOB} --time t --window 1"), "--window"),
            (&format!("{JOB} --time t --window 365d --slide 1s"), "31536000 windows"),
            (&format!("{JOB} --time t --window 18446744073709551615ms"), "--window"),
            (&format!("{JOB} --time t --window 1d --lateness x"), "--lateness"),
            (&format!("{JOB} --time t --window 1d --agg max:x max:x"), "max:x"),
            (
                "run --input a --key window_start --agg count --time t --window 1d",
                "two columns are called window_start",
            ),
            (&format!("{JOB} positional"), "positional"),
            ("list", "<DIR|URL>"),
            ("list a b", "'b'"),
        ] {
            let text = refused(line);
            assert!(text.contains(said), "{line}: {text}");
        }
    }

    #[test]
    fn help_and_version_are_shown_with_examples() {
        let shown = |line: &str| match read(line) {
            Err(Refusal::Shown(text)) => text,
            other => panic!("{line}: {other:?}"),
        };
        assert!(shown("--version").starts_with("holdwater "));
        assert!(shown("--help").contains("list"));
        assert!(shown("run --help").contains("Examples:"));
        assert!(shown("list --help").contains("--json"));
        for command in [
            "list",
            "verify",
            "inspect",
            "dump",
            "get",
            "diff",
            "edit",
            "import",
            "reshard",
            "rename",
            "completions",
        ] {
            let help = shown(&format!("{command} --help"));
            assert!(help.contains("Examples:"), "{command}");
        }
    }
}
