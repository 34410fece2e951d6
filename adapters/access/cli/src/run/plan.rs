//! What a job computes, settled before its threads begin.

use holdwater::schema::StoredSchema;

use crate::arguments::{Format, Run};
use crate::failure::Failure;
use crate::fields::key_schema;
use crate::selection::Selection;
use crate::spec::Spec;

/// What a job computes: the same for every source and subtask.
#[derive(Debug)]
pub struct Plan {
    /// The SPECs, in the order of the command line.
    pub specs: Vec<Spec>,
    /// The columns that are read.
    pub selection: Selection,
    /// The key: a struct of its fields, so that tools print it from the file alone.
    pub key_schema: StoredSchema,
    /// The inputs by name, for messages.
    pub inputs: Vec<String>,
    /// How many key groups the job has.
    pub key_groups: u16,
    /// How many subtasks.
    pub parallelism: u16,
}

impl Plan {
    /// Settles what `run` asks for, with so many key groups and subtasks.
    pub fn new(run: &Run, key_groups: u16, parallelism: u16) -> Result<Self, Failure> {
        let key_schema = key_schema(&run.key).map_err(|_| {
            Failure::Usage("--key names too many fields, or one of them twice".to_owned())
        })?;
        let named = |path: &std::path::PathBuf| match path.as_os_str().to_str() {
            Some("-") => "stdin".to_owned(),
            _ => path.display().to_string(),
        };
        Ok(Self {
            specs: run.agg.clone(),
            selection: Selection::new(&run.key, &run.agg),
            key_schema,
            inputs: run.input.iter().map(named).collect(),
            key_groups,
            parallelism,
        })
    }
}

/// Returns what makes a job the same job: its key fields, the set of its SPECs, the formats and the
/// number of its inputs. The number of key groups stands in the manifest for itself.
///
/// A list of texts, each behind its length, so that no two jobs have the same signature.
pub fn signature(run: &Run) -> Vec<u8> {
    let mut words = vec!["holdwater run 1".to_owned(), format!("keys {}", run.key.len())];
    words.extend(run.key.iter().cloned());
    let mut specs: Vec<String> = run.agg.iter().map(ToString::to_string).collect();
    specs.sort_unstable();
    words.push(format!("specs {}", specs.len()));
    words.extend(specs);
    words.push(format!("inputs {}", run.input.len()));
    words.extend(run.input.iter().map(|path| {
        let format = run.format.unwrap_or_else(|| Format::of(path));
        format!("{format:?}")
    }));
    // Windows come later; a job without any says so.
    words.push("windows none".to_owned());
    postcard::to_allocvec(&words).expect("texts have an encoding")
}
