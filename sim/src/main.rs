//! `holdwater-sim`: runs failure schedules, and replays one that failed.

#![forbid(unsafe_code)]

mod report;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use holdwater_sim::points::{self, Extent, Point};
use holdwater_sim::random::Random;
use holdwater_sim::shrink::{Shrunk, shrink};
use holdwater_sim::site::SITES;
use holdwater_sim::story::Story;
use holdwater_sim::world::{Outcome, run_random, run_seed};
use report::{Tally, progress};

/// Runs the checkpoint protocol on a simulated disk, under faults.
///
/// A failure schedule is a seed, and the same seed gives the same run on any machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Run that many seeds
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    from: u64,
    /// Tell what happens in one seed, step by step
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Take back decisions of that seed, as long as it fails, and tell what is left
    #[arg(long, requires = "seed")]
    shrink: bool,
    /// Write the decisions of that seed, or what is left of them, to a file
    #[arg(long, value_name = "FILE", requires = "seed")]
    tape: Option<PathBuf>,
    /// Tell what happens by the decisions in a file
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    replay: Option<PathBuf>,
    /// Lose power before every step of publish, clean-up and restore; with 2, once more after that
    #[arg(long, value_name = "TIMES", num_args = 0..=1, default_missing_value = "1",
        value_parser = clap::value_parser!(u8).range(1..=2))]
    crash_points: Option<u8>,
    /// Tell what happens at one crash point, as a failure prints it
    #[arg(long, value_name = "POINT")]
    point: Option<Point>,
    /// Leave out each sync of the code in turn, and see whether it is missed
    #[arg(long)]
    without_syncs: bool,
    /// Plant a bug by its number, or all of them in turn, and see whether it is found
    #[arg(long, value_name = "N|all")]
    planted: Option<String>,
    /// Write how each planted bug was found to a file
    #[arg(long, value_name = "FILE", requires = "planted")]
    table: Option<PathBuf>,
}

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let out = &mut io::stdout().lock();
    let fine = if let Some(seed) = arguments.seed {
        one_seed(out, seed, arguments.shrink, arguments.tape.as_deref())?
    } else if let Some(path) = &arguments.replay {
        let tape = fs::read_to_string(path)?.parse().map_err(io::Error::other)?;
        tell(out, &run_random(Random::replay(0, &tape), Story::told()))?
    } else if let Some(point) = arguments.point {
        tell(out, &points::run(point, None, Story::told()))?
    } else if let Some(which) = &arguments.planted {
        match planted(out, which, arguments.seeds, arguments.table.as_deref())? {
            Some(fine) => fine,
            None => return Ok(ExitCode::from(2)),
        }
    } else if arguments.without_syncs {
        without_syncs(out)?
    } else if let Some(times) = arguments.crash_points {
        crash_points(out, if times == 1 { Extent::ALL } else { Extent::TWICE })?
    } else {
        seeds(out, arguments.from, arguments.seeds)?
    };
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs seeds. Returns whether none failed, and everything happened that should happen somewhere.
fn seeds(out: &mut impl Write, from: u64, count: u64) -> io::Result<bool> {
    let bar = progress(Some(count)).with_message("seeds");
    let mut tally = Tally::default();
    for seed in from..from + count {
        let outcome = run_seed(seed, Story::default());
        tally.runs += 1;
        tally.steps += outcome.steps;
        tally.storage_steps += outcome.sites.len() as u64;
        tally.marks.add(&outcome.marks);
        bar.inc(1);
        let Some(violation) = outcome.violation else { continue };
        tally.failed += 1;
        if tally.failed <= FAILURES_SHOWN {
            bar.suspend(|| {
                writeln!(out, "seed {seed}: {violation}")?;
                writeln!(out, "    cargo run --release -p holdwater-sim -- --seed {seed} --shrink")
            })?;
        }
    }
    let time = bar.elapsed();
    bar.finish_and_clear();
    report::marks(out, &tally.marks)?;
    tally.print(out, "seeds", time)?;
    let unreached = tally.unreached();
    if unreached > 0 {
        writeln!(out, "{unreached} of the marks were never reached")?;
    }
    // So many seeds that do not reach a mark prove that the faults have a hole.
    Ok(tally.failed == 0 && (unreached == 0 || count < SEEDS_FOR_MARKS))
}

/// Tells what happens in one seed, or what is left of it when it is shrunk.
fn one_seed(
    out: &mut impl Write,
    seed: u64,
    shrinks: bool,
    file: Option<&Path>,
) -> io::Result<bool> {
    let mut outcome = run_random(Random::new(seed).recording(), Story::told());
    let mut tape = outcome.tape.clone().unwrap_or_default();
    if shrinks {
        let bar = progress(Some(SHRINK_RUNS_MAX)).with_message("runs");
        let steps = outcome.steps;
        let shrunk = shrink(&tape, run_random, SHRINK_RUNS_MAX, |runs| bar.set_position(runs));
        bar.finish_and_clear();
        match shrunk {
            None => writeln!(out, "seed {seed} does not fail")?,
            Some(shrunk) => {
                let Shrunk { outcome: small, runs, tape: left } = shrunk;
                (outcome, tape) = (small, left);
                writeln!(out, "shrunk from {steps} steps to {} in {runs} runs", outcome.steps)?;
            }
        }
    }
    let fine = tell(out, &outcome)?;
    if let Some(file) = file {
        fs::write(file, tape.to_string())?;
        let file = file.display();
        writeln!(out, "    cargo run --release -p holdwater-sim -- --replay {file}")?;
    }
    Ok(fine)
}

/// Crashes at every point.
fn crash_points(out: &mut impl Write, extent: Extent) -> io::Result<bool> {
    let bar = progress(None).with_message("crash points");
    let points = points::enumerate(extent, None, |points| bar.set_position(points.runs));
    let time = bar.elapsed();
    bar.finish_and_clear();
    writeln!(
        out,
        "{} crash points at {} steps of {} schedules, in {time:.1?}",
        points.runs,
        points.steps,
        points::SCHEDULES
    )?;
    let Some((point, violation)) = points.failed else { return Ok(true) };
    writeln!(out, "point {point}: {violation}")?;
    writeln!(out, "    cargo run --release -p holdwater-sim -- --point {point}")?;
    Ok(false)
}

/// Leaves out each sync in turn. Returns whether each was missed.
fn without_syncs(out: &mut impl Write) -> io::Result<bool> {
    let mut missed = true;
    for site in SITES.into_iter().filter(|site| site.is_sync()) {
        let points = points::enumerate(Extent::ALL, Some(site), |_| ());
        match points.failed {
            Some((_, violation)) => {
                writeln!(out, "without {site}: found in run {}: {violation}", points.runs)?;
            }
            None => {
                missed = false;
                writeln!(out, "without {site}: NOT MISSED in {} runs", points.runs)?;
            }
        }
    }
    Ok(missed)
}

/// Plants bugs. Returns whether each that should be found was, or nothing if this build has none.
#[cfg(holdwater_planted)]
fn planted(
    out: &mut impl Write,
    which: &str,
    seeds: u64,
    table: Option<&Path>,
) -> io::Result<Option<bool>> {
    use holdwater_sim::planted::{BUGS, TABLE, hunt};

    let (mut found, mut rows) = (true, TABLE.to_owned());
    for bug in BUGS.iter().filter(|bug| which == "all" || which == bug.number.to_string()) {
        let Some(kill) = hunt(bug, seeds) else {
            found = false;
            writeln!(out, "{bug}: NOT FOUND")?;
            continue;
        };
        let runs = if kill.by_point { "crash points" } else { "seeds" };
        writeln!(out, "{bug}: {} {runs}: {}", kill.runs, kill.violation)?;
        let check = format!("{:?}", kill.violation.check).to_lowercase();
        let row = format!("| P{} | {} | {} {runs} | {check} |\n", bug.number, bug.what, kill.runs);
        rows.push_str(&row);
    }
    if let Some(table) = table {
        fs::write(table, rows)?;
    }
    Ok(Some(found))
}

#[cfg(not(holdwater_planted))]
fn planted(
    out: &mut impl Write,
    _which: &str,
    _seeds: u64,
    _table: Option<&Path>,
) -> io::Result<Option<bool>> {
    writeln!(out, "this build has no planted bugs: run `make planted`")?;
    Ok(None)
}

/// Tells what happened in a run. Returns whether it was fine.
fn tell(out: &mut impl Write, outcome: &Outcome) -> io::Result<bool> {
    for line in outcome.story.lines() {
        writeln!(out, "{line}")?;
    }
    match &outcome.violation {
        Some(violation) => writeln!(out, "FAILED {violation}")?,
        None => writeln!(out, "fine, after {} steps", outcome.steps)?,
    }
    Ok(outcome.violation.is_none())
}

const FAILURES_SHOWN: u64 = 10;
/// How many runs shrinking takes at most.
const SHRINK_RUNS_MAX: u64 = 5_000;
/// From how many seeds on a mark that none of them reached is a failure.
const SEEDS_FOR_MARKS: u64 = 10_000;
