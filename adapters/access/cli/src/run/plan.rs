//! What a job computes, settled before its threads begin.

use std::path::Path;

use holdwater::schema::StoredSchema;
use holdwater::ttl::Ttl;
use holdwater::window::Assigner;
use xxhash_rust::xxh3::xxh3_128;

use super::windowed::windowed_schema;
use crate::arguments::{Format, Run};
use crate::event_time::EventTime;
use crate::failure::Failure;
use crate::fields::key_schema;
use crate::selection::Selection;
use crate::spec::Spec;

/// What a job computes: the same for every source and subtask.
#[derive(Debug)]
pub(super) struct Plan {
    /// The SPECs, in the order of the command line.
    pub(super) specs: Vec<Spec>,
    /// The columns that are read.
    pub(super) selection: Selection,
    /// The key: a struct of its fields, so that tools print it from the file alone.
    pub(super) key_schema: StoredSchema,
    /// The inputs by name, for messages.
    pub(super) inputs: Vec<String>,
    /// What tells it from other jobs while it runs: all that each process of a cluster must be
    /// given alike.
    pub(super) identity: u128,
    /// What makes it the same job.
    pub(super) signature: Vec<u8>,
    /// The windows, if there are any.
    pub(super) windows: Option<WindowPlan>,
    /// How long keys live of which no row comes, if not for ever.
    pub(super) ttl: Option<Ttl>,
    /// How many bytes all state may take.
    memory_limit: Option<u64>,
}

/// The windows that rows count in.
#[derive(Debug)]
pub(super) struct WindowPlan {
    /// How times fall into them.
    pub(super) assigner: Assigner,
    /// How far the times of an input may go back, in milliseconds.
    lateness: i64,
    /// Key and window.
    pub(super) key_schema: StoredSchema,
}

impl WindowPlan {
    /// Returns the event time of an input that begins.
    pub(super) const fn event_time(&self) -> EventTime {
        EventTime::new(self.assigner, self.lateness)
    }
}

impl Plan {
    /// Settles what `run` asks for.
    pub(super) fn new(run: &Run) -> Result<Self, Failure> {
        let too_many =
            |_| Failure::Usage("--key names too many fields, or one of them twice".to_owned());
        let key_schema = key_schema(&run.key).map_err(too_many)?;
        let windows = match run.windows.assigner() {
            None => None,
            Some(assigner) => Some(WindowPlan {
                assigner,
                lateness: run.windows.lateness(),
                key_schema: windowed_schema(&key_schema).map_err(too_many)?,
            }),
        };
        let selection = Selection::new(&run.key, &run.agg);
        Ok(Self {
            specs: run.agg.clone(),
            selection: match &run.windows.time {
                Some(time) => selection.with_time(time),
                None => selection,
            },
            ttl: run.ttl.map(|duration| match windows {
                None => Ttl::processing(duration),
                Some(_) => Ttl::event(duration),
            }),
            memory_limit: run.memory_limit,
            windows,
            key_schema,
            inputs: run.input.iter().map(|path| name_of(path)).collect(),
            identity: identity(run),
            signature: signature(run),
        })
    }

    /// Returns for how many keys the values may lie beside the states of each of so many subtasks:
    /// together they take a sixteenth of the memory limit at most.
    pub(super) fn recent_max(&self, subtasks: u16) -> usize {
        let share = self.memory_limit.map(|limit| limit / 16 / u64::from(subtasks));
        let keys = share.map_or(u64::MAX, |share| share / (RECENT_BYTES * self.specs.len() as u64));
        usize::try_from(keys).map_or(RECENT_MAX, |keys| keys.min(RECENT_MAX))
    }

    /// Returns the identity of the job, which stands in each of its files.
    pub(super) fn job(&self) -> u128 {
        xxh3_128(&self.signature)
    }
}

/// Returns what makes a job the same job: its key fields, the set of its SPECs, the formats and the
/// number of its inputs, kind and sizes of its windows. The number of key groups stands in the
/// manifest for itself.
///
/// A list of texts, each behind its length, so that no two jobs have the same signature.
fn signature(run: &Run) -> Vec<u8> {
    let mut words = vec!["holdwater run 1".to_owned(), format!("key {}", run.key.len())];
    words.extend(run.key.iter().cloned());
    let mut specs: Vec<String> = run.agg.iter().map(ToString::to_string).collect();
    specs.sort_unstable();
    words.push(format!("agg {}", specs.len()));
    words.extend(specs);
    words.push(format!("input {}", run.input.len()));
    words.extend(
        run.input
            .iter()
            .map(|path| format!("{:?}", run.format.unwrap_or_else(|| Format::of(path)))),
    );
    match run.windows.assigner() {
        None => {}
        Some(Assigner::Aligned(windows)) => {
            words.push("window 2".to_owned());
            words.extend([windows.size(), windows.slide()].map(|time| time.to_string()));
        }
        Some(Assigner::Session(session)) => {
            words.push("session 1".to_owned());
            words.push(session.gap().to_string());
        }
    }
    postcard::to_allocvec(&words).expect("texts have an encoding")
}

/// Returns what the workers of all processes must have alike, the order of SPECs among it.
fn identity(run: &Run) -> u128 {
    let specs: Vec<String> = run.agg.iter().map(ToString::to_string).collect();
    let Run { windows, ttl, key_groups, .. } = run;
    let parts =
        (signature(run), specs, windows.time.is_some(), windows.lateness(), ttl, key_groups);
    xxh3_128(&postcard::to_allocvec(&parts).expect("texts and numbers have an encoding"))
}

/// About what a value takes beside its state, and its share of the key.
const RECENT_BYTES: u64 = 64;
/// Some 20 MB in each subtask.
const RECENT_MAX: usize = 1 << 17;

fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() }
}
