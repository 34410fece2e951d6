//! `holdwater run`: the job that a command line asks for, on the engine that it names.

mod batch;
mod cluster;
mod columns;
mod failures;
mod gauge;
mod growing;
mod operator;
mod plan;
mod report;
mod sink;
mod source;
mod states;
mod windowed;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use holdwater::barrier;
use holdwater_any::{self as any, NotBuilt, Setup, Store, Stores};
use holdwater_threads::{self as threads, Checkpoints, Ended, Job, Options, Start, Summary};
use holdwater_timely::Cluster;

use self::cluster::{Follower, OPERATOR, unless_interrupted};
use self::growing::Growing;
use self::operator::ResultRow;
use self::plan::Plan;
use self::report::Report;
use self::sink::Results;
use self::source::RowSource;

use crate::accumulators::Answer;
use crate::arguments::{Guarantee, Run, check_parallelism};
use crate::checkpoint;
use crate::duration::Every;
use crate::failure::Failure;
use crate::input::Input;
use crate::output::{Audience, Output};
use crate::place::{Place, is_url};
use crate::serve::Served;
use crate::signature::decode_position;
use crate::stop::Signals;

/// Runs a job to its end and writes its results.
///
/// Returns the exit code: 0, or that of the signal which stopped it after a last checkpoint.
pub fn run(run: &Run) -> Result<u8, Failure> {
    let cluster = run.workers.cluster()?;
    if cluster.as_ref().is_some_and(|cluster| !cluster.is_first()) {
        return cluster.map_or(Ok(0), |cluster| follow(run, cluster));
    }
    if let Some(path) = &run.output {
        Output::check(path)?;
    }
    let setup = setup(run)?;
    let plan = Arc::new(Plan::new(run)?);
    let mut options = options(run, cluster.as_ref())?;
    // A header may be waited for; until it is there, a signal ends the process as it always does.
    let inputs = open_inputs(run, &plan)?;
    let signals = Signals::catch()?;
    options.stop = signals.stop();
    options.savepoints = signals.savepoints();
    // Held until the job has ended: the directory belongs to one process at a time.
    let (checkpoints, _lock) = match &run.checkpoints {
        Some(directory) => {
            let files = Place::open(directory)?;
            let lock = files.lock()?;
            (Some(checkpoints(run, files, directory, &plan)?), lock)
        }
        None => (None, None),
    };
    // On timely the states lie with workers, which may be those of other processes.
    let live = cluster.is_none().then(|| options.live.clone());
    let served = Served::start(run, live)?;
    let setup = &setup;
    let attempt = Attempt { run, setup, plan: &plan, cluster, checkpoints, options, served };
    let (Some(summary), report) = attempt.make(inputs)? else {
        return Ok(signals.exit_code());
    };
    tell_counts(&summary, &report)?;
    Ok(if summary.ended == Ended::Stopped { signals.exit_code() } else { 0 })
}

/// A job that can be started more than once.
struct Attempt<'r> {
    run: &'r Run,
    setup: &'r Setup,
    plan: &'r Arc<Plan>,
    /// Of several processes each ends where state is damaged, and all are started again.
    cluster: Option<Cluster>,
    checkpoints: Option<Checkpoints<Place>>,
    options: Options,
    served: Option<Served>,
}

impl Attempt<'_> {
    /// Runs the job. Where state is found to be damaged in use, it is run once more, from the
    /// newest intact checkpoint, if all of its inputs can be read again.
    fn make(
        mut self,
        inputs: Vec<threads::Input<RowSource>>,
    ) -> Result<(Option<Summary>, Report), Failure> {
        let (mut report, summary) = self.start(inputs)?;
        let summary = match summary {
            Err(Failure::Damaged(text)) if self.may_go_on() => {
                report.line(&format!("warning: {text}; going on from an intact checkpoint"));
                self.checkpoints.iter_mut().for_each(Checkpoints::go_on);
                let again;
                (report, again) = self.start(open_inputs(self.run, self.plan)?)?;
                again?
            }
            Err(Failure::Damaged(text)) if self.checkpoints.is_some() => {
                let what = "start the job again, which then goes on from an intact checkpoint";
                return Err(Failure::Damaged(format!("{text}; {what}")));
            }
            summary => summary?,
        };
        Ok((summary, report))
    }

    fn start(
        &self,
        inputs: Vec<threads::Input<RowSource>>,
    ) -> Result<(Report, Result<Option<Summary>, Failure>), Failure> {
        let Self { run, setup, plan, cluster, checkpoints, options, served } = self;
        let gauges = inputs.iter().map(|input| input.source.gauge()).collect();
        let mut report = Report::new(run.progress, gauges, served.clone());
        let (checkpoints, options) = (checkpoints.clone(), options.clone());
        let cluster = cluster.clone();
        let report_of = &mut report;
        let task = Task { run, cluster, plan, inputs, checkpoints, options, report: report_of };
        let summary = setup.run(task).map_err(not_built)?;
        Ok((report, summary))
    }

    fn may_go_on(&self) -> bool {
        let is_read_once = |path: &PathBuf| !path.is_file();
        self.checkpoints.is_some()
            && self.cluster.is_none()
            && !self.options.stop.is_stopped()
            && !self.run.input.iter().any(is_read_once)
    }
}

/// Runs the workers of this process; the first one has the inputs, the output and the lock.
fn follow(run: &Run, cluster: Cluster) -> Result<u8, Failure> {
    let setup = setup(run)?;
    let plan = Plan::new(run)?;
    let mut options = options(run, Some(&cluster))?;
    let signals = Signals::catch()?;
    options.stop = signals.stop();
    options.savepoints = signals.savepoints();
    let directory = run.checkpoints.as_deref();
    let checkpoints = match directory {
        Some(directory) => Some(checkpoints(run, Place::open(directory)?, directory, &plan)?),
        None => None,
    };
    let plan = &Arc::new(plan);
    let follower = Follower { cluster, plan, checkpoints, options, directory };
    let ended = setup.run(follower).map_err(not_built)??;
    Ok(if ended == Some(Ended::Finished) { 0 } else { signals.exit_code() })
}

/// Returns the store that holds the state. The limit is that of the job: its subtasks have one
/// budget. Its files lie beside the checkpoints, on a disk that is there for the job, or where
/// temporary files do.
fn setup(run: &Run) -> Result<Setup, Failure> {
    let used = run.backend.has_files() || run.checkpoints.as_deref().is_some_and(is_url);
    if let (Some(directory), true) = (&run.state_dir, used) {
        fs::create_dir_all(directory)
            .map_err(|error| Failure::io(format!("cannot make {}", directory.display()), error))?;
    }
    let beside = run.checkpoints.as_ref().filter(|place| !is_url(place));
    let directory = run.state_dir.as_ref().or(beside).cloned();
    let mut setup = Setup::new(run.backend, directory.unwrap_or_else(env::temp_dir));
    if run.native_checkpoints {
        if run.backend != Store::RocksDb {
            let why = "--native-checkpoints: give --backend rocksdb, which has files to keep";
            return Err(Failure::Usage(why.to_owned()));
        }
        setup = setup.with_native_checkpoints();
    }
    Ok(match run.memory_limit {
        Some(limit) => setup.with_budget(limit),
        None => setup,
    })
}

/// A job whose parts are ready: it waits for its store.
struct Task<'r> {
    run: &'r Run,
    cluster: Option<Cluster>,
    plan: &'r Arc<Plan>,
    inputs: Vec<threads::Input<RowSource>>,
    checkpoints: Option<Checkpoints<Place>>,
    options: Options,
    report: &'r mut Report,
}

impl any::Job for Task<'_> {
    /// None where it was stopped before it began.
    type Output = Result<Option<Summary>, Failure>;

    fn run<S: Stores>(self, stores: S) -> Self::Output {
        let Self { run, cluster, plan, inputs, checkpoints, options, report } = self;
        let (results, of_job, identity) = (Results::default(), Arc::clone(plan), plan.identity);
        let ended = if plan.windows.is_none() {
            let operator = operator::without_windows(stores, of_job);
            let job = job(inputs, operator, results.clone(), checkpoints, options);
            cluster::run(cluster, identity, job, report)
        } else {
            let growing = Growing::new(run, report.bar())?;
            report.set_repeats(growing.is_stream());
            let operator = operator::in_windows(stores, of_job);
            let job = job(inputs, operator, growing, checkpoints, options);
            cluster::run(cluster, identity, job, report)
        };
        report.end();
        let failed = |error| failures::of_engine(error, run.checkpoints.as_deref());
        let summary = unless_interrupted(ended).map_err(failed)?;
        let is_finished = summary.as_ref().is_some_and(|found| found.ended == Ended::Finished);
        if is_finished && plan.windows.is_none() {
            write_results(run, results)?;
        }
        Ok(summary)
    }
}

fn not_built(error: NotBuilt) -> Failure {
    Failure::Usage(format!("--backend: {error}"))
}

fn job<F, K>(
    inputs: Vec<threads::Input<RowSource>>,
    operator: F,
    sink: K,
    checkpoints: Option<Checkpoints<Place>>,
    options: Options,
) -> Job<RowSource, F, K, Place> {
    let (name, sink_name) = (OPERATOR.to_owned(), "results".to_owned());
    Job { inputs, name, operator, sink, sink_name, checkpoints, options }
}

fn options(run: &Run, cluster: Option<&Cluster>) -> Result<Options, Failure> {
    let mut options = Options { key_groups: run.key_groups, ..Options::default() };
    options.guarantee = match run.guarantee {
        Guarantee::ExactlyOnce => barrier::Guarantee::ExactlyOnce,
        Guarantee::AtLeastOnce => barrier::Guarantee::AtLeastOnce,
    };
    let key_groups = run.key_groups(stored_key_groups(run));
    cluster.map_or(Ok(()), |cluster| cluster::check(cluster, key_groups))?;
    if let Some(parallelism) = run.parallelism {
        check_parallelism(parallelism, key_groups)?;
        options.parallelism = u16::try_from(parallelism.get()).unwrap_or(u16::MAX);
    }
    // As many as there are cores is a wish, not an order.
    options.parallelism = options.parallelism.min(key_groups);
    Ok(options)
}

/// Returns the number of key groups that the job has in the checkpoint it goes on from, as far as
/// that can be told before anything is locked: restoring looks again.
fn stored_key_groups(run: &Run) -> Option<u16> {
    if run.fresh {
        return None;
    }
    let own = checkpoint::newest(run.checkpoints.as_deref()?);
    let found = own.or_else(|error| run.from.as_deref().map_or(Err(error), checkpoint::find));
    Some(found.ok()?.manifest.key_groups)
}

fn open_inputs(run: &Run, plan: &Arc<Plan>) -> Result<Vec<threads::Input<RowSource>>, Failure> {
    let inputs = NonZero::new(run.input.len() as u64).unwrap_or(NonZero::<u64>::MIN);
    // The rate is that of all inputs together; each is held to its share, rounded up.
    let rate = run
        .rate
        .map(|rate| NonZero::new(rate.get().div_ceil(inputs.get())).unwrap_or(NonZero::<u64>::MIN));
    let open = |(path, name): (&std::path::PathBuf, &String)| {
        let input = Input::open(path, run.format, &plan.selection, run.bad_rows)?;
        let source = RowSource::new(input, plan.clone(), rate);
        Ok(threads::Input { name: name.clone(), source })
    };
    run.input.iter().zip(&plan.inputs).map(open).collect()
}

fn checkpoints(
    run: &Run,
    files: Place,
    directory: &Path,
    plan: &Plan,
) -> Result<Checkpoints<Place>, Failure> {
    let start = start(run, directory)?;
    let mut checkpoints = Checkpoints::new(files, plan.job(), plan.signature.clone());
    checkpoints.start = start;
    checkpoints.every = match run.checkpoint_every {
        Every::Rows(rows) => threads::Every::Rows(rows.get()),
        Every::Time(time) => threads::Every::Interval(time),
    };
    checkpoints.retain = run.retain;
    checkpoints.full_every = run.full_every;
    checkpoints.sync_snapshots = run.sync_snapshots;
    // A sink that shows its rows at the end alone has nothing to repeat; of a stream that does, it
    // is told.
    checkpoints.accept_duplicates = true;
    Ok(checkpoints)
}

fn start(run: &Run, directory: &Path) -> Result<Start<Place>, Failure> {
    let Some(from) = &run.from else {
        return Ok(if run.fresh { Start::Fresh } else { Start::Resume });
    };
    let found = checkpoint::find(from)?;
    let from = found.files.name();
    let same = match (from.canonicalize(), directory.canonicalize()) {
        (Ok(from), Ok(to)) => from == to,
        _ => is_url(from) && from == directory,
    };
    Ok(if same {
        Start::From(found.manifest.id)
    } else {
        Start::Import { manifest: Box::new(found.manifest), storage: found.files }
    })
}

fn write_results(run: &Run, results: Results) -> Result<(), Failure> {
    let columns = run.columns();
    let mut output = match &run.output {
        Some(path) => Output::to_file(path, run.output_format(path), &columns)?,
        None => Output::to_stdout(run.format_out, Audience::of_stdout(), &columns)?,
    };
    let mut row = Vec::with_capacity(columns.len());
    for ResultRow { key, answers, .. } in results.into_rows() {
        row.extend(key.view().iter().map(|field| Answer::Text(field.to_owned().into())));
        row.extend(answers);
        output.row(&row)?;
        row.clear();
    }
    output.finish()
}

/// Tells how many rows were late and how many bad, in all runs of the job together.
fn tell_counts(summary: &Summary, report: &Report) -> Result<(), Failure> {
    let (mut late_rows, mut bad_rows) = (0, 0);
    for position in summary.positions.iter().flatten() {
        let (position, event_time) = decode_position(position)?;
        late_rows += event_time.map_or(0, |event_time| event_time.late_rows);
        bad_rows += position.bad_rows;
    }
    for (what, count) in [("late rows", late_rows), ("bad rows", bad_rows)] {
        if count > 0 {
            report.count(what, count);
        }
    }
    Ok(())
}
