//! What an observer is told, as figures and events for those who collect them.

use holdwater::manifest::{CheckpointKind, Manifest, OperatorEntry, Part};
use holdwater::state::Kind;
use metrics::{counter, gauge, histogram};
use tracing::{info, warn};

use crate::observer::{Completed, Event, Observer, Phases, RestorePhases};

/// Records what a job tells by the crates `metrics` and `tracing`, and passes it on.
///
/// Whoever collects them sets a recorder and a subscriber; without them each costs a few loads.
/// Times are in seconds.
///
/// | name | kind | what |
/// |---|---|---|
/// | `holdwater_rows_read` | counter | rows read by this run |
/// | `holdwater_rows_restored` | gauge | rows that all states held when records began to be read |
/// | `holdwater_restore_seconds` | histogram | from the start of a run to its first record |
/// | `holdwater_restore_choose_seconds` | histogram | of that, to find what to go on from |
/// | `holdwater_restore_load_seconds` | histogram | to start the subtasks, and load their states |
/// | `holdwater_restore_settle_seconds` | histogram | to bring the output to what was restored |
/// | `holdwater_restarts` | counter | how often the job went on from a checkpoint by itself |
/// | `holdwater_checkpoints` | counter | by `kind`, `checkpoint` or `savepoint`: those completed |
/// | `holdwater_checkpoints_aborted` | counter | those given up |
/// | `holdwater_checkpoints_skipped` | counter | damaged ones that were passed over at restore |
/// | `holdwater_checkpoint_seconds` | histogram | from the first barrier to the end |
/// | `holdwater_checkpoint_alignment_seconds` | histogram | the longest wait for barriers |
/// | `holdwater_checkpoint_in_flight_bytes` | histogram | records in flight that it holds |
/// | `holdwater_checkpoint_pause_seconds` | histogram | the longest pause of a task |
/// | `holdwater_checkpoint_save_seconds` | histogram | the longest time a task wrote its snapshot |
/// | `holdwater_checkpoint_bytes` | histogram | the size of the files written |
/// | `holdwater_state_rows` | gauge | by `operator` and `state`: rows in the newest checkpoint |
/// | `holdwater_state_bytes` | gauge | the same in bytes; of files of a store nothing is known |
/// | `holdwater_group_rows` | gauge | by `operator` and `group`: rows of all its keyed states |
/// | `holdwater_group_bytes` | gauge | the same in bytes |
/// | `holdwater_group_written_bytes` | gauge | what that checkpoint wrote: which groups are hot |
/// | `holdwater_warnings` | counter | what the user should know, though the job goes on |
///
/// Rows are an upper bound where a checkpoint has deltas: one may put a row that another has too.
/// Groups are told of jobs that have up to 1,024 of them.
///
/// ```
/// use holdwater_threads::{Event, Instruments, Observer};
///
/// let mut observer = Instruments::new(());
/// observer.observe(&Event::Rows(1_000));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Instruments<O> {
    observer: O,
    /// How many rows this run has told of.
    rows: u64,
}

impl<O> Instruments<O> {
    /// Passes on to `observer` what is recorded.
    pub const fn new(observer: O) -> Self {
        Self { observer, rows: 0 }
    }

    /// Returns who is told.
    pub fn into_inner(self) -> O {
        self.observer
    }

    /// Counts the rows that were read since the last time.
    fn read(&mut self, rows: u64) {
        // A run that begins again counts anew.
        counter!("holdwater_rows_read").increment(rows.saturating_sub(self.rows));
        self.rows = rows;
    }
}

impl<O: Observer> Observer for Instruments<O> {
    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Aborted { id, why } => {
                counter!("holdwater_checkpoints_aborted").increment(1);
                warn!(checkpoint = %id, why, "a checkpoint was given up");
            }
            Event::Completed(completed, manifest) => {
                self.read(completed.rows.max(self.rows));
                record(completed);
                manifest.operators.iter().for_each(|operator| record_states(manifest, operator));
            }
            Event::Restarting { error, failures } => {
                counter!("holdwater_restarts").increment(1);
                warn!(%error, failures, "the job goes on from its newest checkpoint");
            }
            Event::Running { restored, rows, duration, phases } => {
                self.rows = 0;
                gauge!("holdwater_rows_restored").set(*rows as f64);
                histogram!("holdwater_restore_seconds").record(*duration);
                let RestorePhases { chosen, loaded, settled } = phases;
                histogram!("holdwater_restore_choose_seconds").record(*chosen);
                histogram!("holdwater_restore_load_seconds").record(*loaded);
                histogram!("holdwater_restore_settle_seconds").record(*settled);
                match restored.map(|manifest| manifest.id) {
                    Some(id) => info!(checkpoint = %id, rows, ?duration, ?phases, "resumed"),
                    None => info!(?duration, "begun"),
                }
            }
            Event::Rows(rows) => self.read(*rows),
            Event::Skipped(skipped) => {
                counter!("holdwater_checkpoints_skipped").increment(1);
                warn!(%skipped, "a damaged checkpoint was passed over");
            }
            Event::SkippedGroup(group) => {
                counter!("holdwater_warnings").increment(1);
                warn!(%group, "a damaged key group begins anew");
            }
            Event::Warned { warning, error } => {
                counter!("holdwater_warnings").increment(1);
                warn!(%warning, error);
            }
        }
        self.observer.observe(event);
    }
}

fn record(completed: &Completed) {
    let Completed { id, kind, duration, phases, bytes, rows } = completed;
    let kind = match kind {
        CheckpointKind::Savepoint => "savepoint",
        _ => "checkpoint",
    };
    counter!("holdwater_checkpoints", "kind" => kind).increment(1);
    histogram!("holdwater_checkpoint_seconds").record(*duration);
    histogram!("holdwater_checkpoint_alignment_seconds").record(phases.aligned);
    histogram!("holdwater_checkpoint_in_flight_bytes").record(phases.in_flight as f64);
    histogram!("holdwater_checkpoint_pause_seconds").record(phases.pause);
    histogram!("holdwater_checkpoint_save_seconds").record(phases.saved);
    histogram!("holdwater_checkpoint_bytes").record(*bytes as f64);
    let Phases { aligned, pause, saved, in_flight } = phases;
    info!(
        checkpoint = %id, kind, ?duration, ?aligned, ?pause, ?saved, bytes, in_flight, rows,
        "complete"
    );
}

/// What parts put.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    rows: u64,
    bytes: u64,
    /// Of those, the bytes that one checkpoint wrote.
    written: u64,
}

impl Size {
    fn add(&mut self, part: &Part, manifest: &Manifest) {
        self.rows += part.rows;
        self.bytes += part.length;
        self.written += if part.written == manifest.id { part.length } else { 0 };
    }
}

/// Records how much an operator holds in each state, and in each key group.
fn record_states(manifest: &Manifest, operator: &OperatorEntry) {
    let mut groups = vec![Size::default(); usize::from(manifest.key_groups)];
    for state in &operator.states {
        let mut whole = Size::default();
        let is_keyed = Kind::from_code(state.schema.kind).is_some_and(Kind::is_keyed);
        for chain in &state.chains {
            for part in &chain.parts {
                whole.add(part, manifest);
                if let Some(size) = groups.get_mut(usize::from(chain.group)).filter(|_| is_keyed) {
                    size.add(part, manifest);
                }
            }
        }
        for native in &operator.natives {
            let found = native.states.iter().find(|held| held.name == state.name);
            let counts = found.into_iter().flat_map(|held| &held.keys);
            for (group, rows) in native.groups.clone().zip(counts) {
                whole.rows += rows;
                groups[usize::from(group)].rows += rows;
            }
        }
        let labels = [("operator", operator.name.clone()), ("state", state.name.clone())];
        gauge!("holdwater_state_rows", &labels).set(whole.rows as f64);
        gauge!("holdwater_state_bytes", &labels).set(whole.bytes as f64);
    }
    for (group, size) in groups.iter().enumerate().take_while(|_| groups.len() <= GROUPS_MAX) {
        let labels = [("operator", operator.name.clone()), ("group", group.to_string())];
        gauge!("holdwater_group_rows", &labels).set(size.rows as f64);
        gauge!("holdwater_group_bytes", &labels).set(size.bytes as f64);
        gauge!("holdwater_group_written_bytes", &labels).set(size.written as f64);
    }
}

/// More would be too many series for those who collect them.
const GROUPS_MAX: usize = 1024;
